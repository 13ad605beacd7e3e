"""A custody that answers late, never, wrongly or with no: asked about one stored envelope."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from anchor.cli import group
from anchor.extensions import gateway
from anchor.integrations.custody import (
    Declined,
    Later,
    Rejected,
    Signature,
    Signed,
    SigningAnswer,
    Unavailable,
)
from anchor.services import signature_requests, slots, sweeps
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench, stretch
from tests.signing import Remote, remote
from tests.test_signatures import states
from tests.test_submission_faults import knob, paid_once
from tests.world import World


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


def prepared(bench: Bench) -> tuple[str, str]:
    """A deposit that is in the queue; its id and its account."""
    account = bench.account().public_key
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    return row_id, account


def again(bench: Bench) -> None:
    """Let custody be asked again now."""
    bench.sql("UPDATE envelopes SET ask_at = now() WHERE ask_at IS NOT NULL")
    stretch(bench)


def keys_asked(asked: Remote) -> list[tuple[str, str]]:
    return [(request.key, request.hash) for request in asked.asked]


@pytest.mark.parametrize(
    "answer",
    [Later("1", "two people have to agree"), Unavailable("nobody is there"), KeyError("surprise")],
    ids=["later", "unavailable", "an error that nobody foresaw"],
)
def test_a_signer_that_answers_late_is_asked_for_the_same_envelope_again(
    bench: Bench, answer: SigningAnswer | Exception
) -> None:
    custody = remote(bench, answer, answer)
    row_id, account = prepared(bench)
    stretch(bench)
    stretch(bench)
    assert len(custody.asked) == 1, "not at each round"
    again(bench)
    [(asks, wait_s)] = bench.sql(
        "SELECT asks, round(extract(epoch FROM ask_at - now())) FROM envelopes"
    )
    assert (asks, 5 < wait_s <= 10) == (2, True)
    again(bench)
    bench.wait(row_id)
    paid_once(bench, row_id, account)
    [(key, hash_)] = set(keys_asked(custody))
    assert key == "submission-1-1"
    assert bench.sql("SELECT hash FROM envelopes") == [(hash_,)]
    surprised = isinstance(answer, KeyError)
    assert bench.world.cases() == (["submission_failing"] if surprised else [])


def test_the_driver_rests_until_custody_is_asked_again(bench: Bench) -> None:
    custody = remote(bench)
    custody.default = Later()
    prepared(bench)
    bench.work()
    [(rests,)] = bench.sql("SELECT round(extract(epoch FROM due_at - now())) FROM jobs")
    assert 3 <= int(rests) <= 5
    assert len(custody.asked) == 1


def test_promise_06_a_signer_that_never_answers_is_shown_another_envelope_under_another_key(
    bench: Bench,
) -> None:
    custody = remote(bench)
    custody.default = Later()
    row_id, account = prepared(bench)
    stretch(bench)
    for ahead in (3600, 7200):
        knob(bench, "clock", seconds=ahead)
        bench.world.sandbox.network.close_ledger()
        again(bench)
    found = keys_asked(custody)
    assert len({hash_ for _, hash_ in found}) == 3
    assert len(set(found)) == 3, "one key for one envelope"
    assert bench.world.cases() == ["waits_for_signatures"]
    times = bench.sql(
        "SELECT max_time - lag(max_time) OVER (ORDER BY id) FROM envelopes ORDER BY id"
    )
    assert times[1][0] < times[2][0], "each is valid for longer than the one before"
    custody.default = None
    again(bench)
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)
    assert bench.sql("SELECT count(DISTINCT sequence) FROM submissions") == [(1,)]


def test_a_death_before_custody_was_asked_calls_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process dies here."""

    def dies(*_asked: object) -> SigningAnswer:
        raise Killed

    row_id, account = prepared(bench)
    with monkeypatch.context() as patch:
        patch.setattr(signature_requests, "_answer", dies)
        with pytest.raises(Killed):
            stretch(bench)
    knob(bench, "clock", seconds=3600)
    bench.world.sandbox.network.close_ledger()
    bench.wait(row_id)
    paid_once(bench, row_id, account)
    assert bench.world.cases() == []


def test_a_signer_says_how_long_it_may_take(bench: Bench) -> None:
    custody = remote(bench, Later())
    traits = replace(type(custody).traits, signs_within=timedelta(days=2))
    found = bench.world.app.extensions["anchor"]
    slow = type("Slow", (Remote,), {"traits": traits})
    made = slow("slow", keys=custody.keys, answers=[Later()])
    bench.world.app.extensions["anchor"] = replace(found, custody=made)
    prepared(bench)
    stretch(bench)
    [(hours, fee)] = bench.sql(
        "SELECT round((max_time - extract(epoch FROM now())) / 3600), fee FROM envelopes"
    )
    assert (int(hours), fee) == (48, bench.world.settings.base_fee_max)


def test_a_signer_that_is_asked_twice_at_once_signs_one_envelope(bench: Bench) -> None:
    custody = remote(bench)
    row_id, account = prepared(bench)

    def work() -> None:
        with bench.world.app.app_context():
            stretch(bench)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys_asked(custody))) == 1
    bench.wait(row_id)
    paid_once(bench, row_id, account)


@pytest.mark.parametrize("answer", [Declined("on a list"), Rejected("on a list")])
def test_what_custody_declines_is_held_for_a_person(
    bench: Bench, answer: SigningAnswer | Exception
) -> None:
    remote(bench, answer)
    row_id, _ = prepared(bench)
    stretch(bench)
    assert bench.world.status(row_id) == "on_hold"
    assert bench.world.cases() == ["custody_declined"]
    assert states(bench) == ["dead"]


def test_promise_06_a_no_about_a_replacement_waits_until_the_older_envelope_is_dead(
    bench: Bench,
) -> None:
    custody = remote(bench)
    row_id, _ = prepared(bench)
    knob(bench, "misbehave", answer="504-lost", times=100)
    stretch(bench)
    custody.default = Declined("on a list")
    knob(bench, "surge", stroops=700)
    bench.sql("UPDATE envelopes SET submitted_at = now() - interval '1 minute', answer = 'pending'")
    stretch(bench)
    assert len(custody.asked) > 1, "a fee bump was declined"
    assert bench.world.status(row_id) == "pending_stellar"
    again(bench)
    assert bench.world.status(row_id) == "pending_stellar"
    for ahead in (3600, 7200):
        knob(bench, "clock", seconds=ahead)
        bench.world.sandbox.network.close_ledger()
        again(bench)
    assert bench.world.status(row_id) == "on_hold"
    assert bench.world.cases()[-1] == "custody_declined"


def test_promise_06_an_old_envelope_that_arrives_after_a_no_has_paid(bench: Bench) -> None:
    custody = remote(bench)
    row_id, account = prepared(bench)
    knob(bench, "misbehave", answer="504-lost", times=3)
    stretch(bench)
    [slot] = slots.opened(bench.world.distribution)
    custody.default = Declined("on a list")
    knob(bench, "surge", stroops=700)
    bench.sql("UPDATE envelopes SET submitted_at = now() - interval '1 minute', answer = 'pending'")
    stretch(bench)
    knob(bench, "surge", stroops=100)
    assert gateway().submit(slot.newest.envelope_xdr).successful
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)


def test_a_signature_of_something_else_is_not_kept_and_told(bench: Bench) -> None:
    def spoil(answer: SigningAnswer) -> SigningAnswer:
        assert isinstance(answer, Signed)
        return Signed(tuple(Signature(each.key, bytes(64)) for each in answer.signatures))

    custody = remote(bench)
    custody.change = spoil
    row_id, account = prepared(bench)
    stretch(bench)
    again(bench)
    assert states(bench) == ["pending_signatures"]
    assert bench.world.cases() == ["submission_failing"]
    custody.change = lambda answer: answer
    again(bench)
    bench.wait(row_id)
    paid_once(bench, row_id, account)


def test_people_do_not_sign_what_custody_is_still_asked_about(bench: Bench) -> None:
    custody = remote(bench)
    custody.default = Later()
    prepared(bench)
    stretch(bench)
    run = bench.world.app.test_cli_runner().invoke
    assert "waits for custody" in run(group, ["signatures", "list"]).output
    done = run(group, ["signatures", "export", "1"])
    assert (done.exit_code, done.output) == (
        1,
        "Submission 1 waits for custody; people sign after it.\n",
    )


def test_a_channel_of_the_pool_pays_for_a_fee_bump_and_custody_is_not_asked(bench: Bench) -> None:
    done = bench.world.app.test_cli_runner().invoke(group, ["channels", "--count", "1"])
    assert done.exit_code == 0, done.output
    custody = remote(bench)
    row_id, account = prepared(bench)
    knob(bench, "misbehave", answer="504-lost", times=3)
    stretch(bench)
    custody.default = Declined("on a list")
    knob(bench, "surge", stroops=700)
    bench.sql("UPDATE envelopes SET submitted_at = now() - interval '1 minute', answer = 'pending'")
    stretch(bench)
    assert len(custody.asked) == 1
    assert bench.sql("SELECT count(*) FROM envelopes WHERE inner_hash IS NOT NULL") == [(1,)]
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)

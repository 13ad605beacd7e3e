"""Accounts that need more signatures than custody gives: people sign, and it is paid once."""

import json
import threading
from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor.cli import group
from anchor.config import TESTNET_PASSPHRASE
from anchor.extensions import gateway
from anchor.ledger.keys import sign
from anchor.services import signatures, sweeps
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench, stretch
from tests.signing import share, signed_by
from tests.test_submission_faults import knob, open_slot, paid_once
from tests.waiting import until
from tests.world import World

FIRST, SECOND, STRANGER = (Keypair.random() for _ in range(3))


@pytest.fixture
def bench(world: World) -> Bench:
    made = Bench(world)
    share(made, FIRST, SECOND)
    return made


@pytest.fixture
def waiting(bench: Bench) -> tuple[str, str]:
    """A deposit that waits for people; its id and its account."""
    account = bench.account().public_key
    row_id = bench.deposit(account)
    bench.work()
    assert states(bench) == ["pending_signatures"]
    return row_id, account


def states(bench: Bench) -> list[str]:
    return [state for (state,) in bench.sql("SELECT state FROM submissions ORDER BY id")]


def run(bench: Bench, *words: str, given: str | None = None) -> Any:
    return bench.world.app.test_cli_runner().invoke(group, ["signatures", *words], input=given)


def exported(bench: Bench) -> str:
    done = run(bench, "export", "1")
    assert done.exit_code == 0, done.output
    return str(done.output.strip().splitlines()[-1])


def test_nothing_is_handed_in_before_the_thresholds_are_reached(
    bench: Bench, waiting: tuple[str, str]
) -> None:
    assert bench.sql("SELECT count(*) FROM envelopes WHERE answer IS NOT NULL") == [(0,)]
    assert bench.world.cases() == ["waits_for_signatures"]
    [(hours,)] = bench.sql(
        "SELECT (max(max_time) - extract(epoch FROM now())) / 3600 FROM envelopes"
    )
    assert 160 < hours < 169
    for _ in range(3):
        bench.sql("UPDATE jobs SET due_at = now()")
        bench.work()
    assert bench.sql("SELECT count(*) FROM envelopes") == [(2,)]
    assert bench.world.status(waiting[0]) == "pending_stellar"


def test_the_list_shows_what_it_pays_and_who_signed(bench: Bench, waiting: tuple[str, str]) -> None:
    done = run(bench, "list")
    assert done.exit_code == 0, done.output
    assert f"submission 1 of {bench.world.distribution} waits for people" in done.output
    assert f"does 1: 99 {bench.world.policy.id}" in done.output
    assert f"has 1 of 2: {bench.world.distribution} (1)" in done.output
    [found] = json.loads(run(bench, "list", "--json").output)
    assert found["signed"][0]["needed"] == 2
    assert found["network_passphrase"] == TESTNET_PASSPHRASE


def test_a_signed_envelope_is_taken_and_the_deposit_paid(
    bench: Bench, waiting: tuple[str, str], tmp_path: Any
) -> None:
    file = tmp_path / "envelope"
    done = run(bench, "export", "1", "--out", str(file))
    assert done.exit_code == 0, done.output
    assert "hash: " in done.output
    assert TESTNET_PASSPHRASE in done.output
    assert run(bench, "export", "1", "--out", str(file)).exit_code == 1
    file.write_text(signed_by(file.read_text(), FIRST))
    done = run(bench, "import", "1", str(file))
    assert (done.exit_code, done.output[:20]) == (0, "1 new signature(s); "), done.output
    again = run(bench, "import", "1", str(file))
    assert again.exit_code == 0, again.output
    bench.wait(waiting[0])
    paid_once(bench, *waiting)
    ended = run(bench, "import", "1", str(file))
    assert ended.exit_code == 1
    assert "Submission 1 has ended: it is confirmed." in ended.output


def test_an_import_rings_for_the_driver(bench: Bench, waiting: tuple[str, str]) -> None:
    [(rests,)] = bench.sql("SELECT extract(epoch FROM due_at - now()) FROM jobs")
    assert rests > 30
    run(bench, "import", "1", given=signed_by(exported(bench), FIRST))
    bench.wait(waiting[0])


def test_bare_signatures_of_several_people_are_kept_until_they_are_enough(bench: Bench) -> None:
    share(bench, threshold=3)
    account = bench.account().public_key
    row_id = bench.deposit(account)
    bench.work()
    payload = bytes.fromhex(signatures.one(gateway(), 1).hash)
    first = f"{FIRST.public_key} {sign(FIRST.secret, payload).value.hex()}"
    done = run(bench, "import", "1", given=first)
    assert done.output == "1 new signature(s); submission 1 needs more.\n"
    again = run(bench, "import", "1", given=first)
    assert again.output == "0 new signature(s); submission 1 needs more.\n"
    assert FIRST.public_key in run(bench, "list").output
    second = f"{SECOND.public_key} {sign(SECOND.secret, payload).value.hex()}"
    run(bench, "import", "1", given=f"{first}\n{second}\n")
    bench.wait(row_id)
    paid_once(bench, row_id, account)


def test_two_imports_at_once_lose_no_signature(bench: Bench) -> None:
    share(bench, threshold=3)
    account = bench.account().public_key
    row_id = bench.deposit(account)
    bench.work()
    envelope = exported(bench)

    def bring(pair: Keypair) -> None:
        with bench.world.app.app_context():
            signatures.take(gateway(), 1, signed_by(envelope, pair))

    threads = [threading.Thread(target=bring, args=(pair,)) for pair in (FIRST, SECOND) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.wait(row_id)
    paid_once(bench, row_id, account)


def test_signatures_too_many_are_left_out(bench: Bench, waiting: tuple[str, str]) -> None:
    run(bench, "import", "1", given=signed_by(exported(bench), FIRST, SECOND, STRANGER))
    bench.wait(waiting[0])
    paid_once(bench, *waiting)


def test_what_is_no_signature_of_it_is_refused_in_one_sentence(
    bench: Bench, waiting: tuple[str, str]
) -> None:
    builder = bench.builder(bench.account())
    other = builder.append_bump_sequence_op(1).build()
    other.sign(FIRST)
    bad = "ab" * 64
    for given, said in (
        (other.to_xdr(), "That is another transaction (hash "),
        (signed_by(exported(bench), STRANGER), "needs more"),
        ("not an envelope", "cannot be read"),
        (f"{STRANGER.public_key} {bad}", "is no signer of"),
        (f"{FIRST.public_key} {bad}", "is not one of this transaction"),
        (f"{FIRST.public_key} !!", "base 64 or hex"),
    ):
        done = run(bench, "import", "1", given=given)
        assert said in done.output, (given, done.output)
        assert len(done.output.strip().splitlines()) == 1
    missing = run(bench, "import", "7", given=exported(bench))
    assert "There is no submission 7." in missing.output
    assert states(bench) == ["pending_signatures"]


def test_promise_06_an_envelope_that_nobody_signed_is_followed_by_another_one_and_told_once(
    bench: Bench, waiting: tuple[str, str]
) -> None:
    old = exported(bench)
    for weeks in (1, 2):
        knob(bench, "clock", seconds=weeks * (7 * 86_400 + 60))
        bench.world.sandbox.network.close_ledger()
        late = run(bench, "import", "1", given=signed_by(exported(bench), FIRST))
        assert late.exit_code == 1
        assert "was valid until" in late.output
        bench.sql("UPDATE jobs SET due_at = now()")
        bench.work()
    assert bench.world.cases() == ["waits_for_signatures"] * 2
    replaced = run(bench, "import", "1", given=signed_by(old, FIRST))
    assert "was replaced by a newer one" in replaced.output
    assert bench.sql("SELECT count(DISTINCT sequence), count(*) FROM submissions") == [(1, 1)]
    run(bench, "import", "1", given=signed_by(exported(bench), FIRST))
    bench.wait(waiting[0], hurry=True)
    paid_once(bench, *waiting)


def test_an_envelope_that_people_handed_in_themselves_is_found(
    bench: Bench, waiting: tuple[str, str]
) -> None:
    assert gateway().submit(signed_by(exported(bench), FIRST)).successful
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.wait(waiting[0])
    paid_once(bench, *waiting)


def test_thresholds_that_were_lowered_let_it_go(bench: Bench, waiting: tuple[str, str]) -> None:
    share(bench, threshold=1)
    bench.wait(waiting[0], hurry=True)
    paid_once(bench, *waiting)


def test_people_sign_with_half_of_the_pool_and_others_use_the_rest(bench: Bench) -> None:
    share(bench, threshold=1)
    done = bench.world.app.test_cli_runner().invoke(group, ["channels", "--count", "4"])
    assert done.exit_code == 0, done.output
    share(bench)
    for number in range(6):
        bench.deposit(
            bench.account().public_key, destination_memo_type="id", destination_memo=str(number)
        )
    sweeps.work_off([PAY_ON_LEDGER])
    for _ in range(6):
        stretch(bench)
    assert states(bench) == ["confirmed"] + ["pending_signatures"] * 2  # the pool's own is first
    for each in signatures.waiting(gateway()):
        run(bench, "import", str(each.submission), given=signed_by(each.envelope_xdr, FIRST))
    stretch(bench)
    assert states(bench)[:2] == ["confirmed"] * 2


def test_what_the_network_finds_unsigned_waits_for_people_too(bench: Bench) -> None:
    share(bench, threshold=1)
    account = bench.account().public_key
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    open_slot(bench)
    share(bench)
    until(lambda: (stretch(bench), states(bench) == ["pending_signatures"])[1], 40)
    assert bench.world.cases() == ["waits_for_signatures"]
    run(bench, "import", "1", given=signed_by(exported(bench), FIRST))
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)

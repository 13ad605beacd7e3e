"""The pool of channel accounts, as seen by those who follow the ledger meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from anchor.errors import Rejected, Unavailable
from anchor.extensions import gateway, settings
from anchor.money import parse_amount
from anchor.services import (
    channel_pool,
    own_lines,
    own_submissions,
    queues,
    reconciliation,
    settling,
    sweeps,
)
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench, submit_only
from tests.test_submission_faults import knob, settle
from tests.world import World

LUMENS = parse_amount("5")


def held() -> list[int | None]:
    return [each.lumens for each in channel_pool.look(gateway())]


def test_a_stream_that_sees_channels_paid_at_once_calls_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed = settling.confirmed

    def seen_before(*ends: settling.Confirmed) -> None:
        world.read()
        confirmed(*ends)

    monkeypatch.setattr(settling, "confirmed", seen_before)
    assert channel_pool.grow(gateway(), world.distribution, 3, LUMENS) == 3
    assert world.cases() == []


def test_channels_whose_making_stays_open_keep_no_payment_and_come_to_be_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_envelope_xdr: str) -> Any:
        raise Unavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(gateway(), "submit_async", fails)
        patch.setattr(own_submissions, "_OUTCOME_S", 1)
        with pytest.raises(Unavailable, match="not known yet what became of submission"):
            channel_pool.grow(gateway(), world.distribution, 2, LUMENS)
    bench = Bench(world)
    bench.wait(bench.deposit(bench.account().public_key), hurry=True)
    assert channel_pool.grow(gateway(), world.distribution, 2, LUMENS) == 0
    assert None not in held()


def test_channels_that_no_ledger_took_are_made_by_the_same_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(world)
    settle(bench, time_bound_s=2)
    knob(bench, "misbehave", answer="tx_bad_auth_extra", times=1)
    with pytest.raises(Rejected, match="no ledger took it in time"):
        channel_pool.grow(gateway(), world.distribution, 2, LUMENS)
    settle(bench, time_bound_s=60)
    assert channel_pool.grow(gateway(), world.distribution, 2, LUMENS) == 2
    assert held() == [LUMENS, LUMENS]
    assert channel_pool.grow(gateway(), world.distribution, 2, LUMENS) == 0


def test_a_channel_that_holds_too_little_is_topped_up_once(world: World) -> None:
    channel_pool.grow(gateway(), world.distribution, 2, LUMENS)
    assert channel_pool.top_up(gateway(), world.distribution, LUMENS + 5) == 2
    assert held() == [LUMENS + 5, LUMENS + 5]
    assert channel_pool.top_up(gateway(), world.distribution, LUMENS + 5) == 0


def test_promise_06_channels_that_are_made_twice_at_once_are_made_once(world: World) -> None:
    def grow() -> int:
        with world.app.app_context():
            return channel_pool.grow(gateway(), world.distribution, 3, LUMENS)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(grow) for _ in range(2)]
    assert max(each.result() for each in both) == 3
    assert held() == [LUMENS] * 3
    assert world.cases() == []


def test_promise_06_a_payment_on_the_account_s_own_number_is_not_raced(world: World) -> None:
    bench = Bench(world)
    account = bench.account()
    knob(bench, "freeze")
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    submit_only(bench)
    before = bench.sql("SELECT id FROM submissions WHERE state = 'submitted'")
    with pytest.raises(Rejected, match=f"submission {before[0][0]} is open on the account's own"):
        channel_pool.grow(gateway(), world.distribution, 1, LUMENS)
    assert bench.sql("SELECT id FROM submissions") == before
    knob(bench, "thaw")
    bench.wait(row_id, hurry=True)
    assert channel_pool.grow(gateway(), world.distribution, 1, LUMENS) == 1
    assert world.cases() == []


def test_promise_06_payments_that_come_meanwhile_wait_for_the_account_s_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(world)
    bench.wait(bench.deposit(bench.account().public_key))
    row_id = bench.deposit(bench.account().public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    submit = gateway().submit_async
    counts: list[int] = []

    def meanwhile(envelope_xdr: str) -> Any:
        with world.app.app_context():
            bench.work()
            counts.append(queues.fill(world.distribution))  # as who held the queue before would
        return submit(envelope_xdr)

    with monkeypatch.context() as patch:
        patch.setattr(gateway(), "submit_async", meanwhile)
        assert channel_pool.grow(gateway(), world.distribution, 1, LUMENS) == 1
    assert set(counts) == {0}
    bench.wait(row_id)
    assert bench.sql("SELECT count(*) FROM envelopes") == [(3,)]
    assert world.cases() == []


def test_a_queue_that_was_lost_while_custody_signed_hands_nothing_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(world)
    custody = world.app.extensions["anchor"].custody
    sign = custody.sign

    def slowly(request: Any) -> Any:
        bench.sql("UPDATE jobs SET token = token + 1")
        return sign(request)

    with monkeypatch.context() as patch:
        patch.setattr(custody, "sign", slowly)
        with pytest.raises(Unavailable, match="in other hands"):
            channel_pool.grow(gateway(), world.distribution, 1, LUMENS)
    assert bench.sql("SELECT count(*) FROM submissions") == [(0,)]


def test_promise_12_what_channels_and_lines_cost_is_in_the_books(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "_REST_S", 0)
    bench = Bench(world)
    bench.serve(replace(world.policy, code="XLM", issuer=None), replace(world.policy, code="EURC"))
    assert f"{world.distribution} native" in reconciliation.run(1).first_compared
    assert channel_pool.grow(gateway(), world.distribution, 2, LUMENS) == 2
    assert channel_pool.top_up(gateway(), world.distribution, LUMENS + 5) == 2
    assert own_lines.look_after(settings().assets["EURC"]).state == "opened"
    assert reconciliation.run(1).differences == []
    costs = "SELECT sum(amount) FROM postings WHERE account = 'network_fees'"
    assert bench.sql(costs) == [(500,)]
    bench.sql("UPDATE submissions SET fee_charged = fee_charged + 1 WHERE id = 1")
    assert [each.kind for each in reconciliation.run(1).differences] == ["balance"]

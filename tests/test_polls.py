"""Asking a rail about its orders: one odd answer, order or outage stops no other."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from anchor.errors import Unavailable
from anchor.extensions import db, transaction
from anchor.integrations.protocols import Done, Outcome, OutgoingTransaction, Sent
from anchor.services import jobs, outcomes, outflows, passes, payouts, sweeps
from anchor.services.payouts import POLL
from tests.puppets import Puppet, due_now, puppet
from tests.world import World

POLLS = "poll_outgoing_transactions"


def sent(world: World, count: int) -> tuple[Puppet, list[str]]:
    """Let the rail take some orders, which it will confirm later."""
    rail = puppet(world, script=[Sent(f"R{number}") for number in range(count)])
    rows = [world.paid_withdrawal() for _ in range(count)]
    world.work()
    assert {world.status(row) for row in rows} == {"pending_external"}
    return rail, rows


def answer(rail: Puppet, how: Any) -> None:
    """Let the rail answer polls by `how`, for each order."""

    def poll(transactions: Sequence[OutgoingTransaction]) -> Mapping[str, Outcome]:
        return {item.key: how(item, len(transactions)) for item in transactions}

    rail.poll_outgoing_transactions = poll  # type: ignore[method-assign]


def poll(world: World) -> sweeps.Tally:
    passes.owe(POLLS)
    return passes.work_off(POLLS, "bank")


def test_promise_12_an_answer_that_is_no_outcome_is_left_out_and_the_others_count(
    world: World,
) -> None:
    rail, rows = sent(world, 3)
    answer(rail, lambda item, _: None if item.transaction_id == rows[1] else Done())
    assert poll(world).done == 1
    assert [world.status(row) for row in rows] == ["completed", "pending_external", "completed"]
    answer(rail, lambda *_: Done())
    assert poll(world).done == 1
    assert world.status(rows[1]) == "completed"


def test_promise_12_an_order_that_cannot_be_asked_about_stops_no_other(world: World) -> None:
    rail, rows = sent(world, 3)

    def how(item: OutgoingTransaction, _count: int) -> Outcome:
        if item.transaction_id == rows[0]:
            raise Unavailable("this one hangs")
        return Done()

    answer(rail, how)
    assert poll(world).done == 1
    assert [world.status(row) for row in rows] == ["pending_external", "completed", "completed"]


def test_a_rail_that_is_down_is_not_asked_about_each_order(world: World) -> None:
    rail, rows = sent(world, 8)
    asked: list[int] = []

    def how(_item: OutgoingTransaction, count: int) -> Outcome:
        asked.append(count)
        raise Unavailable("down")

    answer(rail, how)
    assert poll(world).postponed == 1
    assert asked == [8, 1, 1, 1]
    assert {world.status(row) for row in rows} == {"pending_external"}


def test_a_poll_is_never_parked(world: World) -> None:
    rail, (row_id,) = sent(world, 1)
    before = rail.poll_outgoing_transactions
    rail.poll_outgoing_transactions = lambda _orders: 7  # type: ignore
    world.app.extensions["anchor"].rails["bank"] = None
    assert poll(world).postponed == 1
    world.app.extensions["anchor"].rails["bank"] = rail
    rail.poll_outgoing_transactions = before  # type: ignore[method-assign]
    due_now()
    assert poll(world).done == 1
    assert world.status(row_id) == "completed"


def test_an_outcome_that_cannot_be_written_is_a_case_and_stops_no_other(
    world: World, monkeypatch: Any
) -> None:
    rail, rows = sent(world, 2)
    answer(rail, lambda *_: Done())
    record = outcomes.record

    def flaky(attempt: outflows.Attempt, outcome: Outcome) -> None:
        if attempt.order.transaction_id == rows[0]:
            raise RuntimeError("a bug of ours")
        record(attempt, outcome)

    monkeypatch.setattr(outcomes, "record", flaky)
    assert poll(world).postponed == 1
    assert [world.status(row) for row in rows] == ["pending_external", "completed"]
    assert world.cases() == ["outcome_not_recorded"]


def test_a_poll_that_lost_its_lease_asks_no_further(world: World) -> None:
    rail, _ = sent(world, 1)
    asked: list[int] = []
    answer(rail, lambda _item, count: asked.append(count) or Done())
    passes.owe(POLLS)
    claimed = jobs.claim(jobs.Address(POLL, "bank"))
    assert claimed is not None
    with transaction():
        db.session.execute(text("UPDATE jobs SET leased_until = now() - interval '1 second'"))
    assert jobs.claim(jobs.Address(POLL, "bank")) is not None
    with pytest.raises(jobs.Superseded):
        payouts.poll(claimed)
    assert asked == []

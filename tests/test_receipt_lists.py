"""Reading what a rail lists, and when a poll was a good one."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text

from anchor.extensions import db, transaction
from anchor.integrations.protocols import (
    Arrived,
    DepositAnswer,
    PendingDeposit,
    ReceiptPage,
    Waiting,
)
from anchor.services import passes
from tests.puppets import due_now
from tests.receiving import (
    POLLS,
    booked,
    deposit,
    kept,
    poll,
    reading,
    teller,
    verdicts,
)
from tests.world import World


def polled_at() -> datetime | None:
    found = reading()
    return found.polled_at if found else None


def test_promise_01_the_list_is_read_to_its_end_and_shows_what_nobody_waits_for(
    world: World,
) -> None:
    rail = teller(world, lists=True)
    row_id = deposit(world)
    rail.book = [booked(f"B{n}", reference=f"odd {n}") for n in range(5)] + [booked("B9")]
    assert poll(world).done == 1
    assert verdicts() == ["unmatched"] * 5 + ["credited"]
    assert world.status(row_id) == "pending_anchor"
    found = reading()
    assert found is not None
    assert found.cursor == "6"
    rail.book.append(booked("B10", reference="odd"))
    due_now()
    assert poll(world).done == 1
    assert len(kept()) == 7


def test_a_rail_with_a_list_is_read_though_nobody_waits(world: World) -> None:
    rail = teller(world, lists=True)
    rail.book = [booked()]
    assert passes.owe(POLLS) == ["bank"]
    poll(world)
    assert verdicts() == ["unmatched"]


def test_a_rail_without_a_list_is_left_in_peace_while_nobody_waits(world: World) -> None:
    teller(world)
    assert passes.owe(POLLS) == []


def test_a_list_that_stands_still_or_is_none_ends_the_poll_and_no_deposit_suffers(
    world: World,
) -> None:
    rail = teller(world, lists=True)
    row_id = deposit(world)
    rail.answers[row_id] = Arrived([booked()])
    for page in (ReceiptPage([], "0", False), None):
        rail.receipts_since = lambda _cursor, page=page: page  # type: ignore
        due_now()
        assert poll(world).postponed == 1
        assert polled_at() is None
    assert world.status(row_id) == "pending_anchor"


def test_promise_11_a_poll_is_good_when_each_was_answered_for(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)
    poll(world)
    assert polled_at() is None
    rail.answers[row_id] = Waiting()
    with transaction():
        before = db.session.execute(text("SELECT now()")).scalar_one()
    poll(world)
    first = polled_at()
    assert first is not None
    assert first >= before
    poll(world)
    second = polled_at()
    assert second is not None
    assert second > first


def test_promise_11_the_instant_of_a_poll_is_that_of_its_beginning(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)
    moments: list[datetime] = []

    def slowly(deposits: Sequence[PendingDeposit]) -> Mapping[str, DepositAnswer]:
        with transaction():
            moments.append(db.session.execute(text("SELECT clock_timestamp()")).scalar_one())
        return {row_id: Waiting()}

    rail.poll_pending_deposits = slowly  # type: ignore[method-assign]
    poll(world)
    found = polled_at()
    assert found is not None
    assert found < moments[0]

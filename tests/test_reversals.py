"""Bookings that a bank takes back: noted, on the desk, and never answered with money."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from anchor.extensions import db, transaction
from anchor.integrations.protocols import Receipt
from anchor.lifecycle import Event, Kind, Status
from anchor.models import Outflow, Transaction
from anchor.services import crediting, desk, jobs, passes, receipts, sweeps
from anchor.services.acts import By
from anchor.services.receipts import observe
from anchor.services.transactions import Happening, happened
from tests.puppets import due_now
from tests.receiving import (
    balances,
    booked,
    cases,
    deposit,
    kept,
    verdicts,
)
from tests.test_desk_races import meanwhile
from tests.world import World

HUNDRED = 100_0000000


def collecting(world: World) -> None:
    """Let the asset's policy be to collect."""
    object.__setattr__(world.policy, "matching", "collect")


def backwards(receipt: Receipt) -> Receipt:
    return replace(receipt, is_reversed=True)


def test_a_reversal_is_a_case_reverses_the_books_and_moves_no_money(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked()])
    for _ in range(2):
        observe("bank", [backwards(booked())])
    (row,) = kept()
    assert (row.verdict, row.amount) == ("credited", HUNDRED)
    assert row.reversed_at is not None
    assert cases() == [("receipt_reversed", HUNDRED)]
    assert balances() == {}
    found = world.row(row_id)
    assert (found.status, found.is_resting, found.amount_received) == ("on_hold", True, HUNDRED)
    assert world.outflows(row_id) == []


def test_a_reversal_after_the_end_leaves_the_status_and_tells_what_is_owed(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked()])
    happened(Happening(row_id, Event.LEDGER_PAYMENT_CONFIRMED, "somehow"))
    observe("bank", [backwards(booked())])
    assert world.status(row_id) == "completed"
    assert cases() == [("receipt_reversed", HUNDRED)]


def test_a_reversal_while_it_is_paid_out_leaves_the_payment_alone(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked()])
    with transaction():
        db.session.add(
            Outflow(
                transaction_id=row_id,
                kind="submission",
                form="payment",
                attempt=1,
                key=f"{row_id}-1",
                state="sent",
                asset=world.policy.id,
                amount=1,
            )
        )
    observe("bank", [backwards(booked())])
    row = world.row(row_id)
    assert (row.status, row.is_resting) == ("pending_anchor", True)
    assert cases() == [("receipt_reversed", HUNDRED)]


def test_a_reversal_takes_what_is_queued_out_of_the_queue_and_holds_the_deposit(
    world: World,
) -> None:
    row_id = deposit(world)
    observe("bank", [booked()])
    with transaction():
        db.session.add(
            Outflow(
                transaction_id=row_id,
                kind="submission",
                form="payment",
                attempt=1,
                key=f"{row_id}-1",
                state="prepared",
                asset=world.policy.id,
                source=world.distribution,
                amount=1,
            )
        )
    observe("bank", [backwards(booked())])
    assert [outflow.state for outflow in world.outflows(row_id)] == ["refused"]
    assert world.status(row_id) == "on_hold"


def test_a_part_that_was_taken_back_no_longer_counts(world: World) -> None:
    collecting(world)
    row_id = deposit(world)
    observe("bank", [booked("B1", "60")])
    observe("bank", [backwards(booked("B1", "60"))])
    assert world.row(row_id).amount_received == 0
    observe("bank", [booked("B2", "40")])
    assert world.status(row_id) == "pending_user_transfer_start"
    observe("bank", [booked("B3", "60")])
    assert world.status(row_id) == "pending_anchor"
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}


def test_a_reversal_of_what_nobody_was_credited_with_clears_the_suspense(world: World) -> None:
    observe("bank", [booked()])
    observe("bank", [backwards(booked())])
    assert balances() == {}
    assert cases() == [("receipt_unmatched", HUNDRED), ("receipt_reversed", None)]


@pytest.mark.parametrize("together", [True, False])
def test_a_reversal_that_comes_before_its_booking_credits_nobody_when_that_comes(
    world: World, together: bool
) -> None:
    row_id = deposit(world)
    if together:
        observe("bank", [backwards(booked()), booked()])
    else:
        observe("bank", [backwards(booked())])
        observe("bank", [booked()])
    (row,) = kept()
    assert (row.verdict, row.transaction_id) == ("unmatched", row_id)
    assert row.reversed_at is not None
    assert world.status(row_id) == "pending_user_transfer_start"
    assert balances() == {}
    assert cases() == []
    observe("bank", [booked("B2")])
    assert world.status(row_id) == "pending_anchor"


def test_a_reversal_of_what_is_unjudged_still_is_remembered_by_the_repair(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = deposit(world)
    with monkeypatch.context() as patched:
        patched.setattr(receipts, "judge_booking", lambda *_: 1 / 0)
        observe("bank", [booked()])
    observe("bank", [backwards(booked())])
    passes.work_off("work", receipts.REPAIR)
    assert verdicts() == ["unmatched"]
    assert world.status(row_id) == "pending_user_transfer_start"


def test_money_that_rests_after_a_reversal_is_not_paid_by_a_later_pass(world: World) -> None:
    row_id = deposit(
        world, kind=Kind.SEND, status=Status.PENDING_SENDER, settlement="rail", reference="S1"
    )
    observe("bank", [booked(reference="S1")])
    observe("bank", [backwards(booked(reference="S1"))])
    due_now()
    world.work()
    passes.owe("execute_outgoing_transactions")
    world.work()
    assert world.status(row_id) == "pending_receiver"
    assert world.paid_by_bank() == 0


def test_a_trust_line_that_comes_after_the_reversal_pays_nothing(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked()])
    happened(Happening(row_id, Event.TRUST_MISSING, "look 1"))
    observe("bank", [backwards(booked())])
    assert world.status(row_id) == "on_hold"
    happened(Happening(row_id, Event.TRUST_FOUND, "look 2"))
    assert world.row(row_id).is_resting
    with transaction():
        assert db.session.scalar(select(Transaction.id).where(Transaction.is_resting)) == row_id
        db.session.execute(update(Transaction).values(message=None))
    assert sweeps.work_off(jobs.kinds()).parked == 0


def test_promise_05_what_is_credited_by_hand_while_it_is_taken_back_is_not_paid_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe("bank", [booked(reference="nobody's")])
    row_id, case = deposit(world), desk.listing()[-1]
    known = receipts._known

    def overtaken(*args: Any) -> Any:
        found = known(*args)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(credit).result(10)
        return found

    def credit() -> None:
        with world.app.app_context():
            crediting.credit(case.id, row_id, By("ann"))

    monkeypatch.setattr(receipts, "_known", overtaken)
    observe("bank", [backwards(booked(reference="nobody's"))])
    row = world.row(row_id)
    assert (row.amount_received, row.is_resting, row.status) == (HUNDRED, True, "on_hold")
    assert balances() == {}


def test_a_reversal_locks_the_transaction_before_the_money(world: World) -> None:
    """So do a credit and a refund; the other way round is a deadlock."""
    row_id = deposit(world)
    observe("bank", [booked()])
    with meanwhile(world) as there:
        there.other.execute("SELECT 1 FROM transactions FOR UPDATE")
        found = there.begin(lambda: observe("bank", [backwards(booked())]))
        there.other.execute("SELECT 1 FROM receipts FOR UPDATE NOWAIT")
        there.other.rollback()
        found.result(10)
    assert world.row(row_id).is_resting

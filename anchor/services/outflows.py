"""Attempts to move money out: opened once, and closed by what the other side says.

One transaction has one outflow at most that is not finally known; the key of attempt n is
``<transaction id>-<n>`` and is stored before anybody outside hears of it (promises 5, 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from anchor.errors import Rejected
from anchor.extensions import atomic, db
from anchor.integrations.protocols import (
    Done,
    Held,
    NeedsInfo,
    Outcome,
    OutgoingTransaction,
    ReadyForPickup,
    Refused,
    Sent,
    Unknown,
)
from anchor.lifecycle import Event
from anchor.models import OUTFLOW_OPEN, Outflow, Transaction
from anchor.money import FeeSchedule, split, to_decimal, to_stroops
from anchor.services import bookings, cases
from anchor.services.transactions import Happening, Owner, happened


@dataclass(frozen=True)
class Attempt:
    """One attempt as a rail is asked about it.

    `age_s` counts from the latest call on the database's clock, and `key_age_s` from the
    first one that the rail heard of; None where none began. `calls` counts them. `is_new`
    says that this very claim opened it.
    """

    outflow_id: int
    state: str
    rail: str
    order: OutgoingTransaction
    age_s: int | None
    key_age_s: int | None
    calls: int
    is_new: bool = False


def open_payout(row: Transaction) -> Attempt:
    """Open the next payout of a locked transaction. Needs an open transaction.

    The frozen fee schedule is applied to what was credited. Raises `Rejected` where the
    fee eats all, or where less was received than is paid, refunded and open.
    """
    schedule = FeeSchedule(row.fee_fixed, row.fee_percent)
    parts = split(row.amount_received, schedule, row.decimals)
    if row.amount_paid + parts.amount_in > row.amount_received:
        raise Rejected("less was received than would be paid out")
    row.amount_in, row.amount_out = parts.amount_in, parts.amount_out
    row.amount_fee = parts.amount_fee
    attempt = next_attempt(row.id)
    outflow = Outflow(
        transaction_id=row.id,
        kind="payout",
        attempt=attempt,
        key=f"{row.id}-{attempt}",
        rail=row.rail,
        state="prepared",
        asset=row.asset,
        amount=parts.amount_out,
        amount_fee=parts.amount_fee,
        first_called_at=func.now(),
        called_at=func.now(),
        calls=1,
    )
    db.session.add(outflow)
    db.session.flush()
    bookings.outflow_opened(outflow)
    return _attempt(outflow, row, (0, 0), is_new=True)


def next_attempt(transaction_id: str) -> int:
    """Return the number of a transaction's next attempt, from 1. Its row is locked."""
    latest = select(func.max(Outflow.attempt)).where(Outflow.transaction_id == transaction_id)
    return 1 + (db.session.scalar(latest) or 0)


def open_attempt(row: Transaction) -> Attempt | None:
    """Return the outflow of a transaction that is not finally known, if there is one."""
    found = db.session.execute(
        select(Outflow, *_ages()).where(
            Outflow.transaction_id == row.id, Outflow.state.in_(OUTFLOW_OPEN)
        )
    ).one_or_none()
    return _attempt(found[0], row, found[1:]) if found else None


@atomic
def by_key(rail: str, key: str) -> Attempt | None:
    """Return the attempt that a rail knows by its key, or None where it is not one of ours."""
    found = db.session.execute(
        select(Outflow, Transaction, *_ages())
        .join(Transaction, Transaction.id == Outflow.transaction_id)
        .where(Outflow.rail == rail, Outflow.key == key)
    ).one_or_none()
    return _attempt(found[0], found[1], found[2:]) if found else None


@atomic
def sent_by(rail: str, after: int, limit: int) -> list[Attempt]:
    """Return orders that a rail took and has yet to confirm, by ascending outflow id."""
    found = db.session.execute(
        select(Outflow, Transaction, *_ages())
        .join(Transaction, Transaction.id == Outflow.transaction_id)
        .where(Outflow.rail == rail, Outflow.state == "sent", Outflow.id > after)
        .order_by(Outflow.id)
        .limit(limit)
    )
    return [_attempt(outflow, row, ages) for outflow, row, *ages in found]


@atomic
def rails_with_sent() -> Sequence[str]:
    """Return the rails that have orders to confirm."""
    query = select(Outflow.rail).where(Outflow.state == "sent").distinct()
    return [rail for rail in db.session.scalars(query) if rail]


@atomic
def call_again(attempt: Attempt) -> Attempt:
    """Note, before the call, that the same key is handed to the rail once more."""
    _set(
        attempt,
        called_at=func.now(),
        first_called_at=func.coalesce(Outflow.first_called_at, func.now()),
        calls=Outflow.calls + 1,
    )
    return replace(attempt, calls=attempt.calls + 1)


@atomic
def nothing_began(attempt: Attempt) -> None:
    """Note that the rail was not reached, on the rail's word (`Unavailable`).

    It speaks of this call alone: what an earlier call began stays unknown.
    """
    if attempt.calls == 1:
        db.session.execute(
            update(Outflow)
            .where(Outflow.id == attempt.outflow_id, Outflow.calls == 1)
            .values(called_at=None, first_called_at=None, calls=0)
        )


@atomic
def record(attempt: Attempt, outcome: Outcome) -> None:
    """Write down what the other side said, with its consequence for the transaction.

    Safe to repeat, and right also from a hand that lost its job meanwhile: a fact is
    recorded on the attempt it is about, and what contradicts a final fact is a case.
    """
    outflow = db.session.scalar(
        select(Outflow)
        .where(Outflow.id == attempt.outflow_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert outflow is not None
    outcome = _storable(outflow, outcome)
    if outflow.state in {"done", "refused"}:
        _after_the_end(outflow, outcome)
    elif isinstance(outcome, Done):
        _done(outflow, outcome)
    elif isinstance(outcome, Sent | ReadyForPickup):
        _sent(outflow, outcome)
    elif isinstance(outcome, Unknown):
        outflow.state = outflow.state if outflow.state == "sent" else "unknown"
        outflow.note = outcome.reason[:500]
    else:
        _refused(outflow, outcome)


def _storable(outflow: Outflow, outcome: Outcome) -> Outcome:
    """Return the outcome without what no table can hold: the fact counts, not its trimmings."""
    if isinstance(outcome, Done | Sent | ReadyForPickup) and outcome.reference is not None:
        outcome = replace(outcome, reference=_printable(outcome.reference))
    if isinstance(outcome, ReadyForPickup | NeedsInfo) and outcome.message is not None:
        outcome = replace(outcome, message=_printable(outcome.message))
    if isinstance(outcome, Done) and outcome.delivered_amount is not None:
        try:
            to_stroops(outcome.delivered_amount)
        except (Rejected, AttributeError, TypeError):
            cases.open_case(
                "delivered_unreadable",
                outflow.key,
                note="the rail said how much was delivered in a way that no ledger can hold",
                transaction_id=outflow.transaction_id,
                asset=outflow.asset,
            )
            outcome = replace(outcome, delivered_amount=None)
    return outcome


def _printable(text: object) -> str:
    return "".join(letter for letter in str(text) if letter.isprintable())[:500]


def _done(outflow: Outflow, outcome: Done) -> None:
    outflow.state = "done"
    outflow.settled_at = func.now()
    outflow.reference = outcome.reference or outflow.reference
    outflow.delivered_amount = _stroops(outcome.delivered_amount)
    bookings.payout_done(outflow)
    delivered = outflow.delivered_amount
    if delivered is not None and delivered != outflow.amount:
        cases.open_case(
            "delivered_differs",
            outflow.key,
            note=f"ordered {outflow.amount}, delivered {delivered} stroops",
            transaction_id=outflow.transaction_id,
            asset=outflow.asset,
        )
    db.session.execute(
        update(Transaction)
        .where(Transaction.id == outflow.transaction_id)
        .values(amount_paid=Transaction.amount_paid + outflow.amount + outflow.amount_fee)
    )
    _tell(outflow, Event.PAYOUT_COMPLETED)
    _look_for_rest(outflow)


def _look_for_rest(outflow: Outflow) -> None:
    """Open a case where more was received than is paid out: somebody is owed the rest."""
    left = db.session.scalar(
        select(Transaction.amount_received - Transaction.amount_paid).where(
            Transaction.id == outflow.transaction_id
        )
    )
    if left:
        cases.open_case(
            "received_more_than_paid",
            outflow.key,
            transaction_id=outflow.transaction_id,
            asset=outflow.asset,
            amount_owed=left,
        )


def _sent(outflow: Outflow, outcome: Sent | ReadyForPickup) -> None:
    first = outflow.state != "sent"
    outflow.state = "sent"
    outflow.reference = outcome.reference or outflow.reference
    if isinstance(outcome, ReadyForPickup):
        _tell(outflow, Event.PAYOUT_READY_FOR_PICKUP, message=outcome.message)
    elif first:
        _tell(outflow, Event.PAYOUT_SENT)


def _refused(outflow: Outflow, outcome: Refused | Held | NeedsInfo) -> None:
    event, reason = _negative(outcome)
    outflow.state = "refused"
    outflow.settled_at = func.now()
    outflow.note = reason[:500]
    bookings.outflow_refused(outflow)
    message = outcome.message if isinstance(outcome, NeedsInfo) else None
    _tell(outflow, event, message=message)
    cases.open_case(
        event.value,
        outflow.key,
        note=outflow.note,
        transaction_id=outflow.transaction_id,
        asset=outflow.asset,
        amount_owed=outflow.amount + outflow.amount_fee,
    )


def _negative(outcome: Refused | Held | NeedsInfo) -> tuple[Event, str]:
    if isinstance(outcome, Held):
        return Event.HELD, outcome.reason
    if isinstance(outcome, NeedsInfo):
        return Event.PAYOUT_NEEDS_INFO, ", ".join(sorted(outcome.fields)) or "details"
    return Event.PAYOUT_REFUSED, outcome.reason


def _after_the_end(outflow: Outflow, outcome: Outcome) -> None:
    agrees = isinstance(outcome, Done if outflow.state == "done" else Refused | Held | NeedsInfo)
    if agrees or (isinstance(outcome, Unknown | Sent | ReadyForPickup) and outflow.state == "done"):
        return
    cases.open_case(
        "contradicts_final_outcome",
        f"{outflow.key}/{type(outcome).__name__}",
        note=f"the attempt is {outflow.state}, and now {type(outcome).__name__} was reported",
        transaction_id=outflow.transaction_id,
        asset=outflow.asset,
        amount_owed=outflow.amount,
    )


def _tell(outflow: Outflow, event: Event, message: str | None = None) -> None:
    columns: dict[str, object] = {}
    if outflow.reference:
        columns["external_transaction_id"] = outflow.reference
    if message:
        columns["message"] = message[:500]
    db.session.flush()
    happened(Happening(outflow.transaction_id, event, outflow.key, columns=columns))


def _attempt(
    outflow: Outflow, row: Transaction, ages: Sequence[Any], *, is_new: bool = False
) -> Attempt:
    owner = Owner(row.owner_account, int(row.owner_subaccount) if row.owner_subaccount else None)
    order = OutgoingTransaction(
        key=outflow.key,
        transaction_id=row.id,
        kind=row.kind,
        asset=outflow.asset,
        amount=to_decimal(outflow.amount),
        amount_in=to_decimal(outflow.amount + outflow.amount_fee),
        amount_fee=to_decimal(outflow.amount_fee),
        details=dict(row.details),
        owner=str(owner),
        started_at=row.started_at,
        reference=outflow.reference,
    )
    age, key_age = (None if age is None else int(age) for age in ages)
    rail = outflow.rail or ""
    return Attempt(outflow.id, outflow.state, rail, order, age, key_age, outflow.calls, is_new)


def _ages() -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    first, latest = (
        func.floor(func.extract("epoch", func.now() - column))
        for column in (Outflow.first_called_at, Outflow.called_at)
    )
    return latest, first


def _set(attempt: Attempt, **columns: object) -> None:
    db.session.execute(update(Outflow).where(Outflow.id == attempt.outflow_id).values(**columns))


def _stroops(amount: Decimal | None) -> int | None:
    return None if amount is None else to_stroops(amount)

"""Attempts to move money out by a rail: opened once, and found again by their keys.

One transaction has one outflow at most that is not finally known; the key of attempt n is
``<transaction id>-<n>`` and is stored before anybody outside hears of it (promises 5, 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update

from anchor.assets import currency_of
from anchor.errors import Rejected, Unavailable
from anchor.extensions import atomic, db
from anchor.fees import FeeSchedule, Split, split
from anchor.integrations.protocols import OutgoingTransaction
from anchor.lifecycle import FINAL
from anchor.models import OUTFLOW_OPEN, Outflow, Receipt, Transaction
from anchor.money import to_decimal
from anchor.services import bookings, conversions
from anchor.services.transactions import owner_of


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

    The frozen fee schedule is applied to what was credited and not sent back. Raises
    `Rejected` where the fee eats all, or where less is left than would be paid out.
    """
    parts = _next_parts(row)
    row.amount_in, row.amount_out = parts.amount_in, parts.amount_out
    row.amount_fee = parts.amount_fee
    called = {"first_called_at": func.now(), "called_at": func.now(), "calls": 1}
    outflow = _opened(_payout(row, parts, **called))
    return replace(_attempt(outflow, row, None, 0, 0), is_new=True)


def planned(row: Transaction, parts: Split) -> Attempt:
    """Return what would leave under a transaction's next key, as its rail is asked about it."""
    outflow = _payout(row, parts, calls=0)
    return _attempt(outflow, row, None, None, None)


def open_forgotten(row: Transaction, number: int) -> Attempt:
    """Open the payout of a number that the rail knows and this database had forgotten.

    Needs an open transaction; raises `Rejected` where nothing is left that it could have paid.
    """
    if row.status in FINAL:
        parts = _parts_again(row)
    else:
        parts = _next_parts(row)
        row.amount_in, row.amount_out = parts.amount_in, parts.amount_out
        row.amount_fee = parts.amount_fee
    outflow = _payout(row, parts, calls=1)
    outflow.attempt, outflow.key = number, f"{row.id}-{number}"
    outflow.first_called_at = outflow.called_at = row.funded_at
    return _attempt(_opened(outflow), row, None, 0, 0)


def _left(row: Transaction) -> int:
    return row.amount_received - row.amount_paid - row.amount_refunded


def open_again(row: Transaction) -> Outflow:
    """Open a payout of all that is left of a locked transaction whose payout came back.

    Its fee was kept the first time. Needs an open transaction; raises `Rejected` where nothing
    is left.
    """
    return _opened(_payout(row, _parts_again(row)))


def _parts_again(row: Transaction) -> Split:
    if row.quote_id is not None:
        return conversions.parts_again(row)
    return split(_left(row), FeeSchedule(), row.decimals)


def _payout(row: Transaction, parts: Split, **columns: Any) -> Outflow:
    attempt = next_attempt(row.id)
    return Outflow(
        transaction_id=row.id,
        kind="payout",
        attempt=attempt,
        key=f"{row.id}-{attempt}",
        rail=row.rail,
        state="prepared",
        asset=row.paid_as,
        amount=parts.amount_out,
        amount_fee=parts.amount_fee,
        **conversions.sold(row, parts),
        **columns,
    )


def _opened(outflow: Outflow) -> Outflow:
    db.session.add(outflow)
    db.session.flush()
    bookings.outflow_opened(outflow)
    return outflow


def queue_again(outflow: Outflow) -> Outflow:
    """Queue the next attempt of one on the ledger that was finally refused, in its old turn.

    Needs an open transaction that holds the transaction of the outflow, where it has one.
    """
    stem = outflow.key.removesuffix(f"-{outflow.attempt}")
    same = Outflow.transaction_id == outflow.transaction_id
    if outflow.transaction_id is None:
        same = Outflow.payment_id == outflow.payment_id
    attempt = 1 + (db.session.scalar(select(func.max(Outflow.attempt)).where(same)) or 0)
    kept = {name: getattr(outflow, name) for name in _KEPT}
    following = Outflow(state="prepared", attempt=attempt, key=f"{stem}-{attempt}", **kept)
    db.session.add(following)
    db.session.flush()
    if not following.only_prepares:
        bookings.outflow_opened(following)
    return following


#: What the next attempt has of the one before; `begun_at` is its turn in the queue.
_KEPT = (
    *("transaction_id", "payment_id", "kind", "asset", "amount", "amount_fee", "form"),
    *("sold", "sold_asset"),
    *("source", "destination", "memo_type", "memo", "is_alone", "begun_at"),
)


def _next_parts(row: Transaction) -> Split:
    parts = _parts(row)
    if row.amount_paid + row.amount_refunded + parts.amount_in > row.amount_received:
        raise Rejected("less was received than would be paid out")
    return parts


def has_open(transaction_id: str) -> bool:
    """Tell whether anything of a transaction is not finally known. Needs an open transaction."""
    query = select(Outflow.id).where(
        Outflow.transaction_id == transaction_id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    return db.session.scalar(query) is not None


def next_amount(row: Transaction) -> int:
    """Return the stroops of its asset that the next payout pays with; raises as it does."""
    parts = _parts(row)
    return parts.amount_in - parts.amount_fee


def _parts(row: Transaction) -> Split:
    if row.quote_id is not None:
        return conversions.parts(row)
    left = row.amount_received - row.amount_refunded
    return split(left, row.fee_schedule, row.decimals)


def next_attempt(transaction_id: str) -> int:
    """Return the number of a transaction's next attempt, from 1. Its row is locked."""
    latest = select(func.max(Outflow.attempt)).where(Outflow.transaction_id == transaction_id)
    return 1 + (db.session.scalar(latest) or 0)


def open_attempt(row: Transaction) -> Attempt | None:
    """Return the payout of a transaction that is not finally known, if there is one."""
    found = db.session.execute(
        _attempts().where(
            Outflow.transaction_id == row.id,
            Outflow.state.in_(OUTFLOW_OPEN),
            Outflow.kind == "payout",
        )
    ).one_or_none()
    return _attempt(*found) if found else None


def refund_attempt(outflow_id: int) -> Attempt | None:
    """Return a refund by rail that is not finally known, or None. Needs an open transaction."""
    found = db.session.execute(
        _attempts().where(Outflow.id == outflow_id, Outflow.state.in_(OUTFLOW_OPEN))
    ).one_or_none()
    return _attempt(*found) if found else None


def is_gone(refund: Attempt) -> bool:
    """Tell whether the bank took back what a refund is of. Needs an open transaction."""
    query = (
        select(Receipt.reversed_at)
        .join(Outflow, Outflow.receipt_id == Receipt.id)
        .where(Outflow.id == refund.outflow_id)
        .with_for_update(of=Receipt)
    )
    return db.session.scalar(query) is not None


@atomic
def by_key(rail: str, key: str) -> Attempt | None:
    """Return the attempt that a rail knows by its key, or None where it is not one of ours."""
    found = db.session.execute(
        _attempts().where(Outflow.rail == rail, Outflow.key == key)
    ).one_or_none()
    return _attempt(*found) if found else None


@atomic
def sent_by(rail: str, after: int, limit: int) -> list[Attempt]:
    """Return orders that a rail took and has yet to confirm, by ascending outflow id."""
    found = db.session.execute(
        _attempts()
        .where(Outflow.rail == rail, Outflow.state == "sent", Outflow.id > after)
        .order_by(Outflow.id)
        .limit(limit)
    )
    return [_attempt(*each) for each in found]


@atomic
def rails_with_sent() -> Sequence[str]:
    """Return the rails that have orders to confirm."""
    query = select(Outflow.rail).where(Outflow.state == "sent").distinct()
    return [rail for rail in db.session.scalars(query) if rail]


@atomic
def call_again(attempt: Attempt) -> Attempt:
    """Note, before the call, that the same key is handed to the rail once more.

    Raises `Unavailable` where it is not open any more: it was taken back, or is known.
    """
    noted = db.session.execute(
        update(Outflow)
        .where(Outflow.id == attempt.outflow_id, Outflow.state.in_(OUTFLOW_OPEN))
        .values(
            called_at=func.now(),
            first_called_at=func.coalesce(Outflow.first_called_at, func.now()),
            calls=Outflow.calls + 1,
        )
        .returning(Outflow.id)
        .execution_options(synchronize_session=False)
    )
    if noted.one_or_none() is None:
        raise Unavailable(f"{attempt.order.key} is not open any more")
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


def _attempts() -> Select[Any]:
    """Select what `_attempt` takes: a refund may have no transaction, a payout no receipt."""
    return (
        select(Outflow, Transaction, Receipt, *_ages())
        .outerjoin(Transaction, Transaction.id == Outflow.transaction_id)
        .outerjoin(Receipt, Receipt.id == Outflow.receipt_id)
    )


def _attempt(
    outflow: Outflow, row: Transaction | None, receipt: Receipt | None, age: Any, key_age: Any
) -> Attempt:
    order = OutgoingTransaction(
        key=outflow.key,
        transaction_id=row.id if row else "",
        kind=row.kind if row else "",
        asset=outflow.gross_asset,
        amount=to_decimal(outflow.amount),
        amount_in=to_decimal(outflow.gross),
        amount_fee=to_decimal(outflow.amount_fee),
        details=dict(row.details) if row else {},
        owner=str(owner_of(row)) if row else "",
        started_at=row.started_at if row else outflow.begun_at,
        reference=outflow.reference,
        refund_of=receipt.receipt_id if receipt else None,
        payer=receipt.payer if receipt else None,
        currency=currency_of(outflow.asset),
    )
    return Attempt(
        outflow_id=outflow.id,
        state=outflow.state,
        rail=outflow.rail or "",
        order=order,
        age_s=None if age is None else int(age),
        key_age_s=None if key_age is None else int(key_age),
        calls=outflow.calls,
    )


def _ages() -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    first, latest = (
        func.floor(func.extract("epoch", func.now() - column))
        for column in (Outflow.first_called_at, Outflow.called_at)
    )
    return latest, first

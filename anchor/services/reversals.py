"""Bookings that a bank took back: noted, put on the desk, and never answered with money.

What was credited and not paid out rests from now on, for the money behind it is gone; what
was paid out is a loss that only a person can get back (promise 1, and "after the end").
"""

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import BigInteger, func, select, update

from anchor.extensions import db
from anchor.lifecycle import FINAL, Event
from anchor.matching import Verdict
from anchor.models import OUTFLOW_OPEN, Outflow, Posting, Receipt, Transaction
from anchor.services import books, cases, order_ends
from anchor.services.transactions import Happening, any_of, can_have, happened

log = logging.getLogger(__name__)


def reverse(rows: Sequence[Receipt]) -> None:
    """Note that these receipts were taken back, with all consequences.

    Needs an open transaction that holds the rail. A receipt that was taken back before is
    left alone.
    """
    new = [row.id for row in rows if row.reversed_at is None]
    gone = _held(new) if new else ()
    if not gone:
        return
    ids = any_of([row.id for row in gone], BigInteger())
    db.session.execute(update(Receipt).where(Receipt.id == ids).values(reversed_at=func.now()))
    assets = _assets(gone)
    cases.open_cases([_case(row, "receipt_reversed", assets.get(cause_of(row))) for row in gone])
    try:
        with db.session.begin_nested():
            _undo(gone)
    except Exception:
        log.exception("%d reversals have no consequence yet", len(gone))
        cases.open_cases([_case(row, "reversal_half_done", None) for row in gone])


def _held(ids: Sequence[int]) -> Sequence[Receipt]:
    """Lock receipts, after the transactions that they paid for, as whoever acts on them does.

    A person may have credited one since it was read: it is told of as it stands now.
    """
    mine = Receipt.id == any_of(ids, BigInteger()), Receipt.reversed_at.is_(None)
    owners = select(Receipt.transaction_id).where(*mine)
    db.session.execute(
        select(Transaction.id)
        .where(Transaction.id.in_(owners))
        .order_by(Transaction.id)
        .with_for_update()
    )
    return db.session.scalars(
        select(Receipt)
        .where(*mine)
        .order_by(Receipt.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def cause_of(row: Receipt) -> str:
    """Return the id under which a receipt causes what it causes."""
    return f"receipt {row.rail}/{row.receipt_id}"


def _assets(rows: Iterable[Receipt]) -> dict[str, str]:
    found = db.session.execute(
        select(Posting.cause, Posting.asset).where(
            Posting.cause == any_of([cause_of(row) for row in rows])
        )
    )
    return {row[0]: row[1] for row in found}


def _case(row: Receipt, reason: str, asset: str | None) -> dict[str, object]:
    was_credited = row.verdict == Verdict.CREDITED
    return {
        "reason": reason,
        "cause": cause_of(row),
        "note": f"the bank took this booking back; its verdict is {row.verdict}",
        "transaction_id": row.transaction_id,
        "asset": asset,
        "amount_owed": row.amount if was_credited else None,
    }


def _undo(rows: Sequence[Receipt]) -> None:
    causes = [cause + by for row in rows for cause in [cause_of(row)] for by in ("", " credited")]
    written = db.session.scalars(select(Posting).where(Posting.cause == any_of(causes)))
    books.post_all(
        [
            {
                "cause": f"{entry.cause} reversed",
                "account": entry.account,
                "asset": entry.asset,
                "amount": -entry.amount,
                "transaction_id": entry.transaction_id,
            }
            for entry in written
        ]
    )
    credited: dict[str, list[Receipt]] = {}
    for row in rows:
        if row.verdict == Verdict.CREDITED and row.transaction_id:
            credited.setdefault(row.transaction_id, []).append(row)
    _stop(credited)


def _stop(credited: dict[str, list[Receipt]]) -> None:
    """Take back what was credited in part, and let rest what was credited in full."""
    query = (
        select(Transaction)
        .where(Transaction.id == any_of(credited))
        .order_by(Transaction.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = db.session.scalars(query).all()
    order_ends.withdraw(list(credited), "the booking that it was to be paid from was taken back")
    under_way = set(
        db.session.scalars(
            select(Outflow.transaction_id).where(
                Outflow.transaction_id == any_of(credited), Outflow.state.in_(OUTFLOW_OPEN)
            )
        )
    )
    happenings: list[Happening] = []
    rests: list[str] = []
    for row in found:
        if row.funded_at is None and row.id not in under_way:
            happenings += [_less(row.id, receipt) for receipt in credited[row.id]]
        elif row.status not in FINAL:
            rests.append(row.id)
            if row.id not in under_way and can_have(row, Event.HELD):
                cause = f"{cause_of(credited[row.id][0])} reversed"
                happenings.append(Happening(row.id, Event.HELD, cause))
    db.session.execute(
        update(Transaction).where(Transaction.id == any_of(rests)).values(is_resting=True)
    )
    happened(*happenings)


def _less(transaction_id: str, receipt: Receipt) -> Happening:
    cause = f"{cause_of(receipt)} reversed"
    return Happening(transaction_id, None, cause, received=-(receipt.amount or 0))

"""Looking at money that left: payouts, submissions and refunds, whatever became of them.

The newest first, in pages; or all of one transaction. All amounts are stroops.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, or_, select

from anchor.extensions import atomic, db
from anchor.models import Outflow
from anchor.services import desk

MAX_PAGE = 200
#: What outflows on the ledger are chosen by, where others are by the name of their rail.
LEDGER = "stellar"


@dataclass(frozen=True)
class Left:
    """An attempt to move money out; `acts` are what a person may do about it now.

    `to` is the account that is paid on the ledger, and `reference` the hash of the transaction that
    did, or what the bank calls it. `told_at` is when somebody outside first heard of it.
    """

    id: int
    key: str
    kind: str
    form: str | None
    state: str
    amount: int
    fee: int
    asset: str
    fee_asset: str
    rail: str | None
    source: str | None
    to: str | None
    reference: str | None
    custody: str | None
    note: str | None
    transaction_id: str | None
    begun_at: datetime
    told_at: datetime | None
    settled_at: datetime | None
    returned_at: datetime | None
    acts: tuple[str, ...]


@atomic
def listing(
    *,
    kind: str | None = None,
    state: str | None = None,
    rail: str | None = None,
    q: str | None = None,
    after: int | None = None,
    limit: int = MAX_PAGE,
) -> list[Left]:
    """Return outflows, the newest first; those `after` the id of the last one.

    `rail` is `LEDGER` for what goes out there; `q` is a key, a hash, or what a bank calls it.
    """
    query = select(Outflow).order_by(Outflow.id.desc()).limit(min(limit, MAX_PAGE))
    if kind is not None:
        query = query.where(Outflow.kind == kind)
    if state is not None:
        # it stands in the text of the statement: only so is a partial index known to hold all of it
        query = query.where(Outflow.state == bindparam(None, state, literal_execute=True))
    if rail is not None:
        query = query.where(Outflow.rail.is_(None) if rail == LEDGER else Outflow.rail == rail)
    if q is not None:
        query = query.where(Outflow.id.in_(named(Outflow.id, q)))
    if after is not None:
        query = query.where(Outflow.id < after)
    return _shown(query)


@atomic
def of_transaction(transaction_id: str) -> list[Left]:
    """Return what left for a transaction, as it began; `MAX_PAGE` at most."""
    query = select(Outflow).where(Outflow.transaction_id == transaction_id)
    return _shown(query.order_by(Outflow.id).limit(MAX_PAGE))


def named(column: Any, q: str) -> Select[Any]:
    """Return the statement that tells a `column` of outflows of a key, a hash or a bank's word."""
    on_ledger = Outflow.state == "done", Outflow.form.is_not(None)
    return select(column).where(
        or_(
            Outflow.key == q,
            (Outflow.reference == q) & Outflow.rail.is_not(None),
            (Outflow.reference == q.lower()) & on_ledger[0] & on_ledger[1],
        )
    )


def _shown(query: Select[Any]) -> list[Left]:
    rows = db.session.scalars(query.execution_options(populate_existing=True)).all()
    acts = desk.acts_on(rows)
    return [_left(row, acts.get(row.id, ())) for row in rows]


def _left(row: Outflow, acts: tuple[str, ...]) -> Left:
    return Left(
        id=row.id,
        key=row.key,
        kind=row.kind,
        form=row.form,
        state=row.state,
        amount=row.amount,
        fee=row.amount_fee,
        asset=row.asset,
        fee_asset=row.gross_asset,
        rail=row.rail,
        source=row.source,
        to=row.destination,
        reference=row.reference or row.told_hash,
        custody=row.custody,
        note=row.note,
        transaction_id=row.transaction_id,
        begun_at=row.begun_at,
        told_at=row.first_called_at,
        settled_at=row.settled_at,
        returned_at=row.returned_at,
        acts=acts,
    )

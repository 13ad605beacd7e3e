"""Looking at money that came: on the ledger, with what left there, and what banks booked.

The newest first, in pages; or all of one transaction. All amounts are stroops.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, select

from anchor.assets import StellarAsset
from anchor.errors import Rejected
from anchor.extensions import atomic, db, settings
from anchor.ledger.destinations import address_of
from anchor.matching import FOR_THE_DESK
from anchor.models import Case, Payment, Receipt

MAX_PAGE = 200


@dataclass(frozen=True)
class Came:
    """Money that moved on an account of ours, or that a bank booked, and what became of it.

    `name` is the one it has at the desk, such as ``payment 1/12884905985/0``. On the ledger
    `account` is ours and `payer` whoever paid, or was paid where it `is_outgoing`; by rail there
    are `rail` and `reference`, what the payer wrote: who that was is not told. `asset` is named
    as the books do. `hash` is that of the ledger's transaction, `case_id` the case that it opened.
    """

    id: int
    name: str
    at: datetime
    amount: int | None
    asset: str | None
    verdict: str
    note: str | None
    transaction_id: str | None
    case_id: int | None
    account: str | None = None
    payer: str | None = None
    memo_type: str | None = None
    memo: str | None = None
    hash: str | None = None
    is_outgoing: bool = False
    rail: str | None = None
    reference: str | None = None
    reversed_at: datetime | None = None


@atomic
def on_ledger(
    *,
    verdict: str | None = None,
    account: str | None = None,
    asset: str | None = None,
    q: str | None = None,
    after: int | None = None,
    limit: int = MAX_PAGE,
) -> list[Came]:
    """Return payments, the newest first; those `after` the id of the last one of the page before.

    Without `verdict` and `q` those that came in. `account` is one of ours, `asset` a code or as the
    books name it, and `q` the hash of a ledger transaction.
    """
    terms = {
        Payment.account_id: account,
        Payment.asset: asset and _asset(asset),
        Payment.transaction_hash: q and q.lower(),
    }
    query = _page(Payment, terms, verdict, after, limit)
    if verdict is None and q is None:
        query = query.where(Payment.direction == "in")
    return _payments(_fresh(query))


@atomic
def by_rail(
    *,
    verdict: str | None = None,
    rail: str | None = None,
    asset: str | None = None,
    q: str | None = None,
    after: int | None = None,
    limit: int = MAX_PAGE,
) -> list[Came]:
    """Return what rails booked, the newest first; those `after` the id of the last one.

    `asset` is a currency, and `q` what its bank calls a booking.
    """
    terms = {Receipt.rail: rail, Receipt.currency: asset, Receipt.receipt_id: q}
    query = _page(Receipt, terms, verdict, after, limit)
    if q is not None:
        query = query.where(Receipt.rail.in_(settings().rails))
    return _receipts(_fresh(query))


@atomic
def of_transaction(transaction_id: str) -> list[Came]:
    """Return what came for a transaction, whatever its verdict, as it came; `MAX_PAGE` at most."""
    payments = select(Payment).where(
        Payment.transaction_id == transaction_id, Payment.direction == "in"
    )
    receipts = select(Receipt).where(Receipt.transaction_id == transaction_id)
    found = [
        *_payments(_fresh(payments.order_by(Payment.id).limit(MAX_PAGE))),
        *_receipts(_fresh(receipts.order_by(Receipt.id).limit(MAX_PAGE))),
    ]
    return sorted(found, key=lambda each: each.at)


def _page(
    table: Any, terms: dict[Any, str | None], verdict: str | None, after: int | None, limit: int
) -> Select[Any]:
    """Choose by what is given. The verdict stands in the text of the statement: only so is a
    partial index known to hold all of it."""
    query = select(table).order_by(table.id.desc()).limit(min(limit, MAX_PAGE))
    query = query.where(*(column == value for column, value in terms.items() if value is not None))
    if verdict is not None:
        query = query.where(table.verdict == bindparam(None, verdict, literal_execute=True))
    return query if after is None else query.where(table.id < after)


def _asset(asset: str) -> str:
    policy = settings().asset(asset)
    if policy is not None:
        return policy.id
    try:
        return str(StellarAsset.parse(asset))
    except Rejected:
        return asset


def _fresh(query: Select[Any]) -> Sequence[Any]:
    return db.session.scalars(query.execution_options(populate_existing=True)).all()


def _cases(kind: str, names: Iterable[str]) -> dict[str, int]:
    """Return the case of each arrival that has one, also of one that was credited since."""
    query = select(Case.cause, Case.id).where(
        Case.reason.in_([f"{kind}_{verdict}" for verdict in sorted(FOR_THE_DESK)]),
        Case.cause.in_(list(names)),
    )
    return {row.cause: row.id for row in db.session.execute(query.order_by(Case.id))}


def _payments(rows: Sequence[Payment]) -> list[Came]:
    names = {row.id: f"payment {row.network_id}/{row.operation_id}/{row.index}" for row in rows}
    cases = _cases("payment", names.values())
    return [
        Came(
            id=row.id,
            name=names[row.id],
            at=row.closed_at,
            amount=row.amount,
            asset=row.asset,
            verdict=row.verdict,
            note=row.note,
            transaction_id=row.transaction_id,
            case_id=cases.get(names[row.id]),
            account=row.account_id,
            payer=row.counterparty and address_of(row.counterparty, row.counterparty_muxed_id),
            memo_type="id" if row.muxed_id is not None else row.memo_type,
            memo=row.memo if row.muxed_id is None else str(row.muxed_id),
            hash=row.transaction_hash,
            is_outgoing=row.direction == "out",
        )
        for row in rows
    ]


def _receipts(rows: Sequence[Receipt]) -> list[Came]:
    names = {row.id: f"receipt {row.rail}/{row.receipt_id}" for row in rows}
    cases = _cases("receipt", names.values())
    return [
        Came(
            id=row.id,
            name=names[row.id],
            at=row.booked_at or row.observed_at,
            amount=row.amount,
            asset=f"rail:{row.currency}",
            verdict=row.verdict,
            note=row.note,
            transaction_id=row.transaction_id,
            case_id=cases.get(names[row.id]),
            rail=row.rail,
            reference=row.reference,
            reversed_at=row.reversed_at,
        )
        for row in rows
    ]

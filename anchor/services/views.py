"""Looking at transactions: one by its ids, or a list of somebody's; the same for every door."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select, tuple_

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.lifecycle import Kind
from anchor.models import Memo, Outflow, Quote, Transaction
from anchor.services.transactions import Owner, any_of

MAX_PAGE = 200


@dataclass(frozen=True)
class View:
    """A transaction with its memo, its quote, and the refunds that arrived, for a door to show."""

    row: Transaction
    memo: Memo | None
    refunds: tuple[Outflow, ...] = ()
    quote: Quote | None = None


@dataclass(frozen=True)
class Filter:
    """Which transactions a list shows; each None leaves nothing out."""

    asset_code: str
    kinds: Sequence[Kind] | None = None
    no_older_than: datetime | None = None
    paging_id: str | None = None
    limit: int | None = None


@atomic
def get(transaction_id: str) -> View:
    """Return a transaction by its id, whoever asks: for links that were checked before."""
    return _one(Transaction.id == transaction_id)


@atomic
def find(
    owner: Owner,
    *,
    transaction_id: str | None = None,
    stellar_transaction_id: str | None = None,
    external_transaction_id: str | None = None,
) -> View:
    """Return the owner's transaction by one of its ids; `NotFound` also where it is another's."""
    wanted = {
        Transaction.id: transaction_id,
        Transaction.stellar_transaction_id: stellar_transaction_id,
        Transaction.external_transaction_id: external_transaction_id,
    }
    terms = [column == value for column, value in wanted.items() if value is not None]
    if not terms:
        raise Rejected("one of id, stellar_transaction_id and external_transaction_id is required")
    return _one(*_owned_by(owner), *terms)


@atomic
def listing(owner: Owner, wanted: Filter) -> list[View]:
    """Return the owner's transactions, the newest first, `MAX_PAGE` at most."""
    query = (
        _chosen(*_owned_by(owner), Transaction.asset_code == wanted.asset_code)
        .order_by(Transaction.started_at.desc(), Transaction.id.desc())
        .limit(min(wanted.limit or MAX_PAGE, MAX_PAGE))
    )
    if wanted.kinds is not None:
        query = query.where(Transaction.kind.in_(wanted.kinds))
    if wanted.no_older_than is not None:
        query = query.where(Transaction.started_at >= wanted.no_older_than)
    if wanted.paging_id is not None:
        mark = _one(*_owned_by(owner), Transaction.id == wanted.paging_id).row
        query = query.where(
            tuple_(Transaction.started_at, Transaction.id) < (mark.started_at, mark.id)
        )
    return _with_refunds([_view(*found) for found in db.session.execute(query)])


def several(*terms: ColumnElement[bool]) -> list[View]:
    """Return all that the conditions choose, by their ids. Needs an open transaction."""
    found = db.session.execute(_chosen(*terms).order_by(Transaction.id))
    return _with_refunds([_view(*each) for each in found])


def _one(*terms: ColumnElement[bool]) -> View:
    newest = _chosen(*terms).order_by(Transaction.started_at.desc()).limit(1)
    found = db.session.execute(newest).one_or_none()
    if found is None:
        raise NotFound("there is no such transaction")
    return _with_refunds([_view(*found)])[0]


def _chosen(*terms: ColumnElement[bool]) -> Select[Transaction, Memo, Quote]:
    return (
        select(Transaction, Memo, Quote)
        .outerjoin(Memo, Memo.transaction_id == Transaction.id)
        .outerjoin(Quote, Quote.id == Transaction.quote_id)
        .where(*terms)
    )


def _view(row: Transaction, memo: Memo | None, quote: Quote | None) -> View:
    return View(row, memo, quote=quote)


def _with_refunds(views: list[View]) -> list[View]:
    """Add the refunds that arrived, as they were made."""
    ids = [view.row.id for view in views if view.row.amount_refunded]
    made: dict[str, list[Outflow]] = {}
    query = select(Outflow).where(
        Outflow.transaction_id == any_of(ids),
        Outflow.kind == "refund",
        Outflow.state == "done",
        Outflow.returned_at.is_(None),
    )
    for refund in db.session.scalars(query.order_by(Outflow.id)) if ids else ():
        made.setdefault(refund.pays_for, []).append(refund)
    return [replace(view, refunds=tuple(made.get(view.row.id, ()))) for view in views]


def _owned_by(owner: Owner) -> tuple[ColumnElement[bool], ...]:
    below = Transaction.owner_subaccount
    return (
        Transaction.owner_account == owner.account_id,
        below.is_not_distinct_from(owner.subaccount_id),
    )

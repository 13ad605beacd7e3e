"""Looking at transactions: one by its ids, or a list of somebody's; the same for every door."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    any_,
    bindparam,
    select,
    tuple_,
)

from anchor.errors import NotFound, Rejected
from anchor.extensions import by_statement, db
from anchor.lifecycle import Kind
from anchor.models import Memo, Outflow, Quote, Transaction
from anchor.services.transactions import Owner

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
    flow: str
    kinds: Sequence[Kind] | None = None
    no_older_than: datetime | None = None
    paging_id: str | None = None
    limit: int | None = None


#: What a look may go by. Statements are built once: SQLAlchemy takes longer to recognise a new
#: one of this size than PostgreSQL takes to run it.
_TERMS: Mapping[str, ColumnElement[bool]] = {
    "id": Transaction.id == bindparam("id"),
    "ids": Transaction.id == any_(bindparam("ids", type_=ARRAY(Text()))),
    "stellar_transaction_id": Transaction.stellar_transaction_id
    == bindparam("stellar_transaction_id"),
    "external_transaction_id": Transaction.external_transaction_id
    == bindparam("external_transaction_id"),
    "owner_account": Transaction.owner_account == bindparam("owner_account"),
    "owner_subaccount": Transaction.owner_subaccount.is_not_distinct_from(
        bindparam("owner_subaccount")
    ),
    "flow": Transaction.flow == bindparam("flow"),
    "asset_code": Transaction.asset_code == bindparam("asset_code"),
    "is_told": Transaction.callback_url.is_not(None),
    "kinds": Transaction.kind.in_(bindparam("kinds", expanding=True)),
    "no_older_than": Transaction.started_at >= bindparam("no_older_than"),
    "before_id": tuple_(Transaction.started_at, Transaction.id)
    < tuple_(bindparam("before"), bindparam("before_id")),
}


@cache
def _chosen(*names: str) -> Select[Transaction, Memo, Quote]:
    """Return the statement that finds the newest ones, up to `at_most`, by these terms."""
    return (
        select(Transaction, Memo, Quote)
        .outerjoin(Memo, Memo.transaction_id == Transaction.id)
        .outerjoin(Quote, Quote.id == Transaction.quote_id)
        .where(*(_TERMS[name] for name in names))
        .order_by(Transaction.started_at.desc(), Transaction.id.desc())
        .limit(bindparam("at_most"))
    )


@by_statement
def get(transaction_id: str) -> View:
    """Return a transaction by its id, whoever asks: for links that were checked before."""
    return _one({"id": transaction_id})


@by_statement
def find(
    owner: Owner,
    flow: str,
    *,
    transaction_id: str | None = None,
    stellar_transaction_id: str | None = None,
    external_transaction_id: str | None = None,
) -> View:
    """Return the owner's transaction of a flow by its ids, all of which have to be its own.

    `NotFound` also where it is another's, or of another flow.
    """
    wanted = {
        "id": transaction_id,
        "stellar_transaction_id": stellar_transaction_id,
        "external_transaction_id": external_transaction_id,
    }
    named = {name: value for name, value in wanted.items() if value is not None}
    if not named:
        raise Rejected("one of id, stellar_transaction_id and external_transaction_id is required")
    return _one(_owned_by(owner, flow) | named)


@by_statement
def listing(owner: Owner, wanted: Filter) -> list[View]:
    """Return the owner's transactions, the newest first, `MAX_PAGE` at most."""
    terms = _owned_by(owner, wanted.flow) | {"asset_code": wanted.asset_code}
    if wanted.kinds is not None:
        terms["kinds"] = list(wanted.kinds)
    if wanted.no_older_than is not None:
        terms["no_older_than"] = wanted.no_older_than
    more = {}
    if wanted.paging_id is not None:
        mark = _mark(owner, wanted.flow, wanted.paging_id)
        terms["before_id"], more["before"] = mark.id, mark.started_at
    return _found(terms, min(wanted.limit or MAX_PAGE, MAX_PAGE), **more)


def _mark(owner: Owner, flow: str, paging_id: str) -> Transaction:
    """Return where a list goes on; `Rejected` for what is none of the owner's (SEP6-72)."""
    try:
        return _one(_owned_by(owner, flow) | {"id": paging_id}).row
    except NotFound as error:
        raise Rejected("paging_id: there is no such transaction") from error


def told(transaction_ids: Sequence[str]) -> list[View]:
    """Return those of these whose wallet wants to be told. Needs an open transaction."""
    values = {"ids": list(transaction_ids), "at_most": len(transaction_ids)}
    return _shown(_chosen("ids", "is_told"), values)


def _one(terms: Mapping[str, Any]) -> View:
    found = _found(terms, 1)
    if not found:
        raise NotFound("there is no such transaction")
    return found[0]


def _found(terms: Mapping[str, Any], at_most: int, **more: Any) -> list[View]:
    return _shown(_chosen(*terms), {**terms, "at_most": at_most, **more})


def _shown(statement: Select[Transaction, Memo, Quote], values: Mapping[str, Any]) -> list[View]:
    return _with_refunds([_view(*each) for each in db.session.execute(statement, values)])


def _view(row: Transaction, memo: Memo | None, quote: Quote | None) -> View:
    return View(row, memo, quote=quote)


_REFUNDS = (
    select(Outflow)
    .where(
        Outflow.transaction_id == any_(bindparam("ids", type_=ARRAY(Text()))),
        Outflow.kind == "refund",
        Outflow.state == "done",
        Outflow.returned_at.is_(None),
    )
    .order_by(Outflow.id)
)


def _with_refunds(views: list[View]) -> list[View]:
    """Add the refunds that arrived, as they were made."""
    ids = [view.row.id for view in views if view.row.amount_refunded]
    if not ids:
        return views
    made: dict[str, list[Outflow]] = {}
    for refund in db.session.scalars(_REFUNDS, {"ids": ids}):
        made.setdefault(refund.pays_for, []).append(refund)
    return [replace(view, refunds=tuple(made.get(view.row.id, ()))) for view in views]


def _owned_by(owner: Owner, flow: str) -> dict[str, Any]:
    return {
        "owner_account": owner.account_id,
        "owner_subaccount": owner.subaccount_id,
        "flow": flow,
    }

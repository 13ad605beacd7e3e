"""Finding transactions for the people who operate the anchor: by any word that one is known by.

What is asked here must stay quick with any number of them: each term has an index, or chooses
among what an index brings.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, not_, or_, select, text, tuple_, union_all

from anchor import references
from anchor.errors import NotFound
from anchor.extensions import atomic, db, settings
from anchor.lifecycle import Kind, Status
from anchor.models import (
    AT_REST,
    Account,
    ClaimableBalance,
    Envelope,
    Memo,
    Outflow,
    Payment,
    Receipt,
    Remittance,
    Transaction,
)
from anchor.models.columns import MEMO_TYPES
from anchor.services import outflow_views
from anchor.web_auth import is_account, is_contract, read_client

MAX_PAGE = 200
#: So many are found by one word at most, which names one transaction or a few.
_MOST = 1000
#: Here a customer is waited for, unless it is the house that sends.
_CUSTOMERS_TURN = frozenset(
    {
        Status.PENDING_CUSTOMER_INFO_UPDATE,
        Status.PENDING_TRANSACTION_INFO_UPDATE,
        Status.PENDING_USER,
    }
)
_WAITS_FOR_PERSON = and_(
    text(AT_REST),
    or_(
        Transaction.kind == Kind.REMITTANCE,
        Transaction.status.not_in(sorted(_CUSTOMERS_TURN)),
    ),
)


@dataclass(frozen=True)
class Found:
    """A transaction in a list. `amount` is what came, or else what is to come, in stroops of
    `amount_asset`, as the books name that; None where nobody has said. `rests` says that it waits
    for a person."""

    id: str
    kind: str
    flow: str
    status: str
    rests: bool
    asset_code: str
    amount: int | None
    amount_asset: str
    rail: str
    owner: str
    opened_at: datetime


@atomic
def listing(
    *,
    q: str | None = None,
    kind: str | None = None,
    status: str | None = None,
    asset_code: str | None = None,
    rests: bool | None = None,
    since: datetime | None = None,
    after: str | None = None,
    limit: int = MAX_PAGE,
) -> list[Found]:
    """Return transactions, the newest first; those `after` the last one of the page before.

    `q` is an id, a memo, a reference, a key, a hash, what a bank calls it, or the address of its
    owner. `rests` chooses those that wait for a person, or the others; `since` leaves out what was
    opened before.
    """
    query = _chosen(kind, status, asset_code, since)
    if rests is not None:
        query = query.where(_WAITS_FOR_PERSON if rests else not_(_WAITS_FOR_PERSON))
    if q is not None:
        query = query.where(*_owned(q) or [Transaction.id.in_(_ids(q))])
    place = Transaction.started_at, Transaction.id
    if after is not None:
        last = db.session.get(Transaction, after)
        if last is None:
            raise NotFound(f"there is no transaction {after}")
        query = query.where(tuple_(*place) < tuple_(last.started_at, last.id))
    query = query.order_by(*(column.desc() for column in place)).limit(min(limit, MAX_PAGE))
    rows = db.session.scalars(query.execution_options(populate_existing=True))
    return [found(row) for row in rows]


def found(row: Transaction) -> Found:
    """Return a transaction as a list shows it. Needs an open transaction."""
    below = "" if row.owner_subaccount is None else f":{row.owner_subaccount}"
    return Found(
        id=row.id,
        kind=row.kind,
        flow=row.flow,
        status=row.status,
        rests=rests(row),
        asset_code=row.asset_code,
        amount=row.amount_received or row.amount_in or row.amount_expected,
        amount_asset=row.received_as,
        rail=row.rail,
        owner=row.owner_account + below,
        opened_at=row.started_at,
    )


def rests(row: Transaction) -> bool:
    """Tell whether a transaction waits for a person, as `listing` does."""
    is_over = row.status in {
        Status.COMPLETED,
        Status.REFUNDED,
        Status.EXPIRED,
        Status.ERROR,
    }
    is_customers = row.kind != Kind.REMITTANCE and row.status in _CUSTOMERS_TURN
    return row.is_resting and not is_over and not is_customers


def _chosen(
    kind: str | None, status: str | None, asset_code: str | None, since: datetime | None
) -> Select[Any]:
    query = select(Transaction)
    if kind is not None:
        query = query.where(Transaction.kind == kind)
    if status is not None:
        # it stands in the text of the statement: only so is a partial index known to hold all of it
        query = query.where(Transaction.status == bindparam(None, status, literal_execute=True))
    if asset_code is not None:
        query = query.where(Transaction.asset_code == asset_code)
    return query if since is None else query.where(Transaction.started_at >= since)


def _owned(q: str) -> list[Any]:
    """Return what a transaction of an address' owner fulfils; nothing where `q` is no address."""
    account, _, below = q.partition(":")
    if is_contract(q):
        return [Transaction.owner_account == q]
    if not is_account(account) or not ((below.isascii() and below.isdigit()) or account == q):
        return []
    client = read_client(account, below or None)
    mine = [Transaction.owner_account == client.account_id]
    if client.subaccount_id is not None:
        mine.append(Transaction.owner_subaccount == client.subaccount_id)
    return mine


def _ids(q: str) -> list[str]:
    """Return the ids of the transactions that a word names; each part of the look has an index."""
    reference = references.read(q) or q
    accounts = select(Account.account_id)
    parts = [
        select(Transaction.id).where(or_(Transaction.id == q, Transaction.reference == reference)),
        select(Memo.transaction_id).where(
            Memo.network_id.in_(select(Account.network_id)),
            Memo.account_id.in_(accounts),
            Memo.memo_type.in_(MEMO_TYPES),
            Memo.memo == q,
        ),
        outflow_views.named(Outflow.transaction_id, q),
        select(Receipt.transaction_id).where(
            Receipt.receipt_id == q, Receipt.rail.in_(settings().rails)
        ),
        select(Remittance.transaction_id).where(Remittance.key == q),
    ]
    return [
        *dict.fromkeys(db.session.scalars(union_all(*parts, *_by_hash(q.lower())).limit(_MOST)))
    ]


def _by_hash(hash_: str) -> list[Select[Any]]:
    """Return the looks for what only a hash names: what paid us, what we sent, a balance."""
    sent = select(Envelope.submission_id).where(Envelope.hash == hash_)
    return [
        select(Payment.transaction_id).where(Payment.transaction_hash == hash_),
        select(Outflow.transaction_id).where(Outflow.submission_id.in_(sent)),
        select(ClaimableBalance.transaction_id).where(ClaimableBalance.id == hash_),
    ]

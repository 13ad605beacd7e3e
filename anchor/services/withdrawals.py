"""Withdrawals: opened by a wallet, completed by the customer's details, then waiting for funds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, tuple_

from anchor.clock import utcnow
from anchor.config import AssetPolicy
from anchor.errors import NotFound, Rejected, Unavailable
from anchor.extensions import atomic, db, settings
from anchor.lifecycle import Event, Kind, Status
from anchor.models import History, Memo, Transaction, new_id
from anchor.money import format_amount, split
from anchor.services import memos, networks
from anchor.services.transactions import Happening, Owner, happened

MAX_PAGE = 200


@dataclass(frozen=True)
class View:
    """A transaction with the memo that it was given, for a door to show."""

    row: Transaction
    memo: Memo | None


@dataclass(frozen=True)
class Filter:
    """Which transactions a list shows; each None leaves nothing out."""

    asset_code: str
    kinds: Sequence[Kind] | None = None
    no_older_than: datetime | None = None
    paging_id: str | None = None
    limit: int | None = None


@atomic
def open_interactive(
    owner: Owner,
    policy: AssetPolicy,
    *,
    amount: int | None = None,
    from_account: str | None = None,
    details: Mapping[str, str] | None = None,
    lang: str | None = None,
    client_domain: str | None = None,
    home_domain: str | None = None,
) -> str:
    """Open a withdrawal whose details the customer gives on a page; return its id.

    The fee schedule of today is frozen on it. Raises `Rejected` for an amount outside the
    limits.
    """
    if amount is not None:
        check_amount(policy, amount)
    row = Transaction(
        id=new_id(),
        kind=Kind.WITHDRAWAL,
        flow="interactive",
        status=Status.INCOMPLETE,
        owner_account=owner.account_id,
        owner_subaccount=owner.subaccount_id,
        client_domain=client_domain,
        home_domain=home_domain,
        asset=policy.id,
        asset_code=policy.code,
        rail=policy.rails[0],
        amount_expected=amount,
        fee_fixed=policy.withdrawal.fee.fixed,
        fee_percent=policy.withdrawal.fee.percent,
        decimals=policy.decimals,
        details=dict(details or {}),
        from_account=from_account or owner.account_id,
        lang=lang,
    )
    db.session.add(row)
    db.session.flush()
    db.session.add(
        History(transaction_id=row.id, version=1, event="opened", cause=row.id, status=row.status)
    )
    return row.id


def check_amount(policy: AssetPolicy, amount: int) -> None:
    """Raise `Rejected` unless `amount` stroops may be withdrawn and leave something to pay."""
    flow = policy.withdrawal
    if flow.min_amount is not None and amount < flow.min_amount:
        raise Rejected(f"the least amount is {format_amount(flow.min_amount)}")
    if flow.max_amount is not None and amount > flow.max_amount:
        raise Rejected(f"the greatest amount is {format_amount(flow.max_amount)}")
    split(amount, flow.fee, policy.decimals)


@atomic
def give_details(
    transaction_id: str, amount: int, rail: str, details: Mapping[str, str], request_id: str
) -> None:
    """Complete a withdrawal: from now on it waits for exactly `amount` stroops under its memo.

    The same again changes nothing; other details for one that is complete are `Rejected`.
    """
    row = db.session.get(Transaction, transaction_id, with_for_update=True)
    if row is None:
        raise NotFound("there is no such transaction")
    if row.status != Status.INCOMPLETE:
        raise Rejected("this withdrawal is complete already")
    policy = settings().asset_by_id(row.asset)
    network = networks.current()
    if policy is None or not policy.withdrawal.enabled:
        raise Rejected("this asset cannot be withdrawn any more")
    if rail not in policy.rails:
        raise Rejected("this way to be paid is not offered")
    if network is None or not networks.is_watched(network.id, policy.distribution):
        raise Unavailable("the anchor does not follow its network yet; try again in a minute")
    check_amount(policy, amount)
    memos.issue(network.id, policy.distribution, row.id)
    parts = split(amount, policy.withdrawal.fee, policy.decimals)
    columns: dict[str, Any] = {
        "amount_expected": amount,
        "amount_in": parts.amount_in,
        "amount_out": parts.amount_out,
        "amount_fee": parts.amount_fee,
        "fee_fixed": policy.withdrawal.fee.fixed,
        "fee_percent": policy.withdrawal.fee.percent,
        "decimals": policy.decimals,
        "rail": rail,
        "details": dict(details),
        "deadline_at": utcnow() + timedelta(days=settings().transfer_days),
    }
    happened(Happening(row.id, Event.DETAILS_GIVEN, request_id, columns=columns))


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
        select(Transaction, Memo)
        .outerjoin(Memo, Memo.transaction_id == Transaction.id)
        .where(*_owned_by(owner), Transaction.asset_code == wanted.asset_code)
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
    return [View(row, memo) for row, memo in db.session.execute(query)]


def _one(*terms: ColumnElement[bool]) -> View:
    found = db.session.execute(
        select(Transaction, Memo)
        .outerjoin(Memo, Memo.transaction_id == Transaction.id)
        .where(*terms)
        .order_by(Transaction.started_at.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        raise NotFound("there is no such transaction")
    return View(found[0], found[1])


def _owned_by(owner: Owner) -> tuple[ColumnElement[bool], ...]:
    below = Transaction.owner_subaccount
    return (
        Transaction.owner_account == owner.account_id,
        below.is_(None) if owner.subaccount_id is None else below == owner.subaccount_id,
    )

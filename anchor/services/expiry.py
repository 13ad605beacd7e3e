"""Transactions that nobody paid in time: they expire, once their source was read beyond that.

A deadline has passed only when the account was read, or the rail was asked, after it and the
grace; the host's clock says nothing (promise 11). Nothing expires with funds in, not even in
part (promise 4): the rows are locked before they are looked at, so money that arrives at the
same moment comes first or finds an expired transaction, and is kept either way. While anything of
a source is unjudged, nothing of it expires. One with a part of its money in is a person's.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, text

from anchor.extensions import atomic, db, settings
from anchor.lifecycle import Event, Kind, Status
from anchor.matching import LEDGER_FUNDED, Verdict
from anchor.models import (
    UNPAID,
    Account,
    Case,
    Memo,
    Network,
    Payment,
    RailReading,
    Receipt,
    Transaction,
)
from anchor.services import cases, jobs, logins, quotes
from anchor.services.transactions import Happening, happened

EXPIRE = "expire_transactions"
_SUBJECT, _LANE, _LEASE_S = "all", "expiry", 60
_BATCH = 200
_PARTLY = "deadline_with_a_part_in"


def expire(claimed: jobs.Claim) -> None:
    """Let all expire whose deadline has passed, and forget what is old; the job `EXPIRE`.

    Those are quotes that nobody used, and the marks of challenges and links that were used.
    """
    for query in _overdue():
        while _expire(query.where(Transaction.amount_received == 0)) == _BATCH:
            jobs.extend(claimed)
        _tell(query.where(Transaction.amount_received > 0, ~_told()))
    for forget in (quotes.forget, logins.forget):
        while forget():
            jobs.extend(claimed)


@atomic
def _overdue() -> list[Select[str]]:
    """Return what selects the overdue of each source, as far as each was read."""
    return [*_on_ledger(), *_by_rail(), _never_completed(), _never_told()]


def _on_ledger() -> Iterator[Select[str]]:
    query = select(Account).join(Network, Network.id == Account.network_id)
    unjudged = select(Payment.id).where(
        Payment.network_id == Account.network_id,
        Payment.account_id == Account.account_id,
        Payment.verdict == Verdict.UNJUDGED,
    )
    for account in db.session.scalars(query.where(Network.is_current, ~unjudged.exists())):
        yield (
            _unpaid(account.read_until)
            .join(Memo, Memo.transaction_id == Transaction.id)
            .where(
                Memo.network_id == account.network_id,
                Memo.account_id == account.account_id,
                Transaction.kind.in_(LEDGER_FUNDED),
                Transaction.settlement == "stellar",
            )
        )


def _by_rail() -> Iterator[Select[str]]:
    unjudged = select(Receipt.id).where(
        Receipt.rail == RailReading.rail, Receipt.verdict == Verdict.UNJUDGED
    )
    query = select(RailReading.rail, RailReading.polled_at).where(~unjudged.exists())
    for rail, polled_at in db.session.execute(query):
        if polled_at is not None:
            yield _unpaid(polled_at).where(
                Transaction.rail == rail,
                or_(
                    Transaction.kind.not_in(LEDGER_FUNDED),
                    Transaction.settlement == "rail",
                ),
            )


def _unpaid(read_until: datetime) -> Select[str]:
    grace = timedelta(hours=settings().deadline_grace_hours)
    return select(Transaction.id).where(text(UNPAID), Transaction.deadline_at < read_until - grace)


def _never_completed() -> Select[str]:
    """Select what its customer began and left: no source counts, for nobody was told to pay.

    On a quote that ran out it cannot be completed any more. What waits for its customer to be
    known is such a thing as long as it has no memo and no reference.
    """
    told = exists().where(Memo.transaction_id == Transaction.id)
    waits = Transaction.status == Status.PENDING_CUSTOMER_INFO_UPDATE
    patience = timedelta(hours=settings().incomplete_hours)
    return select(Transaction.id).where(
        text(UNPAID),
        or_(
            Transaction.status == Status.INCOMPLETE,
            and_(waits, Transaction.reference.is_(None), ~told),
        ),
        case(
            (Transaction.deadline_at.is_(None), Transaction.started_at < func.now() - patience),
            else_=Transaction.deadline_at < func.now(),
        ),
    )


def _never_told() -> Select[str]:
    """Select sends whose customers were not accepted in time: nobody was told where to pay."""
    told = exists().where(Memo.transaction_id == Transaction.id)
    return select(Transaction.id).where(
        text(UNPAID),
        Transaction.kind == Kind.SEND,
        Transaction.reference.is_(None),
        ~told,
        Transaction.deadline_at < func.now(),
    )


@atomic
def _expire(query: Select[str]) -> int:
    """Let one batch expire; what somebody else works on at this moment comes the next time."""
    locked = query.limit(_BATCH).with_for_update(of=Transaction, skip_locked=True)
    ids = db.session.scalars(locked).all()
    happened(*(Happening(each, Event.EXPIRED, "deadline") for each in ids))
    return len(ids)


def _told() -> ColumnElement[bool]:
    return exists().where(Case.reason == _PARTLY, Case.transaction_id == Transaction.id)


@atomic
def _tell(query: Select[str]) -> None:
    """Open a case about each that has a part of its money and no time left."""
    for row_id in db.session.scalars(query.limit(_BATCH)).all():
        row = db.session.get_one(Transaction, row_id, populate_existing=True)
        cases.open_case(
            _PARTLY,
            row.id,
            note="its deadline has passed: send back what came, or wait on",
            transaction_id=row.id,
            asset=row.received_as,
            amount_owed=row.amount_received - row.amount_refunded,
        )


@atomic
def owe() -> None:
    """Owe the job where something is overdue: a sweep's first half."""
    fresh = or_(Transaction.amount_received == 0, ~_told())
    overdue = any(db.session.scalar(query.where(fresh).limit(1)) for query in _overdue())
    if overdue or quotes.has_old() or logins.has_old():
        jobs.ensure([(jobs.Address(EXPIRE, _SUBJECT), _LANE)])


jobs.declare(EXPIRE, jobs.Work(expire, lambda _lane: _LEASE_S, lambda _lane: 1, parks=False))

"""How much one customer may still bring or take of an asset: in 24 hours, and in 30 days.

Room is taken in the commit in which the sums are agreed on, by whoever holds the lock of that
owner, asset and way: of several at once only as many get it as there is room for. What ends
without money gives its room back, and so does money that is sent back. Money that comes unasked
is judged as ever and counts as it came: nobody is refused what is theirs already.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select, text

from anchor.errors import Rejected
from anchor.extensions import db
from anchor.lifecycle import DEPOSITS, FINAL, WITHDRAWALS, Kind, Status
from anchor.models import Transaction
from anchor.money import told
from anchor.policies import FlowPolicy

_DAY, _MONTH = timedelta(hours=24), timedelta(days=30)
_OVER = (*FINAL, Status.EXPIRED, Status.ERROR)
_WAYS = (DEPOSITS, WITHDRAWALS, (Kind.SEND,))


def take(row: Transaction, flow: FlowPolicy, amount: int | None) -> dict[str, Any]:
    """Take room for `amount` stroops of what is paid; return the columns that say so.

    Once taken it stays, whatever is completed later. Raises as `demand`. Needs an open
    transaction, in which these columns are written.
    """
    if row.agreed_at is not None:
        return {}
    demand(row, flow, amount)
    return {"agreed_at": func.now()}


def demand(row: Transaction, flow: FlowPolicy, amount: int | None) -> None:
    """Raise `Rejected` unless there is room for a transaction of `amount` stroops.

    Where there are limits the amount has to be named. Needs an open transaction: until it ends
    nobody else takes of the same room.
    """
    if flow.daily_limit is None and flow.monthly_limit is None:
        return
    if amount is None:
        raise Rejected("amount is required, for there is a limit in time")
    _hold(row)
    wanted = _of_asset(row, amount)
    if (left := _left(row, flow.daily_limit, _DAY)) is not None and wanted > left:
        raise Rejected(
            "{left} {code} is left of the limit of {limit} in 24 hours",
            code=row.asset_code,
            left=told(left),
            limit=told(flow.daily_limit or 0),
        )
    if (left := _left(row, flow.monthly_limit, _MONTH)) is not None and wanted > left:
        raise Rejected(
            "{left} {code} is left of the limit of {limit} in 30 days",
            code=row.asset_code,
            left=told(left),
            limit=told(flow.monthly_limit or 0),
        )


def _hold(row: Transaction) -> None:
    whose = f"{row.owner_account}:{row.owner_subaccount} {row.asset} {_way(row.kind)[0]}"
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('anchor.limits'), hashtext(:whose))"),
        {"whose": whose},
    )


def _way(kind: str) -> tuple[Kind, ...]:
    return next(kinds for kinds in _WAYS if kind in kinds)


def _of_asset(row: Transaction, amount: int) -> int:
    """Return an amount in the asset on the ledger, in which limits are."""
    return row.amount_out or 0 if row.kind == Kind.DEPOSIT_EXCHANGE else amount


def _left(row: Transaction, limit: int | None, window: timedelta) -> int | None:
    if limit is None:
        return None
    taken = select(func.coalesce(func.sum(_counted()), 0)).where(
        Transaction.owner_account == row.owner_account,
        Transaction.owner_subaccount.is_not_distinct_from(row.owner_subaccount),
        Transaction.asset == row.asset,
        Transaction.kind.in_(_way(row.kind)),
        Transaction.agreed_at > func.now() - window,
        Transaction.id != row.id,
    )
    return max(limit - int(db.session.scalar(taken) or 0), 0)


def _counted() -> ColumnElement[int]:
    """Return what a transaction takes of a limit: what came and stayed, or what is waited for."""
    kept = Transaction.amount_received - Transaction.amount_refunded
    awaited = func.greatest(Transaction.amount_expected, Transaction.amount_received)
    is_decided = or_(Transaction.status.in_(_OVER), Transaction.funded_at.is_not(None))
    counted = case((is_decided, kept), else_=awaited - Transaction.amount_refunded)
    is_whole = Transaction.kind == Kind.DEPOSIT_EXCHANGE  # all of a quote, or nothing
    whole = case((counted > 0, Transaction.amount_out), else_=0)
    found: ColumnElement[int] = case((is_whole, whole), else_=counted)
    return found

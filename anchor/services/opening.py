"""Opening a transaction and completing it with the customer's details, whichever way it goes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from anchor.clock import utcnow
from anchor.errors import NotFound, Rejected
from anchor.extensions import db, settings
from anchor.lifecycle import Kind, Status
from anchor.models import History, Transaction, new_id
from anchor.money import format_amount, split
from anchor.policies import AssetPolicy, FlowPolicy
from anchor.services.transactions import Owner


def flow_of(policy: AssetPolicy, kind: str) -> FlowPolicy:
    """Return what an asset allows for transactions of a kind."""
    if kind in (Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE):
        return policy.deposit
    return policy.send if kind == Kind.SEND else policy.withdrawal


def check_amount(flow: FlowPolicy, decimals: int, amount: int) -> None:
    """Raise `Rejected` unless `amount` stroops are within the limits and leave some to pay."""
    if flow.min_amount is not None and amount < flow.min_amount:
        raise Rejected("the least amount is {amount}", amount=format_amount(flow.min_amount))
    if flow.max_amount is not None and amount > flow.max_amount:
        raise Rejected("the greatest amount is {amount}", amount=format_amount(flow.max_amount))
    split(amount, flow.fee, decimals)


def begin(
    kind: Kind, owner: Owner, policy: AssetPolicy, *, amount: int | None = None, **columns: Any
) -> str:
    """Store a transaction whose details the customer gives on a page; return its id.

    The fee schedule of today is frozen on it; `columns` are what else is known of it. Raises
    `Rejected` for an amount outside the limits. Needs an open transaction.
    """
    flow = flow_of(policy, kind)
    if amount is not None:
        check_amount(flow, policy.decimals, amount)
    row = Transaction(
        id=new_id(),
        kind=kind,
        flow="interactive",
        status=Status.INCOMPLETE,
        owner_account=owner.account_id,
        owner_subaccount=owner.subaccount_id,
        asset=policy.id,
        asset_code=policy.code,
        rail=policy.rails[0],
        amount_expected=amount,
        fee_fixed=flow.fee.fixed,
        fee_percent=flow.fee.percent,
        decimals=policy.decimals,
        **columns,
    )
    db.session.add(row)
    db.session.flush()
    db.session.add(
        History(transaction_id=row.id, version=1, event="opened", cause=row.id, status=row.status)
    )
    return row.id


def incomplete(transaction_id: str, rail: str, *kinds: Kind) -> tuple[Transaction, AssetPolicy]:
    """Lock a transaction that still wants its details, and return it with its asset's policy.

    Raises `NotFound` where there is none of these kinds, and `Rejected` where it is complete,
    the asset is not served that way any more, or `rail` is not one of the asset's. Needs an
    open transaction.
    """
    row = db.session.get(Transaction, transaction_id, with_for_update=True)
    if row is None or row.kind not in kinds:
        raise NotFound("there is no such transaction")
    if row.status != Status.INCOMPLETE:
        raise Rejected("this transaction is complete already")
    policy = settings().asset_by_id(row.asset)
    if policy is None or not flow_of(policy, row.kind).enabled:
        raise Rejected("this asset is not offered any more")
    if rail not in policy.rails:
        raise Rejected("this way to pay is not offered")
    return row, policy


def completed(
    policy: AssetPolicy, kind: str, amount: int, rail: str, details: Mapping[str, str]
) -> dict[str, Any]:
    """Return the columns of a transaction that from now on waits for `amount` stroops."""
    flow = flow_of(policy, kind)
    check_amount(flow, policy.decimals, amount)
    parts = split(amount, flow.fee, policy.decimals)
    return {
        "amount_expected": amount,
        "amount_in": parts.amount_in,
        "amount_out": parts.amount_out,
        "amount_fee": parts.amount_fee,
        "fee_fixed": flow.fee.fixed,
        "fee_percent": flow.fee.percent,
        "decimals": policy.decimals,
        "rail": rail,
        "details": dict(details),
        "deadline_at": utcnow() + timedelta(days=settings().transfer_days),
    }

"""Opening a transaction and completing it with the customer's details, whichever way it goes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from anchor.clock import utcnow
from anchor.errors import NotFound, Rejected
from anchor.extensions import db, settings
from anchor.fees import FeeSchedule, Split, split, to_stored
from anchor.lifecycle import DEPOSITS, Kind, Status
from anchor.models import Quote, Transaction, new_id
from anchor.money import DECIMALS, round_down, told
from anchor.policies import AssetPolicy, FlowPolicy
from anchor.services import allowances, conversions
from anchor.services.beginnings import opened
from anchor.services.transactions import Owner

#: What is opened so is agreed on by its customer later, on a page.
ON_PAGES = "interactive"


def flow_of(policy: AssetPolicy, kind: str) -> FlowPolicy:
    """Return what an asset allows for transactions of a kind."""
    if kind in DEPOSITS:
        return policy.deposit
    return policy.send if kind == Kind.SEND else policy.withdrawal


def check_amount(policy: AssetPolicy, kind: str, amount: int, rail: str | None = None) -> None:
    """Raise `Rejected` unless `amount` stroops are within the limits and leave some to pay.

    Where the rail is not known yet it is enough that one of the asset's leaves some. What is
    paid in has to be an amount that can be transferred.
    """
    if kind in DEPOSITS and round_down(amount, policy.decimals) != amount:
        raise Rejected("the amount has {decimals} decimals at most", decimals=policy.decimals)
    check_limits(flow_of(policy, kind), amount)
    refusal: Rejected | None = None
    for each in (rail,) if rail else policy.rails:
        try:
            parts(policy, kind, amount, each)
        except Rejected as error:
            refusal = error
        else:
            return
    if refusal is not None:
        raise refusal


def parts(policy: AssetPolicy, kind: str, amount: int, rail: str) -> Split:
    """Return what an amount comes to without a quote, just as it will be paid and booked.

    Raises `Rejected` where the fee leaves nothing.
    """
    decimals = DECIMALS if kind in DEPOSITS else policy.decimals
    return split(amount, flow_of(policy, kind).fees.of(rail), decimals)


def _frozen(fee: FeeSchedule) -> dict[str, Any]:
    """Return the columns that keep a fee schedule."""
    return {"fee_fixed": fee.fixed, "fee_percent": fee.percent, "fee_rules": to_stored(fee)}


def check_limits(flow: FlowPolicy, amount: int) -> None:
    """Raise `Rejected` unless `amount` stroops are within the limits."""
    if flow.min_amount is not None and amount < flow.min_amount:
        raise Rejected("the least amount is {amount}", amount=told(flow.min_amount))
    if flow.max_amount is not None and amount > flow.max_amount:
        raise Rejected("the greatest amount is {amount}", amount=told(flow.max_amount))


def begin(
    kind: Kind,
    owner: Owner,
    policy: AssetPolicy,
    *,
    flow: str = ON_PAGES,
    rail: str | None = None,
    amount: int | None = None,
    quote: Quote | None = None,
    transaction_id: str | None = None,
    **columns: Any,
) -> Transaction:
    """Store a transaction that wants its details yet, and return it; its id is new by default.

    The fee schedule of today is frozen on it, or its quote; `columns` are what else is known
    of it. Raises `Rejected` for an amount outside the limits, or where its owner has no room
    for it. Needs an open transaction.
    """
    allowed = flow_of(policy, kind)
    if quote is not None:
        columns |= conversions.columns(quote)
    else:
        if amount is not None:
            check_amount(policy, kind, amount, rail)
        columns["amount_expected"] = amount
    by = rail or quoted_rail(quote) or policy.rails[0]
    row = Transaction(
        id=transaction_id or new_id(),
        kind=kind,
        flow=flow,
        status=Status.INCOMPLETE,
        owner_account=owner.account_id,
        owner_subaccount=owner.subaccount_id,
        asset=policy.id,
        asset_code=policy.code,
        rail=by,
        decimals=policy.decimals,
        **_frozen(allowed.fees.of(by)),
        **columns,
    )
    if flow != ON_PAGES or row.amount_expected is not None:
        allowances.demand(row, allowed, row.amount_expected)
    if flow != ON_PAGES:
        row.agreed_at = func.now()
    opened(row)
    return row


def quoted_rail(quote: Quote | None) -> str | None:
    """Return the way to pay that a quote names: the name of a rail."""
    return (quote.sell_delivery_method or quote.buy_delivery_method) if quote else None


def incomplete(
    transaction_id: str, rail: str, *kinds: Kind, status: Status = Status.INCOMPLETE
) -> tuple[Transaction, AssetPolicy]:
    """Lock a transaction that still wants its details, and return it with its asset's policy.

    It stands in `status`: `pending_anchor` for one whose customer was looked at meanwhile.

    Raises `NotFound` where there is none of these kinds, and `Rejected` where it is complete,
    the asset is not served that way any more, or `rail` is not one of the asset's. Needs an
    open transaction.
    """
    # Whoever looked at it before waited for the lock: what counts is how it stands now.
    row = db.session.get(Transaction, transaction_id, with_for_update=True, populate_existing=True)
    if row is None or row.kind not in kinds:
        raise NotFound("there is no such transaction")
    if row.status != status or row.amount_received:
        raise Rejected("this transaction is complete already")
    policy = settings().asset_by_id(row.asset)
    if policy is None or not flow_of(policy, row.kind).enabled:
        raise Rejected("this asset is not offered any more")
    if rail not in policy.rails:
        raise Rejected("this way to pay is not offered")
    return row, policy


def completed(
    row: Transaction,
    policy: AssetPolicy,
    amount: int | None,
    rail: str,
    details: Mapping[str, str],
) -> dict[str, Any]:
    """Return the columns of a transaction that from now on waits for `amount` stroops.

    None is any amount within the limits. On a quote its numbers stand already. Raises
    `Rejected` for another amount or rail than the quote says, where it has run out, and where
    its owner has no room for it (`allowances`).
    """
    flow = flow_of(policy, row.kind)
    if row.quote_id is not None:
        due_at = _demand_quoted(row, amount, rail)
        agreed = allowances.take(row, flow, amount)
        return {"rail": rail, "details": dict(details), "deadline_at": due_at} | agreed
    columns = _frozen(flow.fees.of(rail))
    if amount is not None:
        check_amount(policy, row.kind, amount, rail)
        found = parts(policy, row.kind, amount, rail)
        columns |= {
            "amount_in": found.amount_in,
            "amount_out": found.amount_out,
            "amount_fee": found.amount_fee,
        }
    columns |= allowances.take(row, flow, amount)
    return columns | {
        "amount_expected": amount,
        "decimals": policy.decimals,
        "rail": rail,
        "details": dict(details),
        "deadline_at": utcnow() + timedelta(days=settings().transfer_days),
    }


def _demand_quoted(row: Transaction, amount: int | None, rail: str) -> datetime:
    """Check what is given against the quote; return when that runs out."""
    quote = conversions.quote_of(row)
    if amount != quote.sell_amount:
        raise Rejected("the amount is not what the quote says")
    if rail != (quoted_rail(quote) or rail) or rail not in quoted_ways(quote):
        raise Rejected("this way to pay is not what the quote says")
    if quote.expires_at <= db.session.execute(select(func.clock_timestamp())).scalar_one():
        raise Rejected("the quote has run out; please begin anew from your wallet")
    return quote.expires_at


def quoted_ways(quote: Quote) -> Mapping[str, str]:
    """Return how what a quote has outside the ledger can be paid: names of rails."""
    offchain = settings().quotes.offchain
    for asset, is_sold in ((quote.sell_asset, True), (quote.buy_asset, False)):
        if asset in offchain:
            return offchain[asset].methods(is_sold=is_sold)
    return {}

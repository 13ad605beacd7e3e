"""Withdrawals: opened by a wallet, completed by the customer's details, then waiting for funds."""

from collections.abc import Mapping
from typing import Any

from anchor.assets import is_contracts
from anchor.errors import Rejected
from anchor.extensions import atomic
from anchor.integrations.rates import Way
from anchor.lifecycle import WITHDRAWALS, Event, Kind, Status
from anchor.policies import AssetPolicy
from anchor.services import custodians, customers, memos, opening, quotes
from anchor.services.quotes import Use
from anchor.services.transactions import Happening, Owner, happened


@atomic
def open_interactive(
    owner: Owner,
    policy: AssetPolicy,
    *,
    amount: int | None = None,
    from_account: str | None = None,
    quote_id: str | None = None,
    other_asset: str | None = None,
    refund_memo_type: str | None = None,
    refund_memo: str | None = None,
    customer_id: str | None = None,
    details: Mapping[str, str] | None = None,
    **columns: Any,
) -> str:
    """Open a withdrawal whose details the customer gives on a page; return its id.

    The fee schedule of today is frozen on it, or the quote that it is on, which is used up;
    `columns` are what else is kept of it, and `transaction_id` where that is known already.
    Raises `Rejected` for an amount outside the limits, for a quote that does not fit (SEP24-21),
    for a refund memo that is none (SEP24-31), and for an account that cannot pay so.
    """
    from_account = from_account or owner.account_id
    check_payer(policy, from_account, refund_memo)
    if customer_id is not None:
        customers.hold_named(owner, customer_id)
    refund_memo_type, refund_memo = memos.read(refund_memo_type, refund_memo)
    quote = None
    if quote_id is not None:
        asset = f"stellar:{policy.id}"
        use = Use(quote_id, owner, opening.ON_PAGES, Way.WITHDRAWAL, asset, other_asset, amount)
        quote = quotes.take(use)
    row = opening.begin(
        Kind.WITHDRAWAL_EXCHANGE if quote else Kind.WITHDRAWAL,
        owner,
        policy,
        amount=amount,
        quote=quote,
        from_account=from_account,
        refund_memo_type=refund_memo_type,
        refund_memo=refund_memo,
        customer_id=customer_id,
        details=dict(details or {}),
        **columns,
    )
    return row.id


def check_payer(policy: AssetPolicy, account: str, refund_memo: str | None) -> None:
    """Raise `Rejected` for a contract account that cannot pay, or be paid back, as is asked.

    It pays by a transfer to the muxed address of our account: the id in that is all that goes
    with it (CAP-67), and every memo that we issue is such an id (SEP6-47). What comes to the
    issuer itself is burnt, and a burn carries no id. Nor can a contract be sent a memo. Whom no
    refund could be paid is not served at all.
    """
    if not is_contracts(account):
        return
    if custodians.why_no_contract() is not None:
        raise Rejected("contract accounts (C…) cannot pay here; pay from a G… or M… account")
    if policy.distribution == policy.issuer:
        raise Rejected("contract accounts (C…) cannot pay this asset; pay from a G… or M… account")
    if refund_memo is not None:
        raise Rejected("no refund_memo can be sent to a contract account (C…)")


@atomic
def give_details(
    transaction_id: str,
    amount: int,
    rail: str,
    details: Mapping[str, str],
    request_id: str,
    *,
    status: Status = Status.INCOMPLETE,
) -> None:
    """Complete a withdrawal: from now on it waits for exactly `amount` stroops under its memo.

    Other details for one that does not stand in `status` are `Rejected`.
    """
    row, policy = opening.incomplete(transaction_id, rail, *WITHDRAWALS, status=status)
    columns = opening.completed(row, policy, amount, rail, details)
    memos.issue(policy.distribution, row.id)
    happened(Happening(row.id, Event.DETAILS_GIVEN, request_id, columns=columns))

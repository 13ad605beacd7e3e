"""Deposits: opened by a wallet, completed by the customer's details, then waiting for funds."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anchor import web_auth
from anchor.assets import is_contracts
from anchor.errors import Rejected
from anchor.extensions import atomic, contracts, gateway, settings
from anchor.integrations.protocols import Instruction
from anchor.integrations.rates import Way
from anchor.lifecycle import DEPOSITS, Event, Kind, Status
from anchor.models import Transaction
from anchor.policies import AssetPolicy
from anchor.services import custodians, customers, memos, opening, own_accounts, quotes, rails
from anchor.services.pending_deposits import pending
from anchor.services.quotes import Use
from anchor.services.references import issue
from anchor.services.transactions import Happening, Owner, happened

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Destination:
    """Where a deposit is paid to: an address as the wallet gave it, its base account, a memo.

    `memo` is stored as the ledger's are: a hash is lower-case hex.
    """

    address: str
    account_id: str
    memo_type: str | None
    memo: str | None

    @property
    def is_contract(self) -> bool:
        """Whether it is a contract account."""
        return is_contracts(self.address)


def open_interactive(
    owner: Owner,
    policy: AssetPolicy,
    *,
    destination: str | None = None,
    destination_memo: str | None = None,
    destination_memo_type: str | None = None,
    amount: int | None = None,
    quote_id: str | None = None,
    other_asset: str | None = None,
    takes_claimable_balance: bool = False,
    customer_id: str | None = None,
    details: Mapping[str, str] | None = None,
    **columns: Any,
) -> str:
    """Open a deposit whose details the customer gives on a page; return its id.

    It is paid to `destination` (``G…``, ``M…`` or ``C…``, kept as given), by default to the owner's
    account. The fee schedule of today is frozen on it, or the quote that it is on, which is used
    up; `columns` are what else is kept of it, and `transaction_id` where that is known already.
    Raises `Rejected` for an amount outside the limits, a quote that does not fit (SEP24-21),
    a destination that cannot be paid (SEP24-20, SEP24-27) or a memo that is not valid, or
    a `customer_id` of nobody's, and
    `Unavailable` where the ledger does not say whether the account is there.
    """
    target = read_destination(
        destination or owner.account_id, destination_memo_type, destination_memo
    )
    check_is_payable(policy, target, takes_claimable_balance=takes_claimable_balance)
    use = None
    if quote_id is not None:
        asset = f"stellar:{policy.id}"
        use = Use(quote_id, owner, opening.ON_PAGES, Way.DEPOSIT, asset, other_asset, amount)
    return _open(
        owner,
        policy,
        target,
        use,
        amount=amount,
        takes_claimable_balance=takes_claimable_balance and not target.is_contract,
        customer_id=customer_id,
        details=dict(details or {}),
        **columns,
    )


def read_destination(address: str, memo_type: str | None, memo: str | None) -> Destination:
    """Read where a wallet wants a deposit to be paid; `Rejected` where that cannot be.

    An ``M…`` address has its id in itself and takes no memo beside it (CAP27-02, SEP-23), and
    no memo travels with a payment to a contract, ``C…`` (SEP6-31).
    """
    if is_contracts(address):
        return _contract(address, memo_type, memo)
    if not web_auth.is_account(address):
        raise Rejected("account must be a Stellar address (G… or M…)")
    client = web_auth.read_client(address)
    memo_type, memo = memos.read(memo_type, memo)
    if client.is_muxed and memo is not None:
        raise Rejected("a muxed account (M…) takes no memo beside its own id")
    return Destination(address, client.account_id, memo_type, memo)


def _contract(address: str, memo_type: str | None, memo: str | None) -> Destination:
    if custodians.why_no_contract() is not None:
        raise Rejected("contract accounts (C…) cannot be paid here; name a G… or M… address")
    if not web_auth.is_contract(address):
        raise Rejected("account must be a Stellar address (G…, M… or C…)")
    if memo is not None or memo_type is not None:
        raise Rejected("a payment to a contract account (C…) carries no memo; leave it out")
    return Destination(address, address, None, None)


def check_is_payable(
    policy: AssetPolicy, target: Destination, *, takes_claimable_balance: bool
) -> None:
    """Ask the ledger whether there is an account to pay, where it would not be created.

    Raises `Rejected` where there is none (SEP6-27, SEP24-27), and for an account of our own. A
    contract is never created: it has to be there, and may not be one that is an asset.
    """
    _demand_not_ours(target)
    if target.is_contract:
        _demand_contract(target.address)
        return
    delivery = policy.delivery
    creates = delivery.create_accounts or (delivery.claimable_balances and takes_claimable_balance)
    if not creates and gateway().account(target.account_id) is None:
        raise Rejected("the account is not on the ledger, and accounts are not created here")


def _demand_contract(address: str) -> None:
    from anchor.ledger.operations import contract_of  # it brings stellar_sdk

    passphrase = settings().network_passphrase
    served = {contract_of(policy.id, passphrase) for policy in settings().assets.values()}
    if address in served:
        raise Rejected("this is the contract of an asset, and what it is paid is lost")
    if contracts().instance(address) is None:
        raise Rejected("the contract is not on the ledger, or it is archived")


@atomic
def _demand_not_ours(target: Destination) -> None:
    if target.account_id in own_accounts.known():
        raise Rejected("a deposit cannot be paid to an account of the anchor's own")


@atomic
def _open(
    owner: Owner, policy: AssetPolicy, target: Destination, use: Use | None, **columns: Any
) -> str:
    if columns["customer_id"] is not None:
        customers.hold_named(owner, columns["customer_id"])
    quote = quotes.take(use) if use else None
    row = opening.begin(
        Kind.DEPOSIT_EXCHANGE if quote else Kind.DEPOSIT,
        owner,
        policy,
        quote=quote,
        destination=target.address,
        destination_memo_type=target.memo_type,
        destination_memo=target.memo,
        **columns,
    )
    return row.id


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
    """Complete a deposit: from now on it waits for `amount` stroops under its reference.

    Other details for one that does not stand in `status` are `Rejected`. The reference is its
    own for ever.
    """
    row, policy = opening.incomplete(transaction_id, rail, *DEPOSITS, status=status)
    columns = opening.completed(row, policy, amount, rail, details)
    issue(row)
    happened(Happening(row.id, Event.DETAILS_GIVEN, request_id, columns=columns))


def rail_says(row: Transaction) -> Mapping[str, Instruction]:
    """Return how the rail says that a deposit is paid in, by SEP-9 names; nothing if it fails."""
    try:
        told = rails.find(row.rail).deposit_instructions(pending(row))
        return {name: each for name, each in told.items() if isinstance(each, Instruction)}
    except Exception:  # a rail may raise anything, and what is known besides still helps
        log.exception("the rail %s gave no instructions for %s", row.rail, row.id)
        return {}

"""The operations that an order is carried out by. Pure functions; `Rejected` says what is wrong.

Stellar: trust line flags (CAP-35), claimable balances (CAP-23), muxed accounts (SEP-23), and
for contract accounts what `anchor.ledger.invocations` says.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from stellar_sdk import (
    Asset,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    ClaimPredicate,
    CreateAccount,
    CreateClaimableBalance,
    MuxedAccount,
    Payment,
    SetTrustLineFlags,
    StrKey,
)
from stellar_sdk.operation import Operation
from stellar_sdk.operation.set_trust_line_flags import TrustLineFlags

from anchor.errors import Rejected
from anchor.ledger import invocations
from anchor.ledger.orders import LedgerOrder
from anchor.money import MAX_STROOPS, format_amount_7

_BALANCE = re.compile(r"0{8}[0-9a-f]{64}")


def operations_of(
    order: LedgerOrder, source: str, channel: str, passphrase: str
) -> Iterator[Operation]:
    """Yield the operations of an order that `source` pays, in a transaction of `channel`."""
    try:
        make = _FORMS[order.form]
    except KeyError:
        raise Rejected(f"{order.form} is not a form of order") from None
    if order.issuer is not None:
        yield _authorization(order, None if order.issuer == channel else order.issuer)
    if order.calls_contract:
        asset, amount = _asset(order.asset), order.amount
        yield invocations.transfer(asset, amount, source, order.destination, passphrase)
    else:
        yield make(order, source, None if source == channel else source)


def contract_of(asset: str, passphrase: str) -> str:
    """Return the contract (``C…``) of an asset, whether or not it was deployed."""
    return _asset(asset).contract_id(passphrase)


def account_of(text: str) -> str:
    """Return what is an account (``G…``); `Rejected` for anything else."""
    if not StrKey.is_valid_ed25519_public_key(text):
        raise Rejected("an account is written as G…")
    return text


def _authorization(order: LedgerOrder, issuer: str | None) -> Operation:
    if order.form != "payment" or order.calls_contract:
        raise Rejected(
            f"no trust line is authorized for a {order.form} to {order.destination[:1]}…"
        )
    holder, flag = _base_account(order.destination), TrustLineFlags.AUTHORIZED_FLAG
    return SetTrustLineFlags(holder, _asset(order.asset), set_flags=flag, source=issuer)


def _payment(order: LedgerOrder, _source: str, operation_source: str | None) -> Operation:
    destination = _muxed_account(order.destination)
    return Payment(destination, _asset(order.asset), _amount(order.amount), operation_source)


def _create_account(order: LedgerOrder, _source: str, operation_source: str | None) -> Operation:
    if order.asset != "native" or order.starting_balance:
        raise Rejected("an account comes to be with lumens; order the rest on its own")
    return CreateAccount(account_of(order.destination), _amount(order.amount), operation_source)


def _establish(order: LedgerOrder, _source: str, operation_source: str | None) -> Operation:
    if order.amount:
        raise Rejected("an account is established with its starting balance and nothing else")
    account = _base_account(order.destination)
    return CreateAccount(account, _amount(order.starting_balance), operation_source)


def _claimable_balance(order: LedgerOrder, source: str, operation_source: str | None) -> Operation:
    if order.reclaim_at is None or not 0 < order.reclaim_at <= MAX_STROOPS:
        raise Rejected("a claimable balance needs the time from which it is taken back")
    if order.destination == source:
        raise Rejected("a claimable balance for the account that pays it")
    before = ClaimPredicate.predicate_before_absolute_time(order.reclaim_at)
    claimants = [
        Claimant(account_of(order.destination), before),
        Claimant(source, ClaimPredicate.predicate_not(before)),
    ]
    return CreateClaimableBalance(
        _asset(order.asset), _amount(order.amount), claimants, operation_source
    )


def _claim(order: LedgerOrder, _source: str, operation_source: str | None) -> Operation:
    if not _BALANCE.fullmatch(order.balance_id or ""):
        raise Rejected("the id of a claimable balance has 72 hex digits")
    return ClaimClaimableBalance(order.balance_id or "", operation_source)


def _trust(order: LedgerOrder, _source: str, operation_source: str | None) -> Operation:
    if order.asset == "native":
        raise Rejected("lumens need no trust line")
    return ChangeTrust(_asset(order.asset), source=operation_source)


_FORMS: Mapping[str, Callable[[LedgerOrder, str, str | None], Operation]] = {
    "payment": _payment,
    "create_account": _create_account,
    "establish": _establish,
    "claimable_balance": _claimable_balance,
    "claim": _claim,
    "trust": _trust,
}


def _base_account(text: str) -> str:
    return _muxed_account(text).account_id


def _muxed_account(text: str) -> MuxedAccount:
    try:
        return MuxedAccount.from_account(text)
    except ValueError:
        raise Rejected("a destination is an account (G…) or a muxed one (M…)") from None


def _asset(text: str) -> Asset:
    if text == "native":
        return Asset.native()
    code, _, issuer = text.partition(":")
    try:
        return Asset(code, account_of(issuer))
    except ValueError:
        raise Rejected("an asset is written as native or CODE:ISSUER") from None


def _amount(stroops: int) -> str:
    if not 0 < stroops <= MAX_STROOPS:
        raise Rejected("an amount that no ledger can move")
    return format_amount_7(stroops)

"""What a transaction that somebody else built really does, held against what was ordered.

Pure functions over base-64 XDR: nothing here asks a network, and no value of an SDK leaves.
"""

from typing import Any

from stellar_sdk import CreateClaimableBalance, FeeBumpTransactionEnvelope, TransactionEnvelope
from stellar_sdk.operation import Operation

from anchor.errors import Rejected
from anchor.ledger import envelopes
from anchor.ledger.orders import LedgerOrder


def carries_memo(envelope_xdr: str, memo_type: str, memo: str | None, passphrase: str) -> bool:
    """Tell whether a transaction has exactly this memo; ``none`` is one, too."""
    wanted = _expected(_ANYTHING, _ANYBODY, memo_type, memo, passphrase).transaction.memo
    return _inner(envelope_xdr, passphrase).transaction.memo == wanted


def fee_account(envelope_xdr: str, passphrase: str) -> str:
    """Return the account (``G…``) that pays the fee of a transaction; of a bump, the outer one."""
    try:
        if FeeBumpTransactionEnvelope.is_fee_bump_transaction_envelope(envelope_xdr):
            bump = FeeBumpTransactionEnvelope.from_xdr(envelope_xdr, passphrase)
            return bump.transaction.fee_source.account_id
    except Exception as error:  # the SDK raises whatever its parts do
        raise Rejected(f"the envelope cannot be read: {type(error).__name__}") from error
    return _inner(envelope_xdr, passphrase).transaction.source.account_id


def places_of(
    envelope_xdr: str, order: LedgerOrder, source: str, passphrase: str
) -> tuple[int, ...]:
    """Return the places (from 0) of the operations of `source` that do exactly what was ordered.

    Destination with its muxed id, asset, amount and, of a claimable balance, who may claim
    it and when have to agree. Raises `Rejected` where the envelope or the order cannot be read.
    """
    [wanted] = _expected(order, source, "none", None, passphrase).transaction.operations
    transaction = _inner(envelope_xdr, passphrase).transaction
    return tuple(
        place
        for place, operation in enumerate(transaction.operations)
        if (operation.source or transaction.source).account_id == source
        and _deed(operation) == _deed(wanted)
    )


#: Somebody and something that an envelope can be built of, where only its memo is of use.
_ANYBODY = "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF"
_ANYTHING = LedgerOrder("payment", _ANYBODY, "native", 1)


def _expected(
    order: LedgerOrder, source: str, memo_type: str, memo: str | None, passphrase: str
) -> TransactionEnvelope:
    built = envelopes.build(
        source,
        1,
        source,
        [order],
        memo_type=memo_type,
        memo=memo,
        fee_per_operation=100,
        max_time=1,
        passphrase=passphrase,
    )
    return TransactionEnvelope.from_xdr(built.envelope_xdr, passphrase)


def _inner(envelope_xdr: str, passphrase: str) -> TransactionEnvelope:
    try:
        if FeeBumpTransactionEnvelope.is_fee_bump_transaction_envelope(envelope_xdr):
            bump = FeeBumpTransactionEnvelope.from_xdr(envelope_xdr, passphrase)
            return bump.transaction.inner_transaction_envelope
        return TransactionEnvelope.from_xdr(envelope_xdr, passphrase)
    except Exception as error:  # the SDK raises whatever its parts do
        raise Rejected(f"the envelope cannot be read: {type(error).__name__}") from error


def _deed(operation: Operation) -> Any:
    """Return what an operation does, whoever does it: claimants stand in any order."""
    if isinstance(operation, CreateClaimableBalance):
        claimants = frozenset(each.to_xdr_object().to_xdr() for each in operation.claimants)
        return operation.asset, operation.amount, claimants
    return operation.to_xdr_object().body.to_xdr()

"""Whether a transaction that calls a contract has the form that every ledger asks of it."""

from __future__ import annotations

from stellar_sdk import xdr

from anchor.sandbox.network.contracts.costs import declared_fee
from anchor.sandbox.network.envelope import Envelope
from anchor.sandbox.network.results import TxCode

_Type = xdr.OperationType
_CALLS = (_Type.INVOKE_HOST_FUNCTION, _Type.EXTEND_FOOTPRINT_TTL, _Type.RESTORE_FOOTPRINT)
MAX_RESOURCE_FEE = 2**50


def broken_rule(envelope: Envelope) -> TxCode | None:
    """Return the code of the first rule that does not hold.

    A call is alone in its transaction, which declares its resources and pays for them, and
    has neither a memo nor a muxed source: who is meant stands in the call itself.
    """
    operations, data = envelope.tx.operations, envelope.soroban
    if not any(each.body.type in _CALLS for each in operations):
        return None if data is None else TxCode.txMALFORMED
    if len(operations) != 1 or data is None or not 0 <= envelope.resource_fee <= MAX_RESOURCE_FEE:
        return TxCode.txMALFORMED
    is_muxed = envelope.operation_source(operations[0]).muxed_id is not None
    if is_muxed or envelope.source.muxed_id is not None:
        return TxCode.txSOROBAN_INVALID
    footprint = data.resources.footprint
    keys = [key.to_xdr_bytes() for key in [*footprint.read_only, *footprint.read_write]]
    has_memo = envelope.tx.memo.type is not xdr.MemoType.MEMO_NONE
    is_paid = declared_fee(data.resources) <= envelope.resource_fee <= envelope.fee
    if has_memo or not is_paid or len(set(keys)) != len(keys):
        return TxCode.txSOROBAN_INVALID
    return None

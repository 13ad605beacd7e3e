"""Results of transactions and operations: real XDR, and Horizon's word for each code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

from stellar_sdk import xdr

Type = xdr.OperationType
TxCode = xdr.TransactionResultCode
OpCode = xdr.OperationResultCode
Code = TypeVar("Code", bound=IntEnum)

# operation type -> (field of OperationResultTr, class of its result, prefix of its codes)
_KINDS: dict[xdr.OperationType, tuple[str, Any, str]] = {
    Type.CREATE_ACCOUNT: ("create_account_result", xdr.CreateAccountResult, "CREATE_ACCOUNT_"),
    Type.PAYMENT: ("payment_result", xdr.PaymentResult, "PAYMENT_"),
    Type.PATH_PAYMENT_STRICT_RECEIVE: (
        "path_payment_strict_receive_result",
        xdr.PathPaymentStrictReceiveResult,
        "PATH_PAYMENT_STRICT_RECEIVE_",
    ),
    Type.PATH_PAYMENT_STRICT_SEND: (
        "path_payment_strict_send_result",
        xdr.PathPaymentStrictSendResult,
        "PATH_PAYMENT_STRICT_SEND_",
    ),
    Type.SET_OPTIONS: ("set_options_result", xdr.SetOptionsResult, "SET_OPTIONS_"),
    Type.CHANGE_TRUST: ("change_trust_result", xdr.ChangeTrustResult, "CHANGE_TRUST_"),
    Type.ACCOUNT_MERGE: ("account_merge_result", xdr.AccountMergeResult, "ACCOUNT_MERGE_"),
    Type.MANAGE_DATA: ("manage_data_result", xdr.ManageDataResult, "MANAGE_DATA_"),
    Type.ALLOW_TRUST: ("allow_trust_result", xdr.AllowTrustResult, "ALLOW_TRUST_"),
    Type.BUMP_SEQUENCE: ("bump_seq_result", xdr.BumpSequenceResult, "BUMP_SEQUENCE_"),
    Type.CREATE_CLAIMABLE_BALANCE: (
        "create_claimable_balance_result",
        xdr.CreateClaimableBalanceResult,
        "CREATE_CLAIMABLE_BALANCE_",
    ),
    Type.CLAIM_CLAIMABLE_BALANCE: (
        "claim_claimable_balance_result",
        xdr.ClaimClaimableBalanceResult,
        "CLAIM_CLAIMABLE_BALANCE_",
    ),
    Type.BEGIN_SPONSORING_FUTURE_RESERVES: (
        "begin_sponsoring_future_reserves_result",
        xdr.BeginSponsoringFutureReservesResult,
        "BEGIN_SPONSORING_FUTURE_RESERVES_",
    ),
    Type.END_SPONSORING_FUTURE_RESERVES: (
        "end_sponsoring_future_reserves_result",
        xdr.EndSponsoringFutureReservesResult,
        "END_SPONSORING_FUTURE_RESERVES_",
    ),
    Type.CLAWBACK: ("clawback_result", xdr.ClawbackResult, "CLAWBACK_"),
    Type.CLAWBACK_CLAIMABLE_BALANCE: (
        "clawback_claimable_balance_result",
        xdr.ClawbackClaimableBalanceResult,
        "CLAWBACK_CLAIMABLE_BALANCE_",
    ),
    Type.SET_TRUST_LINE_FLAGS: (
        "set_trust_line_flags_result",
        xdr.SetTrustLineFlagsResult,
        "SET_TRUST_LINE_FLAGS_",
    ),
    Type.INVOKE_HOST_FUNCTION: (
        "invoke_host_function_result",
        xdr.InvokeHostFunctionResult,
        "INVOKE_HOST_FUNCTION_",
    ),
}
_PREFIXES = sorted((prefix for _, _, prefix in _KINDS.values()), key=len, reverse=True)

# Horizon's words where they are not the code's own name (its table of result codes)
_ODD_WORDS = {
    "CREATE_ACCOUNT_ALREADY_EXIST": "op_already_exists",
    "PATH_PAYMENT_STRICT_RECEIVE_OVER_SENDMAX": "op_over_source_max",
    "PATH_PAYMENT_STRICT_SEND_UNDER_DESTMIN": "op_under_dest_min",
    "ACCOUNT_MERGE_SEQNUM_TOO_FAR": "op_seq_num_too_far",
    "MANAGE_DATA_NAME_NOT_FOUND": "op_data_name_not_found",
    "MANAGE_DATA_INVALID_NAME": "op_data_invalid_name",
    "ALLOW_TRUST_NO_TRUST_LINE": "op_no_trust",
    "SET_TRUST_LINE_FLAGS_NO_TRUST_LINE": "op_no_trust",
    "CLAWBACK_CLAIMABLE_BALANCE_NOT_ISSUER": "op_no_issuer",
    # calls of contracts have words without the beginning of all others
    "INVOKE_HOST_FUNCTION_TRAPPED": "function_trapped",
    "INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED": "resource_limit_exceeded",
    "INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED": "entry_archived",
    "INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE": "insufficient_refundable_fee",
    "opBAD_AUTH": "op_bad_auth",
    "opNO_ACCOUNT": "op_no_source_account",
    "opNOT_SUPPORTED": "op_not_supported",
    "opTOO_MANY_SUBENTRIES": "op_too_many_subentries",
    "opTOO_MANY_SPONSORING": "op_too_many_sponsoring",
    "opEXCEEDED_WORK_LIMIT": "op_exceeded_work_limit",
    "txNO_ACCOUNT": "tx_no_source_account",
    "txBAD_MIN_SEQ_AGE_OR_GAP": "tx_bad_minseq_age_or_gap",
}


def word(code: IntEnum) -> str:
    """Return Horizon's word for a result code of a transaction or an operation."""
    name = code.name
    if name in _ODD_WORDS:
        return _ODD_WORDS[name]
    if name.startswith("tx"):
        return "tx_" + name[2:].lower()
    prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    return "op_" + name.removeprefix(prefix).lower()


def transaction_code(wanted: str) -> xdr.TransactionResultCode:
    """Return the code of a failed transaction with this word; raises ValueError."""
    return _named(TxCode, wanted)


def operation_code(kind: xdr.OperationType, wanted: str) -> IntEnum:
    """Return the code of a failed operation of a kind with this word; raises ValueError."""
    own: list[IntEnum] = list(_codes_of(_KINDS[kind][1])) if kind in _KINDS else []
    found: IntEnum = _named([*own, *OpCode], wanted)
    return found


def is_code(wanted: str) -> bool:
    """Tell whether this is the word for a failure of a transaction or of some operation."""
    operations = (code for _, kind, _ in _KINDS.values() for code in _codes_of(kind))
    return any(word(code) == wanted for code in (*TxCode, *OpCode, *operations) if code < 0)


def _named(codes: Iterable[Code], wanted: str) -> Code:
    for code in codes:
        if code < 0 and word(code) == wanted:
            return code
    raise ValueError(f"no such code here: {wanted}")


class Refused(Exception):
    """An operation cannot be done; `code` is its result code."""

    def __init__(self, code: IntEnum) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(frozen=True, slots=True)
class OperationOutcome:
    """How one operation ended; `extra` are the further fields of a successful result."""

    type: xdr.OperationType
    code: IntEnum | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """Horizon's word for it."""
        if self.code is not None:
            return word(self.code)
        return "op_success" if self.type in _KINDS else word(OpCode.opNOT_SUPPORTED)

    def to_xdr(self) -> xdr.OperationResult:
        """Build the XDR of the result."""
        if isinstance(self.code, xdr.OperationResultCode):
            return xdr.OperationResult(self.code)
        if self.type not in _KINDS:
            return xdr.OperationResult(OpCode.opNOT_SUPPORTED)
        name, kind, prefix = _KINDS[self.type]
        codes = type(self.code) if self.code is not None else _codes_of(kind)
        code = self.code if self.code is not None else codes[prefix + "SUCCESS"]
        extra = self.extra or (_blank_extra(self.type) if self.code is None else {})
        result = kind(code, **extra)
        return xdr.OperationResult(
            OpCode.opINNER, xdr.OperationResultTr(self.type, **{name: result})
        )


def _blank_extra(operation_type: xdr.OperationType) -> dict[str, Any]:
    """Return what the success of an operation holds that was never applied."""
    if operation_type is Type.ACCOUNT_MERGE:
        return {"source_account_balance": xdr.Int64(0)}
    if operation_type is Type.CREATE_CLAIMABLE_BALANCE:
        return {"balance_id": xdr.ClaimableBalanceID.from_xdr_bytes(bytes(36))}
    if operation_type is Type.INVOKE_HOST_FUNCTION:
        return {"success": xdr.Hash(bytes(32))}
    successes: dict[xdr.OperationType, Any] = {
        Type.PATH_PAYMENT_STRICT_RECEIVE: xdr.PathPaymentStrictReceiveResultSuccess,
        Type.PATH_PAYMENT_STRICT_SEND: xdr.PathPaymentStrictSendResultSuccess,
    }
    if operation_type not in successes:
        return {}
    key = xdr.PublicKey(xdr.PublicKeyType.PUBLIC_KEY_TYPE_ED25519, xdr.Uint256(bytes(32)))
    native = xdr.Asset(xdr.AssetType.ASSET_TYPE_NATIVE)
    last = xdr.SimplePaymentResult(xdr.AccountID(key), native, xdr.Int64(0))
    return {"success": successes[operation_type]([], last)}


def _codes_of(kind: Any) -> Any:
    return getattr(xdr, kind.__name__ + "Code")


@dataclass(frozen=True, slots=True)
class TransactionOutcome:
    """How a transaction ended: its code, the fee in stroops and each operation's outcome."""

    code: xdr.TransactionResultCode
    fee_charged: int
    operations: tuple[OperationOutcome, ...] = ()
    inner_hash: bytes | None = None
    inner_fee_charged: int = 0

    @property
    def is_successful(self) -> bool:
        """Whether its operations took effect."""
        return self.code is TxCode.txSUCCESS

    @property
    def outer_code(self) -> xdr.TransactionResultCode:
        """The code that a fee bump shows outside; the code itself without one."""
        if self.inner_hash is None:
            return self.code
        if self.is_successful:
            return TxCode.txFEE_BUMP_INNER_SUCCESS
        return TxCode.txFEE_BUMP_INNER_FAILED

    def words(self) -> dict[str, object]:
        """Return Horizon's `result_codes` object."""
        found: dict[str, object] = {"transaction": word(self.outer_code)}
        if self.inner_hash is not None:
            found["inner_transaction"] = word(self.code)
        if self.code is TxCode.txFAILED:
            found["operations"] = [operation.word for operation in self.operations]
        return found

    def to_xdr(self) -> str:
        """Build the base64 of the TransactionResult."""
        results = (
            [operation.to_xdr() for operation in self.operations]
            if self.code in (TxCode.txSUCCESS, TxCode.txFAILED)
            else None
        )
        if self.inner_hash is None:
            body = xdr.TransactionResultResult(self.code, results=results)
        else:
            inner = xdr.InnerTransactionResult(
                xdr.Int64(self.inner_fee_charged),
                xdr.InnerTransactionResultResult(self.code, results=results),
                xdr.InnerTransactionResultExt(0),
            )
            pair = xdr.InnerTransactionResultPair(xdr.Hash(self.inner_hash), inner)
            body = xdr.TransactionResultResult(self.outer_code, inner_result_pair=pair)
        fee = xdr.Int64(self.fee_charged)
        return xdr.TransactionResult(fee, body, xdr.TransactionResultExt(0)).to_xdr()


def type_name(operation_type: xdr.OperationType) -> str:
    """Return Horizon's `type` of an operation."""
    return re.sub(r"\W", "_", operation_type.name.lower())

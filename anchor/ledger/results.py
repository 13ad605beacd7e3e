"""Results of transactions, read from XDR in Horizon's words.

Horizon names a code after its place in the protocol: ``PAYMENT_NO_TRUST`` is
``op_no_trust``. The few that it names otherwise are in a table here; see Horizon's
result codes.
"""

from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from anchor.errors import Rejected
from anchor.ledger.gateway import Verdict

if TYPE_CHECKING:
    from stellar_sdk import xdr

_ODD = {
    "txNO_ACCOUNT": "tx_no_source_account",
    "txBAD_MIN_SEQ_AGE_OR_GAP": "tx_bad_minseq_age_or_gap",
    "opBAD_AUTH": "op_bad_auth",
    "opNO_ACCOUNT": "op_no_source_account",
    "opNOT_SUPPORTED": "op_not_supported",
    "opTOO_MANY_SUBENTRIES": "op_too_many_subentries",
    "opTOO_MANY_SPONSORING": "op_too_many_sponsoring",
    "opEXCEEDED_WORK_LIMIT": "op_exceeded_work_limit",
    "CREATE_ACCOUNT_ALREADY_EXIST": "op_already_exists",
    "PATH_PAYMENT_STRICT_RECEIVE_OVER_SENDMAX": "op_over_source_max",
    "PATH_PAYMENT_STRICT_SEND_UNDER_DESTMIN": "op_under_dest_min",
    "ACCOUNT_MERGE_SEQNUM_TOO_FAR": "op_seq_num_too_far",
    "MANAGE_DATA_NAME_NOT_FOUND": "op_data_name_not_found",
    "MANAGE_DATA_INVALID_NAME": "op_data_invalid_name",
    "ALLOW_TRUST_NO_TRUST_LINE": "op_no_trust",
    "SET_TRUST_LINE_FLAGS_NO_TRUST_LINE": "op_no_trust",
    "CLAWBACK_CLAIMABLE_BALANCE_NOT_ISSUER": "op_no_issuer",
    "INVOKE_HOST_FUNCTION_TRAPPED": "function_trapped",
    "INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED": "resource_limit_exceeded",
    "INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED": "entry_archived",
    "INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE": "insufficient_refundable_fee",
    "EXTEND_FOOTPRINT_TTL_RESOURCE_LIMIT_EXCEEDED": "resource_limit_exceeded",
    "EXTEND_FOOTPRINT_TTL_INSUFFICIENT_REFUNDABLE_FEE": "insufficient_refundable_fee",
    "RESTORE_FOOTPRINT_RESOURCE_LIMIT_EXCEEDED": "resource_limit_exceeded",
    "RESTORE_FOOTPRINT_INSUFFICIENT_REFUNDABLE_FEE": "insufficient_refundable_fee",
}


def read_verdict(result_xdr: str) -> Verdict:
    """Read a base-64 TransactionResult; raise `Rejected` where it cannot be read."""
    # A quarter of a process' memory: only those that look at results pay for it.
    from stellar_sdk import xdr

    try:
        whole = xdr.TransactionResult.from_xdr(result_xdr)
        return _verdict(whole)
    except Exception as error:
        raise Rejected(f"the result cannot be read: {type(error).__name__}") from error


def _verdict(whole: "xdr.TransactionResult") -> Verdict:
    result, inner_code = whole.result, None
    results = result.results
    if result.inner_result_pair is not None:
        inner = result.inner_result_pair.result.result
        inner_code, results = _word(inner.code), inner.results
    return Verdict(
        transaction_code=_word(result.code),
        operation_codes=tuple(_operation(each) for each in results or ()),
        inner_code=inner_code,
        fee_charged=whole.fee_charged.int64,
    )


def _operation(result: "xdr.OperationResult") -> str:
    if result.tr is None:
        return _word(result.code)
    code = _arm(result.tr).code
    return "op_success" if code == 0 else _word(code)


def _arm(chosen: "xdr.OperationResultTr") -> Any:
    """Return the one result that the union holds, whatever kind of operation it is of."""
    return next(arm for arm in vars(chosen).values() if hasattr(arm, "code"))


def _word(code: IntEnum) -> str:
    if code.name in _ODD:
        return _ODD[code.name]
    if code.name.startswith("tx"):
        return "tx_" + code.name.removeprefix("tx").lower()
    return "op_" + code.name.removeprefix(_prefix(type(code))).lower()


@cache
def _prefix(codes: type[IntEnum]) -> str:
    """Return what the names of all codes of one kind of operation begin with."""
    names = [each.name for each in codes]
    first, last = min(names), max(names)
    length = next(i for i, letter in enumerate(first) if last[i] != letter)
    return first[: first.rindex("_", 0, length + 1) + 1]

"""Horizon's operation records as payments: strict where money is, forgiving nowhere.

What cannot be understood is kept whole with the reason, and never raises: one bad record
must not stop the stream (promises 1 and 12).
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from anchor.ledger.gateway import LedgerPayment
from anchor.money import parse_amount

CREDIT, DEBIT = 0, 1
_SIDES = {
    "create_account": ("funder", "account", "starting_balance"),
    "payment": ("from", "to", "amount"),
    "path_payment_strict_receive": ("from", "to", "amount"),
    "path_payment_strict_send": ("from", "to", "amount"),
    "account_merge": ("account", "into", ""),
}


class Unreadable(ValueError):
    """The record says something that this anchor does not understand."""


def read_payment(record: Mapping[str, Any], account: str) -> LedgerPayment | None:
    """Return what a record of ``/accounts/{account}/payments`` means for `account`.

    None for an operation of a failed transaction. A payment of an account to itself
    brings nothing in and is an outgoing one. The row's index is 0 for a credit and 1 for
    a debit, so that two accounts of ours may both keep one operation. Whatever it returns
    a database can hold. Raises `Unreadable` only where not even the operation's id can be
    read.
    """
    try:
        operation_id = int(record["id"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unreadable("a record without an operation id") from error
    if not 0 < operation_id < 2**63:
        raise Unreadable("an operation id outside of 63 bits")
    if record.get("transaction_successful") is False:
        return None
    common = _common(record, operation_id, account)
    try:
        return LedgerPayment(**common | _understood(record, account))
    except Exception as error:  # whatever a record makes of us, it is kept
        reason = str(error) if isinstance(error, Unreadable) else type(error).__name__
        common["raw"] = _storable(record)
        return LedgerPayment(**common, unreadable=f"the record was not understood: {reason}")


def _common(record: Mapping[str, Any], operation_id: int, account: str) -> dict[str, Any]:
    return {
        "operation_id": operation_id,
        "index": CREDIT,
        "paging_token": str(record.get("paging_token") or operation_id),
        "transaction_hash": _storable(str(record.get("transaction_hash") or "")),
        "ledger": operation_id >> 32,
        "closed_at": _instant(record.get("created_at")),
        "type": _storable(str(record.get("type"))[:100]),
        "direction": "in",
        "account": account,
        "counterparty": None,
        "counterparty_muxed_id": None,
        "asset": None,
        "amount": None,
        "memo_type": "none",
        "memo": None,
        "muxed_id": None,
        "raw": record,
    }


def _understood(record: Mapping[str, Any], account: str) -> dict[str, Any]:
    sides = _SIDES.get(str(record.get("type")))
    if sides is None:
        raise Unreadable(f"an operation of type {record.get('type')}")
    if record.get("transaction_successful") is not True:
        raise Unreadable("it does not say whether its transaction was successful")
    sender, receiver, amount_field = sides
    is_out = record[sender] == account
    if not is_out and record[receiver] != account:
        raise Unreadable("the account takes no part in it")
    mine, other = (sender, receiver) if is_out else (receiver, sender)
    memo_type, memo = _memo(record.get("transaction"))
    return {
        "index": DEBIT if is_out else CREDIT,
        "direction": "out" if is_out else "in",
        "closed_at": _closed_at(record["created_at"]),
        "counterparty": _plain(record[other]),
        "counterparty_muxed_id": _muxed_id(record, other),
        "muxed_id": _muxed_id(record, mine),
        "asset": _asset(record, is_out=is_out),
        "amount": _amount(record, amount_field, is_out=is_out),
        "memo_type": memo_type,
        "memo": memo,
    }


def _muxed_id(record: Mapping[str, Any], side: str) -> int | None:
    value = record.get(f"{side}_muxed_id")
    if value is None:
        # Horizon leaves an id of nought out, but not the muxed address.
        return 0 if record.get(f"{side}_muxed") else None
    number = int(value)
    if not 0 <= number < 2**64:
        raise Unreadable("a muxed id outside of 64 bits")
    return number


def _asset(record: Mapping[str, Any], *, is_out: bool) -> str:
    if record["type"] in {"create_account", "account_merge"}:
        return "native"
    prefix = "source_" if is_out and "source_asset_type" in record else ""
    kind = record[f"{prefix}asset_type"]
    if kind == "native":
        return "native"
    if kind not in {"credit_alphanum4", "credit_alphanum12"}:
        raise Unreadable(f"an asset of type {kind}")
    code, issuer = record[f"{prefix}asset_code"], record[f"{prefix}asset_issuer"]
    return f"{_plain(code)}:{_plain(issuer)}"


def _plain(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise Unreadable("a name that is not plain text")
    return value


def _amount(record: Mapping[str, Any], field: str, *, is_out: bool) -> int:
    if record["type"] == "account_merge":
        return _merged(record)
    if is_out and "source_amount" in record:
        field = "source_amount"
    return parse_amount(record[field], zero=True)


def _merged(record: Mapping[str, Any]) -> int:
    """Look up how much an account merge moved: only the transaction's result says it."""
    transaction = record.get("transaction")
    if not isinstance(transaction, Mapping):
        raise Unreadable("a merge without its transaction")
    from stellar_sdk import xdr  # a quarter of a process' memory, for what hardly ever happens

    result = xdr.TransactionResult.from_xdr(transaction["result_xdr"]).result
    results = (
        result.inner_result_pair.result.result.results
        if result.inner_result_pair is not None
        else result.results
    )
    index = (int(record["id"]) & 0xFFF) - 1
    outcome = results[index].tr if results and 0 <= index < len(results) else None
    merge = outcome.account_merge_result if outcome else None
    if merge is None or merge.source_account_balance is None:
        raise Unreadable("the result of a merge does not say how much it moved")
    return merge.source_account_balance.int64


def _memo(transaction: object) -> tuple[str, str | None]:
    """Return the memo's type and canonical text: decimal ids, lower-case hex hashes.

    A text that is not UTF-8, or that a database cannot hold, is shown as its bytes under
    a type of its own, so that it can never equal a memo that was issued.
    """
    if not isinstance(transaction, Mapping):
        raise Unreadable("no transaction came with it, and so no memo")
    kind = transaction["memo_type"]
    if kind == "none":
        return "none", None
    if kind == "id":
        number = int(transaction["memo"])
        if not 0 <= number < 2**64:
            raise Unreadable("a memo id outside of 64 bits")
        return "id", str(number)
    if kind in {"hash", "return"}:
        return kind, b64decode(transaction["memo"], validate=True).hex()
    if kind != "text":
        raise Unreadable(f"a memo of type {kind}")
    encoded = transaction.get("memo_bytes")
    raw = transaction.get("memo", "").encode() if encoded is None else b64decode(encoded)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes", raw.hex()
    return ("bytes", raw.hex()) if "\0" in text else ("text", text)


def _closed_at(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise Unreadable("a moment without its time zone")
    return found


def _instant(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _storable(value: Any) -> Any:
    """Return JSON that PostgreSQL can hold: it knows no NUL and no half of a surrogate."""
    if isinstance(value, Mapping):
        return {_storable(str(key)): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return value

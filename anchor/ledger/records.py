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
#: The index of an operation that is kept whole: beyond those of all changes of one.
WHOLE = 30_000
_SIDES = {
    "create_account": ("funder", "account", "starting_balance"),
    "payment": ("from", "to", "amount"),
    "path_payment_strict_receive": ("from", "to", "amount"),
    "path_payment_strict_send": ("from", "to", "amount"),
    "account_merge": ("account", "into", ""),
}


class Unreadable(ValueError):
    """The record says something that this anchor does not understand."""


def read_payments(record: Mapping[str, Any], account: str) -> tuple[LedgerPayment, ...]:
    """Return what a record of ``/accounts/{account}/payments`` means for `account`.

    Each balance change of the account is one payment. Those of an operation of the classic
    kind have the index 0 for a credit and 1 for a debit, so that two accounts of ours may both
    keep one operation; the change at place i of a contract's invocation 2·i and 2·i + 1. An
    operation of a failed transaction moved nothing, and an invocation may move nothing of the
    account's: nothing is returned. A payment of an account to itself brings nothing in and is
    an outgoing one. What is not understood is one payment of index `WHOLE`, unreadable.
    Whatever it returns a database can hold. Raises `Unreadable` only where not even the
    operation's id can be read.
    """
    try:
        operation_id = int(record["id"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unreadable("a record without an operation id") from error
    if not 0 < operation_id < 2**63:
        raise Unreadable("an operation id outside of 63 bits")
    if record.get("transaction_successful") is False:
        return ()
    common = _common(record, operation_id, account)
    try:
        return tuple(LedgerPayment(**common | each) for each in _understood(record, account))
    except Exception as error:  # whatever a record makes of us, it is kept
        reason = str(error) if isinstance(error, Unreadable) else type(error).__name__
        common["raw"] = _storable(record)
        note = f"the record was not understood: {reason}"
        return (LedgerPayment(**common, unreadable=note),)


def _common(record: Mapping[str, Any], operation_id: int, account: str) -> dict[str, Any]:
    return {
        "operation_id": operation_id,
        "index": WHOLE,
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


def _understood(record: Mapping[str, Any], account: str) -> list[dict[str, Any]]:
    """Return what differs from `_common` in each payment that a record is."""
    if record.get("transaction_successful") is not True:
        raise Unreadable("it does not say whether its transaction was successful")
    if record.get("type") == "invoke_host_function":
        found = _changes(record, account)
    else:
        found = [_payment(record, account)]
    if not found:
        return []
    memo_type, memo = _memo(record.get("transaction"))
    shared = {"closed_at": _closed_at(record["created_at"]), "memo_type": memo_type, "memo": memo}
    return [each | shared for each in found]


def _payment(record: Mapping[str, Any], account: str) -> dict[str, Any]:
    sides = _SIDES.get(str(record.get("type")))
    if sides is None:
        raise Unreadable(f"an operation of type {record.get('type')}")
    sender, receiver, amount_field = sides
    is_out = record[sender] == account
    if not is_out and record[receiver] != account:
        raise Unreadable("the account takes no part in it")
    mine, other = (sender, receiver) if is_out else (receiver, sender)
    return {
        "index": DEBIT if is_out else CREDIT,
        "direction": "out" if is_out else "in",
        "counterparty": _plain(record[other]),
        "counterparty_muxed_id": _muxed_id(record, other),
        "muxed_id": _muxed_id(record, mine),
        "asset": _asset(record, is_out=is_out),
        "amount": _amount(record, amount_field, is_out=is_out),
    }


def _changes(record: Mapping[str, Any], account: str) -> list[dict[str, Any]]:
    """Return what an invocation of contracts moved to and from `account`.

    Anybody can write a contract that says ``transfer`` of an asset that it does not hold.
    Horizon lists an event as a change only where it comes from the one contract that has the
    asset's address (derived from code, issuer and network), and that contract is the ledger's
    own code. A source that does not prove this must never be read here: whoever pays with such
    a fake token would be credited with real money.
    """
    if "asset_balance_changes" not in record:
        raise Unreadable("it does not say which balances it changed")
    told = record["asset_balance_changes"]
    if told is None:
        return []
    if not isinstance(told, list):
        raise Unreadable("its balance changes are no list")
    found = []
    for place, change in enumerate(told):
        sender, receiver = _parties(change)
        if account in {sender, receiver}:
            found.append(_change(change, place, sender, receiver, account))
    return found


def _parties(change: object) -> tuple[str | None, str | None]:
    """Return who gave and who got by a change: an issuer gives what is minted, and gets what
    is burnt; what is clawed back nobody gets.
    """
    if not isinstance(change, Mapping):
        raise Unreadable("a balance change that is none")
    kind = change.get("type")
    named = {side: change.get(side) or None for side in ("from", "to")}
    if kind == "transfer":
        sides = named["from"], named["to"]
    elif kind == "mint":
        sides = named["from"] or change.get("asset_issuer"), named["to"]
    elif kind == "burn":
        sides = named["from"], named["to"] or change.get("asset_issuer")
    elif kind == "clawback":
        return _plain(named["from"]), None
    else:
        raise Unreadable(f"a balance change of type {kind}")
    return _plain(sides[0]), _plain(sides[1])


def _change(
    change: Mapping[str, Any], place: int, sender: str | None, receiver: str | None, account: str
) -> dict[str, Any]:
    is_out = sender == account
    index = 2 * place + (DEBIT if is_out else CREDIT)
    if index >= WHOLE:
        raise Unreadable("more balance changes than can be told apart")
    other = (receiver or change["asset_issuer"]) if is_out else sender
    muxed_id = _destination_id(change)
    return {
        "index": index,
        "direction": "out" if is_out else "in",
        "counterparty": _plain(other),
        "counterparty_muxed_id": muxed_id if is_out else None,
        "muxed_id": None if is_out else muxed_id,
        "asset": _asset(change, is_out=is_out),
        "amount": parse_amount(change["amount"], zero=True),
    }


def _destination_id(change: Mapping[str, Any]) -> int | None:
    """Return the id of the muxed address that was the receiver of a change (CAP-67).

    Horizon names it alone; its first candidates for version 23 named its type, too. Text and
    bytes are the transaction's memo, which is read where it always is.
    """
    kind, value = change.get("destination_muxed_id_type"), change.get("destination_muxed_id")
    if kind in {"string", "bytes"} or (kind is None and value is None):
        return None
    if kind not in {"uint64", None}:
        raise Unreadable(f"a destination id of type {kind}")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise Unreadable("a destination id that is no number")
    return _id_of_64_bits(value)


def _muxed_id(record: Mapping[str, Any], side: str) -> int | None:
    value = record.get(f"{side}_muxed_id")
    if value is None:
        # Horizon leaves an id of nought out, but not the muxed address.
        return 0 if record.get(f"{side}_muxed") else None
    return _id_of_64_bits(value)


def _id_of_64_bits(value: str | int) -> int:
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

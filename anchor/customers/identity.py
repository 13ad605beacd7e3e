"""Which customer a request is about: the account that asks, and perhaps a memo below it."""

import base64
import binascii
import re
from dataclasses import dataclass

from anchor.errors import Forbidden, Rejected

MAX_ID = 2**64 - 1
_ID = re.compile(r"0|[1-9][0-9]{0,19}")
_MAX_TEXT_BYTES = 28
_HASH_BYTES = 32


@dataclass(frozen=True)
class Identity:
    """The key of a customer: ``G…:5`` and its ``M…`` address are the memo 5 of type id."""

    account_id: str
    memo_type: str = "none"
    memo: str = ""


def identify(
    account_id: str, subaccount_id: int | None, memo: str | None, memo_type: str | None
) -> Identity:
    """Return whom somebody who logged in may mean by a memo (SEP12-05 to SEP12-08).

    A memo that is not the one of the log-in, and any memo of a contract account, is
    `Forbidden`; one that is not of its type is `Rejected`. Without one of its own the log-in
    speaks for all memos of its account.
    """
    if memo is not None and account_id.startswith("C"):
        raise Forbidden("memo must not be given for a contract account")
    if subaccount_id is not None:
        if memo is not None and memo != str(subaccount_id):
            raise Forbidden("memo is not the one that logged in")
        return Identity(account_id, "id", str(subaccount_id))
    if memo is None:
        return Identity(account_id)
    return Identity(account_id, *read_memo(memo, memo_type))


def read_memo(memo: str, memo_type: str | None) -> tuple[str, str]:
    """Return type and memo in the one way in which they are kept; `Rejected` for no memo.

    Without a type whatever is an id is one, and anything else a text.
    """
    is_id = _ID.fullmatch(memo) is not None and int(memo) <= MAX_ID
    if memo_type is None:
        memo_type = "id" if is_id else "text"
    if memo_type == "id" and is_id:
        return "id", memo
    if memo_type == "text" and _is_text(memo):
        return "text", memo
    if memo_type == "hash" and (found := _hash(memo)):
        return "hash", found
    if memo_type not in {"id", "text", "hash"}:
        raise Rejected("memo_type must be id, text or hash")
    raise Rejected("memo is not one of type {memo_type}", memo_type=memo_type)


def _is_text(memo: str) -> bool:
    try:
        size = len(memo.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size <= _MAX_TEXT_BYTES and memo.isprintable()


def _hash(memo: str) -> str | None:
    try:
        found = base64.b64decode(memo, validate=True)
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(found).decode() if len(found) == _HASH_BYTES else None

"""Memos: one allocator for the whole house, and no memo is ever issued twice.

And reading those that a wallet chose for payments to itself.
"""

import re
import secrets
from base64 import b64decode
from collections.abc import Mapping
from typing import cast

from sqlalchemy import Table, Text, bindparam, literal, select
from sqlalchemy.dialects.postgresql import insert

from anchor.errors import Rejected, Unavailable
from anchor.extensions import db
from anchor.matching import MAX_ID
from anchor.models import Account, Memo
from anchor.services import networks

#: Ids stay below 2⁵³, which JavaScript wallets can hold exactly.
ID_LIMIT = 2**53
_TRIES = 8
_ID = re.compile(r"[0-9]{1,20}")
_TEXT_BYTES = 28
_HASH_BYTES = 32


def issue(account_id: str, transaction_id: str) -> Memo:
    """Give a transaction its memo: a random id that this account never had before.

    A transaction has one memo for life; asking again returns the same. Raises `Unavailable` until
    the account is followed on the present network. Needs an open transaction.
    """
    for _ in range(_TRIES):
        values = drawn(account_id, transaction_id)
        made = db.session.execute(ISSUE, values).one_or_none()
        if made is not None:
            return issued(values, made.id, made.network_id)
        had = db.session.scalar(select(Memo).where(Memo.transaction_id == transaction_id))
        if had is not None:
            return had
        networks.receiving(account_id)
    raise Unavailable("no free memo was found; try again")


def drawn(account_id: str, transaction_id: str) -> dict[str, str]:
    """Draw a memo for a transaction that is paid at an account: the values of `ISSUE`."""
    memo = str(secrets.randbelow(ID_LIMIT - 1) + 1)
    return {"account_id": account_id, "new_memo": memo, "transaction_id": transaction_id}


def issued(values: Mapping[str, str], row_id: int, network_id: int) -> Memo:
    """Return the memo that `ISSUE` stored with these values."""
    return Memo(
        id=row_id,
        network_id=network_id,
        account_id=values["account_id"],
        memo_type="id",
        memo=values["new_memo"],
        transaction_id=values["transaction_id"],
    )


_MEMOS = cast(Table, Memo.__table__)
#: Stores a memo that was drawn; nothing where that one, or the transaction, is taken already.
ISSUE = (
    insert(_MEMOS)
    .from_select(
        ["network_id", "account_id", "memo_type", "memo", "transaction_id"],
        networks.WATCHED.add_columns(
            Account.account_id,
            literal("id"),
            bindparam("new_memo", type_=Text()),
            bindparam("transaction_id", type_=Text()),
        ),
    )
    .on_conflict_do_nothing()
    .returning(_MEMOS.c.id, _MEMOS.c.network_id)
)


def read(memo_type: str | None, memo: str | None) -> tuple[str | None, str | None]:
    """Return the type and memo that a wallet wants on a payment, as a ledger's are stored.

    Text of 28 bytes at most, an id of 64 bits, or a hash of 32 bytes in base64, which comes
    back as lower-case hex. Raises `Rejected` for anything else, and where one of the two is
    missing (GEN-36, GEN-37).
    """
    if memo_type is None and memo is None:
        return None, None
    if memo_type is None or memo is None:
        raise Rejected("memo and memo_type must be given together")
    if memo_type == "text":
        if not 0 < len(memo.encode()) <= _TEXT_BYTES:
            raise Rejected("a text memo has {bytes} bytes at most", bytes=_TEXT_BYTES)
        return memo_type, memo
    if memo_type == "id":
        if not _ID.fullmatch(memo) or int(memo) > MAX_ID:
            raise Rejected("an id memo is a whole number of 64 bits")
        return memo_type, str(int(memo))
    if memo_type == "hash":
        return memo_type, _hash(memo).hex()
    raise Rejected("memo_type must be text, id or hash")


def _hash(memo: str) -> bytes:
    try:
        found = b64decode(memo, validate=True)
    except ValueError:
        found = b""
    if len(found) != _HASH_BYTES:
        raise Rejected("a hash memo is written as the base64 of 32 bytes")
    return found

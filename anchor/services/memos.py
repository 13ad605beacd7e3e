"""Memos: one allocator for the whole house, and no memo is ever issued twice.

And reading those that a wallet chose for payments to itself.
"""

import re
import secrets
from base64 import b64decode

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from anchor.errors import Rejected, Unavailable
from anchor.extensions import db
from anchor.matching import MAX_ID
from anchor.models import Memo

#: Ids stay below 2⁵³, which JavaScript wallets can hold exactly.
ID_LIMIT = 2**53
_TRIES = 8
_ID = re.compile(r"[0-9]{1,20}")
_TEXT_BYTES = 28
_HASH_BYTES = 32


def issue(network_id: int, account_id: str, transaction_id: str) -> Memo:
    """Give a transaction its memo: a random id that this account never had before.

    A transaction has one memo for life; asking again returns the same. Needs an open
    transaction.
    """
    for _ in range(_TRIES):
        values = {
            "the_network": network_id,
            "the_account": account_id,
            "the_memo": str(secrets.randbelow(ID_LIMIT - 1) + 1),
            "the_transaction": transaction_id,
        }
        memo: Memo | None = db.session.scalar(_ISSUE, values)
        if memo is None:
            memo = db.session.scalar(select(Memo).where(Memo.transaction_id == transaction_id))
        if memo is not None:
            return memo
    raise Unavailable("no free memo was found; try again")


_ISSUE = (
    insert(Memo)
    .values(
        network_id=bindparam("the_network"),
        account_id=bindparam("the_account"),
        memo_type="id",
        memo=bindparam("the_memo"),
        transaction_id=bindparam("the_transaction"),
    )
    .on_conflict_do_nothing()
    .returning(Memo)
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

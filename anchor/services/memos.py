"""Memos: one allocator for the whole house, and no memo is ever issued twice."""

import secrets

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from anchor.errors import Unavailable
from anchor.extensions import db
from anchor.models import Memo

#: Ids stay below 2⁵³, which JavaScript wallets can hold exactly.
ID_LIMIT = 2**53
_TRIES = 8


def issue(network_id: int, account_id: str, transaction_id: str) -> Memo:
    """Give a transaction its memo: a random id that this account never had before.

    A transaction has one memo for life; asking again returns the same. Needs an open
    transaction.
    """
    held = db.session.scalar(select(Memo).where(Memo.transaction_id == transaction_id))
    if held is not None:
        return held
    for _ in range(_TRIES):
        memo: Memo | None = db.session.scalar(
            insert(Memo)
            .values(
                network_id=network_id,
                account_id=account_id,
                memo_type="id",
                memo=str(secrets.randbelow(ID_LIMIT - 1) + 1),
                transaction_id=transaction_id,
            )
            .on_conflict_do_nothing(
                index_elements=["network_id", "account_id", "memo_type", "memo"]
            )
            .returning(Memo)
        )
        if memo is not None:
            return memo
    raise Unavailable("no free memo was found; try again")

"""The books: each money fact writes entries that sum to zero in each asset (promise 9)."""

from collections.abc import Iterable
from typing import cast

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert

from anchor.extensions import db
from anchor.models import Posting

#: (account, asset, stroops into it; out of it where negative)
Entry = tuple[str, str, int]


def post(cause: str, entries: Iterable[Entry], transaction_id: str | None = None) -> None:
    """Write the entries of one cause; nought is left out. Needs an open transaction.

    The same cause twice changes nothing. Entries that do not sum to zero in each asset fail
    the commit.
    """
    rows: list[dict[str, object]] = [
        {
            "cause": cause,
            "account": account,
            "asset": asset,
            "amount": amount,
            "transaction_id": transaction_id,
        }
        for account, asset, amount in entries
        if amount
    ]
    post_all(rows)


def post_all(rows: list[dict[str, object]]) -> None:
    """Write the entries of several causes, as `post` makes them, in one statement."""
    if rows:
        table = cast(Table, Posting.__table__)
        db.session.execute(insert(table).on_conflict_do_nothing(), rows)

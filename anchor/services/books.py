"""The books: each money fact writes entries that sum to zero in each asset (promise 9)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import insert

from anchor.extensions import atomic, db
from anchor.models import BOOK_ACCOUNTS, Posting

#: (account, asset, stroops into it; out of it where negative)
Entry = tuple[str, str, int]


def post(cause: str, entries: Iterable[Entry], transaction_id: str | None = None) -> None:
    """Write the entries of one cause; nought is left out. Needs an open transaction.

    The same cause twice changes nothing. Entries that do not sum to zero in each asset fail
    the commit.
    """
    post_all(rows(cause, entries, transaction_id))


def rows(
    cause: str, entries: Iterable[Entry], transaction_id: str | None = None
) -> list[dict[str, object]]:
    """Return the entries of one cause as `post_all` takes them; nought is left out."""
    return [
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


def post_all(entries: list[dict[str, object]]) -> None:
    """Write the entries of several causes, as `rows` makes them, in one statement."""
    if entries:
        table = cast(Table, Posting.__table__)
        db.session.execute(insert(table).on_conflict_do_nothing(), entries)


@atomic
def balances(at: datetime | None = None) -> Mapping[str, Mapping[str, int]]:
    """Return the stroops on each account of the books, by asset, as they stood before `at`.

    Those of one asset sum to zero. An account without an entry is left out.
    """
    query = (
        select(Posting.asset, Posting.account, func.sum(Posting.amount))
        .group_by(Posting.asset, Posting.account)
        .order_by(Posting.asset)
    )
    if at is not None:
        query = query.where(Posting.booked_at < at)
    found: dict[str, dict[str, int]] = {}
    for asset, account, total in db.session.execute(query):
        found.setdefault(asset, {})[account] = int(total)
    return {
        asset: {name: accounts[name] for name in BOOK_ACCOUNTS if name in accounts}
        for asset, accounts in found.items()
    }


def is_balanced(found: Mapping[str, Mapping[str, int]]) -> bool:
    """Tell whether what `balances` found sums to zero in each asset."""
    return not any(sum(accounts.values()) for accounts in found.values())

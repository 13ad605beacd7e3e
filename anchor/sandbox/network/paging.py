"""Pages and streams over lists that are in the order of their tokens (Horizon: paging)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from anchor.sandbox.network.http import Request
from anchor.sandbox.network.problems import Problem, invalid
from anchor.sandbox.network.records import BASE, dumps
from anchor.sandbox.network.values import ledger_token

DEFAULT_LIMIT, MAX_LIMIT = 10, 200
MAX_TOKEN = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that can be paged or streamed.

    `records` gives the present list, `key` the order and `token` the paging
    token of a record, `write` its JSON; `keep` filters.
    """

    records: Callable[[], Sequence[Any]]
    key: Callable[[Any], Any]
    token: Callable[[Any], str]
    write: Callable[[Any], str]
    read_cursor: Callable[[str], Any]
    keep: Callable[[Any], bool] = lambda _record: True
    in_history: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """Checked paging parameters; `cursor` is the text that links repeat."""

    cursor: str
    limit: int
    descending: bool


def read_window(params: dict[str, str], latest: int, last_event_id: str = "") -> Window:
    """Check cursor, limit and order; raises Problem as Horizon words it."""
    cursor = last_event_id or params.get("cursor", "")
    if cursor == "now":
        cursor = str(ledger_token(latest + 1) - 1)
    order = params.get("order", "") or "asc"
    if order not in ("asc", "desc"):
        raise invalid("order", "order: invalid value")
    return Window(cursor, _limit(params.get("limit", "")), order == "desc")


def _limit(text: str) -> int:
    if not text:
        return DEFAULT_LIMIT
    try:
        limit = int(text)
    except ValueError:
        raise invalid("limit", "unparseable value") from None
    if limit <= 0:
        raise invalid("limit", "invalid limit: non-positive value provided")
    if limit > MAX_LIMIT:
        raise invalid(
            "limit", f"invalid limit: value provided that is over limit max of {MAX_LIMIT}"
        )
    return limit


def read_token(text: str) -> int:
    """Read a cursor that is a number; raises Problem."""
    try:
        token = int(text)
    except ValueError:
        raise invalid("cursor", "cursor: invalid value") from None
    if token < 0:
        raise invalid("cursor", f"the cursor {text} is a negative number: ")
    if token > MAX_TOKEN:
        raise invalid("cursor", "cursor: invalid value")
    return token


def read_effect_token(text: str) -> tuple[int, int]:
    """Read a cursor `<operation>-<n>`, or a number alone; raises Problem."""
    operation, _, order = text.partition("-")
    if not operation:
        return read_token(text), 0
    return read_token(operation), read_token(order) if order else 0


def check_history(listing: Listing, window: Window, elder: int) -> None:
    """Refuse to go back from a point before the recorded history (410)."""
    if not window.cursor or not listing.in_history:
        return
    key = listing.read_cursor(window.cursor)
    token = key[0] if isinstance(key, tuple) else key
    if window.descending and token <= ledger_token(elder):
        raise Problem("before_history")


def take(listing: Listing, window: Window, *, limit: int | None = None) -> list[Any]:
    """Return the records behind the cursor, at most `limit`."""
    wanted = window.limit if limit is None else limit
    records, found = listing.records(), []
    key = listing.read_cursor(window.cursor) if window.cursor else None
    if window.descending:
        end = len(records) if key is None else bisect_left(records, key, key=listing.key)
        indexes = range(end - 1, -1, -1)
    else:
        start = 0 if key is None else bisect_right(records, key, key=listing.key)
        indexes = range(start, len(records))
    for index in indexes:
        if listing.keep(records[index]):
            found.append(records[index])
            if len(found) == wanted:
                break
    return found


def write_page(request: Request, listing: Listing, window: Window, records: list[Any]) -> str:
    """Return the JSON of a page, its links with the other parameters in alphabetical order."""
    first = listing.token(records[0]) if records else window.cursor
    last = listing.token(records[-1]) if records else window.cursor
    order, inverted = ("desc", "asc") if window.descending else ("asc", "desc")

    def href(cursor: str, order: str) -> dict[str, str]:
        mine = {"cursor": cursor, "limit": str(window.limit), "order": order}
        query = urlencode(sorted((request.params | mine).items()))
        return {"href": f"{BASE}{request.path}?{query}"}

    links = {
        "self": href(window.cursor, order),
        "next": href(last, order),
        "prev": href(first, inverted),
    }
    texts = ",".join(listing.write(record) for record in records)
    return f'{{"_links":{dumps(links)},"_embedded":{{"records":[{texts}]}}}}'

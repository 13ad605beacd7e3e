"""Rates from an HTTP endpoint that answers JSON: asked seldom, and never believed for long.

The address is the operator's own and may be private; what comes back is bounded in size and
time all the same.
"""

import json
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from anchor import outgoing
from anchor.errors import AnchorError
from anchor.integrations.rates import Rate, RateQuery, RatesIntegration, Unavailable
from anchor.pricing import inverse, parse_rate

log = logging.getLogger(__name__)

MAX_BYTES = 100_000
_OPTIONS = frozenset(
    {"url", "path", "invert", "cache_s", "stale_s", "timeout_s", "key_header", "key_file"}
)
#: After a failure nobody asks again for so long: a source that hangs holds few of us up.
_REST_S = 1
#: JSON writes small numbers with an exponent, and converted ones with digits without end.
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,2})?")
_DECIMALS = 18
#: Where a price is read: the address, and the way to the number in its answer.
_Place = tuple[str, tuple[str, ...]]


@dataclass
class _Kept:
    """What was heard at one place: a price, when it was asked for, and the latest failure."""

    price: Decimal | None = None
    asked_at: float | None = None
    failed_at: float | None = None

    def is_younger_than(self, seconds: int) -> bool:
        return self.asked_at is not None and monotonic() - self.asked_at < seconds

    def failed_just_now(self) -> bool:
        return self.failed_at is not None and monotonic() - self.failed_at < _REST_S


@dataclass
class HttpRates(RatesIntegration):
    """Asks `url`, and reads the number at `path` (``data.0.rate``) of the answer; ``{asset}`` and
    ``{currency}`` are filled in in both. It is `invert`ed where it says how many assets one unit
    of money is.

    An answer is used for `cache_s` seconds without asking again, and for `stale_s` while nobody
    answers; after that there is no price. `key_file` holds what `key_header` is sent with.
    """

    def __post_init__(self) -> None:
        """Check the options."""
        unknown = set(self.options) - _OPTIONS
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))} is no option of these rates")
        self._url = str(self.options.get("url", ""))
        if not self._url.startswith(("http://", "https://")):
            raise ValueError("url must be an address")
        self._path = [part for part in str(self.options.get("path", "")).split(".") if part]
        self._cache_s, self._stale_s, self._timeout_s = (
            self._seconds(name, default, most)
            for name, default, most in (
                ("cache_s", 15, 3600),
                ("stale_s", 60, 86_400),
                ("timeout_s", 2, 10),
            )
        )
        if self._stale_s < self._cache_s:
            raise ValueError("stale_s is below cache_s")
        if not isinstance(self.options.get("invert", False), bool):
            raise ValueError("invert is true or false")
        self._kept: dict[_Place, _Kept] = {}
        self._locks: dict[_Place, threading.Lock] = {}
        self._lock = threading.Lock()
        self._headers()

    def _seconds(self, name: str, default: int, most: int) -> int:
        value = self.options.get(name, default)
        if not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"{name} is a whole number from 1 to {most}")
        return value

    def rate(self, query: RateQuery) -> Rate:
        """Return the pair's rate, none older than `stale_s`; else `Unavailable`."""
        place = self._place(query)
        kept, lock = self._of(place)
        # Who has something to go on with waits for nobody, nor for a source that failed.
        is_worth_waiting = kept.failed_at is None and not kept.is_younger_than(self._stale_s)
        if not kept.is_younger_than(self._cache_s) and lock.acquire(blocking=is_worth_waiting):
            try:
                self._refresh(place, kept)
            finally:
                lock.release()
        if kept.price is None or not kept.is_younger_than(self._stale_s):
            raise Unavailable("no price is known at the moment; try again in a minute")
        return Rate(kept.price)

    def demand_apart(self, queries: Sequence[RateQuery]) -> None:
        """Raise `ValueError` where the price of one pair would be taken for that of another."""
        pairs: dict[_Place, str] = {}
        for query in queries:
            first = pairs.setdefault(self._place(query), query.pair)
            if first != query.pair:
                raise ValueError(
                    f"{first} and {query.pair} are read at the same place; "
                    "say {asset} or {currency} in url or path"
                )

    def _place(self, query: RateQuery) -> _Place:
        """Return the address for a pair, and where in its answer the number is."""

        def filled(text: str) -> str:
            return text.replace("{asset}", query.asset_code).replace("{currency}", query.currency)

        return filled(self._url), tuple(filled(part) for part in self._path)

    def _of(self, place: _Place) -> tuple[_Kept, threading.Lock]:
        with self._lock:
            return (
                self._kept.setdefault(place, _Kept()),
                self._locks.setdefault(place, threading.Lock()),
            )

    def _refresh(self, place: _Place, kept: _Kept) -> None:
        if kept.is_younger_than(self._cache_s) or kept.failed_just_now():
            return
        asked_at = monotonic()
        try:
            found = self._ask(*place)
        except (AnchorError, ValueError, LookupError, TypeError, RecursionError) as error:
            if kept.failed_at is None:
                reason = error if isinstance(error, AnchorError) else type(error).__name__
                log.warning("no rate was read at %s: %s", urlsplit(place[0]).hostname, reason)
            kept.failed_at = monotonic()
            return
        kept.price, kept.asked_at, kept.failed_at = found, asked_at, None

    def _ask(self, url: str, path: tuple[str, ...]) -> Decimal:
        body = outgoing.fetch(
            url,
            max_bytes=MAX_BYTES,
            timeout_s=self._timeout_s,
            allow_private=True,
            headers=self._headers(),
        )
        found: Any = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
        for part in path:
            found = found[int(part) if isinstance(found, list) else part]
        number = parse_rate(_plain(found))
        return inverse(number) if self.options.get("invert") else number

    def _headers(self) -> Mapping[str, str]:
        """Return the header with the key; read anew each time, so that a key can be changed."""
        name, file = self.options.get("key_header"), self.options.get("key_file")
        if bool(name) != bool(file):
            raise ValueError("key_header and key_file come together")
        if not name:
            return {}
        try:
            return {str(name): Path(str(file)).read_text(encoding="utf-8").strip()}
        except OSError as error:
            raise ValueError(f"key_file: {error.strerror}") from error


def _plain(told: object) -> object:
    """Write out a number with an exponent or with many decimals; leave all else as it is."""
    if not isinstance(told, str) or not _NUMBER.fullmatch(told):
        return told
    return f"{Decimal(told):.{_DECIMALS}f}"

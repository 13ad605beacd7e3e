"""Rates from an HTTP endpoint that answers JSON: asked seldom, and never believed for long.

The address is the operator's own and may be private; what comes back is bounded in size and
time all the same.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

from anchor import outgoing
from anchor.errors import AnchorError
from anchor.integrations.fixed_rates import price
from anchor.integrations.rates import Rate, RateQuery, RatesIntegration, Unavailable
from anchor.pricing import inverse

MAX_BYTES = 100_000
_OPTIONS = frozenset(
    {"url", "path", "invert", "cache_s", "stale_s", "timeout_s", "key_header", "key_file"}
)
#: After a failure nobody asks again for so long: a source that hangs holds few of us up.
_REST_S = 1


@dataclass
class _Kept:
    """What was heard of one address: a price, when it was asked for, and the latest failure."""

    price: Decimal | None = None
    asked_at: float | None = None
    failed_at: float | None = None

    def is_younger_than(self, seconds: int) -> bool:
        return self.asked_at is not None and monotonic() - self.asked_at < seconds

    def failed_just_now(self) -> bool:
        return self.failed_at is not None and monotonic() - self.failed_at < _REST_S


@dataclass
class HttpRates(RatesIntegration):
    """Asks `url`, in which ``{asset}`` and ``{currency}`` are filled in, and reads the number at
    `path` (``data.0.rate``), `invert`ed where it says how many assets one unit of money is.

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
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._headers()

    def _seconds(self, name: str, default: int, most: int) -> int:
        value = self.options.get(name, default)
        if not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"{name} is a whole number from 1 to {most}")
        return value

    def rate(self, query: RateQuery) -> Rate:
        """Return the pair's rate, none older than `stale_s`; else `Unavailable`."""
        url = self._url.replace("{asset}", query.asset_code).replace("{currency}", query.currency)
        kept, lock = self._of(url)
        # Those who have something to go on with do not wait for who asks.
        if not kept.is_younger_than(self._cache_s) and lock.acquire(
            blocking=not kept.is_younger_than(self._stale_s)
        ):
            try:
                self._refresh(url, kept)
            finally:
                lock.release()
        if kept.price is None or not kept.is_younger_than(self._stale_s):
            raise Unavailable("no price is known at the moment; try again in a minute")
        return Rate(kept.price)

    def _of(self, url: str) -> tuple[_Kept, threading.Lock]:
        with self._lock:
            return (
                self._kept.setdefault(url, _Kept()),
                self._locks.setdefault(url, threading.Lock()),
            )

    def _refresh(self, url: str, kept: _Kept) -> None:
        if kept.is_younger_than(self._cache_s) or kept.failed_just_now():
            return
        asked_at = monotonic()
        try:
            found = self._ask(url)
        except (AnchorError, ValueError, LookupError, TypeError, RecursionError):
            kept.failed_at = monotonic()
            return
        kept.price, kept.asked_at, kept.failed_at = found, asked_at, None

    def _ask(self, url: str) -> Decimal:
        body = outgoing.fetch(
            url,
            max_bytes=MAX_BYTES,
            timeout_s=self._timeout_s,
            allow_private=True,
            headers=self._headers(),
        )
        found: Any = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
        for part in self._path:
            found = found[int(part) if isinstance(found, list) else part]
        number = price(found)
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

"""Event streams: hello, one event a record as soon as its ledger closes, byebye (Horizon's SSE)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.paging import Listing, Window, take
from anchor.sandbox.network.records import published

HELLO = b'retry: 1000\nevent: open\ndata: "hello"\n\n'
BYEBYE = b'retry: 10\nevent: close\ndata: "byebye"\n\n'


class StreamCut(ConnectionError):
    """The stream ends without a goodbye; the server drops the connection."""


class Streams:
    """The open streams of a network; each lives at most `lifetime_s`."""

    def __init__(self, network: Network, lifetime_s: float = 55) -> None:
        self.network = network
        self.lifetime_s = lifetime_s
        self._cuts = 0

    def drop(self) -> None:
        """Cut every open stream as a broken connection would."""
        with self.network.lock:
            self._cuts += 1
            self.network.changed.notify_all()

    def of(self, listing: Listing, window: Window, base_url: str) -> Iterator[bytes]:
        """Stream a list from the window's cursor; `limit` counts over the whole stream."""
        deadline, cuts = time.monotonic() + self.lifetime_s, self._cuts
        era, sent = self.network.era, 0
        yield HELLO
        while sent < window.limit:
            batch = self._next(listing, window, window.limit - sent, deadline, (cuts, era))
            if not batch:
                break
            for token, text in batch:
                yield f"id: {token}\ndata: {published(text, base_url)}\n\n".encode()
            sent += len(batch)
            window = replace(window, cursor=batch[-1][0])
        yield BYEBYE

    def _next(
        self,
        listing: Listing,
        window: Window,
        limit: int,
        deadline: float,
        opened_with: tuple[int, int],
    ) -> list[tuple[str, str]]:
        """Wait for records behind the cursor; none when the stream's time is up."""
        with self.network.lock:
            while True:
                if opened_with != (self._cuts, self.network.era):
                    raise StreamCut
                records = take(listing, window, limit=limit)
                if records:
                    return [(listing.token(each), listing.write(each)) for each in records]
                left = deadline - time.monotonic()
                if left <= 0:
                    return []
                self.network.changed.wait(left)

    def once(self, text: str) -> Iterator[bytes]:
        """Stream a single object: one event without an id, then silence until the time is up."""
        deadline, opened_with = time.monotonic() + self.lifetime_s, (self._cuts, self.network.era)
        yield HELLO
        yield f"data: {text}\n\n".encode()
        with self.network.lock:
            while (left := deadline - time.monotonic()) > 0:
                if opened_with != (self._cuts, self.network.era):
                    raise StreamCut
                self.network.changed.wait(left)
        yield BYEBYE

"""Event streams: hello, one event a record as soon as its ledger closes, byebye (Horizon's SSE)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.http import ConnectionCut
from anchor.sandbox.network.paging import Listing, Window, take
from anchor.sandbox.network.records import published

HELLO = b'retry: 1000\nevent: open\ndata: "hello"\n\n'
BYEBYE = b'retry: 10\nevent: close\ndata: "byebye"\n\n'
ERROR = b"event: error\ndata: Unexpected stream error\n\n"


@dataclass(frozen=True, slots=True)
class Opening:
    """When a stream was opened, and after how many cuts and resets."""

    at: float
    cuts: int
    era: int


class Streams:
    """The open streams of a network; each lives at most `lifetime_s`."""

    def __init__(self, network: Network, lifetime_s: float = 55) -> None:
        self.network = network
        self.lifetime_s = lifetime_s
        self._cuts = 0
        self._repeats = 0
        self._reorders = 0
        self._errors = 0
        self._goodbye_at = 0.0
        self._stalled_until = 0.0

    def drop(self) -> None:
        """Cut every open stream as a broken connection would."""
        with self.network.lock:
            self._cuts += 1
            self.network.changed.notify_all()

    def end(self) -> None:
        """Say goodbye on every open stream now, as if its time were up."""
        with self.network.lock:
            self._goodbye_at = time.monotonic()
            self.network.changed.notify_all()

    def fail(self, times: int) -> None:
        """End the next `times` streams that have something to tell with an error instead."""
        with self.network.lock:
            self._errors += times

    def repeat(self, times: int) -> None:
        """Send the next `times` events twice, each on the stream that comes first."""
        with self.network.lock:
            self._repeats += times

    def reorder(self, times: int) -> None:
        """Send the next `times` lots of two or more events in the wrong order."""
        with self.network.lock:
            self._reorders += times

    def stall(self, seconds: float) -> None:
        """Keep streams open and silent for so long, also beyond their time; 0 ends it."""
        with self.network.lock:
            self._stalled_until = time.monotonic() + seconds
            self.network.changed.notify_all()

    def calm(self) -> None:
        """Forget what was asked of failing, repeating, reordering and stalling."""
        with self.network.lock:
            self._errors = self._repeats = self._reorders = 0
            self.stall(0)

    def of(self, listing: Listing, window: Window, base_url: str) -> Iterator[bytes]:
        """Stream a list from the window's cursor; `limit` counts over the whole stream."""
        opening, sent = self._open(), 0
        yield HELLO
        while sent < window.limit:
            batch = self._next(listing, window, window.limit - sent, opening)
            if not batch:
                break
            if self._takes_error():
                yield ERROR
                return
            for token, text in self._disturbed(batch):
                yield f"id: {token}\ndata: {published(text, base_url)}\n\n".encode()
            sent += len(batch)
            window = replace(window, cursor=batch[-1][0])
        yield BYEBYE

    def _next(
        self,
        listing: Listing,
        window: Window,
        limit: int,
        opening: Opening,
    ) -> list[tuple[str, str]]:
        """Wait for records behind the cursor; none when the stream's time is up."""
        with self.network.lock:
            while True:
                left = self._left(opening)
                silent = self._stalled_until - time.monotonic()
                if silent > 0:
                    self.network.changed.wait(silent)
                    continue
                records = take(listing, window, limit=limit)
                if records:
                    return [(listing.token(each), listing.write(each)) for each in records]
                if left <= 0:
                    return []
                self.network.changed.wait(left)

    def _open(self) -> Opening:
        return Opening(time.monotonic(), self._cuts, self.network.era)

    def _left(self, opening: Opening) -> float:
        """Return the seconds that a stream has left; raises ConnectionCut if it was dropped."""
        if (opening.cuts, opening.era) != (self._cuts, self.network.era):
            raise ConnectionCut
        if opening.at <= self._goodbye_at:
            return 0
        return opening.at + self.lifetime_s - time.monotonic()

    def _takes_error(self) -> bool:
        with self.network.lock:
            if not self._errors:
                return False
            self._errors -= 1
            return True

    def _disturbed(self, batch: list[tuple[str, str]]) -> list[tuple[str, str]]:
        with self.network.lock:
            if self._reorders and len(batch) > 1:
                self._reorders -= 1
                batch = batch[::-1]
            repeated = batch[: self._repeats]
            self._repeats -= len(repeated)
        twice = [event for event in repeated for _ in range(2)]
        return twice + batch[len(repeated) :]

    def once(self, text: str) -> Iterator[bytes]:
        """Stream a single object: one event without an id, then silence until the time is up."""
        opening = self._open()
        yield HELLO
        yield f"data: {text}\n\n".encode()
        with self.network.lock:
            while (left := self._left(opening)) > 0:
                self.network.changed.wait(left)
        yield BYEBYE

"""Follows the payments of one account, from the stored cursor on, for ever.

It pages while it is behind and listens to the event stream when it is not; whatever
happens, it starts again from what the database says. It decides nothing.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from time import monotonic

from flask import Flask

from anchor.errors import Misconfigured, Unavailable
from anchor.extensions import gateway
from anchor.ledger.gateway import Gateway, PaymentPage
from anchor.services import networks, payments
from anchor.services.networks import RENEW_S, Watch

log = logging.getLogger(__name__)

STALL_S = 60
LOOK_AROUND_S = 30
_BACKOFF_MAX_S = 30
_RED_S = 30

#: Told which transactions a page has made ready, once that is durable.
OnCredited = Callable[[Sequence[str]], None]


class Follower:
    """One account's reader. `run` returns when `stop` is set, and for no other reason."""

    def __init__(
        self, app: Flask, watch: Watch, on_credited: OnCredited, stop: threading.Event
    ) -> None:
        self._app = app
        self._watch = watch
        self._on_credited = on_credited
        self._stop = stop
        self._failures = 0

    @property
    def account_id(self) -> str:
        """The account that is followed."""
        return self._watch.account_id

    def run(self) -> None:
        """Follow until told to stop, with back-off after each failure."""
        while not self._stop.is_set():
            pause_s = self._once()
            self._stop.wait(pause_s)

    def _once(self) -> int:
        """Follow once; return how long to rest before the next time, in seconds."""
        with self._app.app_context():
            try:
                leased = networks.lease(self._watch.id)
                if leased is None:
                    return 1
                try:
                    return self._lead(leased)
                finally:
                    networks.let_go(leased)
            except payments.CursorMoved as moved:
                log.info("%s", moved)
                return 1
            except Unavailable as error:
                return self._back_off(error)
            except Exception as error:
                log.exception("following %s failed", self.account_id)
                return self._back_off(error)

    def _lead(self, watch: Watch) -> int:
        try:
            source = gateway().one(lambda node: networks.check(node, watch))
        except Misconfigured as problem:
            log.error("STOPPED following %s: %s", self.account_id, problem)
            networks.stop(watch, str(problem))
            return _RED_S
        if not networks.renew(watch):
            raise payments.CursorMoved(f"the lease of {self.account_id} was lost")
        networks.go_on(watch)
        log.info("following %s from %s", self.account_id, watch.cursor)
        reading = _Reading(watch, self._on_credited, self._stop, source)
        cursor = reading.catch_up(watch.cursor)
        self._failures = 0
        reading.listen(cursor)
        return 0

    def _back_off(self, error: Exception) -> int:
        self._failures += 1
        pause_s = min(_BACKOFF_MAX_S, (1 << min(self._failures, 10)) // 2)
        log.warning("%s; following %s again in %d s", error, self.account_id, pause_s)
        return pause_s


class _Reading:
    """One stretch of reading under one lease, from one node: `gateway()` unless named."""

    def __init__(
        self,
        watch: Watch,
        on_credited: OnCredited,
        stop: threading.Event,
        source: Gateway | None = None,
    ) -> None:
        self._source = source or gateway().one()
        self._watch = watch
        self._on_credited = on_credited
        self._stop = stop
        self._renewed_at = monotonic()
        self._looked_at = monotonic()

    def catch_up(self, cursor: int) -> int:
        """Read pages until the source has no more; return the cursor behind them."""
        while not self._stop.is_set():
            page = self._source.payments_page(self._watch.account_id, str(cursor))
            cursor = self._keep(cursor, page)
            if page.up_to_date:
                break
        return cursor

    def listen(self, cursor: int) -> None:
        """Keep what the event stream brings, until it ends."""
        self._look_around(cursor)
        stream = self._source.follow(self._watch.account_id, str(cursor), STALL_S)
        try:
            for page in stream:
                cursor = self._keep(cursor, page)
                if self._stop.is_set():
                    return
                if not page.payments and monotonic() - self._looked_at > LOOK_AROUND_S:
                    self._look_around(cursor)
        finally:
            close = getattr(stream, "close", None)
            if close:
                close()

    def _keep(self, cursor: int, page: PaymentPage) -> int:
        after = int(page.cursor)
        if after != cursor:
            seen = payments.observe(self._watch, cursor, after, page.payments)
            if seen.credited:
                self._on_credited(seen.credited)
        if monotonic() - self._renewed_at > RENEW_S:
            self._renewed_at = monotonic()
            if not networks.renew(self._watch):
                raise payments.CursorMoved(f"the lease of {self._watch.account_id} was lost")
        return after

    def _look_around(self, cursor: int) -> None:
        """Store how far the source is known to hold nothing new."""
        self._looked_at = monotonic()
        state = self._source.network()
        page = self._source.payments_page(self._watch.account_id, str(cursor), limit=1)
        if not page.payments and page.up_to_date:
            networks.note_up_to_date(self._source, self._watch, state.latest_ledger)

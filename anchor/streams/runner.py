"""The stream runner: one follower for each watched account, new accounts included."""

import logging
import threading

from flask import Flask

from anchor.errors import AnchorError, Misconfigured
from anchor.extensions import gateway, settings
from anchor.services import networks
from anchor.streams.follower import Follower, OnCredited

log = logging.getLogger(__name__)

NEW_ACCOUNTS_S = 5


class Runner:
    """Follows all watched accounts until `stop` is set. Several runners may run."""

    def __init__(self, app: Flask, on_credited: OnCredited) -> None:
        self.stop = threading.Event()
        self._app = app
        self._on_credited = on_credited
        self._threads: dict[int, threading.Thread] = {}

    def run(self) -> None:
        """Follow until told to stop; no failure of any account or source ends it."""
        while not self.stop.is_set():
            try:
                with self._app.app_context():
                    self._look_for_accounts()
            except AnchorError as error:
                log.error("looking for accounts to follow: %s", error)
            except Exception:
                log.exception("looking for accounts to follow")
            self.stop.wait(NEW_ACCOUNTS_S)
        for thread in self._threads.values():
            thread.join(timeout=10)

    def _look_for_accounts(self) -> None:
        self._follow_all()  # first: those that are known need nothing of what may fail below
        try:
            network_id = networks.stamp(gateway(), settings().network_passphrase)
        except Misconfigured as problem:
            networks.stop_all(str(problem))
            raise
        for account_id in settings().distribution_accounts:
            try:
                networks.watch(gateway(), network_id, [account_id])
            except AnchorError as error:
                log.error("%s cannot be watched: %s", account_id, error)
        self._follow_all()

    def _follow_all(self) -> None:
        for watch in networks.watched():
            thread = self._threads.get(watch.id)
            if thread is None or not thread.is_alive():
                follower = Follower(self._app, watch, self._on_credited, self.stop)
                thread = threading.Thread(
                    target=follower.run, name=watch.account_id[:8], daemon=True
                )
                self._threads[watch.id] = thread
                thread.start()

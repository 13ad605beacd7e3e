"""The sandbox in one process: a network whose ledgers close by themselves, behind a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from wsgiref.types import WSGIApplication

from stellar_sdk import Network as Passphrases

from anchor.sandbox.network.api import Api
from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.server import Server, mounted


class Sandbox:
    """A Stellar network on a local port; a context manager.

    `close_every_s` seconds between ledgers (0: only by hand), `close_on_submit`
    (also an attribute, to be changed at any time) closes one as soon as a
    transaction waits. `port` 0 takes a free one. `mounts` are further WSGI
    applications by path prefix ("/bank"). `state_file` makes it go on where it
    stopped. Streams live `stream_s` seconds, a submission waits `submit_s` for its
    ledger. Ledgers take their close times from `clock`.
    """

    def __init__(
        self,
        passphrase: str = Passphrases.TESTNET_NETWORK_PASSPHRASE,
        *,
        close_every_s: float = 0.2,
        close_on_submit: bool = False,
        state_file: Path | str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        mounts: Mapping[str, WSGIApplication] | None = None,
        stream_s: float = 55,
        submit_s: float = 30,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.network = Network(
            passphrase,
            state_file=Path(state_file) if state_file else None,
            close_every_s=close_every_s or None,
            clock=clock,
        )
        self.api = Api(self.network, stream_s=stream_s, submit_s=submit_s)
        self._close_every_s = close_every_s
        self.close_on_submit = close_on_submit
        self._server = Server(mounted(self.api, dict(mounts or {})), host, port)
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._server.run, name="sandbox-http", daemon=True),
            threading.Thread(target=self._close_ledgers, name="sandbox-ledgers", daemon=True),
        ]

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return self._server.url

    def start(self) -> Self:
        """Serve and close ledgers in threads of their own; returns itself."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End streams, server and ledgers, and close the state file."""
        with self.network.lock:
            self._stopping = True
            self.network.changed.notify_all()
        self.api.streams.drop()
        self._server.stop()
        for thread in self._threads:
            thread.join()
        self.network.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _close_ledgers(self) -> None:
        network = self.network
        due = time.monotonic() + self._close_every_s
        with network.lock:
            while not self._stopping:
                left = due - time.monotonic() if self._close_every_s else None
                waits = self.close_on_submit and network.waiting
                if waits or (left is not None and left <= 0):
                    network.close_ledger()
                    due = time.monotonic() + self._close_every_s
                else:
                    network.changed.wait(left)

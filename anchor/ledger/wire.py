"""HTTP to a source of ledger facts: connections stay open, answers are of a bounded size."""

import json
import os
import ssl
import weakref
import zlib
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import socket
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from anchor import tracing
from anchor.errors import Unavailable
from anchor.ledger import outside
from anchor.sockets import has_news

_CONNECT_S = 5
#: More threads than any process has: one that finds all connections in use opens another.
_KEPT_OPEN = 64
_HEADERS = {"Accept-Encoding": "gzip", "User-Agent": "stellar-anchor"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
#: Answers without a body. Behind them may come one all the same, or what 1xx only announces.
_BODILESS = frozenset({*range(100, 200), 204, 304})
#: What zlib calls the format of gzip.
_GZIP = 16 + zlib.MAX_WBITS


class Answer(NamedTuple):
    """What was answered: a status, whatever it is, its headers, and the whole body."""

    status: int
    headers: Message
    body: bytes


class Wire:
    """One server that is asked; thread-safe. Follows no redirect and asks nothing twice."""

    def __init__(self, url: str, *, max_bytes: int) -> None:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        # Without a port, what follows the last colon of an IPv6 address would be taken for it.
        self._address = (str(parts.hostname), parts.port or (443 if is_secure else 80))
        self._context = ssl.create_default_context() if is_secure else None
        self._root = parts.path
        self._max_bytes = max_bytes
        self._owner, self._idle = os.getpid(), list[HTTPConnection]()
        weakref.finalize(self, _close, self._idle)

    def get(self, path: str, timeout_s: int, *, query: Mapping[str, str] | None = None) -> Answer:
        """Ask for `path`, with a query; raises as `ask` does."""
        target = f"{path}?{urlencode(query)}" if query else path
        return self.ask("GET", target, timeout_s, what=path)

    def post_form(self, path: str, timeout_s: int, form: Mapping[str, str]) -> Answer:
        """Hand in a form; raises as `ask` does."""
        return self.ask("POST", path, timeout_s, urlencode(form).encode(), _FORM, what=path)

    def post_json(self, path: str, timeout_s: int, value: Any, *, what: str) -> Answer:
        """Hand in a JSON value; raises as `ask` does. `what` is asked stands in errors."""
        return self.ask("POST", path, timeout_s, json.dumps(value).encode(), _JSON, what=what)

    def ask(
        self,
        method: str,
        target: str,
        timeout_s: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        what: str,
    ) -> Answer:
        """Ask once.

        Raises `Unavailable` where nobody answers, no part of it within `timeout_s`, and where the
        answer is too long: whether it was heard is unknown then.
        """
        outside.check()
        host = self._address[0]
        told = {"http__request__method": method, "server__address": host}
        with tracing.span(f"{method} {host}", tracing.CALL, **told):
            found = self._ask(method, target, timeout_s, body, headers, what=what)
            tracing.add(http__response__status_code=found.status, is_error=found.status >= 500)
            return found

    def _ask(
        self,
        method: str,
        target: str,
        timeout_s: int,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        *,
        what: str,
    ) -> Answer:
        try:
            connection = self._waiting() or self._connected()
            try:
                if connection.sock.gettimeout() != timeout_s:
                    connection.sock.settimeout(timeout_s)
                sent = _HEADERS | dict(headers or {})
                connection.request(method, self._root + target, body, sent)
                with connection.getresponse() as response:
                    found = self._body(response, what)
            except BaseException:
                connection.close()
                raise
        except (OSError, HTTPException, ValueError) as error:
            raise Unavailable(f"{what} did not answer: {type(error).__name__}") from error
        if response.will_close or response.status in _BODILESS or len(self._idle) >= _KEPT_OPEN:
            connection.close()
        else:
            self._idle.append(connection)
        return Answer(response.status, response.headers, found)

    def _waiting(self) -> HTTPConnection | None:
        """Return a connection that is open still, of those that have nothing to do."""
        if self._owner != os.getpid():  # a fork: its parent goes on with what was open
            self._owner = os.getpid()
            _close(self._idle)
            self._idle.clear()
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if not _has_news(connection.sock):
                return connection
            connection.close()
        return None

    def _connected(self) -> HTTPConnection:
        host, port = self._address
        made = (
            HTTPConnection(host, port, timeout=_CONNECT_S)
            if self._context is None
            else HTTPSConnection(host, port, timeout=_CONNECT_S, context=self._context)
        )
        made.connect()
        return made

    def _body(self, response: HTTPResponse, what: str) -> bytes:
        body = response.read(self._max_bytes + 1)
        if len(body) <= self._max_bytes:
            # read(n) takes a body that ends early for a whole one.
            if response.length:
                raise Unavailable(f"{what} was not answered to the end")
            if response.headers.get("Content-Encoding", "").lower() == "gzip":
                body = self._unpacked(body, what)
        if len(body) > self._max_bytes:
            raise Unavailable(f"{what} was answered with too much")
        return body

    def _unpacked(self, body: bytes, what: str) -> bytes:
        packed = zlib.decompressobj(_GZIP)
        try:
            found = packed.decompress(body, self._max_bytes + 1)
        except zlib.error as error:
            raise Unavailable(f"{what} was answered with what cannot be unpacked") from error
        if (not packed.eof or packed.unused_data) and len(found) <= self._max_bytes:
            raise Unavailable(f"{what} was not answered to the end")
        return found


def _has_news(waiting: socket) -> bool:
    """Tell whether there is something to read, be it that TLS has read it from the socket."""
    is_read = isinstance(waiting, ssl.SSLSocket) and waiting.pending() > 0
    return is_read or has_news(waiting.fileno())


def _close(connections: list[HTTPConnection]) -> None:
    for connection in connections:
        connection.close()

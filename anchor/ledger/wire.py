"""HTTP to a source of ledger facts: connections stay open, answers are of a bounded size."""

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse, Timeout, connection_from_url
from urllib3.exceptions import HTTPError

from anchor.errors import Unavailable
from anchor.ledger import outside

_CONNECT_S = 5
#: More threads than any process has: one that finds all connections in use opens another.
_KEPT_OPEN = 64
_CHUNK = 65_536
_HEADERS = {"Accept-Encoding": "gzip"}


class Answer(NamedTuple):
    """What was answered: a status, whatever it is, its headers, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """One server that is asked; thread-safe. Follows no redirect and asks nothing twice."""

    def __init__(self, url: str, *, max_bytes: int) -> None:
        parts = urlsplit(url)
        secure = {"ssl_context": ssl.create_default_context()} if parts.scheme == "https" else {}
        self._pool = connection_from_url(url, maxsize=_KEPT_OPEN, headers=_HEADERS, **secure)
        self._root = parts.path
        self._max_bytes = max_bytes

    def ask(
        self, method: str, path: str, timeout_s: int, *, what: str = "", **content: Any
    ) -> Answer:
        """Ask once; `content` is `fields` for a query or a form, or `json`.

        Raises `Unavailable` where nobody answers, no part of it within `timeout_s`, and where the
        answer is too long: whether it was heard is unknown then. `what` is asked in words, where
        the path does not tell.
        """
        outside.check()
        try:
            response = self._pool.request(
                method,
                self._root + path,
                timeout=Timeout(connect=_CONNECT_S, read=timeout_s),
                retries=False,
                redirect=False,
                preload_content=False,
                **content,
            )
            return Answer(response.status, response.headers, self._body(response, what or path))
        except HTTPError as error:
            raise Unavailable(f"{what or path} did not answer: {type(error).__name__}") from error

    def _body(self, response: BaseHTTPResponse, what: str) -> bytes:
        body = bytearray()
        for chunk in response.stream(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_bytes:
                response.close()
                raise Unavailable(f"{what} was answered with too much")
        return bytes(body)

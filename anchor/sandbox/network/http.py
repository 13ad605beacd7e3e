"""Requests and replies of the sandbox as plain values, and their way from and to WSGI."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

HAL = "application/hal+json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"
EVENTS = "text/event-stream; charset=utf-8"


class ConnectionCut(ConnectionError):
    """The connection is to end without an answer, or in the middle of one."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `base_url` is the address that links are built on."""

    method: str
    path: str
    params: dict[str, str]
    base_url: str
    accept: str
    content_type: str
    origin: str
    asked_method: str
    asked_headers: str
    last_event_id: str
    takes_gzip: bool
    body: bytes

    @classmethod
    def of(cls, environ: WSGIEnvironment) -> Request:
        """Read a request from WSGI."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        params: dict[str, str] = {}
        for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
            params.setdefault(name, value)
        return cls(
            method=environ["REQUEST_METHOD"],
            path="/" + environ.get("PATH_INFO", "").strip("/"),
            params=params,
            base_url=f"{environ['wsgi.url_scheme']}://{host}{environ.get('SCRIPT_NAME', '')}",
            accept=environ.get("HTTP_ACCEPT", ""),
            content_type=environ.get("CONTENT_TYPE", ""),
            origin=environ.get("HTTP_ORIGIN", ""),
            asked_method=environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD", ""),
            asked_headers=environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", ""),
            last_event_id=environ.get("HTTP_LAST_EVENT_ID", ""),
            takes_gzip="gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""),
            body=environ["wsgi.input"].read(length) if length else b"",
        )

    @property
    def wants_events(self) -> bool:
        """Whether the client asks for a stream."""
        return "text/event-stream" in self.accept

    @property
    def accepts_json(self) -> bool:
        """Whether a JSON answer would do."""
        if not self.accept:
            return True
        return any(kind in self.accept for kind in ("json", "*/*", "application/*"))

    def form(self) -> dict[str, str]:
        """Return the fields of a form, urlencoded or multipart."""
        if self.content_type.startswith("multipart/form-data"):
            header = f"Content-Type: {self.content_type}\r\n\r\n".encode()
            parts: Any = BytesParser().parsebytes(header + self.body).get_payload()
            named = ((p.get_param("name", header="content-disposition"), p) for p in parts)
            return {name: part.get_payload(decode=True).decode() for name, part in named}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(slots=True)
class Reply:
    """One answer: a text, or events as they come."""

    text: str = ""
    status: int = 200
    content_type: str = HAL
    headers: list[tuple[str, str]] = field(default_factory=list)
    events: Iterator[bytes] | None = None


def send(request: Request, reply: Reply, start_response: StartResponse) -> Iterable[bytes]:
    """Hand a reply to WSGI with Horizon's headers."""
    status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
    headers = [*reply.headers]
    if request.origin:
        headers.append(("Access-Control-Allow-Origin", request.origin))
    if request.origin and request.method != "OPTIONS":
        headers.append(("Access-Control-Expose-Headers", "Date, Latest-Ledger"))
    if reply.events is not None:
        if not request.origin:
            headers.append(("Access-Control-Allow-Origin", "*"))
        headers += [("Cache-Control", "no-cache"), ("Content-Type", EVENTS), ("Vary", "Origin")]
        start_response(status, headers)
        return reply.events
    body = reply.text.encode()
    headers.append(("Cache-Control", "no-cache, no-store, max-age=0"))
    if body:
        headers.append(("Content-Type", reply.content_type))
    if reply.content_type == HAL and body:
        headers.append(("Content-Disposition", "inline"))
    if reply.content_type == HAL and body and request.takes_gzip:
        body = gzip.compress(body, compresslevel=1)
        headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    elif all(name != "Vary" for name, _ in reply.headers):
        headers.append(("Vary", "Origin"))
    headers.append(("Content-Length", str(len(body))))
    start_response(status, headers)
    return [b"" if request.method == "HEAD" else body]


def preflight(request: Request) -> Reply:
    """Answer an OPTIONS request: any origin may call as it asks to."""
    asked = ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")
    headers = [("Vary", ", ".join(asked))]
    if request.asked_method:
        headers.append(("Access-Control-Allow-Methods", request.asked_method))
    if request.asked_headers:
        headers.append(("Access-Control-Allow-Headers", request.asked_headers))
    return Reply(headers=headers)

"""Reading an event stream: bytes in, events out, with signs of life in between."""

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from anchor.errors import Unavailable

_CHUNK = 65536
_LINE_MAX = 4_000_000
_HEADERS = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Event:
    """One event of a stream; `type` is ``message`` unless the server says otherwise."""

    type: str
    id: str | None
    data: str


class Parser:
    """Turns the bytes of an event stream into events, wherever the bytes were cut.

    Follows the HTML standard's rules for line ends, comments and fields.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._type = "message"
        self._id: str | None = None
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes."""
        self._rest += chunk
        if len(self._rest) > _LINE_MAX:
            raise Unavailable("the event stream sent a line without end")
        events = []
        while (cut := self._line_end()) is not None:
            line, self._rest = self._rest[: cut[0]], self._rest[cut[1] :]
            event = self._line(line.decode("utf-8", "replace"))
            if event:
                events.append(event)
        return events

    def _line_end(self) -> tuple[int, int] | None:
        at = min(
            (i for i in (self._rest.find(b"\n"), self._rest.find(b"\r")) if i >= 0), default=-1
        )
        if at < 0:
            return None
        if self._rest[at : at + 1] == b"\r":
            if at + 1 == len(self._rest):
                return None  # the next byte tells whether this is one line end or half of one
            if self._rest[at + 1 : at + 2] == b"\n":
                return at, at + 2
        return at, at + 1

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Event | None:
        event = Event(self._type, self._id, "\n".join(self._data)) if self._data else None
        self._type, self._data = "message", []
        return event


class Stream:
    """An open event stream; `cut` ends it at once, also under a thread that reads it."""

    def __init__(self, url: str, timeout_s: int, silence_s: int) -> None:
        """Connect within `timeout_s`; no bytes for `silence_s` is an error.

        Raises OSError or HTTPException where nobody answers.
        """
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        connection.connect()
        self._socket: socket.socket = connection.sock
        try:
            connection.request("GET", f"{parts.path}?{parts.query}", headers=_HEADERS)
            self._response = connection.getresponse()
            self._socket.settimeout(silence_s)
        except BaseException:
            self.cut()
            self._socket.close()
            raise

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self._response.status

    def read(self) -> bytes:
        """Return the bytes that are there, waiting for the first; empty at the end."""
        return self._response.read1(_CHUNK)

    def cut(self) -> None:
        """End the connection, whoever is reading it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back; nobody may be reading it."""
        self._response.close()
        self._socket.close()


def listen(stream: Stream, tick_s: int) -> Iterator[list[Event]]:
    """Yield the events that arrive together; an empty list after each `tick_s` of silence.

    Ends when the server hangs up. Raises `Unavailable` when the connection breaks. Closing
    the iterator cuts the connection at once.
    """
    chunks: queue.Queue[bytes | Exception] = queue.Queue()
    reader = threading.Thread(target=_read, args=(stream, chunks), daemon=True)
    reader.start()
    parser = Parser()
    try:
        while True:
            try:
                chunk = chunks.get(timeout=tick_s)
            except queue.Empty:
                yield []
                continue
            if isinstance(chunk, Exception):
                raise Unavailable(f"the event stream broke: {type(chunk).__name__}") from chunk
            if not chunk:
                return
            if events := parser.feed(chunk):
                yield events
    finally:
        stream.cut()
        reader.join()
        stream.close()


def _read(stream: Stream, chunks: "queue.Queue[bytes | Exception]") -> None:
    try:
        while True:
            chunk = stream.read()
            chunks.put(chunk)
            if not chunk:
                return
    except (HTTPException, OSError, ValueError) as error:
        chunks.put(error)

"""Reading an event stream: bytes in, events out, with signs of life in between."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

from anchor.errors import Unavailable

_CHUNK = 65536
_LINE_MAX = 4_000_000


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


def listen(response: requests.Response, tick_s: int) -> Iterator[list[Event]]:
    """Yield the events that arrive together; an empty list after each `tick_s` of silence.

    Ends when the server hangs up. Raises `Unavailable` when the connection breaks. Closing
    the iterator cuts the connection at once.
    """
    chunks: queue.Queue[bytes | Exception] = queue.Queue(maxsize=64)
    reader = threading.Thread(target=_read, args=(response, chunks), daemon=True)
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
            while len(chunk) < _CHUNK and not chunks.empty():
                more = chunks.queue[0]
                if isinstance(more, Exception) or not more:
                    break
                chunk += bytes(chunks.get_nowait())  # type: ignore[arg-type]
            if events := parser.feed(chunk):
                yield events
    finally:
        _cut(response)


def _read(response: requests.Response, chunks: "queue.Queue[bytes | Exception]") -> None:
    try:
        while True:
            chunk = response.raw.read1(_CHUNK)
            chunks.put(chunk, timeout=60)
            if not chunk:
                return
    except (HTTPError, OSError, ValueError, AttributeError, queue.Full) as error:
        try:
            chunks.put_nowait(error)
        except queue.Full:
            _cut(response)


def _cut(response: requests.Response) -> None:
    connection = getattr(response.raw, "_connection", None) or getattr(
        response.raw, "connection", None
    )
    socket = getattr(connection, "sock", None)
    if socket is not None:
        with contextlib.suppress(OSError):
            socket.shutdown(2)
    response.close()

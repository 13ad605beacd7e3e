"""The event stream, from servers that behave and from servers that do not."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Unavailable
from anchor.ledger import horizon
from anchor.ledger.horizon import HorizonGateway
from anchor.ledger.sse import Event, Parser
from tests.ledger.test_records import ME, PAYMENT
from tests.world import World

HELLO = b'retry: 1000\nevent: open\ndata: "hello"\n\n'
BYE = b'retry: 10\nevent: close\ndata: "byebye"\n\n'


def record(number: int) -> dict[str, Any]:
    return PAYMENT | {"id": str(number << 12), "paging_token": str(number << 12)}


def event(number: int) -> bytes:
    return f"id: {number << 12}\ndata: {json.dumps(record(number))}\n\n".encode()


def page(request: str, count: int) -> bytes:
    """Answer with the page behind the cursor, of `count` records in all."""
    after = int(request.partition("cursor=")[2].partition(" ")[0].partition("&")[0])
    records = [record(number) for number in range(1, count + 1) if number << 12 > after]
    body = json.dumps({"_embedded": {"records": records}}).encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@contextmanager
def server(say: Callable[[socket.socket], None], paged: int = 0) -> Iterator[HorizonGateway]:
    """A server that answers each connection as the test says, but a page where it has any."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = connection.recv(65536).decode()
            if paged and "text/event-stream" not in request:
                connection.sendall(page(request, paged))
            else:
                say(connection)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield HorizonGateway(
            f"http://127.0.0.1:{listening.getsockname()[1]}", TESTNET_PASSPHRASE, timeout_s=2
        )
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(
    *parts: bytes, chunked: bool = True, pause_ms: int = 0
) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        connection.sendall(HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"))
        for part in parts:
            connection.sendall(chunk(part) if chunked else part)
            sleep(pause_ms / 1000)
        if chunked:
            connection.sendall(b"0\r\n\r\n")

    return say


def tokens(gateway: HorizonGateway) -> list[int]:
    pages = gateway.follow(ME, "0", 60)
    return [payment.operation_id >> 12 for page in pages for payment in page.payments]


@pytest.mark.parametrize("chunked", [True, False])
def test_events_are_read_from_either_kind_of_answer(chunked: bool) -> None:
    with server(stream(HELLO, event(1), event(2) + event(3), BYE, chunked=chunked), 3) as gateway:
        assert tokens(gateway) == [1, 2, 3]


def test_bytes_that_dribble_in_lose_nothing() -> None:
    whole = HELLO + event(1) + b": a comment\n\n" + event(2) + BYE
    parts = [whole[i : i + 97] for i in range(0, len(whole), 97)]
    with server(stream(*parts, pause_ms=2), 2) as gateway:
        assert tokens(gateway) == [1, 2]


def test_an_end_without_good_bye_is_an_end() -> None:
    with server(stream(HELLO, event(1)), 1) as gateway:
        assert tokens(gateway) == [1]


@pytest.mark.parametrize("said", [(3, 2, 1), (2, 1, 3), (3,), (3, 1), (1, 1, 3, 2, 2)])
def test_promise_01_events_that_come_late_twice_or_never_lose_nothing(
    said: tuple[int, ...],
) -> None:
    events = [event(number) for number in said]
    for parts in ((b"".join(events),), events):
        with server(stream(HELLO, *parts, BYE, pause_ms=20), 3) as gateway:
            assert tokens(gateway) == [1, 2, 3]


@pytest.mark.parametrize(
    "parts",
    [
        (HELLO, b"event: error\ndata: Unexpected stream error\n\n"),
        (HELLO, b"id: 5\ndata: {not json\n\n"),
    ],
)
def test_an_error_in_the_stream_is_told(parts: tuple[bytes, ...]) -> None:
    with server(stream(*parts)) as gateway, pytest.raises(Unavailable):
        tokens(gateway)


def test_a_connection_cut_inside_an_event_is_told() -> None:
    def say(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"%x\r\n" % 5000 + event(1)[:50])

    with server(say) as gateway, pytest.raises(Unavailable):
        tokens(gateway)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Too Many\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_promise_14_what_is_no_answer_is_unavailable(answer: bytes) -> None:
    with server(lambda connection: connection.sendall(answer)) as gateway:
        began = monotonic()
        for ask in (gateway.network, lambda: gateway.account(ME), lambda: gateway.submit("AAAA")):
            with pytest.raises(Unavailable):
                ask()
        assert monotonic() - began < 10


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horizon, "MAX_BYTES", 100_000)

    def say(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        while True:
            connection.sendall(b"[" * 65536)

    with server(say) as gateway, pytest.raises(Unavailable, match="too much"):
        gateway.network()


def test_a_stream_that_is_closed_by_its_reader_ends_at_once() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(HELLO + event(1)))
        connection.recv(1)

    with server(endless, 1) as gateway:
        pages = gateway.follow(ME, "0", 60)
        assert next(pages).payments
        began = monotonic()
        pages.close()  # type: ignore[attr-defined]
        assert monotonic() - began < 2


@given(st.binary(max_size=60), st.integers(1, 7))
def test_an_event_is_the_same_wherever_the_bytes_are_cut(noise: bytes, size: int) -> None:
    body = (
        b"data: "
        + noise.replace(b"\n", b"").replace(b"\r", b"")
        + b"\r\n\r\nid: 7\rdata: x\r\r"
        + b"\n"
    )
    whole, cut = Parser(), Parser()
    expected = whole.feed(body)
    found: list[Event] = []
    for start in range(0, len(body), size):
        found += cut.feed(body[start : start + size])
    assert found == expected


def test_a_payment_reaches_the_reader_as_its_ledger_closes(world: World) -> None:
    gateway = HorizonGateway(world.sandbox.url, TESTNET_PASSPHRASE)
    world.fund()
    cursor = gateway.newest_cursor(world.distribution)
    pages = gateway.follow(world.distribution, cursor, 60)
    heard: list[str] = []

    def listen() -> None:
        for page in pages:
            heard.extend(payment.transaction_hash for payment in page.payments)
            if heard:
                return

    thread = threading.Thread(target=listen)
    thread.start()
    sleep(0.3)
    paid = world.pay("5", "9")
    thread.join(timeout=10)
    assert heard == [paid]


def test_a_stream_that_stalls_while_a_page_shows_more_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = HorizonGateway(world.sandbox.url, TESTNET_PASSPHRASE)
    world.pay("5", "9")
    with pytest.raises(Unavailable, match="stalled"):
        gateway._check_stall(world.distribution, "0")

"""The connections on which sources of ledger facts are asked."""

import gzip
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

import pytest

from anchor.errors import Unavailable
from anchor.ledger import wire as wires
from anchor.ledger.wire import Wire
from tests import certificates
from tests.waiting import until

MAX_BYTES = 100_000
#: What a reader takes from a socket at once. It goes with the answer, however much of it is left.
READ_AT_ONCE = 8192
Say = Callable[[int], bytes]


class Server:
    """Answers the nth request of all with what the test says; tells what it was asked."""

    def __init__(self, say: Say, hangs_up: bool, tls: ssl.SSLContext | None) -> None:
        self.say, self.hangs_up, self.tls = say, hangs_up, tls
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with suppress(OSError), self.secured(connection) as connection:
            while request := whole_request(connection):
                self.requests.append(request)
                connection.sendall(self.say(len(self.requests)))
                if self.hangs_up:
                    break
        self.ended += 1

    def secured(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection

    @property
    def url(self) -> str:
        host = "https://localhost" if self.tls else "http://127.0.0.1"
        return f"{host}:{self.listening.getsockname()[1]}"


def whole_request(connection: socket.socket) -> bytes:
    found = b""
    while chunk := connection.recv(65_536):
        found += chunk
        head, mark, body = found.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if mark and len(body) >= int(length[1] if length else 0):
            return found
    return b""


@contextmanager
def served(
    say: Say, *, hangs_up: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[Wire, Server]]:
    server = Server(say, hangs_up, tls)
    try:
        yield Wire(f"{server.url}/root", max_bytes=MAX_BYTES), server
    finally:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()


def answer(body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join((b"HTTP/1.1 200 OK", length, *headers, b"", body))


def packed(body: bytes) -> bytes:
    return answer(gzip.compress(body), b"Content-Encoding: gzip")


def test_a_connection_is_used_again() -> None:
    with served(lambda n: answer(b"%d" % n)) as (wire, server):
        assert [wire.get("/a", 5).body for _ in range(3)] == [b"1", b"2", b"3"]
    assert server.connections == 1


def test_what_is_asked_is_below_the_root_with_its_query_or_its_body() -> None:
    with served(lambda n: answer(b"")) as (wire, server):
        wire.get("/a", 5, query={"b": "c d", "e": "&"})
        wire.post_form("/f", 5, {"tx": "A+/="})
        wire.post_json("", 5, {"id": 1}, what="it")
    asked = [(each.splitlines()[0], each.partition(b"\r\n\r\n")[2]) for each in server.requests]
    assert asked == [
        (b"GET /root/a?b=c+d&e=%26 HTTP/1.1", b""),
        (b"POST /root/f HTTP/1.1", b"tx=A%2B%2F%3D"),
        (b"POST /root HTTP/1.1", b'{"id": 1}'),
    ]


def test_a_connection_that_ended_while_it_rested_is_replaced_unseen() -> None:
    with served(lambda n: answer(b"%d" % n), hangs_up=True) as (wire, server):
        assert wire.get("/a", 5).body == b"1"
        until(lambda: server.ended == 1)
        assert wire.get("/a", 5).body == b"2"


def test_a_connection_that_is_to_be_closed_is_not_kept() -> None:
    closing = answer(b"x", b"Connection: close")
    with served(lambda n: closing, hangs_up=True) as (wire, server):
        assert [wire.get("/a", 5).body for _ in range(2)] == [b"x", b"x"]
    assert server.connections == 2


def test_a_fork_has_connections_of_its_own() -> None:
    with served(lambda n: answer(b"%d" % n)) as (wire, server):
        assert wire.get("/a", 5).body == b"1"
        child = os.fork()
        if child == 0:
            os._exit(0 if wire.get("/a", 5).body == b"2" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert wire.get("/a", 5).body == b"3"
    assert server.connections == 2


def test_two_at_once_have_a_connection_each() -> None:
    both = threading.Barrier(2, timeout=10)

    def say(n: int) -> bytes:
        both.wait()
        return answer(b"x")

    with served(say) as (wire, server):
        threads = [threading.Thread(target=wire.get, args=("/a", 5)) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert server.connections == 2


@pytest.mark.parametrize("coding", [b"gzip", b"GZip"])
def test_an_answer_may_be_packed(coding: bytes) -> None:
    said = answer(gzip.compress(b"y" * MAX_BYTES), b"Content-Encoding: " + coding)
    with served(lambda n: said) as (wire, _):
        assert wire.get("/a", 5).body == b"y" * MAX_BYTES


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(b"x" * (MAX_BYTES + 1)), "too much"),
        (packed(b"y" * (MAX_BYTES + 1)), "too much"),
        (packed(b"y" * 50_000_000), "too much"),
        (answer(b"no gzip", b"Content-Encoding: gzip"), "cannot be unpacked"),
        (answer(gzip.compress(b"y" * 1000)[:-9], b"Content-Encoding: gzip"), "to the end"),
        (
            answer(gzip.compress(b"1") + gzip.compress(b"2"), b"Content-Encoding: gzip"),
            "to the end",
        ),
        (answer(b"x" * 100)[:-1], "to the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc", "ValueError"),
        (b"SSH-2.0\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected"),
    ],
    ids=[
        "too long",
        "unpacked too long",
        "far too long unpacked",
        "not packed",
        "packed and cut",
        "packed in two parts",
        "cut",
        "cut in a chunk",
        "less than nothing",
        "another protocol",
        "nothing",
    ],
)
def test_promise_07_what_is_no_whole_answer_is_none(said: bytes, why: str) -> None:
    """And the next is asked on a connection of its own, on which nothing is left of it."""
    with served(lambda n: said if n == 1 else answer(b"good"), hangs_up=True) as (wire, server):
        with pytest.raises(Unavailable, match=why):
            wire.get("/a", 5)
        assert wire.get("/a", 5).body == b"good"
    assert server.connections == 2


@pytest.mark.parametrize("status", ["102 Processing", "103 Early Hints", "204 None", "304 Same"])
def test_promise_07_what_follows_an_answer_without_a_body_answers_nothing_else(
    monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """Not even where it comes only after the connection was looked at."""
    monkeypatch.setattr(wires, "has_news", lambda _: False)
    head = f"HTTP/1.1 {status}\r\nX: {{}}\r\n\r\n"
    head = head.format("x" * (READ_AT_ONCE - len(head) + 2))
    first = head.encode() + answer(b"of the first")
    with served(lambda n: first if n == 1 else answer(b"of the second")) as (wire, _):
        wire.get("/1", 5)
        assert wire.get("/2", 5).body == b"of the second"


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    certificate = certificates.make(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_connection_with_tls_is_used_again(tls: ssl.SSLContext) -> None:
    with served(lambda n: answer(b"%d" % n), tls=tls) as (wire, server):
        assert [wire.get("/a", 5).body for _ in range(3)] == [b"1", b"2", b"3"]
    assert server.connections == 1


def test_a_source_whose_certificate_is_not_known_is_unavailable(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        served(lambda n: answer(b"x"), tls=tls) as (wire, server),
        pytest.raises(Unavailable, match="SSLCertVerificationError"),
    ):
        wire.get("/a", 5)
    assert server.requests == []


def test_promise_07_what_tls_has_read_beyond_an_answer_answers_nothing_else(
    tls: ssl.SSLContext,
) -> None:
    """The socket is silent then."""
    more = answer(b"x").ljust(READ_AT_ONCE) + answer(b"nobody asked")
    with served(lambda n: more if n == 1 else answer(b"asked"), tls=tls) as (wire, _):
        assert wire.get("/a", 5).body == b"x"
        assert wire.get("/a", 5).body == b"asked"


def test_promise_06_what_was_sent_is_not_sent_again_where_nobody_answers() -> None:
    def say(n: int) -> bytes:
        sleep(1.5)
        return answer(b"late")

    with served(say) as (wire, server):
        with pytest.raises(Unavailable, match="TimeoutError"):
            wire.post_form("/tx", 1, {"tx": "A"})
        until(lambda: server.ended == 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nobody.invalid", "a" * 64 + ".invalid"])
def test_a_source_that_is_not_there_is_unavailable(host: str) -> None:
    with pytest.raises(Unavailable, match="/a did not answer"):
        Wire(f"http://{host}", max_bytes=MAX_BYTES).get("/a", 1)


def test_the_end_of_an_ipv6_address_is_not_taken_for_a_port() -> None:
    problem = ""
    try:
        Wire("http://[::ffff:127.0.0.1]", max_bytes=MAX_BYTES).get("/a", 1)
    except Unavailable as error:
        problem = str(error)
    assert "InvalidURL" not in problem

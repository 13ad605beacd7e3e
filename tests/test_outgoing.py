"""Fetching strangers' addresses: nothing inside is reached, and nobody holds us up."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from anchor import outgoing
from anchor.errors import Rejected, Unavailable
from anchor.ledger import outside
from tests import certificates

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Host:
    """A server that says its lines, one after the other, whatever it is asked."""

    def __init__(self, lines: Sequence[bytes], pause_s: float, context: Any = None) -> None:
        self.lines, self.pause_s, self.context = lines, pause_s, context
        self.asked = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.context is not None:
                    connected = self.context.wrap_socket(connected, server_side=True)
                with connected:
                    self.answer(connected)
            except OSError:
                connected.close()

    def answer(self, connected: socket.socket) -> None:
        while b"\r\n\r\n" not in self.asked:
            received = connected.recv(65536)
            if not received:
                return
            self.asked += received
        for line in self.lines:
            connected.sendall(line)
            if self.pause_s and self.stopped.wait(self.pause_s):
                return


@contextmanager
def host(*lines: bytes, pause_s: float = 0, context: Any = None) -> Iterator[Host]:
    made = Host(lines, pause_s, context)
    made.thread.start()
    try:
        yield made
    finally:
        made.stopped.set()
        made.listener.shutdown(socket.SHUT_RDWR)
        made.listener.close()
        made.thread.join()


def fetch(port: int, **options: Any) -> bytes:
    limits: dict[str, Any] = {"max_bytes": 1000, "timeout_s": 5, "allow_private": True}
    return outgoing.fetch(f"http://127.0.0.1:{port}/a?b=c", **(limits | options))


def names(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Make every name resolve to `answers`; return the names that were looked up."""
    asked: list[str] = []

    def look_up(name: str, port: int, *_args: Any, **_options: Any) -> list[Any]:
        if name[0].isdigit():  # a connection looks its own address up
            found: Sequence[str] = [name]
        else:
            asked.append(name)
            found = answers
        family = socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", look_up)
    return asked


def _never(*_args: Any, **_options: Any) -> None:
    pytest.fail("this was connected to")


def test_a_body_is_fetched() -> None:
    with host(OK) as here:
        assert fetch(here.port) == b"hello"
    head = here.asked.decode().lower()
    assert head.startswith("get /a?b=c http/1.1\r\n")
    assert f"host: 127.0.0.1:{here.port}\r\n" in head
    assert "connection: close\r\n" in head


def test_a_body_in_chunks_and_one_without_length_are_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with host(head, b"2\r\nhe\r\n", b"3\r\nllo\r\n", b"0\r\n\r\n") as here:
        assert fetch(here.port) == b"hello"
    with host(b"HTTP/1.0 200 OK\r\n\r\nhello") as here:
        assert fetch(here.port) == b"hello"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com",
        "https://",
        "https://user:pw@example.com/",
        "https://@example.com/",
        "https://exa mple.com/",
        "https://[::1]/",
        "https://[nonsense",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com:x/",
        "https://example.com/a\u00e4",
        "https://example.com/\x00",
        "https://exämple.com/",
    ],
)
def test_what_is_no_https_address_is_refused_before_any_lookup(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """CB-08, SEP10-09."""
    asked = names(monkeypatch, "1.1.1.1")
    with pytest.raises(Rejected):
        outgoing.fetch(url, max_bytes=1000, timeout_s=2)
    assert asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_inside_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """CB-08: whatever the name, also where only one of several addresses is inside."""
    assert not outgoing.is_public(address)
    monkeypatch.setattr(outgoing.socket, "create_connection", _never)
    names(monkeypatch, "1.1.1.1", address)
    with pytest.raises(Rejected, match="public internet"):
        outgoing.fetch("https://wallet.example/", max_bytes=1000, timeout_s=2)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450::1"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert outgoing.is_public(address)


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1", "127.1", "0"])
def test_other_spellings_of_this_machine_are_seen_through(name: str) -> None:
    """CB-08: judged by what the resolver makes of them."""
    with pytest.raises((Rejected, Unavailable), match=r"public internet|resolved"):
        outgoing.fetch(f"https://{name}/", max_bytes=1000, timeout_s=2)


def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: one lookup, and the address that was checked is connected to."""
    asked = names(monkeypatch, "1.1.1.1")
    connected: list[Any] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address)
        names(monkeypatch, "127.0.0.1")
        raise OSError

    monkeypatch.setattr(outgoing.socket, "create_connection", connect)
    with pytest.raises(Unavailable):
        outgoing.fetch("https://wallet.example/", max_bytes=1000, timeout_s=2)
    assert asked == ["wallet.example"]
    assert connected == [("1.1.1.1", 443)]


def test_the_next_address_is_tried_where_the_first_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with host(OK) as here:
        names(monkeypatch, "127.0.0.2", "127.0.0.1")
        url = f"http://wallet.example:{here.port}/"
        got = outgoing.fetch(url, max_bytes=1000, timeout_s=5, allow_private=True)
    assert got == b"hello"


def test_redirects_are_not_followed() -> None:
    """CB-08."""
    with host(OK) as inside:
        there = f"http://127.0.0.1:{inside.port}/".encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + there + b"\r\n\r\n"
        with host(moved) as here, pytest.raises(Rejected, match="302"):
            fetch(here.port)
        assert inside.asked == b""


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with host(OK) as proxy, host(OK) as here:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert fetch(here.port) == b"hello"
        assert proxy.asked == b""


@pytest.mark.parametrize(
    "lines",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", b"x" * 1001),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 500_000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"ffff\r\n", b"x" * 65535),
        (b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 10_000 + b"\r\n"] * 20),
    ],
)
def test_an_answer_that_is_too_long_is_refused(lines: tuple[bytes, ...]) -> None:
    with host(*lines) as here, pytest.raises(Rejected):
        fetch(here.port)


@pytest.mark.parametrize(
    "lines",
    [
        [b"H", b"T", b"T", b"P"] * 20,
        [b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 80,
        [b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x"] * 80,
        [b""] * 80,
    ],
)
def test_a_host_that_trickles_is_left_in_time(lines: list[bytes]) -> None:
    """A time-out for each read would let it hold a thread for hours."""
    began = monotonic()
    with host(*lines, pause_s=0.1) as here:
        with pytest.raises(Unavailable):
            fetch(here.port, timeout_s=1)
        assert monotonic() - began < 2


def test_a_resolver_that_hangs_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_args: Any, **_options: Any) -> None:
        sleep(1.5)
        raise socket.gaierror

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", hang)
    began = monotonic()
    with pytest.raises(Unavailable, match="resolved"):
        outgoing.fetch("https://slow.example/", max_bytes=1000, timeout_s=1)
    assert monotonic() - began < 1.4


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"nonsense\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(lines: list[bytes]) -> None:
    with host(*lines) as here, pytest.raises(Unavailable):
        fetch(here.port)


@pytest.mark.parametrize("status", [201, 204, 206, 301, 401, 404, 500, 503])
def test_any_status_but_200_is_refused(status: int) -> None:
    line = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
    with host(line) as here, pytest.raises(Rejected, match=str(status)):
        fetch(here.port)


def test_nobody_there_is_unavailable() -> None:
    with host() as gone:
        pass
    with pytest.raises(Unavailable):
        fetch(gone.port)


def test_promise_08_nothing_is_fetched_inside_a_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise AssertionError("a transaction is open")

    monkeypatch.setattr(outside, "before_call", refuse)
    with pytest.raises(AssertionError, match="open"):
        fetch(1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``wallet.example``, with its key in the same file."""
    return certificates.make(tmp_path_factory.mktemp("tls"), "wallet.example")


def test_a_certificate_is_checked_for_the_name_and_not_the_address(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    names(monkeypatch, "127.0.0.1")
    with host(OK, context=context) as here:

        def get(name: str) -> bytes:
            url = f"https://{name}:{here.port}/"
            return outgoing.fetch(url, max_bytes=1000, timeout_s=5, allow_private=True)

        assert get("wallet.example") == b"hello"
        with pytest.raises(Rejected, match="certificate"):
            get("other.example")
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(Rejected, match="certificate"):
            get("wallet.example")


def test_a_host_that_never_ends_its_handshake_is_left_in_time() -> None:
    began = monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(Unavailable):
            outgoing.fetch(url, max_bytes=1000, timeout_s=1, allow_private=True)
    assert monotonic() - began < 2

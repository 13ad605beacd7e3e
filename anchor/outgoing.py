"""Asking and telling a stranger's address, without being led anywhere inside.

The address is resolved here, checked, and the checked one is connected to: a name that
changes its mind between the check and the connection gains nothing. No redirects, no
proxies, a bounded size and a bounded time.
"""

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from threading import BoundedSemaphore, Thread
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from anchor import tracing
from anchor.errors import Rejected, Unavailable
from anchor.ledger import outside

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_DEFAULT_PORTS = {"https": 443, "http": 80}
#: What a status line and headers may take on top of the body.
_HEAD_BYTES = 65_536
#: A resolver has no time-out of its own; its threads are left behind, but not without end.
_LOOKUPS = BoundedSemaphore(32)
#: The part of IPv6 that is routed, without 6to4, which leads to any IPv4 address.
_IPV6_ROUTED = ipaddress.IPv6Network("2000::/3")
_IPV6_6TO4 = ipaddress.IPv6Network("2002::/16")


T = TypeVar("T")
#: Asks over a connection until a deadline, and returns what was answered.
_Act = Callable[[socket.socket, SplitResult, float], T]


@dataclass(frozen=True)
class Answer:
    """What a stranger answered: a status, whatever it is, and a body."""

    status: int
    body: bytes


def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_s: int,
    allow_private: bool = False,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return the body behind a stranger's https address, within `timeout_s` all in all.

    Plain http and private addresses are for development (`allow_private`). Raises
    `Rejected` for an address that may not be asked, for any answer but 200 and for a body
    of more than `max_bytes`, and `Unavailable` where nobody answers in time.
    """
    return _ask(
        url,
        lambda connected, parts, deadline: _get(
            connected, parts, deadline, max_bytes, headers or {}
        ),
        timeout_s,
        allow_private=allow_private,
    )


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: int,
    allow_private: bool = False,
) -> None:
    """Post `body` to a stranger's https address, as guarded as `fetch`; any 2xx is a yes.

    Raises `Rejected` for an address that may not be asked and for any other answer, and
    `Unavailable` where nobody answers within `timeout_s`. What the answer says is not read.
    """
    _ask(
        url,
        lambda connected, parts, deadline: _post(connected, parts, deadline, body, headers),
        timeout_s,
        allow_private=allow_private,
    )


def request(
    method: str,
    url: str,
    *,
    max_bytes: int,
    timeout_s: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
) -> Answer:
    """Ask a stranger's https address in any way, as guarded as `fetch`; any status is an answer.

    Raises `Rejected` for an address that may not be asked and a body of more than `max_bytes`,
    and `Unavailable` where nobody answers within `timeout_s`: whether it was heard is unknown.
    """

    def act(connected: socket.socket, parts: SplitResult, deadline: float) -> Answer:
        connection = _over(connected, parts, deadline, max_bytes)
        whole = _headers(parts) | dict(headers or {})
        connection.request(method, _target(parts), body=body, headers=whole)
        response = connection.getresponse()
        return Answer(response.status, _body(response, parts, max_bytes))

    return _ask(
        url,
        act,
        timeout_s,
        allow_private=allow_private,
    )


def check_address(url: str, *, allow_private: bool = False) -> str:
    """Return the host, with its port unless it is the default, of an address to tell things to.

    Raises `Rejected` where `fetch` and `post` would never ask it: only what can be read off
    the address is looked at, nobody is asked.
    """
    if not url.isprintable():  # urlsplit drops line breaks
        raise Rejected("the address must be plain ASCII")
    parts, host, port = _read(url, allow_private=allow_private)
    try:
        if not allow_private and not is_public(host):
            raise Rejected("{host} is not on the public internet", host=host)
    except ValueError:
        pass  # a name
    given = parts.netloc.partition(":")[0]
    return given if port == _DEFAULT_PORTS[parts.scheme] else f"{given}:{port}"


def _ask(url: str, act: _Act[T], timeout_s: int, *, allow_private: bool) -> T:
    outside.check()
    parts, host, port = _read(url, allow_private=allow_private)
    with tracing.span(f"ask {host}", tracing.CALL, server__address=host):
        return _ask_at((parts, host, port), act, timeout_s, allow_private=allow_private)


def _ask_at(
    where: tuple[SplitResult, str, int], act: _Act[T], timeout_s: int, *, allow_private: bool
) -> T:
    parts, host, port = where
    deadline = monotonic() + timeout_s
    addresses = _resolve(host, port, deadline)
    if not allow_private and not all(is_public(address) for address in addresses):
        raise Rejected("{host} is not on the public internet", host=host)
    try:
        with _connect(addresses, port, deadline) as connected:
            if parts.scheme == "http":
                return act(connected, parts, deadline)
            connected.settimeout(_left(deadline))
            context = ssl.create_default_context()
            with context.wrap_socket(connected, server_hostname=host) as secured:
                return act(secured, parts, deadline)
    except ssl.SSLCertVerificationError as error:
        raise Rejected("{host} has no valid certificate", host=host) from error
    except (OSError, HTTPException) as error:
        raise Unavailable("{host} did not answer", host=host) from error


def is_public(address: str) -> bool:
    """Tell whether an IP address is on the public internet.

    IPv6 is taken from its routed part alone: mapped, translated (NAT64, 6to4) and site-local
    addresses lead to IPv4 or inside.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _IPV6_ROUTED and ip not in _IPV6_6TO4 and ip.is_global
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _read(url: str, *, allow_private: bool) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        given = parts.port
    except ValueError as error:
        raise Rejected("the address cannot be read") from error
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise Rejected("the address must begin with https://")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or parts.username is not None or parts.password is not None:
        raise Rejected("the address names no host")
    if not (parts.path + parts.query).isascii() or not (parts.path + parts.query).isprintable():
        raise Rejected("the address must be plain ASCII")
    port = _DEFAULT_PORTS[parts.scheme] if given is None else given
    if port == 0:
        raise Rejected("the address has no valid port")
    return parts, host, port


def _resolve(host: str, port: int, deadline: float) -> list[str]:
    found: list[str] = []

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError):
            found.clear()
        finally:
            _LOOKUPS.release()

    if not _LOOKUPS.acquire(blocking=False):
        raise Unavailable("too many names are being looked up; try again in a minute")
    thread = Thread(target=look_up, name=f"resolve {host}", daemon=True)
    thread.start()
    thread.join(max(0, deadline - monotonic()))
    if thread.is_alive() or not found:
        raise Unavailable("{host} cannot be resolved", host=host)
    return found


def _connect(addresses: list[str], port: int, deadline: float) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout=_left(deadline) / 2)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), timeout=_left(deadline))


class _Wire(RawIOBase):
    """A connected socket that gives up at `deadline` and after `max_bytes`.

    A socket's own time-out begins anew with every byte; a host that trickles would hold us
    for hours.
    """

    def __init__(self, connected: socket.socket, deadline: float, max_bytes: int) -> None:
        self._socket = connected
        self._deadline = deadline
        self._bytes_left = max_bytes

    def makefile(self, *_args: Any, **_kwargs: Any) -> BufferedReader:
        """Return what `http.client` reads the answer from."""
        return BufferedReader(self)

    def sendall(self, data: bytes) -> None:
        """Send everything, or `TimeoutError`."""
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def close(self) -> None:
        """Leave the socket open: whoever opened it closes it, once the answer was read."""

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, or `TimeoutError`, or `Rejected` where it is too much."""
        self._socket.settimeout(_left(self._deadline))
        count = self._socket.recv_into(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise Rejected("the answer is too long")
        return count


def _get(
    connected: socket.socket,
    parts: SplitResult,
    deadline: float,
    max_bytes: int,
    more: Mapping[str, str],
) -> bytes:
    connection = _over(connected, parts, deadline, max_bytes)
    connection.request("GET", _target(parts), headers=_headers(parts) | dict(more))
    response = connection.getresponse()
    if response.status != 200:
        raise Rejected("{host} answered {status}", host=parts.hostname, status=response.status)
    return _body(response, parts, max_bytes)


def _body(response: HTTPResponse, parts: SplitResult, max_bytes: int) -> bytes:
    body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise Rejected(
            "{host} answered with more than {bytes} bytes", host=parts.hostname, bytes=max_bytes
        )
    # read(n) takes a body that ends early for a whole one.
    if response.length:
        raise Unavailable("{host} hung up in the middle", host=parts.hostname)
    return body


def _post(
    connected: socket.socket,
    parts: SplitResult,
    deadline: float,
    body: bytes,
    headers: Mapping[str, str],
) -> bytes:
    connection = _over(connected, parts, deadline, 0)
    connection.request("POST", _target(parts), body=body, headers=_headers(parts) | dict(headers))
    status = connection.getresponse().status
    if not 200 <= status < 300:
        raise Rejected("{host} answered {status}", host=parts.hostname, status=status)
    return b""


def _over(
    connected: socket.socket, parts: SplitResult, deadline: float, max_bytes: int
) -> HTTPConnection:
    """Return a connection that has its socket already.

    So it looks up nothing, reads no proxy settings and follows no redirect.
    """
    connection = HTTPConnection(parts.netloc)
    wire: Any = _Wire(connected, deadline, max_bytes + _HEAD_BYTES)
    connection.sock = wire
    return connection


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _headers(parts: SplitResult) -> dict[str, str]:
    return {"Host": parts.netloc, "Connection": "close", "Accept-Encoding": "identity"}


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left

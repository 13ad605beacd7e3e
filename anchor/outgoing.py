"""Fetching what a stranger's address names, without being led anywhere inside.

The address is resolved here, checked, and the checked one is connected to: a name that
changes its mind between the check and the connection gains nothing. No redirects, no
proxies, a bounded size and a bounded time.
"""

import ipaddress
import re
import socket
from time import monotonic
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Timeout

from anchor.errors import Rejected, Unavailable

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_CHUNK = 8192


def fetch(url: str, *, max_bytes: int, timeout_s: int, allow_private: bool = False) -> bytes:
    """Return the body behind a stranger's https address.

    Plain http and private addresses are for development (`allow_private`). Raises
    `Rejected` for an address that may not be asked and for any answer but 200, and
    `Unavailable` where nobody answers in time.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Rejected("the address has no valid port") from error
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise Rejected("the address must begin with https://")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or parts.username or parts.password:
        raise Rejected("the address names no host")
    address = _resolve(host, port, allow_private=allow_private)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        return _get(
            parts.scheme, host, address, port, target, max_bytes=max_bytes, timeout_s=timeout_s
        )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"{host} did not answer") from error


def is_public(address: str) -> bool:
    """Tell whether an IP address is on the public internet."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _resolve(host: str, port: int, *, allow_private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{host} cannot be resolved") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise Rejected(f"{host} is not on the public internet")
    return addresses[0]


def _get(
    scheme: str, host: str, address: str, port: int, target: str, *, max_bytes: int, timeout_s: int
) -> bytes:
    timeout = Timeout(total=timeout_s)
    pool: urllib3.HTTPConnectionPool
    if scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    deadline = monotonic() + timeout_s
    with pool:
        default = 443 if scheme == "https" else 80
        response = pool.urlopen(
            "GET",
            target,
            headers={"Host": host if port == default else f"{host}:{port}"},
            redirect=False,
            retries=False,
            preload_content=False,
        )
        if response.status != 200:
            raise Rejected(f"{host} answered {response.status}")
        body = b""
        for chunk in response.stream(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > max_bytes:
                raise Rejected(f"{host} answered with more than {max_bytes} bytes")
            if monotonic() > deadline:
                raise Unavailable(f"{host} took too long")
        return body

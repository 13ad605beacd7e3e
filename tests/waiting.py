"""Waiting for what has to come, with an end; and ports of one's own."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import Any


def until(what: Callable[[], Any], timeout_s: int = 30, why: str = "") -> Any:
    """Wait until `what` is true and return it."""
    deadline = monotonic() + timeout_s
    while monotonic() < deadline:
        found = what()
        if found:
            return found
        sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s in vain {why}")


def free_port() -> int:
    """Return a port that nobody listens on, below those that connections get by themselves."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

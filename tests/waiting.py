"""Waiting for what has to come, with an end; and ports of one's own."""

import socket
from collections.abc import Callable
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
    """Return a port that nobody listens on, and that nobody chooses by default."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Waiting for what has to come, with an end."""

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

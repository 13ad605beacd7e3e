"""Misbehaviours that were asked for: what the next requests are answered instead of the truth."""

from __future__ import annotations

import threading
from collections import deque
from typing import TypeGuard

from anchor.sandbox.network.http import ConnectionCut
from anchor.sandbox.network.problems import Problem

# the answers that any request can get, and Horizon's type for them
COMMON = {
    "503": "service_unavailable",
    "503-stale": "stale_history",
    "429": "rate_limit_exceeded",
    "500": "server_error",
}
GET_ANSWERS = (*COMMON, "504", "cut")
POST_ANSWERS = (
    *COMMON,
    "504-applied",
    "504-lost",
    "cut-applied",
    "cut-lost",
    "bad-seq",
    "try-again-later",
)


def is_refusal(answer: str | None) -> TypeGuard[str]:
    """Tell whether an answer to a submission is a result code, so that nothing is taken."""
    return answer is not None and (answer == "bad-seq" or answer.startswith(("tx_", "op_")))


class Faults:
    """The misbehaviours that are due; each is taken once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._posts: deque[str] = deque()
        self._gets: list[tuple[str, str]] = []

    def add_posts(self, answer: str, times: int) -> None:
        """Answer so to the next `times` submissions; one of POST_ANSWERS, or a result code."""
        with self._lock:
            self._posts.extend([answer] * times)

    def add_gets(self, path: str, answer: str, times: int) -> None:
        """Answer so to the next `times` GETs below a path; one of GET_ANSWERS."""
        with self._lock:
            self._gets.extend([(path, answer)] * times)

    def clear(self) -> None:
        """Forget all that is due."""
        with self._lock:
            self._posts.clear()
            self._gets.clear()

    def next_post(self) -> str | None:
        """Take the answer that is due to a submission."""
        with self._lock:
            return self._posts.popleft() if self._posts else None

    def strike_get(self, path: str) -> None:
        """Raise what is due to a GET of this path: a Problem, or the end of the connection."""
        with self._lock:
            due = next((each for each in self._gets if path.startswith(each[0])), None)
            if due is None:
                return
            self._gets.remove(due)
        if due[1] == "cut":
            raise ConnectionCut
        raise Problem("timeout" if due[1] == "504" else COMMON[due[1]])

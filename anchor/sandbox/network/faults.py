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
RPC_ANSWERS = ("503", "429", "500", "cut")
# what a simulation says too little of
SIMULATION_FAULTS = ("fee", "resources", "footprint")


def is_refusal(answer: str | None) -> TypeGuard[str]:
    """Tell whether an answer to a submission is a result code, so that nothing is taken."""
    return answer is not None and (answer == "bad-seq" or answer not in POST_ANSWERS)


class Faults:
    """The misbehaviours that are due; each is taken once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._posts: deque[str] = deque()
        self._gets: list[tuple[str, str]] = []
        self._calls: deque[str] = deque()
        self._simulations: deque[str] = deque()

    def add_posts(self, answer: str, times: int) -> None:
        """Answer so to the next `times` submissions; one of POST_ANSWERS, or a result code."""
        with self._lock:
            self._posts.extend([answer] * times)

    def add_gets(self, path: str, answer: str, times: int) -> None:
        """Answer so to the next `times` GETs below a path; one of GET_ANSWERS."""
        with self._lock:
            self._gets.extend([(path, answer)] * times)

    def add_calls(self, answer: str, times: int) -> None:
        """Answer so to the next `times` calls of the RPC; one of RPC_ANSWERS."""
        with self._lock:
            self._calls.extend([answer] * times)

    def add_simulations(self, fault: str, times: int) -> None:
        """Let the next `times` simulations of transfers say too little; SIMULATION_FAULTS."""
        with self._lock:
            self._simulations.extend([fault] * times)

    def clear(self) -> None:
        """Forget all that is due."""
        with self._lock:
            self._posts.clear()
            self._gets.clear()
            self._calls.clear()
            self._simulations.clear()

    def next_post(self) -> str | None:
        """Take the answer that is due to a submission."""
        with self._lock:
            return self._posts.popleft() if self._posts else None

    def next_simulation(self) -> str | None:
        """Take what a simulation is to say too little of."""
        with self._lock:
            return self._simulations.popleft() if self._simulations else None

    def strike_call(self) -> None:
        """Raise what is due to a call of the RPC: a Problem, or the end of the connection."""
        with self._lock:
            due = self._calls.popleft() if self._calls else None
        if due == "cut":
            raise ConnectionCut
        if due is not None:
            raise Problem(COMMON[due])

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

"""The knobs under /sandbox/: what one can do to this network and to no real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.http import Reply, Request
from anchor.sandbox.network.problems import Problem, invalid
from anchor.sandbox.network.records import dumps
from anchor.sandbox.network.streams import Streams
from anchor.sandbox.network.submitting import MISBEHAVIOURS, Submitting

JSON = "application/json; charset=utf-8"


class Knobs:
    """POST /sandbox/<name> with a JSON object; each answers with the ledger numbers."""

    def __init__(self, network: Network, streams: Streams, submitting: Submitting) -> None:
        self.network = network
        self.submitting = submitting
        self._acts: dict[str, Callable[[dict[str, Any]], object]] = {
            "close": lambda _: network.close_ledger(),
            "reset": lambda _: network.reset(),
            "forget-before": lambda body: network.forget_before(_number(body, "ledger")),
            "misbehave": self._misbehave,
            "drop-streams": lambda _: streams.drop(),
            "freeze": lambda _: network.freeze(),
            "thaw": lambda _: network.thaw(),
            "base-fee": lambda body: network.set_base_fee(_number(body, "stroops")),
        }

    def turn(self, request: Request, name: str) -> Reply:
        """Do what the knob says; 404 for an unknown one, 400 for a bad body."""
        if name not in self._acts:
            raise Problem("not_found")
        try:
            body = json.loads(request.body or b"{}")
        except ValueError:
            raise invalid("body", "not JSON") from None
        if not isinstance(body, dict):
            raise invalid("body", "not a JSON object")
        self._acts[name](body)
        with self.network.lock:
            history = self.network.history
            answer = {
                "core_latest_ledger": self.network.core.sequence,
                "history_latest_ledger": history.latest.sequence,
                "history_elder_ledger": history.elder,
            }
        return Reply(dumps(answer), content_type=JSON)

    def _misbehave(self, body: dict[str, Any]) -> None:
        """`answer`: one of MISBEHAVIOURS; `times`: for how many posts, 1 unless told."""
        answer = str(body.get("answer"))
        if answer not in MISBEHAVIOURS:
            raise invalid("answer", "one of " + ", ".join(MISBEHAVIOURS))
        times = _number(body, "times") if "times" in body else 1
        self.submitting.next_answers.extend([answer] * times)


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(name, "a whole number is needed")
    return value

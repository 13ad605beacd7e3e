"""The knobs under /sandbox/: what one can do to this network and to no real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from stellar_sdk import StrKey

from anchor.sandbox.network.balances import read_asset
from anchor.sandbox.network.contracts.changes import Change
from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.faults import (
    GET_ANSWERS,
    POST_ANSWERS,
    RPC_ANSWERS,
    SIMULATION_FAULTS,
    Faults,
)
from anchor.sandbox.network.http import Reply, Request
from anchor.sandbox.network.problems import Problem, invalid
from anchor.sandbox.network.records import dumps
from anchor.sandbox.network.results import is_code
from anchor.sandbox.network.streams import Streams

JSON = "application/json; charset=utf-8"
STREAM_FAULTS = ("error", "repeat", "reorder", "stall")


class Knobs:
    """POST /sandbox/<name> with a JSON object; each answers with the ledger numbers."""

    def __init__(self, network: Network, streams: Streams, faults: Faults) -> None:
        self.network = network
        self.streams = streams
        self.faults = faults
        self._acts: dict[str, Callable[[dict[str, Any]], object]] = {
            "close": self._close,
            "reset": self._reset,
            "forget-before": lambda body: network.forget_before(_number(body, "ledger")),
            "misbehave": self._misbehave,
            "behave": lambda _: faults.clear(),
            "drop-streams": lambda _: streams.drop(),
            "end-streams": lambda _: streams.end(),
            "streams": self._disturb,
            "freeze": lambda _: network.freeze(),
            "thaw": lambda _: network.thaw(),
            "base-fee": lambda body: network.set_base_fee(_number(body, "stroops")),
            "surge": lambda body: network.set_surge_fee(_number(body, "stroops")),
            "simulations": self._simulations,
            "archive": self._archive,
            "holder": self._holder,
            "clock": lambda body: network.set_clock_ahead(_number(body, "seconds")),
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

    def _close(self, body: dict[str, Any]) -> None:
        """`ledgers`: how many, 1 unless told."""
        for _ in range(_number(body, "ledgers", 1)):
            self.network.close_ledger()

    def _reset(self, _body: dict[str, Any]) -> None:
        """Begin again at ledger 1, with nothing wrong."""
        self.faults.clear()
        self.streams.calm()
        self.network.reset()

    def _misbehave(self, body: dict[str, Any]) -> None:
        """`answer`, `times` (1 unless told); `get`: not for submissions but GETs below a path.

        A submission may also be answered with any result code, by Horizon's word for it.
        `at` is ``rpc`` for calls of the RPC instead.
        """
        answer, times, path = str(body.get("answer")), _number(body, "times", 1), body.get("get")
        if body.get("at") == "rpc":
            self.faults.add_calls(_one_of(body, "answer", RPC_ANSWERS), times)
            return
        known = POST_ANSWERS if path is None else GET_ANSWERS
        if answer not in known and not (path is None and is_code(answer)):
            raise invalid("answer", "one of " + ", ".join(known))
        if path is None:
            self.faults.add_posts(answer, times)
        elif isinstance(path, str):
            self.faults.add_gets(path, answer, times)
        else:
            raise invalid("get", "the beginning of a path is needed")

    def _simulations(self, body: dict[str, Any]) -> None:
        """`fault`: fee, resources, footprint: what the next `times` simulations fall short of."""
        fault = _one_of(body, "fault", SIMULATION_FAULTS)
        self.faults.add_simulations(fault, _number(body, "times", 1))

    def _archive(self, body: dict[str, Any]) -> None:
        """`contract`: it cannot be called any more, until `archived` is false."""
        contract = _contract(body)
        archived = body.get("archived", True)
        change: Change = {"archive": contract} if archived else {"restore": contract}
        self.network.change_contracts(change)

    def _holder(self, body: dict[str, Any]) -> None:
        """`contract` may hold and move `asset` (CODE:ISSUER), unless `authorized` is false."""
        asset, contract = str(read_asset(str(body.get("asset")))), _contract(body)
        change: Change = {"asset": asset}
        change["authorize" if body.get("authorized", True) else "forbid"] = contract
        self.network.change_contracts(change)

    def _disturb(self, body: dict[str, Any]) -> None:
        """`fault`: error, repeat, reorder (`times` streams, events, lots), stall (`seconds`)."""
        fault = _one_of(body, "fault", STREAM_FAULTS)
        if fault == "stall":
            self.streams.stall(_number(body, "seconds"))
        else:
            act = {
                "error": self.streams.fail,
                "repeat": self.streams.repeat,
                "reorder": self.streams.reorder,
            }[fault]
            act(_number(body, "times", 1))


def _one_of(body: dict[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = body.get(name)
    if not isinstance(value, str) or value not in known:
        raise invalid(name, "one of " + ", ".join(known))
    return value


def _contract(body: dict[str, Any]) -> str:
    value = body.get("contract")
    if not isinstance(value, str) or not StrKey.is_valid_contract(value):
        raise invalid("contract", "a C address is needed")
    return value


def _number(body: dict[str, Any], name: str, default: int | None = None) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(name, "a whole number is needed")
    return value

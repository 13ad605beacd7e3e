"""What an RPC says that a call takes is believed as little as can be."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from anchor.errors import Rejected, Unavailable
from anchor.ledger.contract_gateway import CallFails
from anchor.ledger.rpc import RpcGateway
from anchor.sandbox.network import Sandbox
from tests.ledger.test_envelopes import built
from tests.ledger.test_invocations import call, prepared

DATA = prepared(58_181).data
#: As a Stellar RPC answers a call that succeeds, without what nobody reads.
GOOD: dict[str, Any] = {
    "transactionData": DATA,
    "minResourceFee": "58181",
    "events": [],
    "results": [{"auth": [], "xdr": "AAAAAQ=="}],
    "latestLedger": 1234,
}


class Told:
    """An RPC that answers what a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.result: Any = GOOD
        self.error: Any = None
        self.status = 200
        self.asked: list[dict[str, Any]] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        asked = json.loads(Request(environ).get_data())
        self.asked.append(asked)
        body = {"jsonrpc": "2.0", "id": asked["id"]}
        body |= {"error": self.error} if self.error else {"result": self.result}
        return Response(json.dumps(body), self.status, mimetype="application/json")(
            environ, start_response
        )


@pytest.fixture
def told() -> Iterator[tuple[Told, RpcGateway]]:
    rpc = Told()
    with Sandbox(mounts={"/told": rpc}) as running:
        yield rpc, RpcGateway(f"{running.url}/told")


def test_a_call_is_shown_as_it_will_be_and_asked_about_once(told: Any) -> None:
    rpc, gateway = told
    envelope = built(call()).envelope_xdr
    found = gateway.prepare(envelope)
    assert (found.data, found.resource_fee) == (DATA, 58_181)
    [asked] = rpc.asked
    assert asked["method"] == "simulateTransaction"
    assert asked["params"] == {"transaction": envelope}


def test_a_call_that_would_fail_says_so_and_tells_nobody_s_name(told: Any) -> None:
    rpc, gateway = told
    rpc.result = {"error": "HostError: Error(Contract, #10)\nGABC… has 5", "latestLedger": 1234}
    with pytest.raises(CallFails) as caught:
        gateway.prepare(built(call()).envelope_xdr)
    assert caught.value.code == "op_underfunded"
    assert str(caught.value) == "the ledger's host says Error(Contract, #10)"


@pytest.mark.parametrize(
    "changed",
    [
        {"transactionData": "AAAA"},
        {"transactionData": None},
        {"minResourceFee": "-1"},
        {"minResourceFee": 1.5},
        {"minResourceFee": None},
        {"results": []},
        {"results": None},
        {"results": GOOD["results"] * 2},
    ],
)
def test_promise_07_half_of_what_a_call_takes_is_no_answer(
    told: Any, changed: dict[str, Any]
) -> None:
    rpc, gateway = told
    rpc.result = GOOD | changed
    with pytest.raises(Unavailable, match="simulateTransaction"):
        gateway.prepare(built(call()).envelope_xdr)


def test_an_rpc_that_fails_gave_no_answer_and_one_that_cannot_read_refuses(told: Any) -> None:
    rpc, gateway = told
    envelope = built(call()).envelope_xdr
    rpc.status = 503
    with pytest.raises(Unavailable, match="503"):
        gateway.prepare(envelope)
    rpc.status, rpc.error = 200, {"code": -32603, "message": "no ledger"}
    with pytest.raises(Unavailable, match="-32603"):
        gateway.prepare(envelope)
    rpc.error = {"code": -32602, "message": "no transaction"}
    with pytest.raises(Rejected, match="cannot read"):
        gateway.prepare(envelope)

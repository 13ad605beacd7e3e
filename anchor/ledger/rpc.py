"""A Stellar network as its RPC tells of it."""

import json
from itertools import count
from typing import Any

from stellar_sdk import Address, xdr

from anchor.errors import Rejected, Unavailable
from anchor.ledger.contract_gateway import (
    CallFails,
    ContractInstance,
    Prepared,
    RpcState,
    Simulation,
)
from anchor.ledger.reading import strictly
from anchor.ledger.wire import Wire

MAX_BYTES = 2_000_000
#: JSON-RPC's code for parameters that the source cannot read.
_INVALID_PARAMS = -32602


class RpcGateway:
    """Asks one Stellar RPC; thread-safe. Never follows a redirect and never asks twice."""

    def __init__(self, url: str, *, timeout_s: int = 11) -> None:
        self._wire = Wire(url, max_bytes=MAX_BYTES)
        self._timeout_s = timeout_s
        self._ids = count(1)

    def state(self) -> RpcState:
        """See `ContractGateway.state`."""
        network, health = self._call("getNetwork"), self._call("getHealth")
        with strictly("getHealth"):
            return RpcState(
                passphrase=str(network["passphrase"]),
                is_healthy=health["status"] == "healthy",
                latest_ledger=int(health["latestLedger"]),
            )

    def latest_ledger(self) -> int:
        """See `ContractGateway.latest_ledger`."""
        found = self._call("getLatestLedger")
        with strictly("getLatestLedger"):
            return int(found["sequence"])

    def instance(self, contract_id: str) -> ContractInstance | None:
        """See `ContractGateway.instance`."""
        key = _instance_key(contract_id)
        found = self._call("getLedgerEntries", keys=[key])
        with strictly("getLedgerEntries"):
            latest = int(found["latestLedger"])
            entries = [entry for entry in found["entries"] or [] if entry["key"] == key]
            if not entries:
                return None
            until = entries[0].get("liveUntilLedgerSeq")
            # Older sources still show what is archived.
            if until is not None and int(until) < latest:
                return None
            return ContractInstance(contract_id, None if until is None else int(until), latest)

    def simulate(self, envelope_xdr: str, *, address_bound: bool = False) -> Simulation:
        """See `ContractGateway.simulate`."""
        method = "simulateTransaction"
        found = self._call(method, transaction=envelope_xdr, useUpgradedAuth=address_bound)
        with strictly(method):
            latest, error = int(found["latestLedger"]), found.get("error")
            if error:
                return Simulation(latest, str(error))
            (result,) = found["results"]
            return Simulation(latest, None, tuple(str(entry) for entry in result["auth"] or ()))

    def prepare(self, envelope_xdr: str) -> Prepared:
        """See `ContractGateway.prepare`."""
        method = "simulateTransaction"
        found = self._call(method, transaction=envelope_xdr)
        if error := found.get("error"):
            raise CallFails(str(error))
        with strictly(method):
            (_returned,) = found["results"]
            data, fee = str(found["transactionData"]), int(str(found["minResourceFee"]))
            xdr.SorobanTransactionData.from_xdr(data)
            if fee < 0:
                raise ValueError("a fee below nought")
            return Prepared(data, fee)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask once; return the result object."""
        asked = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        whole = asked | ({"params": params} if params else {})
        answer = self._wire.post_json("", self._timeout_s, whole, what=method)
        if answer.status != 200:
            raise Unavailable(f"{method} was answered {answer.status}")
        return _result(answer.body, method)


def _result(body: bytes, method: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
        error, result = found.get("error"), found.get("result")
        code = error["code"] if error else None
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as problem:
        raise Unavailable(f"{method} was not answered in JSON-RPC") from problem
    if code == _INVALID_PARAMS:
        raise Rejected("the ledger's RPC cannot read what was sent")
    if code is not None or not isinstance(result, dict):
        raise Unavailable(f"{method} was answered with the error {code}")
    return result


def _instance_key(contract_id: str) -> str:
    data = xdr.LedgerKeyContractData(
        contract=Address(contract_id).to_xdr_sc_address(),
        key=xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE),
        durability=xdr.ContractDataDurability.PERSISTENT,
    )
    return xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data).to_xdr()

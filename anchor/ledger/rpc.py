"""A Stellar network as its RPC tells of it."""

import json
import threading
from itertools import count
from typing import Any

import requests
from stellar_sdk import Address, xdr

from anchor.errors import Rejected, Unavailable
from anchor.ledger import outside
from anchor.ledger.contract_gateway import ContractInstance, RpcState, Simulation
from anchor.ledger.reading import strictly

MAX_BYTES = 2_000_000
_CONNECT_S = 5
#: JSON-RPC's code for parameters that the source cannot read.
_INVALID_PARAMS = -32602


class RpcGateway:
    """Asks one Stellar RPC; thread-safe. Never follows a redirect and never asks twice."""

    def __init__(self, url: str, *, timeout_s: int = 11) -> None:
        self._url = url
        self._timeout = (_CONNECT_S, timeout_s)
        self._local = threading.local()
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

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask once; return the result object."""
        outside.check()
        asked = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        try:
            with self._session().post(
                self._url,
                json=asked | ({"params": params} if params else {}),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    raise Unavailable(f"{method} was answered {response.status_code}")
                body = _body(response, method)
        except requests.RequestException as error:
            raise Unavailable(f"{method} got no answer: {type(error).__name__}") from error
        return _result(body, method)

    def _session(self) -> requests.Session:
        known: requests.Session | None = getattr(self._local, "session", None)
        if known is None:
            known = self._local.session = requests.Session()
            known.trust_env = False
        return known


def _body(response: requests.Response, method: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unavailable(f"{method} was answered with too much")
    return bytes(body)


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

"""Stellar RPC over a network: five methods of its JSON-RPC, no more."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from stellar_sdk import Address, TransactionEnvelope, xdr

from anchor.sandbox.network.contracts.costs import fall_short
from anchor.sandbox.network.contracts.errors import HostError
from anchor.sandbox.network.contracts.instances import holding_entry, instance_entry
from anchor.sandbox.network.contracts.keys import INSTANCE, holding_value
from anchor.sandbox.network.contracts.registry import LIVES_LEDGERS
from anchor.sandbox.network.contracts.simulation import simulate
from anchor.sandbox.network.engine import Network
from anchor.sandbox.network.faults import Faults
from anchor.sandbox.network.http import Reply, Request
from anchor.sandbox.network.records import dumps
from anchor.sandbox.network.values import PROTOCOL_VERSION

JSON = "application/json"
MAX_KEYS = 200
_PARSE, _INVALID_REQUEST, _NO_METHOD, _INVALID_PARAMS = -32700, -32600, -32601, -32602


class RpcError(Exception):
    """An answer of JSON-RPC that is an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Rpc:
    """POST /rpc, as Stellar RPC answers it."""

    def __init__(self, network: Network, faults: Faults) -> None:
        self.network = network
        self.faults = faults
        self._methods: dict[str, Callable[[dict[str, Any]], dict[str, object]]] = {
            "getHealth": self._health,
            "getNetwork": self._network,
            "getLatestLedger": self._latest_ledger,
            "getLedgerEntries": self._ledger_entries,
            "simulateTransaction": self._simulate,
        }

    def post(self, request: Request) -> Reply:
        """Answer one call; errors are HTTP 200 as well, as JSON-RPC has it."""
        self.faults.strike_call()
        answer: dict[str, object] = {"jsonrpc": "2.0", "id": None}
        try:
            call = _read(request.body)
            answer["id"] = call.get("id")
            method = self._methods.get(str(call.get("method")))
            if method is None:
                raise RpcError(_NO_METHOD, "method not found")
            params = call.get("params") or {}
            if not isinstance(params, dict):
                raise RpcError(_INVALID_PARAMS, "invalid parameters")
            with self.network.lock:
                answer["result"] = method(params)
        except RpcError as error:
            answer["error"] = {"code": error.code, "message": str(error)}
        return Reply(dumps(answer), content_type=JSON)

    @property
    def _latest(self) -> int:
        return self.network.history.latest.sequence

    def _health(self, _params: dict[str, Any]) -> dict[str, object]:
        elder = self.network.history.elder
        return {
            "status": "healthy",
            "latestLedger": self._latest,
            "oldestLedger": elder,
            "ledgerRetentionWindow": self._latest - elder + 1,
        }

    def _network(self, _params: dict[str, Any]) -> dict[str, object]:
        return {"passphrase": self.network.passphrase, "protocolVersion": PROTOCOL_VERSION}

    def _latest_ledger(self, _params: dict[str, Any]) -> dict[str, object]:
        latest = self.network.history.latest
        return {
            "id": latest.hash.hex(),
            "protocolVersion": PROTOCOL_VERSION,
            "sequence": latest.sequence,
            "closeTime": str(latest.closed_at),
            "headerXdr": b64encode(latest.header).decode(),
            "metadataXdr": "",
        }

    def _ledger_entries(self, params: dict[str, Any]) -> dict[str, object]:
        """Find instances of contracts, and what contracts hold; nothing else is shown here."""
        keys = params.get("keys")
        if not isinstance(keys, list) or not 0 < len(keys) <= MAX_KEYS:
            raise RpcError(_INVALID_PARAMS, f"keys: 1 to {MAX_KEYS} are needed")
        found = [entry for key in keys if (entry := self._entry(key)) is not None]
        return {"entries": found, "latestLedger": self._latest}

    def _entry(self, text: object) -> dict[str, object] | None:
        try:
            key = xdr.LedgerKey.from_xdr(str(text)).contract_data
        except Exception:  # the SDK's readers raise many kinds
            raise RpcError(_INVALID_PARAMS, f"cannot unmarshal key value {text}") from None
        found = None if key is None else self._find(key)
        if found is None:
            return None
        entry, modified_in = found
        return {
            "key": text,
            "xdr": entry.to_xdr(),
            "lastModifiedLedgerSeq": modified_in,
            "liveUntilLedgerSeq": modified_in + LIVES_LEDGERS,
        }

    def _find(self, key: xdr.LedgerKeyContractData) -> tuple[xdr.LedgerEntryData, int] | None:
        contracts, state = self.network.contracts, self.network.shown
        contract = Address.from_xdr_sc_address(key.contract).address
        asset = contracts.asset_of(contract, state)
        if not contracts.is_there(contract):
            return None
        if key.key == INSTANCE:
            return instance_entry(contracts, contract), contracts.made_in[contract]
        if asset is None or key.key.vec is None or len(key.key.vec.sc_vec) != len(("name", "of")):
            return None
        address = key.key.vec.sc_vec[1].address
        holder = "" if address is None else Address.from_xdr_sc_address(address).address
        holding = state.holdings.read((holder, asset))
        if holding is None or key.key != holding_value(holder):
            return None
        return holding_entry(contract, holding), holding.modified_ledger

    def _simulate(self, params: dict[str, Any]) -> dict[str, object]:
        latest: dict[str, object] = {"latestLedger": self._latest}
        try:
            envelope = TransactionEnvelope.from_xdr(
                str(params.get("transaction")), self.network.passphrase
            )
        except Exception:
            raise RpcError(_INVALID_PARAMS, "could not unmarshal the transaction") from None
        mode = params.get("authMode")
        if mode not in (None, "enforce", "record", "record_allow_nonroot"):
            raise RpcError(_INVALID_PARAMS, "authMode is not known")
        try:
            told = simulate(
                self.network.contracts,
                self.network.shown,
                self._latest,
                envelope,
                mode=mode,
                upgraded=params.get("useUpgradedAuth") is True,
            )
        except HostError as error:
            return latest | {"error": str(error)}
        except Exception:  # XDR that is whole, and of shapes that nobody thought of
            return latest | {"error": "HostError: Error(Value, UnexpectedType)"}
        if told.moves and (fault := self.faults.next_simulation()) is not None:
            fall_short(told.data, fault)
        return latest | {
            "transactionData": told.data.to_xdr(),
            "minResourceFee": str(told.data.resource_fee.int64),
            "events": [],
            "results": [{"auth": list(told.auth), "xdr": told.result}],
        }


def _read(body: bytes) -> dict[str, Any]:
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        raise RpcError(_PARSE, "parse error") from None
    if not isinstance(call, dict) or call.get("jsonrpc") != "2.0":
        raise RpcError(_INVALID_REQUEST, "invalid request")
    return call

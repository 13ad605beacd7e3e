"""Stellar RPC over a network: five methods of its JSON-RPC, no more."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from stellar_sdk import Address, TransactionEnvelope, xdr

from anchor.sandbox.network.contracts.authorization import HostError
from anchor.sandbox.network.contracts.registry import LIVES_LEDGERS
from anchor.sandbox.network.contracts.simulation import simulate
from anchor.sandbox.network.engine import Network
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

    def __init__(self, network: Network) -> None:
        self.network = network
        self._methods: dict[str, Callable[[dict[str, Any]], dict[str, object]]] = {
            "getHealth": self._health,
            "getNetwork": self._network,
            "getLatestLedger": self._latest_ledger,
            "getLedgerEntries": self._ledger_entries,
            "simulateTransaction": self._simulate,
        }

    def post(self, request: Request) -> Reply:
        """Answer one call; errors are HTTP 200 as well, as JSON-RPC has it."""
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
        """Find instances of contracts; other keys are of entries that this RPC does not show."""
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
        if key is None or key.key.type != xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE:
            return None
        contracts = self.network.contracts
        contract = Address.from_xdr_sc_address(key.contract).address
        if not contracts.is_there(contract):
            return None
        made_in = contracts.made_in[contract]
        return {
            "key": text,
            "xdr": contracts.entry(contract).to_xdr(),
            "lastModifiedLedgerSeq": made_in,
            "liveUntilLedgerSeq": made_in + LIVES_LEDGERS,
        }

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
        return latest | {
            "transactionData": told.data,
            "minResourceFee": "100000",
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

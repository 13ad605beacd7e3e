"""Operation invoke_host_function: one call of a contract, alone in its transaction."""

from __future__ import annotations

from base64 import b64encode

from stellar_sdk import xdr

from anchor.sandbox.network.contracts.authorization import Authority
from anchor.sandbox.network.contracts.costs import consumed_fee, declared_fee, fits, resources_of
from anchor.sandbox.network.contracts.events import Moved, success_hash
from anchor.sandbox.network.contracts.host import Host, call_of
from anchor.sandbox.network.contracts.keys import instance_key
from anchor.sandbox.network.operations.base import Applied, Effect, Operation, Scene
from anchor.sandbox.network.results import Refused
from anchor.sandbox.network.values import Party, amount_text

Code = xdr.InvokeHostFunctionResultCode
_FUNCTIONS = {
    xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT: "InvokeContract",
    xdr.HostFunctionType.HOST_FUNCTION_TYPE_CREATE_CONTRACT: "CreateContract",
    xdr.HostFunctionType.HOST_FUNCTION_TYPE_UPLOAD_CONTRACT_WASM: "UploadContractWasm",
    xdr.HostFunctionType.HOST_FUNCTION_TYPE_CREATE_CONTRACT_V2: "CreateContractV2",
}
# Horizon's names of the types of values where they are not those of the XDR
_TYPES = {
    "BOOL": "B",
    "VOID": "",
    "STRING": "Str",
    "SYMBOL": "Sym",
    "CONTRACT_INSTANCE": "Instance",
    "LEDGER_KEY_CONTRACT_INSTANCE": "",
    "LEDGER_KEY_NONCE": "NonceKey",
}


class InvokeHostFunction(Operation):
    """invoke_host_function (24): what succeeds here is `transfer` of an asset's contract.

    The web auth contract may be called, too; that changes nothing.
    """

    type = xdr.OperationType.INVOKE_HOST_FUNCTION

    def read(self, body: xdr.OperationBody) -> None:
        """Take the function and who authorized it."""
        assert body.invoke_host_function_op is not None
        self.function = body.invoke_host_function_op.host_function
        self.auth = body.invoke_host_function_op.auth

    def apply(self, scene: Scene) -> Applied:
        """Run the call within what the transaction declared."""
        soroban, contracts = scene.frame.soroban, scene.frame.contracts
        assert soroban is not None
        resources = soroban.resources
        gone = {instance_key(each).to_xdr_bytes() for each in contracts.archived}
        declared = [*resources.footprint.read_only, *resources.footprint.read_write]
        if any(key.to_xdr_bytes() in gone for key in declared):
            raise Refused(Code.INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED)
        host = Host(contracts, scene.state, scene.frame.ledger)
        contract, moved = self._run(host)
        touched = host.touched
        if not touched.is_within(resources.footprint):
            raise Refused(Code.INVOKE_HOST_FUNCTION_TRAPPED)
        if not fits(resources_of(touched), resources):
            raise Refused(Code.INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED)
        if declared_fee(resources) + consumed_fee(touched) > soroban.resource_fee.int64:
            raise Refused(Code.INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE)
        return self._applied(contract, moved)

    def _run(self, host: Host) -> tuple[str, Moved | None]:
        try:
            authority = Authority(host, self.source.account, self.auth)
            return host.run(call_of(self.function), authority)
        except Exception:  # a HostError, or XDR of a shape that nobody thought of
            raise Refused(Code.INVOKE_HOST_FUNCTION_TRAPPED) from None

    def _applied(self, contract: str, moved: Moved | None) -> Applied:
        events = [] if moved is None else [moved.event(contract)]
        applied = Applied(extra={"success": xdr.Hash(success_hash(events))})
        if moved is not None:
            applied.pays = True
            applied.fields = {"asset_balance_changes": [moved.change()]}
            applied.parties = {each for each in _told(moved) if each.startswith("G")}
            applied.effects = self._effects(moved)
        return applied

    def _effects(self, moved: Moved) -> list[Effect]:
        """The debit first; what a contract holds changes as an effect of the source."""
        amount: dict[str, object] = {"amount": amount_text(moved.amount)}
        made = []
        for holder, word, number, muxed_id in (
            (moved.sender, "debited", 1, None),
            (moved.receiver, "credited", 0, moved.muxed_id),
        ):
            if holder not in _told(moved):
                continue
            if holder.startswith("G"):
                fields, party = moved.asset.fields() | amount, Party(holder, muxed_id)
                made.append(Effect(party, f"account_{word}", 2 + number, fields))
            else:
                fields = moved.asset.fields() | {"contract": holder} | amount
                made.append(Effect(self.source, f"contract_{word}", 96 + number, fields))
        return made

    def fields(self) -> dict[str, object]:
        """Return the function, its parameters, and what money moved: none before it has."""
        called = self.function.invoke_contract
        parameters = None
        if called is not None:
            name = xdr.SCVal(xdr.SCValType.SCV_SYMBOL, sym=called.function_name)
            contract = xdr.SCVal(xdr.SCValType.SCV_ADDRESS, address=called.contract_address)
            parameters = [_parameter(each) for each in (contract, name, *called.args)]
        return {
            "function": f"HostFunctionTypeHostFunctionType{_FUNCTIONS[self.function.type]}",
            "parameters": parameters,
            "address": "",
            "salt": "",
            "asset_balance_changes": None,
        }


def _told(moved: Moved) -> set[str]:
    """Return the holders that the event of a movement names: not the issuer of a mint or burn."""
    if moved.kind == "transfer":
        return {moved.sender, moved.receiver}
    return {moved.receiver if moved.kind == "mint" else moved.sender}


def _parameter(value: xdr.SCVal) -> dict[str, str]:
    name = value.type.name.removeprefix("SCV_")
    shown = b64encode(value.to_xdr_bytes()).decode()
    return {"value": shown, "type": _TYPES.get(name, name.capitalize())}

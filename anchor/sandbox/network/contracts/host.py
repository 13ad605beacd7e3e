"""The host of contracts: it runs one call of a contract over a draft of the state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from stellar_sdk import Address, xdr

from anchor.sandbox.network.contracts import web_auth
from anchor.sandbox.network.contracts.asset_contract import AssetContract
from anchor.sandbox.network.contracts.errors import HostError
from anchor.sandbox.network.contracts.events import Moved
from anchor.sandbox.network.contracts.keys import Touched, account_key, code_key, instance_key
from anchor.sandbox.network.contracts.registry import Contracts
from anchor.sandbox.network.entries import State


class Authorizing(Protocol):
    """Who says whether a call is authorized."""

    def demand(self, address: str, call: xdr.SorobanAuthorizedInvocation) -> None:
        """Raise HostError unless `address` authorized exactly this call."""


def call_of(function: xdr.HostFunction) -> xdr.SorobanAuthorizedInvocation:
    """Return the call of a contract that an operation makes, as it is authorized."""
    made = function.invoke_contract
    if made is None:
        raise HostError("Context, InvalidInput", "contracts are called here, and no more")
    kind = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
    return xdr.SorobanAuthorizedInvocation(
        xdr.SorobanAuthorizedFunction(kind, contract_fn=made), []
    )


@dataclass(frozen=True)
class Host:
    """Where a call runs: over a draft of the state, in which ledger, and what it touches."""

    contracts: Contracts
    state: State
    ledger: int
    touched: Touched = field(default_factory=Touched)

    def run(
        self, call: xdr.SorobanAuthorizedInvocation, authority: Authorizing
    ) -> tuple[str, Moved | None]:
        """Run a call; return its contract, and the money that it moved; raises HostError."""
        made = call.function.contract_fn
        assert made is not None
        contract = Address.from_xdr_sc_address(made.contract_address).address
        asset = self.contracts.asset_of(contract, self.state)
        if not self.contracts.is_there(contract):
            raise HostError("Storage, MissingValue", f"there is no contract {contract}")
        name = made.function_name.sc_symbol
        if asset is not None and name == b"transfer":
            moves = AssetContract(contract, asset, self.state, self.touched)
            moved = moves.transfer(made.args, lambda holder: authority.demand(holder, call))
            return contract, moved
        if contract != self.contracts.web_auth or name != web_auth.FUNCTION:
            raise HostError("WasmVm, MissingValue", "the contract has no such function")
        self.touched.read(instance_key(contract))
        for address in web_auth.required(made.args):
            authority.demand(address, call)
        return contract, None

    def touch_signer(self, address: str) -> None:
        """Note what is read to verify the signature of an account, or of an account contract."""
        if address.startswith("G"):
            self.touched.read(account_key(address))
            return
        self.touched.read(instance_key(address))
        if (code := self.contracts.code_of(address)) is not None:
            self.touched.read(code_key(code))

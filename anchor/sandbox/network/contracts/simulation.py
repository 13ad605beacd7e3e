"""Simulating a call of a contract: what it asks for, or whether it would succeed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from stellar_sdk import Address, InvokeHostFunction, TransactionEnvelope, xdr

from anchor.sandbox.network.contracts.authorization import (
    LEGACY,
    V2,
    Authority,
    HostError,
    address_part,
)
from anchor.sandbox.network.contracts.registry import Contracts, instance_key
from anchor.sandbox.network.entries import State

_VOID = xdr.SCVal(xdr.SCValType.SCV_VOID)
_RECORDS = ("record", "record_allow_nonroot")


@dataclass(frozen=True)
class Simulated:
    """What a successful simulation tells; all in base64 XDR."""

    auth: tuple[str, ...]
    result: str
    data: str


def simulate(
    contracts: Contracts,
    state: State,
    ledger: int,
    envelope: TransactionEnvelope,
    *,
    mode: str | None,
    upgraded: bool,
) -> Simulated:
    """Simulate the one call of a transaction at `ledger`; raises HostError where it fails.

    `mode` is ``enforce`` or ``record``; by default the latter, where no authorization comes
    with the call. `upgraded` records credentials of version 2.
    """
    operation, call = _call(envelope)
    addresses = _web_auth_verify(contracts, call)
    source = envelope.transaction.source.account_id
    given = list(operation.auth or [])
    if mode in _RECORDS or (mode is None and not given):
        entries = [_recorded(each, source, call, upgraded=upgraded) for each in addresses]
    else:
        authority = Authority(contracts, state, ledger, source, given)
        for address in addresses:
            authority.demand(address, call)
        entries = given
    recorded = () if given else tuple(entry.to_xdr() for entry in entries)
    return Simulated(recorded, _VOID.to_xdr(), _data(contracts.web_auth, entries).to_xdr())


def _call(
    envelope: TransactionEnvelope,
) -> tuple[InvokeHostFunction, xdr.SorobanAuthorizedInvocation]:
    operations = envelope.transaction.operations
    operation = operations[0] if len(operations) == 1 else None
    if not isinstance(operation, InvokeHostFunction) or not operation.host_function.invoke_contract:
        raise HostError("Context, InvalidInput", "one call of a contract is simulated, no more")
    function = xdr.SorobanAuthorizedFunction(
        xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN,
        contract_fn=operation.host_function.invoke_contract,
    )
    return operation, xdr.SorobanAuthorizedInvocation(function, [])


def _web_auth_verify(contracts: Contracts, call: xdr.SorobanAuthorizedInvocation) -> list[str]:
    """Run the web auth contract: return whose authorization it requires, in its order."""
    made = call.function.contract_fn
    assert made is not None
    contract = Address.from_xdr_sc_address(made.contract_address).address
    if not contracts.is_there(contract):
        raise HostError("Storage, MissingValue", f"there is no contract {contract}")
    if contract != contracts.web_auth or made.function_name.sc_symbol != b"web_auth_verify":
        raise HostError("WasmVm, MissingValue", "the contract has no such function")
    arguments = _arguments(made.args)
    required = [arguments.get("account"), arguments.get("web_auth_domain_account")]
    required += [arguments["client_domain_account"]] if "client_domain_account" in arguments else []
    try:
        return [Address(each or "").address for each in required]
    except ValueError:
        raise HostError("Value, InvalidInput", "an argument is no address") from None


def _arguments(args: list[xdr.SCVal]) -> dict[str, str]:
    """Read the one argument, ``Map<Symbol, String>`` with its keys in order."""
    if len(args) != 1 or args[0].map is None:
        raise HostError("WasmVm, UnexpectedSize", "one map is the argument")
    entries = args[0].map.sc_map
    if not all(each.key.sym is not None and each.val.str is not None for each in entries):
        raise HostError("Value, UnexpectedType", "the map is not of symbols to strings")
    pairs = [(each.key.sym.sc_symbol, each.val.str.sc_string) for each in entries]  # type: ignore[union-attr]
    names = [name for name, _ in pairs]
    if names != sorted(set(names)):
        raise HostError("Value, InvalidInput", "the keys of the map are out of order")
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def _recorded(
    address: str, source: str, call: xdr.SorobanAuthorizedInvocation, *, upgraded: bool
) -> xdr.SorobanAuthorizationEntry:
    if address == source:
        kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
        return xdr.SorobanAuthorizationEntry(xdr.SorobanCredentials(kind), call)
    by = xdr.SorobanAddressCredentials(
        address=Address(address).to_xdr_sc_address(),
        nonce=xdr.Int64(secrets.randbelow(2**63)),
        signature_expiration_ledger=xdr.Uint32(0),
        signature=_VOID,
    )
    if upgraded:
        credentials = xdr.SorobanCredentials(V2, address_v2=by)
    else:
        credentials = xdr.SorobanCredentials(LEGACY, address=by)
    return xdr.SorobanAuthorizationEntry(credentials, call)


def _data(
    contract: str, entries: list[xdr.SorobanAuthorizationEntry]
) -> xdr.SorobanTransactionData:
    none = xdr.Uint32(0)
    footprint = xdr.LedgerFootprint([instance_key(contract)], _nonce_keys(entries))
    return xdr.SorobanTransactionData(
        xdr.SorobanTransactionDataExt(0),
        xdr.SorobanResources(footprint, none, none, none),
        xdr.Int64(0),
    )


def _nonce_keys(entries: list[xdr.SorobanAuthorizationEntry]) -> list[xdr.LedgerKey]:
    """Return the only entries that such a call writes: the nonces, so that none counts twice."""
    keys = []
    for entry in entries:
        by = address_part(entry.credentials)
        if by is None:
            continue
        nonce = xdr.SCVal(
            xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=xdr.SCNonceKey(nonce=by.nonce)
        )
        data = xdr.LedgerKeyContractData(by.address, nonce, xdr.ContractDataDurability.TEMPORARY)
        keys.append(xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data))
    return keys

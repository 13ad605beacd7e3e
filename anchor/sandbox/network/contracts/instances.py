"""Entries of contracts as the ledger holds them: their instances, and what they hold."""

from __future__ import annotations

from stellar_sdk import Address, StrKey, scval, xdr

from anchor.sandbox.network.contracts.keys import INSTANCE, PERSISTENT, holding_value
from anchor.sandbox.network.contracts.registry import Contracts
from anchor.sandbox.network.entries import Holding
from anchor.sandbox.network.values import Asset

DECIMALS = 7
_LONGEST_SHORT_CODE = 4


def instance_entry(contracts: Contracts, contract: str) -> xdr.LedgerEntryData:
    """Return the instance of a contract that is there."""
    code, storage = contracts.code_of(contract), None
    if code is None:
        kind = xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET
        executable = xdr.ContractExecutable(kind)
        storage = _storage(contracts.assets[contract])
    else:
        kind = xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM
        executable = xdr.ContractExecutable(kind, wasm_hash=xdr.Hash(code))
    instance = xdr.SCContractInstance(executable, storage)
    value = xdr.SCVal(xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=instance)
    return _entry(contract, INSTANCE, value)


def holding_entry(asset_contract: str, holding: Holding) -> xdr.LedgerEntryData:
    """Return what a contract holds of an asset."""
    value = scval.to_struct(
        {
            "amount": scval.to_int128(holding.balance),
            "authorized": scval.to_bool(holding.is_authorized),
            "clawback": scval.to_bool(holding.allows_clawback),
        }
    )
    return _entry(asset_contract, holding_value(holding.contract), value)


def _storage(asset: Asset) -> xdr.SCMap:
    """Return what the contract of an asset keeps: its names, its administrator, its asset."""
    metadata = {
        "decimal": scval.to_uint32(DECIMALS),
        "name": scval.to_string(str(asset)),
        "symbol": scval.to_string(asset.code or "native"),
    }
    found = [(scval.to_symbol("METADATA"), scval.to_struct(metadata))]
    info = [scval.to_symbol("Native")]
    if not asset.is_native:
        is_short = len(asset.code) <= _LONGEST_SHORT_CODE
        issuer = StrKey.decode_ed25519_public_key(asset.issuer)
        fields = {
            "asset_code": scval.to_string(asset.code),
            "issuer": scval.to_bytes(issuer),
        }
        info = [scval.to_symbol(f"AlphaNum{4 if is_short else 12}"), scval.to_struct(fields)]
        found.append((_named("Admin"), scval.to_address(asset.issuer)))
    found.append((_named("AssetInfo"), scval.to_vec(info)))
    return xdr.SCMap([xdr.SCMapEntry(key, value) for key, value in found])


def _named(name: str) -> xdr.SCVal:
    return scval.to_vec([scval.to_symbol(name)])


def _entry(contract: str, key: xdr.SCVal, value: xdr.SCVal) -> xdr.LedgerEntryData:
    data = xdr.ContractDataEntry(
        ext=xdr.ExtensionPoint(0),
        contract=Address(contract).to_xdr_sc_address(),
        key=key,
        durability=PERSISTENT,
        val=value,
    )
    return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data)

"""Keys of the ledger's entries that a call of a contract can touch."""

from __future__ import annotations

from stellar_sdk import Address, Keypair, xdr

from anchor.sandbox.network.values import Asset

PERSISTENT = xdr.ContractDataDurability.PERSISTENT
_TEMPORARY = xdr.ContractDataDurability.TEMPORARY
INSTANCE = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)


def instance_key(contract: str) -> xdr.LedgerKey:
    """Return the key of a contract's instance."""
    return _data_key(contract, INSTANCE, PERSISTENT)


def code_key(wasm_hash: bytes) -> xdr.LedgerKey:
    """Return the key of the code that contracts run."""
    code = xdr.LedgerKeyContractCode(xdr.Hash(wasm_hash))
    return xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_CODE, contract_code=code)


def holding_value(holder: str) -> xdr.SCVal:
    """Return ``Balance(holder)``, under which an asset's contract keeps what one holds."""
    name = xdr.SCVal(xdr.SCValType.SCV_SYMBOL, sym=xdr.SCSymbol(b"Balance"))
    vec = xdr.SCVec([name, Address(holder).to_xdr_sc_val()])
    return xdr.SCVal(xdr.SCValType.SCV_VEC, vec=vec)


def holding_key(asset_contract: str, holder: str) -> xdr.LedgerKey:
    """Return the key of what a contract holds of an asset."""
    return _data_key(asset_contract, holding_value(holder), PERSISTENT)


def nonce_key(address: str, nonce: int) -> xdr.LedgerKey:
    """Return the key of a nonce that somebody used."""
    key = xdr.SCNonceKey(nonce=xdr.Int64(nonce))
    value = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=key)
    return _data_key(address, value, _TEMPORARY)


def account_key(account: str) -> xdr.LedgerKey:
    """Return the key of an account."""
    found = xdr.LedgerKeyAccount(Keypair.from_public_key(account).xdr_account_id())
    return xdr.LedgerKey(xdr.LedgerEntryType.ACCOUNT, account=found)


def line_key(account: str, asset: Asset) -> xdr.LedgerKey:
    """Return the key of a trust line."""
    owner = Keypair.from_public_key(account).xdr_account_id()
    line = xdr.LedgerKeyTrustLine(owner, asset.sdk.to_trust_line_asset_xdr_object())
    return xdr.LedgerKey(xdr.LedgerEntryType.TRUSTLINE, trust_line=line)


def _data_key(owner: str, key: xdr.SCVal, durability: xdr.ContractDataDurability) -> xdr.LedgerKey:
    data = xdr.LedgerKeyContractData(Address(owner).to_xdr_sc_address(), key, durability)
    return xdr.LedgerKey(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data)


class Touched:
    """The entries that a call reads and writes, as it goes."""

    def __init__(self) -> None:
        self._keys: dict[bytes, xdr.LedgerKey] = {}
        self._written: set[bytes] = set()
        self.new = 0

    def read(self, key: xdr.LedgerKey) -> None:
        """Note that an entry was looked for."""
        self._keys[key.to_xdr_bytes()] = key

    def write(self, key: xdr.LedgerKey, *, is_new: bool = False) -> None:
        """Note that an entry was written; a new one has to be paid for."""
        self.read(key)
        self._written.add(key.to_xdr_bytes())
        self.new += is_new

    def footprint(self) -> xdr.LedgerFootprint:
        """Return what a transaction must declare, in the order of its bytes."""
        ordered = sorted(self._keys)
        return xdr.LedgerFootprint(
            [self._keys[each] for each in ordered if each not in self._written],
            [self._keys[each] for each in ordered if each in self._written],
        )

    def is_within(self, declared: xdr.LedgerFootprint) -> bool:
        """Tell whether a transaction declared all that was touched."""
        writes = {key.to_xdr_bytes() for key in declared.read_write}
        reads = {key.to_xdr_bytes() for key in declared.read_only}
        return self._written <= writes and set(self._keys) <= reads | writes

"""Which contracts there are, and what the ledger holds of them."""

from __future__ import annotations

from hashlib import sha256

from stellar_sdk import Address, StrKey, xdr

from anchor.sandbox.network.entries import State
from anchor.sandbox.network.values import NATIVE, Asset, network_id

#: Entries live so many ledgers from the one that made them: four months.
LIVES_LEDGERS = 2_073_600
_WEB_AUTH_SALT = sha256(b"web auth").digest()
_CODES = {"web_auth": sha256(b"sandbox: web auth").digest(), "account": sha256(b"key").digest()}


def contract_id(passphrase: str, deployer: str, salt: bytes) -> str:
    """Return the id (C…) of the contract that an account deploys with a salt of 32 bytes."""
    address = xdr.ContractIDPreimageFromAddress(
        address=Address(deployer).to_xdr_sc_address(), salt=xdr.Uint256(salt)
    )
    preimage = xdr.HashIDPreimage(
        xdr.EnvelopeType.ENVELOPE_TYPE_CONTRACT_ID,
        contract_id=xdr.HashIDPreimageContractID(
            network_id=xdr.Hash(network_id(passphrase)),
            contract_id_preimage=xdr.ContractIDPreimage(
                xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ADDRESS, from_address=address
            ),
        ),
    )
    return StrKey.encode_contract(sha256(preimage.to_xdr_bytes()).digest())


class Contracts:
    """The web auth contract, account contracts by their key, and the contracts of assets.

    The web auth contract is deployed with the network; so counts the contract of an asset
    as soon as anybody holds it.
    """

    def __init__(self, passphrase: str, root: str) -> None:
        self.passphrase = passphrase
        self.web_auth = contract_id(passphrase, root, _WEB_AUTH_SALT)
        self.made_in: dict[str, int] = {self.web_auth: 1}
        self.keys: dict[str, str] = {}
        self.assets: dict[str, Asset] = {}
        self._ids: dict[Asset, str] = {}
        self.archived: set[str] = set()
        self.add_asset(NATIVE)

    def add_account(self, key: str, ledger: int) -> str:
        """Deploy the account contract of a key (G…), once; return its id."""
        made = contract_id(self.passphrase, key, bytes(32))
        self.keys[made] = key
        self.made_in.setdefault(made, ledger)
        return made

    def add_asset(self, asset: Asset) -> str:
        """Make the contract of an asset known; return its id."""
        if asset not in self._ids:
            made = asset.sdk.contract_id(self.passphrase)
            self._ids[asset], self.assets[made] = made, asset
            self.made_in[made] = 1
        return self._ids[asset]

    def see(self, state: State) -> None:
        """Make the contracts of all assets known that anybody ever held."""
        for asset in state.assets_seen - self._ids.keys():
            self.add_asset(asset)

    def asset_of(self, contract: str, state: State) -> Asset | None:
        """Return the asset of which this is the contract; None for other contracts."""
        if contract not in self.made_in:
            self.see(state)
        return self.assets.get(contract)

    def is_there(self, contract: str) -> bool:
        """Tell whether a contract can be called: deployed, and not archived."""
        return contract in self.made_in and contract not in self.archived

    def code_of(self, contract: str) -> bytes | None:
        """Return the hash of the code that a contract runs; None for one of an asset."""
        if contract == self.web_auth:
            return _CODES["web_auth"]
        return _CODES["account"] if contract in self.keys else None

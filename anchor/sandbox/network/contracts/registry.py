"""Which contracts there are, and what the ledger holds of them."""

from __future__ import annotations

from hashlib import sha256

from stellar_sdk import Address, StrKey, xdr

from anchor.sandbox.network.values import network_id

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
    """The web auth contract, deployed with the network, and account contracts by their key."""

    def __init__(self, passphrase: str, root: str) -> None:
        self.passphrase = passphrase
        self.web_auth = contract_id(passphrase, root, _WEB_AUTH_SALT)
        self.made_in: dict[str, int] = {self.web_auth: 1}
        self.keys: dict[str, str] = {}
        self.archived: set[str] = set()

    def add_account(self, key: str, ledger: int) -> str:
        """Deploy the account contract of a key (G…), once; return its id."""
        made = contract_id(self.passphrase, key, bytes(32))
        self.keys[made] = key
        self.made_in.setdefault(made, ledger)
        return made

    def is_there(self, contract: str) -> bool:
        """Tell whether a contract can be called: deployed, and not archived."""
        return contract in self.made_in and contract not in self.archived

    def entry(self, contract: str) -> xdr.LedgerEntryData:
        """Return the instance of a contract that is there, as the ledger holds it."""
        code = _CODES["web_auth" if contract == self.web_auth else "account"]
        executable = xdr.ContractExecutable(
            xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=xdr.Hash(code)
        )
        data = xdr.ContractDataEntry(
            ext=xdr.ExtensionPoint(0),
            contract=Address(contract).to_xdr_sc_address(),
            key=xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE),
            durability=xdr.ContractDataDurability.PERSISTENT,
            val=xdr.SCVal(
                xdr.SCValType.SCV_CONTRACT_INSTANCE,
                instance=xdr.SCContractInstance(executable, None),
            ),
        )
        return xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=data)


def instance_key(contract: str) -> xdr.LedgerKey:
    """Return the ledger key of a contract's instance."""
    return xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(
            contract=Address(contract).to_xdr_sc_address(),
            key=xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE),
            durability=xdr.ContractDataDurability.PERSISTENT,
        ),
    )

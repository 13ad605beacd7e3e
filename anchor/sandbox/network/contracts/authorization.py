"""Whether somebody's authorization of a call is good, as the host of contracts decides it.

The payload that is signed is built from its XDR here, and not by the SDK's own helper: the
sandbox is to notice where an anchor or a wallet and that helper are wrong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from stellar_sdk import Address, StrKey, xdr

from anchor.sandbox.network.contracts.errors import HostError
from anchor.sandbox.network.contracts.host import Host
from anchor.sandbox.network.contracts.keys import nonce_key
from anchor.sandbox.network.entries import Nonce
from anchor.sandbox.network.signatures import MAX_WEIGHT, signers_of
from anchor.sandbox.network.values import network_id

_KINDS = xdr.SorobanCredentialsType
#: A signature is good for so many ledgers at most: half a year.
MOST_LEDGERS = 3_110_400
LEGACY, V2 = _KINDS.SOROBAN_CREDENTIALS_ADDRESS, _KINDS.SOROBAN_CREDENTIALS_ADDRESS_V2


def address_part(credentials: xdr.SorobanCredentials) -> xdr.SorobanAddressCredentials | None:
    """Return who authorizes, and how; None for credentials without an address of their own."""
    if credentials.type == LEGACY:
        return credentials.address
    return credentials.address_v2 if credentials.type == V2 else None


def payload(
    passphrase: str,
    kind: xdr.SorobanCredentialsType,
    by: xdr.SorobanAddressCredentials,
    invocation: xdr.SorobanAuthorizedInvocation,
) -> bytes:
    """Return the 32 bytes that are signed: version 2 (CAP-71) names the address in them."""
    network, until = xdr.Hash(network_id(passphrase)), by.signature_expiration_ledger
    if kind == LEGACY:
        preimage = xdr.HashIDPreimage(
            xdr.EnvelopeType.ENVELOPE_TYPE_SOROBAN_AUTHORIZATION,
            soroban_authorization=xdr.HashIDPreimageSorobanAuthorization(
                network_id=network,
                nonce=by.nonce,
                signature_expiration_ledger=until,
                invocation=invocation,
            ),
        )
    else:
        preimage = xdr.HashIDPreimage(
            xdr.EnvelopeType.ENVELOPE_TYPE_SOROBAN_AUTHORIZATION_WITH_ADDRESS,
            soroban_authorization_with_address=xdr.HashIDPreimageSorobanAuthorizationWithAddress(
                network_id=network,
                nonce=by.nonce,
                signature_expiration_ledger=until,
                address=by.address,
                invocation=invocation,
            ),
        )
    return sha256(preimage.to_xdr_bytes()).digest()


class Authority:
    """Checks the entries that come with one call over a draft; a nonce counts once, for ever."""

    def __init__(
        self, host: Host, source: str, entries: Sequence[xdr.SorobanAuthorizationEntry]
    ) -> None:
        self._host, self._source = host, source
        self._left = list(entries)

    def demand(self, address: str, call: xdr.SorobanAuthorizedInvocation) -> None:
        """Raise HostError unless `address` authorized exactly this call."""
        for entry in self._left:
            if entry.root_invocation != call:
                continue
            by = address_part(entry.credentials)
            if by is None:
                is_source = entry.credentials.type == _KINDS.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
                if is_source and address == self._source:
                    self._left.remove(entry)
                    return
            elif Address.from_xdr_sc_address(by.address).address == address:
                self._left.remove(entry)
                self._check(address, entry, by)
                return
        raise HostError("Auth, InvalidAction", f"{address} did not authorize this call")

    def _check(
        self,
        address: str,
        entry: xdr.SorobanAuthorizationEntry,
        by: xdr.SorobanAddressCredentials,
    ) -> None:
        if by.signature_expiration_ledger.uint32 < self._host.ledger:
            raise HostError("Auth, InvalidInput", f"the signature of {address} has expired")
        if by.signature_expiration_ledger.uint32 > self._host.ledger + MOST_LEDGERS:
            raise HostError("Auth, InvalidInput", f"the signature of {address} is good too long")
        self._use_nonce(address, by.nonce.int64)
        signed = payload(
            self._host.contracts.passphrase, entry.credentials.type, by, entry.root_invocation
        )
        signatures = _signatures(by.signature)
        if not all(_is_signed(key, signed, signature) for key, signature in signatures):
            raise HostError("Auth, InvalidAction", f"a signature of {address} is not valid")
        keys = [StrKey.encode_ed25519_public_key(key) for key, _ in signatures]
        self._host.touch_signer(address)
        if address.startswith("C"):
            self._check_contract(address, keys)
        else:
            self._check_account(address, keys)

    def _use_nonce(self, address: str, nonce: int) -> None:
        if self._host.state.nonces.read((address, nonce)) is not None:
            raise HostError("Auth, ExistingValue", f"{address} used this nonce before")
        self._host.state.nonces.put((address, nonce), Nonce(address, nonce))
        self._host.touched.write(nonce_key(address, nonce), is_new=True)

    def _check_contract(self, address: str, keys: list[str]) -> None:
        """Do what ``__check_auth`` of an account contract does: its one key signs, alone."""
        if not self._host.contracts.is_there(address) or address not in self._host.contracts.keys:
            raise HostError("Storage, MissingValue", f"{address} is no account contract")
        if keys != [self._host.contracts.keys[address]]:
            raise HostError("Auth, InvalidAction", f"{address} is not signed by its key")

    def _check_account(self, address: str, keys: list[str]) -> None:
        account = self._host.state.accounts.read(address)
        if account is None:
            raise HostError("Storage, MissingValue", f"the account {address} is not there")
        signers = signers_of(account)
        if any(key not in signers for key in keys):
            raise HostError("Auth, InvalidAction", f"somebody else signed for {address}")
        if sum(min(signers[key], MAX_WEIGHT) for key in keys) < max(1, account.medium):
            raise HostError("Auth, InvalidAction", f"{address} has not enough signatures")


def _signatures(value: xdr.SCVal) -> list[tuple[bytes, bytes]]:
    """Read ``Vec<Map{public_key, signature}>``, its keys in strict order."""
    found = []
    for each in value.vec.sc_vec if value.vec is not None else []:
        fields = {
            entry.key.sym.sc_symbol: entry.val.bytes.sc_bytes
            for entry in (each.map.sc_map if each.map is not None else [])
            if entry.key.sym is not None and entry.val.bytes is not None
        }
        if set(fields) != {b"public_key", b"signature"}:
            raise HostError("Auth, UnexpectedType", "a signature is not of the known form")
        found.append((fields[b"public_key"], fields[b"signature"]))
    keys = [key for key, _ in found]
    if not keys or keys != sorted(set(keys)) or any(len(key) != 32 for key in keys):
        raise HostError("Auth, InvalidInput", "signatures are missing or out of order")
    return found


def _is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True

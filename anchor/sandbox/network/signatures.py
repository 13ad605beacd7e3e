"""Which signatures of an envelope count for which account, as the ledger weighs them."""

from collections.abc import Iterable
from hashlib import sha256

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from stellar_sdk import StrKey, xdr

from anchor.sandbox.network.entries import Account

MAX_WEIGHT = 255


def signer_address(key: xdr.SignerKey) -> str:
    """Return the G, T, X or P address of a signer key."""
    if key.ed25519 is not None:
        return StrKey.encode_ed25519_public_key(key.ed25519.uint256)
    if key.pre_auth_tx is not None:
        return StrKey.encode_pre_auth_tx(key.pre_auth_tx.uint256)
    if key.hash_x is not None:
        return StrKey.encode_sha256_hash(key.hash_x.uint256)
    if key.ed25519_signed_payload is None:
        raise ValueError("a signer key of an unknown type")
    signed = key.ed25519_signed_payload
    size = len(signed.payload).to_bytes(4, "big")
    padded = signed.payload + b"\0" * (-len(signed.payload) % 4)
    return StrKey.encode_ed25519_signed_payload(signed.ed25519.uint256 + size + padded)


def signers_of(account: Account) -> dict[str, int]:
    """Return the keys that may sign for an account and their weights; the master only above 0."""
    master = {account.id: account.master_weight} if account.master_weight else {}
    return master | account.signers


class Signatures:
    """The signatures over one hash; remembers which were of use."""

    def __init__(self, hash_: bytes, signatures: Iterable[xdr.DecoratedSignature]) -> None:
        self.hash = hash_
        self.signatures = [(s.hint.signature_hint, s.signature.signature) for s in signatures]
        self.used: set[int] = set()

    def satisfy(self, signers: dict[str, int], needed: int) -> bool:
        """Say whether the signers' weights reach `needed`; even 0 takes one valid signature."""
        total = 0
        pending = dict(signers)
        if pending.pop(StrKey.encode_pre_auth_tx(self.hash), None) is not None:
            total += min(signers[StrKey.encode_pre_auth_tx(self.hash)], MAX_WEIGHT)
            if total >= needed:
                return True
        for kind in "XGP":
            for index, (hint, signature) in enumerate(self.signatures):
                for key in [key for key in pending if key[0] == kind]:
                    if not self._verifies(key, hint, signature):
                        continue
                    self.used.add(index)
                    total += min(pending.pop(key), MAX_WEIGHT)
                    if total >= needed:
                        return True
                    break
        return False

    @property
    def all_used(self) -> bool:
        """Whether no signature was superfluous."""
        return len(self.used) == len(self.signatures)

    def _verifies(self, key: str, hint: bytes, signature: bytes) -> bool:
        if key[0] == "X":
            secret_hash = StrKey.decode_sha256_hash(key)
            return hint == secret_hash[-4:] and sha256(signature).digest() == secret_hash
        if key[0] == "G":
            public_key = StrKey.decode_ed25519_public_key(key)
            return hint == public_key[-4:] and _is_signed(public_key, self.hash, signature)
        raw = StrKey.decode_ed25519_signed_payload(key)
        public_key, size = raw[:32], int.from_bytes(raw[32:36], "big")
        payload = raw[36 : 36 + size]
        tail = payload[-4:].ljust(4, b"\0")
        mixed = bytes(a ^ b for a, b in zip(public_key[-4:], tail, strict=True))
        return hint == mixed and _is_signed(public_key, payload, signature)


def _is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True

"""Ed25519 keys: whose a secret is, signing with it, and the keys of channel accounts.

Secrets are texts (``S…``, SEP-23); no error and no representation shows one.
"""

import hmac
from dataclasses import dataclass

from stellar_sdk import Keypair
from stellar_sdk.exceptions import BadSignatureError

from anchor.config import Secret
from anchor.errors import Rejected
from anchor.ledger.gateway import Signature

_CHANNEL = "anchor channel account"
_NUMBER_MAX = 2**31


@dataclass(frozen=True)
class Keys:
    """An account (``G…``) and its secret (``S…``), which does not show itself."""

    account: str
    secret: Secret


def account_of(secret: str) -> str:
    """Return the account whose master key `secret` is; `Rejected` where it is no secret key."""
    return _pair(secret).public_key


def sign(secret: str, payload: bytes) -> Signature:
    """Sign `payload`, such as a transaction's hash; `Rejected` where `secret` is no secret key."""
    pair = _pair(secret)
    return Signature(pair.public_key, pair.sign(payload))


def is_signed(signature: Signature, payload: bytes) -> bool:
    """Tell whether `signature` is one of `payload` by its key."""
    try:
        Keypair.from_public_key(signature.key).verify(payload, signature.value)
    except (BadSignatureError, ValueError):
        return False
    return True


def channel_keys(secret: str, number: int) -> Keys:
    """Return the keys of channel account `number` (from 0) that belong to `secret`.

    The seed is HMAC-SHA256 with the UTF-8 of `secret` as its key over the ASCII text
    ``anchor channel account <number>``, the number in decimal. This never changes: who
    has the secret has the channels and what is on them. Raises `Rejected` for an empty
    secret or a number outside of 31 bits.
    """
    if not secret or not 0 <= number < _NUMBER_MAX:
        raise Rejected("a channel has a secret to be derived from, and a number from 0")
    seed = hmac.digest(secret.encode(), f"{_CHANNEL} {number}".encode(), "sha256")
    pair = Keypair.from_raw_ed25519_seed(seed)
    return Keys(pair.public_key, Secret(pair.secret))


def _pair(secret: str) -> Keypair:
    try:
        return Keypair.from_secret(secret)
    except Exception:  # the SDK's own words show the secret
        raise Rejected("that is not the secret key of a Stellar account (S…)") from None

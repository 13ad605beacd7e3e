"""Values encrypted at rest: what is sealed for one place opens nowhere else.

XChaCha20-Poly1305 with a random nonce, by libsodium (ADR 023). The context, such as customer
and field, is bound to the value: bytes that were moved to another row do not open. Keys come
from the environment and have names, so that a new one can take over while old ones still open.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from nacl.exceptions import CryptoError
from nacl.secret import Aead
from nacl.utils import random

from anchor.errors import Misconfigured

KEY_BYTES = Aead.KEY_SIZE


@dataclass(frozen=True)
class Sealed:
    """An encrypted value, and the name of the key that opens it."""

    key_id: str
    value: bytes


@dataclass(frozen=True)
class Vault:
    """Keys by their names; the first one seals."""

    keys: Mapping[str, str] = field(repr=False)

    @property
    def newest(self) -> str:
        """The name of the key that seals; `Misconfigured` where there is none."""
        if not self.keys:
            raise Misconfigured("ANCHOR_CUSTOMER_KEYS is not set, and customers need it.")
        return next(iter(self.keys))

    def seal(self, value: bytes, context: str) -> Sealed:
        """Encrypt `value` for the place that `context` names."""
        box = Aead(self._key(self.newest))
        return Sealed(self.newest, bytes(box.encrypt(value, context.encode())))

    def open(self, sealed: Sealed, context: str) -> bytes:
        """Decrypt what was sealed for this very place; `Misconfigured` where that fails."""
        try:
            return Aead(self._key(sealed.key_id)).decrypt(sealed.value, context.encode())
        except CryptoError:
            told = f"A value that was encrypted with the key {sealed.key_id} does not open."
            raise Misconfigured(told) from None

    def mark(self, value: str, context: str, key_id: str | None = None) -> Sealed:
        """Return a keyed hash of `value`, which tells nothing without the key."""
        name = key_id or self.newest
        key = hmac.digest(self._key(name), b"anchor marks", "sha256")
        text = f"{context}\x00{value}".encode()
        return Sealed(name, hmac.digest(key, text, "sha256"))

    def is_marked(self, value: str, context: str, mark: Sealed) -> bool:
        """Tell whether `mark` is that of `value`, in the same time whatever the answer."""
        return hmac.compare_digest(self.mark(value, context, mark.key_id).value, mark.value)

    def _key(self, name: str) -> bytes:
        if name not in self.keys:
            raise Misconfigured(f"ANCHOR_CUSTOMER_KEYS has no key {name}, which is still in use.")
        return read_key(self.keys[name])


def read_key(text: str) -> bytes:
    """Return the 32 bytes of a key in base 64, of either alphabet; `ValueError` for no key."""
    try:
        plain = text.rstrip("=").replace("-", "+").replace("_", "/")
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        found = b""
    if len(found) != KEY_BYTES:
        raise ValueError("a key has 32 bytes in base 64")
    return found


def new_key() -> str:
    """Return a new key as a setting writes it, named by six random digits."""
    name, key = base64.b16encode(random(3)).decode().lower(), random(KEY_BYTES)
    return f"{name}:{base64.urlsafe_b64encode(key).decode()}"

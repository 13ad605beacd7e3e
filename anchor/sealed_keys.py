"""Secrets that move money, encrypted at rest with a passphrase and opened while one signs.

``sealed1:`` and the base 64 (for addresses) of a salt of 16 bytes and a secretbox of libsodium
(XSalsa20-Poly1305), whose key is Argon2id of the passphrase with the parameters that libsodium
calls interactive. Whoever has the passphrase has the secret: what is kept in memory between two
signatures is the derived key, never the secret.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from nacl import utils
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

_MARK = "sealed1:"
_FEWEST_CHARACTERS = 12


class Secret(str):
    """Text that shows itself to nobody who prints it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


def is_sealed(text: str) -> bool:
    """Tell whether `text` is a sealed secret and not the secret itself."""
    return text.startswith(_MARK)


def seal(secret: str, passphrase: str) -> str:
    """Return `secret` sealed with `passphrase`; `ValueError` for one of under 12 characters."""
    if len(passphrase) < _FEWEST_CHARACTERS:
        raise ValueError(f"a passphrase has {_FEWEST_CHARACTERS} characters or more")
    salt = utils.random(argon2id.SALTBYTES)
    sealed = _box(salt, passphrase).encrypt(secret.encode())
    return _MARK + base64.urlsafe_b64encode(salt + bytes(sealed)).decode()


def opened(secret: str, passphrase: str) -> Secret:
    """Return what was sealed, or `secret` itself where it is not sealed.

    Raises `ValueError` for another passphrase, none, or a text that is damaged; it shows neither.
    """
    if not is_sealed(secret):
        return Secret(secret)
    try:
        raw = base64.b64decode(secret.removeprefix(_MARK), altchars=b"-_", validate=True)
        salt, box = raw[: argon2id.SALTBYTES], raw[argon2id.SALTBYTES :]
        return Secret(_box(salt, passphrase).decrypt(box).decode())
    except (CryptoError, binascii.Error, ValueError):
        raise ValueError("is sealed, and ANCHOR_KEYS_PASSPHRASE does not open it") from None


@dataclass(frozen=True, eq=False)
class KeyRing(Mapping[str, Secret]):
    """Secrets by account; each look-up opens one anew, and keeps nothing of it."""

    secrets: Mapping[str, str] = field(repr=False)
    passphrase: str = field(repr=False)

    def __getitem__(self, account: str) -> Secret:
        return opened(self.secrets[account], self.passphrase)

    def __iter__(self) -> Iterator[str]:
        return iter(self.secrets)

    def __len__(self) -> int:
        return len(self.secrets)


@lru_cache(maxsize=64)
def _box(salt: bytes, passphrase: str) -> SecretBox:
    """Derive a key; it takes a tenth of a second and 64 MiB, so a process does it once for each."""
    key = argon2id.kdf(
        SecretBox.KEY_SIZE,
        passphrase.encode(),
        salt,
        opslimit=argon2id.OPSLIMIT_INTERACTIVE,
        memlimit=argon2id.MEMLIMIT_INTERACTIVE,
    )
    return SecretBox(key)

"""Names of assets: how the ledger says them, and how SEP-38 does."""

import re
from base64 import b32decode
from binascii import crc_hqx
from dataclasses import dataclass

from anchor.errors import Rejected

NATIVE = "native"
_STELLAR = re.compile(r"([A-Za-z0-9]{1,12}):(G[A-Z2-7]{55})")
_CURRENCY = re.compile(r"iso4217:([A-Z]{3})")


def is_account_id(text: str) -> bool:
    """Tell whether `text` is the address of an account (``G…``), its checksum included."""
    return _is_key(text, "G")


def is_secret_key(text: str) -> bool:
    """Tell whether `text` is the secret key of an account (``S…``), its checksum included."""
    return _is_key(text, "S")


def is_contract_id(text: str) -> bool:
    """Tell whether `text` is the address of a contract (``C…``), its checksum included."""
    return _is_key(text, "C")


def is_contracts(address: str | None) -> bool:
    """Tell whether what is known to be an address, or nothing, is a contract's (``C…``)."""
    return address is not None and address.startswith("C")


def _is_key(text: str, letter: str) -> bool:
    """Check the text form of keys (SEP-23): version, 32 bytes, CRC-16/XMODEM, in base 32."""
    if not text.isascii() or len(text) != 56 or text[0] != letter:
        return False
    try:
        raw = b32decode(text)
    except ValueError:
        return False
    return crc_hqx(raw[:-2], 0) == int.from_bytes(raw[-2:], "little")


@dataclass(frozen=True)
class StellarAsset:
    """An asset on the ledger; lumens have the code ``native`` and no issuer."""

    code: str
    issuer: str | None

    @classmethod
    def parse(cls, text: str) -> "StellarAsset":
        """Read ``native``, ``CODE:ISSUER`` or either after ``stellar:``; else `Rejected`."""
        name = text.removeprefix("stellar:")
        if name == NATIVE:
            return cls(NATIVE, None)
        match = _STELLAR.fullmatch(name)
        if match is None or not is_account_id(match[2]):
            raise Rejected("an asset on Stellar is written as native or CODE:ISSUER")
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.code}:{self.issuer}" if self.issuer else NATIVE

    @property
    def sep38(self) -> str:
        """The asset in SEP-38's format."""
        return f"stellar:{self}"


@dataclass(frozen=True)
class Currency:
    """A currency outside the ledger, by its ISO 4217 code."""

    code: str

    @classmethod
    def parse(cls, text: str) -> "Currency":
        """Read ``iso4217:USD``; else `Rejected`."""
        match = _CURRENCY.fullmatch(text)
        if match is None:
            raise Rejected("a currency is written as iso4217: and its three letters")
        return cls(match[1])

    @property
    def sep38(self) -> str:
        """The currency in SEP-38's format."""
        return f"iso4217:{self.code}"


def code_of(name: str) -> str:
    """Return what people call an asset that SEP-38 calls `name`: ``USDC``, ``native``, ``BRL``."""
    return name.split(":")[1]


def currency_of(held: str) -> str | None:
    """Return the currency that the books call ``rail:BRL``; None for an asset on the ledger."""
    return held.removeprefix("rail:") if held.startswith("rail:") else None


def held_as(name: str) -> str:
    """Return what the books call an asset that SEP-38 calls `name`.

    On the ledger that is ``CODE:ISSUER`` or ``native``, outside it ``rail:BRL``.
    """
    scheme, _, identifier = name.partition(":")
    return identifier if scheme == "stellar" else f"rail:{identifier}"

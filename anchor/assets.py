"""Names of assets: how the ledger says them, and how SEP-38 does."""

import re
from dataclasses import dataclass

from anchor.errors import Rejected

NATIVE = "native"
_STELLAR = re.compile(r"([A-Za-z0-9]{1,12}):(G[A-Z2-7]{55})")
_CURRENCY = re.compile(r"iso4217:([A-Z]{3})")


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
        if match is None:
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

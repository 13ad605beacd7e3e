"""What a plug-in of the group ``anchor.rates`` implements: it knows what an asset costs.

It gives the market's word and nothing else: spread, fees, decimals, reservation and expiry are
the anchor's. `docs/reference/quotes.md` has the contract.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from anchor.errors import Rejected, Unavailable

__all__ = ["Rate", "RateQuery", "RatesIntegration", "Rejected", "Unavailable", "Way"]


class Way(StrEnum):
    """Which way money goes: a deposit buys the Stellar asset, a withdrawal sells it."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True)
class RateQuery:
    """What is asked: what one unit of a Stellar asset costs.

    `asset` is its name on the ledger (``CODE:ISSUER`` or ``native``), `asset_code` the code under
    which it is served; `offchain` is the other side in SEP-38's format (``iso4217:BRL``).
    `is_firm` says that a promise will be made of the answer.
    """

    asset: str
    asset_code: str
    offchain: str
    way: Way
    is_firm: bool = False

    @property
    def currency(self) -> str:
        """The other side's own name: ``BRL``."""
        return self.offchain.partition(":")[2]

    @property
    def pair(self) -> str:
        """The pair as people write it: ``USDC/BRL``."""
        return f"{self.asset_code}/{self.currency}"


@dataclass(frozen=True)
class Rate:
    """So many units of the other side are one unit of the Stellar asset; above 0, exact."""

    price: Decimal


@dataclass
class RatesIntegration(ABC):
    """A source of rates. Made once per process; calls may run at once.

    `name` is the entry point's, `options` the table ``[rates.<name>]`` of the file.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @abstractmethod
    def rate(self, query: RateQuery) -> Rate:
        """Return what an asset costs now, within two seconds.

        Raises `Unavailable` while nobody can say, and never gives a price of which it does
        not know that it still holds. Raises `Rejected` for a pair that it does not know. Any
        other exception counts as `Unavailable`.
        """

    def demand_apart(self, queries: Sequence[RateQuery]) -> None:  # noqa: B027
        """Raise where it could not tell the pairs apart that it will be asked for; at the start."""

    def check(self) -> str:
        """Return one sentence for `flask anchor doctor`; raise where something is wrong."""
        return f"the rates {self.name} are ready"

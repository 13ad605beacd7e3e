"""Rates that stand in the configuration: ``"USDC/BRL" = "5.42"``, so many BRL for one USDC."""

import re
from dataclasses import dataclass
from decimal import Decimal

from anchor.integrations.rates import Rate, RateQuery, RatesIntegration, Rejected

_PRICE = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


def price(text: object) -> Decimal:
    """Read a plain decimal above 0, as text; else `ValueError`."""
    if not isinstance(text, str) or not _PRICE.fullmatch(text):
        raise ValueError('a rate is a plain number in quotes, such as "5.42"')
    found = Decimal(text)
    if found <= 0:
        raise ValueError("a rate must be above 0")
    return found


@dataclass
class FixedRates(RatesIntegration):
    """Says what its options say, which are pairs and their rates."""

    def __post_init__(self) -> None:
        """Check the options."""
        self._prices = {}
        for pair, text in self.options.items():
            try:
                self._prices[pair] = price(text)
            except ValueError as error:
                raise ValueError(f"{pair}: {error}") from error

    def rate(self, query: RateQuery) -> Rate:
        """Return the pair's rate; `Rejected` where none is written down."""
        found = self._prices.get(query.pair)
        if found is None:
            raise Rejected("no rate is fixed for {pair}", pair=query.pair)
        return Rate(found)

    def check(self) -> str:
        """Say how many there are."""
        return f"{len(self._prices)} rate(s) are fixed"

"""Rates that stand in the configuration: ``"USDC/BRL" = "5.42"``, so many BRL for one USDC."""

from dataclasses import dataclass

from anchor.integrations.rates import Rate, RateQuery, RatesIntegration, Rejected
from anchor.pricing import parse_rate


@dataclass
class FixedRates(RatesIntegration):
    """Says what its options say, which are pairs and their rates."""

    def __post_init__(self) -> None:
        """Check the options."""
        self._prices = {}
        for pair, text in self.options.items():
            try:
                self._prices[pair] = parse_rate(text)
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

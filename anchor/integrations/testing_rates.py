"""Contract tests that a source of rates is run against, without an anchor.

Subclass `RatesContract` in a test module of yours, say how to make the plug-in and which pair
it knows, and let pytest run it. See `docs/reference/quotes.md`.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from time import monotonic

from anchor.integrations.rates import Rate, RateQuery, RatesIntegration, Rejected, Unavailable, Way

#: What a wallet waits for a price, at most.
_BUDGET_S = 2
#: A currency that no source has.
_NOWHERE = "iso4217:XTS"


class RatesContract:
    """What every `RatesIntegration` has to keep. Override `rates`, at least."""

    #: A pair that the plug-in knows.
    query = RateQuery("USDC:ISSUER", "USDC", "iso4217:BRL", Way.DEPOSIT)

    def rates(self) -> RatesIntegration:
        """Make the plug-in."""
        raise NotImplementedError

    def test_a_rate_is_an_exact_number_above_nought(self) -> None:
        """Either way, and whether or not a promise will be made of it."""
        source = self.rates()
        for way in Way:
            for is_firm in (False, True):
                found = source.rate(replace(self.query, way=way, is_firm=is_firm))
                assert isinstance(found, Rate)
                assert isinstance(found.price, Decimal), "a float is not exact"
                assert found.price.is_finite()
                assert found.price > 0

    def test_it_answers_in_time(self) -> None:
        """A wallet waits for it."""
        source, began = self.rates(), monotonic()
        source.rate(self.query)
        assert monotonic() - began < _BUDGET_S

    def test_it_can_be_asked_by_many_at_once(self) -> None:
        """Threads share one plug-in."""
        source = self.rates()
        with ThreadPoolExecutor(8) as pool:
            found = [pool.submit(source.rate, self.query) for _ in range(32)]
        assert all(each.result().price > 0 for each in found)

    def test_what_it_does_not_know_it_does_not_price(self) -> None:
        """`Rejected` or `Unavailable`, and no number out of nowhere."""
        try:
            found = self.rates().rate(replace(self.query, offchain=_NOWHERE))
        except (Rejected, Unavailable):
            return
        raise AssertionError(f"it says {found} of a currency that does not exist")

    def test_it_checks_itself_with_a_sentence(self) -> None:
        """`flask anchor doctor` shows one sentence."""
        assert self.rates().check().strip()

"""What the configuration says about exchanges and quotes, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from anchor.fees import Fees


@dataclass(frozen=True)
class OffchainAsset:
    """Something that is held outside the ledger, by its name in SEP-38's format.

    `decimals` can be paid of it. Customers pay it by `sell_delivery_methods` and are paid it by
    `buy_delivery_methods`: names of rails with a description for people. `country_codes` are
    ISO 3166-2 or its first part, alpha-2.
    """

    id: str
    decimals: int
    country_codes: tuple[str, ...]
    sell_delivery_methods: Mapping[str, str]
    buy_delivery_methods: Mapping[str, str]

    def methods(self, *, is_sold: bool) -> Mapping[str, str]:
        """Return how customers pay it, or are paid it."""
        return self.sell_delivery_methods if is_sold else self.buy_delivery_methods

    @property
    def currency(self) -> str:
        """The currency in which rails book it."""
        return self.id.partition(":")[2]


@dataclass(frozen=True)
class PairPolicy:
    """A Stellar asset that is exchanged for something outside the ledger, and back.

    `asset` is the code under which it is served, `offchain` the other side's name; `rates`
    is the plug-in that knows what one of `asset` costs. `deposit` are the fees of who buys the
    asset, in the other side's money, `withdrawal` those of who sells it, in the asset; None
    where that way is closed. A rate is believed from `rate_min` to `rate_max`; None is no bound.
    """

    asset: str
    offchain: str
    rates: str
    spread: Decimal
    deposit: Fees | None
    withdrawal: Fees | None
    rate_min: Decimal | None = None
    rate_max: Decimal | None = None

    def believes(self, rate: Decimal) -> bool:
        """Tell whether a rate is within the bounds that were set."""
        is_low = self.rate_min is not None and rate < self.rate_min
        is_high = self.rate_max is not None and rate > self.rate_max
        return not (is_low or is_high)


@dataclass(frozen=True)
class QuotePolicy:
    """How long quotes are firm, and what they may promise.

    They hold for `hold_s`, for up to `hold_max_s` where somebody asks for longer; `reserve_max`
    are the stroops that all open ones together may promise of an asset, by its SEP-38 name.
    Unused ones are forgotten `keep_days` after they ran out.
    """

    hold_s: int = 300
    hold_max_s: int = 3600
    keep_days: int = 7
    reserve_max: Mapping[str, int] = field(default_factory=dict)
    offchain: Mapping[str, OffchainAsset] = field(default_factory=dict)
    pairs: tuple[PairPolicy, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """The names of the plug-ins that are asked for rates."""
        return frozenset(pair.rates for pair in self.pairs)

"""What is kept of an amount: one rule for pages, quotes, transactions and the books.

A fee is rounded up, to the decimals in which it can be said. It is never below 0; one that would
leave nothing of the amount is refused, never cut. Within a tier it never falls as amounts grow, and
nobody who pays more is paid less. Where a tier begins both may jump, as its business wants it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any

from anchor.errors import Rejected
from anchor.money import DECIMALS, MAX_STROOPS, round_down, round_up

_WORK = 60


@dataclass(frozen=True)
class FeeTier:
    """What is kept of amounts of `least` stroops and more, up to where the next tier begins."""

    least: int
    fixed: int
    percent: Decimal


@dataclass(frozen=True)
class FeeSchedule:
    """A fee: `fixed` stroops plus `percent` percentage points of what came in.

    It is `minimum` stroops at least and `maximum` at most; None is no limit. Of amounts that
    reach one of the `tiers` (ascending) the last such one says what is kept, of all of it.
    """

    fixed: int = 0
    percent: Decimal = Decimal(0)
    minimum: int = 0
    maximum: int | None = None
    tiers: tuple[FeeTier, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether `fixed` and `percent` say all of it."""
        return not self.minimum and self.maximum is None and not self.tiers

    @property
    def bands(self) -> tuple[FeeTier, ...]:
        """All of it as tiers, from nought on."""
        return (FeeTier(0, self.fixed, self.percent), *self.tiers)

    def clamp(self, fee: Decimal) -> Decimal:
        """Return a fee within the least and the most that are kept."""
        most = fee if self.maximum is None else min(fee, Decimal(self.maximum))
        return max(most, Decimal(self.minimum))


@dataclass(frozen=True)
class Fees:
    """What one way of an asset costs: the usual schedule, and those of rails with their own."""

    usual: FeeSchedule = field(default_factory=FeeSchedule)
    by_rail: Mapping[str, FeeSchedule] = field(default_factory=dict)

    def of(self, rail: str | None) -> FeeSchedule:
        """Return what is kept of what goes by a rail."""
        return self.by_rail.get(rail or "", self.usual)

    def all_of(self, rails: Iterable[str]) -> frozenset[FeeSchedule]:
        """Return the schedules that count for any of these rails; the usual one without any."""
        return frozenset(map(self.of, rails)) or frozenset({self.usual})

    @property
    def every(self) -> tuple[FeeSchedule, ...]:
        """All schedules that there are."""
        return (self.usual, *self.by_rail.values())


@dataclass(frozen=True)
class Split:
    """What an amount comes to, in stroops: `amount_in` is `amount_out` plus `amount_fee`."""

    amount_in: int
    amount_out: int
    amount_fee: int


def fee_of(schedule: FeeSchedule, amount: int, decimals: int = DECIMALS) -> int:
    """Return what is kept of `amount` stroops, rounded up to so many decimals.

    That may be more than the amount: whoever divides it refuses. Raises `Rejected` for what the
    ledger cannot hold.
    """
    return round_up(schedule.clamp(_unbounded(_band(schedule, amount), amount)), decimals)


def fixed_part(schedule: FeeSchedule, amount: int) -> int:
    """Return how many stroops of the fee are its fixed part; none where a bound decides it."""
    band = _band(schedule, amount)
    fee = _unbounded(band, amount)
    return band.fixed if schedule.clamp(fee) == fee else 0


def _band(schedule: FeeSchedule, amount: int) -> FeeTier:
    return next(band for band in reversed(schedule.bands) if band.least <= amount)


def _unbounded(band: FeeTier, amount: int) -> Decimal:
    with localcontext(prec=_WORK, rounding=ROUND_CEILING):
        return band.fixed + amount * band.percent / 100


def split(received: int, schedule: FeeSchedule, decimals: int, extra: int = 0) -> Split:
    """Divide what was received into what is paid out and the fee, exactly (promise 9).

    What is paid out is rounded down to the rail's decimals; the remainder is fee, as are
    `extra` stroops. Raises `Rejected` where the fee leaves nothing to pay out.
    """
    amount_out = round_down(max(received - fee_of(schedule, received) - extra, 0), decimals)
    if amount_out <= 0:
        raise Rejected("the fee leaves nothing to pay out")
    return Split(received, amount_out, received - amount_out)


def gross(schedule: FeeSchedule, net: int, decimals: int) -> int:
    """Return the least amount, in so many decimals, of which the fee leaves `net` stroops.

    `net` can be said in these decimals. More than that is left only at the beginning of a tier
    that leaves more of it than of any smaller amount. Raises `Rejected` where no amount that
    the ledger can hold will do.
    """
    ends = [*(tier.least for tier in schedule.tiers), MAX_STROOPS + 1]
    for band, end in zip(schedule.bands, ends, strict=True):
        wanted = max(_reach(schedule, band, net), Decimal(band.least))
        if wanted < end and (found := round_up(wanted, decimals)) < end:
            return found
    raise Rejected("the amount is larger than the ledger can hold")


def _reach(schedule: FeeSchedule, band: FeeTier, net: int) -> Decimal:
    """Return the least amount of which a band would leave `net`, had it no ends.

    What is left of an amount is the amount less each of fee, minimum and maximum, whichever
    counts; so the amount is what these three call for, bounded in the same way.
    """
    with localcontext(prec=_WORK, rounding=ROUND_CEILING):
        share = 1 - band.percent / 100
        whole = (net + band.fixed) / share if share > 0 else Decimal("Infinity")
        return net + schedule.clamp(whole - net)


def to_stored(schedule: FeeSchedule) -> dict[str, Any] | None:
    """Return what `fixed` and `percent` do not say of a schedule, as JSON; None for nothing."""
    if schedule.is_plain:
        return None
    tiers = [[tier.least, tier.fixed, str(tier.percent)] for tier in schedule.tiers]
    return {"minimum": schedule.minimum, "maximum": schedule.maximum, "tiers": tiers}


def from_stored(fixed: int, percent: Decimal, rules: Mapping[str, Any] | None) -> FeeSchedule:
    """Return the schedule that was stored."""
    if rules is None:
        return FeeSchedule(fixed, percent)
    tiers = tuple(FeeTier(least, kept, Decimal(share)) for least, kept, share in rules["tiers"])
    return FeeSchedule(fixed, percent, rules["minimum"], rules["maximum"], tiers)

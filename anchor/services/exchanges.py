"""What is exchanged for what, and at what price at this moment: no promise, and no database."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from anchor import pricing
from anchor.config import Settings
from anchor.errors import Misconfigured, Rejected, Unavailable
from anchor.extensions import house, refuse_inside_transaction, settings
from anchor.fees import Fees, FeeSchedule
from anchor.integrations.protocols import RailsIntegration
from anchor.integrations.rates import Rate, RateQuery, RatesIntegration, Way
from anchor.money import DECIMALS
from anchor.policies import AssetPolicy
from anchor.policies.quotes import OffchainAsset, PairPolicy
from anchor.pricing import Priced, Terms
from anchor.services.rails import pays

log = logging.getLogger(__name__)

#: No market says more, or less: 18 digits before the point, or after it.
_LEAST, _MOST = Decimal("1E-18"), Decimal("1E+18")


@dataclass(frozen=True)
class Wish:
    """What somebody wants to exchange: assets as SEP-38 names them, one amount in stroops.

    Methods and country are None where they were left out.
    """

    sell_asset: str
    buy_asset: str
    sell_amount: int | None = None
    buy_amount: int | None = None
    sell_delivery_method: str | None = None
    buy_delivery_method: str | None = None
    country_code: str | None = None

    @property
    def method(self) -> str | None:
        """How the other side is paid or is paid to us."""
        return self.sell_delivery_method or self.buy_delivery_method


@dataclass(frozen=True)
class Exchange:
    """One way of a pair, with all that the configuration says of it."""

    pair: PairPolicy
    policy: AssetPolicy
    offchain: OffchainAsset
    way: Way

    @property
    def methods(self) -> dict[str, str]:
        """How the other side can be paid, whichever side that is: names and descriptions.

        These are rails of the asset; the other side may have more, for other assets.
        """
        found = self.offchain.methods(is_sold=self.way is Way.DEPOSIT)
        return {name: told for name, told in found.items() if name in self.policy.rails}

    @property
    def fees(self) -> Fees:
        """The fees of that way, in the sold asset."""
        fees = self.pair.deposit if self.way is Way.DEPOSIT else self.pair.withdrawal
        assert fees is not None
        return fees


@dataclass(frozen=True)
class Offer:
    """One asset that can be had, or given, and its price; `decimals` are its own."""

    asset: str
    price: Decimal
    decimals: int


def find(wish: Wish) -> Exchange:
    """Return how these two assets are exchanged, and check the wish's methods and country.

    Raises `Rejected` where they are not exchanged, or not that way, by that method or there.
    """
    known = list(_all())
    ours = [each for each in known if _sides(each)[0] == wish.sell_asset]
    found = [each for each in ours if _sides(each)[1] == wish.buy_asset]
    if not found:
        for name, place in (("sell_asset", 0), ("buy_asset", 1)):
            asset = getattr(wish, name)
            if not any(_sides(each)[place] == asset for each in known):
                raise Rejected("{name}: this asset is not exchanged here", name=name)
        raise Rejected("these two assets are not exchanged for each other here")
    _demand_delivery(found, wish)
    return found[0]


def _all() -> Iterator[Exchange]:
    policy = settings()
    for pair in policy.quotes.pairs:
        asset, offchain = policy.assets[pair.asset], policy.quotes.offchain[pair.offchain]
        if pair.deposit is not None:
            yield Exchange(pair, asset, offchain, Way.DEPOSIT)
        if pair.withdrawal is not None:
            yield Exchange(pair, asset, offchain, Way.WITHDRAWAL)


def demand_rails(policy: Settings, rails: Mapping[str, RailsIntegration]) -> None:
    """Raise `Misconfigured` where a way to pay is a rail that does not know the currency.

    Such a rail would take an amount for one of the asset's own currency.
    """
    problems = []
    for pair in policy.quotes.pairs:
        asset, offchain = policy.assets[pair.asset], policy.quotes.offchain[pair.offchain]
        methods = {*offchain.sell_delivery_methods, *offchain.buy_delivery_methods}
        for name in sorted(methods & set(asset.rails)):
            if not pays(rails[name], asset, offchain.currency):
                problems.append(
                    f'offchain."{offchain.id}": the rail {name} does not say that it pays '
                    f"{offchain.currency} (`currencies` of its traits)."
                )
    if problems:
        raise Misconfigured(*problems)


def demand_rates(policy: Settings, sources: Mapping[str, RatesIntegration]) -> None:
    """Raise `Misconfigured` where a source would take one pair for another."""
    problems = []
    for name, source in sources.items():
        queries = [
            _query(policy.assets[pair.asset], pair.offchain, way)
            for pair in policy.quotes.pairs
            if pair.rates == name
            for way in Way
        ]
        try:
            source.demand_apart(queries)
        except Exception as error:  # a plug-in may raise anything
            problems.append(f"The source of rates {name} refuses its pairs: {error}.")
    if problems:
        raise Misconfigured(*problems)


def _query(asset: AssetPolicy, offchain: str, way: Way, *, is_firm: bool = False) -> RateQuery:
    return RateQuery(asset.id, asset.code, offchain, way, is_firm)


def _sides(exchange: Exchange) -> tuple[str, str]:
    """Return what is sold and what is bought."""
    stellar = f"stellar:{exchange.policy.id}"
    if exchange.way is Way.DEPOSIT:
        return exchange.offchain.id, stellar
    return stellar, exchange.offchain.id


def _demand_delivery(found: list[Exchange], wish: Wish) -> list[Exchange]:
    """Return those that are paid as the wish says; `Rejected` where none is (SEP38-20, 55)."""
    if wish.sell_delivery_method and wish.buy_delivery_method:
        raise Rejected("sell_delivery_method and buy_delivery_method exclude each other")
    is_deposit = found[0].way is Way.DEPOSIT
    right, wrong = "sell_delivery_method", "buy_delivery_method"
    if not is_deposit:
        right, wrong = wrong, right
    if getattr(wish, wrong):
        raise Rejected("{name} is for assets outside the ledger", name=wrong)
    if method := getattr(wish, right):
        found = [each for each in found if method in each.methods]
        if not found:
            raise Rejected("{name}: this way to pay is not offered", name=right)
    if country := wish.country_code:
        found = [each for each in found if country in each.offchain.country_codes]
        if not found:
            raise Rejected("country_code: this is not offered there")
    return found


def priced(exchange: Exchange, wish: Wish, *, is_firm: bool = False) -> Priced:
    """Return what the wish comes to at the rate of this moment.

    Where it does not say how it is paid, and that makes a difference, it is the dearest way.
    Raises `Rejected` for an amount that cannot be exchanged, and `Unavailable` while nobody
    knows the rate. Nobody may have a database transaction open.
    """
    rate = _rate(exchange, is_firm=is_firm)
    ways = [wish.method] if wish.method else exchange.methods
    found = [_by(_terms(exchange, rate, fee), wish) for fee in exchange.fees.all_of(ways)]
    return max(found, key=lambda each: each.total_price)


def _by(terms: Terms, wish: Wish) -> Priced:
    if wish.sell_amount is not None:
        return pricing.sell(terms, wish.sell_amount)
    assert wish.buy_amount is not None
    return pricing.buy(terms, wish.buy_amount)


def price(wish: Wish) -> Priced:
    """Return what a wish comes to now, as `find` and `priced` do."""
    return priced(find(wish), wish)


def offers(wish: Wish) -> list[Offer]:
    """Return what can be had for the asset and amount of a wish, or can be given for it.

    The other asset of the wish is empty. An asset whose rate nobody knows is left out, unless
    that leaves none: then `Unavailable`.
    """
    place = 0 if wish.sell_asset else 1
    name, asset = (("sell_asset", wish.sell_asset), ("buy_asset", wish.buy_asset))[place]
    found = [each for each in _all() if _sides(each)[place] == asset]
    if not found and not any(asset in _sides(each) for each in _all()):
        raise Rejected("{name}: this asset is not exchanged here", name=name)
    found = _demand_delivery(found, wish) if found else []
    made, trouble = [], None
    for exchange in found:
        try:
            made.append(_offer(exchange, wish, _sides(exchange)[1 - place]))
        except Unavailable as error:
            trouble = error
        except Rejected as error:
            log.debug("%s is not offered for %s: %s", exchange.pair, asset, error)
    if trouble and not made:
        raise trouble
    return made


def _offer(exchange: Exchange, wish: Wish, other: str) -> Offer:
    whole = replace(wish, sell_asset=_sides(exchange)[0], buy_asset=_sides(exchange)[1])
    decimals = DECIMALS if other.startswith("stellar:") else exchange.offchain.decimals
    return Offer(other, priced(exchange, whole).price, decimals)


def _rate(exchange: Exchange, *, is_firm: bool) -> Decimal:
    """Ask the pair's source for the market's rate: so much of the other side for one asset."""
    refuse_inside_transaction()
    source = house().rates[exchange.pair.rates]
    query = _query(exchange.policy, exchange.offchain.id, exchange.way, is_firm=is_firm)
    try:
        found = source.rate(query)
    except (Rejected, Unavailable):
        raise
    except Exception as error:  # a plug-in may raise anything; no price is made of it
        log.exception("the rates %s failed at %s", source.name, query.pair)
        raise _no_price() from error
    if not _is_sane(found) or not exchange.pair.believes(found.price):
        log.error("the rates %s said %r of %s", source.name, found, query.pair)
        raise _no_price()
    return found.price


def prices() -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield, for each pair and way, its name and what says its price: for `flask anchor doctor`."""
    for exchange in _all():
        name = f"price of {exchange.policy.code}, {exchange.offchain.currency}, {exchange.way}"
        yield name, partial(_told, exchange)


def _told(exchange: Exchange) -> str:
    found = pricing.price_of(_terms(exchange, _rate(exchange, is_firm=False), exchange.fees.usual))
    sold, bought = _sides(exchange)
    return f"{pricing.plain(found, 10)} {sold} for one {bought}"


def _no_price() -> Unavailable:
    return Unavailable("no price is known at the moment; try again in a minute")


def _is_sane(found: object) -> bool:
    if not isinstance(found, Rate) or not isinstance(found.price, Decimal):
        return False
    return found.price.is_finite() and _LEAST <= found.price <= _MOST


def _terms(exchange: Exchange, rate: Decimal, fee: FeeSchedule) -> Terms:
    is_deposit = exchange.way is Way.DEPOSIT
    decimals = exchange.offchain.decimals
    return Terms(
        rate=rate if is_deposit else pricing.inverse(rate),
        spread=exchange.pair.spread,
        fee=fee,
        sell_decimals=decimals if is_deposit else DECIMALS,
        buy_decimals=DECIMALS if is_deposit else decimals,
    )

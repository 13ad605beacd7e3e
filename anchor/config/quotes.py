"""What ``[quotes]``, ``[offchain]`` and ``[[pairs]]`` say, checked and put together as policies."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from anchor.assets import Currency
from anchor.config.fees import fees
from anchor.errors import Rejected
from anchor.money import parse_amount
from anchor.policies import AssetPolicy
from anchor.policies.quotes import OffchainAsset, PairPolicy, QuotePolicy
from anchor.pricing import parse_rate

#: ISO 3166-1 alpha-2, and ISO 3166-2 below it.
_COUNTRY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_WHOLE = 100


def quote_policy(
    data: Mapping[str, Any], assets: Mapping[str, AssetPolicy], problems: list[str]
) -> QuotePolicy:
    """Return the policy of checked tables; what contradicts itself is added to `problems`."""
    table = data["quotes"]
    pairs = tuple(_pair(each, data["offchain"], assets, problems) for each in data["pairs"])
    _demand_once(pairs, problems)
    offchain = {
        name: _offchain(name, each, _rails_of(name, pairs, assets), problems)
        for name, each in data["offchain"].items()
    }
    problems += _unpayable(pairs, offchain, assets)
    if table["hold_s"] > table["hold_max_s"]:
        problems.append("quotes: hold_s is above hold_max_s.")
    return QuotePolicy(
        hold_s=table["hold_s"],
        hold_max_s=table["hold_max_s"],
        keep_days=table["keep_days"],
        reserve_max=_reserves(table["reserve_max"], offchain, assets, problems),
        offchain=offchain,
        pairs=pairs,
    )


def _pair(
    table: Mapping[str, Any],
    offchain: Mapping[str, Any],
    assets: Mapping[str, AssetPolicy],
    problems: list[str],
) -> PairPolicy:
    code, other = table["asset"], table["offchain"]
    where = f"pairs: {code} and {other}"
    if code not in assets:
        problems.append(f"{where}: there is no [assets.{code}].")
    if other not in offchain:
        problems.append(f'{where}: there is no [offchain."{other}"].')
    ways = {}
    for way in ("deposit", "withdrawal"):
        rails = assets[code].rails if code in assets else tuple(table[way]["rails"])
        found = fees(f"{where}: {way}", table[way], rails, problems)
        ways[way] = found if table[way]["enabled"] else None
        if any(band.percent >= _WHOLE for each in found.every for band in each.bands):
            problems.append(f"{where}: a fee_percent of 100 leaves nothing.")
    if not any(ways.values()):
        problems.append(f"{where}: both ways are closed; leave the pair out.")
    least, most = (
        parse_rate(table[name]) if name in table else None for name in ("rate_min", "rate_max")
    )
    if least is not None and most is not None and least > most:
        problems.append(f"{where}: rate_min is above rate_max.")
    spread = table["spread_percent"]
    return PairPolicy(code, other, table["rates"], spread, **ways, rate_min=least, rate_max=most)


def _demand_once(pairs: tuple[PairPolicy, ...], problems: list[str]) -> None:
    seen = set()
    for pair in pairs:
        if (pair.asset, pair.offchain) in seen:
            problems.append(f"pairs: {pair.asset} and {pair.offchain} stand there twice.")
        seen.add((pair.asset, pair.offchain))


def _unpayable(
    pairs: tuple[PairPolicy, ...],
    offchain: Mapping[str, OffchainAsset],
    assets: Mapping[str, AssetPolicy],
) -> Iterator[str]:
    """Yield a sentence for each way of a pair by which nothing could be paid."""
    for pair in pairs:
        for way in ("deposit", "withdrawal"):
            if getattr(pair, way) and pair.asset in assets and pair.offchain in offchain:
                methods = offchain[pair.offchain].methods(is_sold=way == "deposit")
                if methods and not set(methods) & set(assets[pair.asset].rails):
                    yield (
                        f"pairs: {pair.asset} and {pair.offchain}: none of the ways to pay for a "
                        f"{way} is a rail of {pair.asset}."
                    )


def _rails_of(
    name: str, pairs: tuple[PairPolicy, ...], assets: Mapping[str, AssetPolicy]
) -> tuple[str, ...]:
    """Return the rails that bring or pay it: those of the assets that it is exchanged for."""
    served = [
        assets[pair.asset] for pair in pairs if pair.offchain == name and pair.asset in assets
    ]
    return tuple(dict.fromkeys(rail for policy in served for rail in policy.rails))


def _offchain(
    name: str, table: Mapping[str, Any], rails: tuple[str, ...], problems: list[str]
) -> OffchainAsset:
    where = f'offchain."{name}"'
    try:
        Currency.parse(name)
    except Rejected as error:
        problems.append(f"{where}: {error}.")
    for country in table["country_codes"]:
        if not _COUNTRY.fullmatch(country):
            problems.append(f"{where}: {country} is neither ISO 3166 alpha-2 nor ISO 3166-2.")
    common = table.get("delivery_methods") or {rail: _by(rail) for rail in rails}
    ways = {way: dict(table.get(way) or common) for way in _METHODS}
    for method in sorted({each for methods in ways.values() for each in methods}):
        if method not in rails:
            problems.append(f"{where}: {method} is no rail of an asset that it is exchanged for.")
    return OffchainAsset(name, table["decimals"], tuple(table["country_codes"]), **ways)


_METHODS = ("sell_delivery_methods", "buy_delivery_methods")


def _by(rail: str) -> str:
    return f"By {rail.replace('_', ' ')}"


def _reserves(
    table: Mapping[str, str],
    offchain: Mapping[str, OffchainAsset],
    assets: Mapping[str, AssetPolicy],
    problems: list[str],
) -> dict[str, int]:
    found = {}
    for name, amount in table.items():
        if name in assets:
            found[f"stellar:{assets[name].id}"] = parse_amount(amount)
        elif name in offchain:
            found[name] = parse_amount(amount)
        else:
            problems.append(f"quotes.reserve_max: {name} is neither an asset nor in [offchain].")
    return found

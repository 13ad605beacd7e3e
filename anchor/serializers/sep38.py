"""What SEP-38 asks and shows: the words on the wire."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import fields, validate, validates_schema

from anchor.config import Settings
from anchor.models import Quote
from anchor.money import format_amount
from anchor.policies.quotes import OffchainAsset
from anchor.pricing import Priced, plain
from anchor.serializers.fields import Amount, Instant, text
from anchor.serializers.messages import invalid
from anchor.serializers.query import Query
from anchor.serializers.transaction_words import fee_parts
from anchor.services.exchanges import Offer, Wish
from anchor.services.quotes import fee_details

_INSTANT = Instant()
#: Which flow of ours a context speaks of.
FLOWS = {"sep6": "programmatic", "sep24": "interactive", "sep31": "send"}
_SIDES = ("sell", "buy")
Say = Callable[[str], str]


class _Asked(Query):
    """What all of them are asked with."""

    sell_asset = text()
    buy_asset = text()
    sell_amount = Amount()
    buy_amount = Amount()
    sell_delivery_method = text()
    buy_delivery_method = text()
    country_code = text(10)


class PricesQuery(_Asked):
    """The query of ``GET /prices``: one asset, and how much of it (SEP38-20)."""

    @validates_schema
    def _one_side(self, data: Mapping[str, Any], **_: Any) -> None:
        given = [side for side in _SIDES if f"{side}_asset" in data]
        if len(given) != 1:
            raise invalid("one of sell_asset and buy_asset is required")
        [side] = given
        other = "buy" if side == "sell" else "sell"
        if f"{other}_amount" in data:
            raise invalid("the amount has to be one of the asset that is given")
        if f"{side}_amount" not in data:
            raise invalid("the amount of the asset that is given is required")


class PriceQuery(_Asked):
    """The query of ``GET /price`` (SEP38-30 to 32)."""

    sell_asset = text(required=True)
    buy_asset = text(required=True)
    context = fields.String(required=True, validate=validate.OneOf(sorted(FLOWS)))

    @validates_schema
    def _one_amount(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("sell_amount" in data) == ("buy_amount" in data):
            raise invalid("one of sell_amount and buy_amount is required")


class QuoteBody(PriceQuery):
    """The body of ``POST /quote``."""

    expire_after = Instant()


def wish(data: Mapping[str, Any]) -> Wish:
    """Return what was asked for as the services take it."""
    names = [name for name in _Asked.one().fields if name in data]
    return Wish(**({"sell_asset": "", "buy_asset": ""} | {name: data[name] for name in names}))


def info(settings: Settings) -> dict[str, Any]:
    """Return the body of ``GET /info``: what is exchanged (SEP38-10 to 14)."""
    pairs = settings.quotes.pairs
    stellar = dict.fromkeys(f"stellar:{settings.assets[pair.asset].id}" for pair in pairs)
    found: list[dict[str, Any]] = [{"asset": name} for name in stellar]
    for name in dict.fromkeys(pair.offchain for pair in pairs):
        ours = [pair for pair in pairs if pair.offchain == name]
        sold = any(pair.deposit is not None for pair in ours)
        bought = any(pair.withdrawal is not None for pair in ours)
        found.append(_offchain(settings.quotes.offchain[name], sold=sold, bought=bought))
    return {"assets": found}


def _offchain(asset: OffchainAsset, *, sold: bool, bought: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"asset": asset.id}
    if sold and asset.sell_delivery_methods:
        body["sell_delivery_methods"] = _methods(asset.sell_delivery_methods)
    if bought and asset.buy_delivery_methods:
        body["buy_delivery_methods"] = _methods(asset.buy_delivery_methods)
    if asset.country_codes:
        body["country_codes"] = list(asset.country_codes)
    return body


def _methods(methods: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "description": told} for name, told in methods.items()]


def prices(data: Mapping[str, Any], offers: Iterable[Offer]) -> dict[str, Any]:
    """Return the body of ``GET /prices``: the other side of the asset (SEP38-21 to 24)."""
    listed = [
        {"asset": each.asset, "price": plain(each.price), "decimals": each.decimals}
        for each in offers
    ]
    return {"buy_assets" if "sell_asset" in data else "sell_assets": listed}


def price(asked: Wish, found: Priced, say: Say) -> dict[str, Any]:
    """Return the body of ``GET /price`` (SEP38-33)."""
    return {
        "total_price": plain(found.total_price),
        "price": plain(found.price),
        "sell_amount": format_amount(found.sell_amount),
        "buy_amount": format_amount(found.buy_amount),
        "fee": _fee(asked.sell_asset, found.fee, fee_details(found), say),
    }


def quote(row: Quote, say: Say) -> dict[str, Any]:
    """Return the body of ``POST /quote`` and ``GET /quote/:id`` (SEP38-50, 60)."""
    body = {
        "id": row.id,
        "expires_at": _INSTANT._serialize(row.expires_at, None, None),
        "total_price": plain(row.total_price),
        "price": plain(row.price),
        "sell_asset": row.sell_asset,
        "sell_amount": format_amount(row.sell_amount),
        "buy_asset": row.buy_asset,
        "buy_amount": format_amount(row.buy_amount),
        "fee": _fee(row.sell_asset, row.fee, row.fee_details, say),
    }
    for name in ("sell_delivery_method", "buy_delivery_method"):
        if (method := getattr(row, name)) is not None:
            body[name] = method
    return body


def _fee(asset: str, total: int, details: list[dict[str, Any]], say: Say) -> dict[str, Any]:
    body: dict[str, Any] = {"total": format_amount(total), "asset": asset}
    if details:
        body["details"] = fee_parts(details, say)
    return body

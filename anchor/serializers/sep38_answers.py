"""What SEP-38's answers look like, for the OpenAPI document."""

from typing import Any

from marshmallow import Schema, fields

from anchor.serializers.answers import Text, amount_text, asset_text, instant_text


def _price_text(**kwargs: Any) -> Text:
    """Return a price as answers write it: plain decimal, as text, with as many digits as it has."""
    return Text(pattern=r"^[0-9]+(\.[0-9]+)?$", **kwargs)


class MethodAnswer(Schema):
    """A way to pay outside the ledger."""

    name = fields.String(required=True)
    description = fields.String(required=True)


class ExchangedAnswer(Schema):
    """An asset that is exchanged."""

    asset = asset_text(required=True)
    sell_delivery_methods = fields.List(fields.Nested(MethodAnswer))
    buy_delivery_methods = fields.List(fields.Nested(MethodAnswer))
    country_codes = fields.List(fields.String())


class QuoteInfoAnswer(Schema):
    """What is exchanged."""

    assets = fields.List(fields.Nested(ExchangedAnswer), required=True)


class OfferAnswer(Schema):
    """What an asset costs: units of what is sold for one unit of what is bought."""

    asset = asset_text(required=True)
    price = _price_text(required=True)
    decimals = fields.Integer(required=True)


class PricesAnswer(Schema):
    """What can be had for the asset that is given, or be given for it."""

    buy_assets = fields.List(fields.Nested(OfferAnswer))
    sell_assets = fields.List(fields.Nested(OfferAnswer))


class FeePartAnswer(Schema):
    """A part of the fee."""

    name = fields.String(required=True)
    description = fields.String()
    amount = amount_text(required=True)


class QuoteFeeAnswer(Schema):
    """The fee, in the asset that is sold."""

    total = amount_text(required=True)
    asset = asset_text(required=True)
    details = fields.List(fields.Nested(FeePartAnswer))


class PriceAnswer(Schema):
    """What an amount costs at this moment."""

    total_price = _price_text(required=True)
    price = _price_text(required=True)
    sell_amount = amount_text(required=True)
    buy_amount = amount_text(required=True)
    fee = fields.Nested(QuoteFeeAnswer, required=True)


class QuoteAnswer(PriceAnswer):
    """A price that is promised."""

    id = fields.String(required=True)
    expires_at = instant_text(required=True)
    sell_asset = asset_text(required=True)
    buy_asset = asset_text(required=True)
    sell_delivery_method = fields.String()
    buy_delivery_method = fields.String()

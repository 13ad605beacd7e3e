"""What the script of a page is answered."""

from marshmallow import EXCLUDE, INCLUDE, Schema, fields, validate

from anchor.serializers.fields import plain
from anchor.serializers.sep24_answers import TransactionAnswer


class StateAnswer(Schema):
    """How a transaction stands; `version` grows with each thing that happens to it."""

    version = fields.Integer(required=True)
    transaction = fields.Nested(TransactionAnswer, required=True)


class BrandQuery(Schema):
    """Which version of the brand."""

    class Meta:
        unknown = EXCLUDE

    v = fields.String()


class GivenBody(Schema):
    """What own pages hand in, as the plug-in reads it; this is how `link` does."""

    class Meta:
        unknown = INCLUDE

    transaction_id = fields.String()
    amount = fields.String()
    rail = fields.String()
    details = fields.Dict(keys=fields.String(), values=fields.String())


class GivenAnswer(Schema):
    """How the transaction stands from now on."""

    status = fields.String(required=True)


class PriceQuery(Schema):
    """An amount, the rail it would be paid by, and the currency it would be exchanged for."""

    class Meta:
        unknown = EXCLUDE

    amount = fields.String(required=True, validate=[validate.Length(1, 40), plain])
    rail = fields.String(validate=[validate.Length(1, 100), plain])
    other = fields.String(validate=[validate.Length(0, 40), plain])


class PriceAnswer(Schema):
    """What it comes to, for people: amounts with the names of their assets."""

    paid = fields.String(required=True)
    fee = fields.String(required=True)
    received = fields.String(required=True)
    rate = fields.String()
    is_firm = fields.Boolean(required=True)

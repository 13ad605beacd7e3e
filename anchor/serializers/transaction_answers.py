"""What deposits and withdrawals have in common in answers, for the OpenAPI document."""

from marshmallow import Schema, fields, validate

from anchor.serializers.answers import amount_text, asset_text


class FeaturesAnswer(Schema):
    """What deposits may do besides."""

    account_creation = fields.Boolean(required=True)
    claimable_balances = fields.Boolean(required=True)


class FeeDetailsAnswer(Schema):
    """The fee."""

    total = amount_text(required=True)
    asset = asset_text(required=True)


class RefundAnswer(Schema):
    """A payment that went back."""

    id = fields.String(required=True)
    id_type = fields.String(required=True, validate=validate.OneOf(["stellar", "external"]))
    amount = amount_text(required=True)
    fee = amount_text(required=True)


class RefundsAnswer(Schema):
    """What went back."""

    amount_refunded = amount_text(required=True)
    amount_fee = amount_text(required=True)
    payments = fields.List(fields.Nested(RefundAnswer), required=True)

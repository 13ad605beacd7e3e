"""What SEP-31's answers look like, for the OpenAPI document."""

from marshmallow import Schema, fields, validate

from anchor.lifecycle import Kind, statuses_of
from anchor.serializers.answers import Text, amount_text, asset_text, instant_text


class NamedFieldAnswer(Schema):
    """A detail that is wanted."""

    description = fields.String(required=True)
    optional = fields.Boolean()


class FieldsAnswer(Schema):
    """Details of a transaction that are wanted, by name."""

    transaction = fields.Dict(
        keys=fields.String(), values=fields.Nested(NamedFieldAnswer), required=True
    )


class TypeAnswer(Schema):
    """A type of customer."""

    description = fields.String(required=True)


class PartyAnswer(Schema):
    """As which types a customer may be known; empty where nobody has to be."""

    types = fields.Dict(keys=fields.String(), values=fields.Nested(TypeAnswer))


class PartiesAnswer(Schema):
    """Who has to be known."""

    sender = fields.Nested(PartyAnswer, required=True)
    receiver = fields.Nested(PartyAnswer, required=True)


class ReceivedAnswer(Schema):
    """What can be sent of an asset; amounts and fees are JSON numbers."""

    enabled = fields.Boolean(required=True)
    funding_methods = fields.List(fields.String(), required=True)
    min_amount = fields.Float()
    max_amount = fields.Float()
    fee_fixed = fields.Float()
    fee_percent = fields.Float()
    quotes_supported = fields.Boolean(required=True)
    quotes_required = fields.Boolean(required=True)
    sep12 = fields.Nested(PartiesAnswer, required=True)
    fields_ = fields.Nested(FieldsAnswer, data_key="fields")


class SendInfoAnswer(Schema):
    """Which assets are received, and on which terms."""

    receive = fields.Dict(keys=fields.String(), values=fields.Nested(ReceivedAnswer), required=True)


class OpenedAnswer(Schema):
    """The id, and where to pay, once that is said."""

    id = fields.String(required=True)
    stellar_account_id = Text(pattern="^G")
    stellar_memo_type = fields.String(validate=validate.OneOf(["id", "text", "hash"]))
    stellar_memo = fields.String()


class FeePartAnswer(Schema):
    """A part of the fee."""

    name = fields.String(required=True)
    amount = amount_text(required=True)


class FeeDetailsAnswer(Schema):
    """The fee, and of which parts it is."""

    total = amount_text(required=True)
    asset = asset_text(required=True)
    details = fields.List(fields.Nested(FeePartAnswer))


class RefundPaymentAnswer(Schema):
    """A payment that went back."""

    id = fields.String(required=True)
    amount = amount_text(required=True)
    fee = amount_text(required=True)


class SendRefundsAnswer(Schema):
    """What went back."""

    amount_refunded = amount_text(required=True)
    amount_fee = amount_text(required=True)
    payments = fields.List(fields.Nested(RefundPaymentAnswer), required=True)


class SendAnswer(Schema):
    """A send; what is not known yet is left out."""

    id = fields.String(required=True)
    status = fields.String(
        required=True, validate=validate.OneOf(sorted(map(str, statuses_of(Kind.SEND))))
    )
    status_message = fields.String()
    amount_in = amount_text()
    amount_in_asset = asset_text()
    amount_out = amount_text()
    amount_out_asset = asset_text()
    amount_fee = amount_text()
    amount_fee_asset = asset_text()
    fee_details = fields.Nested(FeeDetailsAnswer)
    quote_id = fields.String()
    stellar_account_id = Text(pattern="^G")
    stellar_memo_type = fields.String(validate=validate.OneOf(["id", "text", "hash"]))
    stellar_memo = fields.String()
    started_at = instant_text(required=True)
    updated_at = instant_text()
    completed_at = instant_text()
    stellar_transaction_id = fields.String()
    external_transaction_id = fields.String()
    refunded = fields.Boolean(required=True)
    refunds = fields.Nested(SendRefundsAnswer)
    required_info_message = fields.String()
    required_info_updates = fields.Nested(FieldsAnswer)


class OneSendAnswer(Schema):
    """One send."""

    transaction = fields.Nested(SendAnswer, required=True)


class NeededAnswer(Schema):
    """A refusal: a sentence, or what is missing: of a customer, or of the transaction."""

    error = fields.String(required=True)
    type = fields.String()
    fields_ = fields.Nested(FieldsAnswer, data_key="fields")

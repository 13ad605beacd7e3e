"""What SEP-24's answers look like, for the OpenAPI document."""

from marshmallow import Schema, fields, validate

from anchor.serializers import transaction_answers as shared
from anchor.serializers.answers import Text, amount_text, asset_text, instant_text

_STATUSES = (
    *("incomplete", "pending_user_transfer_start", "pending_user_transfer_complete"),
    *("pending_external", "pending_anchor", "on_hold", "pending_stellar", "pending_trust"),
    *("pending_user", "completed", "refunded", "expired", "no_market", "too_small", "too_large"),
    "error",
)


class FlowAnswer(Schema):
    """What an asset allows one way; JSON numbers."""

    enabled = fields.Boolean(required=True)
    min_amount = fields.Float()
    max_amount = fields.Float()
    fee_fixed = fields.Float()
    fee_percent = fields.Float()
    fee_minimum = fields.Float()


class FeeEndpointAnswer(Schema):
    """Whether there is an endpoint for fees; there is none."""

    enabled = fields.Boolean(required=True)


class InfoAnswer(Schema):
    """Which assets can be deposited and withdrawn, and for how much."""

    deposit = fields.Dict(keys=fields.String(), values=fields.Nested(FlowAnswer), required=True)
    withdraw = fields.Dict(keys=fields.String(), values=fields.Nested(FlowAnswer), required=True)
    fee = fields.Nested(FeeEndpointAnswer, required=True)
    features = fields.Nested(shared.FeaturesAnswer, required=True)


class OpenedAnswer(Schema):
    """Where the customer goes on."""

    type = fields.String(
        required=True, validate=validate.OneOf(["interactive_customer_info_needed"])
    )
    url = Text(required=True, format="uri")
    id = fields.String(required=True)


class FeeDetailsAnswer(shared.FeeDetailsAnswer):
    """The fee, with its parts under the name that SEP-24 has for them, too."""

    breakdown = fields.List(fields.Nested(shared.FeePartAnswer))


class TransactionAnswer(Schema):
    """A deposit or a withdrawal; null is what is not known yet."""

    id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["deposit", "withdrawal"]))
    status = fields.String(required=True, validate=validate.OneOf(_STATUSES))
    more_info_url = Text(required=True, format="uri")
    amount_in = amount_text(nullable=True)
    amount_in_asset = asset_text()
    amount_out = amount_text(nullable=True)
    amount_out_asset = asset_text()
    amount_fee = amount_text()
    amount_fee_asset = asset_text()
    fee_details = fields.Nested(FeeDetailsAnswer)
    quote_id = fields.String()
    started_at = instant_text(required=True)
    updated_at = instant_text(nullable=True)
    completed_at = instant_text(nullable=True)
    user_action_required_by = instant_text()
    stellar_transaction_id = Text(nullable=True)
    external_transaction_id = Text(nullable=True)
    message = Text(nullable=True)
    refunded = fields.Boolean()
    refunds = fields.Nested(shared.RefundsAnswer)
    from_ = Text(nullable=True, name="from")
    to = Text(nullable=True)
    deposit_memo = Text(nullable=True)
    deposit_memo_type = Text(nullable=True)
    claimable_balance_id = Text(nullable=True)
    withdraw_anchor_account = Text(nullable=True)
    withdraw_memo = Text(nullable=True)
    withdraw_memo_type = Text(nullable=True)


class OneAnswer(Schema):
    """One transaction."""

    transaction = fields.Nested(TransactionAnswer, required=True)


class ListAnswer(Schema):
    """Several, the newest first."""

    transactions = fields.List(fields.Nested(TransactionAnswer), required=True)

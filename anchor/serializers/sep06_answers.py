"""What SEP-6's answers look like, for the OpenAPI document."""

from marshmallow import Schema, fields, validate

from anchor.lifecycle import Status
from anchor.serializers import transaction_answers as shared
from anchor.serializers.answers import Text, amount_text, asset_text, instant_text
from anchor.serializers.sep06 import KINDS

_STATUSES = [
    status.value
    for status in Status
    if status not in (Status.PENDING_SENDER, Status.PENDING_RECEIVER)
]


class FieldsAnswer(Schema):
    """Details of old; customers give theirs by SEP-12."""

    fields_ = fields.Dict(keys=fields.String(), data_key="fields", required=True)


class ServedAnswer(Schema):
    """What an asset allows one way; JSON numbers."""

    enabled = fields.Boolean(required=True)
    authentication_required = fields.Boolean(required=True)
    funding_methods = fields.List(fields.String(), required=True)
    min_amount = fields.Float()
    max_amount = fields.Float()
    fee_fixed = fields.Float()
    fee_percent = fields.Float()
    types = fields.Dict(keys=fields.String(), values=fields.Nested(FieldsAnswer))


class EndpointAnswer(Schema):
    """Whether there is an endpoint."""

    enabled = fields.Boolean(required=True)
    authentication_required = fields.Boolean(required=True)
    description = fields.String()


def _served(name: str | None = None) -> fields.Dict:
    one = fields.Nested(ServedAnswer)
    return fields.Dict(keys=fields.String(), values=one, required=True, data_key=name)


class InfoAnswer(Schema):
    """Which assets can be deposited, withdrawn and exchanged, how and for how much."""

    deposit = _served()
    deposit_exchange = _served("deposit-exchange")
    withdraw = _served()
    withdraw_exchange = _served("withdraw-exchange")
    fee = fields.Nested(EndpointAnswer, required=True)
    transactions = fields.Nested(EndpointAnswer, required=True)
    transaction = fields.Nested(EndpointAnswer, required=True)
    features = fields.Nested(shared.FeaturesAnswer, required=True)


class InstructionAnswer(Schema):
    """One thing that a payer has to know."""

    value = fields.String(required=True)
    description = fields.String(required=True)


class ExtraAnswer(Schema):
    """What is to be said besides."""

    message = fields.String()


class _OpenedAnswer(Schema):
    id = fields.String(required=True)
    min_amount = fields.Float()
    max_amount = fields.Float()
    fee_fixed = fields.Float()
    fee_percent = fields.Float()
    extra_info = fields.Nested(ExtraAnswer)


class DepositAnswer(_OpenedAnswer):
    """A deposit, and how to pay it as far as that is known."""

    how = fields.String(required=True)
    instructions = fields.Dict(keys=fields.String(), values=fields.Nested(InstructionAnswer))


class WithdrawAnswer(_OpenedAnswer):
    """A withdrawal, and where to pay it as far as that is known."""

    account_id = fields.String()
    memo_type = fields.String(validate=validate.OneOf(["id", "text", "hash"]))
    memo = fields.String()


class RequiredFieldAnswer(Schema):
    """What is wrong with a detail."""

    description = fields.String(required=True)


class RequiredAnswer(Schema):
    """Details that have to be corrected."""

    transaction = fields.Dict(
        keys=fields.String(), values=fields.Nested(RequiredFieldAnswer), required=True
    )


class TransactionAnswer(Schema):
    """A deposit or a withdrawal, without what is not known yet."""

    id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(sorted(KINDS)))
    status = fields.String(required=True, validate=validate.OneOf(_STATUSES))
    more_info_url = Text(format="uri")
    amount_in = amount_text()
    amount_in_asset = asset_text(required=True)
    amount_out = amount_text()
    amount_out_asset = asset_text(required=True)
    amount_fee = amount_text()
    amount_fee_asset = asset_text()
    fee_details = fields.Nested(shared.FeeDetailsAnswer)
    quote_id = fields.String()
    from_ = Text(nullable=True, name="from", required=True)
    to = Text(nullable=True, required=True)
    deposit_memo = fields.String()
    deposit_memo_type = fields.String()
    claimable_balance_id = fields.String()
    withdraw_anchor_account = fields.String()
    withdraw_memo = fields.String()
    withdraw_memo_type = fields.String()
    started_at = instant_text(required=True)
    updated_at = instant_text(required=True)
    completed_at = instant_text()
    user_action_required_by = instant_text()
    stellar_transaction_id = fields.String()
    external_transaction_id = fields.String()
    message = fields.String()
    refunded = fields.Boolean(required=True)
    refunds = fields.Nested(shared.RefundsAnswer)
    required_info_message = fields.String()
    required_info_updates = fields.Nested(RequiredAnswer)
    instructions = fields.Dict(keys=fields.String(), values=fields.Nested(InstructionAnswer))


class OneAnswer(Schema):
    """One transaction."""

    transaction = fields.Nested(TransactionAnswer, required=True)


class ListAnswer(Schema):
    """Several, the newest first."""

    transactions = fields.List(fields.Nested(TransactionAnswer), required=True)

"""What answers of the admin API look like, for the OpenAPI document."""

from marshmallow import Schema, fields, validate

from anchor.serializers.admin import STATUSES
from anchor.serializers.answers import Text, amount_text, instant_text


class RemittanceAnswer(Schema):
    """A remittance; what is not known yet is null."""

    id = fields.String(required=True)
    domain = fields.String(required=True)
    asset_code = fields.String(required=True)
    amount = amount_text(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    is_resting = fields.Boolean(required=True)
    rail = fields.String(required=True)
    reference = Text(nullable=True, required=True)
    pay_before = instant_text(nullable=True, required=True)
    funding_method = Text(nullable=True, required=True)
    buy_asset = Text(nullable=True, required=True)
    least_out = amount_text(nullable=True, required=True)
    remote_id = Text(nullable=True, required=True)
    remote_status = Text(nullable=True, required=True)
    stellar_transaction_id = Text(nullable=True, required=True)
    amount_paid = amount_text(required=True)
    amount_refunded = amount_text(required=True)
    message = Text(nullable=True, required=True)
    idempotency_key = Text(nullable=True, required=True)
    opened_at = instant_text(required=True)


class RemittancesAnswer(Schema):
    """Remittances, the newest first; `next` is what the next page is asked `after`."""

    remittances = fields.List(fields.Nested(RemittanceAnswer), required=True)
    next_ = Text(nullable=True, required=True, name="next")


class RemittanceEventAnswer(Schema):
    """What happened, with the status from then on, or what `who` did, and why."""

    at = instant_text(required=True)
    what = fields.String(required=True)
    status = Text(nullable=True, required=True)
    who = Text(nullable=True, required=True)
    note = Text(nullable=True, required=True)


class OpenCaseAnswer(Schema):
    """A case that a person has to answer."""

    id = fields.Integer(required=True)
    reason = fields.String(required=True)
    note = Text(nullable=True, required=True)


class DetailNamesAnswer(Schema):
    """Names of what is known of each party, until the end; values are never shown."""

    sender = fields.List(fields.String())
    receiver = fields.List(fields.String())
    transaction = fields.List(fields.String())


class RemittanceStoryAnswer(RemittanceAnswer):
    """A remittance with what keeps it, and what happened to it, the oldest first."""

    trouble = Text(nullable=True, required=True)
    cases = fields.List(fields.Nested(OpenCaseAnswer), required=True)
    details = fields.Nested(DetailNamesAnswer, required=True)
    may_be_amended = fields.Boolean(required=True)
    events = fields.List(fields.Nested(RemittanceEventAnswer), required=True)


class CheckedAnswer(Schema):
    """As what the order would be sent; null where the other anchor tells nothing of that."""

    funding_method = Text(nullable=True, required=True)
    sender_type = Text(nullable=True, required=True)
    receiver_type = Text(nullable=True, required=True)


class CallbackAnswer(Schema):
    """A callback; of its address only the host is shown."""

    id = fields.Integer(required=True)
    subject = fields.String(required=True)
    host = fields.String(required=True)
    owed_at = instant_text(required=True)
    delivered_at = instant_text(nullable=True, required=True)
    attempts = fields.Integer(required=True)
    trouble = Text(nullable=True, required=True)
    is_parked = fields.Boolean(required=True)


class CallbacksAnswer(Schema):
    """What waits, the oldest first, or what was delivered, the newest first."""

    callbacks = fields.List(fields.Nested(CallbackAnswer), required=True)
    next_ = fields.Integer(required=True, allow_none=True, data_key="next")


class ReplayedAnswer(Schema):
    """How many are tried again as they were written, and told anew; those of customers that were
    delivered are not kept."""

    tried_again = fields.Integer(required=True)
    told_anew = fields.Integer(required=True)
    not_kept = fields.Integer(required=True)

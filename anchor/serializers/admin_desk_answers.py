"""What answers of the admin API about the desk look like, for the OpenAPI document."""

from marshmallow import Schema, fields

from anchor.serializers.answers import Text, amount_text, instant_text


class CaseAnswer(Schema):
    """Something that a person answers; what is not known is null."""

    id = fields.Integer(required=True)
    reason = fields.String(required=True)
    about = fields.String(required=True)
    note = Text(nullable=True, required=True)
    transaction_id = Text(nullable=True, required=True)
    asset_code = Text(nullable=True, required=True)
    amount_owed = amount_text(nullable=True, required=True)
    opened_at = instant_text(required=True)
    closed_at = instant_text(nullable=True, required=True)


class CasesAnswer(Schema):
    """Cases, the oldest first; `next` is what the next page is asked `after`."""

    cases = fields.List(fields.Nested(CaseAnswer), required=True)
    next_ = fields.Integer(required=True, allow_none=True, data_key="next")


class DoneActAnswer(Schema):
    """What somebody did, and why."""

    what = fields.String(required=True)
    who = fields.String(required=True)
    note = Text(nullable=True, required=True)
    done_at = instant_text(required=True)


class CaseStoryAnswer(CaseAnswer):
    """A case with what its reason means, what may be done about it now, and what was done."""

    means = Text(nullable=True, required=True)
    answer = Text(nullable=True, required=True)
    acts = fields.List(fields.String(), required=True)
    done = fields.List(fields.Nested(DoneActAnswer), required=True)


class ActedTransactionAnswer(Schema):
    """How a transaction stands after an act, and what may be done about it now."""

    id = fields.String(required=True)
    status = fields.String(required=True)
    is_resting = fields.Boolean(required=True)
    acts = fields.List(fields.String(), required=True)


class PaidAgainAnswer(ActedTransactionAnswer):
    """The same, with the key of the payout that was begun."""

    key = fields.String(required=True)


class ActedOutflowAnswer(Schema):
    """How what goes out stands after an act."""

    key = fields.String(required=True)
    kind = fields.String(required=True)
    state = fields.String(required=True)
    transaction_id = Text(nullable=True, required=True)


class BegunRefundAnswer(Schema):
    """A refund that is on its way, or was sent by hand, with the fee that is kept."""

    key = fields.String(required=True)
    amount = amount_text(required=True)
    fee = amount_text(required=True)


class RetriedAnswer(Schema):
    """How many jobs are due."""

    due = fields.Integer(required=True)

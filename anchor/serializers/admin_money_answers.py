"""Answers of the admin API about transactions and money, for the OpenAPI document."""

from marshmallow import Schema, fields, validate

from anchor.models import OUTFLOW_KINDS, OUTFLOW_STATES
from anchor.serializers.admin_money import KINDS, STATUSES, VERDICTS
from anchor.serializers.answers import Text, amount_text, instant_text


def _texts() -> fields.List[str]:
    return fields.List(fields.String(), required=True)


class TransactionAnswer(Schema):
    """A transaction in a list; `amount` is what came, or else what is to come."""

    id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    flow = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    is_resting = fields.Boolean(required=True)
    asset_code = fields.String(required=True)
    amount = amount_text(nullable=True, required=True)
    amount_asset = fields.String(required=True)
    rail = fields.String(required=True)
    owner = fields.String(required=True)
    opened_at = instant_text(required=True)


class TransactionsAnswer(Schema):
    """Transactions, the newest first; `next` is what the next page is asked `after`."""

    transactions = fields.List(fields.Nested(TransactionAnswer), required=True)
    next_ = Text(nullable=True, required=True, name="next")


class ArrivalAnswer(Schema):
    """Money that came, or that left on the ledger (`is_outgoing`), and what became of it."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    at = instant_text(required=True)
    amount = amount_text(nullable=True, required=True)
    asset = Text(nullable=True, required=True)
    verdict = fields.String(required=True, validate=validate.OneOf(VERDICTS))
    note = Text(nullable=True, required=True)
    transaction_id = Text(nullable=True, required=True)
    case_id = fields.Integer(required=True, allow_none=True)
    account = Text(nullable=True, required=True)
    payer = Text(nullable=True, required=True)
    memo_type = Text(nullable=True, required=True)
    memo = Text(nullable=True, required=True)
    hash = Text(nullable=True, required=True)
    is_outgoing = fields.Boolean(required=True)
    rail = Text(nullable=True, required=True)
    reference = Text(nullable=True, required=True)
    reversed_at = instant_text(nullable=True, required=True)


class ArrivalsAnswer(Schema):
    """Money that came, the newest first; `next` is what the next page is asked `after`."""

    arrivals = fields.List(fields.Nested(ArrivalAnswer), required=True)
    next_ = fields.Integer(required=True, allow_none=True, data_key="next")


class OutflowAnswer(Schema):
    """An attempt to move money out; `acts` are what a person may do about it now."""

    id = fields.Integer(required=True)
    key = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(OUTFLOW_KINDS))
    form = Text(nullable=True, required=True)
    state = fields.String(required=True, validate=validate.OneOf(OUTFLOW_STATES))
    amount = amount_text(required=True)
    fee = amount_text(required=True)
    asset = fields.String(required=True)
    fee_asset = fields.String(required=True)
    rail = Text(nullable=True, required=True)
    source = Text(nullable=True, required=True)
    to = Text(nullable=True, required=True)
    reference = Text(nullable=True, required=True)
    custody = Text(nullable=True, required=True)
    note = Text(nullable=True, required=True)
    transaction_id = Text(nullable=True, required=True)
    begun_at = instant_text(required=True)
    told_at = instant_text(nullable=True, required=True)
    settled_at = instant_text(nullable=True, required=True)
    returned_at = instant_text(nullable=True, required=True)
    acts = _texts()


class OutflowsAnswer(Schema):
    """Outflows, the newest first; `next` is what the next page is asked `after`."""

    outflows = fields.List(fields.Nested(OutflowAnswer), required=True)
    next_ = fields.Integer(required=True, allow_none=True, data_key="next")


class CaseOfAnswer(Schema):
    """A case about a transaction, open where `closed_at` is null."""

    id = fields.Integer(required=True)
    reason = fields.String(required=True)
    note = Text(nullable=True, required=True)
    amount_owed = amount_text(nullable=True, required=True)
    asset = Text(nullable=True, required=True)
    opened_at = instant_text(required=True)
    closed_at = instant_text(nullable=True, required=True)


class WaitingJobAnswer(Schema):
    """Work that waits for a transaction or one of its outflows."""

    kind = fields.String(required=True)
    subject = fields.String(required=True)
    due_at = instant_text(required=True)
    attempts = fields.Integer(required=True)
    trouble = Text(nullable=True, required=True)
    is_parked = fields.Boolean(required=True)


class HappenedAnswer(Schema):
    """What happened, by what cause, with the status from then on, or what `who` did, and why."""

    at = instant_text(required=True)
    what = fields.String(required=True)
    status = Text(nullable=True, required=True)
    cause = Text(nullable=True, required=True)
    who = Text(nullable=True, required=True)
    note = Text(nullable=True, required=True)


class ToldAnswer(Schema):
    """How many callbacks about a transaction were delivered, and how many wait."""

    delivered = fields.Integer(required=True)
    waiting = fields.Integer(required=True)


class TransactionStoryAnswer(TransactionAnswer):
    """A transaction with all that is told of it; of details the names alone, by whose they are."""

    amount_expected = amount_text(nullable=True, required=True)
    amount_received = amount_text(required=True)
    amount_paid = amount_text(required=True)
    amount_refunded = amount_text(required=True)
    amount_in = amount_text(nullable=True, required=True)
    amount_out = amount_text(nullable=True, required=True)
    amount_fee = amount_text(nullable=True, required=True)
    amount_in_asset = fields.String(required=True)
    amount_out_asset = fields.String(required=True)
    settlement = fields.String(required=True)
    account = Text(nullable=True, required=True)
    memo_type = Text(nullable=True, required=True)
    memo = Text(nullable=True, required=True)
    reference = Text(nullable=True, required=True)
    payer = Text(nullable=True, required=True)
    to = Text(nullable=True, required=True)
    to_memo_type = Text(nullable=True, required=True)
    to_memo = Text(nullable=True, required=True)
    stellar_transaction_id = Text(nullable=True, required=True)
    external_transaction_id = Text(nullable=True, required=True)
    client_domain = Text(nullable=True, required=True)
    quote_id = Text(nullable=True, required=True)
    message = Text(nullable=True, required=True)
    deadline_at = instant_text(nullable=True, required=True)
    funded_at = instant_text(nullable=True, required=True)
    updated_at = instant_text(required=True)
    completed_at = instant_text(nullable=True, required=True)
    details = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    customers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    arrivals = fields.List(fields.Nested(ArrivalAnswer), required=True)
    outflows = fields.List(fields.Nested(OutflowAnswer), required=True)
    cases = fields.List(fields.Nested(CaseOfAnswer), required=True)
    jobs = fields.List(fields.Nested(WaitingJobAnswer), required=True)
    events = fields.List(fields.Nested(HappenedAnswer), required=True)
    callbacks = fields.Nested(ToldAnswer, required=True)
    is_remittance = fields.Boolean(required=True)
    acts = _texts()

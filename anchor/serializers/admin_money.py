"""The words of the admin API for transactions, for what came, and for what left."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields, validate, validates_schema

from anchor.assets import currency_of
from anchor.lifecycle import Kind, Status
from anchor.matching import Verdict
from anchor.models import OUTFLOW_KINDS, OUTFLOW_STATES
from anchor.serializers.admin import RowId
from anchor.serializers.fields import Instant, text
from anchor.serializers.messages import invalid
from anchor.serializers.transaction_words import amount, instant
from anchor.services import arrival_views, outflow_views, transaction_search
from anchor.services.arrival_views import Came
from anchor.services.outflow_views import Left
from anchor.services.transaction_search import Found
from anchor.services.transaction_stories import Story

KINDS = [each.value for each in Kind]
STATUSES = sorted(each.value for each in Status)
VERDICTS = sorted(each.value for each in Verdict)
#: Where money came: on the ledger, or at a bank.
LEDGER, RAIL = "ledger", "rail"
_PAGE = 50


def _limit(most: int) -> fields.Integer:
    return fields.Integer(load_default=_PAGE, validate=validate.Range(1, most))


class TransactionsQuery(Schema):
    """Which transactions are shown; `after` is the id of the last one of the page before."""

    q = text(200)
    kind = fields.String(validate=validate.OneOf(KINDS))
    status = fields.String(validate=validate.OneOf(STATUSES))
    asset_code = text(12)
    is_resting = fields.Boolean()
    since = Instant()
    after = text(100)
    limit = _limit(transaction_search.MAX_PAGE)


class ArrivalsQuery(Schema):
    """Which money that came is shown: `of` the ledger, by `account`, or of the banks, by `rail`."""

    of = fields.String(load_default=LEDGER, validate=validate.OneOf((LEDGER, RAIL)))
    verdict = fields.String(validate=validate.OneOf(VERDICTS))
    account = text(100)
    rail = text(100)
    asset = text(100)
    q = text(200)
    after = RowId()
    limit = _limit(arrival_views.MAX_PAGE)

    @validates_schema
    def _of_one_place(self, data: dict[str, Any], **_: Any) -> None:
        if "account" in data and data["of"] == RAIL:
            raise invalid("what a bank booked has no account: choose by rail")
        if "rail" in data and data["of"] == LEDGER:
            raise invalid("a payment on the ledger has no rail: choose by account")


class OutflowsQuery(Schema):
    """Which outflows are shown; `rail` is ``stellar`` for those on the ledger."""

    kind = fields.String(validate=validate.OneOf(OUTFLOW_KINDS))
    state = fields.String(validate=validate.OneOf(OUTFLOW_STATES))
    rail = text(100)
    q = text(200)
    after = RowId()
    limit = _limit(outflow_views.MAX_PAGE)


def arrivals_of(query: dict[str, Any]) -> list[Came]:
    """Return the money that came which a query is about."""
    asked = {name: value for name, value in query.items() if name != "of"}
    look = arrival_views.on_ledger if query["of"] == LEDGER else arrival_views.by_rail
    return look(**asked)


def transactions_of(query: dict[str, Any]) -> list[Found]:
    """Return the transactions that a query is about."""
    asked = {"rests" if name == "is_resting" else name: value for name, value in query.items()}
    return transaction_search.listing(**asked)


def outflows_of(query: dict[str, Any]) -> list[Left]:
    """Return the outflows that a query is about."""
    return outflow_views.listing(**query)


def next_of(found: Sequence[Any], limit: int) -> Any:
    """Return after which one the next page begins; None where there is none."""
    return found[-1].id if len(found) == limit else None


def named(held: str | None) -> str | None:
    """Return what SEP-38 calls an asset of the books."""
    if held is None:
        return None
    currency = currency_of(held)
    return f"stellar:{held}" if currency is None else f"iso4217:{currency}"


def transaction(found: Found) -> dict[str, Any]:
    """Show a transaction as lists do."""
    return {
        "id": found.id,
        "kind": found.kind,
        "flow": found.flow,
        "status": found.status,
        "is_resting": found.rests,
        "asset_code": found.asset_code,
        "amount": amount(found.amount),
        "amount_asset": named(found.amount_asset),
        "rail": found.rail,
        "owner": found.owner,
        "opened_at": instant(found.opened_at),
    }


def arrival(found: Came) -> dict[str, Any]:
    """Show money that came."""
    return vars(found) | {
        "at": instant(found.at),
        "amount": amount(found.amount),
        "asset": named(found.asset),
        "reversed_at": instant(found.reversed_at),
    }


def outflow(found: Left) -> dict[str, Any]:
    """Show an outflow."""
    instants = ("begun_at", "told_at", "settled_at", "returned_at")
    return (
        vars(found)
        | {name: instant(getattr(found, name)) for name in instants}
        | {
            "amount": amount(found.amount),
            "fee": amount(found.fee),
            "asset": named(found.asset),
            "fee_asset": named(found.fee_asset),
            "acts": list(found.acts),
        }
    )


def story(found: Story) -> dict[str, Any]:
    """Show a transaction with all that is told of it."""
    return transaction(found.shown) | {
        **_facts(found),
        "details": found.details,
        "customers": found.customers,
        "arrivals": [arrival(each) for each in found.came],
        "outflows": [outflow(each) for each in found.left],
        "cases": [
            vars(each)
            | {
                "amount_owed": amount(each.amount_owed),
                "asset": named(each.asset),
                "opened_at": instant(each.opened_at),
                "closed_at": instant(each.closed_at),
            }
            for each in found.cases
        ],
        "jobs": [vars(each) | {"due_at": instant(each.due_at)} for each in found.waits],
        "events": [vars(each) | {"at": instant(each.at)} for each in found.entries],
        "callbacks": {"delivered": found.told, "waiting": found.untold},
        "is_remittance": found.is_remittance,
        "acts": list(found.acts),
    }


def _facts(found: Story) -> dict[str, Any]:
    facts = found.facts
    amounts = {
        "amount_expected": facts.expected,
        "amount_received": facts.came,
        "amount_paid": facts.paid,
        "amount_refunded": facts.refunded,
        "amount_in": facts.amount_in,
        "amount_out": facts.amount_out,
        "amount_fee": facts.amount_fee,
    }
    instants = ("deadline_at", "funded_at", "updated_at", "completed_at")
    plain = (
        *("settlement", "account", "memo_type", "memo", "reference", "payer", "to"),
        *("to_memo_type", "to_memo", "stellar_transaction_id", "external_transaction_id"),
        *("client_domain", "quote_id", "message"),
    )
    return {
        **{name: amount(value) for name, value in amounts.items()},
        "amount_in_asset": named(facts.in_asset),
        "amount_out_asset": named(facts.out_asset),
        **{name: getattr(facts, name) for name in plain},
        **{name: instant(getattr(facts, name)) for name in instants},
    }

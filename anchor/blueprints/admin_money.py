"""The admin API about transactions, and about money that came and that left: it only shows."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints.describing import described
from anchor.serializers import admin_money as words
from anchor.serializers import admin_money_answers as answers
from anchor.serializers.fields import known_id
from anchor.services import transaction_stories

bp = Blueprint("money", __name__)


@bp.get("/transactions")
@described(
    query=words.TransactionsQuery, answer=answers.TransactionsAnswer, operator=True, errors=(404,)
)
def transactions() -> ResponseReturnValue:
    """Find transactions, the newest first."""
    query = words.TransactionsQuery().load(request.args.to_dict())
    found = words.transactions_of(query)
    shown = [words.transaction(each) for each in found]
    return jsonify({"transactions": shown, "next": words.next_of(found, query["limit"])})


@bp.get("/transactions/<transaction_id>")
@described(answer=answers.TransactionStoryAnswer, operator=True, errors=(404,))
def transaction(transaction_id: str) -> ResponseReturnValue:
    """Show a transaction with its money, its cases, what waits for it, and what happened to it."""
    return jsonify(words.story(transaction_stories.tell(known_id(transaction_id))))


@bp.get("/money")
@described(query=words.ArrivalsQuery, answer=answers.ArrivalsAnswer, operator=True)
def arrivals() -> ResponseReturnValue:
    """Show what came on the ledger, or what banks booked, the newest first."""
    query = words.ArrivalsQuery().load(request.args.to_dict())
    found = words.arrivals_of(query)
    shown = [words.arrival(each) for each in found]
    return jsonify({"arrivals": shown, "next": words.next_of(found, query["limit"])})


@bp.get("/outflows")
@described(query=words.OutflowsQuery, answer=answers.OutflowsAnswer, operator=True)
def outflows() -> ResponseReturnValue:
    """Show payouts, submissions and refunds, the newest first."""
    query = words.OutflowsQuery().load(request.args.to_dict())
    found = words.outflows_of(query)
    shown = [words.outflow(each) for each in found]
    return jsonify({"outflows": shown, "next": words.next_of(found, query["limit"])})

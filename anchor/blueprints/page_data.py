"""What the script of a page asks for: how a transaction stands, and what an amount comes to."""

from collections.abc import Sequence

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import links, visits
from anchor.blueprints.describing import described
from anchor.errors import NotFound
from anchor.extensions import settings
from anchor.lifecycle import Kind
from anchor.money import parse_amount
from anchor.serializers import page_answers as answers
from anchor.serializers import pages as words
from anchor.serializers import sep24
from anchor.services import drafts, views

bp = Blueprint("page_data", __name__, url_prefix="/interactive")

_WAY = "/<any(deposit, withdraw):way>/<transaction_id>"


@bp.get(f"{_WAY}/state")
@described(answer=answers.StateAnswer, errors=(403, 404))
def state(way: str, transaction_id: str) -> ResponseReturnValue:
    """Show how a transaction stands, to the page that completes it."""
    return _state(visits.FORM, transaction_id, drafts.WAYS[way])


@bp.get("/transaction/<transaction_id>/state")
@described(answer=answers.StateAnswer, errors=(403, 404))
def state_of(transaction_id: str) -> ResponseReturnValue:
    """Show how a transaction stands, to the page that tells of it."""
    return _state(visits.LOOK, transaction_id, tuple(Kind))


def _state(purpose: str, transaction_id: str, kinds: Sequence[Kind]) -> ResponseReturnValue:
    """Show a transaction as its endpoint does, but without what opens a page (SEP24-46)."""
    visits.current(purpose, transaction_id)
    view = views.get(transaction_id)
    if view.row.kind not in kinds:
        raise NotFound("there is no such transaction")
    shown = sep24.one(view, settings(), links.bare_more_info)
    return jsonify({"version": view.row.version, "transaction": shown})


@bp.get(f"{_WAY}/price")
@described(query=answers.PriceQuery, answer=answers.PriceAnswer, errors=(403, 404))
def price(way: str, transaction_id: str) -> ResponseReturnValue:
    """Show what an amount would come to at this moment; nothing is promised."""
    visits.current(visits.FORM, transaction_id)
    if views.get(transaction_id).row.kind not in drafts.WAYS[way]:
        raise NotFound("there is no such transaction")
    query = answers.PriceQuery().load(request.args.to_dict())
    amount = parse_amount(query["amount"].strip())
    sums = drafts.estimate(transaction_id, amount, query.get("rail"), query.get("other") or None)
    return jsonify(words.said(sums))

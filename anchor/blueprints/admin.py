"""The admin API: what operators do over HTTP, by a token of their own.

A request is somebody's who bears a token, and what changes anything is from one who may act. This
holds for each door below, also for those that come later: it is asked here, once.
"""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import (
    admin_books,
    admin_customers,
    admin_desk,
    admin_money,
    admin_standing,
    errors,
    forms,
    operators,
)
from anchor.blueprints.describing import described
from anchor.blueprints.limits import costly
from anchor.errors import Unauthorized, Unavailable
from anchor.serializers import admin as words
from anchor.serializers import admin_answers as answers
from anchor.serializers.fields import known_id
from anchor.services import callback_replays, remittance_orders, remittance_views, remittances

bp = Blueprint("admin", __name__, url_prefix="/admin")
bp.register_blueprint(admin_standing.bp)
bp.register_blueprint(admin_books.bp)
bp.register_blueprint(admin_customers.bp)
bp.register_blueprint(admin_desk.bp)
bp.register_blueprint(admin_money.bp)
bp.before_request(operators.guard)


@bp.get("/remittances")
@described(
    query=words.RemittancesQuery, answer=answers.RemittancesAnswer, operator=True, errors=(404,)
)
def listing() -> ResponseReturnValue:
    """Show what is sent by other anchors, the newest first."""
    query = words.RemittancesQuery().load(request.args.to_dict())
    return jsonify(words.page(remittance_views.listing(**query), query["limit"]))


@bp.post("/remittances")
@costly
@described(
    body=words.SendOrderBody,
    headers=words.IdempotencyHeader,
    answer=answers.RemittanceStoryAnswer,
    status=201,
    operator=True,
)
def send() -> ResponseReturnValue:
    """Send money to a customer of another anchor; the same key again sends nothing anew."""
    key = operators.idempotency_key(words.IdempotencyHeader)
    body = words.SendOrderBody().load(forms.body())
    policy, wanted = words.order(body, key)
    return _story(remittances.send(policy, wanted, operators.current().name, body.get("note"))), 201


@bp.post("/remittances/check")
@costly
@described(body=words.OrderBody, answer=answers.CheckedAnswer, operator=True)
def check() -> ResponseReturnValue:
    """Ask the other anchor whether it would take this; nothing is sent, and nobody is named."""
    policy, wanted = words.order(words.OrderBody().load(forms.body()))
    return jsonify(words.chosen(remittance_orders.check(policy, wanted)))


@bp.get("/remittances/<remittance_id>")
@described(answer=answers.RemittanceStoryAnswer, operator=True, errors=(404,))
def remittance(remittance_id: str) -> ResponseReturnValue:
    """Show a remittance with what it waits for, and what happened to it."""
    return _story(known_id(remittance_id))


@bp.patch("/remittances/<remittance_id>")
@costly
@described(body=words.AmendBody, answer=answers.RemittanceStoryAnswer, operator=True, errors=(404,))
def amend(remittance_id: str) -> ResponseReturnValue:
    """Replace what is known of the parties of a remittance that waits; it is then agreed anew."""
    remittance_id = known_id(remittance_id)
    body = words.AmendBody().load(forms.body())
    remittances.amend(remittance_id, body["details"], operators.current().name, body.get("note"))
    return _story(remittance_id)


@bp.get("/callbacks")
@described(query=words.CallbacksQuery, answer=answers.CallbacksAnswer, operator=True)
def callbacks() -> ResponseReturnValue:
    """Show what wallets are told: what waits, the oldest first, and why, or what was delivered."""
    query: dict[str, Any] = words.CallbacksQuery().load(request.args.to_dict())
    asked = {"transaction_id": None, "after": None} | query
    return jsonify(words.callbacks(callback_replays.listing(**asked), query["limit"]))


@bp.post("/callbacks/replay")
@costly
@described(body=words.ReplayBody, answer=answers.ReplayedAnswer, operator=True, errors=(404,))
def replay() -> ResponseReturnValue:
    """Try again what was not delivered, and tell anew how it stands now what was."""
    body = words.ReplayBody().load(forms.body())
    return jsonify(words.replayed(callback_replays.again(operators.current().name, **body)))


def _story(remittance_id: str) -> Response:
    return jsonify(words.story(remittance_views.tell(remittance_id)))


@bp.errorhandler(Unauthorized)
def _unauthenticated(error: Unauthorized) -> ResponseReturnValue:
    return errors.unauthenticated(error)


@bp.errorhandler(Unavailable)
def _unavailable(error: Unavailable) -> ResponseReturnValue:
    """Tell an operator what is down, which a customer is not told."""
    return jsonify({"error": str(error)}), 503

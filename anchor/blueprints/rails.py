"""The door of rails: what they tell by webhook."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints.describing import described
from anchor.serializers.answers import AnyAnswer, WebhookBody
from anchor.services import rail_events

bp = Blueprint("rails", __name__, url_prefix="/rails")

MAX_EVENT_BYTES = 262_144


@bp.post("/<name>/webhook")
@described(body=WebhookBody, answer=AnyAnswer, errors=(403, 404))
def webhook(name: str) -> ResponseReturnValue:
    """Take an event of a rail: 200 as soon as it is stored, also for one that was before."""
    request.max_content_length = MAX_EVENT_BYTES
    headers = {key.lower(): value for key, value in request.headers.items()}
    rail_events.accept(name, headers, request.get_data(cache=False))
    return jsonify({})

"""SEP-2: addresses of open withdrawals and sends, so that any wallet can pay them."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints.describing import described
from anchor.serializers import sep02 as words
from anchor.services import federation

bp = Blueprint("sep02", __name__)


@bp.get("/federation")
@described(query=words.FederationQuery, answer=words.FederationAnswer, errors=(404,))
def look_up() -> ResponseReturnValue:
    """Show under which account and memo an address is paid."""
    query = words.FederationQuery.one().load(request.args.to_dict())
    return jsonify(words.found(query["q"], federation.look_up(query["type"], query["q"])))

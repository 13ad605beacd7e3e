"""SEP-10: web authentication."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import errors, forms
from anchor.blueprints.describing import described
from anchor.blueprints.limits import costly
from anchor.errors import Unauthorized
from anchor.extensions import settings
from anchor.serializers.answers import ChallengeAnswer, TokenAnswer
from anchor.serializers.sep10 import ChallengeQuery, TokenBody
from anchor.services import logins

bp = Blueprint("sep10", __name__)


@bp.get("/auth")
@costly
@described(query=ChallengeQuery, answer=ChallengeAnswer, errors=(401, 403))
def challenge() -> ResponseReturnValue:
    """Hand out a challenge for the account that wants to log in.

    Where the request has to be signed and is not, that is a 401 (SEP10-16).
    """
    mode = settings().web_auth.request_header
    scheme, _, found = request.headers.get("Authorization", "").partition(" ")
    signed = found.strip() if scheme.lower() == "bearer" and mode != "off" else ""
    if mode == "required" and not signed:
        reason = Unauthorized("a request for a challenge must be signed, in its Authorization")
        return errors.unauthenticated(reason)
    query = ChallengeQuery.one().load(request.args.to_dict())
    envelope = logins.begin(**query, request_token=signed or None)
    return jsonify({"transaction": envelope, "network_passphrase": settings().network_passphrase})


@bp.post("/auth")
@costly
@described(body=TokenBody, answer=TokenAnswer)
def token() -> ResponseReturnValue:
    """Exchange a signed challenge for a session token."""
    body = TokenBody.one().load(forms.body())
    return jsonify({"token": logins.complete(body["transaction"])})

"""SEP-45: web authentication of contract accounts."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import forms
from anchor.blueprints.describing import described
from anchor.blueprints.limits import costly
from anchor.extensions import settings
from anchor.serializers.answers import ContractChallengeAnswer, TokenAnswer
from anchor.serializers.sep45 import ContractChallengeQuery, ContractTokenBody
from anchor.services import contract_logins

bp = Blueprint("sep45", __name__, url_prefix="/sep45")


@bp.get("/auth")
@costly
@described(query=ContractChallengeQuery, answer=ContractChallengeAnswer, errors=(403,))
def challenge() -> ResponseReturnValue:
    """Hand out a challenge for the contract account that wants to log in."""
    query = ContractChallengeQuery.one().load(request.args.to_dict())
    entries = contract_logins.begin(**query)
    return jsonify(
        {
            "authorization_entries": entries,
            "network_passphrase": settings().network_passphrase,
        }
    )


@bp.post("/auth")
@costly
@described(body=ContractTokenBody, answer=TokenAnswer)
def token() -> ResponseReturnValue:
    """Exchange signed authorization entries for a session token."""
    body = ContractTokenBody.one().load(forms.body())
    return jsonify({"token": contract_logins.complete(body["authorization_entries"])})

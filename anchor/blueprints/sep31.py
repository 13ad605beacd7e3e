"""SEP-31: payments that other anchors send to customers of ours."""

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from anchor.assets import is_contracts
from anchor.blueprints import forms, speech
from anchor.blueprints.describing import described
from anchor.blueprints.guards import current_principal, optional_principal, owner_of
from anchor.blueprints.limits import costly
from anchor.errors import Forbidden, Rejected
from anchor.extensions import settings
from anchor.policies import SendingAnchor
from anchor.serializers import sep31 as words
from anchor.serializers import sep31_answers as answers
from anchor.serializers.fields import known_id
from anchor.serializers.transaction_words import InfoQuery
from anchor.services import callbacks, sends
from anchor.services.send_customers import CustomerInfoNeeded
from anchor.services.sends import TransactionInfoNeeded
from anchor.services.transactions import Owner
from anchor.services.views import View
from anchor.web_auth import Principal

bp = Blueprint("sep31", __name__, url_prefix="/sep31")


@bp.get("/info")
@described(query=InfoQuery, answer=answers.SendInfoAnswer, errors=(403,))
def info() -> ResponseReturnValue:
    """Show which assets are received, and what has to be known of whom."""
    optional_principal()
    return jsonify(words.info(settings(), speech.say))


@bp.post("/transactions")
@costly
@described(
    body=words.SendBody,
    answer=answers.OpenedAnswer,
    status=201,
    token=True,
    others={400: answers.NeededAnswer},
)
def send() -> ResponseReturnValue:
    """Open a send, and say where to pay once its customers are accepted."""
    principal = current_principal()
    sender = _partner(principal)
    body = words.SendBody.one().load(forms.body())
    policy = settings().asset(body["asset_code"], body.get("asset_issuer"))
    if policy is None or not policy.send.enabled:
        raise Rejected("this asset is not received here")
    opened = sends.open_send(
        sender,
        owner_of(principal),
        policy,
        words.wanted(body),
        lang=body.get("lang"),
        client_domain=principal.client_domain,
        home_domain=principal.home_domain,
    )
    return jsonify(words.opened(*opened)), 201


@bp.get("/transactions/<transaction_id>")
@described(query=InfoQuery, answer=answers.OneSendAnswer, token=True, errors=(404,))
def transaction(transaction_id: str) -> ResponseReturnValue:
    """Show one send of whoever asks."""
    return jsonify({"transaction": _shown(sends.find(_owner(), known_id(transaction_id)))})


@bp.patch("/transactions/<transaction_id>")
@costly
@described(body=words.PatchBody, answer=answers.OneSendAnswer, token=True, errors=(404,))
def patch(transaction_id: str) -> ResponseReturnValue:
    """Take details of a send again that its rail did not accept."""
    owner, wanted_id = _owner(), known_id(transaction_id)
    body = forms.body()
    sends.find(owner, wanted_id)
    sends.give_info(owner, wanted_id, words.PatchBody.one().load(body)["fields"])
    return jsonify({"transaction": _shown(sends.find(owner, wanted_id))})


@bp.put("/transactions/<transaction_id>/callback")
@costly
@described(body=words.CallbackBody, status=204, token=True, errors=(404,))
def callback(transaction_id: str) -> ResponseReturnValue:
    """Tell each change of a send's status at an address, the one given last."""
    owner, wanted_id = _owner(), known_id(transaction_id)
    body = forms.body()
    sends.find(owner, wanted_id)
    url = words.CallbackBody.one().load(body)["url"]
    callbacks.check_url(url)
    sends.call_back(owner, wanted_id, url)
    return "", 204


def _owner() -> Owner:
    principal = current_principal()
    _partner(principal)
    return owner_of(principal)


def _partner(principal: Principal) -> SendingAnchor:
    """Return the sending anchor that somebody speaks for, or raise `Forbidden` (SEP31-01, 03)."""
    found = None if is_contracts(principal.account_id) else sends.partner(principal.account_id)
    if found is None:
        raise Forbidden("this account is not one of an anchor that may send here")
    return found


@bp.errorhandler(CustomerInfoNeeded)
def _customer_info_needed(error: CustomerInfoNeeded) -> ResponseReturnValue:
    return jsonify({"error": error.sentence, "type": error.type}), 400


@bp.errorhandler(TransactionInfoNeeded)
def _transaction_info_needed(error: TransactionInfoNeeded) -> ResponseReturnValue:
    wanted = words.info_needed(error.fields, speech.say)
    return jsonify({"error": error.sentence, "fields": wanted}), 400


def _shown(view: View) -> dict[str, Any]:
    """Show a send in the language of the request, or of its opening."""
    speech.answer_else_in(view.row.lang)
    return words.one(view, settings(), speech.say)

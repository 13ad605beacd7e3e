"""SEP-38: prices and firm quotes."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import forms, speech
from anchor.blueprints.describing import described
from anchor.blueprints.guards import current_principal, optional_principal, owner_of
from anchor.blueprints.limits import costly
from anchor.extensions import settings
from anchor.serializers import sep38 as words
from anchor.serializers import sep38_answers as answers
from anchor.services import exchanges, quotes

bp = Blueprint("sep38", __name__, url_prefix="/sep38")


@bp.get("/info")
@described(answer=answers.QuoteInfoAnswer, errors=(403,))
def info() -> ResponseReturnValue:
    """Show what is exchanged, and how it is paid outside the ledger."""
    optional_principal()
    return jsonify(words.info(settings()))


@bp.get("/prices")
@described(query=words.PricesQuery, answer=answers.PricesAnswer, errors=(403,))
def prices() -> ResponseReturnValue:
    """Show what can be had for an amount, or be given for it."""
    optional_principal()
    query = words.PricesQuery.one().load(request.args.to_dict())
    return jsonify(words.prices(query, exchanges.offers(words.wish(query))))


@bp.get("/price")
@described(query=words.PriceQuery, answer=answers.PriceAnswer, errors=(403,))
def price() -> ResponseReturnValue:
    """Show what an amount costs at this moment; nothing is promised."""
    optional_principal()
    asked = words.wish(words.PriceQuery.one().load(request.args.to_dict()))
    return jsonify(words.price(asked, exchanges.price(asked), speech.say))


@bp.post("/quote")
@costly
@described(body=words.QuoteBody, answer=answers.QuoteAnswer, status=201, token=True)
def promise() -> ResponseReturnValue:
    """Promise a price to whoever asks, and reserve the amount."""
    owner = owner_of(current_principal())
    body = words.QuoteBody.one().load(forms.body())
    flow, until = words.FLOWS[body["context"]], body.get("expire_after")
    found = quotes.promise(owner, words.wish(body), flow, until)
    return jsonify(words.quote(found, speech.say)), 201


@bp.get("/quote/<quote_id>")
@described(answer=answers.QuoteAnswer, token=True, errors=(404,))
def quote(quote_id: str) -> ResponseReturnValue:
    """Show a quote of whoever asks, also after it ran out."""
    owner = owner_of(current_principal())
    return jsonify(words.quote(quotes.get(owner, quote_id), speech.say))

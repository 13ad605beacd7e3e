"""What the script of a page asks for: how a transaction stands, and what an amount comes to."""

from collections.abc import Sequence

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints import speech, visits
from anchor.blueprints.describing import described
from anchor.blueprints.limits import costly
from anchor.errors import NotFound
from anchor.extensions import house, settings
from anchor.lifecycle import Kind
from anchor.serializers import page_amounts, sep24
from anchor.serializers import page_answers as answers
from anchor.serializers.fields import known_id
from anchor.services import drafts, links, views

bp = Blueprint("page_data", __name__, url_prefix="/interactive")

_WAY = "/<any(deposit, withdraw):way>/<transaction_id>"


@bp.get("/brand.css")
@described(query=answers.BrandQuery, media="text/css")
def brand() -> ResponseReturnValue:
    """Show the colours of the business."""
    return _kept(Response(settings().pages.style, mimetype="text/css"))


@bp.get("/logo")
@described(query=answers.BrandQuery, media="image/*", errors=(404,))
def logo() -> ResponseReturnValue:
    """Show the logo of the business; a picture that brings scripts runs none of them."""
    found = settings().pages.logo
    if found is None:
        raise NotFound("there is no logo")
    response = _kept(Response(found.content, mimetype=found.content_type))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    )
    return response


def _kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


@bp.post("/given")
@costly
@described(body=answers.GivenBody, answer=answers.GivenAnswer, errors=(403, 404))
def given() -> ResponseReturnValue:
    """Take what a customer gave on pages of the business's own; the same again changes nothing."""
    pages = house().interactive
    if pages is None:
        raise NotFound("the pages are the anchor's own")
    headers = {key.lower(): value for key, value in request.headers.items()}
    found = pages.read(headers, request.get_data(cache=False))
    known_id(found.transaction_id)
    drafts.complete(found)
    return jsonify({"status": views.get(found.transaction_id).row.status})


@bp.get(f"{_WAY}/state")
@described(answer=answers.StateAnswer, errors=(403, 404))
def state(way: str, transaction_id: str) -> ResponseReturnValue:
    """Show how a transaction stands, to the page that completes it."""
    return _state(links.FORM, transaction_id, drafts.WAYS[way])


@bp.get("/transaction/<transaction_id>/state")
@described(answer=answers.StateAnswer, errors=(403, 404))
def state_of(transaction_id: str) -> ResponseReturnValue:
    """Show how a transaction stands, to the page that tells of it."""
    return _state(links.LOOK, transaction_id, tuple(Kind))


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
    visits.current(links.FORM, transaction_id)
    if views.get(transaction_id).row.kind not in drafts.WAYS[way]:
        raise NotFound("there is no such transaction")
    query = answers.PriceQuery().load(request.args.to_dict())
    amount = page_amounts.typed(query["amount"])
    sums = drafts.estimate(transaction_id, amount, query.get("rail"), query.get("other") or None)
    return jsonify(page_amounts.said(sums, speech.language()))

"""Pages about what is sent by other anchors: looked at, begun after a review, amended."""

import re
from secrets import token_hex
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints import operators
from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import status_of
from anchor.blueprints.limits import costly
from anchor.errors import AnchorError, Rejected, Unavailable
from anchor.extensions import settings
from anchor.policies import HOUSE
from anchor.serializers import admin
from anchor.serializers import console as words
from anchor.serializers import console_forms as forms
from anchor.serializers.console_forms import ConsoleBody, Filled
from anchor.serializers.fields import known_id
from anchor.services import remittance_orders, remittance_views, remittances

bp = Blueprint("remittances", __name__, url_prefix="/remittances")

_ONE = "/<remittance_id>"
#: What a review is told from others by.
_KEY = re.compile(r"console [0-9a-f]{24}")


@bp.get("")
@described(query=admin.RemittancesQuery, media="text/html", errors=(403, 404), leads_on=True)
def listing() -> ResponseReturnValue:
    """Show what is sent, the newest first."""
    asked = {name: value for name, value in request.args.items() if value}
    try:
        query = admin.RemittancesQuery().load(asked)
    except ValidationError:
        return redirect(url_for(".listing"), 303)
    found = remittance_views.listing(**query)
    return page(
        "console/remittances.html",
        found=found,
        asked=asked,
        next=found[-1].id if len(found) == query["limit"] else None,
        domains=sorted(settings().receiving_anchors),
    )


@bp.get(_ONE)
@described(media="text/html", errors=(403, 404), leads_on=True)
def one(remittance_id: str) -> ResponseReturnValue:
    """Show one remittance: its facts, what it waits for, and what happened to it."""
    story = remittance_views.tell(known_id(remittance_id))
    facts = words.facts(story, settings())
    return page("console/remittance.html", story=story, shown=story.shown, facts=facts)


@bp.get("/new")
@described(media="text/html", errors=(403,), leads_on=True)
def form() -> ResponseReturnValue:
    """Ask what is to be sent."""
    operators.demand_acting(operators.current())
    known = settings()
    return _form(forms.empty(next(iter(known.receiving_anchors), ""), next(iter(known.assets), "")))


@bp.post("/new")
@costly
@described(body=ConsoleBody, media="text/html", errors=(401, 403), leads_on=True)
def review() -> ResponseReturnValue:
    """Show an order once more, if the other anchor would take it; nothing is sent yet."""
    filled = forms.order(request.form)
    if "edit" in request.form:
        return _form(filled)
    if filled.problems:
        return _form(filled), 400
    try:
        policy, wanted = admin.order(filled.body)
        chosen = remittance_orders.check(policy, wanted)
    except (Rejected, Unavailable) as error:
        return _form(filled, error), status_of(error)
    known = _KEY.fullmatch(filled.given["key"])
    key = known[0] if known else f"console {token_hex(12)}"
    return page("console/review.html", filled=filled, wanted=wanted, chosen=chosen, key=key)


@bp.post("")
@costly
@described(body=ConsoleBody, media="text/html", errors=(401, 403), leads_on=True)
def send() -> ResponseReturnValue:
    """Begin what was reviewed; the same review sent again begins nothing anew."""
    filled = forms.order(request.form)
    key = filled.given["key"]
    if filled.problems or not _KEY.fullmatch(key):
        return _form(filled), 400
    try:
        policy, wanted = admin.order(filled.body, key)
        who, note = operators.current().name, filled.body.get("note")
        begun = remittances.send(policy, wanted, who, note)
    except (Rejected, Unavailable) as error:
        return _form(filled, error), status_of(error)
    return _to(begun, done="send")


@bp.get(f"{_ONE}/amend")
@described(media="text/html", errors=(403, 404), leads_on=True)
def amendment(remittance_id: str) -> ResponseReturnValue:
    """Ask what is known of the parties anew."""
    operators.demand_acting(operators.current())
    story = remittance_views.tell(known_id(remittance_id))
    if not story.may_be_amended:
        return _to(remittance_id)
    return _amendment(story, Filled({}, forms.known_rows(story.details)))


@bp.post(f"{_ONE}/amend")
@costly
@described(body=ConsoleBody, media="text/html", errors=(401, 403, 404), leads_on=True)
def amend(remittance_id: str) -> ResponseReturnValue:
    """Replace what is known of the parties; what has no new value keeps its old one."""
    story = remittance_views.tell(known_id(remittance_id))
    filled = forms.amendment(request.form, story.details)
    if filled.problems:
        return _amendment(story, filled), 400
    body: dict[str, Any] = dict(filled.body)
    try:
        remittances.amend(
            remittance_id,
            body["details"],
            operators.current().name,
            body.get("note"),
            kept=body["kept"],
        )
    except Rejected as error:
        return _amendment(story, filled, error), status_of(error)
    return _to(remittance_id, done="amend")


def _to(remittance_id: str, done: str | None = None) -> ResponseReturnValue:
    return redirect(url_for(".one", remittance_id=remittance_id, done=done), 303)


def _form(filled: Filled, trouble: AnchorError | None = None) -> Response:
    known = settings()
    rails = dict.fromkeys(rail for each in known.assets.values() for rail in each.rails)
    return page(
        "console/order.html",
        filled=filled,
        trouble=trouble,
        domains=[(name, name) for name in known.receiving_anchors],
        assets=[(code, code) for code in known.assets],
        sources=[(rail, words.source(rail)) for rail in (*rails, HOUSE)],
        names=forms.NAMES,
    )


def _amendment(
    story: remittance_views.Story, filled: Filled, trouble: AnchorError | None = None
) -> Response:
    return page(
        "console/amend.html",
        shown=story.shown,
        cases=story.cases,
        filled=filled,
        trouble=trouble,
        names=forms.NAMES,
    )

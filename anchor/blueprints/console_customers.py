"""Pages about customers: who waits for a verdict, what is known by name, and verdicts."""

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints import operators, verdicts
from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import status_of
from anchor.blueprints.limits import costly
from anchor.errors import AnchorError, Rejected
from anchor.extensions import settings
from anchor.serializers import admin_customers as admin
from anchor.serializers import console_customers as words
from anchor.serializers.console_forms import ConsoleBody, DoneQuery
from anchor.services import customer_desk
from anchor.services.acts import By
from anchor.services.customer_desk import Dossier

bp = Blueprint("customers", __name__, url_prefix="/customers")

_ONE = "/<customer_id>"
_ACT = f"{_ONE}/<any(accept, reject, request):act>"


@bp.get("")
@described(query=words.TabsQuery, media="text/html", errors=(403,), leads_on=True)
def listing() -> ResponseReturnValue:
    """Show customers, the longest unchanged first: who waits for a verdict, or others."""
    asked = {name: value for name, value in request.args.items() if value}
    try:
        query = words.TabsQuery().load(asked)
    except ValidationError:
        return redirect(url_for(".listing"), 303)
    stand = None if query["status"] == words.ALL else query["status"]
    found = customer_desk.listing(
        stand, query.get("type"), after=query.get("after"), limit=query["limit"]
    )
    return page(
        "console/customers.html",
        found=found,
        asked=query,
        next=admin.next_of(found, query["limit"]),
        types=sorted(settings().customers.types),
        told=words,
    )


@bp.get(_ONE)
@described(query=DoneQuery, media="text/html", errors=(403, 404), leads_on=True)
def one(customer_id: str) -> ResponseReturnValue:
    """Show a customer: what was given, masked, how they stand, and what happened."""
    return page("console/customer.html", found=_found(customer_id), told=words)


@bp.get(_ACT)
@described(query=words.ActQuery, media="text/html", errors=(403, 404), leads_on=True)
def form(customer_id: str, act: str) -> ResponseReturnValue:
    """Ask what a verdict needs, about what was looked at."""
    operators.demand_acting(operators.current())
    found = _found(customer_id)
    asked = {name: value for name, value in request.args.items() if value}
    try:
        words.ActQuery().load(asked)
    except ValidationError:
        return _to(customer_id)
    return _form(found, act, words.unfilled(asked))


@bp.post(_ACT)
@costly
@described(body=ConsoleBody, media="text/html", errors=(401, 403, 404), leads_on=True)
def decide(customer_id: str, act: str) -> ResponseReturnValue:
    """Accept, refuse or ask a customer, unless that is not who was looked at."""
    found = _found(customer_id)
    filled = words.verdict(act, request.form)
    if filled.problems:
        return _form(found, act, filled), 400
    try:
        verdicts.ACTS[act](found.customer_id, filled.body, operators.current().name)
    except Rejected as error:
        return _form(found, act, filled, error), status_of(error)
    return _to(customer_id, done=act)


def _found(customer_id: str) -> Dossier:
    by = By(operators.current().name)
    return customer_desk.show(admin.customer_id_of(customer_id), by)


def _to(customer_id: str, done: str | None = None) -> ResponseReturnValue:
    return redirect(url_for(".one", customer_id=customer_id, done=done), 303)


def _form(
    found: Dossier, act: str, filled: words.Verdict, trouble: AnchorError | None = None
) -> Response:
    return page(
        "console/verdict.html",
        found=found,
        act=act,
        filled=filled,
        trouble=trouble,
        is_older=filled.given.get("version") != str(found.version),
        names=words.NAMES,
        told=words,
    )

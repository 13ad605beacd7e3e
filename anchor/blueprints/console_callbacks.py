"""Pages about what wallets are told: what waits and why, what was delivered, told again."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints import operators
from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import first_sentence, status_of
from anchor.blueprints.limits import costly
from anchor.errors import Rejected
from anchor.serializers import console_forms as forms
from anchor.serializers.console_forms import ConsoleBody, ReplayedQuery
from anchor.services import callback_replays

bp = Blueprint("callbacks", __name__, url_prefix="/callbacks")


_ASKED = ("delivered", "transaction_id", "after", "limit")


@bp.get("")
@described(query=ReplayedQuery, media="text/html", errors=(403,), leads_on=True)
def listing() -> ResponseReturnValue:
    """Show what waits to be delivered and why, or what was delivered."""
    asked = {name: value for name, value in request.args.items() if value}
    try:
        query = ReplayedQuery().load(asked)
    except ValidationError:
        return redirect(url_for(".listing"), 303)
    return _listing(query)


@bp.post("/replay")
@costly
@described(body=ConsoleBody, media="text/html", errors=(401, 403, 404), leads_on=True)
def replay() -> ResponseReturnValue:
    """Have some callbacks told again, or those of a transaction, or all since an instant."""
    try:
        found = callback_replays.again(operators.current().name, **forms.replay(request.form))
    except ValidationError as error:
        return _listing(ReplayedQuery().load({}), first_sentence(error)), 400
    except Rejected as error:
        return _listing(ReplayedQuery().load({}), str(error)), status_of(error)
    return redirect(url_for(".listing", **asdict(found)), 303)


def _listing(query: dict[str, Any], problem: str | None = None) -> Response:
    asked: dict[str, Any] = {name: query.get(name) for name in _ASKED}
    found = callback_replays.listing(**asked)
    return page(
        "console/callbacks.html",
        found=found,
        asked=asked,
        done={name: query[name] for name in ("due", "anew", "gone") if name in query},
        problem=problem,
        given=request.form,
        next=found[-1].id if len(found) == query["limit"] else None,
    )

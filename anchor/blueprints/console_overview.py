"""The first page of the console: what is wrong, what waits, what is paused; pause and resume."""

from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints import operators
from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import first_sentence, status_of
from anchor.blueprints.limits import costly
from anchor.errors import NotFound, Rejected
from anchor.extensions import settings
from anchor.serializers import console_overview as words
from anchor.serializers.admin_standing import ResumeQuery, ScopeQuery
from anchor.serializers.console_forms import ConsoleBody
from anchor.services import brakes, overview, standing

bp = Blueprint("overview", __name__, url_prefix="/overview")


@bp.get("")
@described(query=words.OverviewQuery, media="text/html", errors=(403,), leads_on=True)
def listing() -> ResponseReturnValue:
    """Show how things stand, what is wrong first."""
    try:
        query = words.OverviewQuery().load(request.args.to_dict())
    except ValidationError:
        return _here()
    return _shown(standing.sources() if query["sources"] else None)


@bp.post("/pause")
@costly
@described(body=ConsoleBody, media="text/html", errors=(401, 403), leads_on=True)
def pause() -> ResponseReturnValue:
    """Let no money leave, or some; what is paused already stays so."""
    try:
        wanted = words.pause(request.form)
        scope, subject = wanted["scope"], wanted.get("subject", "")
        brakes.pause(scope, brakes.named(scope, subject), operators.current().name, wanted["note"])
    except ValidationError as error:
        return _shown(problem=first_sentence(error)), 400
    except Rejected as error:
        return _shown(problem=str(error)), status_of(error)
    return _here(done="pause")


@bp.get("/resume")
@described(query=ScopeQuery, media="text/html", errors=(403,), leads_on=True)
def confirm() -> ResponseReturnValue:
    """Show a pause once more, and ask whether it is to be taken back."""
    operators.demand_acting(operators.current())
    said = {name: value for name, value in request.args.items() if value}
    try:
        asked = ScopeQuery().load(said)
    except ValidationError:
        return _here()
    wanted = asked["scope"], asked.get("subject", "")
    found = [each for each in brakes.standing() if (each.scope, each.subject) == wanted]
    return _confirmation(found[0]) if found else _here()


@bp.post("/resume")
@costly
@described(body=ConsoleBody, media="text/html", errors=(401, 403), leads_on=True)
def resume() -> ResponseReturnValue:
    """Take a pause back that was looked at; what is not paused any more stays so."""
    names = ("scope", "subject", "note", "since")
    said = {name: value for name in names if (value := request.form.get(name, "").strip())}
    try:
        wanted: dict[str, Any] = ResumeQuery().load(said)
        scope, subject = wanted["scope"], wanted.get("subject", "")
        brakes.resume(
            scope,
            brakes.named(scope, subject),
            operators.current().name,
            wanted.get("note"),
            since=wanted.get("since"),
        )
    except ValidationError as error:
        return _shown(problem=first_sentence(error)), 400
    except NotFound:
        return _here()
    except Rejected as error:
        return _shown(problem=str(error)), status_of(error)
    return _here(done="resume")


def _here(done: str | None = None) -> ResponseReturnValue:
    return redirect(url_for(".listing", done=done), 303)


def _shown(sources: list[str] | None = None, problem: str | None = None) -> Response:
    return page(
        "console/overview.html",
        found=overview.look(),
        sources=sources,
        has_several_sources=words.has_several_sources(settings()),
        scopes=words.choices(brakes.scopes()),
        given=request.form,
        problem=problem,
        told=words,
    )


def _confirmation(found: brakes.Standing) -> Response:
    return page("console/resume.html", found=found, what=words.what(found.scope, found.subject))

"""The console: pages on which operators look at an anchor that runs, and act on it.

An operator signs in with their token and has a session in a cookie (`operators`). A page is asked
for by somebody who has signed in; a form is from a page of that very session, and from somebody who
may act. This holds for each page below, also for those that come later: it is asked here, once.
"""

import re

from flask import Blueprint, Response, current_app, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from anchor.blueprints import (
    console_acts,
    console_books,
    console_callbacks,
    console_cases,
    console_customers,
    console_money,
    console_overview,
    console_remittances,
    console_transactions,
    operators,
    speech,
)
from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import kept_headers, sentence_of, status_of
from anchor.blueprints.limits import costly
from anchor.errors import AnchorError, Unauthorized
from anchor.serializers.console_forms import ConsoleBody, SignInBody
from anchor.services import operators as services

bp = Blueprint("console", __name__, url_prefix="/console")
bp.register_blueprint(console_overview.bp)
bp.register_blueprint(console_cases.bp)
bp.register_blueprint(console_acts.bp)
bp.register_blueprint(console_transactions.bp)
bp.register_blueprint(console_money.bp)
bp.register_blueprint(console_remittances.bp)
bp.register_blueprint(console_callbacks.bp)
bp.register_blueprint(console_customers.bp)
bp.register_blueprint(console_books.bp)

_SIGN_IN = "console.sign_in"
_PLACE = re.compile(r"/console(/[A-Za-z0-9_-]+)*(\?[A-Za-z0-9_.~%+=&:-]*)?")


@bp.get("")
@described(media="text/html", leads_on=True)
def home() -> ResponseReturnValue:
    """Lead to what is looked at first."""
    return redirect(url_for("console.overview.listing"), 303)


@bp.get("/sign-in")
@described(media="text/html")
def sign_in() -> ResponseReturnValue:
    """Ask for the token of an operator."""
    return page("console/sign_in.html", to=request.args.get("to", ""))


@bp.post("/sign-in")
@costly
@described(body=SignInBody, media="text/html", errors=(401, 403), leads_on=True)
def enter() -> ResponseReturnValue:
    """Exchange the token of an operator for a session of this browser."""
    operators.refuse_other_sites()
    operators.count(is_costly=True)
    to = request.form.get("to", "")
    try:
        session = services.sign_in(request.form.get("token", "").strip())
    except Unauthorized as error:
        return page("console/sign_in.html", to=to, problem=error), 401
    there = to if _PLACE.fullmatch(to) else url_for("console.home")
    return operators.keep(make_response(redirect(there, 303)), session)


@bp.post("/sign-out")
@described(body=ConsoleBody, media="text/html", errors=(401, 403), leads_on=True)
def leave() -> ResponseReturnValue:
    """End the session of this browser."""
    services.sign_out(operators.session())
    return operators.forget(make_response(redirect(url_for(_SIGN_IN), 303)))


@bp.before_request
def guard() -> None:
    """Let in whoever has signed in; a form has to be theirs as well, and they may have to act."""
    speech.answer_in("en")
    operators.begin()
    if request.method == "OPTIONS" or request.endpoint in {_SIGN_IN, "console.enter"}:
        return
    operator = operators.by_session()
    if request.method not in {"GET", "HEAD"}:
        operators.refuse_other_sites()
        operators.check_form()
        if request.endpoint != "console.leave":
            operators.demand_acting(operator)


@bp.after_request
def renew(response: Response) -> Response:
    """Let a session last longer for each page that is shown."""
    if response.status_code == 200 and operators.has_session():
        operators.keep(response, operators.session())
    return response


@bp.errorhandler(Unauthorized)
def ask_to_sign_in(error: Unauthorized) -> ResponseReturnValue:
    """Lead to the page on which one signs in, and back; a form is lost, and that is said."""
    if request.method == "GET" and not operators.has_session():
        return redirect(url_for(_SIGN_IN, to=request.full_path.rstrip("?")), 303)
    if operators.has_session():
        return _refused(str(error), 403)
    return page("console/sign_in.html", to="", problem=error), 401


@bp.errorhandler(AnchorError)
def refuse(error: AnchorError) -> ResponseReturnValue:
    """Say on a page what is wrong, also what is down: operators are told."""
    return _refused(str(error), status_of(error))


@bp.errorhandler(HTTPException)
def refuse_request(error: HTTPException) -> ResponseReturnValue:
    """Say on a page that a request cannot be answered."""
    return kept_headers(error, _refused(sentence_of(error), error.code or 500))


def _refused(reason: str, status: int) -> Response:
    response = current_app.make_response(page("console/refused.html", reason=reason, status=status))
    response.status_code = status
    return response

"""Who of the operators asks: by a bearer token at the admin API, by a session in the console.

Requests are counted by their address before a token is looked at, so that nobody tries many.
"""

from urllib.parse import urlsplit

from flask import Response, current_app, g, request
from marshmallow import Schema

from anchor.blueprints import limits
from anchor.errors import Forbidden, Unauthorized
from anchor.extensions import settings
from anchor.policies.operators import Operator
from anchor.services import logins, operators
from anchor.web_auth import operators as web_auth
from anchor.web_auth.operators import OperatorSession

TOKEN = "form_token"
_COOKIE = "anchor_console"


def by_token() -> Operator:
    """Return whose token the request bears, or raise `Unauthorized`."""
    count()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("the bearer token of an operator is needed")
    return _counted(operators.recognise(token.strip()))


def guard() -> None:
    """Let in whoever bears a token; what is more than looking needs one who may act.

    Asked before each request of the admin API, also for doors that come later.
    """
    if request.method == "OPTIONS":
        return
    begin()
    g.operator = by_token()
    if request.method not in {"GET", "HEAD"}:
        demand_acting(g.operator)


def idempotency_key(header: type[Schema]) -> str | None:
    """Return the key that the request is sent under, as `header` reads it; None without one."""
    name = "Idempotency-Key"
    given = {name: request.headers[name]} if name in request.headers else {}
    found: str | None = header().load(given).get("key")
    return found


def begin() -> None:
    """Know nobody yet."""
    for name in ("operator", "operator_session"):
        g.pop(name, None)


def by_session() -> Operator:
    """Return who has signed in in this browser, or raise `Unauthorized`; see `session`."""
    count()
    g.operator, g.operator_session = operators.of_session(request.cookies.get(cookie_name(), ""))
    return _counted(g.operator)


def has_session() -> bool:
    """Tell whether `by_session` found who asks."""
    return "operator_session" in g


def current() -> Operator:
    """Return who asks; needs `by_session` or `guard` before."""
    found: Operator = g.operator
    return found


def session() -> OperatorSession:
    """Return the session of the request; needs `by_session` before."""
    found: OperatorSession = g.operator_session
    return found


def demand_acting(operator: Operator) -> None:
    """Raise `Forbidden` for an operator who may only look."""
    if not operator.may_act:
        raise Forbidden("your role is to look: nothing is changed for you")


def count(*, is_costly: bool = False) -> None:
    """Count a request that claims to be an operator's by its address; 429 where it is too many."""
    address = limits.address_of(request.remote_addr)
    _limits().count("account", f"operators from {address}", is_costly=is_costly)


def _counted(operator: Operator) -> Operator:
    view = current_app.view_functions.get(request.endpoint or "")
    name = f"operator {operator.name}"
    _limits().count("account", name, is_costly=limits.is_costly(view))
    return operator


def _limits() -> limits.Limits:
    found: limits.Limits = current_app.extensions["anchor.limits"]
    return found


# -- the cookie of a session ------------------------------------------------------------------


def cookie_name() -> str:
    """Return the name of the cookie: where it is secure no other host can have set it."""
    return f"__Host-{_COOKIE}" if _is_secure() else _COOKIE


def keep(response: Response, found: OperatorSession) -> Response:
    """Have the browser keep a session, for a while from now on."""
    text = web_auth.issue_session(logins.policy(), found)
    _set(response, text, web_auth.IDLE_S)
    return response


def forget(response: Response) -> Response:
    """Have the browser forget its session."""
    _set(response, "", 0)
    return response


def _set(response: Response, text: str, age_s: int) -> None:
    response.set_cookie(
        cookie_name(),
        text,
        max_age=age_s,
        path="/",
        httponly=True,
        secure=_is_secure(),
        samesite="Strict",
    )


def _is_secure() -> bool:
    return urlsplit(settings().public_url).scheme == "https"


# -- forms ------------------------------------------------------------------------------------


def form_token() -> str:
    """Return what the forms of the present session carry."""
    return web_auth.form_token(logins.policy(), session())


def check_form() -> None:
    """Raise `Unauthorized` unless the request is a form of the present session."""
    web_auth.check_form_token(logins.policy(), session(), request.form.get(TOKEN, ""))


def refuse_other_sites() -> None:
    """Raise `Forbidden` where another site's page sends a form here, signed in or not.

    Browsers say that themselves (``Sec-Fetch-Site``); whoever is none says nothing.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden("this form is another site's")

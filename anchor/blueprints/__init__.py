"""The HTTP doors: which of them are open, and the headers that are common to all."""

from contextlib import AbstractContextManager, nullcontext

from flask import Flask, Response, g, request
from flask_cors import CORS
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader

from anchor import request_ids, tracing, working
from anchor.blueprints import (
    admin,
    console,
    describing,
    errors,
    forms,
    health,
    interactive,
    limits,
    metrics,
    openapi,
    page_data,
    rails,
    sep01,
    sep02,
    sep06,
    sep10,
    sep12,
    sep24,
    sep31,
    sep38,
    sep45,
    speech,
)
from anchor.config import Settings

_SEPS = {
    1: sep01.bp,
    2: sep02.bp,
    6: sep06.bp,
    10: sep10.bp,
    12: sep12.bp,
    24: sep24.bp,
    31: sep31.bp,
    38: sep38.bp,
    45: sep45.bp,
}
_CORS_HEADERS = ["Authorization", "Content-Type", "X-Client-Name", "X-Client-Version"]
#: What no wallet in a browser asks for from a page of its own (GEN-06).
_NO_CORS = (
    *("interactive", "rails", "static", "health", "ready", "docs"),
    *("admin", "console", "metrics"),
)
_ID = "X-Request-ID"
#: What machines ask all the time; no traces tell of that.
_UNTOLD = frozenset({"health.live", "health.ready", "metrics.metrics", "static"})


def register(app: Flask, settings: Settings) -> None:
    """Open the doors of the SEPs that are on, and map errors to answers, once."""
    app.request_class = forms.Guarded
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # else a redirect drops a body
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(_begin)
    app.teardown_request(_end)
    app.after_request(_headers)  # the last of all that work on an answer
    limits.register(app, settings)
    app.register_blueprint(health.bp)
    app.register_blueprint(rails.bp)
    for sep, blueprint in _SEPS.items():
        if sep in settings.seps:
            app.register_blueprint(blueprint)
    if settings.pages.templates:
        own = app.jinja_loader
        assert own is not None
        app.jinja_loader = ChoiceLoader(
            [FileSystemLoader(settings.pages.templates), PrefixLoader({"anchor": own}), own]
        )
    if 24 in settings.seps:
        app.register_blueprint(interactive.bp)
        app.register_blueprint(page_data.bp)
    if settings.operators:
        app.register_blueprint(admin.bp)
        app.register_blueprint(console.bp)
        app.register_blueprint(metrics.bp)
    app.register_blueprint(openapi.bp)
    CORS(
        app,
        resources={rf"/(?!({'|'.join(_NO_CORS)})(/|$))": {"origins": "*"}},
        allow_headers=_CORS_HEADERS,
        expose_headers=[_ID, "Retry-After"],
        send_wildcard=True,
        max_age=86400,
    )
    errors.register(app)
    _answer_few_heads(app)


def _answer_few_heads(app: Flask) -> None:
    """Refuse a HEAD where a GET signs, asks others or writes, and where it is about somebody.

    Flask does the whole GET for a HEAD: one that only looks whether a door is there would open a
    transaction of SEP-6, or have a customer judged.
    """
    for rule, view in openapi.public_rules(app):
        said = describing.description_of(view)
        if rule.methods and (limits.is_costly(view) or (said is not None and said.needs_token)):
            rule.methods.discard("HEAD")


def _begin() -> None:
    g.request_id = request_ids.begin(request.headers.get(_ID))
    working.begin((request.view_args or {}).get("transaction_id"))
    g.span = _span()
    g.span.__enter__()
    speech.begin()


def _span() -> AbstractContextManager[None]:
    """Return what measures this request, by its route: its address may be anything."""
    rule = request.url_rule
    if request.endpoint in _UNTOLD:
        return nullcontext()
    route = rule.rule if rule is not None else None
    return tracing.span(
        f"{request.method} {route or ''}".strip(),
        tracing.REQUEST,
        http__request__method=request.method,
        http__route=route,
        anchor__request_id=g.request_id,
        anchor__transaction_id=working.current().get("transaction_id"),
    )


def _end(_error: BaseException | None) -> None:
    span = g.pop("span", None)
    if span is not None:
        span.__exit__(None, None, None)
    request_ids.end()
    working.end()


def _headers(response: Response) -> Response:
    tracing.add(
        http__response__status_code=response.status_code, is_error=response.status_code >= 500
    )
    headers = response.headers
    headers[_ID] = g.get("request_id", request_ids.NONE)
    if "Access-Control-Allow-Methods" in headers and response.allow:
        headers["Access-Control-Allow-Methods"] = ", ".join(sorted(response.allow))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Cache-Control", "no-store")
    if not request.path.startswith("/interactive"):
        headers.setdefault("X-Frame-Options", "DENY")
    return response

"""The OpenAPI document, made from what the open doors say of themselves, and a page to read it."""

import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, current_app, jsonify, make_response, render_template
from flask.typing import ResponseReturnValue
from werkzeug.routing import Rule

from anchor.blueprints import reading
from anchor.blueprints.describing import Description, described, description_of
from anchor.extensions import settings
from anchor.serializers.answers import AnyAnswer, ErrorAnswer

if TYPE_CHECKING:
    from apispec import APISpec

bp = Blueprint("openapi", __name__)

_DOCUMENT = "anchor.openapi"
_VARIABLE = re.compile(r"<(?:(\w+)(?:\(([^)]*)\))?:)?(\w+)>")
#: Numbers of statements are for those who work on the anchor.
_STATEMENTS = re.compile(r"\s*\([A-Z]+[0-9]*-[^)]*\)")
_TITLES = {
    "sep01": "SEP-1: stellar.toml",
    "sep06": "SEP-6: deposits and withdrawals",
    "sep10": "SEP-10: web authentication",
    "sep12": "SEP-12: customers",
    "sep24": "SEP-24: hosted deposits and withdrawals",
    "sep31": "SEP-31: payments from other anchors",
    "sep38": "SEP-38: quotes",
    "sep45": "SEP-45: web authentication of contracts",
    "interactive": "Pages for customers",
    "page_data": "Data of pages for customers",
    "rails": "Webhooks of rails",
    "admin": "Admin API: operators",
    "console": "Console: pages for operators",
    "metrics": "Metrics for Prometheus",
    "health": "Health",
    "openapi": "This description",
}
_SAID = {
    400: "The request is not as it must be.",
    401: "No token, or one that is not valid.",
    403: "No token, one that is not valid, or one that may not do this.",
    404: "There is no such thing, or it is somebody else's.",
    413: "The body is too large.",
    415: "The body is neither JSON nor a form.",
    429: "Too many requests: come again after `Retry-After` seconds.",
    500: "Something is wrong here.",
    503: "Something that is needed does not answer: try again later.",
}


@bp.get("/openapi.json")
@described(answer=AnyAnswer)
def document() -> ResponseReturnValue:
    """Describe all open doors by OpenAPI 3.1."""
    response = jsonify(document_of(current_app))
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


@bp.get("/docs")
@described(media="text/html")
def page() -> ResponseReturnValue:
    """Show the same to people."""
    found = document_of(current_app)
    body = render_template("docs.html", document=found, doors=reading.doors(found))
    response = make_response(body)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'"
    )
    return response


def document_of(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of an application, made once."""
    found: dict[str, Any] | None = app.extensions.get(_DOCUMENT)
    if found is None:
        found = app.extensions[_DOCUMENT] = _make(app)
    return found


def public_rules(app: Flask) -> Iterator[tuple[Rule, Callable[..., Any]]]:
    """Yield each route with its view, but for files."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            yield rule, app.view_functions[rule.endpoint]


def path_of(rule: Rule) -> str:
    """Return a route as OpenAPI writes it, with names in braces."""
    return _VARIABLE.sub(r"{\3}", rule.rule)


def _make(app: Flask) -> dict[str, Any]:
    from apispec import APISpec
    from apispec.ext.marshmallow import MarshmallowPlugin

    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(
        title="Anchor",
        version=version("stellar-anchor"),
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"summary": "An anchor on the Stellar network, by the SEPs."},
        servers=[{"url": settings().public_url}],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_own_schema)
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    spec.components.security_scheme("session", bearer)
    if settings().operators:
        spec.components.security_scheme("operator", {"type": "http", "scheme": "bearer"})
    tags: dict[str, None] = {}
    for rule, view in public_rules(app):
        found = description_of(view)
        if found is not None:
            door = rule.endpoint.partition(".")[0]
            tags[_TITLES.get(door, door)] = None
            _add(spec, rule, view, found, _TITLES.get(door, door))
    for title in tags:
        spec.tag({"name": title})
    return spec.to_dict()


def _name(schema: Any) -> str:
    """Name a schema by its door, for two doors may both have a `PriceQuery`."""
    kind = schema if isinstance(schema, type) else type(schema)
    door = kind.__module__.rpartition(".")[2]
    prefix = door.partition("_")[0].capitalize() if door.startswith("sep") else ""
    return prefix + kind.__name__.lstrip("_")


def _own_schema(_converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    return dict(getattr(field, "openapi", {}))


def _add(
    spec: "APISpec", rule: Rule, view: Callable[..., Any], found: Description, tag: str
) -> None:
    doc = " ".join((view.__doc__ or "").strip().partition("\n\n")[0].split())
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": _STATEMENTS.sub("", doc).rstrip("."),
        "tags": [tag],
        "parameters": list(_parameters(rule, found)),
        "responses": _responses(found),
    }
    if found.body is not None:
        media = {"schema": found.body}
        kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(kinds, media)}
    if found.needs_token:
        operation["security"] = [{"operator" if found.operator else "session": []}]
    path = path_of(rule)
    for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
        spec.path(path=path, operations={method.lower(): operation})


def _parameters(rule: Rule, found: Description) -> Iterator[dict[str, Any]]:
    for _kind, values, name in _VARIABLE.findall(rule.rule):
        schema: dict[str, Any] = {"type": "string"}
        if values:
            schema["enum"] = [value.strip() for value in values.split(",")]
        yield {"in": "path", "name": name, "required": True, "schema": schema}
    if found.query is not None:
        yield {"in": "query", "schema": found.query}
    if found.headers is not None:
        yield {"in": "header", "schema": found.headers}


def _responses(found: Description) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "As asked."}
    if found.answer is not None or found.media != "application/json":
        answer["content"] = {found.media: {"schema": found.answer or {"type": "string"}}}
    refused = "text/html" if found.media == "text/html" else "application/json"
    said: dict[str, Any] = {"application/json": {"schema": ErrorAnswer}}
    if refused == "text/html":
        said["text/html"] = {"schema": {"type": "string"}}
    errors = {
        str(status): {"description": _SAID[status], "content": said} for status in found.statuses
    }
    if found.leads_on:
        page = {"text/html": {"schema": {"type": "string"}}}
        errors["303"] = {"description": "Go on where `Location` says.", "content": page}
    for status, schema in found.others.items():
        said = {"application/json": {"schema": schema}}
        errors[str(status)] = {"description": _SAID.get(status, "As asked."), "content": said}
    return {str(found.status): answer} | errors

"""The HTTP doors: which are open, how errors become answers, and headers common to all."""

import logging
from uuid import uuid4

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from flask_cors import CORS
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from anchor.blueprints import health, sep01, sep10, sep24
from anchor.config import Settings
from anchor.errors import AnchorError, Misconfigured, NotFound, Rejected, Unauthorized, Unavailable

log = logging.getLogger(__name__)

_STATUS = (
    (NotFound, 404),
    (Unauthorized, 403),
    (Rejected, 400),
    (Unavailable, 503),
    (Misconfigured, 500),
)
_SEPS = {1: sep01.bp, 10: sep10.bp, 24: sep24.bp}
_CORS_HEADERS = ["Authorization", "Content-Type", "X-Client-Name", "X-Client-Version"]


def register(app: Flask, settings: Settings) -> None:
    """Open the doors of the SEPs that are on, and map errors to answers, once."""
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(health.bp)
    for sep, blueprint in _SEPS.items():
        if sep in settings.seps:
            app.register_blueprint(blueprint)
    if 24 in settings.seps:
        app.register_blueprint(sep24.pages)
    CORS(
        app,
        resources={r"/(?!interactive)": {"origins": "*"}},
        allow_headers=_CORS_HEADERS,
        send_wildcard=True,
        max_age=86400,
    )
    app.register_error_handler(AnchorError, _anchor_error)
    app.register_error_handler(ValidationError, _validation_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _surprise)
    app.after_request(_headers)


def _anchor_error(error: AnchorError) -> ResponseReturnValue:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    body = {"error": str(error)}
    if isinstance(error, Unauthorized):
        body["type"] = "authentication_required"
    if status == 500:
        log.error("misconfigured: %s", error)
        body = {"error": "the anchor is not configured for this"}
    return jsonify(body), status


def _validation_error(error: ValidationError) -> ResponseReturnValue:
    return jsonify({"error": first_sentence(error)}), 400


def first_sentence(error: ValidationError) -> str:
    """Return what is wrong with the first field that was refused, as one sentence."""
    messages = error.normalized_messages()
    name, found = next(iter(messages.items()))
    while not isinstance(found, str):
        found = next(iter(found.values())) if isinstance(found, dict) else found[0]
    text = found.rstrip(".")
    return text if name == "_schema" else f"{name}: {text[:1].lower()}{text[1:]}"


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error
    response = jsonify({"error": error.description or error.name})
    response.status_code = error.code
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _surprise(error: Exception) -> ResponseReturnValue:
    incident = uuid4().hex[:12]
    log.error("incident %s at %s", incident, request.path, exc_info=error)
    return jsonify({"error": f"something went wrong here; it is noted as {incident}"}), 500


def _headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Cache-Control", "no-store")
    if not request.path.startswith("/interactive"):
        response.headers.setdefault("X-Frame-Options", "DENY")
    return response

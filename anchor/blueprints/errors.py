"""How errors become answers: the tree of errors, mapped to HTTP once."""

import logging
from uuid import uuid4

from flask import Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from anchor.errors import (
    AnchorError,
    Forbidden,
    Misconfigured,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
)

log = logging.getLogger(__name__)

_STATUS = (
    (NotFound, 404),
    (Unauthorized, 403),
    (Forbidden, 403),
    (Rejected, 400),
    (Unavailable, 503),
    (Misconfigured, 500),
)


def register(app: Flask) -> None:
    """Answer every error in JSON, with one sentence."""
    app.register_error_handler(AnchorError, _anchor_error)
    app.register_error_handler(ValidationError, _validation_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _surprise)


def status_of(error: AnchorError) -> int:
    """Return the HTTP status that an error is answered with."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _anchor_error(error: AnchorError) -> ResponseReturnValue:
    status = status_of(error)
    body = {"error": str(error)}
    if isinstance(error, Unauthorized):
        body["type"] = "authentication_required"
    if status == 500:
        log.error("misconfigured: %s", error)
        body = {"error": "the anchor is not configured for this"}
    return jsonify(body), status


def unauthenticated(error: Unauthorized) -> ResponseReturnValue:
    """Answer 401, as the endpoints do whose SEP says so (GEN-09)."""
    response = current_app.make_response(_anchor_error(error))
    response.status_code = 401
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


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

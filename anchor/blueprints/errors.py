"""How errors become answers: the tree of errors, mapped to HTTP once, in the asker's language."""

import logging

from flask import Flask, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from anchor import languages, request_ids
from anchor.blueprints.speech import said, say
from anchor.errors import (
    AnchorError,
    Forbidden,
    Misconfigured,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
)
from anchor.languages import mark as _
from anchor.serializers.messages import Message

log = logging.getLogger(__name__)

_STATUS = (
    (NotFound, 404),
    (Unauthorized, 403),
    (Forbidden, 403),
    (Rejected, 400),
    (Unavailable, 503),
    (Misconfigured, 500),
)
_SENTENCES = {
    400: _("the request cannot be read"),
    404: _("there is nothing at this address"),
    405: _("this method is not offered here"),
    413: _("the request is too large"),
    415: _("this type of body is not read here; send JSON or a form"),
    429: _("too many requests; please wait a moment and try again"),
}
_NOT_NOW = _("this cannot be done at the moment; please try again later")
_UNFIT = _("the anchor is not configured for this")
_SURPRISE = _("something went wrong here; it is noted as {incident}")


def register(app: Flask) -> None:
    """Answer every error in JSON, with one sentence."""
    app.register_error_handler(AnchorError, _anchor_error)
    app.register_error_handler(ValidationError, _validation_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _surprise)


def status_of(error: AnchorError) -> int:
    """Return the HTTP status that an error is answered with."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def words_of(error: AnchorError) -> str:
    """Return what the asker is told: of what is down inside, only that it will be up again."""
    if isinstance(error, Misconfigured):
        log.error("misconfigured: %s", error)
        return say(_UNFIT)
    if isinstance(error, Unavailable) and not languages.is_known(error.sentence):
        log.warning("unavailable: %s", error)
        return say(_NOT_NOW)
    return said(error)


def _anchor_error(error: AnchorError) -> ResponseReturnValue:
    body = {"error": words_of(error)}
    if isinstance(error, Unauthorized):
        body["type"] = "authentication_required"
    return jsonify(body), status_of(error)


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
    text = say(found.sentence, **found.values) if isinstance(found, Message) else say(found)
    text = text.rstrip(".")
    return text if name == "_schema" else f"{name}: {text[:1].lower()}{text[1:]}"


def sentence_of(error: HTTPException) -> str:
    """Return what is said of an error of HTTP."""
    return say(_SENTENCES.get(error.code or 0) or error.description or error.name)


def kept_headers(error: HTTPException, response: Response) -> Response:
    """Give the answer to an error of HTTP its status, and the headers that belong to that."""
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error
    return kept_headers(error, jsonify({"error": sentence_of(error)}))


def _surprise(error: Exception) -> ResponseReturnValue:
    incident = request_ids.current()
    log.error("incident %s at %s", incident, request.url_rule, exc_info=error)
    body = {"error": say(_SURPRISE, incident=incident), "request_id": incident}
    return jsonify(body), 500

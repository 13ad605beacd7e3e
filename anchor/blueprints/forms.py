"""Reading a request's body: form, multipart or JSON, always as one flat object."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Request, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from anchor.blueprints import multipart, speech
from anchor.customers.file_types import MAX_BYTES
from anchor.errors import Rejected

_URLENCODED = "application/x-www-form-urlencoded"
_FORMS = frozenset({_URLENCODED, multipart.TYPE})
#: As many as Werkzeug takes parts of a multipart body.
_MAX_FIELDS = 1_000
#: A body that says nothing of itself is read as JSON.
_JSON = frozenset({"application/json", ""})
#: A form with all the files that a customer has at once.
_CUSTOMER_BODY_BYTES = 3 * MAX_BYTES
#: No amount and no id has a hundred digits. A few letters of exponent stand for gigabytes of
#: digits, once somebody writes the number out.
_MAX_MAGNITUDE = 100


class Guarded(Request):
    """A request whose forms cost little to read, and whose files are on no disk.

    Werkzeug counts the parts of a multipart body alone, and a megabyte of ``a&a&a…`` takes
    seconds to take apart.
    """

    form_data_parser_class = multipart.Forms

    def _load_form_data(self) -> None:
        if self.mimetype == _URLENCODED and self.get_data().count(b"&") >= _MAX_FIELDS:
            raise RequestEntityTooLarge
        super()._load_form_data()


def body() -> dict[str, Any]:
    """Return the fields of the request's body.

    Numbers in JSON are kept as exact `Decimal`; NaN and Infinity, exponents beyond 100, and
    anything at the top but an object, are `Rejected` (GEN-11, GEN-13, GEN-32). Other types of
    body are answered with 415. The answer is in the language that a field `lang` asks for.
    """
    found = _read()
    if "lang" in found:
        speech.answer_in(found["lang"])
    return found


def body_and_files() -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the fields of the body, and the files of a form that may bring what a customer has.

    Raises as `body` and `files` do.
    """
    if request.mimetype == multipart.TYPE:
        request.max_content_length = _CUSTOMER_BODY_BYTES
    return body(), files()


def files() -> dict[str, bytes]:
    """Return the files of a form, in whatever order they come; 413 for one that is too large."""
    found = {}
    for name, part in request.files.items():
        content = part.stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RequestEntityTooLarge("a file is larger than 10 MB")
        if content or part.filename:
            found[name] = content
    return found


def _read() -> dict[str, Any]:
    if request.mimetype in _FORMS:
        return request.form.to_dict()
    raw = request.get_data()
    if not raw:
        return {}
    if request.mimetype not in _JSON and not request.is_json:
        raise UnsupportedMediaType
    try:
        found = json.loads(
            raw, parse_float=_number, parse_int=Decimal, parse_constant=_no_such_number
        )
    except (ValueError, RecursionError) as error:
        raise Rejected("the body is neither a form nor JSON") from error
    if not isinstance(found, dict):
        raise Rejected("the body must be a JSON object")
    return found


def _number(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:  # an exponent that no Decimal can hold
        found = Decimal("Infinity")
    if not found.is_finite() or abs(found.adjusted()) > _MAX_MAGNITUDE:
        raise Rejected("a number in the body is too large or too small")
    return found


def _no_such_number(name: str) -> None:
    raise ValueError(name)

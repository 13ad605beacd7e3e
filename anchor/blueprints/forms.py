"""Reading a request's body: form, multipart or JSON, always as one flat object."""

import json
from decimal import Decimal
from typing import Any

from flask import request

from anchor.errors import Rejected


def body() -> dict[str, Any]:
    """Return the fields of the request's body.

    Numbers in JSON are kept as exact `Decimal`; NaN and Infinity, and anything at the top
    but an object, are `Rejected` (GEN-11, GEN-13, GEN-32).
    """
    if request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return request.form.to_dict()
    raw = request.get_data()
    if not raw:
        return {}
    try:
        found = json.loads(
            raw, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_such_number
        )
    except (ValueError, RecursionError) as error:
        raise Rejected("the body is neither a form nor JSON") from error
    if not isinstance(found, dict):
        raise Rejected("the body must be a JSON object")
    return found


def _no_such_number(name: str) -> None:
    raise ValueError(name)

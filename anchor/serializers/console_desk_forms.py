"""What operators fill in to do an act, read into what the admin API takes."""

import re
from collections.abc import Mapping
from secrets import token_hex
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from anchor.errors import Rejected
from anchor.serializers import admin_desk
from anchor.serializers.admin import RowId
from anchor.serializers.console_forms import Filled, Form, told
from anchor.serializers.fields import text
from anchor.serializers.messages import Message

#: What a form is told from others by.
_KEY = re.compile(r"console [0-9a-f]{24}")
_SURE = "say so only where you are certain; then tick this"
_MAX_VERSION = 2**31 - 1
#: What is said of a field that was left empty and may not be.
_MISSING = {
    "note": "say how it was answered",
    "to": "name the transaction",
    "paid": "say which",
    "paid_by": "name the transaction that paid it",
}


class ActQuery(Schema):
    """What an act is about: a case, a transaction, or the key of what goes out."""

    case = RowId()
    transaction = text(100)
    outflow = text(100)


class _Settle(admin_desk.SettleBody):
    sure = fields.Boolean(load_default=False)


class _Retry(admin_desk.NoteBody):
    kind = text(100, required=True)
    subject = text(300, required=True)


class _Refund(admin_desk.RefundTerms):
    cause = text(300)


class _Seen(admin_desk.NoteBody):
    seen = fields.Integer(validate=validate.Range(1, _MAX_VERSION))


class _Credit(admin_desk.NoteBody):
    to = fields.String(
        required=True,
        validate=validate.Regexp(r"^[0-9A-Za-z_-]{1,100}$", error="must be a transaction's id"),
    )


_SCHEMAS: Mapping[str, type[Schema]] = MappingProxyType(
    {
        "credit": _Credit,
        "refund": _Refund,
        "release": _Seen,
        "pay-again": _Seen,
        "settle": _Settle,
        "settle-order": _Settle,
        "retry": _Retry,
        "close": admin_desk.CloseBody,
    }
)

#: Acts that pay out what is left: a form of theirs names the version that its page showed.
OF_WHAT_WAS_SEEN = frozenset(act for act, schema in _SCHEMAS.items() if schema is _Seen)


def read(act: str, form: Form) -> Filled:
    """Read a form of an act; what is wrong is told by field.

    Raises `Rejected` where it names no work that could be done again.
    """
    schema = _SCHEMAS.get(act, admin_desk.NoteBody)()
    given = {name: form.get(name, "").strip() for name in schema.fields}
    if not given.get("kind", "x") or not given.get("subject", "x"):
        raise Rejected("there is no such work any more: it was done")
    try:
        body: dict[str, Any] = schema.load({name: value for name, value in given.items() if value})
        _demand_certain(act, body)
    except ValidationError as error:
        missing = {name: _MISSING[name] for name in _MISSING if not given.get(name, "x")}
        found = told(error)
        return Filled(given, {}, {}, found | {n: said for n, said in missing.items() if n in found})
    return Filled(given, {}, body)


def _demand_certain(act: str, body: Mapping[str, Any]) -> None:
    if act not in {"settle", "settle-order"}:
        return
    if not body["sure"]:
        raise ValidationError({"sure": [Message(_SURE)]})
    if act == "settle-order" and body["paid"] and "paid_by" not in body:
        raise ValidationError({"paid_by": [Message(_MISSING["paid_by"])]})


def new_key() -> str:
    """Return what a form is told from others by."""
    return f"console {token_hex(12)}"


def key_of(form: Form) -> str | None:
    """Return the key of a form; None for what none of ours has."""
    found = form.get("key", "")
    return found if _KEY.fullmatch(found) else None

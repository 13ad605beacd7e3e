"""The words of the admin API about customers: how they stand, and verdicts; never a value."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from anchor.customers.standing import Stand, State
from anchor.errors import NotFound
from anchor.serializers.admin import MAX_NOTE
from anchor.serializers.answers import Text
from anchor.serializers.answers import instant_text as instant_answer
from anchor.serializers.fields import instant_text, known_id, plain, text
from anchor.serializers.messages import invalid
from anchor.services import customer_desk
from anchor.services.customer_desk import Dossier, Line, Place

STANDS = [each.value for each in Stand]
#: What a customer is told.
MAX_MESSAGE = 500
_MAX_FIELDS = 50
_MAX_VERSION = 2**31 - 1
_MAX_PLACE = 300
_NO_PLACE = "must be the next of another page"
_PAGE = 50


class PlaceField(fields.Field[Place]):
    """A place in the list of customers, as a page before told it (`next`)."""

    openapi: ClassVar = {"type": "string"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Place:
        if not isinstance(value, str):
            raise invalid(_NO_PLACE)
        return place(plain(value))


class CustomersQuery(Schema):
    """Which customers are shown; `after` is the `next` of the page before."""

    status = fields.String(validate=validate.OneOf(STANDS))
    type = text(100)
    after = PlaceField()
    limit = fields.Integer(load_default=_PAGE, validate=validate.Range(1, customer_desk.MAX_PAGE))


class VerdictBody(Schema):
    """For which type, needed where there are several; `version` is what was looked at."""

    version = fields.Integer(required=True, validate=validate.Range(1, _MAX_VERSION))
    type = text(100)
    note = text(MAX_NOTE)


class RejectBody(VerdictBody):
    """A refusal for good: `message` is what the customer is told."""

    message = text(MAX_MESSAGE, required=True)


class RequestBody(VerdictBody):
    """Fields that are asked for, and what the customer is told about them."""

    fields_ = fields.List(
        text(100), data_key="fields", required=True, validate=validate.Length(1, _MAX_FIELDS)
    )
    message = text(MAX_MESSAGE)


def place(written: str) -> Place:
    """Read what `next_of` wrote; raises `ValidationError`."""
    parts = written.split("|", 2) if len(written) <= _MAX_PLACE else []
    try:
        instant, customer_id, type_ = parts
        changed_at = datetime.fromisoformat(instant)
    except ValueError as error:
        raise invalid(_NO_PLACE) from error
    if changed_at.tzinfo is None:
        raise invalid(_NO_PLACE)
    return Place(changed_at, customer_id, type_)


def customer_id_of(written: str) -> str:
    """Return an id out of a path that may be one of a customer; else `NotFound`."""
    try:
        return known_id(written)
    except NotFound:
        raise NotFound("there is no such customer") from None


def next_of(found: Sequence[Line], limit: int) -> str | None:
    """Return after which place the next page begins, None where this is the last one."""
    if len(found) < limit:
        return None
    last = found[-1].place
    return f"{last.changed_at.isoformat()}|{last.customer_id}|{last.type}"


def page(found: Sequence[Line], limit: int) -> dict[str, Any]:
    """Show a page of customers, the longest unchanged first."""
    return {"customers": [_line(each) for each in found], "next": next_of(found, limit)}


def _line(found: Line) -> dict[str, Any]:
    return {
        "id": found.customer_id,
        "account": found.account,
        "memo": found.memo,
        "type": found.type,
        "status": found.stand,
        "changed_at": instant_text(found.changed_at),
    }


def dossier(found: Dossier) -> dict[str, Any]:
    """Show a customer: names of what was given, never what."""
    return {
        "id": found.customer_id,
        "version": found.version,
        "account": found.account,
        "memo_type": found.memo_type,
        "memo": found.memo,
        "created_at": instant_text(found.created_at),
        "erased_at": instant_text(found.erased_at),
        "fields": [
            {
                "name": name,
                "state": state,
                "error": error,
                "file": vars(found.files[name]) if name in found.files else None,
            }
            for name, (state, _, error) in found.fields.items()
        ],
        "standings": [
            {"type": type_, "status": stand, "message": message}
            for type_, (stand, message) in found.standings.items()
        ],
        "history": [
            {"at": instant_text(at), "what": what, "who": who, "about": about, "note": note}
            for at, what, who, about, note in found.history
        ],
    }


# -- what answers look like, for the OpenAPI document -------------------------------------------


class CustomerLineAnswer(Schema):
    """A customer for one type; the memo is empty where the account has one customer alone."""

    id = fields.String(required=True)
    account = Text(nullable=True, required=True)
    memo = fields.String(required=True)
    type = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STANDS))
    changed_at = instant_answer(required=True)


class CustomersAnswer(Schema):
    """Customers, the longest unchanged first; `next` is what the next page is asked `after`."""

    customers = fields.List(fields.Nested(CustomerLineAnswer), required=True)
    next_ = Text(nullable=True, required=True, name="next")


class FileAnswer(Schema):
    """What is known of a file without opening it; `size` in bytes."""

    content_type = fields.String(required=True)
    size = fields.Integer(required=True)


class HeldFieldAnswer(Schema):
    """A field that was given or asked for, and what the customer is told about it."""

    name = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([*State]))
    error = Text(nullable=True, required=True)
    file = fields.Nested(FileAnswer, required=True, allow_none=True)


class StandingAnswer(Schema):
    """How a customer stands for a type, and what they are told."""

    type = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STANDS))
    message = Text(nullable=True, required=True)


class CustomerEventAnswer(Schema):
    """What happened to a customer: `what` was done by `who`, about which fields or type."""

    at = instant_answer(required=True)
    what = fields.String(required=True)
    who = fields.String(required=True)
    about = Text(nullable=True, required=True)
    note = Text(nullable=True, required=True)


class DossierAnswer(Schema):
    """A customer without any value; `version` counts what was given."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)
    account = Text(nullable=True, required=True)
    memo_type = fields.String(required=True)
    memo = fields.String(required=True)
    created_at = instant_answer(required=True)
    erased_at = instant_answer(nullable=True, required=True)
    fields_ = fields.List(fields.Nested(HeldFieldAnswer), required=True, data_key="fields")
    standings = fields.List(fields.Nested(StandingAnswer), required=True)
    history = fields.List(fields.Nested(CustomerEventAnswer), required=True)

"""What operators fill in in the console, read into what the admin API takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate
from werkzeug.datastructures import MultiDict

from anchor.customers.fields import FIELDS
from anchor.languages import mark as _
from anchor.policies import HOUSE
from anchor.serializers.admin import AmendBody, CallbacksQuery, ReplayBody, SendOrderBody
from anchor.serializers.fields import text
from anchor.services.remittance_orders import PARTS

#: Fields of an order that have one value, as the admin API calls them.
PLAIN = (
    *("domain", "asset_code", "amount", "funding_method", "sender_type", "receiver_type"),
    *("buy_asset", "least_out", "note"),
)
#: What an order begins with; a row more is always there to be filled in.
_USUAL = {
    "sender": ("first_name", "last_name"),
    "receiver": ("first_name", "last_name", "bank_account_number"),
    "transaction": (),
}
#: What is offered as the name of a detail: the names of SEP-9 that are texts.
NAMES = tuple(sorted(each.name for each in FIELDS.values() if each.type != "binary"))
Form = MultiDict[str, str]
_UNPAIRED = _("each detail has a name and a value, and each name once")


class ConsoleBody(Schema):
    """A form of the console; it carries the token of its session."""

    class Meta:
        unknown = INCLUDE

    form_token = fields.String(required=True)


class DoneQuery(Schema):
    """Which act was just done, on the page that it leads back to."""

    done = text(40)


class SignInBody(Schema):
    """The token of an operator, and where they want to go."""

    token = fields.String(required=True)
    to = fields.String()


class ReplayedQuery(CallbacksQuery):
    """Which callbacks are shown, and what a replay came to that was just asked for."""

    due = fields.Integer(validate=validate.Range(min=0))
    anew = fields.Integer(validate=validate.Range(min=0))
    gone = fields.Integer(validate=validate.Range(min=0))


@dataclass(frozen=True)
class Row:
    """A detail of a party as it was typed; `is_kept` says that its value is known and stays."""

    name: str = ""
    value: str = ""
    is_kept: bool = False


Rows = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Filled:
    """A form as it was filled in, what is wrong by field, and else what it says as `body`."""

    given: Mapping[str, str]
    rows: Rows
    body: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def empty(domain: str, asset_code: str) -> Filled:
    """Return an order in which nothing is filled in but where it would usually go."""
    rows = {part: [Row(name) for name in names] for part, names in _USUAL.items()}
    return Filled({"domain": domain, "asset_code": asset_code}, rows)


def order(form: Form) -> Filled:
    """Read an order; amounts and all else are checked as the admin API does."""
    given = {name: form.get(name, "").strip() for name in (*PLAIN, "source", "key")}
    rows = {part: _rows(form, part) for part in PARTS}
    said: dict[str, Any] = {name: given[name] for name in PLAIN if given[name]}
    if given["source"] == HOUSE:
        said["house"] = True
    elif given["source"]:
        said["rail"] = given["source"]
    details, problems = _details(
        {part: [row for row in found if row.value] for part, found in rows.items()}
    )
    said["details"] = details
    try:
        body = SendOrderBody().load(said)
    except ValidationError as error:
        return Filled(given, rows, {}, told(error) | problems)
    return Filled(given, rows, body, problems)


def amendment(form: Form, known: Mapping[str, Sequence[str]]) -> Filled:
    """Read what is known of the parties anew; a name that is known and has no value is kept."""
    rows = {
        part: [
            Row(each.name, each.value, not each.value and each.name in known.get(part, ()))
            for each in _rows(form, part)
        ]
        for part in PARTS
    }
    given = {"note": form.get("note", "").strip()}
    written = {part: [row for row in found if not row.is_kept] for part, found in rows.items()}
    details, problems = _details(written)
    kept = {part: [row.name for row in found if row.is_kept] for part, found in rows.items()}
    said = {"details": details} | ({"note": given["note"]} if given["note"] else {})
    try:
        body = AmendBody().load(said)
    except ValidationError as error:
        return Filled(given, rows, {}, told(error) | problems)
    return Filled(
        given, rows, body | {"kept": {p: names for p, names in kept.items() if names}}, problems
    )


def known_rows(known: Mapping[str, Sequence[str]]) -> Rows:
    """Return a row for each detail that is known, without its value."""
    return {part: [Row(name, is_kept=True) for name in known.get(part, ())] for part in PARTS}


def replay(form: Form) -> dict[str, Any]:
    """Read what is to be told again; raises `ValidationError`."""
    said: dict[str, Any] = {
        name: value
        for name in ("transaction_id", "since", "note")
        if (value := form.get(name, "").strip())
    }
    if ids := form.getlist("id"):
        said["ids"] = ids
    loaded: dict[str, Any] = ReplayBody().load(said)
    return loaded


def _rows(form: Form, part: str) -> list[Row]:
    names, values = form.getlist(f"{part}_name"), form.getlist(f"{part}_value")
    pairs = zip(names, values, strict=False)
    rows = [Row(name.strip(), value.strip()) for name, value in pairs]
    return [row for row in rows if row.name or row.value]


def _details(rows: Rows) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return details by part without empty ones, and which parts have a row that is half empty."""
    details, problems = {}, {}
    for part, found in rows.items():
        whole = {row.name: row.value for row in found if row.name and row.value}
        if len(whole) != len(found):
            problems[part] = _UNPAIRED
        if whole:
            details[part] = whole
    return details, problems


def told(error: ValidationError) -> dict[str, str]:
    """Return the first thing that is wrong with each field."""
    messages = error.normalized_messages()
    return {name: str(_first(found)) for name, found in messages.items()}


def _first(found: Any) -> Any:
    while not isinstance(found, str):
        found = next(iter(found.values())) if isinstance(found, dict) else found[0]
    return found

"""The words of customers in the console: how they stand, and the forms of verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from anchor.customers.fields import FIELDS
from anchor.customers.standing import Stand, State
from anchor.languages import mark as _
from anchor.serializers.admin_customers import (
    CustomersQuery,
    RejectBody,
    RequestBody,
    VerdictBody,
)
from anchor.serializers.console import Standing, moment
from anchor.serializers.console_forms import Filled, Form, told
from anchor.serializers.fields import text
from anchor.serializers.pages import Fact
from anchor.services.customer_desk import Dossier, File, Line

ALL = "all"
_EVENTS = {
    "accepted": _("Accepted"),
    "refused": _("Refused for good"),
    "corrections": _("Asked for more"),
}
_STANDINGS = {
    Stand.PROCESSING: Standing(_("Waits for a verdict"), "wait"),
    Stand.NEEDS_INFO: Standing(_("Has to give more"), "busy"),
    Stand.ACCEPTED: Standing(_("Accepted"), "good"),
    Stand.REJECTED: Standing(_("Refused for good"), "bad"),
}
_STATES = {
    State.REQUESTED: Standing(_("Asked for"), "wait"),
    State.GIVEN: Standing(_("Given"), "busy"),
    State.ACCEPTED: Standing(_("Accepted"), "good"),
    State.REJECTED: Standing(_("Asked for anew"), "bad"),
}
#: The tabs of the list, those who wait for somebody first.
TABS = (*((stand.value, shown.label) for stand, shown in _STANDINGS.items()), (ALL, _("All")))
#: What is offered as the name of a field.
NAMES = tuple(sorted(each.name for each in FIELDS.values()))
_BODIES: Mapping[str, type[VerdictBody]] = {
    "accept": VerdictBody,
    "reject": RejectBody,
    "request": RequestBody,
}
ACTS = {
    "accept": _("Accept"),
    "request": _("Ask for more"),
    "reject": _("Refuse for good"),
}
_UNSURE = _("say that it is for good")


class TabsQuery(CustomersQuery):
    """Which customers are shown: those who wait for a verdict, where nothing is said."""

    status = fields.String(
        load_default=Stand.PROCESSING.value,
        validate=validate.OneOf([value for value, _label in TABS]),
    )


class ActQuery(Schema):
    """What was looked at when an act was chosen."""

    version = fields.Integer(required=True, validate=validate.Range(min=1))
    type = text(100)


@dataclass(frozen=True)
class Verdict(Filled):
    """A verdict as it was filled in; `fields` are those that were ticked."""

    fields: frozenset[str] = frozenset()


def unfilled(given: Mapping[str, str]) -> Verdict:
    """Return a verdict of which only is known what was looked at."""
    return Verdict(given, {})


def standing(stand: str) -> Standing:
    """Return how a customer stands."""
    return _STANDINGS[Stand(stand)]


def state(name: str) -> Standing:
    """Return how a field stands."""
    return _STATES[State(name)]


def what(event: str) -> str:
    """Return what happened to a customer, in words."""
    stand = event.removeprefix("stands ")
    if stand in _STANDINGS:
        return _STANDINGS[Stand(stand)].label
    return _EVENTS.get(event, event.capitalize())


def who(found: Line) -> str:
    """Return whose customer it is: the account, in short, and the memo below it."""
    account = found.account or ""
    short = f"{account[:6]}…{account[-4:]}" if len(account) > 20 else account
    return f"{short}:{found.memo}" if found.memo else short


def owner(found: Dossier) -> str:
    """Return what transactions of a customer are found by; nothing where that is not known.

    Only an id stands below an address there: other memos are left out.
    """
    below = f":{found.memo}" if found.memo and found.memo_type == "id" else ""
    return f"{found.account}{below}" if found.account else ""


def facts(found: Dossier) -> list[Fact]:
    """Return whose customer it is, and since when."""
    shown = (
        Fact(_("Id"), found.customer_id, is_code=True, copied=found.customer_id),
        Fact(_("Account"), found.account or "", is_code=True, copied=found.account or ""),
        Fact(
            _("Memo ({kind})"),
            found.memo,
            is_code=True,
            copied=found.memo,
            words={"kind": found.memo_type},
        ),
        Fact(_("Registered"), moment(found.created_at)),
        Fact(_("Erased"), moment(found.erased_at)),
        Fact(_("Version"), str(found.version)),
    )
    return [fact for fact in shown if fact.value]


def file(found: File) -> str:
    """Return what a file is, unopened."""
    return f"{found.content_type}, {size(found.size)}"


def size(count: int) -> str:
    """Write a size: ``1.5 MB``."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1_000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def verdict(act: str, form: Form) -> Verdict:
    """Read a verdict as the admin API takes it; a refusal for good has to be ticked as that."""
    names = ("version", "type", "message", "note", "others")
    given = {name: form.get(name, "").strip() for name in names}
    chosen = [*form.getlist("field"), *given["others"].replace(",", " ").split()]
    said: dict[str, Any] = {
        name: value for name, value in given.items() if value and name != "others"
    }
    if act == "request":
        said["fields"] = list(dict.fromkeys(chosen))
    if act == "accept":
        said.pop("message", None)
    problems = {"sure": _UNSURE} if act == "reject" and form.get("sure") != "yes" else {}
    ticked = frozenset(form.getlist("field"))
    try:
        body = _BODIES[act]().load(said)
    except ValidationError as error:
        return Verdict(given, {}, {}, told(error) | problems, ticked)
    return Verdict(given, {}, body, problems, ticked)

"""The words of the overview: what is paused, what waits, and the form that pauses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from anchor.config import Settings
from anchor.serializers.admin_standing import PauseBody, StatusQuery
from anchor.serializers.console_books import code
from anchor.serializers.console_forms import DoneQuery, Form
from anchor.services import brakes
from anchor.services.overview import MANY, Notice

_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class OverviewQuery(StatusQuery, DoneQuery):
    """What is looked at besides, and which act was just done."""


@dataclass(frozen=True)
class Paused:
    """A pause, and what it is about in words."""

    what: str
    pause: brakes.Standing


def cases_open(found: Notice) -> str:
    """Return how many cases are open as a number beside a word; nothing for none."""
    if found.cases >= MANY:
        return f"{MANY - 1}+"
    return str(found.cases or "")


def paused(found: Sequence[brakes.Standing]) -> list[Paused]:
    """Return pauses with their words."""
    return [Paused(what(each.scope, each.subject), each) for each in found]


def what(scope: str, subject: str) -> str:
    """Return what a pause is about."""
    if scope == "asset":
        return f"All {code(subject)}"
    if scope == "rail":
        by = "on the ledger" if subject == brakes.STELLAR else f"by {subject}"
        return f"All that leaves {by}"
    if scope == "kind":
        return f"All of the kind {subject}"
    return "All money, after a restore," if subject == brakes.RESTORE else "All money"


def is_a_restores(pause: brakes.Standing) -> bool:
    """Tell whether only the command after a restore takes a pause back."""
    return pause.subject == brakes.RESTORE and pause.scope == "all"


def choices(known: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Return what may be paused to choose from, each with its words."""
    return [
        (f"{scope}:{subject}", what(scope, subject))
        for scope, subjects in known.items()
        for subject in subjects
        if (scope, subject) != ("all", brakes.RESTORE)
    ]


def pause(form: Form) -> dict[str, Any]:
    """Read what is to be paused, and why; raises `ValidationError`."""
    scope, _, subject = form.get("what", "").partition(":")
    said = {"scope": scope, "subject": subject, "note": form.get("note", "").strip()}
    loaded: dict[str, Any] = PauseBody().load({name: each for name, each in said.items() if each})
    return loaded


def length(span: timedelta) -> str:
    """Write how long something takes or is ago, in its largest unit: ``3 min``."""
    seconds = max(0, int(span.total_seconds()))
    for step, unit in _STEPS:
        if seconds >= step:
            return f"{seconds // step} {unit}"
    return "0 s"


def is_used_up(cap: brakes.Cap) -> bool:
    """Tell whether nothing more may leave under a cap now."""
    return cap.used >= cap.cap


def has_several_sources(settings: Settings) -> bool:
    """Tell whether there are sources of the network that may not be in use."""
    return len(settings.horizon_urls) > 1

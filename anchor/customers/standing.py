"""How a customer stands: one rule from what is needed, what was given, and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from anchor.customers.fields import canonical
from anchor.customers.rules import Need


class Stand(StrEnum):
    """The statuses of a customer (SEP-12)."""

    ACCEPTED = "ACCEPTED"
    PROCESSING = "PROCESSING"
    NEEDS_INFO = "NEEDS_INFO"
    REJECTED = "REJECTED"


class State(StrEnum):
    """Where one field of a customer stands; `REQUESTED` was asked for by a person."""

    REQUESTED = "requested"
    GIVEN = "given"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Held:
    """A field that is held, or asked for by a person: its state, and what is wrong with it."""

    state: State
    error: str | None = None
    is_verified: bool = False


def missing(needs: Sequence[Need], held: Mapping[str, Held]) -> list[Need]:
    """Return what is asked for and was not given; `held` is by canonical names."""
    return [need for need in needs if not is_given(need, held)]


def is_given(need: Need, held: Mapping[str, Held]) -> bool:
    """Tell whether a field was given, whatever became of it."""
    found = held.get(canonical(need.name))
    return found is not None and found.state is not State.REQUESTED


def waits_for_code(need: Need, held: Held) -> bool:
    """Tell whether a field that was given waits for its code."""
    return need.needs_code and not held.is_verified and held.state in (State.GIVEN, State.ACCEPTED)


def stands(needs: Sequence[Need], held: Mapping[str, Held], verdict: Stand | None) -> Stand:
    """Return the status of a customer; `verdict` is ACCEPTED, REJECTED or none yet.

    REJECTED is final. A required field that is missing, one that was rejected and one that
    waits for its code make NEEDS_INFO (SEP12-28, SEP12-29). An accepted customer has every
    required field accepted (SEP12-27); one that changed since is looked at anew (SEP12-30).
    """
    if verdict is Stand.REJECTED:
        return Stand.REJECTED
    if any(not need.optional for need in missing(needs, held)):
        return Stand.NEEDS_INFO
    asked = [(need, held[canonical(need.name)]) for need in needs if is_given(need, held)]
    if any(each.state is State.REJECTED for _, each in asked):
        return Stand.NEEDS_INFO
    if any(waits_for_code(need, each) for need, each in asked):
        return Stand.NEEDS_INFO
    is_accepted = all(each.state is State.ACCEPTED for need, each in asked if not need.optional)
    return Stand.ACCEPTED if verdict is Stand.ACCEPTED and is_accepted else Stand.PROCESSING


def shown(need: Need, held: Held, stand: Stand) -> str:
    """Return the status of one field that was given (SEP12-26)."""
    if held.state is State.REJECTED:
        return "REJECTED"
    if waits_for_code(need, held):
        return "VERIFICATION_REQUIRED"
    is_accepted = held.state is State.ACCEPTED and stand is not Stand.PROCESSING
    return "ACCEPTED" if is_accepted else "PROCESSING"

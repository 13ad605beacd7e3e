"""What is asked for once, under a key that was stored before, and whose outcome nobody may know.

The rules are the same for whoever is asked, a rail or a custodian (promises 6 and 7): whatever is
no published answer is *unknown*; before a repeat the key is looked up; a repeat needs the
other side's promise that the key moves money once, or that "not found" is final.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from types import UnionType
from typing import Protocol, TypeVar

from anchor import tracing
from anchor.errors import Rejected, Unavailable
from anchor.extensions import refuse_inside_transaction
from anchor.integrations.protocols import Unknown

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Traits(Protocol):
    """What the other side promises about its keys."""

    @property
    def idempotent_for(self) -> timedelta | None:
        """How long the same key moves money once at most, from its first call on."""

    @property
    def can_look_up(self) -> bool:
        """Whether it can be asked what became of a key."""

    @property
    def not_found_final_after(self) -> timedelta | None:
        """How long after the latest call "not found" is final."""


class Step(Enum):
    """What may follow where nobody knows the outcome of a call."""

    REPEAT = "repeat"
    WAIT = "wait"
    ASK_A_PERSON = "ask a person"


def call(
    who: str,
    key: str,
    act: Callable[[], Answer],
    outcomes: UnionType,
    refused: Callable[[str], Answer],
) -> Answer | Unknown:
    """Ask `who` to act. `Rejected` is its final no; what it raises else is unknown.

    Raises `Unavailable` where that is its word: nothing began.
    """
    refuse_inside_transaction()
    try:
        with tracing.span(f"call {who}", tracing.CALL, anchor__key=key):
            outcome = act()
    except Rejected as error:
        return refused(str(error))
    except Unavailable:
        raise
    except Exception as error:
        log.exception("%s failed with %s", who, key)
        return Unknown(f"{type(error).__name__} in {who}")
    if not isinstance(outcome, outcomes):
        log.error("%s answered no outcome for %s", who, key)
        return Unknown(f"{who} answered {type(outcome).__name__}, which is no outcome")
    return outcome


def look_up(who: str, key: str, find: Callable[[], Answer], outcomes: UnionType) -> Answer:
    """Ask what became of a key; None where it is not known there.

    Raises `Unavailable` for whatever is no answer: nothing can be concluded from it.
    """
    refuse_inside_transaction()
    try:
        with tracing.span(f"look up at {who}", tracing.CALL, anchor__key=key):
            found = find()
    except (Rejected, Unavailable) as error:
        raise Unavailable(f"looking up {key}: {error}") from error
    except Exception as error:
        raise Unavailable(f"looking up {key}: {type(error).__name__} in {who}") from error
    if found is not None and not isinstance(found, outcomes):
        raise Unavailable(f"looking up {key}: {who} answered no outcome")
    return found


def next_step(traits: Traits, *, age_s: int, key_age_s: int) -> Step:
    """Say what may follow once a look-up, where there is one, did not find the key.

    `age_s` counts from the latest call, `key_age_s` from the first.
    """
    idempotent_s = traits.idempotent_for.total_seconds() if traits.idempotent_for else 0
    if key_age_s < idempotent_s:
        return Step.REPEAT
    final = traits.not_found_final_after
    if not traits.can_look_up or not final:
        return Step.ASK_A_PERSON
    return Step.REPEAT if age_s > final.total_seconds() else Step.WAIT

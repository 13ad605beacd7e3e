"""Asking rails: one that is gone, deaf or odd about one thing stops nothing else (promise 12)."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from anchor.errors import Unavailable
from anchor.extensions import house, refuse_inside_transaction
from anchor.integrations.protocols import RailsIntegration

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: A lease outlives a call by this much, so that two hands never hold one attempt.
LEASE_MARGIN_S = 30
#: So many things are asked about at once.
BATCH = 100
#: A rail that cannot be reached for so many single things in a row is down.
_DEAF = 3


def find(name: str) -> RailsIntegration:
    """Return a rail by its name, or raise `Unavailable` where this process has no such rail."""
    rail = house().rails.get(name)
    if rail is None:
        raise Unavailable(f"the rail {name} is not installed in this process")
    return rail


def lease_s(name: str) -> int:
    """Return for how long a job that calls this rail is leased."""
    rail = house().rails.get(name)
    return rail.traits.timeout_s + LEASE_MARGIN_S if rail else 60


def ceiling(name: str) -> int:
    """Return how many jobs may call this rail at once."""
    rail = house().rails.get(name)
    return rail.traits.max_in_flight if rail else 1


def answers(
    rail: RailsIntegration,
    batch: Sequence[Item],
    ask: Callable[[Sequence[Item]], list[tuple[Item, Answer]]],
    key: Callable[[Item], str],
) -> tuple[list[tuple[Item, Answer]], list[tuple[Item, Exception]]]:
    """Ask about a batch, and singly where the batch raises: return the answers and the failures.

    Raises `Unavailable` where that is the rail's word for a batch and for each of the first
    few of it: then nobody is there to answer for the others.
    """
    try:
        return _ask(ask, batch), []
    except Exception as error:
        _note_failure(rail, [key(item) for item in batch], error)
    found: list[tuple[Item, Answer]] = []
    failed: list[tuple[Item, Exception]] = []
    deaf = 0
    for item in batch:
        try:
            found += _ask(ask, [item])
            deaf = 0
        except Exception as error:
            _note_failure(rail, [key(item)], error)
            failed.append((item, error))
            deaf += isinstance(error, Unavailable)
        if deaf == _DEAF:
            raise Unavailable(f"the rail {rail.name} does not answer")
    return found, failed


def _ask(
    ask: Callable[[Sequence[Item]], list[tuple[Item, Answer]]], batch: Sequence[Item]
) -> list[tuple[Item, Answer]]:
    refuse_inside_transaction()
    return ask(batch)


def _note_failure(rail: RailsIntegration, keys: Sequence[str], error: Exception) -> None:
    surprise = None if isinstance(error, Unavailable) else error
    told = ", ".join(keys[:3])
    log.warning("the rail %s failed on %s …: %s", rail.name, told, error, exc_info=surprise)

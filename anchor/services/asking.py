"""Asking about many things at once: what is odd about one of them stops no other (promise 12)."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from anchor import tracing
from anchor.errors import Unavailable
from anchor.extensions import refuse_inside_transaction

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: So many things are asked about at once.
BATCH = 100
#: Whoever cannot be reached for so many single things in a row is down.
_DEAF = 3


def answers(
    who: str,
    batch: Sequence[Item],
    ask: Callable[[Sequence[Item]], list[tuple[Item, Answer]]],
    key: Callable[[Item], str],
) -> tuple[list[tuple[Item, Answer]], list[tuple[Item, Exception]]]:
    """Ask about a batch, and singly where the batch raises: return the answers and the failures.

    Raises `Unavailable` where that is the word of `who` for a batch and for each of the first
    few of it: then nobody is there to answer for the others.
    """
    try:
        return _ask(who, ask, batch), []
    except Exception as error:
        _note_failure(who, [key(item) for item in batch], error)
    found: list[tuple[Item, Answer]] = []
    failed: list[tuple[Item, Exception]] = []
    deaf = 0
    for item in batch:
        try:
            found += _ask(who, ask, [item])
            deaf = 0
        except Exception as error:
            _note_failure(who, [key(item)], error)
            failed.append((item, error))
            deaf += isinstance(error, Unavailable)
        if deaf == _DEAF:
            raise Unavailable(f"{who} does not answer")
    return found, failed


def _ask(
    who: str,
    ask: Callable[[Sequence[Item]], list[tuple[Item, Answer]]],
    batch: Sequence[Item],
) -> list[tuple[Item, Answer]]:
    refuse_inside_transaction()
    with tracing.span(f"ask {who}", tracing.CALL):
        return ask(batch)


def _note_failure(who: str, keys: Sequence[str], error: Exception) -> None:
    surprise = None if isinstance(error, Unavailable) else error
    told = ", ".join(keys[:3])
    log.warning("%s failed on %s …: %s", who, told, error, exc_info=surprise)

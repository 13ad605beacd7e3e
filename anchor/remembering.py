"""Remembering a few answers for a while, in one process."""

from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any, Generic, TypeVar

from cachetools import TLRUCache

V = TypeVar("V")
MOST = 1_000


@dataclass(frozen=True)
class _Answer(Generic[V]):
    value: V
    life_s: float


class Remembered(Generic[V]):
    """Up to `most` values by a key, each for its own time; thread-safe, the least used go first."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: Any = TLRUCache(
            most, ttu=lambda _, kept, now: now + kept.life_s, timer=monotonic
        )
        self._lock = Lock()

    def get(self, key: Hashable) -> V | None:
        """Return what is remembered and not too old, or None."""
        with self._lock:
            found: _Answer[V] | None = self._kept.get(key)
        return None if found is None else found.value

    def put(self, key: Hashable, value: V, life_s: float) -> None:
        """Remember a value for `life_s` seconds."""
        with self._lock:
            self._kept[key] = _Answer(value, life_s)

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

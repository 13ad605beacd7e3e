"""What this thread is at, for each line of the log that it causes: a job, or a request."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ID = re.compile(r"[0-9a-f]{32}")
_current: ContextVar[dict[str, str] | None] = ContextVar("working", default=None)


@contextmanager
def at(kind: str, subject_id: str | None, transaction_id: str | None = None) -> Iterator[None]:
    """Be at a job; `subject_id` is None for several at once."""
    said = {"job": kind, "subject": subject_id, "transaction_id": transaction_id}
    token = _current.set({name: value for name, value in said.items() if value is not None})
    try:
        yield
    finally:
        _current.reset(token)


def begin(transaction_id: str | None) -> None:
    """Be at a request about a transaction, where its address has something like an id."""
    is_one = transaction_id is not None and _ID.fullmatch(transaction_id)
    _current.set({"transaction_id": transaction_id} if transaction_id and is_one else None)


def end() -> None:
    """Be at nothing: the thread goes on to other things."""
    _current.set(None)


def current() -> dict[str, str]:
    """Return what is known of the job under way: ``job``, ``subject``, ``transaction_id``."""
    return _current.get() or {}

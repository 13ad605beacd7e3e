"""The id of the request under way: in its answer, and in each line of the log that it causes."""

import logging
import re
from contextvars import ContextVar
from secrets import token_hex
from typing import Any

#: What a log shows where no request is under way.
NONE = "-"
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_current: ContextVar[str] = ContextVar("request_id", default=NONE)


def begin(offered: str | None) -> str:
    """Take the id that a proxy or a wallet gave the request, where well-formed; else make one."""
    given = offered or ""
    request_id = given if _WELL_FORMED.fullmatch(given) else token_hex(8)
    _current.set(request_id)
    return request_id


def end() -> None:
    """Forget the id: the thread goes on to other things."""
    _current.set(NONE)


def current() -> str:
    """Return the id of the request under way, or `NONE`."""
    return _current.get()


def mark_log_records() -> None:
    """Give every record of the log a `request_id`, for any format to show; once a process."""
    make = logging.getLogRecordFactory()
    if getattr(make, "marks_requests", False):
        return

    def marked(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.request_id = current()
        return record

    marked.marks_requests = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(marked)

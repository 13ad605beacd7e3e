"""When the periodic services run: cron specs, and those that the scheduler would misread."""

import re
from typing import Final

#: Each service with the cron spec it has unless ``[schedule]`` says otherwise.
SERVICES: Final = {
    "execute_outgoing_transactions": "* * * * *",
    "poll_outgoing_transactions": "* * * * *",
    "poll_pending_deposits": "* * * * *",
    "check_trustlines": "* * * * *",
    "work": "* * * * *",
    "reconcile": "17 3 * * *",
}
OFF: Final = "off"

_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7))
_NAMES = ("minute", "hour", "day of month", "month", "day of week (Monday 1 … Sunday 7)")
_PART = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?")


def problem_of(spec: str) -> str | None:
    """Say in words why the scheduler would misread `spec`; None when it will not.

    periodiq 0.14 takes more than it understands: it never fires on weekday 0, misreads
    a sixth field, and skips slots where a month and a weekday are both restricted.
    """
    if spec == OFF:
        return None
    fields = spec.split()
    if len(fields) != len(_LIMITS):
        return "must have five fields (minute, hour, day, month, weekday), or be off"
    for text, (low, high), name in zip(fields, _LIMITS, _NAMES, strict=True):
        if not all(_in_range(part, low, high) for part in text.split(",")):
            return f"has a {name} of {text}, which must be numbers from {low} to {high}"
    if fields[3] != "*" and fields[4] != "*":
        return "may restrict the month or the weekday, not both"
    return None


def _in_range(part: str, low: int, high: int) -> bool:
    match = _PART.fullmatch(part)
    if match is None:
        return False
    first, last, step = (int(text) if text else None for text in match.groups())
    if step == 0 or (first is None and part[0] != "*"):
        return False
    bounds = [number for number in (first, last) if number is not None]
    return all(low <= number <= high for number in bounds) and bounds == sorted(bounds)

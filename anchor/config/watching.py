"""``ANCHOR_LOG_FORMAT`` and ``ANCHOR_LOG_LEVEL``: how the log is written."""

from collections.abc import Mapping, Sequence

from anchor import logs
from anchor.policies.watching import Watching


def watching(values: Mapping[str, str], problems: list[str]) -> Watching:
    """Return how the anchor is seen from outside; add what is wrong to `problems`."""

    def one_of(name: str, known: Sequence[str], usual: str) -> str:
        value = values.get(name, usual)
        if value not in known:
            problems.append(f"{name} must be one of {', '.join(known)}.")
        return value

    return Watching(
        log_format=one_of("ANCHOR_LOG_FORMAT", logs.FORMATS, logs.TEXT),
        log_level=one_of("ANCHOR_LOG_LEVEL", logs.LEVELS, logs.INFO),
    )

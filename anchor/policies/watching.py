"""How those who look after the anchor see it from outside: its log."""

from dataclasses import dataclass

from anchor import logs


@dataclass(frozen=True)
class Watching:
    """`log_format` is one of `logs.FORMATS`, `log_level` one of `logs.LEVELS`."""

    log_format: str = logs.TEXT
    log_level: str = logs.INFO

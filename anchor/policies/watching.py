"""How those who look after the anchor see it from outside: its log, its errors, its traces."""

from dataclasses import dataclass, field

from anchor import logs
from anchor.sealed_keys import Secret


@dataclass(frozen=True)
class Watching:
    """`log_format` is one of `logs.FORMATS`, `log_level` one of `logs.LEVELS`.

    Errors are told to `sentry_dsn`, which has a key in it; to nobody where that is empty. Spans
    are sent where it `traces`.
    """

    log_format: str = logs.TEXT
    log_level: str = logs.INFO
    sentry_dsn: Secret = field(default_factory=lambda: Secret(""))
    traces: bool = False

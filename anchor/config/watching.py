"""``ANCHOR_LOG_FORMAT`` and ``…_LEVEL``, ``ANCHOR_SENTRY_DSN``, ``ANCHOR_TRACES``: what is seen."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from urllib.parse import urlsplit

from anchor import logs
from anchor.policies.watching import Watching
from anchor.sealed_keys import Secret

_OTLP = "otlp"
#: Needs all the rest; OpenTelemetry's API alone comes with many a package.
_EXPORTER = "opentelemetry.exporter.otlp.proto.http"


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
        traces=one_of("ANCHOR_TRACES", ("off", _OTLP), "off") == _OTLP and _can_trace(problems),
        sentry_dsn=Secret(_sentry_dsn(values.get("ANCHOR_SENTRY_DSN", ""), problems)),
    )


def _can_trace(problems: list[str]) -> bool:
    is_there = _is_installed(_EXPORTER)
    if not is_there:
        problems.append("ANCHOR_TRACES needs `pip install '.[otel]'` in the sources.")
    return is_there


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it would be in
        return False


def _sentry_dsn(value: str, problems: list[str]) -> str:
    if value and not _is_dsn(value):
        problems.append(
            "ANCHOR_SENTRY_DSN must be an address such as https://key@sentry.example/1."
        )
    elif value and not _is_installed("sentry_sdk"):
        problems.append(
            "ANCHOR_SENTRY_DSN is set, which needs `pip install '.[sentry]'` in the sources."
        )
    return value


def _is_dsn(value: str) -> bool:
    try:
        parts = urlsplit(value)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    project = parts.path.rpartition("/")[2]
    is_whole = bool(parts.hostname and parts.username and project.isdecimal())
    return is_whole and has_port and parts.scheme in {"http", "https"}

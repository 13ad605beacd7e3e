"""Errors, told to Sentry (extra ``[sentry]``): what the log has of them, and nothing more.

An event is made of a record of the log that is an error, or of what ended the process. It is
then made anew of the few things that may leave: so no request with its body, headers or query, no
local variables, no parameters of SQL and nobody's address is sent, whatever an SDK collects.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from anchor import logs, request_ids, working

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

#: What of an event may leave as it is.
_KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "environment", "sdk")
_FRAME = ("filename", "abs_path", "function", "module", "lineno", "in_app")
_SOURCE = ("pre_context", "context_line", "post_context")
#: One writes whole addresses of requests into its errors, the others one every few seconds while
#: nobody takes spans.
_SILENT = ("gunicorn.error", "opentelemetry.*")


def begin(dsn: str, *, environment: str) -> None:
    """Tell errors of this process from now on; they are sent in a thread of its own."""
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
    from sentry_sdk.integrations.threading import ThreadingIntegration

    sentry_sdk.init(
        dsn,
        release=version("stellar-anchor"),
        environment=environment,
        before_send=_of_us,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, sentry_logs_level=None),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_scope=False),
            AtexitIntegration(callback=lambda _pending, _timeout: None),
        ],
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_metrics=False,
        spotlight=False,
    )
    for name in _SILENT:
        ignore_logger(name)


def _of_us(event: "Event", _hint: "Hint") -> "Event":
    """Return an event made of what may leave, with what this thread is at as tags."""
    given: dict[str, Any] = dict(event)
    made: dict[str, Any] = {name: given[name] for name in _KEPT if name in given}
    if "logentry" in given:
        entry = given["logentry"]
        made["logentry"] = {"message": entry.get("formatted") or entry.get("message")}
    exceptions = (given.get("exception") or {}).get("values") or []
    if exceptions:
        made["exception"] = {"values": [_exception(each) for each in exceptions]}
    made["tags"] = {"process": logs.process(), **working.current()}
    if (request_id := request_ids.current()) != request_ids.NONE:
        made["tags"]["request_id"] = request_id
    return made  # type: ignore[return-value]


def _exception(given: dict[str, Any]) -> dict[str, Any]:
    """Return type, sentence and lines of code of an exception."""
    frames = (given.get("stacktrace") or {}).get("frames") or []
    lines = [
        {name: frame[name] for name in (*_FRAME, *_SOURCE) if name in frame} for frame in frames
    ]
    made = {name: given[name] for name in ("type", "value", "module") if name in given}
    return made | {"stacktrace": {"frames": lines}}

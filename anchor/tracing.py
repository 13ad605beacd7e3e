"""Spans of what takes time: requests, jobs and calls of others (extra ``[otel]``).

Without `begin` they go nowhere. Their names and attributes are kinds, hosts, routes, statuses and
ids: no queries, no bodies, no sentence of an exception.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from anchor import logs

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

REQUEST, JOB, CALL = "server", "internal", "client"
_tracer: "Tracer | None" = None


def begin(environment: str, exporter: "SpanExporter | None" = None) -> "TracerProvider":
    """Send spans from now on, by OTLP over HTTP to where the usual ``OTEL_…`` variables say.

    Returns what sends them, in a thread of its own.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _tracer  # noqa: PLW0603
    told = {
        "service.name": "anchor",
        "service.version": version("stellar-anchor"),
        "deployment.environment.name": environment,
        "anchor.process": logs.process(),
    }
    provider = TracerProvider(resource=Resource(told).merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    _tracer = provider.get_tracer("anchor")
    return provider


def end() -> None:
    """Send no more spans."""
    global _tracer  # noqa: PLW0603
    _tracer = None


@contextmanager
def span(name: str, kind: str = JOB, **attributes: str | None) -> Iterator[None]:
    """Measure what the block does, within the span that is under way in this thread.

    An attribute ``http__route`` is sent as ``http.route``, one that is None not at all. An
    exception makes the span an error, by its type alone.
    """
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    said = {_key(key): value for key, value in attributes.items() if value is not None}
    with _tracer.start_as_current_span(
        name,
        kind=SpanKind[kind.upper()],
        attributes=said,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def add(*, is_error: bool = False, **attributes: str | int) -> None:
    """Say more of the span that is under way in this thread; whether it is an error, too."""
    if _tracer is None:
        return
    from opentelemetry.trace import StatusCode, get_current_span

    current = get_current_span()
    current.set_attributes({_key(name): value for name, value in attributes.items()})
    if is_error:
        current.set_status(StatusCode.ERROR)


def _key(name: str) -> str:
    return name.replace("__", ".")

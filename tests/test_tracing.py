"""Spans tell what took time, and of what; nothing of customers is in them."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from anchor import config, tracing
from anchor.errors import Unavailable
from anchor.extensions import gateway
from anchor.integrations.protocols import RailTraits, Sent
from tests.puppets import puppet
from tests.test_config import environ, problems
from tests.world import World

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Spans:
    """What was sent, once it was."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = tracing.begin("testing", self._exporter)

    def read(self) -> list[Any]:
        self._provider.force_flush()
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[Any]:
        return [span for span in self.read() if span.name == name]

    def end(self) -> None:
        tracing.end()
        self._provider.shutdown()


@pytest.fixture
def spans() -> Iterator[Spans]:
    found = Spans()
    yield found
    found.end()


def test_a_request_is_a_span_by_its_route(world: World, spans: Spans) -> None:
    row_id = world.withdrawal()
    headers = {"X-Request-ID": "from-outside", "Authorization": "Bearer GHEADER"}
    client = world.app.test_client()
    client.get(f"/interactive/transaction/{row_id}?token=GQUERY", headers=headers)
    [span] = spans.named("GET /interactive/transaction/<transaction_id>")
    assert span.kind.name == "SERVER"
    assert span.attributes["http.route"] == "/interactive/transaction/<transaction_id>"
    assert span.attributes["http.request.method"] == "GET"
    assert span.attributes["http.response.status_code"] >= 200
    assert span.attributes["anchor.request_id"] == "from-outside"
    assert span.attributes["anchor.transaction_id"] == row_id
    assert span.resource.attributes["service.name"] == "anchor"
    assert span.resource.attributes["deployment.environment.name"] == "testing"
    for secret in ("GQUERY", "GHEADER"):
        assert secret not in span.to_json()


def test_an_address_that_is_not_there_names_no_span(world: World, spans: Spans) -> None:
    world.app.test_client().get("/GADDRESS")
    [span] = spans.named("GET")
    assert span.attributes["http.response.status_code"] == 404
    assert "GADDRESS" not in span.to_json()


def test_what_machines_ask_all_the_time_is_no_span(world: World, spans: Spans) -> None:
    for path in ("/health", "/ready", "/metrics"):
        world.app.test_client().get(path)
    assert not [span for span in spans.read() if span.kind.name == "SERVER"]


def test_a_request_that_failed_is_an_error(world: World, spans: Spans) -> None:
    def fail() -> None:
        raise RuntimeError("GSENTENCE")

    world.app.view_functions["sep24.info"] = fail
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    world.app.test_client().get("/sep24/info")
    [span] = spans.named("GET /sep24/info")
    assert span.attributes["http.response.status_code"] == 500
    assert span.status.status_code.name == "ERROR"
    assert "GSENTENCE" not in span.to_json()


def test_a_job_is_a_span_around_the_calls_that_it_makes(world: World, spans: Spans) -> None:
    puppet(world, RailTraits(), script=[Sent()])
    row_id = world.paid_withdrawal(account="DE00SECRETACCOUNT")
    world.work()
    [job] = spans.named("execute_outgoing_transaction")
    assert job.attributes["anchor.transaction_id"] == row_id
    assert job.attributes["anchor.ran"] in {"done", "postponed"}
    [call] = spans.named("call the rail bank")
    assert call.kind.name == "CLIENT"
    assert call.attributes["anchor.key"] == f"{row_id}-1"
    assert call.parent.span_id == job.context.span_id
    assert "DE00SECRETACCOUNT" not in "".join(span.to_json() for span in spans.read())


def test_a_question_to_the_ledger_is_a_span_by_its_host(world: World, spans: Spans) -> None:
    gateway().account(world.distribution)
    found = [span for span in spans.read() if span.kind.name == "CLIENT"]
    assert found
    for span in found:
        assert span.attributes["server.address"] in {"127.0.0.1", "localhost"}
        assert span.attributes["http.response.status_code"] == 200
        assert world.distribution not in span.to_json()


def test_an_exception_is_told_by_its_type_alone(spans: Spans) -> None:
    with pytest.raises(Unavailable), tracing.span("x"):
        raise Unavailable("GSENTENCE")
    [span] = spans.read()
    assert span.status.description == "Unavailable"
    assert "GSENTENCE" not in span.to_json()


def test_without_traces_nothing_is_measured_and_nothing_breaks(world: World) -> None:
    tracing.end()
    with tracing.span("x", http__route="y"):
        tracing.add(http__route="z", is_error=True)
    assert world.app.test_client().get("/health").status_code == 200


def test_spans_are_sent_by_otlp_to_where_the_usual_variables_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", where)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "our-anchor")
        provider = tracing.begin("production")
        with tracing.span("a job of ours"):
            pass
        provider.force_flush()
        provider.shutdown()
        tracing.end()
        server.shutdown()
    [(path, kind, body)] = taken
    assert (path, kind) == ("/v1/traces", "application/x-protobuf")
    assert b"a job of ours" in body
    assert b"our-anchor" in body


def test_traces_are_off_or_sent_by_otlp(tmp_path: Path) -> None:
    assert config.load(environ(tmp_path)).watching.traces is False
    assert config.load(environ(tmp_path, ANCHOR_TRACES="off")).watching.traces is False
    assert config.load(environ(tmp_path, ANCHOR_TRACES="otlp")).watching.traces is True
    assert problems(tmp_path, ANCHOR_TRACES="on") == "ANCHOR_TRACES must be one of off, otlp."


def test_without_the_whole_extra_the_start_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenTelemetry's API alone is what many a package brings along."""

    def find(name: str) -> str:
        if name == "opentelemetry":
            return "it is there"
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(sys.modules["anchor.config.watching"], "find_spec", find)
    said = problems(tmp_path, ANCHOR_TRACES="otlp")
    assert said == "ANCHOR_TRACES needs `pip install '.[otel]'` in the sources."

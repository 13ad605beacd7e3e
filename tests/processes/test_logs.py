"""Every kind of process writes JSON where it is told to, from its first line on."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.processes.stage import SCRIPTS, Stage
from tests.sentries import sentry
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
#: What two programs say before they know of us: `Dramatiq … is booting up`, `Starting Periodiq`.
_BEFORE = ("[dramatiq.MainProcess]", "Starting Periodiq")


def said(stage: Stage) -> list[str]:
    return (stage.folder / "output.log").read_text().splitlines()


def read(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def secrets_of(stage: Stage) -> set[str]:
    """Return all that the stage keeps secret."""
    found = json.loads((stage.data / "secrets.json").read_text())
    return {value for value in found.values() if isinstance(value, str) and len(value) > 20}


def test_everything_under_one_terminal_is_json(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ANCHOR_LOG_FORMAT="json")
    try:
        stage.up()
        requests.get(f"{stage.url}/interactive/transaction/x?token=GSECRET", timeout=10)
        until(lambda: len({each.get("process") for each in read(said(stage)[3:])}) >= 3, 60)
        until(lambda: "Scheduling" in "".join(said(stage)), 70, "for the first tick")
    finally:
        stage.end()
    lines = read(said(stage)[3:])  # after what `up` tells whoever reads the terminal
    assert {each["process"] for each in lines} >= {"workers", "scheduler", "stream"}
    for each in lines:
        assert set(each) >= {"time", "level", "process", "message"}
    assert "GSECRET" not in "".join(said(stage))
    for secret in secrets_of(stage):
        assert secret not in "".join(said(stage)[3:])


def test_each_process_alone_writes_json(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ANCHOR_LOG_FORMAT="json")
    try:
        stage.command("status")
        stage.start(
            *(str(SCRIPTS / "gunicorn"), "anchor:create_app()", "--bind"),
            *(f"127.0.0.1:{stage.port}", "--no-control-socket"),
            *("--logger-class", "anchor.web_logs.Logger", "--access-logfile", "-"),
        )
        stage.workers()
        stage.start(str(SCRIPTS / "periodiq"), "anchor.actors")
        stage.stream()
        until(stage._answers, 60, "for the web")
        headers = {"Referer": "https://x.example/?token=GSECRET"}
        requests.get(f"{stage.url}/health?token=GSECRET", headers=headers, timeout=10)
        until(lambda: "GET /health HTTP/1.1" in "".join(said(stage)), 10, "for the access log")
        with socket.create_connection(("127.0.0.1", stage.port)) as connection:
            connection.sendall(b"GET /a link?token=GSECRET HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b" 400 " in connection.recv(100)
        until(lambda: "Invalid request" in "".join(said(stage)), 10, "for what was unreadable")
        until(lambda: "ready for action" in "".join(said(stage)), 60, "for the workers")
        until(lambda: "Scheduling" in "".join(said(stage)), 90, "for the scheduler")
    finally:
        stage.end()
    lines = read([line for line in said(stage) if not any(each in line for each in _BEFORE)])
    assert {each["process"] for each in lines} >= {"web", "workers", "scheduler"}
    loggers = {each["logger"] for each in lines}
    assert "GSECRET" not in "".join(said(stage))
    assert {"gunicorn.error", "gunicorn.access", "periodiq"} <= loggers


def test_errors_of_running_processes_are_told_to_sentry(tmp_path: Path) -> None:
    pytest.importorskip("sentry_sdk")
    with sentry() as told:
        stage = Stage(tmp_path, ANCHOR_SENTRY_DSN=told.dsn)
        try:
            stage.web()
            until(stage._answers, 60, "for the web")
            stage.sql("ALTER TABLE accounts RENAME TO gone")
            answer = requests.get(f"{stage.url}/ready?token=GSECRET", timeout=10)
            assert answer.status_code == 500
            until(lambda: told.events, 20, "for the error of the web")
            stage.command("status")
            until(lambda: len(told.events) >= 2, 20, "for the error of the command")
        finally:
            stage.end()
    web, command = told.events[:2]
    assert web["tags"]["process"] == "web"
    assert web["tags"]["request_id"] == answer.headers["X-Request-ID"]
    assert web["environment"] == "development"
    assert command["tags"]["process"] == "status"
    assert "GSECRET" not in "".join(told.bodies)
    for secret in secrets_of(stage):
        assert secret not in "".join(told.bodies)

"""Each line of the log is one JSON object that says when, who, about what, and nothing secret."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from anchor import config, logs, request_ids, working
from anchor.integrations.protocols import RailTraits
from tests.puppets import puppet
from tests.test_config import environ, problems
from tests.world import World


class Lines(logging.Handler):
    """Keeps what our formatter makes of each record."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.setFormatter(logs.Lines())

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))

    def read(self) -> list[dict[str, Any]]:
        """Return the lines, each of which has to be one line of JSON."""
        assert not [line for line in self.said if "\n" in line]
        return [json.loads(line) for line in self.said]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def test_a_line_says_when_who_and_what(lines: Lines) -> None:
    before = datetime.now(UTC)
    logging.getLogger("anchor.somewhere").warning("the bank said %s", "no")
    [said] = lines.read()
    assert datetime.fromisoformat(said.pop("time")) >= before.replace(
        microsecond=before.microsecond // 1000 * 1000
    )
    assert said.pop("pid") > 0
    assert said.pop("process")
    assert said == {"level": "warning", "logger": "anchor.somewhere", "message": "the bank said no"}


def test_times_are_in_utc_with_milliseconds(lines: Lines) -> None:
    record = logging.makeLogRecord({"created": 0.25, "msg": "x"})
    assert json.loads(lines.format(record))["time"] == "1970-01-01T00:00:00.250Z"


@pytest.mark.parametrize("text", ["a\nb", "\r\x1b[2J", "\u2028\u202e", '"}, {"level": "error', "é"])
def test_nobody_breaks_a_line_or_writes_one_of_their_own(lines: Lines, text: str) -> None:
    logging.getLogger("anchor.somewhere").warning("%s", text)
    [line] = lines.said
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == text


def test_an_exception_is_one_field(lines: Lines) -> None:
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("anchor.somewhere").exception("it failed")
    [said] = lines.read()
    assert said["message"] == "it failed"
    assert said["exception"].startswith("Traceback")
    assert said["exception"].endswith("ValueError: inside")


def test_what_a_library_attaches_to_a_record_is_not_written(lines: Lines) -> None:
    logging.getLogger("library").warning("x", extra={"headers": "Bearer secret"})
    assert "secret" not in lines.said[0]


def test_a_request_is_in_each_line_that_it_causes(world: World, lines: Lines) -> None:
    row_id = world.withdrawal()

    def fail(**_: Any) -> None:
        raise RuntimeError("inside")

    for endpoint in world.app.view_functions:
        if endpoint.startswith("interactive."):
            world.app.view_functions[endpoint] = fail
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    client = world.app.test_client()
    for place in (row_id, "x" * 40):
        client.get(
            f"/interactive/transaction/{place}?token=GSECRET",
            headers={"X-Request-ID": "from-outside"},
        )
    about, other = [said for said in lines.read() if said["level"] == "error"]
    assert about["request_id"] == "from-outside"
    assert about["transaction_id"] == row_id
    assert "transaction_id" not in other
    assert "GSECRET" not in "".join(lines.said)
    assert working.current() == {}


def test_a_job_is_in_each_line_that_it_causes(world: World, lines: Lines) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    world.work()
    told = [said for said in lines.read() if said["logger"].startswith("anchor.services")]
    assert len(told) >= 2
    for said in told:
        assert said["job"] == "execute_outgoing_transaction"
        assert said["subject"] == said["transaction_id"] == row_id
        assert "request_id" not in said
    assert working.current() == {}


def test_a_job_that_failed_is_not_in_what_comes_after(lines: Lines) -> None:
    with pytest.raises(ValueError, match="x"), working.at("pay", "1"):
        raise ValueError("x")
    logging.getLogger("anchor.somewhere").warning("after")
    assert "job" not in lines.read()[0]


def test_several_jobs_at_once_are_of_no_one_subject(lines: Lines) -> None:
    with working.at("pay", None):
        logging.getLogger("anchor.somewhere").warning("x")
    [said] = lines.read()
    assert said["job"] == "pay"
    assert "subject" not in said


def test_nothing_of_customers_is_in_the_log(world: World, lines: Lines) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal(account="DE00SECRETACCOUNT")
    world.work()
    assert row_id in "".join(lines.said)
    for secret in ("DE00SECRETACCOUNT", *world.settings.distribution_secrets.values()):
        assert str(secret) not in "".join(lines.said)


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        ("/opt/anchor/bin/gunicorn --workers 2 anchor:create_app()", "web"),
        ("/opt/anchor/bin/dramatiq anchor.actors --processes 2", "workers"),
        ("periodiq anchor.actors", "scheduler"),
        ("flask --app anchor:create_app() anchor watch-transactions -x --use-dramatiq", "stream"),
        ("/usr/bin/flask anchor work --loop", "work"),
        ("flask run --port 8000", "web"),
        ("flask", "flask"),
        ("", ""),
    ],
)
def test_a_line_says_which_kind_of_process_wrote_it(argv: str, kind: str) -> None:
    assert logs.kind_of(argv.split(" ")) == kind


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ANCHOR_LOG_FORMAT", "xml", "ANCHOR_LOG_FORMAT must be one of text, json."),
        ("ANCHOR_LOG_FORMAT", "JSON", "ANCHOR_LOG_FORMAT must be one of text, json."),
        (
            "ANCHOR_LOG_LEVEL",
            "loud",
            "ANCHOR_LOG_LEVEL must be one of debug, info, warning, error.",
        ),
    ],
)
def test_what_is_no_format_and_no_level_is_refused(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    assert problems(tmp_path, **{name: value}).startswith(said)


def test_format_and_level_are_read(tmp_path: Path) -> None:
    found = config.load(environ(tmp_path)).watching
    assert (found.log_format, found.log_level) == ("text", "info")
    said = {"ANCHOR_LOG_FORMAT": "json", "ANCHOR_LOG_LEVEL": "warning"}
    found = config.load(environ(tmp_path, **said)).watching
    assert (found.log_format, found.log_level) == ("json", "warning")
    assert logs.words_of(said) == ("json", "warning")
    assert logs.words_of({"ANCHOR_LOG_FORMAT": "xml"}) == ("text", "info")


@pytest.fixture
def quiet_log() -> Iterator[None]:
    """Put the log back as pytest had it."""
    kept = [(log, log.level) for log in map(logging.getLogger, (None, "anchor", "werkzeug"))]
    yield
    for log, level in kept:
        log.setLevel(level)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(None)


@pytest.mark.usefixtures("quiet_log")
def test_libraries_say_nothing_of_what_they_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
    logs.set_up("json", "debug")
    assert logging.getLogger("anchor.services").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("urllib3").isEnabledFor(logging.DEBUG)
    logs.set_up("json", "error")
    assert not logging.getLogger("anchor.services").isEnabledFor(logging.WARNING)
    assert not logging.getLogger("urllib3").isEnabledFor(logging.WARNING)


@pytest.mark.usefixtures("quiet_log")
def test_handlers_that_others_set_up_write_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, own = logging.StreamHandler(sys.stderr), logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logging.getLogger(), "handlers", [theirs])
    monkeypatch.setattr(logging.getLogger("gunicorn.error"), "handlers", [own])
    logs.set_up("json")
    assert isinstance(theirs.formatter, logs.Lines)
    assert isinstance(own.formatter, logs.Lines)


def test_what_is_no_record_becomes_a_line_under_one_terminal() -> None:
    said = json.loads(logs.line_of("workers", 'ended with "status 1"'))
    assert said.pop("time").endswith("Z")
    assert said == {"level": "info", "process": "workers", "message": 'ended with "status 1"'}
    assert logs.line_of("web", '{"message": "x"}') == '{"message": "x"}'
    assert request_ids.current() == request_ids.NONE

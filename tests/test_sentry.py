"""Errors are told to Sentry with what was under way, and without anything of customers."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from anchor import config, sentry
from anchor.extensions import db, transaction
from anchor.integrations.protocols import RailTraits
from tests.puppets import puppet
from tests.sentries import Sentry
from tests.sentries import sentry as listening
from tests.test_config import environ, problems
from tests.world import World

sdk = pytest.importorskip("sentry_sdk")
DSN = "https://key@sentry.example/1"


@pytest.fixture
def told() -> Iterator[Sentry]:
    """A Sentry that this process tells its errors, until the test is over."""
    with listening() as found:
        sentry.begin(found.dsn, environment="testing")
        yield found
        sdk.get_client().close(timeout=2)
        sdk.get_global_scope().set_client(None)


def events(told: Sentry) -> list[dict[str, Any]]:
    sdk.flush(5)
    return told.events


def test_an_error_of_the_web_is_told_with_its_request(world: World, told: Sentry) -> None:
    row_id = world.withdrawal()

    def fail(**_: Any) -> None:
        secret = "GLOCAL"
        raise RuntimeError("inside" if secret else "")

    for endpoint in world.app.view_functions:
        if endpoint.startswith("interactive."):
            world.app.view_functions[endpoint] = fail
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    world.app.test_client().get(
        f"/interactive/transaction/{row_id}?token=GQUERY",
        headers={"X-Request-ID": "from-outside", "Authorization": "Bearer GHEADER"},
        data={"name": "GBODY"},
        environ_base={"REMOTE_ADDR": "203.0.113.77"},
    )
    [event] = events(told)
    assert event["tags"]["request_id"] == "from-outside"
    assert event["tags"]["transaction_id"] == row_id
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("RuntimeError", "inside")
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["environment"] == "testing"
    assert event["release"]
    assert not {"request", "user", "breadcrumbs", "extra", "contexts", "server_name"} & set(event)
    for secret in ("GQUERY", "GHEADER", "GBODY", "203.0.113.77", '"vars"'):
        assert secret not in "".join(told.bodies)


def test_an_error_of_a_job_is_told_with_the_job(world: World, told: Sentry) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal(account="DE00SECRETACCOUNT")
    world.work()
    found = events(told)
    assert found
    for event in found:
        assert event["tags"]["job"] == "execute_outgoing_transaction"
        assert event["tags"]["transaction_id"] == event["tags"]["subject"] == row_id
        assert event["tags"]["process"]
    assert "DE00SECRETACCOUNT" not in "".join(told.bodies)


def test_parameters_of_sql_stay_here(world: World, told: Sentry) -> None:
    secret = "GPARAMETER"[::-1]  # lines of code are sent
    try:
        with transaction():
            db.session.execute(text("SELECT :a / 0, :b"), {"a": 1, "b": secret})
    except Exception:
        logging.getLogger("anchor.somewhere").exception("it failed")
    [event] = events(told)
    assert "division by zero" in json.dumps(event)
    assert secret not in "".join(told.bodies)


def test_what_is_attached_to_a_record_and_warnings_stay_here(told: Sentry) -> None:
    log = logging.getLogger("anchor.somewhere")
    log.warning("GWARNING")
    log.error("the bank said %s", "no", extra={"headers": "GATTACHED"})
    logging.getLogger("gunicorn.error").error("GADDRESS")
    logging.getLogger("opentelemetry.exporter.otlp.common").error("GSPANS")
    [event] = events(told)
    assert event["logentry"] == {"message": "the bank said no"}
    assert event["logger"] == "anchor.somewhere"
    for secret in ("GWARNING", "GATTACHED", "GADDRESS", "GSPANS"):
        assert secret not in "".join(told.bodies)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_that_ends_a_thread_is_told(told: Sentry) -> None:
    def fail() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    [event] = events(told)
    assert event["exception"]["values"][-1]["value"] == "in a thread"


def test_a_sentry_that_is_away_stops_nobody() -> None:
    with listening() as gone:
        pass
    sentry.begin(gone.dsn, environment="testing")
    logging.getLogger("anchor.somewhere").error("x")
    sdk.get_client().close(timeout=0.5)
    sdk.get_global_scope().set_client(None)


@pytest.mark.parametrize(
    "value",
    [
        "sentry.example",
        "https://sentry.example/1",
        "https://key@sentry.example/",
        "ftp://key@sentry.example/1",
        "https://key@:9/1",
        "https://key@sentry.example:x/1",
        "https://key@[/1",
    ],
)
def test_what_is_no_dsn_is_refused_and_not_repeated(tmp_path: Path, value: str) -> None:
    said = problems(tmp_path, ANCHOR_SENTRY_DSN=value)
    assert said == "ANCHOR_SENTRY_DSN must be an address such as https://key@sentry.example/1."


def test_a_dsn_comes_from_a_file_and_does_not_show_itself(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(f"{DSN}\n")
    found = config.load(environ(tmp_path, ANCHOR_SENTRY_DSN_FILE=str(file)))
    assert found.watching.sentry_dsn == DSN
    assert "key@" not in repr(found)


def test_without_the_extra_the_start_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["anchor.config.watching"], "find_spec", lambda _name: None)
    said = problems(tmp_path, ANCHOR_SENTRY_DSN=DSN)
    assert said.startswith("ANCHOR_SENTRY_DSN is set, which needs `pip install '.[sentry]'`")
    assert config.load(environ(tmp_path)).watching.sentry_dsn == ""

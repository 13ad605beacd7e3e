"""Real processes, really killed: a withdrawal is paid once in every window."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from anchor.sandbox.ground import CODE
from tests.processes.stage import FLASK, SCRIPTS, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        made.web()
        yield made


def test_promise_02_a_payment_made_while_no_stream_runs_is_found_later(stage: Stage) -> None:
    wallet = stage.wallet()
    stream = stage.stream("-x")
    asked = stage.ask(wallet)
    stage.kill(stream)
    wallet.pay(asked, CODE)
    stream = stage.stream("--execute-transactions")
    until(lambda: stage.status(asked["id"]) == "completed", 60)
    assert stage.paid_once(asked["id"])
    stage.kill(stream, signal.SIGTERM)


def test_promise_06_a_worker_killed_between_the_transfer_and_its_record_pays_once(
    stage: Stage,
) -> None:
    wallet = stage.wallet()
    asked = stage.ask(wallet)
    stage.bank("/misbehave", mode="slow", seconds=20, times=1)
    workers = stage.workers()
    stream = stage.stream("-x", "--use-dramatiq")
    wallet.pay(asked, CODE)
    until(lambda: any(t["key"].startswith(asked["id"]) for t in stage.bank("/transfers")), 60)
    stage.kill(workers)
    redis.Redis.from_url(stage.servers["broker_url"]).flushall()
    assert stage.status(asked["id"]) == "pending_anchor"
    stage.sql("UPDATE jobs SET leased_until = now()")
    workers = stage.workers()
    done = stage.command("execute-outgoing-transactions", "--json")
    assert done.returncode == 0, done.stderr
    until(lambda: stage.status(asked["id"]) == "completed", 60)
    assert stage.paid_once(asked["id"])
    assert stage.bank("/calls")[f"{asked['id']}-1"] == 1
    stage.kill(workers)
    stage.kill(stream)


def test_promise_10_losing_the_broker_loses_no_work(stage: Stage) -> None:
    wallet = stage.wallet()
    stream = stage.stream("-x", "--use-dramatiq")
    asked = stage.ask(wallet)
    wallet.pay(asked, CODE)
    until(lambda: stage.status(asked["id"]) == "pending_anchor", 60)
    redis.Redis.from_url(stage.servers["broker_url"]).flushall()
    stage.sql("UPDATE jobs SET rung_at = NULL")
    workers = stage.workers()
    scheduler = stage.start(str(SCRIPTS / "periodiq"), "anchor.actors")
    until(lambda: stage.status(asked["id"]) == "completed", 100)
    assert stage.paid_once(asked["id"])
    for process in (workers, scheduler, stream):
        stage.kill(process)


def test_two_runners_and_two_worker_processes_pay_once(stage: Stage) -> None:
    wallet = stage.wallet()
    streams = [stage.stream("-x", "--use-dramatiq") for _ in range(2)]
    workers = stage.workers(processes=2)
    asked = [stage.ask(wallet) for _ in range(5)]
    for one in asked:
        wallet.pay(one, CODE)
    for one in asked:
        until(lambda row=one: stage.status(row["id"]) == "completed", 60)  # type: ignore[misc]
        assert stage.paid_once(one["id"])
    for process in (*streams, workers):
        stage.kill(process)


def test_the_journey_with_no_broker_and_no_worker(stage: Stage) -> None:
    wallet = stage.wallet()
    loops = [
        stage.stream(),
        stage.start(*FLASK, "execute-outgoing-transactions", "--loop", "--interval", "1"),
        stage.start(*FLASK, "poll-outgoing-transactions", "--loop", "--interval", "1"),
    ]
    at_once = stage.ask(wallet)
    later = stage.ask(wallet, "DE89370400440532010002")
    for one in (at_once, later):
        wallet.pay(one, CODE)
    for one in (at_once, later):
        until(lambda row=one: stage.status(row["id"]) == "completed", 60)  # type: ignore[misc]
        assert stage.paid_once(one["id"])
    for process in loops:
        stage.kill(process, signal.SIGTERM)


def test_overlapping_one_shots_pay_once(stage: Stage) -> None:
    wallet = stage.wallet()
    stream = stage.stream()
    asked = [stage.ask(wallet) for _ in range(3)]
    for one in asked:
        wallet.pay(one, CODE)
    for one in asked:
        until(lambda row=one: stage.status(row["id"]) == "pending_anchor", 60)  # type: ignore[misc]
    shots = [stage.start(*FLASK, "execute-outgoing-transactions") for _ in range(3)]
    assert [shot.wait(60) for shot in shots] == [0, 0, 0]
    for one in asked:
        assert stage.status(one["id"]) == "completed"
        assert stage.paid_once(one["id"])
    stage.kill(stream)


def test_use_dramatiq_alone_is_a_usage_error(tmp_path: Path) -> None:
    done = Stage(tmp_path).command("watch-transactions", "--use-dramatiq")
    assert done.returncode == 2
    assert "--execute-transactions" in done.stderr

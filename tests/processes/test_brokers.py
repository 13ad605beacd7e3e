"""Each kind of broker with real processes: everything is done once, and none of it is lost."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.servers import Rabbit, Redis
from tests.processes.stage import SCRIPTS, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: How long the broker is away, in seconds: 600 is ten minutes.
AWAY_S = int(os.environ.get("ANCHOR_TEST_BROKER_AWAY_S", "20"))


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Work:
    """Withdrawals and deposits of one wallet, and whether each was done once."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.wallet: Wallet = stage.wallet()
        self.rows: list[str] = []
        self.withdrawals: list[str] = []

    def withdraw(self) -> None:
        asked = self.stage.ask(self.wallet)
        self.wallet.pay(asked, CODE)
        self.rows.append(asked["id"])
        self.withdrawals.append(asked["id"])

    def deposit(self) -> None:
        row_id, reference = self.wallet.ask_to_deposit(
            CODE, "20", bank_account_number="DE89370400440532013000", bank_account_holder="A"
        )
        self.stage.bank("/deposits", amount="20", reference=reference, payer="A")
        self.rows.append(row_id)

    def is_done(self) -> bool:
        statuses = [self.stage.status(row_id) for row_id in self.rows]
        return statuses == ["completed"] * len(statuses)

    def wait(self, why: str) -> None:
        until(self.is_done, 300, why)
        assert all(self.stage.paid_once(row_id) for row_id in self.withdrawals)
        found: list[Any] = self.stage.sql(
            "SELECT transaction_id, count(*) FROM outflows WHERE state = 'done' "
            "GROUP BY transaction_id"
        )
        assert dict(found) == dict.fromkeys(self.rows, 1)
        assert self.stage.sql("SELECT reason FROM cases") == []


def everything(stage: Stage) -> None:
    stage.web()
    stage.workers()
    stage.start(str(SCRIPTS / "periodiq"), "anchor.actors")
    stage.stream("-x", "--use-dramatiq")


def while_away(work: Work, away_s: int) -> None:
    """Let money arrive all the time while the broker is away."""
    until_s = monotonic() + away_s
    while monotonic() < until_s:
        work.withdraw()
        work.deposit()
        sleep(away_s / 10)


def test_promise_10_all_is_done_with_rabbitmq_and_nothing_is_lost_when_it_is_killed(
    tmp_path: Path, ends: ExitStack
) -> None:
    (tmp_path / "rabbit").mkdir()
    rabbit = ends.enter_context(Rabbit(tmp_path / "rabbit"))
    rabbit.start()
    stage = ends.enter_context(staged(tmp_path, ANCHOR_BROKER_URL=rabbit.url))
    everything(stage)
    work = Work(stage)
    work.withdraw()
    work.deposit()
    work.wait("with RabbitMQ")
    rabbit.stop()
    while_away(work, 3)
    rabbit.start()
    began = monotonic()
    work.wait("after RabbitMQ's return")
    print(f"all was done {monotonic() - began:.1f} s after RabbitMQ's return")
    done = stage.command("doctor")
    assert "ok      broker" in done.stdout


def test_promise_10_a_broker_that_is_away_for_long_loses_nothing(
    tmp_path: Path, ends: ExitStack
) -> None:
    (tmp_path / "redis").mkdir()
    redis = ends.enter_context(Redis(tmp_path / "redis"))
    url = redis.server("one")
    stage = ends.enter_context(staged(tmp_path, ANCHOR_BROKER_URL=url))
    everything(stage)
    work = Work(stage)
    work.withdraw()
    work.wait("before")
    redis.kill("one")
    while_away(work, AWAY_S)
    assert not work.is_done()
    redis.server("one")
    began = monotonic()
    work.wait("after the broker's return")
    print(
        f"away for {AWAY_S} s with {len(work.rows)} transactions; "
        f"all was done {monotonic() - began:.1f} s after its return"
    )
    assert all(process.poll() is None for process in stage.running)


def test_promise_10_all_is_done_behind_sentinels_when_the_master_is_killed(
    tmp_path: Path, ends: ExitStack
) -> None:
    (tmp_path / "redis").mkdir()
    redis = ends.enter_context(Redis(tmp_path / "redis"))
    redis.server("one")
    redis.server("two", replica_of="one")
    url = redis.sentinels("one")
    stage = ends.enter_context(staged(tmp_path, ANCHOR_BROKER_URL=url))
    everything(stage)
    work = Work(stage)
    work.withdraw()
    work.deposit()
    work.wait("with the first master")
    redis.kill("one")
    began = monotonic()
    work.withdraw()
    work.deposit()
    work.wait("with the second master")
    print(f"all was done {monotonic() - began:.1f} s after the master's death")
    assert all(process.poll() is None for process in stage.running)

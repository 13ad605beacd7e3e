"""Several instances of what one does at a time: the next one goes on, and nothing is twice."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from anchor.services.networks import LEASE_S
from tests.front import Front
from tests.processes.stage import FLASK, SCRIPTS, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        made.web()
        yield made


def token(stage: Stage) -> int:
    """Return the token of the last lease; 0 before the first."""
    found = stage.sql("SELECT max(lease_token) FROM accounts")
    return int(found[0][0] or 0)


def leader_and_standby(
    stage: Stage, *flags: str
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """Start two stream runners, the first of which has the lease."""
    before = token(stage)  # the lease of a runner that was killed may still last
    leader = stage.stream(*flags)
    until(lambda: token(stage) != before, 60, "for the first runner")
    return leader, stage.stream(*flags)


def paid(stage: Stage, wallet: Wallet, count: int) -> list[str]:
    rows = []
    for _ in range(count):
        asked = stage.ask(wallet)
        wallet.pay(asked, CODE)
        rows.append(asked["id"])
    return rows


def credited(stage: Stage, rows: list[str]) -> bool:
    return all(stage.status(row_id) == "pending_anchor" for row_id in rows)


def once(stage: Stage, rows: list[str]) -> None:
    """Each was credited by one payment, and nothing else was kept of it."""
    found = stage.sql(
        "SELECT transaction_id, verdict, count(*) FROM payments "
        "WHERE transaction_id = ANY(%s) GROUP BY 1, 2",
        rows,
    )
    assert sorted(found) == sorted((row_id, "credited", 1) for row_id in rows)
    assert stage.sql("SELECT reason FROM cases") == []


def test_promise_02_a_stream_leader_that_is_killed_is_replaced(stage: Stage) -> None:
    wallet = stage.wallet()
    leader, standby = leader_and_standby(stage)
    rows = paid(stage, wallet, 3)
    until(lambda: credited(stage, rows), 60)
    before = token(stage)
    rows += paid(stage, wallet, 1)
    stage.kill(leader)
    began = monotonic()
    rows += paid(stage, wallet, 3)
    until(lambda: token(stage) != before, 120, "for the stand-by")
    print(f"the stand-by was at work after {monotonic() - began:.1f} s (the lease is {LEASE_S} s)")
    until(lambda: credited(stage, rows), 60)
    print(f"all was credited after {monotonic() - began:.1f} s")
    once(stage, rows)
    stage.kill(standby)


def test_promise_02_a_stream_leader_that_was_frozen_writes_nothing_when_it_wakes(
    stage: Stage,
) -> None:
    wallet = stage.wallet()
    leader, standby = leader_and_standby(stage)
    rows = paid(stage, wallet, 2)
    until(lambda: credited(stage, rows), 60)
    before, said = token(stage), len((stage.folder / "output.log").read_bytes())
    os.killpg(leader.pid, signal.SIGSTOP)
    began = monotonic()
    rows += paid(stage, wallet, 3)
    until(lambda: token(stage) != before, 120, "for the stand-by")
    print(f"the stand-by was at work after {monotonic() - began:.1f} s")
    until(lambda: credited(stage, rows), 60)
    os.killpg(leader.pid, signal.SIGCONT)

    def is_refused() -> bool:
        log = (stage.folder / "output.log").read_bytes()[said:]
        # frozen inside a transaction, its connection is gone when it wakes
        words = (b"is read by somebody else", b"was lost", b"the database did not answer")
        return any(each in log for each in words)

    until(is_refused, 60, "for the old leader to find out")
    rows += paid(stage, wallet, 3)
    until(lambda: credited(stage, rows), 60)
    once(stage, rows)
    stage.kill(leader)
    stage.kill(standby)


def test_promise_05_of_two_loops_the_other_goes_on_when_one_is_killed(stage: Stage) -> None:
    wallet = stage.wallet()
    stream = stage.stream()
    words = ("execute-outgoing-transactions", "--loop", "--interval", "1")
    first = stage.start(*FLASK, *words)
    rows = paid(stage, wallet, 2)
    until(lambda: all(stage.status(row_id) == "completed" for row_id in rows), 60)
    stage.bank("/misbehave", mode="slow", seconds=10, times=1)
    rows += paid(stage, wallet, 1)
    until(lambda: stage.bank("/calls").get(f"{rows[-1]}-1"), 60, "for the call")
    second = stage.start(*FLASK, *words)
    stage.kill(first)
    began = monotonic()
    rows += paid(stage, wallet, 2)
    until(lambda: all(stage.status(row_id) == "completed" for row_id in rows), 200)
    print(f"all was paid {monotonic() - began:.1f} s after a loop was killed in its call")
    assert all(stage.paid_once(row_id) for row_id in rows)
    stage.kill(second)
    stage.kill(stream)


def test_promise_10_of_two_schedulers_each_tick_is_taken_once(stage: Stage) -> None:
    workers = stage.workers(processes=2)
    schedulers = [stage.start(str(SCRIPTS / "periodiq"), "anchor.actors") for _ in range(2)]
    query = "SELECT service, minute FROM ticks"
    until(lambda: {row[0] for row in stage.sql(query)} >= {"work", "check_trustlines"}, 100)
    found = stage.sql(query)
    assert len(found) == len(set(found))
    stage.kill(schedulers.pop())
    seen = len(found)
    until(lambda: len(stage.sql(query)) > seen, 100, "for the other scheduler")
    for process in (workers, *schedulers):
        stage.kill(process)


def test_promise_02_the_next_horizon_is_used_when_the_first_one_dies(tmp_path: Path) -> None:
    with staged(tmp_path) as lone, Front(lone.network) as front:
        urls = {"ANCHOR_HORIZON_URL": f"{front.url},{lone.network}"}
        lone.env |= urls
        lone.web()
        wallet = lone.wallet()
        stream = lone.stream("-x")
        rows = paid(lone, wallet, 1)
        until(lambda: lone.status(rows[0]) == "completed", 60)
        front.off()
        began = monotonic()
        rows += paid(lone, wallet, 2)
        until(lambda: all(lone.status(row_id) == "completed" for row_id in rows), 120)
        print(f"all was paid {monotonic() - began:.1f} s after the first Horizon died")
        told = lone.command("status")
        assert f"{front.name} is not in use" in told.stdout
        once(lone, rows)
        assert stream.poll() is None

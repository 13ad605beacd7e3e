"""Redis behind Sentinels as broker, with real processes."""

from pathlib import Path
from time import monotonic

import pytest

from tests.processes.brokers import Work, everything
from tests.processes.servers import Redis
from tests.processes.stage import staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_promise_10_all_is_done_behind_sentinels_when_the_master_is_killed(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with Redis(tmp_path / "redis") as redis:
        redis.server("one")
        redis.server("two", replica_of="one")
        url = redis.sentinels("one")
        with staged(tmp_path, ANCHOR_BROKER_URL=url) as stage:
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

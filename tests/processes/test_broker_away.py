"""A broker that is away while money comes, with real processes."""

import os
from pathlib import Path
from time import monotonic

import pytest

from tests.processes.brokers import Work, everything, while_away
from tests.processes.servers import Redis
from tests.processes.stage import staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: How long the broker is away, in seconds: 600 is ten minutes.
AWAY_S = int(os.environ.get("ANCHOR_TEST_BROKER_AWAY_S", "20"))


def test_promise_10_a_broker_that_is_away_for_long_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with Redis(tmp_path / "redis") as redis:
        url = redis.server("one")
        with staged(tmp_path, ANCHOR_BROKER_URL=url) as stage:
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

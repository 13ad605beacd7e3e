"""RabbitMQ as broker, with real processes."""

from pathlib import Path
from time import monotonic

import pytest

from tests.processes.brokers import Work, everything, while_away
from tests.processes.servers import Rabbit
from tests.processes.stage import staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_promise_10_all_is_done_with_rabbitmq_and_nothing_is_lost_when_it_is_killed(
    tmp_path: Path,
) -> None:
    (tmp_path / "rabbit").mkdir()
    with Rabbit(tmp_path / "rabbit") as rabbit:
        rabbit.start()
        with staged(tmp_path, ANCHOR_BROKER_URL=rabbit.url) as stage:
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

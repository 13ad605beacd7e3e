"""Money that comes by rail, with real processes that poll at once and die."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from stellar_sdk import Keypair

from tests.processes.stage import FLASK, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
COUNT = 40
_DEPOSIT = """
INSERT INTO transactions (id, kind, flow, status, version, owner_account, asset, asset_code, rail,
    settlement, amount_expected, amount_received, amount_paid, fee_fixed, fee_percent, decimals,
    details, reference, destination)
SELECT 'd' || n, 'deposit', 'programmatic', 'pending_user_transfer_start', 1, 'G', %s, 'USDC',
    'bank', 'stellar', 1000000000, 0, 0, 0, 0, 2, '{}', 'R' || n, %s
FROM generate_series(1, %s) n
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """An anchor with deposits that wait, and a rail that takes events."""
    with staged(tmp_path) as made:
        file = made.data / "anchor.toml"
        text = file.read_text()
        issuer = text.split('issuer = "')[1][:56]
        file.write_text(re.sub('webhook_secret = ".*"', 'webhook_secret = "the bank\'s"', text))
        made.web()
        until(made._answers, 60)
        made.stream()  # holds the servers, also without the web
        until(lambda: made.sql("SELECT 1 FROM accounts"), 60)
        made.sql(_DEPOSIT, f"USDC:{issuer}", Keypair.random().public_key, COUNT)
        yield made


def credited(stage: Stage) -> int:
    return int(stage.sql("SELECT count(*) FROM transactions WHERE amount_received > 0")[0][0])


def test_promise_01_several_processes_that_poll_at_once_and_die_credit_each_deposit_once(
    stage: Stage,
) -> None:
    for number in range(1, COUNT + 1):
        stage.bank("/deposits", amount="100", reference=f"R{number}")
    stage.bank("/deposits", amount="100", reference="nobody's")
    polls = [stage.start(*FLASK, "poll-pending-deposits", "--loop") for _ in range(3)]
    victim = stage.start(*FLASK, "poll-pending-deposits", "--loop", "--interval", "1")
    until(lambda: stage.sql("SELECT 1 FROM receipts"), 60)
    stage.kill(victim)
    until(lambda: credited(stage) == COUNT, 90)
    for process in polls:
        stage.kill(process)
    moves = stage.sql("SELECT count(*) FROM history WHERE event = 'funds_received'")
    assert moves == [(COUNT,)]
    found = stage.sql("SELECT verdict, count(*) FROM receipts GROUP BY verdict ORDER BY verdict")
    assert found == [("credited", COUNT), ("unmatched", 1)]
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]


def test_promise_01_an_event_outlives_the_web_that_took_it(stage: Stage) -> None:
    web = next(each for each in stage.running if "--bind" in each.args)  # type: ignore[operator]
    url = f"http://127.0.0.1:{stage.port}/rails/bank/webhook"
    stage.bank("/webhook", url=url, secret="the bank's")
    stage.bank("/deposits", amount="100", reference="R1")
    until(lambda: stage.sql("SELECT 1 FROM rail_events"), 30)
    stage.kill(web)
    assert credited(stage) == 0
    done = stage.command("work")
    assert done.returncode == 0, done.stderr
    assert credited(stage) == 1
    assert stage.command("poll-pending-deposits").returncode == 0
    assert stage.sql("SELECT count(*) FROM receipts") == [(1,)]

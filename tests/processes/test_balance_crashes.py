"""Real workers, really killed, between a claim of ours in a ledger and its record."""

from collections.abc import Iterator

import pytest
import requests
from stellar_sdk import Keypair

from tests.processes.stage import FLASK, Stage, followed
from tests.processes.test_deposit_crashes import book, knob, opened
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MONTH_S = 31 * 86_400


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with followed(tmp_path_factory.mktemp("stage")) as made:
        yield made


def until_true(stage: Stage, query: str) -> None:
    """Let whatever rests be done until a query finds something."""

    def found() -> bool:
        stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
        stage.command("work")
        return bool(stage.sql(query))

    until(found, 90, f"for {query}")


def waiting(stage: Stage) -> str:
    """Have a deposit paid by claimable balance, to an account that does not take the asset."""
    _, row_id, reference = opened(stage)
    book(stage, reference)
    account = Keypair.random().public_key
    requests.get(f"{stage.network}/friendbot", params={"addr": account}, timeout=5)
    stage.sql(
        "UPDATE transactions SET takes_claimable_balance = true, destination = %s WHERE id = %s"
        " RETURNING id",
        account,
        row_id,
    )
    assert stage.command("poll-pending-deposits").returncode == 0
    until_true(stage, "SELECT 1 FROM claimable_balances WHERE state = 'waiting'")
    return row_id


def test_promise_06_a_worker_killed_after_our_claim_takes_a_balance_back_once(
    stage: Stage,
) -> None:
    row_id = waiting(stage)
    knob(stage, "clock", seconds=MONTH_S)
    knob(stage, "close", ledgers=1)
    knob(stage, "freeze")
    workers = stage.workers()
    shot = stage.start(*FLASK, "work")
    reached = (
        "SELECT 1 FROM submissions s JOIN outflows o ON o.submission_id = s.id"
        " WHERE o.form = 'claim' AND s.state = 'submitted'"
    )
    stage.sql("UPDATE jobs SET due_at = now(), rung_at = NULL")
    until(lambda: stage.sql(reached), 60, "for the claim")
    for process in (shot, workers):
        stage.kill(process)
    knob(stage, "thaw")
    again = stage.workers()
    until_true(stage, "SELECT 1 FROM claimable_balances WHERE state = 'reclaimed'")
    stage.kill(again)
    assert stage.status(row_id) == "completed"
    assert stage.sql("SELECT state FROM outflows WHERE form = 'claim'") == [("done",)]
    cases = stage.sql("SELECT reason FROM cases WHERE reason LIKE 'balance%%'")
    assert cases == [("balance_reclaimed",)]
    [(owed,)] = stage.sql(
        "SELECT sum(amount) FROM postings WHERE account = 'treasury' AND cause LIKE '%%reclaimed'"
    )
    assert owed == 99_5000000

"""Real processes, really killed, between a booking at the bank and a closed ledger."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.stage import FLASK, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        made.web()
        stream = made.stream()
        made.wallet()
        until(lambda: made.sql("SELECT 1 FROM accounts"), 30)
        yield made
        made.kill(stream, signal.SIGTERM)


def knob(stage: Stage, name: str, **body: Any) -> None:
    requests.post(f"{stage.network}/sandbox/{name}", json=body, timeout=5).raise_for_status()


def booked(stage: Stage) -> tuple[Wallet, str]:
    """Open a deposit of 100 and let the bank book its money; return the wallet and its id."""
    wallet = stage.wallet()
    row_id, reference = wallet.ask_to_deposit(
        CODE, "100", bank_account_number="DE89370400440532013000", bank_account_holder="A"
    )
    order = {"amount": "100", "reference": reference, "payer": "A"}
    requests.post(f"{stage.network}/bank/deposits", json=order, timeout=5).raise_for_status()
    return wallet, row_id


def held(stage: Stage, wallet: Wallet) -> str:
    found = requests.get(f"{stage.network}/accounts/{wallet.keys.public_key}", timeout=5).json()
    return str(next(x["balance"] for x in found["balances"] if x.get("asset_code") == CODE))


def finish(stage: Stage, wallet: Wallet, row_id: str) -> None:
    """Start a new worker: the deposit is completed, and the wallet was paid once."""
    workers = stage.workers()

    def done() -> bool:
        stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
        stage.command("poll-pending-deposits")
        return stage.status(row_id) == "completed"

    until(done, 90, f"it is {stage.status(row_id)}")
    assert held(stage, wallet) == "10099.5000000"
    states = stage.sql(
        "SELECT s.state FROM submissions s JOIN outflows o ON o.submission_id = s.id"
        " WHERE o.transaction_id = %s",
        row_id,
    )
    assert states == [("confirmed",)]
    stage.kill(workers)


@pytest.mark.parametrize(
    ("fault", "body", "reached"),
    [
        pytest.param(
            "misbehave",
            {"get": "/fee_stats", "answer": "504", "times": 30},
            "SELECT 1 FROM submissions s WHERE state = 'prepared' AND NOT EXISTS"
            " (SELECT 1 FROM envelopes e WHERE e.submission_id = s.id)",
            id="a submission without an envelope",
        ),
        pytest.param(
            "misbehave",
            {"answer": "cut-lost", "times": 30},
            "SELECT 1 FROM envelopes e JOIN submissions s ON s.id = e.submission_id"
            " WHERE s.state = 'prepared'",
            id="an envelope that was lost on its way",
        ),
        pytest.param(
            "misbehave",
            {"answer": "504-applied", "times": 1},
            "SELECT 1 FROM envelopes e JOIN submissions s ON s.id = e.submission_id"
            " WHERE s.state = 'prepared'",
            id="an envelope that arrived, without an answer",
        ),
        pytest.param(
            "freeze",
            {},
            "SELECT 1 FROM submissions WHERE state = 'submitted'",
            id="in a ledger that nobody is shown",
        ),
    ],
)
def test_promise_06_a_worker_killed_on_the_way_to_the_ledger_pays_a_deposit_once(
    stage: Stage, fault: str, body: dict[str, Any], reached: str
) -> None:
    wallet, row_id = booked(stage)
    knob(stage, fault, **body)
    workers = stage.workers()
    shot = stage.start(*FLASK, "poll-pending-deposits")
    until(lambda: stage.sql(reached), 60, "for the window")
    for process in (shot, workers):
        stage.kill(process)
    if fault == "freeze":
        knob(stage, "thaw")
    finish(stage, wallet, row_id)


def test_promise_06_postgresql_killed_on_the_way_pays_a_deposit_once(stage: Stage) -> None:
    wallet, row_id = booked(stage)
    knob(stage, "freeze")
    workers = stage.workers()
    shot = stage.start(*FLASK, "poll-pending-deposits")
    until(lambda: stage.sql("SELECT 1 FROM submissions WHERE state = 'submitted'"), 60)
    state = (stage.data / "servers" / "state.json").read_text()
    os.kill(_postmaster(state), signal.SIGKILL)
    for process in (shot, workers):
        stage.kill(process)
    knob(stage, "thaw")
    until(lambda: stage.command("migrate").returncode == 0, 60, "for the database's return")
    finish(stage, wallet, row_id)


def _postmaster(state: str) -> int:
    base = Path(json.loads(state)["base"])
    return int((base / "postgres" / "postmaster.pid").read_text().splitlines()[0])

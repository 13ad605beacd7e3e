"""Real processes, really killed, between the decision to send money back and its end.

The windows are those of `anchor.services.refunds`: on the ledger a refund travels in a
submission, at a bank it is an order under a key. Whatever is killed: the payer has it once.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from anchor.sandbox.ground import CODE
from tests.processes.stage import FLASK, Stage, followed
from tests.processes.test_deposit_crashes import WINDOWS, held, knob, opened
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAYER = "GB33BUKB20201555555555"
ON_THE_LEDGER = (
    "a submission without an envelope",
    "an envelope that was lost on its way",
    "an envelope that arrived, without an answer",
    "in a ledger that nobody is shown",
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with followed(tmp_path_factory.mktemp("stage")) as made:
        yield made


def command(stage: Stage, *words: str) -> None:
    done = stage.command(*words)
    assert done.returncode == 0, done.stderr


def hurry(stage: Stage) -> None:
    stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")


def finish(stage: Stage, row_id: str, service: str) -> None:
    """Work until it is refunded: all of it in one outflow, and nothing is on the desk."""

    def done() -> bool:
        hurry(stage)
        stage.command(service)
        return stage.status(row_id) == "refunded"

    until(done, 90, f"it is {stage.status(row_id)}")
    query = "SELECT kind, state, amount FROM outflows WHERE transaction_id = %s"
    assert stage.sql(query, row_id) == [("refund", "done", 100_0000000)]
    assert stage.sql("SELECT reason, note FROM cases") == []
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]


@pytest.mark.parametrize("window", ON_THE_LEDGER)
def test_promise_06_a_worker_killed_in_a_refund_on_the_ledger_sends_it_back_once(
    stage: Stage, window: str
) -> None:
    at = WINDOWS[window]
    wallet = stage.wallet()
    asked = stage.ask(wallet)
    wallet.pay(asked, CODE)
    row_id = asked["id"]
    until(lambda: stage.status(row_id) == "pending_anchor", 60)
    command(stage, "hold", row_id)
    assert held(stage, wallet) == "9900.0000000"
    assert at.network is not None
    name, body = at.network
    knob(stage, name, **body)
    command(stage, "refund", row_id, "--note", "they changed their mind")

    def is_reached(stage: Stage, _row_id: str) -> bool:
        found = bool(stage.sql(at.reached))
        if found and at.closes:
            knob(stage, "close")
        return found

    _kill_at(stage, "work", is_reached, row_id)
    for calm in ("behave", "thaw"):
        knob(stage, calm)
    workers = stage.workers()
    finish(stage, row_id, "work")
    stage.kill(workers)
    assert held(stage, wallet) == "10000.0000000"
    assert not [t for t in stage.bank("/transfers") if t["key"].startswith(row_id)]


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("hang", id="the bank has not read the order"),
        pytest.param("slow", id="the bank has paid, and not answered"),
    ],
)
def test_promise_06_a_worker_killed_in_a_refund_by_rail_sends_it_back_once(
    stage: Stage, mode: str
) -> None:
    wallet, row_id, reference = opened(stage)
    account = f"/accounts/{wallet.keys.public_key}"
    knob(stage, "misbehave", get=account, answer="504", times=99)
    stage.bank("/deposits", amount="100", reference=reference, payer=PAYER)
    stage.command("poll-pending-deposits")
    command(stage, "hold", row_id)
    knob(stage, "behave")
    stage.bank("/misbehave", mode=mode, seconds=8, times=1)
    command(stage, "refund", row_id)
    service = "execute-outgoing-transactions"
    _kill_at(stage, service, _asked if mode == "hang" else _sent_back, row_id)
    workers = stage.workers()
    finish(stage, row_id, service)
    stage.kill(workers)
    assert [(t["account"], t["amount"]) for t in _sent_back(stage, row_id)] == [(PAYER, "100")]
    assert held(stage, wallet) == "10000.0000000"


def _keys(stage: Stage, row_id: str) -> set[str]:
    query = "SELECT key FROM outflows WHERE transaction_id = %s"
    return {key for (key,) in stage.sql(query, row_id)}


def _asked(stage: Stage, row_id: str) -> bool:
    return bool(_keys(stage, row_id) & stage.bank("/calls").keys())


def _sent_back(stage: Stage, row_id: str) -> list[Any]:
    keys = _keys(stage, row_id)
    return [each for each in stage.bank("/transfers") if each["key"] in keys]


def _kill_at(
    stage: Stage, service: str, is_reached: Callable[[Stage, str], Any], row_id: str
) -> None:
    """Let workers and a pass do it, and kill them once the window is reached."""
    workers, shot = stage.workers(), stage.start(*FLASK, service)
    hurry(stage)
    until(lambda: is_reached(stage, row_id), 60, "for the window")
    for process in (shot, workers):
        stage.kill(process)

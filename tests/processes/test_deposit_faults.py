"""Real processes and a network that does not do as it should: each deposit is paid once.

Web, stream, worker and a loop that polls run all the time; nobody helps them.
"""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes.stage import FLASK, Stage, staged
from tests.processes.test_deposit_crashes import book, held, knob, opened
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        made.web()
        stream = made.stream()
        made.workers()
        made.start(*FLASK, "poll-pending-deposits", "--loop", "--interval", "1")
        made.wallet()
        until(lambda: made.sql("SELECT 1 FROM accounts"), 30)
        yield made
        made.kill(stream, signal.SIGTERM)


def paid_once(stage: Stage, row_ids: dict[str, Any]) -> None:
    for row_id, wallet in row_ids.items():
        until(lambda row=row_id: stage.status(row) == "completed", 120)  # type: ignore[misc]
        assert held(stage, wallet) == "10099.5000000"
    carried = stage.sql(
        "SELECT count(*) FROM outflows WHERE transaction_id = ANY(%s) AND state = 'done'",
        list(row_ids),
    )
    assert carried == [(len(row_ids),)]


def in_order(stage: Stage) -> None:
    left_out = (
        "SELECT t.id FROM transactions t WHERE status = 'completed' AND NOT EXISTS (SELECT 1 FROM"
        " payments p WHERE p.transaction_hash = t.stellar_transaction_id AND direction = 'out')"
    )
    until(lambda: not stage.sql(left_out), 90, "for the stream to see what was paid")
    assert stage.sql("SELECT reason, note FROM cases") == []
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param("misbehave", {"answer": "504-applied", "times": 2}, id="504 but applied"),
        pytest.param("misbehave", {"answer": "504-lost", "times": 2}, id="504 and not applied"),
        pytest.param("misbehave", {"answer": "tx_bad_seq", "times": 2}, id="tx_bad_seq"),
        pytest.param("surge", {"stroops": 900}, id="fees raised"),
        pytest.param("streams", {"fault": "stall", "seconds": 5}, id="stream stalled"),
        pytest.param("drop-streams", {}, id="stream hung up"),
    ],
)
def test_promise_06_whatever_the_network_does_a_deposit_is_paid_once(
    stage: Stage, name: str, body: dict[str, Any]
) -> None:
    wallet, row_id, reference = opened(stage)
    knob(stage, name, **body)
    book(stage, reference)
    paid_once(stage, {row_id: wallet})
    knob(stage, "behave")  # what was not used up is for nobody else
    knob(stage, "surge", stroops=0)
    in_order(stage)


def test_promise_12_an_outage_of_several_back_offs_ends_by_itself(stage: Stage) -> None:
    """Horizon answers 500 to everything, for as long as it takes to be postponed four times."""
    waiting = [opened(stage) for _ in range(2)]
    knob(stage, "misbehave", answer="500", times=100_000, get="/")
    knob(stage, "misbehave", answer="500", times=100_000)
    book(stage, waiting[0][2])
    tried = "SELECT 1 FROM jobs WHERE kind = 'pay_on_ledger' AND attempts >= 4"
    until(lambda: stage.sql(tried), 90, "for several back-offs")
    book(stage, waiting[1][2])
    credited = "SELECT count(*) FROM transactions WHERE id = ANY(%s) AND amount_received > 0"
    until(lambda: stage.sql(credited, [row_id for _, row_id, _ in waiting]) == [(2,)], 60)
    assert {stage.status(row_id) for _, row_id, _ in waiting} == {"pending_anchor"}
    knob(stage, "behave")
    paid_once(stage, {row_id: wallet for wallet, row_id, _ in waiting})
    in_order(stage)

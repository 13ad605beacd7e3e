"""Real processes, really killed, between a deposit to a contract account and a closed ledger.

The windows are those of `anchor.services.submissions`. Whatever was killed: the contract is
paid once, the deposit is completed, and nothing is on the desk.
"""

from collections.abc import Iterator

import pytest
from stellar_sdk import Asset

from anchor.config import TESTNET_PASSPHRASE
from anchor.sandbox import contract_accounts
from anchor.sandbox.ground import CODE
from tests.processes.stage import Stage, followed
from tests.processes.test_deposit_crashes import Window, demand_known, killed, knob
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_ENVELOPE = (
    "SELECT 1 FROM envelopes e JOIN submissions s ON s.id = e.submission_id"
    " WHERE s.state = 'prepared'"
)
_SUBMITTED = "SELECT 1 FROM submissions WHERE state = 'submitted'"
WINDOWS = {
    "credited and not queued": Window(
        "SELECT 1 FROM jobs WHERE kind = 'pay_on_ledger' AND attempts > 0",
        ("misbehave", {"at": "rpc", "answer": "503", "times": 99}),
    ),
    "a submission without an envelope": Window(
        "SELECT 1 FROM submissions s WHERE state = 'prepared' AND NOT EXISTS"
        " (SELECT 1 FROM envelopes e WHERE e.submission_id = s.id)",
        ("misbehave", {"get": "/fee_stats", "answer": "504", "times": 99}),
    ),
    "an envelope that is stored and was lost on its way": Window(
        _ENVELOPE, ("misbehave", {"answer": "cut-lost", "times": 99})
    ),
    "an envelope that arrived, without an answer": Window(
        _ENVELOPE, ("misbehave", {"answer": "504-applied", "times": 1})
    ),
    "handed in, and in no ledger yet": Window(_SUBMITTED, ("freeze", {})),
    "in a ledger, and not in our record": Window(_SUBMITTED, ("freeze", {}), closes=True),
}
KILLED = [
    *(("workers", window) for window in WINDOWS),
    ("sandbox", "in a ledger, and not in our record"),
    ("postgresql", "in a ledger, and not in our record"),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with followed(tmp_path_factory.mktemp("stage")) as made:
        yield made


def holds(stage: Stage, contract: str) -> int:
    [(issuer,)] = stage.sql("SELECT DISTINCT split_part(asset, ':', 2) FROM transactions")
    rpc_url = f"{stage.network}/rpc"
    asset = Asset(CODE, issuer)
    return contract_accounts.balance(
        contract, asset, rpc_url=rpc_url, passphrase=TESTNET_PASSPHRASE
    )


def open_deposit(stage: Stage) -> tuple[str, str, str]:
    """Open a deposit of 100 to a contract account; return that, its id and its reference."""
    wallet = stage.wallet()
    contract = wallet.log_in_as_contract()
    details = {"bank_account_number": "DE89370400440532013000", "bank_account_holder": "A"}
    return contract, *wallet.ask_to_deposit(CODE, "100", **details)


def finish(stage: Stage, row_id: str, contract: str) -> None:
    """Poll until the deposit is completed: it was paid once, and all is in order."""

    def done() -> bool:
        stage.sql("UPDATE outflows SET not_before = NULL")
        stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
        stage.command("poll-pending-deposits")
        return stage.status(row_id) == "completed"

    until(done, 90, f"it is {stage.status(row_id)}")
    assert holds(stage, contract) == 99_5000000
    query = (
        "SELECT s.state FROM submissions s JOIN outflows o ON o.submission_id = s.id"
        " WHERE o.transaction_id = %s"
    )
    assert stage.sql(query, row_id) == [("confirmed",)]
    assert stage.sql("SELECT reason, note FROM cases") == []
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]


@pytest.mark.parametrize(
    ("victim", "window"), [pytest.param(*each, id=": ".join(each)) for each in KILLED]
)
def test_promise_06_whatever_is_killed_a_contract_account_is_paid_once(
    stage: Stage, victim: str, window: str
) -> None:
    at = WINDOWS[window]
    contract, row_id, reference = open_deposit(stage)
    assert at.network is not None
    knob(stage, at.network[0], **at.network[1])
    with killed(stage, victim, at, reference):
        finish(stage, row_id, contract)


def test_promise_01_what_left_for_contracts_meanwhile_is_known_to_be_ours(stage: Stage) -> None:
    demand_known(stage)

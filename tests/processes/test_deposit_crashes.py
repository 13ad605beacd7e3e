"""Real processes, really killed, between a booking at the bank and a closed ledger.

Each window is held open by a knob; then something is killed by SIGKILL: the workers with the
poll, the stream runner, the sandbox with its network and its bank, or PostgreSQL. Whatever it
was: the deposit is paid once, completed, and nothing is on the desk. A part of the table runs
always; `ANCHOR_TEST_LONG=1` runs all of it (some six minutes: a network that is killed
forgets what it has taken, and an envelope is replaced when its time is over).
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import requests

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.stage import FLASK, Stage, followed
from tests.processes.test_up import keepers
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with followed(tmp_path_factory.mktemp("stage")) as made:
        yield made


def knob(stage: Stage, name: str, **body: Any) -> None:
    requests.post(f"{stage.network}/sandbox/{name}", json=body, timeout=5).raise_for_status()


def opened(stage: Stage) -> tuple[Wallet, str, str]:
    """Open a deposit of 100; return the wallet, its id and the reference to pay under."""
    wallet = stage.wallet()
    row_id, reference = wallet.ask_to_deposit(
        CODE, "100", bank_account_number="DE89370400440532013000", bank_account_holder="A"
    )
    return wallet, row_id, reference


def book(stage: Stage, reference: str) -> None:
    stage.bank("/deposits", amount="100", reference=reference, payer="A")


def held(stage: Stage, wallet: Wallet) -> str:
    found = requests.get(f"{stage.network}/accounts/{wallet.keys.public_key}", timeout=5).json()
    return str(next(x["balance"] for x in found["balances"] if x.get("asset_code") == CODE))


def finish(stage: Stage, wallet: Wallet, row_id: str) -> None:
    """Poll until the deposit is completed: it was paid once, and all is in order."""

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
    assert stage.sql("SELECT reason, note FROM cases") == []
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]


# -- the windows -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """A place between two records: what holds it open, and how it is known to be reached."""

    reached: str
    network: tuple[str, dict[str, Any]] | None = None
    bank: dict[str, Any] | None = None
    closes: bool = False


_ENVELOPE = (
    "SELECT 1 FROM envelopes e JOIN submissions s ON s.id = e.submission_id"
    " WHERE s.state = 'prepared'"
)
_SUBMITTED = "SELECT 1 FROM submissions WHERE state = 'submitted'"
WINDOWS = {
    "booked and not read": Window(
        "SELECT 1 FROM jobs WHERE kind = 'poll_pending_deposits' AND leased_until > now()",
        bank={"at": "deposits", "mode": "slow", "seconds": 8, "times": 1},
    ),
    "credited and not queued": Window(
        "SELECT 1 FROM jobs WHERE kind = 'pay_on_ledger' AND attempts > 0",
        ("misbehave", {"get": "/accounts/{account}", "answer": "504", "times": 99}),
    ),
    "a submission without an envelope": Window(
        "SELECT 1 FROM submissions s WHERE state = 'prepared' AND NOT EXISTS"
        " (SELECT 1 FROM envelopes e WHERE e.submission_id = s.id)",
        ("misbehave", {"get": "/fee_stats", "answer": "504", "times": 99}),
    ),
    "an envelope that was lost on its way": Window(
        _ENVELOPE, ("misbehave", {"answer": "cut-lost", "times": 99})
    ),
    "an envelope that arrived, without an answer": Window(
        _ENVELOPE, ("misbehave", {"answer": "504-applied", "times": 1})
    ),
    "taken, and in no ledger yet": Window(_SUBMITTED, ("freeze", {})),
    "in a ledger that nobody is shown": Window(_SUBMITTED, ("freeze", {}), closes=True),
}


# -- the victims -----------------------------------------------------------------------------


@dataclass
class Cast:
    """The processes that bring a deposit to the ledger."""

    stage: Stage
    workers: Any
    shot: Any

    def kill_workers(self) -> None:
        for process in (self.shot, self.workers):
            self.stage.kill(process)

    def kill_stream(self) -> None:
        running = self.stage.running
        for process in [each for each in running if "watch-transactions" in each.args]:  # type: ignore[operator]
            self.stage.kill(process)

    def kill_sandbox(self) -> None:
        [pid] = [p for p, line in keepers(self.stage).items() if "anchor.sandbox.keeper" in line]
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in keepers(self.stage), 10, "for its end")

    def kill_postgresql(self) -> None:
        state = json.loads((self.stage.data / "servers" / "state.json").read_text())
        pid = (Path(state["base"]) / "postgres" / "postmaster.pid").read_text().splitlines()[0]
        os.kill(int(pid), signal.SIGKILL)

    def calm(self) -> None:
        """Let everything do as it should from now on."""
        knob(self.stage, "behave")
        knob(self.stage, "thaw")

    def revive(self) -> None:
        """Start again whatever was killed; those that live have to find it by themselves."""
        until(lambda: self.stage.command("migrate").returncode == 0, 60, "for the servers")
        self.calm()
        if self.workers not in self.stage.running:
            self.workers = self.stage.workers()
        if not any("watch-transactions" in each.args for each in self.stage.running):  # type: ignore[operator]
            self.stage.stream()


VICTIMS: dict[str, Callable[[Cast], None]] = {
    "workers": Cast.kill_workers,
    "stream": Cast.kill_stream,
    "sandbox": Cast.kill_sandbox,
    "postgresql": Cast.kill_postgresql,
}
ALWAYS = {
    *(("workers", window) for window in WINDOWS if window != "taken, and in no ledger yet"),
    ("stream", "in a ledger that nobody is shown"),
    ("sandbox", "an envelope that arrived, without an answer"),
    ("sandbox", "in a ledger that nobody is shown"),
    ("postgresql", "in a ledger that nobody is shown"),
}
_long = pytest.mark.skipif(not os.environ.get("ANCHOR_TEST_LONG"), reason="ANCHOR_TEST_LONG is off")


TABLE = [
    pytest.param(*each, id=": ".join(each), marks=() if each in ALWAYS else _long)
    for each in product(VICTIMS, WINDOWS)
]


@pytest.mark.parametrize(("victim", "window"), TABLE)
def test_promise_06_whatever_is_killed_on_the_way_to_the_ledger_a_deposit_is_paid_once(
    stage: Stage, victim: str, window: str
) -> None:
    at = WINDOWS[window]
    wallet, row_id, reference = opened(stage)
    if at.network is not None:
        name, body = at.network
        place = str(body.get("get", "")).format(account=wallet.keys.public_key)
        knob(stage, name, **(body | ({"get": place} if place else {})))
    if at.bank is not None:
        stage.bank("/misbehave", **at.bank)
    with killed(stage, victim, at, reference):
        finish(stage, wallet, row_id)


@contextmanager
def killed(stage: Stage, victim: str, at: Window, reference: str) -> Iterator[None]:
    """Pay a deposit in, kill somebody in a window that is held open, and let the rest go on."""
    book(stage, reference)
    acting = Cast(stage, stage.workers(), stage.start(*FLASK, "poll-pending-deposits"))
    until(lambda: stage.sql(at.reached), 60, "for the window")
    if at.closes:
        knob(stage, "close")
    VICTIMS[victim](acting)
    acting.revive()
    yield
    stage.kill(acting.workers)


def test_promise_01_what_left_us_meanwhile_is_known_to_be_ours(stage: Stage) -> None:
    demand_known(stage)


def demand_known(stage: Stage) -> None:
    """Wait until all that left was seen by the stream; nothing of it is on the desk."""
    left_out = (
        "SELECT t.id FROM transactions t WHERE status = 'completed' AND NOT EXISTS (SELECT 1 FROM"
        " payments p WHERE p.transaction_hash = t.stellar_transaction_id AND direction = 'out')"
    )
    until(lambda: not stage.sql(left_out), 60, "for the stream to see what was paid")
    assert stage.sql("SELECT reason, note FROM cases") == []
    assert stage.sql("SELECT stopped_reason FROM accounts") == [(None,)]


def test_promise_02_a_network_that_comes_back_without_its_ledgers_is_handed_nothing(
    stage: Stage,
) -> None:
    """The last of this file: it leaves the stage on another network."""
    wallet, row_id, reference = opened(stage)
    knob(stage, "misbehave", answer="cut-lost", times=99)
    book(stage, reference)
    acting = Cast(stage, stage.workers(), stage.start(*FLASK, "poll-pending-deposits"))
    until(lambda: stage.sql(_ENVELOPE), 60, "for an envelope")
    acting.kill_workers()
    acting.kill_sandbox()
    (stage.data / "sandbox" / "network.jsonl").unlink()
    until(lambda: stage.command("migrate").returncode == 0, 60, "for another network")
    stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
    stage.workers()
    assert stage.command("poll-pending-deposits").returncode in {0, 1}
    told = "SELECT 1 FROM cases WHERE reason = 'job_failing' AND strpos(cause, 'Misconfigured') > 0"
    until(lambda: stage.sql(told), 60, "for the driver to tell")
    until(
        lambda: stage.sql(
            "SELECT 1 FROM accounts WHERE strpos(stopped_reason, 'adopt-network') > 0"
        )
    )
    assert stage.status(row_id) == "pending_stellar"
    status = stage.command("status")
    assert status.returncode == 1
    assert "adopt-network" in status.stdout
    keys = wallet.keys.public_key
    assert requests.get(f"{stage.network}/accounts/{keys}", timeout=5).status_code == 404

"""Real processes, really killed, between two anchors: what is sent is paid once, delivered once.

Ours runs as an operator runs it; theirs is a whole anchor on the same network, which keeps an
answer back so that a window stays open. Then the worker is killed by SIGKILL in it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from sqlalchemy import select

from anchor import create_app
from anchor.config import TESTNET_PASSPHRASE
from anchor.extensions import db, transaction
from anchor.ledger.keys import account_of
from anchor.models import Payment, Transaction
from anchor.sandbox.bank import Bank
from anchor.sandbox.ground import CODE, establish, new_keys
from anchor.services import sweeps
from anchor.services.payouts import POLL
from anchor.services.transactions import PAY_OUT
from tests.conftest import _copied
from tests.processes.stage import FLASK, Stage, staged
from tests.puppets import due_now
from tests.remitting import DETAILS, Mask, receiving, served
from tests.waiting import until
from tests.world import World, dispose, settings_on

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Scene:
    """Our processes, their anchor, and what stands between."""

    stage: Stage
    theirs: World
    mask: Mask
    domain: str

    def send(self) -> str:
        """Send 100 of the house; return the id."""
        file = self.stage.folder / "details.json"
        file.write_text(json.dumps(DETAILS))
        done = self.stage.command(
            *("send", "--to", self.domain, "--asset", CODE, "--amount", "100"),
            *("--details", str(file), "--house", "--json"),
        )
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["id"])

    def worker(self) -> Any:
        """Start a process that does what is due, again and again."""
        return self.stage.start(*FLASK, "work", "--loop", "--interval", "1")

    def deliver(self) -> None:
        with self.theirs.app.app_context():
            self.theirs.read()
            due_now()
            sweeps.work_off([PAY_OUT, POLL])

    def of_theirs(self, query: Any) -> list[Any]:
        with self.theirs.app.app_context(), transaction():
            return list(db.session.execute(query).all())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, servers: Any, template: str) -> Iterator[Scene]:
    mask = Mask()
    with (
        staged(tmp_path_factory.mktemp("stage")) as stage,
        _copied(servers, template) as database,
        served(mask) as domain,
    ):
        file = stage.data / "anchor.toml"
        table = f'\n[receiving_anchors."{domain}"]\ncap = "10000"\n'
        file.write_text(file.read_text() + table)
        secrets = json.loads((stage.data / "secrets.json").read_text())
        network: Any = SimpleNamespace(url=stage.network)
        keys = replace(new_keys(), issuer=secrets["issuer"])
        establish(stage.network, TESTNET_PASSPHRASE, keys)
        settings = settings_on(stage.network, keys, database, None)
        theirs = receiving(settings, domain, _signing(stage))
        world = World(create_app(theirs), theirs, network, Bank())
        mask.app = world.app
        stage.web()
        until(stage._answers, 60, "for the web, which holds the servers")
        stage.stream()
        until(lambda: stage.sql("SELECT 1 FROM accounts"), 60, "for a stream runner")
        yield Scene(stage, world, mask, domain)
        dispose(world.app)


def _signing(stage: Stage) -> str:
    return account_of(json.loads((stage.data / "secrets.json").read_text())["signing"])


def finish(scene: Scene, row_id: str, before: int) -> None:
    """Bring it to its end: they were paid once, and they paid once."""
    stage = scene.stage

    def done() -> bool:
        stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
        scene.deliver()
        return stage.status(row_id) == "completed"

    until(done, 120, f"it is {stage.status(row_id)}")
    scene.deliver()
    [(remote_id,)] = stage.sql(
        "SELECT remote_id FROM remittances WHERE transaction_id = %s", row_id
    )
    states = scene.of_theirs(select(Transaction.status).where(Transaction.id == remote_id))
    assert states == [("completed",)]
    credited = select(Payment.verdict).where(Payment.direction == "in")
    assert scene.of_theirs(credited) == [("credited",)] * (before + 1)
    outflows = stage.sql("SELECT state FROM outflows WHERE transaction_id = %s", row_id)
    assert [state for (state,) in outflows if state != "refused"] == [("done")]
    assert stage.sql("SELECT reason, note FROM cases") == []
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]


def paid_so_far(scene: Scene) -> int:
    scene.deliver()
    return len(scene.of_theirs(select(Payment.id).where(Payment.direction == "in")))


WINDOWS = {
    "1: a customer is known there, and no transaction": "PUT /kyc/customer",
    "2: a transaction is there, and not stored": "POST /sep31/transactions",
    "3: it is stored, and not paid": "GET /sep31/transactions",
}


@pytest.mark.parametrize("begins", WINDOWS.values(), ids=list(WINDOWS))
def test_promise_06_a_worker_that_is_killed_before_it_is_paid_pays_once(
    scene: Scene, begins: str
) -> None:
    before, worker = paid_so_far(scene), scene.worker()
    scene.mask.hold(begins)
    row_id = scene.send()
    assert scene.mask.is_held.wait(60)
    scene.stage.kill(worker)
    scene.mask.may_go.set()
    worker = scene.worker()
    finish(scene, row_id, before)
    scene.stage.kill(worker)


def test_promise_06_a_worker_that_is_killed_while_a_ledger_is_awaited_pays_once(
    scene: Scene,
) -> None:
    def knob(name: str) -> None:
        url = f"{scene.stage.network}/sandbox/{name}"
        requests.post(url, json={}, timeout=5).raise_for_status()

    before, worker = paid_so_far(scene), scene.worker()
    knob("freeze")
    row_id = scene.send()
    submitted = (
        "SELECT 1 FROM submissions s JOIN outflows o ON o.submission_id = s.id"
        " WHERE s.state = 'submitted' AND o.transaction_id = %s"
    )
    until(lambda: scene.stage.sql(submitted, row_id), 60, "for a submission")
    scene.stage.kill(worker)
    knob("close")
    knob("thaw")
    worker = scene.worker()
    finish(scene, row_id, before)
    scene.stage.kill(worker)


def test_promise_06_a_worker_that_is_killed_after_it_is_paid_asks_on(scene: Scene) -> None:
    before, worker = paid_so_far(scene), scene.worker()
    row_id = scene.send()
    until(lambda: scene.stage.status(row_id) == "pending_external", 90, "for its payment")
    scene.mask.hold("GET /sep31/transactions")
    scene.stage.sql("UPDATE jobs SET due_at = now() WHERE leased_until IS NULL")
    assert scene.mask.is_held.wait(60)
    scene.stage.kill(worker)
    scene.mask.may_go.set()
    worker = scene.worker()
    finish(scene, row_id, before)
    scene.stage.kill(worker)

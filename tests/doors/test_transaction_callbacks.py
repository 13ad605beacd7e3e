"""A wallet is told of each change of its transaction, whatever made it, and nobody waits for it."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from anchor.extensions import db, transaction
from anchor.models import Callback, Job, Transaction
from anchor.services import sweeps
from anchor.services.callbacks import CALLBACK
from tests.deposits import Bench
from tests.doors.test_sep24 import filled, opened, shown
from tests.test_callbacks import DOWN, NO_CONTENT, listening
from tests.world import World


@pytest.fixture
def client(world: World) -> Any:
    return world.app.test_client()


def to_be_told(transaction_id: str, url: str) -> None:
    with transaction():
        mine = Transaction.id == transaction_id
        db.session.execute(update(Transaction).where(mine).values(callback_url=url))


def owed(transaction_id: str) -> list[dict[str, Any]]:
    with transaction():
        mine = Callback.subject == f"interactive/{transaction_id}"
        bodies = db.session.scalars(select(Callback.body).where(mine).order_by(Callback.id))
        return [json.loads(body or "{}")["transaction"] for body in bodies]


@pytest.mark.conforms("CB-04", "CB-09")
def test_each_change_of_status_is_told_in_order_as_the_door_shows_it(
    world: World, client: Any
) -> None:
    one = opened(world, client)
    with listening(NO_CONTENT) as wallet:
        to_be_told(one["id"], f"http://127.0.0.1:{wallet.port}/told")
        filled(client, one)
        at_first = shown(client, one)
        world.pay("100", at_first["withdraw_memo"])
        world.read()
        world.work()
        sweeps.work_off([CALLBACK])
        told = [json.loads(body)["transaction"] for _, body in wallet.requests]
    assert [each["status"] for each in told] == [
        "pending_user_transfer_start",
        "pending_anchor",
        "completed",
    ]
    now = shown(client, one)
    for each in (*told, at_first, now):
        assert f"/{one['id']}" in each.pop("more_info_url")
    assert told[0] == at_first
    assert told[-1] == now


@pytest.mark.conforms("CB-09")
def test_a_wallet_that_is_down_holds_up_no_money(world: World, client: Any) -> None:
    one = opened(world, client)
    with listening(DOWN) as wallet:
        to_be_told(one["id"], f"http://127.0.0.1:{wallet.port}/told")
        filled(client, one)
        world.pay("100", shown(client, one)["withdraw_memo"])
        sweeps.work_off([CALLBACK])
        world.read()
        world.work()
        assert shown(client, one)["status"] == "completed"
    assert len(owed(one["id"])) == 3
    with transaction():
        job = db.session.scalars(select(Job).where(Job.kind == CALLBACK)).one()
    assert job.attempts == 1


@pytest.mark.conforms("ST-03", "ST-04")
def test_where_the_status_stays_its_instant_stays_and_nobody_is_told(
    world: World, client: Any
) -> None:
    """Half of the money leaves a withdrawal where it is; the other half moves it on."""
    Bench(world).serve(replace(world.policy, matching="collect"))
    one = opened(world, client)
    to_be_told(one["id"], "https://wallet.example/told")
    filled(client, one)
    seen = [shown(client, one)]
    for received in (50_0000000, 100_0000000):
        world.pay("50", seen[0]["withdraw_memo"])
        world.read()
        assert world.row(one["id"]).amount_received == received
        seen.append(shown(client, one))
    world.work()
    seen.append(shown(client, one))
    waiting, half, whole, done = seen
    assert [each["status"] for each in (waiting, half)] == ["pending_user_transfer_start"] * 2
    assert half["updated_at"] == waiting["updated_at"]
    assert [each["status"] for each in owed(one["id"])] == [
        "pending_user_transfer_start",
        "pending_anchor",
        "completed",
    ]
    assert half["updated_at"] < whole["updated_at"] < done["updated_at"]
    assert ["user_action_required_by" in each for each in seen] == [True, True, False, False]
    assert [each["completed_at"] for each in (waiting, half, whole)] == [None] * 3
    assert whole["updated_at"] < done["completed_at"] <= done["updated_at"]


def test_nobody_is_told_who_did_not_ask(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)
    assert owed(one["id"]) == []


def test_a_process_without_doors_tells_as_well() -> None:
    """Workers and the stream change most statuses, and open no door."""
    code = (
        "import sys; from anchor import composition; from anchor.services import callbacks;"
        "assert not [name for name in sys.modules if name.startswith('anchor.blueprints')];"
        "print([callbacks.is_declared(each) for each in ('interactive', 'programmatic', 'send')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == "[True, True, True]", done.stderr

"""What is red is seen: in the status, by its exit status, and at the web's door."""

import json
import threading
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from stellar_sdk import Keypair

from anchor.cli import group
from anchor.extensions import db, transaction
from anchor.sandbox.ground import CODE
from anchor.services import networks, standing
from anchor.streams.runner import Runner
from tests.waiting import until
from tests.world import World


def problems(world: World) -> list[str]:
    return list(standing.look()["problems"])


def set_accounts(column: str, value: str) -> None:
    with transaction():
        db.session.execute(text(f"UPDATE accounts SET {column} = {value}"))


@pytest.fixture
def followed(world: World) -> World:
    """A world whose account somebody follows."""
    assert networks.lease(networks.watched()[0].id) is not None
    return world


def test_all_is_well_while_each_account_is_followed(followed: World) -> None:
    assert problems(followed) == []
    assert followed.app.test_client().get("/ready").status_code == 200
    assert followed.app.test_cli_runner().invoke(group, ["status"]).exit_code == 0


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("leased_until", "now() - interval '2 minutes'", "is followed by no stream runner"),
        ("leased_until", "NULL", "is followed by no stream runner"),
        ("read_until", "now() - interval '3 minutes'", "was read until"),
        ("stopped_reason", "'the network was reset'", "the network was reset"),
    ],
)
def test_promise_02_an_account_that_is_not_followed_is_told(
    followed: World, column: str, value: str, said: str
) -> None:
    set_accounts(column, value)
    assert said in problems(followed)[0]
    assert followed.app.test_client().get("/ready").status_code == 503
    done = followed.app.test_cli_runner().invoke(group, ["status", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["status"] == "trouble"


def test_an_account_that_no_runner_could_begin_with_is_told(followed: World) -> None:
    with transaction():
        db.session.execute(text("DELETE FROM accounts"))
    assert "is not watched" in problems(followed)[0]


def test_work_that_is_overdue_is_told(world: World) -> None:
    world.paid_withdrawal()
    assert networks.lease(networks.watched()[0].id) is not None
    with transaction():
        db.session.execute(text("UPDATE jobs SET due_at = now() - interval '20 minutes'"))
    assert "1 job(s) are due" in problems(world)[0]


def run_runner(world: World) -> tuple[Runner, threading.Thread]:
    runner = Runner(world.app, lambda _ids: None)
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    return runner, thread


def test_promise_12_an_account_that_cannot_be_watched_stops_no_other(world: World) -> None:
    bad = replace(world.policy, code="BAD", distribution=Keypair.random().public_key[:-1] + "!")
    found = world.app.extensions["anchor"]
    assets = {"BAD": bad, CODE: world.policy}
    world.app.extensions["anchor"] = replace(found, settings=replace(found.settings, assets=assets))
    row_id = world.withdrawal()
    runner, thread = run_runner(world)
    world.pay("100", world.memo(row_id))
    until(lambda: world.status(row_id) == "pending_anchor")
    runner.stop.set()
    thread.join()


def test_promise_02_a_runner_that_finds_a_network_reset_says_so_where_it_is_seen(
    world: World,
) -> None:
    world.sandbox.network.reset()
    runner, thread = run_runner(world)
    until(lambda: any("adopt-network" in problem for problem in problems(world)))
    runner.stop.set()
    thread.join()


def test_promise_15_an_error_of_the_database_shows_no_customers_data(world: World) -> None:
    row_id = world.withdrawal(account="DE00SECRETACCOUNT")
    with pytest.raises(IntegrityError) as caught, transaction():
        db.session.execute(
            text("UPDATE transactions SET amount_paid = 5, message = :m WHERE id = :id"),
            {"m": "a private word", "id": row_id},
        )
    assert "never_more_out_than_in" in str(caught.value)
    for secret in ("SECRETACCOUNT", "a private word"):
        assert secret not in str(caught.value)
        assert secret not in str(caught.value.orig)

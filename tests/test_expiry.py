"""What nobody paid expires once its source was read beyond that, and never with money in."""

from typing import Any

import pytest

from anchor.extensions import db, transaction
from anchor.lifecycle import Kind, Status
from anchor.models import Transaction
from anchor.services import expiry, passes, pending_deposits, sweeps
from anchor.services.expiry import EXPIRE
from anchor.services.receipts import observe
from tests.receiving import booked, deposit, kept, poll, teller
from tests.world import World


def sql(statement: str, **values: Any) -> None:
    with transaction():
        db.session.execute(db.text(statement), values)


def overdue(row_id: str, hours: int = 2) -> None:
    """Let the deadline be so many hours ago."""
    sql(
        "UPDATE transactions SET deadline_at = now() - make_interval(hours => :hours)"
        " WHERE id = :id",
        id=row_id,
        hours=hours,
    )


def read_until(minutes_ago: int) -> None:
    sql(
        "UPDATE accounts SET read_until = now() - make_interval(mins => :minutes)",
        minutes=minutes_ago,
    )


def run() -> None:
    passes.owe("work")
    sweeps.work_off([EXPIRE])


@pytest.mark.conforms("SEP24-107")
def test_an_unpaid_withdrawal_expires(world: World) -> None:
    row_id = world.withdrawal()
    run()
    assert world.status(row_id) == "pending_user_transfer_start"
    overdue(row_id)
    run()
    assert (world.status(row_id), world.events(row_id)[-1]) == ("expired", "expired")


def test_promise_11_nothing_expires_before_its_account_was_read_beyond_the_deadline(
    world: World,
) -> None:
    row_id = world.withdrawal()
    overdue(row_id)
    read_until(150)
    run()
    assert world.status(row_id) == "pending_user_transfer_start"
    read_until(30)
    run()
    assert world.status(row_id) == "expired"


def test_promise_11_the_grace_is_counted_by_the_source(world: World) -> None:
    row_id = world.withdrawal()
    overdue(row_id, 2)
    read_until(90)
    run()
    assert world.status(row_id) == "pending_user_transfer_start"


def test_promise_11_a_deposit_expires_only_after_its_rail_was_asked(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)
    overdue(row_id)
    run()
    assert world.status(row_id) == "pending_user_transfer_start"
    rail.answers = {}
    poll(world)
    run()
    assert world.status(row_id) == "pending_user_transfer_start", "it was left out by the rail"
    rail.answers = {row_id: pending_deposits.Arrived([])}
    poll(world)
    run()
    assert world.status(row_id) == "expired"


@pytest.mark.conforms("SEP24-107", "ST-02")
def test_promise_04_nothing_expires_with_a_part_of_the_money_in(world: World) -> None:
    from dataclasses import replace

    from tests.deposits import Bench

    Bench(world).serve(replace(world.policy, matching="collect"))
    row_id = world.withdrawal()
    world.pay("40", world.memo(row_id))
    world.read()
    assert world.verdicts() == ["credited"]
    overdue(row_id)
    run()
    assert world.status(row_id) == "pending_user_transfer_start"


def test_promise_04_money_that_arrives_while_it_expires_comes_first_or_is_late(
    world: World,
) -> None:
    row_id = world.withdrawal()
    overdue(row_id)
    world.pay("100", world.memo(row_id))
    with transaction():
        db.session.get_one(Transaction, row_id, with_for_update=True)
        # what somebody else holds is passed over, not waited for
        assert expiry._expire(expiry._never_completed()) == 0
    world.read()
    run()
    assert world.status(row_id) == "pending_anchor"
    assert "no_such_move" not in world.cases()


@pytest.mark.conforms("ST-02")
def test_money_that_comes_after_the_end_is_kept(world: World) -> None:
    row_id = world.withdrawal()
    overdue(row_id)
    run()
    world.pay("100", world.memo(row_id))
    world.read()
    assert (world.status(row_id), world.verdicts()) == ("expired", ["late"])
    teller(world)
    late = deposit(world)
    sql("UPDATE transactions SET status = 'expired' WHERE id = :id", id=late)
    observe("bank", [booked()])
    assert [row.verdict for row in kept()] == ["late"]


def test_what_was_begun_and_left_expires(world: World) -> None:
    row_id = world.of_kind(Kind.WITHDRAWAL, Status.INCOMPLETE)
    run()
    assert world.status(row_id) == "incomplete"
    sql("UPDATE transactions SET started_at = now() - interval '25 hours'")
    run()
    assert world.status(row_id) == "expired"


@pytest.mark.parametrize("status", ["completed", "refunded", "error", "expired"])
def test_what_is_over_does_not_expire(world: World, status: str) -> None:
    row_id = world.withdrawal()
    overdue(row_id)
    sql("UPDATE transactions SET status = :status", status=status)
    run()
    assert (world.status(row_id), world.cases()) == (status, [])


def test_more_than_one_batch_expires_in_one_pass(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(expiry, "_BATCH", 2)
    rows = [world.withdrawal() for _ in range(5)]
    for row_id in rows:
        overdue(row_id)
    run()
    assert {world.status(row_id) for row_id in rows} == {"expired"}


def test_a_send_that_is_settled_by_rail_follows_its_rail(world: World) -> None:
    teller(world)
    row_id = world.of_kind(Kind.SEND, Status.PENDING_SENDER, settlement="rail")
    overdue(row_id)
    run()
    assert world.status(row_id) == "pending_sender"

"""An old backup is restored, and nothing that left since is paid again (promises 5 and 6)."""

from typing import Any

from sqlalchemy import text
from stellar_sdk import Keypair

from anchor.cli import group
from anchor.extensions import db, transaction
from anchor.services import audits, brakes, passes, restore, sweeps
from anchor.services.receipts import observe
from tests.deposits import Bench
from tests.receiving import booked, deposit
from tests.test_refunds import again
from tests.world import ACCOUNT, World


def everything(world: World) -> None:
    """Let every service have its turn."""
    again()
    world.read()
    for name in passes.SERVICES:
        if name != "reconcile":
            passes.owe(name)
            sweeps.work_off(passes.SERVICES[name].kinds)


def time_passes() -> None:
    """Let the restore have begun a day ago: what was lost has ended by now, here and elsewhere."""
    with transaction():
        db.session.execute(
            text(
                "UPDATE pauses SET since = since - interval '1 day',"
                " ledger_closed_at = ledger_closed_at - interval '1 day'"
            )
        )


def test_promise_06_a_payout_that_the_restored_database_forgot_is_not_made_again(
    world: World, backup: Any
) -> None:
    before = world.paid_withdrawal("100")
    waits = world.withdrawal("50")
    backup.take()
    world.work()
    world.pay("50", world.memo(waits))
    world.read()
    world.work()
    assert world.paid_by_bank() == 2
    backup.restore()
    found = restore.look("ann")
    assert len(found.payouts) == 2
    assert found.unexplained == []
    restore.resume("ann")
    everything(world)
    assert world.paid_by_bank() == 2
    assert {world.status(row) for row in (before, waits)} == {"completed"}
    assert audits.look() == []


def test_promise_06_a_deposit_that_the_restored_database_forgot_is_not_paid_again(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    taker = bench.account()
    row_id = deposit(world, destination=taker.public_key)
    observe("bank", [booked()])
    backup.take()
    bench.wait(row_id)
    world.read()
    held = bench.held(taker.public_key)
    backup.restore()
    found = restore.look("ann")
    assert (found.deposits, found.unexplained) == ([f"{row_id}-1"], [])
    restore.resume("ann")
    everything(world)
    assert world.status(row_id) == "completed"
    assert bench.held(taker.public_key) == held
    assert audits.look() == []


def test_a_deposit_that_waited_in_the_queue_is_found_too(world: World, backup: Any) -> None:
    bench = Bench(world)
    taker = bench.account()
    row_id = deposit(world, destination=taker.public_key)
    observe("bank", [booked()])
    brakes.pause("all", "", "ann", None)
    bench.work()
    backup.take()
    brakes.resume("all", "", "ann", None)
    bench.wait(row_id, hurry=True)
    held = bench.held(taker.public_key)
    backup.restore()
    restore.look("ann")
    restore.resume("ann")
    everything(world)
    assert (world.status(row_id), bench.held(taker.public_key)) == ("completed", held)
    assert [each.state for each in world.outflows(row_id)] == ["refused", "done"]


def test_what_was_not_paid_before_is_paid_after(world: World, backup: Any) -> None:
    bench = Bench(world)
    row_id = world.paid_withdrawal()
    other = deposit(world, destination=bench.account().public_key)
    observe("bank", [booked()])
    backup.take()
    backup.restore()
    found = restore.look("ann")
    assert (found.payouts, found.deposits, found.unexplained) == ([], [], [])
    everything(world)
    assert world.paid_by_bank() == 0, "all is paused until it is resumed"
    restore.resume("ann")
    again()
    world.work()
    bench.wait(other, hurry=True)
    assert world.status(row_id) == "completed"


def test_promise_14_what_nobody_can_explain_keeps_all_paused(world: World, backup: Any) -> None:
    bench = Bench(world)
    backup.take()
    lost = deposit(world, destination=bench.account().public_key)
    observe("bank", [booked()])
    bench.wait(lost)
    backup.restore()
    runner = world.app.test_cli_runner()
    first = runner.invoke(group, ["resume-after-restore"])
    assert (first.exit_code, "stays paused" in first.output) == (1, True)
    assert "nothing here explains it" in first.output
    assert brakes.standing()
    second = runner.invoke(group, ["resume-after-restore", "--accept"])
    assert (second.exit_code, "may take an envelope that is lost" in second.output) == (1, True)
    time_passes()
    third = runner.invoke(group, ["resume-after-restore", "--accept"])
    assert third.exit_code == 0
    assert brakes.standing() == []


def test_a_rail_that_cannot_be_asked_keeps_all_paused(world: World, backup: Any) -> None:
    from tests.puppets import Puppet

    world.app.extensions["anchor"].rails["bank"] = Puppet("bank")
    row_id = world.paid_withdrawal()
    backup.take()
    backup.restore()
    found = restore.look("ann")
    assert found.unexplained == [f"{row_id}-1: bank cannot be asked for it"]


def test_a_refund_by_rail_that_was_forgotten_is_a_person_s(world: World, backup: Any) -> None:
    from tests.test_refunds import give_back, work

    row_id = deposit(world, destination=Keypair.random().public_key)
    observe("bank", [booked()])
    everything(world)
    assert world.status(row_id) == "pending_trust"
    backup.take()
    give_back(row_id)
    work(world)
    assert world.status(row_id) == "refunded"
    backup.restore()
    found = restore.look("ann")
    assert "known to bank, and not to us" in found.unexplained[0]
    assert world.status(row_id) == "on_hold"
    assert world.cases() == ["restored_unclear"]


def test_finding_again_can_be_repeated(world: World, backup: Any) -> None:
    row_id = world.paid_withdrawal()
    backup.take()
    world.work()
    backup.restore()
    assert restore.look("ann").payouts == [f"{row_id}-1"]
    assert restore.look("ann").payouts == []
    assert world.row(row_id).details["bank_account_number"] == ACCOUNT

"""Pauses and caps: what keeps money from leaving, at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from anchor.cli import group
from anchor.errors import NotFound, Rejected
from anchor.integrations.protocols import Done, RailTraits, Sent, Unknown
from anchor.money import parse_amount
from anchor.services import brakes, desk, passes, standing, sweeps
from anchor.services.acts import By
from tests.deposits import Bench
from tests.puppets import Puppet
from tests.test_refunds import again, give_back, settle, stuck_deposit, work
from tests.world import World


def cap(world: World, amount: str) -> Bench:
    bench = Bench(world)
    bench.serve(
        replace(
            world.app.extensions["anchor"].settings.assets["USDC"], outflow_cap=parse_amount(amount)
        )
    )
    return bench


def paused(world: World, *words: str) -> Any:
    runner = world.app.test_cli_runner()
    return runner.invoke(group, ["pause", *words, "--note", "a drill"])


@pytest.mark.parametrize(
    ("words", "stops"),
    [
        ((), True),
        (("--asset", "USDC"), True),
        (("--rail", "bank"), True),
        (("--kind", "withdrawal"), True),
        (("--rail", "stellar"), False),
        (("--kind", "deposit"), False),
        (("--kind", "refund"), False),
    ],
)
def test_promise_14_a_pause_stops_payouts_and_a_resume_lets_them_go(
    world: World, words: tuple[str, ...], stops: bool
) -> None:
    assert paused(world, *words).exit_code == 0
    row_id = world.paid_withdrawal()
    world.work()
    assert (world.paid_by_bank() == 0) == stops
    assert standing.look()["paused"]
    runner = world.app.test_cli_runner()
    assert runner.invoke(group, ["resume", *words]).exit_code == 0
    again()
    world.work()
    assert (world.status(row_id), standing.look()["paused"]) == ("completed", [])


@pytest.mark.parametrize("words", [(), ("--rail", "stellar"), ("--kind", "deposit")])
def test_promise_14_a_pause_stops_deposits_before_anything_is_signed(
    world: World, words: tuple[str, ...]
) -> None:
    bench = Bench(world)
    paused(world, *words)
    row_id = bench.deposit(bench.account().public_key)
    bench.work()
    assert [each.state for each in world.outflows(row_id)] == ["prepared"]
    assert bench.sql("SELECT count(*) FROM submissions")[0][0] == 0
    world.app.test_cli_runner().invoke(group, ["resume", *words])
    bench.wait(row_id, hurry=True)


def test_promise_14_a_pause_stops_refunds_on_the_ledger_and_by_rail(world: World) -> None:
    brakes.pause("kind", "refund", "ann", None)
    by_ledger = world.paid_withdrawal()
    desk.hold(by_ledger, By("ann"))
    by_rail = stuck_deposit(world)
    give_back(by_ledger)
    give_back(by_rail)
    work(world)
    assert (world.status(by_ledger), world.status(by_rail)) == ("on_hold", "pending_external")
    assert world.paid_by_bank() == 0
    brakes.resume("kind", "refund", "ann", None)
    again()
    settle(world, by_rail)
    settle(world, by_ledger)


def test_promise_14_what_is_unknown_is_looked_up_and_not_repeated_in_a_pause(world: World) -> None:
    traits = RailTraits(idempotent_for=timedelta(days=1))
    puppet = Puppet("bank", traits=traits, script=[Unknown("no answer")])
    world.app.extensions["anchor"].rails["bank"] = puppet
    row_id = world.paid_withdrawal()
    world.work()
    brakes.pause("all", "", "ann", None)
    again()
    world.work()
    assert len(puppet.calls) == 1
    brakes.resume("all", "", "ann", None)
    again()
    world.work()
    assert (world.status(row_id), len(puppet.calls)) == ("completed", 2)


def test_what_was_sent_before_a_pause_is_still_polled(world: World) -> None:
    puppet = Puppet("bank", script=[Sent()])
    world.app.extensions["anchor"].rails["bank"] = puppet
    row_id = world.paid_withdrawal()
    world.work()
    brakes.pause("all", "", "ann", None)
    key = world.outflows(row_id)[0].key
    puppet.poll_outgoing_transactions = lambda _batch: {key: Done()}  # type: ignore[method-assign]
    passes.owe("poll_outgoing_transactions")
    sweeps.work_off(["poll_outgoing_transactions"])
    assert world.status(row_id) == "completed"


def test_a_pause_of_what_is_not_there_is_refused(world: World) -> None:
    for scope, subject in (("asset", "EURX"), ("rail", "cash"), ("kind", "loan")):
        with pytest.raises(Rejected, match="known are"):
            brakes.pause(scope, subject, "ann", None)
    with pytest.raises(NotFound):
        brakes.resume("all", "", "ann", None)
    assert paused(world, "--asset", "USDC", "--rail", "bank").exit_code == 2


def test_a_cap_lets_so_much_out_in_an_hour_and_tells_the_operator(world: World) -> None:
    bench = cap(world, "250")
    rows = [world.paid_withdrawal() for _ in range(4)]
    world.work()
    assert [world.status(row) for row in rows].count("completed") == 2
    assert world.cases() == ["outflow_cap_reached"]
    bench.sql("UPDATE outflows SET called_at = called_at - interval '61 minutes'")
    again()
    world.work()
    assert {world.status(row) for row in rows} == {"completed"}


def test_a_cap_holds_deposits_back_oldest_first(world: World) -> None:
    bench = cap(world, "150")
    taker = bench.account().public_key
    first, large, small = (bench.deposit(taker, amount) for amount in ("100", "80", "30"))
    bench.wait(first)
    bench.work()
    states = [world.outflows(row)[0].state for row in (first, large, small)]
    assert states == ["done", "prepared", "prepared"]
    bench.sql("UPDATE outflows SET called_at = called_at - interval '61 minutes'")
    bench.wait(small, hurry=True)
    assert world.status(large) == "completed"


def test_one_that_is_above_the_cap_itself_is_told(world: World) -> None:
    cap(world, "50")
    world.paid_withdrawal()
    world.work()
    [case] = desk.listing()
    assert "above the cap itself" in (case.note or "")

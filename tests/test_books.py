"""The books: every fact about money writes entries that sum to zero (promise 9)."""

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from stellar_sdk import Asset

from anchor.cli import group
from anchor.extensions import db, gateway, transaction
from anchor.integrations.protocols import Done, Held, NeedsInfo, Refused, Sent, Unknown
from anchor.matching import Verdict
from anchor.models import Account, Posting
from anchor.services import books, networks, passes, payments, sweeps
from tests.puppets import age, due_now, puppet
from tests.world import World

UNIT = 10_000_000


def balances(world: World) -> dict[str, int]:
    """What stands in the books in the anchor's asset; everything sums to zero, cause by cause."""
    with transaction():
        rows = list(db.session.scalars(select(Posting)))
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        sums[row.cause, row.asset] += row.amount
    assert set(sums.values()) <= {0}
    found = books.balances()
    assert all(sum(accounts.values()) == 0 for accounts in found.values())
    return {name: amount for name, amount in found.get(world.policy.id, {}).items() if amount}


def causes() -> list[str]:
    with transaction():
        return list(db.session.scalars(select(Posting.cause).distinct().order_by(Posting.cause)))


def test_a_withdrawal_passes_through_the_books(world: World) -> None:
    row_id = world.paid_withdrawal("100")
    assert balances(world) == {"treasury": 100 * UNIT, "customer": -100 * UNIT}
    rail = puppet(world, script=[Sent("B1")])
    world.work()
    assert balances(world) == {
        "treasury": 100 * UNIT,
        "in_transit": -985 * UNIT // 10,
        "fees": -15 * UNIT // 10,
    }
    (payout,) = world.outflows(row_id)
    assert f"outflow {payout.id} opened" in causes()
    rail.poll_outgoing_transactions = lambda items: {item.key: Done() for item in items}  # type: ignore[method-assign]
    passes.owe("poll_outgoing_transactions")
    world.work()
    assert balances(world) == {
        "treasury": 100 * UNIT,
        "bank": -985 * UNIT // 10,
        "fees": -15 * UNIT // 10,
    }
    assert f"outflow {payout.id} done" in causes()


def test_a_payout_that_is_refused_is_taken_back(world: World) -> None:
    for outcome in (Refused("no"), Held("look"), NeedsInfo({"bank_account_number": "wrong"})):
        puppet(world, script=[outcome])
        world.paid_withdrawal("10")
        world.work()
    assert balances(world) == {"treasury": 30 * UNIT, "customer": -30 * UNIT}


def test_an_unknown_outcome_stays_under_way(world: World) -> None:
    puppet(world, script=[Unknown("time-out")])
    world.paid_withdrawal("10")
    world.work()
    assert balances(world)["in_transit"] == -895 * UNIT // 100
    age(61)
    due_now()
    world.work()
    assert "in_transit" not in balances(world)


def test_what_nobody_can_name_is_in_suspense_in_its_own_asset(world: World) -> None:
    world.pay("3", "5")
    world.pay("2")
    world.pay("7", "5", asset=Asset.native())
    world.read()
    assert balances(world) == {"treasury": 5 * UNIT, "suspense": -5 * UNIT}
    assert books.balances()["native"] == {"treasury": 7 * UNIT, "suspense": -7 * UNIT}


def test_operations_of_one_arrival_are_booked_each(world: World) -> None:
    row_id = world.withdrawal("100")
    world.pay("50", world.memo(row_id), times=2)
    world.read()
    assert balances(world) == {"treasury": 100 * UNIT, "customer": -100 * UNIT}
    operations = [payment.operation_id for payment in world.payments()]
    assert causes() == sorted(f"payment {world.network_id}/{each}/0" for each in operations)


def test_what_we_pay_and_what_came_before_our_time_is_not_booked_here(world: World) -> None:
    with transaction():
        for account in db.session.scalars(select(Account)):
            account.in_charge_since = datetime.now(UTC) + timedelta(hours=1)
    world.pay("3", "5")
    world.read()
    assert world.verdicts() == ["history"]
    assert books.balances() == {}


def test_a_payment_seen_twice_is_booked_once(world: World) -> None:
    world.paid_withdrawal("100")
    before = balances(world)
    with transaction():
        watch = networks.watched()[0]
    page = gateway().payments_page(world.distribution, "0").payments
    payments.feed(watch, [payment for payment in page if payment.memo])
    assert balances(world) == before


def test_what_was_kept_unjudged_moves_out_of_suspense_when_it_is_judged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = world.withdrawal("100")
    world.pay("100", world.memo(row_id))
    world.pay("4", "5")
    with monkeypatch.context() as patched:
        patched.setattr(payments, "judge", lambda *_: 1 / 0)
        world.read()
    assert set(world.verdicts()) == {Verdict.UNJUDGED}
    assert balances(world) == {"treasury": 104 * UNIT, "suspense": -104 * UNIT}
    sweeps.work_off([payments.REPAIR])
    with transaction():
        watch = networks.watched()[0]
    payments.repair(watch)
    assert balances(world) == {
        "treasury": 104 * UNIT,
        "customer": -100 * UNIT,
        "suspense": -4 * UNIT,
    }


def test_entries_that_do_not_sum_to_zero_fail_the_commit(world: World) -> None:
    with pytest.raises(DBAPIError, match="do not sum to zero"), transaction():
        books.post("test", [("treasury", "native", 5), ("suspense", "native", -4)])
    with pytest.raises(DBAPIError, match="do not sum to zero"), transaction():
        books.post("test", [("treasury", "native", 5), ("suspense", world.policy.id, -5)])
    assert books.balances() == {}


def test_the_books_agree_with_the_ledger_and_the_bank_after_random_histories(
    world: World,
) -> None:
    """Twenty-five steps at random: treasury is what came, bank what the rail paid out."""
    dice = random.Random(24)
    rail = puppet(world)
    came, waiting = 0, []
    for _ in range(25):
        step = dice.choice(["right", "right", "stray", "work", "again"])
        if step == "right":
            amount = dice.randint(200, 90_000) / 100
            waiting.append(world.withdrawal(f"{amount:.2f}"))
            world.pay(f"{amount:.2f}", world.memo(waiting[-1]))
            came += round(amount * 100)
        elif step == "stray":
            world.pay("0.11", dice.choice([None, "text:hello", "7"]))
            came += 11
        elif step == "work":
            rail.script = dice.sample([Done(), Refused("no"), Sent(), Unknown("?")], 3)
            world.work()
        else:
            due_now()
            age(61)
        world.read()
        assert balances(world).get("treasury", 0) == came * UNIT // 100
    paid = sum(
        outflow.amount
        for row_id in waiting
        for outflow in world.outflows(row_id)
        if outflow.state == "done"
    )
    assert -balances(world).get("bank", 0) == paid
    owed = sum(world.row(each).amount_received - world.row(each).amount_paid for each in waiting)
    held = {name: -amount for name, amount in balances(world).items()}
    open_ = held.get("in_transit", 0) + sum(
        outflow.amount_fee
        for row_id in waiting
        for outflow in world.outflows(row_id)
        if outflow.state in {"prepared", "sent", "unknown"}
    )
    assert held.get("customer", 0) + open_ == owed


def test_the_command_prints_the_books_and_how_they_stood(world: World) -> None:
    world.paid_withdrawal("100")
    world.pay("3.5", "5", asset=Asset.native())
    world.read()
    world.work()
    runner = world.app.test_cli_runner()
    done = runner.invoke(group, ["books"])
    assert done.exit_code == 0
    lines = [line.split() for line in done.output.splitlines()]
    assert ["treasury", "100.0000000"] in lines
    assert ["bank", "-98.5000000"] in lines
    assert ["fees", "-1.5000000"] in lines
    assert ["treasury", "3.5000000"] in lines
    assert ["sum", "0.0000000"] in lines
    told = json.loads(runner.invoke(group, ["books", "--json"]).output)
    assert told["assets"][world.policy.id] == {
        "treasury": "100",
        "bank": "-98.5",
        "customer": "0",
        "in_transit": "0",
        "fees": "-1.5",
    }
    assert told["balanced"] is True
    today = datetime.now(UTC).date()
    assert "100.0000000" in runner.invoke(group, ["books", "--at", str(today)]).output
    before = runner.invoke(group, ["books", "--at", str(today - timedelta(days=1))])
    assert before.exit_code == 0
    assert "There are no entries" in before.output
    moment = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"
    assert "no entries" in runner.invoke(group, ["books", "--at", moment]).output
    midnight = f"{today}T00:00:00"
    assert "no entries" in runner.invoke(group, ["books", "--at", midnight]).output
    assert runner.invoke(group, ["books", "--at", "yesterday"]).exit_code == 2

"""Transactions on a quote, and what dies on the way: the quote counts once, and in full."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import pytest

from anchor.extensions import transaction
from anchor.integrations.protocols import Outcome, OutgoingTransaction
from anchor.integrations.rates import Way
from anchor.lifecycle import Event
from anchor.models import Quote
from anchor.money import parse_amount
from anchor.services import (
    brakes,
    desk,
    opening,
    payments,
    quotes,
    receipts,
    restore,
    withdrawals,
)
from anchor.services.acts import By
from tests.deposits import Bench
from tests.puppets import LOOKS_UP, due_now, puppet
from tests.quoted import Trade, agree, owed
from tests.receiving import booked
from tests.test_refunds import give_back, returning, work
from tests.test_restore import everything
from tests.world import World

NUMBERS = tuple(parse_amount(each) for each in ("100", "490", "2", "100"))


@pytest.fixture
def trade(world: World) -> Trade:
    return Trade(world)


def numbers(world: World, row_id: str) -> tuple[int | None, ...]:
    row = world.row(row_id)
    return row.amount_in, row.amount_out, row.amount_fee, row.amount_paid


def arrive(world: World, row_id: str) -> None:
    reference = world.row(row_id).reference
    receipts.observe("bank", [booked("B1", "542", currency="BRL", reference=reference)])


def test_a_death_while_a_transaction_is_opened_leaves_its_quote_unused(
    trade: Trade, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = trade.quote(Way.WITHDRAWAL)

    def dies(*_: Any, **__: Any) -> str:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(opening, "begin", dies)
        with pytest.raises(SystemExit):
            withdrawals.open_interactive(trade.owner, world.policy, quote_id=quote.id)
    with transaction():
        kept = quotes.db.session.get(Quote, quote.id, populate_existing=True)
        assert kept is not None
        assert kept.used_at is None
    assert withdrawals.open_interactive(trade.owner, world.policy, quote_id=quote.id)


def test_promise_06_two_workers_pay_a_quote_out_once(trade: Trade, world: World) -> None:
    rail = puppet(world, LOOKS_UP, script=["take and fall over"])
    row_id = trade.withdrawal()
    trade.pay(row_id)

    def work(_: int) -> None:
        with world.app.app_context():
            world.work()

    for _ in range(3):
        due_now()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    assert world.status(row_id) == "completed"
    assert sum(rail.moved.values()) == 1
    assert numbers(world, row_id) == NUMBERS
    agree()


def test_promise_06_a_quoted_payout_that_a_restored_database_forgot_is_found(
    trade: Trade, world: World, backup: Any
) -> None:
    row_id = trade.withdrawal()
    trade.pay(row_id)
    backup.take()
    world.work()
    assert world.paid_by_bank() == 1
    backup.restore()
    found = restore.look("ann")
    assert (found.payouts, found.unexplained) == ([f"{row_id}-1"], [])
    restore.resume("ann")
    everything(world)
    assert world.paid_by_bank() == 1
    assert world.status(row_id) == "completed"
    assert numbers(world, row_id) == NUMBERS
    [outflow] = world.outflows(row_id)
    assert (outflow.sold, outflow.sold_asset) == (parse_amount("100"), world.policy.id)
    agree()


@pytest.mark.parametrize("is_queued", [False, True])
def test_promise_06_a_quoted_deposit_that_a_restored_database_forgot_is_found(
    trade: Trade, world: World, backup: Any, is_queued: bool
) -> None:
    bench = Bench(world)
    taker = bench.account()
    row_id = trade.deposit(destination=taker.public_key)
    arrive(world, row_id)
    if is_queued:
        brakes.pause("all", "", "ann", None)
        bench.work()
    backup.take()
    if is_queued:
        brakes.resume("all", "", "ann", None)
    bench.wait(row_id, hurry=True)
    world.read()
    backup.restore()
    found = restore.look("ann")
    assert len(found.deposits) == 1
    assert found.unexplained == []
    restore.resume("ann")
    everything(world)
    assert world.status(row_id) == "completed"
    assert bench.held(taker.public_key) == "100.0000000"
    assert world.row(row_id).amount_paid == parse_amount("542")
    assert owed() == []
    agree()


def test_promise_01_a_payment_kept_unjudged_is_judged_by_its_own_time(
    trade: Trade, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judging failed, the quote ran out, and the repair still credits what came in time."""

    def fails(*_: Any) -> None:
        raise RuntimeError("a bug in judging")

    row_id = trade.withdrawal()
    with monkeypatch.context() as patched:
        patched.setattr(payments, "judge", fails)
        trade.pay(row_id)
    assert world.verdicts() == ["unjudged"]
    trade.due(row_id, seconds=-1)
    sleep(1.2)
    everything(world)
    assert world.verdicts() == ["credited"]
    assert Event.FUNDS_RECEIVED in world.events(row_id)
    agree()


def test_promise_06_a_bank_with_an_account_for_each_currency_is_asked_in_the_right_one(
    trade: Trade, world: World, backup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it does not know the refund that it made, and another one is sent."""
    rail = returning(world, can_look_up=True, currencies=frozenset({"BRL"}))
    find = rail.find_outgoing_transaction

    def in_its_account(order: OutgoingTransaction) -> Outcome | None:
        return find(order) if order.currency == "BRL" else None

    monkeypatch.setattr(rail, "find_outgoing_transaction", in_its_account)
    row_id = trade.deposit()
    arrive(world, row_id)
    receipts.observe("bank", [booked("B2", "50", currency="BRL", reference="who?")])
    desk.hold(row_id, By("ann", "looks odd"))
    backup.take()
    give_back(row_id)
    give_back("receipt bank/B2")
    work(world)
    assert sorted(rail.moved) == sorted([f"{row_id}-1", "receipt-bank-B2-1"])
    backup.restore()
    found = restore.look("ann")
    assert found.payouts == ["receipt-bank-B2-1"]
    assert f"{row_id}-1: known to bank, and not to us" in found.unexplained
    agree()

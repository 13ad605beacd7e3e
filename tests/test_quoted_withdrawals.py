"""Withdrawals on a quote: its numbers for exactly its amount, in time by the ledger's clock."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from time import sleep
from typing import Any

import pytest

from anchor.errors import Rejected
from anchor.extensions import transaction
from anchor.integrations.protocols import Done, RailTraits, Refused, Returned, Unavailable
from anchor.integrations.rates import Way
from anchor.models import Quote
from anchor.money import parse_amount
from anchor.services import (
    brakes,
    crediting,
    desk,
    outcomes,
    outflows,
    quotes,
    refunds,
    views,
    withdrawals,
)
from anchor.services.acts import By
from anchor.services.transactions import Owner
from tests.puppets import LOOKS_UP, due_now, puppet
from tests.quoted import Trade, agree, books, owed
from tests.test_expiry import run
from tests.test_refunds import give_back, settle, work
from tests.visiting import Visitor
from tests.waiting import until
from tests.world import World

ME = By("ann", "the customer asked")


@pytest.fixture
def trade(world: World) -> Trade:
    return Trade(world)


def amounts(world: World, row_id: str) -> tuple[int | None, ...]:
    row = world.row(row_id)
    return row.amount_received, row.amount_in, row.amount_out, row.amount_fee, row.amount_paid


NUMBERS = tuple(parse_amount(each) for each in ("100", "100", "490", "2", "100"))


@pytest.mark.conforms("SEP24-29", "SEP38-56")
def test_what_was_promised_is_paid_out(trade: Trade, world: World) -> None:
    row_id = trade.withdrawal()
    assert world.row(row_id).kind == "withdrawal-exchange"
    trade.pay(row_id)
    assert world.verdicts() == ["credited"]
    assert books() == {"USDC treasury": "100", "USDC customer": "-100"}
    for _ in range(3):
        due_now()
        world.work()
    assert world.status(row_id) == "completed"
    moved = [(each.cents, each.currency) for each in world.bank.transfers.values()]
    assert moved == [(49000, "BRL")]
    assert amounts(world, row_id) == NUMBERS
    assert books() == {
        "USDC treasury": "100",
        "USDC fees": "-2",
        "USDC exchange": "-98",
        "BRL exchange": "490",
        "BRL bank": "-490",
    }
    assert owed() == []
    agree()


def test_the_rail_is_told_the_currency(trade: Trade, world: World) -> None:
    seen: list[Any] = []
    rail = puppet(world)
    act = rail.execute_outgoing_transaction
    object.__setattr__(
        rail, "execute_outgoing_transaction", lambda order: (seen.append(order), act(order))[1]
    )
    trade.pay(trade.withdrawal())
    world.work()
    [order] = seen
    assert (order.currency, order.amount) == ("BRL", 490)
    assert (order.asset, order.amount_in, order.amount_fee) == (world.policy.id, 100, 2)


@pytest.mark.conforms("SEP24-29", "SEP38-56")
def test_promise_11_money_that_came_after_the_quote_ran_out_is_a_persons(
    trade: Trade, world: World
) -> None:
    row_id = trade.withdrawal()
    trade.due(row_id, seconds=5)
    trade.pay(row_id)
    assert world.verdicts() == ["late"]
    assert owed() == [("payment_late", "USDC", "100")]
    assert world.row(row_id).amount_received == 0
    [payment] = world.payments()
    give_back(f"payment {payment.network_id}/{payment.operation_id}/0")
    due_now()
    until(lambda: (work(world), not owed())[1], 30, "for the refund")
    agree()


@pytest.mark.conforms("SEP24-29")
def test_promise_11_money_that_came_in_time_counts_however_late_it_is_read(
    trade: Trade, world: World
) -> None:
    """The ledger's clock decides: nobody looked until long after."""
    row_id = trade.withdrawal()
    world.pay("100", world.memo(row_id))
    trade.due(row_id, seconds=-1)
    sleep(1.2)
    run()
    world.read()
    assert world.verdicts() == ["credited"]
    assert world.status(row_id) == "pending_anchor"


@pytest.mark.conforms("SEP38-56")
@pytest.mark.parametrize(
    ("amount", "verdict"),
    [("99.9999999", "too_small"), ("100.0000001", "too_large"), ("50", "too_small")],
)
@pytest.mark.parametrize("matching", ["exact", "tolerance", "collect"])
def test_another_amount_is_never_guessed_at(
    trade: Trade, world: World, amount: str, verdict: str, matching: str
) -> None:
    object.__setattr__(world.policy, "matching", matching)
    object.__setattr__(world.policy, "tolerance", parse_amount("10"))
    row_id = trade.withdrawal()
    trade.pay(row_id, amount)
    assert world.verdicts() == [verdict]
    assert world.status(row_id) == "pending_user_transfer_start"
    [(reason, asset, left)] = owed()
    assert (reason, asset, left) == (f"payment_{verdict}", "USDC", amount)
    [case] = desk.listing()
    with pytest.raises(Rejected, match="on a quote"):
        crediting.credit(case.id, row_id, ME)
    trade.pay(row_id)
    assert world.status(row_id) == "pending_anchor"
    agree()


def test_a_person_may_honour_a_quote_that_ran_out(trade: Trade, world: World) -> None:
    row_id = trade.withdrawal()
    trade.due(row_id, seconds=5)
    trade.pay(row_id)
    [case] = desk.listing()
    crediting.credit(case.id, row_id, ME)
    due_now()
    world.work()
    due_now()
    world.work()
    assert world.status(row_id) == "completed"
    assert amounts(world, row_id) == NUMBERS
    agree()


def test_a_second_payment_is_a_second_one(trade: Trade, world: World) -> None:
    row_id = trade.withdrawal()
    trade.pay(row_id)
    trade.due(row_id, seconds=5)
    trade.pay(row_id)
    assert world.verdicts() == ["credited", "second"]
    agree()


# -- one quote, one transaction -------------------------------------------------------------


@pytest.mark.conforms("SEP38-57")
def test_eight_hands_use_a_quote_once(trade: Trade, world: World) -> None:
    quote = trade.quote(Way.WITHDRAWAL)

    def use(_: int) -> str:
        with world.app.app_context():
            try:
                withdrawals.open_interactive(trade.owner, world.policy, quote_id=quote.id)
            except Rejected as refusal:
                return str(refusal)
            return "opened"

    with ThreadPoolExecutor(8) as pool:
        said = sorted(pool.map(use, range(8)))
    assert said == ["opened"] + ["quote_id: the quote is used already"] * 7


@pytest.mark.conforms("SEP38-56", "SEP38-57", "SEP24-21")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quote_id": "0" * 32}, "no such quote"),
        ({"quote_id": "\x00"}, "no such quote"),
        ({"owner": Owner("G", 5)}, "no such quote"),
        ({"flow": "send"}, "another use"),
        ({"way": Way.DEPOSIT}, "another asset"),
        ({"asset": "stellar:native"}, "another asset"),
        ({"other": "iso4217:EUR"}, "for another asset"),
        ({"amount": parse_amount("99")}, "another amount"),
        ({"method": "cash"}, "another way to pay"),
    ],
)
def test_a_quote_is_for_what_it_says(trade: Trade, change: dict[str, Any], said: str) -> None:
    quote = trade.quote(Way.WITHDRAWAL, buy_delivery_method="bank")
    good = trade.use(quote, Way.WITHDRAWAL, amount=parse_amount("100"), method="bank")
    with pytest.raises(Rejected, match=said), transaction():
        quotes.take(replace(good, **change))
    with transaction():
        assert quotes.take(good).used_at is not None


@pytest.mark.conforms("SEP38-56", "SEP24-21")
def test_a_quote_that_ran_out_opens_nothing(trade: Trade, world: World) -> None:
    quote = trade.quote(Way.WITHDRAWAL)
    with transaction():
        row = quotes.db.session.get(Quote, quote.id)
        assert row is not None
        row.expires_at = row.created_at
    with pytest.raises(Rejected, match="run out"):
        withdrawals.open_interactive(trade.owner, world.policy, quote_id=quote.id)


@pytest.mark.conforms("SEP24-107")
def test_one_that_is_not_completed_expires_with_its_quote(trade: Trade, world: World) -> None:
    quote = trade.quote(Way.WITHDRAWAL)
    row_id = withdrawals.open_interactive(trade.owner, world.policy, quote_id=quote.id)
    assert world.row(row_id).deadline_at == quote.expires_at
    run()
    assert world.status(row_id) == "incomplete"
    trade.due(row_id, seconds=1)
    with pytest.raises(Rejected, match="run out"):
        trade.complete(row_id)
    run()
    assert world.status(row_id) == "expired"


@pytest.mark.conforms("SEP24-107")
def test_one_that_is_not_paid_expires_with_its_quote_and_one_that_is_paid_never(
    trade: Trade, world: World
) -> None:
    unpaid, paid = trade.withdrawal(), trade.withdrawal()
    trade.pay(paid)
    for row_id in (unpaid, paid):
        quote = views.get(row_id).quote
        assert quote is not None
        assert world.row(row_id).deadline_at == quote.expires_at
    run()
    assert world.status(unpaid) == "pending_user_transfer_start"
    for row_id in (unpaid, paid):
        trade.due(row_id, hours=2)
    run()
    assert (world.status(unpaid), world.status(paid)) == ("expired", "pending_anchor")


@pytest.mark.conforms("SEP38-56")
def test_details_cannot_change_what_was_promised(trade: Trade, world: World) -> None:
    object.__setattr__(world.policy, "rails", ("bank", "cash"))
    quote = trade.quote(Way.WITHDRAWAL)
    row_id = withdrawals.open_interactive(trade.owner, world.policy, quote_id=quote.id)
    with pytest.raises(Rejected, match="amount"):
        trade.complete(row_id, "99")
    with pytest.raises(Rejected, match="way to pay"):
        trade.complete(row_id, rail="cash")
    trade.complete(row_id)
    assert amounts(world, row_id) == (0, *NUMBERS[1:4], 0)


# -- what goes wrong on the way out ---------------------------------------------------------


def test_promise_07_a_payout_whose_outcome_is_unknown_is_looked_up(
    trade: Trade, world: World
) -> None:
    rail = puppet(world, LOOKS_UP, script=["take and fall over"])
    row_id = trade.withdrawal()
    trade.pay(row_id)
    for _ in range(3):
        due_now()
        world.work()
    assert world.status(row_id) == "completed"
    assert sum(rail.moved.values()) == 1
    assert amounts(world, row_id) == NUMBERS
    agree()


def test_a_payout_that_was_never_begun_is_begun_anew(trade: Trade, world: World) -> None:
    rail = puppet(world, LOOKS_UP, script=[Unavailable("not now")])
    row_id = trade.withdrawal()
    trade.pay(row_id)
    for _ in range(3):
        due_now()
        world.work()
    assert world.status(row_id) == "completed"
    assert len(rail.calls) == 2
    agree()


def test_a_payout_that_is_refused_takes_its_exchange_back(trade: Trade, world: World) -> None:
    puppet(world, script=[Refused("no such account")])
    row_id = trade.withdrawal()
    trade.pay(row_id)
    world.work()
    assert books() == {"USDC treasury": "100", "USDC customer": "-100"}
    assert owed() == [("payout_refused", "USDC", "100")]
    agree()
    give_back(row_id)
    settle(world, row_id)
    assert books().get("USDC customer") is None
    agree()


def test_a_payout_that_comes_back_is_owed_in_what_it_was_bought_with(
    trade: Trade, world: World
) -> None:
    puppet(world, script=[Done(), Done()])
    row_id = trade.withdrawal()
    trade.pay(row_id)
    world.work()
    [outflow] = world.outflows(row_id)
    attempt = outflows.by_key("bank", outflow.key)
    assert attempt is not None
    outcomes.record(attempt, Returned("no such account", Decimal("480")))
    assert owed() == [("payout_returned", "USDC", "98")]
    assert books() == {
        "USDC treasury": "100",
        "USDC fees": "-2",
        "USDC customer": "-98",
        "BRL bank": "-10",
        "BRL fees": "10",
    }
    agree()
    desk.pay_again(row_id, ME)
    due_now()
    world.work()
    assert [each.amount for each in world.outflows(row_id)] == [parse_amount("490")] * 2
    assert world.row(row_id).amount_paid == parse_amount("100")
    assert books()["BRL bank"] == "-500"
    agree()


def test_what_is_left_after_a_refund_in_part_is_a_persons(trade: Trade, world: World) -> None:
    puppet(world)
    row_id = trade.withdrawal()
    trade.pay(row_id)
    desk.hold(row_id, ME)
    give_back(row_id, "10")
    until(lambda: (work(world), world.row(row_id).amount_refunded > 0)[1], 30, "for the refund")
    due_now()
    if world.row(row_id).is_resting:
        desk.release(row_id, ME)
    due_now()
    world.work()
    assert ("payout_impossible", "USDC", "90") in owed()
    assert len(world.outflows(row_id)) == 1
    refunds.begin(refunds.Order(refunds.of_transaction(row_id).cause, None, "ann", "the rest"))
    agree()


# -- brakes ---------------------------------------------------------------------------------


def test_promise_14_a_pause_of_the_asset_stops_what_is_exchanged_for_it(
    trade: Trade, world: World
) -> None:
    rail = puppet(world)
    brakes.pause("asset", world.policy.id, "ann", None)
    row_id = trade.withdrawal()
    trade.pay(row_id)
    world.work()
    assert rail.calls == []
    brakes.resume("asset", world.policy.id, "ann", None)
    due_now()
    world.work()
    assert world.status(row_id) == "completed"


def test_promise_14_the_cap_of_the_asset_counts_what_is_exchanged_for_it(
    trade: Trade, world: World
) -> None:
    """In the asset: 98 of it become 490, and a second 98 are beyond the cap of 150."""
    rail = puppet(world, RailTraits(currencies=frozenset({"BRL"})))
    object.__setattr__(world.policy, "outflow_cap", parse_amount("150"))
    first, second = trade.withdrawal(), trade.withdrawal()
    for row_id in (first, second):
        trade.pay(row_id)
    world.work()
    assert len(rail.calls) == 1
    assert ("outflow_cap_reached", "USDC", "0") in owed()


# -- as a wallet sees it --------------------------------------------------------------------


@pytest.mark.conforms("SEP24-06", "SEP24-90", "SEP24-91", "SEP24-21", "E-01")
def test_a_wallet_sees_the_quotes_numbers(trade: Trade, world: World) -> None:
    client = world.app.test_client()
    headers = world.log_in(client)
    quote = client.post(
        "/sep38/quote",
        json={
            "sell_asset": trade.usdc,
            "buy_asset": "iso4217:BRL",
            "sell_amount": "100",
            "context": "sep24",
        },
        headers=headers,
    ).json
    asked = {
        "asset_code": "USDC",
        "quote_id": quote["id"],
        "destination_asset": "iso4217:BRL",
        "amount": "100",
    }
    path = "/sep24/transactions/withdraw/interactive"
    for wrong in (
        {"amount": "99"},
        {"destination_asset": "iso4217:EUR"},
        {"quote_id": "0" * 32},
        {"asset_issuer": world.payer.public_key},
    ):
        answer = client.post(path, json=asked | wrong, headers=headers)
        assert (answer.status_code, set(answer.json)) == (400, {"error"})
    other = world.log_in(client, memo="7")
    assert client.post(path, json=asked, headers=other).status_code == 400
    one = client.post(path, json=asked, headers=headers).json
    assert client.post(path, json=asked, headers=headers).status_code == 400
    shown = client.get("/sep24/transaction", query_string={"id": one["id"]}, headers=headers)
    found = shown.json["transaction"]
    assert found["kind"] == "withdrawal"
    assert found["quote_id"] == quote["id"]
    assert (found["amount_in"], found["amount_in_asset"]) == ("100", trade.usdc)
    assert (found["amount_out"], found["amount_out_asset"]) == ("490", "iso4217:BRL")
    parts = quote["fee"]["details"]
    assert found["fee_details"] == quote["fee"] | {"breakdown": parts}
    visitor = Visitor(client, one["url"])
    assert "100.00\xa0USDC" in visitor.page.text
    assert "490.00\xa0BRL" in visitor.page.text
    assert "readonly" in visitor.page.text
    assert visitor.send(amount="50").status_code == 400
    visitor.send(amount="100")
    answer = visitor.fill_in(bank_account_number="DE8937040044")
    assert answer.status_code == 200
    assert "490.00\xa0BRL" in answer.text
    assert world.status(one["id"]) == "pending_user_transfer_start"

"""Deposits on a quote: another currency comes by rail, and the asset goes out on the ledger."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from stellar_sdk import Keypair

from anchor.errors import Rejected
from anchor.extensions import db, transaction
from anchor.integrations.rates import Way
from anchor.money import parse_amount
from anchor.policies import DeliveryPolicy
from anchor.services import (
    claimable_balances,
    crediting,
    deposits,
    desk,
    passes,
    pending_deposits,
    quotes,
    receipts,
    sweeps,
)
from anchor.services.acts import By
from tests.deposits import Bench
from tests.quoted import Trade, agree, books, owed
from tests.receiving import booked, kept, poll, verdicts
from tests.test_expiry import run
from tests.test_refunds import give_back, settle
from tests.visiting import Visitor
from tests.world import World

ME = By("ann", "the customer asked")
NUMBERS = tuple(parse_amount(each) for each in ("542", "542", "100", "42", "542"))


@pytest.fixture
def trade(world: World) -> Trade:
    return Trade(world)


def arrive(world: World, row_id: str, amount: str = "542", name: str = "B1", **more: Any) -> None:
    """Let the bank report that the money came, under the reference."""
    usual = {"reference": world.row(row_id).reference, "currency": "BRL"}
    receipts.observe("bank", [booked(name, amount, **(usual | more))])


def amounts(world: World, row_id: str) -> tuple[int | None, ...]:
    row = world.row(row_id)
    return row.amount_received, row.amount_in, row.amount_out, row.amount_fee, row.amount_paid


@pytest.mark.conforms("SEP24-29", "SEP38-56")
def test_what_was_promised_reaches_the_ledger(trade: Trade, world: World) -> None:
    row_id = trade.deposit()
    row = world.row(row_id)
    assert (row.kind, row.amount_expected) == ("deposit-exchange", parse_amount("542"))
    arrive(world, row_id)
    assert verdicts() == ["credited"]
    assert books() == {"BRL bank": "542", "BRL customer": "-542"}
    bench = Bench(world)
    before = Decimal(bench.held(world.payer.public_key))
    bench.wait(row_id)
    assert Decimal(bench.held(world.payer.public_key)) - before == 100
    assert amounts(world, row_id) == NUMBERS
    assert {name: held for name, held in books().items() if not name.startswith("native")} == {
        "BRL bank": "542",
        "BRL fees": "-42",
        "BRL exchange": "-500",
        "USDC exchange": "100",
        "USDC treasury": "-100",
    }
    assert owed() == []
    agree()


def test_the_simulated_bank_books_the_other_currency(trade: Trade, world: World) -> None:
    """The rail is told the currency, and its poll tells what came in it."""
    row_id = trade.deposit()
    row = world.row(row_id)
    asked = pending_deposits.pending(row)
    assert (asked.currency, asked.amount) == ("BRL", 542)
    world.bank.bookings.book(54200, str(row.reference), "Ada", "BRL", "DE02")
    poll(world)
    assert world.status(row_id) == "pending_anchor"
    agree()


@pytest.mark.parametrize("told_later", [timedelta(0), timedelta(hours=3)])
def test_promise_11_the_booking_time_decides(
    trade: Trade, world: World, told_later: timedelta
) -> None:
    """A quote that ran out before is not honoured; one that had not is, whenever we hear of it."""
    late, in_time = trade.deposit(), trade.deposit()
    ran_out = datetime.now(UTC) - timedelta(hours=4) + told_later
    for row_id in (late, in_time):
        trade.due(row_id, seconds=int((datetime.now(UTC) - ran_out).total_seconds()))
    arrive(world, late, booked_at=ran_out + timedelta(seconds=30))
    arrive(world, in_time, name="B2", booked_at=ran_out - timedelta(seconds=30))
    assert verdicts() == ["late", "credited"]
    assert owed() == [("receipt_late", "BRL", "542")]
    assert world.status(in_time) == "pending_anchor"
    assert world.row(late).amount_received == 0
    agree()


@pytest.mark.conforms("SEP38-56")
@pytest.mark.parametrize(
    ("amount", "currency", "verdict"),
    [
        ("541.99", "BRL", "too_small"),
        ("542.01", "BRL", "too_large"),
        ("542", "USD", "wrong_asset"),
        ("100", "USD", "wrong_asset"),
    ],
)
@pytest.mark.parametrize("matching", ["exact", "tolerance", "collect"])
def test_other_money_is_never_guessed_at(
    trade: Trade, world: World, amount: str, currency: str, verdict: str, matching: str
) -> None:
    object.__setattr__(world.policy, "matching", matching)
    object.__setattr__(world.policy, "tolerance", parse_amount("10"))
    row_id = trade.deposit()
    arrive(world, row_id, amount, currency=currency)
    assert verdicts() == [verdict]
    held_in = "BRL" if currency == "BRL" else "USDC"
    assert owed() == [(f"receipt_{verdict}", held_in, amount.removesuffix(".00"))]
    [case] = desk.listing()
    with pytest.raises(Rejected):
        crediting.credit(case.id, row_id, ME)
    arrive(world, row_id, name="B2")
    assert world.status(row_id) == "pending_anchor"
    agree()


def test_an_asset_s_own_currency_is_not_that_of_a_quote(trade: Trade, world: World) -> None:
    """100 BRL never pay for a plain deposit of 100 USD."""
    row_id = world.deposit()
    arrive(world, row_id, "100")
    assert verdicts() == ["wrong_asset"]
    assert owed() == [("receipt_wrong_asset", "BRL", "100")]
    agree()


def test_money_without_a_reference_is_credited_by_hand(trade: Trade, world: World) -> None:
    row_id = trade.deposit()
    arrive(world, row_id, reference=None)
    assert verdicts() == ["unmatched"]
    assert books() == {"BRL bank": "542", "BRL suspense": "-542"}
    [case] = desk.listing()
    crediting.credit(case.id, row_id, ME)
    Bench(world).wait(row_id)
    assert amounts(world, row_id) == NUMBERS
    agree()


def test_a_deposit_goes_back_in_the_currency_that_came(trade: Trade, world: World) -> None:
    row_id = trade.deposit()
    arrive(world, row_id, payer="DE55")
    desk.hold(row_id, ME)
    refund = give_back(row_id)
    assert refund.amount == parse_amount("542")
    settle(world, row_id)
    assert books() == {}
    moved = [(each.cents, each.currency) for each in world.bank.transfers.values()]
    assert moved == [(54200, "BRL")]
    agree()


def test_a_booking_that_is_taken_back_is_not_paid(trade: Trade, world: World) -> None:
    row_id = trade.deposit()
    arrive(world, row_id)
    arrive(world, row_id, is_reversed=True)
    row = world.row(row_id)
    assert row.is_resting
    assert books() == {}
    assert kept()[0].reversed_at is not None


def test_an_account_without_a_trust_line_waits_and_is_paid_the_same(
    trade: Trade, world: World
) -> None:
    bench = Bench(world)
    keys = bench.account(trusts=False)
    row_id = trade.deposit(destination=keys.public_key)
    arrive(world, row_id)
    bench.wait(row_id, "pending_trust", hurry=True)
    bench.trust(keys)
    bench.wait(row_id, hurry=True)
    assert bench.held(keys.public_key) == "100.0000000"
    assert amounts(world, row_id) == NUMBERS
    agree()


def test_an_account_that_is_created_costs_nothing_beside_the_quote(
    trade: Trade, world: World
) -> None:
    bench = Bench(world)
    keys = Keypair.random()
    row_id = trade.deposit(destination=keys.public_key)
    arrive(world, row_id)
    bench.wait(row_id, "pending_trust", hurry=True)
    bench.trust(keys)
    bench.wait(row_id, hurry=True)
    assert amounts(world, row_id) == NUMBERS
    agree()


def test_a_claimable_balance_that_is_taken_back_is_owed_in_what_came(
    trade: Trade, world: World
) -> None:
    offers = DeliveryPolicy(True, parse_amount("2"), 0, claimable_balances=True)
    bench = Bench(world)
    bench.serve(replace(world.policy, delivery=offers))
    keys = bench.account(trusts=False)
    row_id = trade.deposit(destination=keys.public_key, takes_claimable_balance=True)
    arrive(world, row_id)
    bench.wait(row_id)
    [(balance_id,)] = bench.sql("SELECT id FROM claimable_balances")
    with transaction():
        row = claimable_balances._locked(balance_id)
        assert row is not None
        claimable_balances._end(row, "reclaimed", row.source, "ab" * 32, datetime.now(UTC))
    assert ("balance_reclaimed", "BRL", "500") in owed()
    assert world.row(row_id).amount_paid == parse_amount("42")
    assert books()["BRL customer"] == "-500"
    agree()


def test_a_quoted_deposit_expires_with_its_quote(trade: Trade, world: World) -> None:
    row_id = trade.deposit()
    trade.due(row_id, hours=2)
    poll(world)
    run()
    assert world.status(row_id) == "expired"
    arrive(world, row_id)
    assert verdicts() == ["late"]
    agree()


@pytest.mark.conforms("SEP24-06", "SEP24-21", "SEP24-90")
def test_a_wallet_sees_what_it_pays_and_receives(trade: Trade, world: World) -> None:
    client = world.app.test_client()
    world.fund()
    headers = world.log_in(client)
    asked = {"sell_asset": "iso4217:BRL", "buy_asset": trade.usdc, "sell_amount": "542"}
    quote = client.post("/sep38/quote", json=asked | {"context": "sep24"}, headers=headers).json
    other = client.post("/sep38/quote", json=asked | {"context": "sep6"}, headers=headers).json
    body = {"asset_code": "USDC", "quote_id": quote["id"], "source_asset": "iso4217:BRL"}
    path = "/sep24/transactions/deposit/interactive"
    wrongs: tuple[Mapping[str, str], ...] = (
        {"amount": "100"},
        {"source_asset": "iso4217:USD"},
        {"quote_id": other["id"]},
    )
    for wrong in wrongs:
        assert client.post(path, json=body | wrong, headers=headers).status_code == 400
    one = client.post(path, json=body, headers=headers).json
    found = client.get("/sep24/transaction", query_string={"id": one["id"]}, headers=headers).json[
        "transaction"
    ]
    assert (found["kind"], found["quote_id"]) == ("deposit", quote["id"])
    assert (found["amount_in"], found["amount_in_asset"]) == ("542", "iso4217:BRL")
    assert (found["amount_out"], found["amount_out_asset"]) == ("100", trade.usdc)
    assert found["fee_details"] == quote["fee"] == {"total": "42", "asset": "iso4217:BRL"}
    listed = client.get(
        "/sep24/transactions", query_string={"asset_code": "USDC"}, headers=headers
    ).json["transactions"]
    assert listed == [found]
    answer = Visitor(client, one["url"]).fill_in()
    assert "542.00\xa0BRL" in answer.text
    assert "100.00\xa0USDC" in answer.text


def test_a_quote_for_a_sale_opens_no_deposit(trade: Trade, world: World) -> None:
    world.fund()
    quote = trade.quote(Way.WITHDRAWAL)
    with pytest.raises(Rejected, match="another asset"):
        deposits.open_interactive(trade.owner, world.policy, quote_id=quote.id)


def test_old_quotes_are_forgotten_by_the_pass_that_lets_expire(trade: Trade) -> None:
    trade.quote(Way.DEPOSIT)
    with transaction():
        db.session.execute(text("UPDATE quotes SET expires_at = now() - interval '8 days'"))
    passes.owe("work")
    sweeps.work_off(passes.SERVICES["work"].kinds)
    assert not quotes.has_old()


@pytest.mark.parametrize(
    ("before_s", "verdict"), [(0, "credited"), (240, "credited"), (360, "late"), (43_200, "late")]
)
def test_promise_11_a_bank_that_knows_the_day_alone_gives_nobody_a_day_to_choose(
    trade: Trade, world: World, before_s: int, verdict: str
) -> None:
    """A quote runs out at ten past ten; money of the evening is dated midnight of that day.

    Whoever could pay until the bank closes would watch the market, and pay where he wins.
    """
    row_id = trade.deposit()
    begun = world.row(row_id).started_at
    arrive(world, row_id, booked_at=begun - timedelta(seconds=before_s))
    assert verdicts() == [verdict]
    if verdict == "late":
        assert owed() == [("receipt_late", "BRL", "542")]
        [case] = desk.listing()
        assert "dated before" in (case.note or "")
        crediting.credit(case.id, row_id, ME)
    assert world.status(row_id) == "pending_anchor"
    agree()

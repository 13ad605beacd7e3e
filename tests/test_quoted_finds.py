"""What a hostile review of quotes found: each find has its test."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from anchor import references
from anchor.errors import Misconfigured
from anchor.extensions import db, transaction
from anchor.integrations.protocols import Done, Returned, Unavailable
from anchor.integrations.rates import Rate, RateQuery, RatesIntegration
from anchor.models import Quote, Transaction
from anchor.services import (
    brakes,
    customer_standings,
    desk,
    links,
    outcomes,
    outflows,
    payouts,
    receipts,
    reconciliation,
)
from anchor.services.acts import By
from tests.doors.quoting import BRL, Market
from tests.puppets import LOOKS_UP, age, due_now, puppet
from tests.quoted import Trade, agree, owed
from tests.receiving import booked
from tests.visiting import Visitor
from tests.world import World

ME = By("ann", "the customer asked")


@pytest.fixture
def market(world: World) -> Market:
    return Market(world)


@pytest.fixture
def trade(world: World) -> Trade:
    return Trade(world)


@contextmanager
def bounded_memory(more_mb: int) -> Iterator[None]:
    """Let this process take so much memory more, and no more."""
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + more_mb * 2**20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(
    "number",
    [
        "1e300000000",
        "-1E300000000",
        "1e-300000000",
        "0e300000000",
        "1e9" + "9" * 16,
        "1e" + "9" * 99,
    ],
)
@pytest.mark.parametrize("name", ["sell_amount", "buy_asset", "context", "country_code"])
def test_a_number_with_an_enormous_exponent_fills_no_memory(
    market: Market, number: str, name: str
) -> None:
    market.log_in()
    said = ", ".join(f'"{key}": "{value}"' for key, value in market.sale(**{name: None}).items())
    with bounded_memory(200):
        answer = market.client.post(
            "/sep38/quote",
            data=f'{{{said}, "{name}": {number}}}',
            headers=market.headers,
            content_type="application/json",
        )
    assert answer.status_code == 400
    assert answer.json["error"]


# -- a changed configuration, and what is open --------------------------------------------


def test_no_rail_is_given_an_order_in_a_currency_that_it_does_not_say_it_pays(
    trade: Trade, world: World
) -> None:
    """The pair is gone since, so the start did not ask: 490 BRL must not become 490 USD."""
    row_id = trade.withdrawal()
    trade.pay(row_id)
    rail = puppet(world, replace(LOOKS_UP, currencies=frozenset()))
    world.work()
    assert rail.calls == []
    assert world.outflows(row_id) == []
    assert owed() == [("payout_impossible", "USDC", "100")]
    rail.traits = LOOKS_UP
    payouts.owe_ready()
    world.work()
    assert len(rail.calls) == 1
    assert world.status(row_id) == "completed"
    agree()


@pytest.mark.parametrize("step", [Unavailable("not now"), "pay again"])
def test_nor_is_an_order_repeated_there(trade: Trade, world: World, step: object) -> None:
    rail = puppet(world, script=[Done() if step == "pay again" else step])
    row_id = trade.withdrawal()
    trade.pay(row_id)
    world.work()
    if step == "pay again":
        attempt = outflows.by_key("bank", f"{row_id}-1")
        assert attempt is not None
        outcomes.record(attempt, Returned("no such account"))
        desk.pay_again(row_id, ME)
    age(100)
    rail.traits = replace(LOOKS_UP, currencies=frozenset())
    for _ in range(2):
        due_now()
        world.work()
    assert len(rail.calls) == 1
    rail.traits = LOOKS_UP
    due_now()
    world.work()
    assert len(rail.calls) == 2
    assert world.status(row_id) == "completed"
    agree()


def test_no_way_to_pay_is_promised_that_is_no_rail_of_the_asset(market: Market) -> None:
    """BRL may be paid by PIX for another asset; no transaction of this one could go that way."""
    both = {"bank": "By bank", "pix": "By PIX"}
    wide = replace(
        market.world.settings.quotes.offchain[BRL],
        sell_delivery_methods=both,
        buy_delivery_methods=both,
    )
    market.serve(offchain={BRL: wide})
    assert market.post(**market.sale(buy_delivery_method="pix")).status_code == 400
    assert market.get("price", **market.sale(buy_delivery_method="pix")).status_code == 400
    query = {"sell_asset": market.usdc, "sell_amount": "100", "buy_delivery_method": "pix"}
    assert market.get("prices", **query).status_code == 400
    assert market.quote(), "there is only one way, so it need not be named"


@pytest.mark.parametrize("named", [{}, {"buy_delivery_method": "bank"}])
@pytest.mark.parametrize("gone", ["pair", "rail"])
def test_the_page_of_a_quote_that_cannot_be_served_any_more_says_so(
    market: Market, named: dict[str, str], gone: str
) -> None:
    """Nobody has paid yet; what is complete already goes on."""
    asked = market.quote(**market.sale(context="sep24", **named))
    body = {"asset_code": "USDC", "quote_id": asked["id"]}
    path = "/sep24/transactions/withdraw/interactive"
    url = market.client.post(path, json=body, headers=market.headers).json["url"]
    if gone == "pair":
        market.serve(pairs=(), offchain={})
    else:
        object.__setattr__(market.world.policy, "rails", ("cash",))
        del market.world.app.extensions["anchor"].rails["bank"]
    shown = Visitor(market.client, url).page
    assert shown.status_code == 400
    assert "way to pay is not offered" in shown.text


# -- who else reads the amounts -------------------------------------------------------------


@pytest.mark.parametrize("is_paid", [False, True])
def test_what_is_asked_of_a_customer_goes_by_the_amount_on_the_ledger(
    trade: Trade, world: World, is_paid: bool
) -> None:
    """Rules are in units of the asset: 542 BRL are 100, 542 of a dearer currency many more."""
    row_ids = trade.deposit(), trade.withdrawal()
    if is_paid:
        told = {"currency": "BRL", "reference": world.row(row_ids[0]).reference}
        receipts.observe("bank", [booked("B1", "542", **told)])
        trade.pay(row_ids[1])
    for row_id in row_ids:
        with transaction():
            row = db.session.get_one(Transaction, row_id, populate_existing=True)
            about = customer_standings.occasion_on("sep6", row)
        assert (about.asset, about.amount) == (world.policy.id, 100)


# -- sources of rates -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        *(Rate(Decimal(text)) for text in ("1e400", "1e-400", "1e999999", "1e-999999", "sNaN")),
        *(Rate(Decimal(text)) for text in ("-1", "-Infinity", "1e19", "1e-19")),
        Misconfigured("the desk has no key"),
        OverflowError(),
        "5",
    ],
)
def test_what_no_market_says_is_no_price(market: Market, answer: object) -> None:
    """A 503 and nothing written, and never a bug of ours."""

    class Odd(RatesIntegration):
        def rate(self, _query: RateQuery) -> Rate:
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[return-value]

    market.world.app.extensions["anchor"].rates["fixed"] = Odd("fixed")
    market.log_in()
    for asked in (
        market.sale(),
        market.purchase(),
        market.purchase(sell_amount=None, buy_amount="1"),
    ):
        assert market.get("price", **asked).status_code == 503
        assert market.post(**asked).status_code == 503
    query = {"sell_asset": BRL, "sell_amount": "542"}
    assert market.get("prices", **query).status_code == 503
    with transaction():
        assert db.session.scalar(select(func.count(Quote.id))) == 0


# -- brakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["withdrawal", "withdrawal-exchange", "deposit"])
def test_promise_14_a_pause_of_withdrawals_stops_those_on_a_quote(
    trade: Trade, world: World, way: str
) -> None:
    """Who pulls the brake does not ask what is exchanged."""
    rail = puppet(world)
    brakes.pause("kind", way, "ann", None)
    row_id = trade.withdrawal()
    trade.pay(row_id)
    world.work()
    assert len(rail.calls) == (1 if way == "deposit" else 0)
    brakes.resume("kind", way, "ann", None)
    due_now()
    world.work()
    assert world.status(row_id) == "completed"


# -- what a customer is told ----------------------------------------------------------------


@pytest.mark.parametrize("is_deposit", [False, True])
def test_nobody_is_told_to_pay_on_a_quote_that_has_run_out(
    trade: Trade, world: World, is_deposit: bool
) -> None:
    """The status waits for what the source says; the page does not ask for late money."""
    row_id = trade.deposit() if is_deposit else trade.withdrawal()
    client = world.app.test_client()

    def page() -> str:
        with world.app.test_request_context():
            url = links.to_more_info(row_id)
        return str(client.get(url.removeprefix(world.settings.public_url)).text)

    asked = (
        references.grouped(str(world.row(row_id).reference)) if is_deposit else world.distribution
    )
    assert asked in page()
    trade.due(row_id, seconds=1)
    assert world.status(row_id) == "pending_user_transfer_start"
    assert asked not in page()
    assert "Please do not pay any more" in page()


@pytest.mark.parametrize(
    ("least", "most", "is_believed"),
    [("5", "5", True), ("5.01", None, False), (None, "4.99", False), ("4", "6", True)],
)
def test_a_rate_out_of_its_bounds_is_promised_to_nobody(
    market: Market, least: str | None, most: str | None, is_believed: bool
) -> None:
    """The source says 5: whoever set the bounds knows that it slipped."""
    bounds = {
        "rate_min": None if least is None else Decimal(least),
        "rate_max": None if most is None else Decimal(most),
    }
    [pair] = market.world.settings.quotes.pairs
    market.serve(pairs=(replace(pair, **bounds),))
    wanted = (200, 201) if is_believed else (503, 503)
    for asked in (market.sale(), market.purchase()):
        found = market.get("price", **asked).status_code, market.post(**asked).status_code
        assert found == wanted


# -- what the bank says afterwards ----------------------------------------------------------


def test_a_payout_that_left_in_another_currency_is_named(trade: Trade, world: World) -> None:
    """490 BRL paid as 490 USD: the amounts agree, and the money is gone."""
    row_id = trade.withdrawal()
    trade.pay(row_id)
    world.work()
    plain = world.paid_withdrawal()
    world.work()
    day = datetime.now(UTC).date()
    assert reconciliation.run(1, day).differences == []
    world.bank.transfers[f"{row_id}-1"].currency = "USD"
    world.bank.transfers[f"{plain}-1"].currency = "USD"
    [found] = reconciliation.run(1, day).differences
    assert found.sentence == "left in USD, and was ordered in BRL"

"""What a customer is told that a transaction costs is what it costs: page, quote, row and books."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor import create_app
from anchor.fees import Fees, FeeSchedule, FeeTier
from anchor.money import format_amount, parse_amount
from anchor.policies import AssetPolicy
from anchor.serializers import sep06, sep24, sep31, transaction_words
from anchor.services import deposits, opening, views
from anchor.services.transactions import Owner
from tests.deposits import Bench
from tests.doors.quoting import Market
from tests.doors.test_page_steps import id_of, price, visited
from tests.puppets import Puppet, puppet
from tests.test_books import balances
from tests.world import ACCOUNT, World, dispose

UNIT = 10_000_000
#: At least 3, 1 and 0.5 % of it, and from 500 on 0.8 %.
TIERED = FeeSchedule(
    UNIT, Decimal("0.5"), 3 * UNIT, None, (FeeTier(500 * UNIT, 0, Decimal("0.8")),)
)
DEAR = FeeSchedule(7 * UNIT)


def served(world: World, fees: Fees, **changes: Any) -> AssetPolicy:
    """Serve the asset for these fees, whichever way."""
    ways = ("withdrawal", "deposit", "send")
    flows = {way: replace(getattr(world.policy, way), fees=fees) for way in ways}
    policy = replace(world.policy, **flows, **changes)
    Bench(world).serve(policy)
    return policy


@pytest.mark.parametrize(
    ("amount", "fee"), [("100", "3.00"), ("499.99", "3.50"), ("500", "4.00"), ("1000", "8.00")]
)
def test_promise_09_page_transaction_payout_and_books_say_the_same_fee(
    world: World, amount: str, fee: str
) -> None:
    served(world, Fees(TIERED))
    world.fund()
    visitor = visited(world, world.app.test_client())
    told = price(visitor.client, visitor, amount=amount).json
    assert told["fee"] == f"{fee}\xa0USDC"
    first = visitor.page.text
    visitor.send(amount=amount)
    assert "You will see the fee before you confirm." in first
    visitor.send(bank_account_number=ACCOUNT)
    assert f"{fee}\xa0USDC" in visitor.page.text
    visitor.send()
    row = world.row(id_of(visitor))
    assert row.amount_fee == parse_amount(fee)
    served(world, Fees(DEAR))  # what was told holds, whatever is asked of others by now
    puppet(world)
    world.pay(amount, world.memo(row.id))
    world.read()
    world.work()
    assert world.status(row.id) == "completed"
    assert world.row(row.id).amount_fee == parse_amount(fee)
    assert world.outflows(row.id)[0].amount_fee == parse_amount(fee)
    assert balances(world)["fees"] == -parse_amount(fee)


def test_promise_09_a_deposit_costs_to_the_last_stroop_what_was_told(world: World) -> None:
    """What goes out has the ledger's decimals, not the bank's."""
    bench = Bench(world)
    served(world, Fees(TIERED))
    row_id = world.deposit("500.01")
    told = world.row(row_id)
    assert format_amount(told.amount_fee or 0) == "4.00008"
    bench.fund(row_id, "500.01")
    bench.wait(row_id)
    assert world.row(row_id).amount_fee == told.amount_fee
    assert world.row(row_id).amount_out == told.amount_out
    assert balances(world)["fees"] == -(told.amount_fee or 0)


def test_the_parts_of_a_fee_are_told_and_sum_to_it(world: World) -> None:
    """A fixed part, a share, and what rounding or opening an account adds."""

    def told(row_id: str) -> dict[str, str]:
        view = views.get(row_id)
        found = transaction_words.fee(view, str)["fee_details"]
        parts = {each["name"]: each["amount"] for each in found.get("details", [])}
        assert not parts or sum(map(Decimal, parts.values())) == Decimal(found["total"])
        return parts

    assert told(world.withdrawal("100.01")) == {
        "Fixed fee": "1",
        "Share of the amount": "0.50005",
        "Rounding": "0.00995",
    }
    served(world, Fees(TIERED))
    assert told(world.withdrawal("100")) == {}, "the least fee is one part"
    bench, keys = Bench(world), Keypair.random()
    offers = replace(world.policy.delivery, create_accounts=True, creation_fee=2 * UNIT)
    offers = replace(offers, starting_balance=2 * UNIT)
    policy = served(world, world.policy.deposit.fees, delivery=offers)
    owner = Owner(world.payer.public_key)
    row_id = deposits.open_interactive(owner, policy, destination=keys.public_key)
    deposits.give_details(row_id, parse_amount("600"), "bank", {}, "form 1")
    assert told(row_id) == {"Fixed fee": "1", "Share of the amount": "3"}
    bench.serve(policy)
    bench.fund(row_id, "600")
    bench.wait(row_id, "pending_trust")
    bench.trust(keys)
    bench.wait(row_id, hurry=True)
    opening_part = {"Opening of the account": "2"}
    assert told(row_id) == {"Fixed fee": "1", "Share of the amount": "3"} | opening_part


@pytest.fixture
def wired(world: World) -> Iterator[World]:
    """The same anchor with a rail that costs more."""
    app = create_app(world.settings)
    found = app.extensions["anchor"]
    found.rails["wire"] = Puppet("wire")
    with app.app_context():
        other = World(app, world.settings, world.sandbox, world.bank, world.payer)
        served(other, Fees(FeeSchedule(UNIT), {"wire": DEAR}), rails=("bank", "wire"))
        yield other
    dispose(app)


def test_a_rail_of_its_own_fee_costs_that_on_the_page_and_in_the_end(wired: World) -> None:
    wired.fund()
    client = wired.app.test_client()
    visitor = visited(wired, client)
    assert price(client, visitor, amount="100", rail="wire").json["fee"] == "7.00\xa0USDC"
    assert price(client, visitor, amount="100", rail="bank").json["fee"] == "1.00\xa0USDC"
    assert price(client, visitor, amount="6", rail="bank").status_code == 200
    assert price(client, visitor, amount="6", rail="wire").status_code == 400
    assert price(client, visitor, amount="6", rail="pigeon").status_code == 400
    visitor.send(amount="100", rail="wire")
    visitor.send()
    row = wired.row(id_of(visitor))
    assert (row.rail, row.amount_fee) == ("wire", parse_amount("7"))


def test_a_wallets_amount_that_another_rail_takes_is_chosen_anew_on_the_page(wired: World) -> None:
    """Its own rail's fee would eat it: the page asks, and does not fall over."""
    policy = wired.app.extensions["anchor"].settings.assets["USDC"]
    flow = replace(policy.withdrawal, fees=Fees(FeeSchedule(50 * UNIT), {"wire": DEAR}))
    Bench(wired).serve(replace(policy, withdrawal=flow))
    wired.fund()
    visitor = visited(wired, wired.app.test_client(), amount="10")
    assert (visitor.page.status_code, visitor.step) == (200, "amount")
    visitor.send(amount="10", rail="bank")
    assert visitor.page.status_code == 400
    visitor.send(amount="10", rail="wire")
    visitor.send()
    assert wired.row(id_of(visitor)).amount_out == parse_amount("3")


def test_an_amount_is_opened_where_one_rail_leaves_some_of_it(wired: World) -> None:
    policy = wired.app.extensions["anchor"].settings.assets["USDC"]
    dearest = Fees(FeeSchedule(50 * UNIT), {"wire": DEAR})
    flow = replace(policy.withdrawal, fees=dearest)
    opening.check_amount(replace(policy, withdrawal=flow), "withdrawal", parse_amount("10"))


@pytest.mark.conforms("SEP24-13", "SEP6-11", "SEP31-11")
def test_info_tells_a_fee_only_where_that_is_all_of_it(wired: World) -> None:
    def told(fees: Fees, rails: tuple[str, ...] = ("bank",)) -> list[dict[str, Any]]:
        flow = replace(wired.policy.withdrawal, fees=fees)
        policy = replace(wired.policy, withdrawal=flow, deposit=flow, send=flow, rails=rails)
        found = replace(wired.settings, assets={"USDC": policy})
        infos = (
            sep24.info(found)["withdraw"],
            sep06.info(found, str)["deposit"],
            sep31.info(found, str)["receive"],
        )
        return [
            {name: each for name, each in info["USDC"].items() if name.startswith("fee_")}
            for info in infos
        ]

    plain = {"fee_fixed": 1, "fee_percent": 0.5}
    usual = FeeSchedule(UNIT, Decimal("0.5"))
    assert told(Fees(usual)) == [plain, plain, plain]
    assert told(Fees(replace(usual, minimum=2 * UNIT))) == [plain | {"fee_minimum": 2}, {}, {}]
    assert told(Fees(replace(usual, maximum=2 * UNIT))) == [{}, {}, {}]
    assert told(Fees(TIERED)) == [{}, {}, {}]
    two = ("bank", "wire")
    assert told(Fees(usual, {"wire": DEAR}), two) == [{}, {}, {}]
    assert told(Fees(usual, {"wire": usual}), two) == [plain, plain, plain]
    assert told(Fees(usual, {"wire": DEAR})) == [plain, plain, plain], "it is no rail of these"


def test_a_price_that_names_no_way_is_that_of_the_dearest(wired: World) -> None:
    market = Market(wired)
    quotes = wired.app.extensions["anchor"].settings.quotes
    [pair] = quotes.pairs
    methods = {"bank": "By PIX", "wire": "By wire"}
    other = replace(quotes.offchain["iso4217:BRL"], buy_delivery_methods=methods)
    fees = Fees(FeeSchedule(UNIT, Decimal(1)), {"wire": DEAR})
    market.serve(
        pairs=(replace(pair, withdrawal=fees),), offchain=dict(quotes.offchain) | {other.id: other}
    )
    told = {
        way: market.get("price", **market.sale(buy_delivery_method=way)).json["fee"]
        for way in ("bank", "wire", None)
    }
    assert (told["bank"]["total"], told["wire"]["total"]) == ("2", "7")
    assert [each["amount"] for each in told["bank"]["details"]] == ["1", "1"]
    assert told[None] == told["wire"]
    quoted = market.quote(**market.sale(buy_delivery_method="wire"))
    assert (quoted["fee"]["total"], quoted["buy_amount"]) == ("7", "465")

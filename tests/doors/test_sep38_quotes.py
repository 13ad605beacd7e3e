"""SEP-38: firm quotes, as wallets ask for them and look at them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from stellar_sdk import Keypair, MuxedAccount

from anchor.extensions import db, transaction
from anchor.models import Quote
from anchor.money import parse_amount
from anchor.services import quotes
from anchor.services.exchanges import Wish
from anchor.services.transactions import Owner
from tests.doors.quoting import BRL, Market
from tests.doors.test_sep38 import BAD
from tests.world import World

KEYS = {
    "id",
    "expires_at",
    "total_price",
    "price",
    "sell_asset",
    "sell_amount",
    "buy_asset",
    "buy_amount",
    "fee",
}


@pytest.fixture
def market(world: World) -> Market:
    return Market(world)


def instant(told: str) -> datetime:
    assert told.endswith("Z")
    return datetime.fromisoformat(told)


@pytest.mark.conforms(
    "SEP38-34",
    "SEP38-44",
    "SEP38-46",
    "SEP38-50",
    "SEP38-51",
    "SEP38-60",
    "GEN-35",
    "V-17",
    "E-04",
    "E-07",
)
def test_a_quote_has_exactly_its_keys_and_is_found_again(market: Market) -> None:
    answer = market.post(**market.sale())
    assert answer.status_code == 201
    assert answer.mimetype == "application/json"
    made = answer.json
    assert set(made) == KEYS
    assert None not in made.values()
    assert made["sell_amount"] == "100"
    assert (made["buy_amount"], made["fee"]["total"], made["price"]) == ("490", "2", "0.2")
    assert made["fee"]["asset"] == market.usdc
    assert instant(made["expires_at"]) > datetime.now(UTC)
    assert market.get(f"quote/{made['id']}").json == made


@pytest.mark.conforms("SEP38-50", "SEP38-54")
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_way_to_pay_is_told_where_it_was_asked_for(market: Market, side: str) -> None:
    asked = market.sale() if side == "buy" else market.purchase()
    name = f"{side}_delivery_method"
    made = market.quote(**asked, **{name: "bank"})
    assert set(made) == KEYS | {name}
    assert market.get(f"quote/{made['id']}").json == made
    assert set(market.quote(**asked)) == KEYS


@pytest.mark.conforms("SEP38-54", "SEP38-55", "E-08")
def test_a_way_to_pay_has_to_be_named_where_there_are_several(market: Market) -> None:
    methods = {"bank": "By PIX", "cash": "At a counter"}
    wide = replace(
        market.world.settings.quotes.offchain[BRL],
        sell_delivery_methods=methods,
        buy_delivery_methods=methods,
    )
    market.serve(offchain={BRL: wide})
    object.__setattr__(market.world.policy, "rails", ("bank", "cash"))
    assert market.post(**market.sale()).status_code == 400
    assert market.post(**market.purchase()).status_code == 400
    assert market.get("price", **market.sale()).status_code == 200
    assert market.quote(**market.sale(buy_delivery_method="cash"))


@pytest.mark.conforms(
    "SEP38-01",
    "SEP38-55",
    "10.6/sell_asset",
    "10.6/buy_asset",
    "10.6/context",
    "10.6/buy_amount",
    "10.6/buy_delivery_method",
    "10.6/sell_amount",
    "10.6/sell_delivery_method",
    "10.6/country_code",
    "GEN-13",
    "V-18",
)
@pytest.mark.parametrize(
    "change",
    [
        *BAD,
        {"expire_after": "soon"},
        {"expire_after": 5},
        {"expire_after": "2999-01-01T00:00:00Z"},
        {"sell_amount": [1]},
        {"sell_amount": {"a": 1}},
        {"sell_asset": 5},
        {"context": ["sep6"]},
    ],
)
def test_a_bad_wish_is_refused_and_nothing_is_written(
    market: Market, change: dict[str, Any]
) -> None:
    answer = market.post(**market.sale(**change))
    assert answer.status_code == 400
    assert answer.json["error"]
    with transaction():
        assert db.session.scalar(select(func.count(Quote.id))) == 0


@pytest.mark.conforms("GEN-13")
def test_a_body_that_is_no_object_is_refused(market: Market) -> None:
    market.log_in()
    for raw in (b"[]", b'"x"', b"{", b"null", b'{"sell_amount": NaN}'):
        answer = market.client.post(
            "/sep38/quote", data=raw, headers=market.headers, content_type="application/json"
        )
        assert answer.status_code == 400


@pytest.mark.conforms("SEP38-01", "GEN-09", "V-18")
def test_quotes_are_for_those_who_logged_in(market: Market) -> None:
    for answer in (
        market.client.post("/sep38/quote", json=market.sale()),
        market.client.get("/sep38/quote/1"),
    ):
        assert answer.status_code == 403
        assert answer.json["error"]


@pytest.mark.conforms("SEP38-51", "10.6/expire_after")
def test_a_quote_holds_for_as_long_as_was_asked_for(market: Market) -> None:
    soon, later = (datetime.now(UTC) + timedelta(seconds=s) for s in (5, 1800))
    market.serve(hold_s=60, hold_max_s=3600)
    made = market.quote(**market.sale(expire_after=later.isoformat()))
    assert later <= instant(made["expires_at"]) < later + timedelta(seconds=2)
    made = market.quote(**market.sale(expire_after=soon.isoformat()))
    assert instant(made["expires_at"]) > soon + timedelta(seconds=30)
    too_late = (datetime.now(UTC) + timedelta(seconds=3700)).isoformat()
    answer = market.post(**market.sale(expire_after=too_late))
    assert answer.status_code == 400
    assert "3600" in answer.json["error"]


@pytest.mark.conforms("SEP38-61", "GEN-25", "V-18")
def test_nobody_sees_the_quote_of_another(market: Market) -> None:
    """Another account, another memo of the same account: 404, as for one that is not there."""
    made = market.quote()
    mine = dict(market.headers)
    for log_in in (
        lambda: market.log_in(Keypair.random()),
        lambda: market.log_in(market.world.payer, memo="5"),
    ):
        log_in()
        answer = market.get(f"quote/{made['id']}")
        assert answer.status_code == 404
        assert set(answer.json) == {"error"}
    market.headers = mine
    for unknown in ("5", "0" * 32, "%00", "x" * 300, "00000000-0000-0000-0000-000000000000"):
        assert market.get(f"quote/{unknown}").status_code == 404
    assert market.get(f"quote/{made['id']}").status_code == 200


@pytest.mark.conforms("GEN-26", "SEP38-61")
def test_a_muxed_account_and_its_memo_are_one_owner(market: Market) -> None:
    market.log_in(market.world.payer, memo="5")
    made = market.quote()
    muxed = MuxedAccount(market.world.payer.public_key, 5).account_muxed
    signed = market.world.signed_challenge(market.client, market.world.payer, account=muxed)
    token = market.client.post("/auth", json={"transaction": signed}).json["token"]
    market.headers = {"Authorization": f"Bearer {token}"}
    assert market.get(f"quote/{made['id']}").json == made


@pytest.mark.conforms("SEP38-60")
def test_a_quote_that_ran_out_is_shown_as_long_as_it_is_kept(market: Market) -> None:
    made = market.quote()
    with transaction():
        db.session.execute(update(Quote).values(expires_at=func.now() - text("interval '6 days'")))
    assert quotes.forget() == 0
    assert market.get(f"quote/{made['id']}").json["id"] == made["id"]
    with transaction():
        db.session.execute(update(Quote).values(expires_at=func.now() - text("interval '8 days'")))
    assert quotes.has_old()
    assert quotes.forget() == 1
    assert market.get(f"quote/{made['id']}").status_code == 404


@pytest.mark.conforms("SEP38-52")
def test_what_is_promised_is_reserved_until_the_quote_runs_out(market: Market) -> None:
    market.serve(reserve_max={BRL: parse_amount("1000")})
    market.quote()
    market.quote()
    answer = market.post(**market.sale())
    assert answer.status_code == 400
    assert market.post(**market.sale(sell_amount="3")).status_code == 201
    assert market.post(**market.purchase()).status_code == 201
    with transaction():
        db.session.execute(update(Quote).values(expires_at=func.now()))
    assert market.post(**market.sale()).status_code == 201


@pytest.mark.conforms("SEP38-52")
def test_eight_at_once_are_never_promised_more_than_there_is(market: Market) -> None:
    market.serve(reserve_max={BRL: parse_amount("1500")})
    wish = Wish(market.usdc, BRL, sell_amount=parse_amount("100"))

    def promise(number: int) -> bool:
        with market.world.app.app_context():
            try:
                quotes.promise(Owner(market.world.payer.public_key, number), wish, "send")
            except quotes.Rejected:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(promise, range(8))) == 3
    with transaction():
        assert db.session.scalar(select(func.sum(Quote.buy_amount))) == parse_amount("1470")


def test_no_quote_is_made_of_what_no_transaction_can_be(market: Market) -> None:
    """The asset's limits hold: from 1 to 10000."""
    assert market.post(**market.sale(sell_amount="10000.01")).status_code == 400
    assert market.post(**market.sale(sell_amount="10000")).status_code == 201
    purchase = market.purchase(sell_amount=None, buy_amount="10000.01")
    assert market.post(**purchase).status_code == 400
    assert market.get("price", **purchase).status_code == 200


def test_a_quote_keeps_every_digit_of_its_prices(market: Market) -> None:
    made = market.quote(**market.sale(sell_amount="77.7777777"))
    assert len(made["price"].replace(".", "").lstrip("0")) >= 18
    assert market.get(f"quote/{made['id']}").json == made

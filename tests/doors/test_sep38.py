"""SEP-38 as a wallet sees it: what is exchanged, and at what price."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from anchor import create_app
from anchor.integrations.rates import Rate, RateQuery, RatesIntegration, Unavailable
from scripts.make_conformance import rows
from tests.doors.quoting import BRL, Market
from tests.sending import sending
from tests.transfers import serving
from tests.world import World, dispose

PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?")


@pytest.fixture
def market(world: World) -> Market:
    return Market(world)


def source(market: Market, answer: Any) -> None:
    """Let the rates be what a test says, or raise it."""

    class Scripted(RatesIntegration):
        def rate(self, query: RateQuery) -> Rate:
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[no-any-return]

    market.world.app.extensions["anchor"].rates["fixed"] = Scripted("fixed")


def texts(body: Any) -> Iterator[Any]:
    """Yield every value of a JSON body."""
    if isinstance(body, dict | list):
        for each in body.values() if isinstance(body, dict) else body:
            yield from texts(each)
    else:
        yield body


# -- what is exchanged ----------------------------------------------------------------------


@pytest.mark.conforms("SEP38-10", "SEP38-11", "SEP38-13", "SEP38-14", "SEP38-15", "GEN-33")
def test_info_tells_assets_ways_to_pay_and_countries(market: Market) -> None:
    method = {"name": "bank", "description": "By PIX"}
    assert market.get("info").json == {
        "assets": [
            {"asset": market.usdc},
            {
                "asset": BRL,
                "sell_delivery_methods": [method],
                "buy_delivery_methods": [method],
                "country_codes": ["BR"],
            },
        ]
    }


@pytest.mark.conforms("SEP38-12")
def test_ways_to_pay_have_one_name_at_all_doors(market: Market) -> None:
    world = market.world
    plain = serving(world.settings)
    app = create_app(sending(plain, world.payer.public_key))
    settings = sending(plain, world.payer.public_key, rails=("bank", "wire"))
    brl = replace(settings.quotes.offchain[BRL], buy_delivery_methods={"wire": "By wire"})
    settings = replace(settings, quotes=replace(settings.quotes, offchain={BRL: brl}))
    house = app.extensions["anchor"]
    house.rails["wire"] = house.rails["bank"]
    app.extensions["anchor"] = replace(house, settings=settings)
    client = app.test_client()
    named = {
        tuple(client.get("/sep6/info").json[way]["USDC"]["funding_methods"])  # type: ignore[index]
        for way in ("deposit", "withdraw")
    }
    [(_, send)] = client.get("/sep31/info").json["receive"].items()  # type: ignore[index]
    assert named | {tuple(send["funding_methods"])} == {("bank", "wire")}
    [told] = [each for each in client.get("/sep38/info").json["assets"] if each["asset"] == BRL]  # type: ignore[index]
    assert [each["name"] for each in told["sell_delivery_methods"]] == ["bank"]
    assert [each["name"] for each in told["buy_delivery_methods"]] == ["wire"]
    dispose(app)


@pytest.mark.conforms("SEP38-14")
def test_what_there_is_none_of_is_left_out(market: Market) -> None:
    [pair] = market.world.settings.quotes.pairs
    bare = replace(market.world.settings.quotes.offchain[BRL], country_codes=())
    market.serve(offchain={BRL: bare}, pairs=(replace(pair, deposit=None),))
    assert set(market.get("info").json["assets"][1]) == {"asset", "buy_delivery_methods"}
    assert market.get("price", **market.sale()).status_code == 200
    assert market.get("price", **market.purchase()).status_code == 400


@pytest.mark.conforms("GEN-33")
def test_lumens_are_exchanged_under_their_name(market: Market) -> None:
    native = replace(market.world.policy, code="native", issuer=None)
    [pair] = market.world.settings.quotes.pairs
    market.serve(pairs=(pair, replace(pair, asset="native")))
    found = market.world.app.extensions["anchor"]
    assets = dict(found.settings.assets) | {"native": native}
    settings = replace(found.settings, assets=assets)
    market.world.app.extensions["anchor"] = replace(found, settings=settings)
    source(market, Rate(Decimal("2")))
    assert {"asset": "stellar:native"} in market.get("info").json["assets"]
    answer = market.get("price", **market.sale(sell_asset="stellar:native"))
    assert answer.json["fee"]["asset"] == "stellar:native"


@pytest.mark.conforms("SEP1-11")
def test_the_toml_tells_where_quotes_are_made(market: Market) -> None:
    toml = tomllib.loads(market.client.get("/.well-known/stellar.toml").text)
    place = urlsplit(toml["ANCHOR_QUOTE_SERVER"]).path
    assert market.client.get(f"{place}/info").json == market.get("info").json


# -- prices ---------------------------------------------------------------------------------


@pytest.mark.conforms("SEP38-20", "SEP38-21", "SEP38-22", "SEP38-23", "SEP38-24", "E-05", "V-17")
def test_prices_are_in_the_sold_asset_for_one_of_the_bought_one(market: Market) -> None:
    """Either way round, with the decimals of the asset that is listed."""
    found = market.get("prices", sell_asset=market.usdc, sell_amount="100").json
    assert found == {"buy_assets": [{"asset": BRL, "price": "0.2", "decimals": 2}]}
    found = market.get("prices", sell_asset=BRL, sell_amount="542").json
    assert found == {"buy_assets": [{"asset": market.usdc, "price": "5", "decimals": 7}]}
    found = market.get("prices", buy_asset=BRL, buy_amount="500").json
    assert found == {"sell_assets": [{"asset": market.usdc, "price": "0.2", "decimals": 7}]}
    found = market.get("prices", buy_asset=market.usdc, buy_amount="100").json
    assert found == {"sell_assets": [{"asset": BRL, "price": "5", "decimals": 2}]}


@pytest.mark.conforms("SEP38-24")
def test_the_margin_is_in_the_price(market: Market) -> None:
    [pair] = market.world.settings.quotes.pairs
    market.serve(pairs=(replace(pair, spread=Decimal(10)),))
    [offer] = market.get("prices", sell_asset=BRL, sell_amount="152").json["buy_assets"]
    assert offer["price"] == "5.5"


@pytest.mark.conforms("SEP38-24")
def test_an_asset_that_cannot_be_had_for_it_is_no_error(market: Market) -> None:
    [pair] = market.world.settings.quotes.pairs
    market.serve(pairs=(replace(pair, deposit=None),))
    answer = market.get("prices", sell_asset=BRL, sell_amount="100")
    assert (answer.status_code, answer.json) == (200, {"buy_assets": []})
    answer = market.get("prices", sell_asset=market.usdc, sell_amount="0.0000001")
    assert (answer.status_code, answer.json) == (200, {"buy_assets": []})


@pytest.mark.conforms(
    "SEP38-20",
    "10.3/sell_asset",
    "10.3/sell_amount",
    "10.3/buy_asset",
    "10.3/buy_amount",
    "10.3/sell_delivery_method",
    "10.3/buy_delivery_method",
    "10.3/country_code",
)
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sell_asset": "USDC", "sell_amount": "1"},
        {"sell_asset": BRL, "buy_asset": BRL, "sell_amount": "1"},
        {"sell_asset": BRL},
        {"sell_amount": "1"},
        {"sell_asset": BRL, "buy_amount": "1"},
        {"sell_asset": BRL, "sell_amount": "1", "buy_amount": "1"},
        {"sell_asset": "iso4217:XTS", "sell_amount": "1"},
        {"sell_asset": "iso4217:brl", "sell_amount": "1"},
        {"sell_asset": BRL, "sell_amount": "0"},
        {"sell_asset": BRL, "sell_amount": "1", "sell_delivery_method": "pigeon"},
        {"sell_asset": BRL, "sell_amount": "1", "buy_delivery_method": "bank"},
        {"sell_asset": BRL, "sell_amount": "1", "country_code": "DE"},
        {"sell_asset": BRL, "sell_amount": "1", "country_code": "BRA"},
    ],
)
def test_prices_refuses_what_it_cannot_answer(market: Market, query: dict[str, str]) -> None:
    answer = market.get("prices", **query)
    assert answer.status_code == 400
    assert set(answer.json) == {"error"}


# -- one price ------------------------------------------------------------------------------


@pytest.mark.conforms("SEP38-33", "SEP38-34", "SEP38-40", "SEP38-41", "SEP38-42", "SEP38-45")
def test_a_price_has_its_fee_apart_and_keeps_the_side_that_was_given(market: Market) -> None:
    """The first example of the text: 542 for 100, at 5 each and 42 of fee."""
    wanted = {
        "total_price": "5.42",
        "price": "5",
        "sell_amount": "542",
        "buy_amount": "100",
        "fee": {"total": "42", "asset": BRL},
    }
    assert market.get("price", **market.purchase()).json == wanted
    bought = market.purchase(sell_amount=None, buy_amount="100")
    assert market.get("price", **bought).json == wanted


@pytest.mark.conforms("SEP38-33", "SEP38-42", "SEP38-46", "GEN-30", "V-17")
def test_fees_are_in_the_sold_asset_and_their_parts_sum_to_them(market: Market) -> None:
    found = market.get("price", **market.sale()).json
    assert found["fee"] == {
        "total": "2",
        "asset": market.usdc,
        "details": [
            {"name": "Fixed fee", "amount": "1"},
            {"name": "Share of the amount", "amount": "1"},
        ],
    }
    assert (found["sell_amount"], found["buy_amount"]) == ("100", "490")
    numbers = [text for name, text in found.items() if name != "fee"]
    assert all(isinstance(text, str) and PLAIN.fullmatch(text) for text in numbers)
    assert None not in list(texts(found))


@pytest.mark.conforms("SEP38-31", "SEP38-32", "E-06")
@pytest.mark.parametrize("context", ["sep6", "sep24", "sep31"])
def test_every_context_has_a_price_and_ways_to_pay_may_be_named(
    market: Market, context: str
) -> None:
    assert market.get("price", **market.sale(context=context)).status_code == 200
    named = market.sale(context=context, buy_delivery_method="bank", country_code="BR")
    assert market.get("price", **named).status_code == 200


BAD: list[dict[str, Any]] = [
    {"sell_asset": None},
    {"buy_asset": None},
    {"sell_amount": None},
    {"context": None},
    {"context": "sep1"},
    {"context": ""},
    {"buy_amount": "1"},
    {"sell_asset": "iso4217:XTS"},
    {"sell_asset": BRL},
    {"sell_asset": "x" * 300},
    {"sell_asset": "native"},
    {"buy_asset": "iso4217:BR"},
    {"buy_asset": "\x00"},
    {"buy_asset": "stellar:USDC"},
    {"sell_amount": "0"},
    {"sell_amount": "-1"},
    {"sell_amount": "1e3"},
    {"sell_amount": "NaN"},
    {"sell_amount": "Infinity"},
    {"sell_amount": "1.00000001"},
    {"sell_amount": "1,5"},
    {"sell_amount": " 1"},
    {"sell_amount": "9999999999999"},
    {"sell_amount": "1"},
    {"sell_amount": None, "buy_amount": "1.001"},
    {"sell_delivery_method": "bank"},
    {"buy_delivery_method": "pigeon"},
    {"buy_delivery_method": "bank", "sell_delivery_method": "bank"},
    {"country_code": "DE"},
    {"country_code": "BRA"},
    {"country_code": "br"},
]


@pytest.mark.conforms("SEP38-01", "SEP38-04", "SEP38-30", "SEP38-55", "GEN-07", "GEN-32", "V-18")
@pytest.mark.parametrize("change", BAD)
def test_price_refuses_what_it_cannot_answer(market: Market, change: dict[str, Any]) -> None:
    answer = market.get("price", **market.sale(**change))
    assert answer.status_code == 400
    assert set(answer.json) == {"error"}
    assert answer.json["error"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.conforms("10.4/*")
@pytest.mark.parametrize("name", rows("10.4/*"))
def test_a_price_reads_each_parameter(market: Market, name: str) -> None:
    """Written well it is answered, and the same request with nonsense in its place is not."""
    query = {
        "buy_amount": market.sale(sell_amount=None, buy_amount="490"),
        "sell_delivery_method": market.purchase(sell_delivery_method="bank"),
        "buy_delivery_method": market.sale(buy_delivery_method="bank"),
        "country_code": market.sale(country_code="BR"),
    }.get(name, market.sale())
    assert query[name]
    assert market.get("price", **query).status_code == 200
    assert market.get("price", **query | {name: "nonsense"}).status_code == 400


@pytest.mark.conforms("SEP38-01", "SEP38-02", "V-18")
@pytest.mark.parametrize("path", ["info", "prices", "price"])
def test_whoever_shows_no_token_is_answered_and_a_bad_one_is_not(market: Market, path: str) -> None:
    query = market.sale() if path == "price" else {}
    query = {"sell_asset": BRL, "sell_amount": "542"} if path == "prices" else query
    assert market.get(path, **query).status_code == 200
    for bad in ("Bearer x.y.z", "Bearer", "Basic abc", ""):
        market.headers = {"Authorization": bad}
        answer = market.get(path, **query)
        assert answer.status_code == 403
        assert answer.json["error"]
    market.log_in()
    assert market.get(path, **query).status_code == 200


# -- where nobody knows the rate ------------------------------------------------------------


@pytest.mark.conforms("1.5/upstream down")
@pytest.mark.parametrize(
    "answer",
    [
        Unavailable("no price is known at the moment"),
        RuntimeError("a bug"),
        None,
        Rate(Decimal("NaN")),
        Rate(Decimal(0)),
        Rate(5.42),  # type: ignore[arg-type]
    ],
)
def test_without_a_rate_there_is_no_price(market: Market, answer: Any) -> None:
    """Error matrix, 1.5: rates down is a 503, and no number is made up."""
    source(market, answer)
    for path, query in (
        ("price", market.sale()),
        ("prices", {"sell_asset": BRL, "sell_amount": "542"}),
    ):
        found = market.get(path, **query)
        assert found.status_code == 503
        assert "bug" not in found.text
    assert market.post(**market.sale()).status_code == 503

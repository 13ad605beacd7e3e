"""SEP-24 as a wallet sees it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from stellar_sdk import Asset, Keypair, MuxedAccount

from anchor import create_app
from anchor.extensions import db, transaction
from anchor.models import Transaction
from tests.visiting import Visitor
from tests.world import ACCOUNT, World


@pytest.fixture
def client(world: World) -> Any:
    return world.app.test_client()


def opened(world: World, client: Any, **body: Any) -> dict[str, Any]:
    headers = world.log_in(client)
    answer = client.post(
        "/sep24/transactions/withdraw/interactive",
        json={"asset_code": "USDC", **body},
        headers=headers,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json, headers=headers)


def filled(client: Any, one: dict[str, Any], **form: str) -> Any:
    known = {"amount": "100", "bank_account_number": "DE8937040044"}
    return Visitor(client, one["url"]).fill_in(**known | form)


def shown(client: Any, one: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(
        "/sep24/transaction", query_string={"id": one["id"]}, headers=one["headers"]
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["transaction"]
    return found


@pytest.mark.conforms("SEP24-10", "SEP24-11", "GEN-31", "V-08")
def test_info_needs_no_token_and_has_numbers(client: Any) -> None:
    answer = client.get("/sep24/info")
    assert answer.json["withdraw"]["USDC"] == {
        "enabled": True,
        "min_amount": 1,
        "max_amount": 10000,
        "fee_fixed": 1,
        "fee_percent": 0.5,
    }
    assert answer.json["deposit"] == answer.json["withdraw"]
    assert answer.json["features"] == {"account_creation": False, "claimable_balances": False}
    assert answer.json["fee"] == {"enabled": False}
    assert client.get("/sep24/info?lang=es").json == answer.json, "there is no text in it"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.conforms("SEP24-13", "E-10")
@pytest.mark.parametrize(("amount", "fee"), [("100", "1.5"), ("1000", "6"), ("10000", "51")])
def test_a_fee_is_the_fixed_part_and_so_many_of_a_hundred(
    world: World, client: Any, amount: str, fee: str
) -> None:
    told = client.get("/sep24/info").json["withdraw"]["USDC"]
    counted = Decimal(amount) * Decimal(str(told["fee_percent"])) / 100 + told["fee_fixed"]
    one = opened(world, client)
    filled(client, one, amount=amount)
    assert Decimal(shown(client, one)["amount_fee"]) == counted == Decimal(fee)


@pytest.fixture
def lumens(world: World) -> Iterator[World]:
    """The same anchor, which serves lumens besides."""
    native = replace(world.policy, code="native", issuer=None)
    secrets = world.settings.distribution_secrets
    settings = replace(
        world.settings,
        assets=world.settings.assets | {"native": native},
        distribution_secrets=secrets | {"native": secrets["USDC"]},
    )
    app = create_app(settings)
    with app.app_context():
        yield World(app, settings, world.sandbox, world.bank, world.payer)
        db.session.remove()
        db.engine.dispose()


@pytest.mark.conforms("SEP24-12", "E-10")
def test_lumens_are_the_asset_native_from_info_to_the_bank(lumens: World) -> None:
    client = lumens.app.test_client()
    found = client.get("/sep24/info").json
    assert found["withdraw"].keys() == found["deposit"].keys() == {"USDC", "native"}
    one = opened(lumens, client, asset_code="native")
    filled(client, one)
    waiting = shown(client, one)
    assert waiting["amount_in_asset"] == "stellar:native"
    listed = client.get("/sep24/transactions?asset_code=native", headers=one["headers"])
    assert [each["id"] for each in listed.json["transactions"]] == [one["id"]]
    lumens.pay("100", waiting["withdraw_memo"], asset=Asset.native())
    lumens.read()
    lumens.work()
    assert shown(client, one)["status"] == "completed"


@pytest.mark.conforms("SEP24-12", "SEP24-22")
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_lumens_have_no_issuer(lumens: World, way: str) -> None:
    lumens.fund()
    client = lumens.app.test_client()
    headers = lumens.log_in(client)
    path = f"/sep24/transactions/{way}/interactive"
    body = {"asset_code": "native"}
    assert client.post(path, json=body, headers=headers).status_code == 200
    issued = body | {"asset_issuer": str(lumens.policy.issuer)}
    answer = client.post(path, json=issued, headers=headers)
    assert (answer.status_code, answer.json.keys()) == (400, {"error"})


@pytest.mark.conforms("SEP24-02", "GEN-09", "GEN-10")
def test_everything_else_needs_a_token(client: Any) -> None:
    for method, path in (
        ("get", "/sep24/transactions?asset_code=USDC"),
        ("get", "/sep24/transaction?id=1"),
        ("post", "/sep24/transactions/withdraw/interactive"),
        ("post", "/sep24/transactions/deposit/interactive"),
    ):
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = getattr(client, method)(path, headers=headers)
            assert answer.status_code == 403
            assert answer.json["type"] == "authentication_required"


@pytest.mark.conforms("SEP24-25")
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_both_endpoints_find_it_at_once_and_it_is_incomplete_to_the_last_page(
    world: World, client: Any, way: str
) -> None:
    world.fund()
    headers = world.log_in(client)
    path = f"/sep24/transactions/{way}/interactive"
    one = client.post(path, json={"asset_code": "USDC"}, headers=headers).json
    one["headers"] = headers

    def status() -> str:
        listed = client.get("/sep24/transactions?asset_code=USDC", headers=headers)
        assert listed.status_code == 200
        [found] = listed.json["transactions"]
        assert found["id"] == one["id"]
        assert found["status"] == shown(client, one)["status"]
        return str(found["status"])

    assert status() == "incomplete"
    visitor = Visitor(client, one["url"])
    pages = {"amount": {"amount": "100"}, "account": {"bank_account_number": ACCOUNT}, "review": {}}
    for step, given in pages.items():
        if step == "account" and way == "deposit":  # there is nothing that the bank has to know
            continue
        assert (visitor.step, status()) == (step, "incomplete")
        visitor.send(**given)
    assert (visitor.step, status()) == ("status", "pending_user_transfer_start")


@pytest.mark.conforms("SEP24-24", "SEP24-100", "SEP24-106")
def test_a_withdrawal_is_incomplete_until_its_page_is_filled_in(world: World, client: Any) -> None:
    one = opened(world, client, amount="100")
    assert set(one) == {"type", "url", "id", "headers"}
    before = shown(client, one)
    assert before["status"] == "incomplete"
    assert before["withdraw_memo"] is None
    assert before["from"] == world.payer.public_key
    visitor = Visitor(client, one["url"])
    assert visitor.page.status_code == 200
    assert 'value="100"' in visitor.page.text
    assert visitor.fill_in(bank_account_number="DE8937040044").status_code == 200
    after = shown(client, one)
    assert after["status"] == "pending_user_transfer_start"
    assert after["withdraw_anchor_account"] == world.distribution
    assert after["withdraw_memo_type"] == "id"
    assert int(after["withdraw_memo"]) < 2**53
    assert (after["amount_in"], after["amount_out"], after["amount_fee"]) == ("100", "98.5", "1.5")
    assert after["user_action_required_by"].endswith("Z")


@pytest.mark.conforms("GEN-11", "SEP24-03")
def test_form_json_and_multipart_are_all_read(world: World, client: Any) -> None:
    headers = world.log_in(client)
    path = "/sep24/transactions/withdraw/interactive"
    for options in (
        {"json": {"asset_code": "USDC", "amount": 10}},
        {"data": {"asset_code": "USDC", "amount": "10"}},
        {"data": {"asset_code": "USDC"}, "content_type": "multipart/form-data"},
    ):
        assert client.post(path, headers=headers, **options).status_code == 200


@pytest.mark.conforms("SEP24-20", "SEP24-22", "SEP24-23")
@pytest.mark.parametrize(
    "body",
    [
        {"asset_code": "NOPE"},
        {"asset_code": ""},
        {},
        {"asset_code": "USDC", "asset_issuer": Keypair.random().public_key},
        {"asset_code": "USDC", "amount": "0.5"},
        {"asset_code": "USDC", "amount": "10001"},
        {"asset_code": "USDC", "amount": "1.00000001"},
        {"asset_code": "USDC", "account": "GBAD"},
        {"asset_code": "USDC", "quote_id": "1"},
    ],
)
def test_what_cannot_be_withdrawn_is_refused(world: World, client: Any, body: Any) -> None:
    answer = client.post(
        "/sep24/transactions/withdraw/interactive", json=body, headers=world.log_in(client)
    )
    assert answer.status_code == 400
    assert answer.json["error"]


def test_the_page_says_what_is_wrong_and_keeps_what_was_given(world: World, client: Any) -> None:
    one = opened(world, client)
    answer = filled(client, one, amount="0.5")
    assert answer.status_code == 400
    assert "The least amount is 1." in answer.text
    assert 'value="0.5"' in answer.text
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    answer = visitor.send(bank_account_number="no such thing!")
    assert answer.status_code == 400
    assert "Account number is not written as it should be." in answer.text
    assert "no such thing!" in answer.text
    assert shown(client, one)["status"] == "incomplete"


def test_filling_in_twice_changes_nothing(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)
    before = shown(client, one)
    assert filled(client, one, amount="500").status_code == 200
    assert shown(client, one) | {"more_info_url": ""} == before | {"more_info_url": ""}


@pytest.mark.conforms("SEP24-51", "V-09")
def test_the_more_info_page_opens_without_a_session(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)
    url = shown(client, one)["more_info_url"].removeprefix("http://localhost")
    page = client.get(url)
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert "DE8937040044" not in page.text


@pytest.mark.conforms("SEP24-60")
@pytest.mark.parametrize("query", [{}, {"asset_code": ""}, {"asset_code": "NOPE"}])
def test_a_list_is_of_an_asset_that_is_served(world: World, client: Any, query: Any) -> None:
    headers = world.log_in(client)
    answer = client.get("/sep24/transactions", query_string=query, headers=headers)
    assert (answer.status_code, answer.json.keys()) == (400, {"error"})


def listed(client: Any, headers: Any, **query: Any) -> list[str]:
    """Return the ids of a list; of each the instant is not after the one before."""
    wanted = {"asset_code": "USDC", **query}
    found = client.get("/sep24/transactions", query_string=wanted, headers=headers)
    assert found.status_code == 200, found.text
    rows = found.json["transactions"]
    instants = [each["started_at"] for each in rows]
    assert instants == sorted(instants, reverse=True)
    return [each["id"] for each in rows]


@pytest.mark.conforms("SEP24-61", "SEP24-62")
def test_the_list_is_paged_from_the_newest_on(world: World, client: Any) -> None:
    headers = world.log_in(client)
    assert listed(client, headers) == []
    ids = [opened(world, client)["id"] for _ in range(5)]
    assert listed(client, headers) == ids[::-1]
    assert listed(client, headers, limit=2) == ids[:2:-1]
    assert listed(client, headers, limit=2, paging_id=ids[3]) == [ids[2], ids[1]]
    assert listed(client, headers, paging_id=ids[0]) == []
    assert listed(client, headers, account=Keypair.random().public_key) == ids[::-1]
    assert listed(client, world.log_in(client, memo="5")) == []


@pytest.mark.conforms("SEP24-62")
def test_the_list_goes_back_to_an_instant_that_is_in_it(world: World, client: Any) -> None:
    headers = world.log_in(client)
    ids = [opened(world, client)["id"] for _ in range(3)]
    with transaction():
        for number, each in enumerate(ids):
            db.session.get_one(Transaction, each).started_at = datetime(
                2026, 1, number + 1, 12, tzinfo=UTC
            )
    for instant, found in (
        ("2026-01-02T12:00:00Z", ids[:0:-1]),
        ("2026-01-02T13:00:00+01:00", ids[:0:-1]),
        ("2026-01-02T12:00:00.000001Z", [ids[2]]),
        ("2026-01-01T00:00:00Z", ids[::-1]),
        ("2099-01-01T00:00:00Z", []),
    ):
        assert listed(client, headers, no_older_than=instant) == found, instant
    assert listed(client, headers, no_older_than="2026-01-02T12:00:00Z", paging_id=ids[2]) == [
        ids[1]
    ]


@pytest.mark.conforms("SEP24-62")
@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "many"},
        {"kind": "send"},
        {"no_older_than": "yesterday"},
        {"paging_id": "none"},
    ],
)
def test_a_list_that_cannot_be_is_refused(world: World, client: Any, query: Any) -> None:
    answer = client.get(
        "/sep24/transactions",
        query_string={"asset_code": "USDC"} | query,
        headers=world.log_in(client),
    )
    assert (answer.status_code, answer.json.keys()) == (400, {"error"})


@pytest.mark.conforms("SEP24-63", "SEP24-100")
def test_a_completed_withdrawal_shows_both_ids(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)
    paid = world.pay("100", shown(client, one)["withdraw_memo"])
    world.read()
    world.work()
    done = shown(client, one)
    assert done["status"] == "completed"
    assert done["completed_at"].endswith("Z")
    assert done["stellar_transaction_id"] == paid
    for name in ("stellar_transaction_id", "external_transaction_id"):
        answer = client.get(
            "/sep24/transaction", query_string={name: done[name]}, headers=one["headers"]
        )
        assert answer.status_code == 200, answer.text
        assert answer.json["transaction"]["id"] == one["id"]
        nobody = world.log_in(client, Keypair.random())
        for query, headers in (({name: "none"}, one["headers"]), ({name: done[name]}, nobody)):
            answer = client.get("/sep24/transaction", query_string=query, headers=headers)
            assert (answer.status_code, answer.json.keys()) == (404, {"error"})


@pytest.mark.conforms("SEP24-63")
def test_one_of_its_ids_has_to_be_given_and_all_that_are_agree(world: World, client: Any) -> None:
    one, other = opened(world, client), opened(world, client)
    for query, status in (
        ({}, 400),
        ({"lang": "es"}, 400),
        ({"id": one["id"]}, 200),
        ({"id": "none"}, 404),
        ({"id": one["id"], "stellar_transaction_id": "ab" * 32}, 404),
        ({"id": one["id"], "external_transaction_id": other["id"]}, 404),
    ):
        answer = client.get("/sep24/transaction", query_string=query, headers=one["headers"])
        assert answer.status_code == status, (query, answer.text)
        assert status == 200 or answer.json.keys() == {"error"}


@pytest.mark.conforms("GEN-26", "GEN-24", "GEN-25")
@pytest.mark.parametrize("number", [5, 2**64 - 1])
def test_promise_13_a_muxed_account_and_its_memo_are_one_owner(
    world: World, client: Any, number: int
) -> None:
    by_memo = world.log_in(client, world.payer, memo=str(number))
    answer = client.post(
        "/sep24/transactions/withdraw/interactive", json={"asset_code": "USDC"}, headers=by_memo
    )
    muxed = MuxedAccount(world.payer.public_key, number).account_muxed
    by_address = world.log_in(client, world.payer, account=muxed or "")
    found = client.get(f"/sep24/transaction?id={answer.json['id']}", headers=by_address)
    assert found.status_code == 200
    assert json.loads(found.text)["transaction"]["id"] == answer.json["id"]
    found = client.get("/sep24/transactions?asset_code=USDC", headers=by_address)
    assert [each["id"] for each in found.json["transactions"]] == [answer.json["id"]]

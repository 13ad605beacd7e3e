"""SEP-24 as a wallet sees it."""

import json
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from tests.world import World


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
    path, _, token = one["url"].removeprefix("http://localhost").partition("?token=")
    data = {"token": token, "amount": "100", "bank_account_number": "DE8937040044", **form}
    return client.post(path, data=data)


def shown(client: Any, one: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(
        "/sep24/transaction", query_string={"id": one["id"]}, headers=one["headers"]
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json["transaction"]
    return found


@pytest.mark.conforms("SEP24-10", "SEP24-11", "SEP24-12", "SEP24-13", "GEN-31")
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
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.conforms("SEP24-02", "GEN-09", "GEN-10")
def test_everything_else_needs_a_token(client: Any) -> None:
    for method, path in (
        ("get", "/sep24/transactions?asset_code=USDC"),
        ("get", "/sep24/transaction?id=1"),
        ("post", "/sep24/transactions/withdraw/interactive"),
        ("post", "/sep24/transactions/deposit/interactive"),
    ):
        answer = getattr(client, method)(path)
        assert answer.status_code == 403
        assert answer.json["type"] == "authentication_required"


@pytest.mark.conforms("SEP24-24", "SEP24-25", "SEP24-100", "SEP24-106")
def test_a_withdrawal_is_incomplete_until_its_page_is_filled_in(world: World, client: Any) -> None:
    one = opened(world, client, amount="100")
    assert set(one) == {"type", "url", "id", "headers"}
    before = shown(client, one)
    assert before["status"] == "incomplete"
    assert before["withdraw_memo"] is None
    assert before["from"] == world.payer.public_key
    page = client.get(one["url"].removeprefix("http://localhost"))
    assert page.status_code == 200
    assert 'value="100"' in page.text
    assert filled(client, one).status_code == 200
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
    answer = filled(client, one, amount="0.5", bank_account_number="no such thing!")
    assert answer.status_code == 400
    assert "The least amount is 1." in answer.text
    assert "no such thing!" in answer.text
    assert shown(client, one)["status"] == "incomplete"


def test_filling_in_twice_changes_nothing(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)
    before = shown(client, one)
    assert filled(client, one, amount="500").status_code == 200
    assert shown(client, one) | {"more_info_url": ""} == before | {"more_info_url": ""}


@pytest.mark.conforms("SEP24-51")
def test_the_more_info_page_opens_without_a_session(world: World, client: Any) -> None:
    one = opened(world, client)
    filled(client, one)
    url = shown(client, one)["more_info_url"].removeprefix("http://localhost")
    page = client.get(url)
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert "DE8937040044" not in page.text


@pytest.mark.conforms("SEP24-60", "SEP24-61", "SEP24-62")
def test_the_list_is_paged_from_the_newest_on(world: World, client: Any) -> None:
    ids = [opened(world, client)["id"] for _ in range(5)]
    headers = world.log_in(client)

    def listed(**query: Any) -> list[str]:
        found = client.get(
            "/sep24/transactions", query_string={"asset_code": "USDC", **query}, headers=headers
        )
        assert found.status_code == 200, found.text
        return [item["id"] for item in found.json["transactions"]]

    assert listed() == ids[::-1]
    assert listed(limit=2) == ids[:2:-1]
    assert listed(limit=2, paging_id=ids[3]) == [ids[2], ids[1]]
    assert listed(kind="deposit") == []
    assert listed(kind="withdrawal") == ids[::-1]
    assert listed(no_older_than="2099-01-01T00:00:00Z") == []


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
        assert answer.json["transaction"]["id"] == one["id"]


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

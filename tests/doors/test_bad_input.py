"""Bad input gets a 4xx with a sentence, and never a 500."""

import json
from contextlib import suppress
from typing import Any

import pytest
from flask.testing import FlaskClient
from stellar_sdk import Keypair

from tests.transfers import Wallet
from tests.visiting import Visitor
from tests.world import World

NASTY: list[Any] = [
    *(
        "",
        " ",
        "\x00",
        "NaN",
        "Infinity",
        "-1",
        "1e999",
        "9" * 400,
        "ä" * 5000,
        "<script>",
        "\ud800",
    ),
    *("%00", "../../etc/passwd", "' OR 1=1 --", "G" * 56, "0001-01-01", "9999-12-31T23:59:59Z"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
]
MEMO = ["memo", "memo_type"]
NASTY_JSON: list[Any] = [*NASTY, None, True, 0, -1, 10**400, [], {}, ["a"], {"a": "b"}, 1.5]


def sound(answer: Any, *, allowed: tuple[int, ...] = (200,)) -> None:
    """An answer that says in a sentence what is wrong, or a good one."""
    if answer.status_code in allowed:
        return
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
    if answer.mimetype == "application/json":
        body = json.loads(answer.text)
        assert isinstance(body["error"], str)
        assert body["error"]


def test_every_parameter_of_every_get_endpoint(world: World) -> None:
    client = world.app.test_client()
    headers = world.log_in(client)
    endpoints = {
        "/auth": ["account", "memo", "home_domain"],
        "/sep24/info": ["lang"],
        "/sep24/transaction": ["id", "stellar_transaction_id", "external_transaction_id", "lang"],
        "/sep24/transactions": [
            "asset_code",
            "kind",
            "limit",
            "no_older_than",
            "paging_id",
            "lang",
        ],
        "/interactive/withdraw/abc": ["token"],
        "/interactive/deposit/abc": ["token"],
        "/interactive/transaction/abc": ["token"],
    }
    good = {"account": world.payer.public_key, "asset_code": "USDC"}
    for path, names in endpoints.items():
        for name in names:
            for value in NASTY:
                query = {**(good if name not in good else {}), name: value}
                try:
                    answer = client.get(path, query_string=query, headers=headers)
                except UnicodeEncodeError:
                    continue
                sound(answer)


def test_every_parameter_of_who_has_screens_of_their_own(holder: Wallet) -> None:
    holder.known()
    common = ["account", "amount", "funding_method", "type", "lang", "on_change_callback"]
    common += ["country_code", "customer_id", "location_id", *MEMO]
    exchange = ["source_asset", "destination_asset", "quote_id"]
    refund = ["refund_memo", "refund_memo_type"]
    one = holder.deposit()["id"]
    endpoints = {
        "info": ["lang"],
        "deposit": ["asset_code", "claimable_balance_supported", *common],
        "withdraw": ["asset_code", *common, *refund],
        "deposit-exchange": [*exchange, *common],
        "withdraw-exchange": [*exchange, *common, *refund],
        "transaction": ["id", "stellar_transaction_id", "external_transaction_id", "lang"],
        "transactions": ["account", "kind", "limit", "no_older_than", "paging_id", "lang"],
    }
    good = {"account": holder.world.payer.public_key, "asset_code": "USDC", "amount": "10"}
    for path, names in endpoints.items():
        for name in names:
            for value in NASTY:
                with suppress(UnicodeEncodeError):
                    sound(holder.get(path, **good | {name: value}))
    path = f"/sep6/transactions/{one}"
    for value in NASTY_JSON:
        for body in (value, {"transaction": value}, {"transaction": {"a": value}}):
            raw = {"data": json.dumps(body), "content_type": "application/json"}
            sound(holder.client.patch(path, headers=holder.headers, **raw), allowed=())


def test_every_field_of_every_post_endpoint(world: World) -> None:
    client = world.app.test_client()
    headers = world.log_in(client)
    as_json = {"Content-Type": "application/json"}
    world.fund()
    common = ["asset_code", "asset_issuer", "amount", "account", "lang", "quote_id"]
    known = ["bank_account_number", "bank_account_holder"]
    endpoints = {
        "withdraw": [*common, "destination_asset", *known],
        "deposit": [*common, "source_asset", *MEMO, "claimable_balance_supported", "customer_id"],
    }
    for way, names in endpoints.items():
        path = f"/sep24/transactions/{way}/interactive"
        for name in names:
            for value in NASTY_JSON:
                body = {"asset_code": "USDC", name: value}
                sound(client.post(path, data=json.dumps(body), headers=as_json | headers))
    for memo_type in ("text", "id", "hash"):
        for value in NASTY_JSON:
            body = {"asset_code": "USDC", "memo_type": memo_type, "memo": value}
            path = "/sep24/transactions/deposit/interactive"
            sound(client.post(path, data=json.dumps(body), headers=as_json | headers))
    for value in NASTY_JSON:
        sound(
            client.post(
                "/auth", data=json.dumps({"transaction": value}), content_type="application/json"
            ),
            allowed=(),
        )


@pytest.mark.conforms("GEN-07", "GEN-25", "SEP6-110")
@pytest.mark.parametrize("bad", ["%00", "a%00b", "%0A", "a%0d%0ab", "%ed%a0%80", "%25", "a" * 500])
def test_an_id_in_a_path_that_cannot_be_one_is_not_found(holder: Wallet, bad: str) -> None:
    client, headers = holder.client, holder.headers
    body = {"transaction": {"bank_account_number": "5"}}
    for answer in (
        client.patch(f"/sep6/transactions/{bad}", json=body, headers=headers),
        client.get(f"/sep38/quote/{bad}", headers=headers),
    ):
        assert answer.status_code == 404
        assert answer.json["error"]
    for path in (f"deposit/{bad}", f"withdraw/{bad}/review", f"transaction/{bad}/state"):
        sound(client.get(f"/interactive/{path}", headers=headers), allowed=())
        sound(client.get(f"/interactive/{path}?token=x", headers=headers), allowed=())
    sound(client.delete(f"/kyc/customer/{bad}", headers=headers), allowed=())
    sound(client.get(f"/federation?type=name&q={bad}*localhost"), allowed=())


@pytest.mark.conforms("GEN-13")
@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b'{"transaction": NaN}', "application/json"),
        (b'{"transaction": Infinity}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"transaction=%ff%fe", "application/x-www-form-urlencoded"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"", "text/plain"),
        (b'{"transaction": {"a": 1}}', "application/json"),
    ],
)
def test_malformed_bodies(world: World, raw: bytes, content_type: str) -> None:
    client = world.app.test_client()
    sound(client.post("/auth", data=raw, content_type=content_type), allowed=())


def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    client = world.app.test_client()
    answer = client.post("/auth", data=b"x" * 2_000_000, content_type="application/json")
    assert answer.status_code == 413
    assert json.loads(answer.text)["error"]


@pytest.mark.conforms("SEP10-46")
@pytest.mark.parametrize("envelope", ["AAAA", "!!!", "A" * 19_000, "AAAAAgAAAAA=", "=" * 8])
def test_malformed_envelopes(world: World, envelope: str) -> None:
    client = world.app.test_client()
    answer = client.post("/auth", json={"transaction": envelope})
    assert answer.status_code == 400


@pytest.mark.conforms("GEN-05", "GEN-07")
def test_unknown_paths_and_methods_answer_in_json(world: World) -> None:
    client: FlaskClient = world.app.test_client()
    for path, method, status in (("/nothing", "get", 404), ("/auth", "delete", 405)):
        answer = getattr(client, method)(path)
        assert answer.status_code == status
        assert json.loads(answer.text)["error"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("way", ["withdraw", "deposit"])
def test_every_field_of_the_page(world: World, way: str) -> None:
    client = world.app.test_client()
    world.fund()
    headers = world.log_in(client)
    for name in ("amount", "rail", "other", "bank_account_number", "seal", "form_token"):
        opened = client.post(
            f"/sep24/transactions/{way}/interactive",
            json={"asset_code": "USDC"},
            headers=headers,
        ).json
        assert opened is not None
        visitor = Visitor(client, opened["url"])
        known = {visitor.place: visitor.form.values | {"amount": "10"}}
        for step in ("customer", "account", "review"):
            known[f"{visitor.place}/{step}"] = visitor.form.values
        for path, form in known.items():
            for value in NASTY:
                try:
                    answer = client.post(path, data=form | {name: value})
                    price = client.get(f"{visitor.place}/price", query_string={name: value})
                except UnicodeEncodeError:
                    continue
                sound(answer, allowed=(303,))
                sound(price)


@pytest.mark.conforms("GEN-23", "GEN-25")
def test_promise_13_nobody_sees_what_is_not_theirs(world: World) -> None:
    client = world.app.test_client()
    mine, other = world.log_in(client), world.log_in(client, Keypair.random())
    opened = client.post(
        "/sep24/transactions/withdraw/interactive", json={"asset_code": "USDC"}, headers=mine
    ).json
    assert opened is not None
    path = f"/sep24/transaction?id={opened['id']}"
    assert client.get(path, headers=mine).status_code == 200
    assert client.get(path, headers=other).status_code == 404
    below = world.log_in(client, world.payer, memo="5")
    assert client.get(path, headers=below).status_code == 404
    token = opened["url"].partition("token=")[2]
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get(path, headers=bearer).status_code == 403
    page = opened["url"].removeprefix("http://localhost").partition("?")[0]
    session = mine["Authorization"].removeprefix("Bearer ")
    assert client.get(page, query_string={"token": session}).status_code == 403

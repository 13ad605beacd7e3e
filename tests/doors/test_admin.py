"""The admin API: operators act by a token of their own, once, and everything is on record."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from anchor import create_app
from anchor.extensions import db, transaction
from anchor.models import Act, Callback, Remittance
from anchor.policies import LimitPolicy
from tests.operating import TOKENS, Console, bearing
from tests.remitting import DETAILS, Pair
from tests.test_callback_replays import paid, told_to
from tests.test_callbacks import NO_CONTENT, deliver, listening
from tests.world import World, dispose

DOORS = [
    ("GET", "/admin/remittances"),
    ("POST", "/admin/remittances"),
    ("POST", "/admin/remittances/check"),
    ("GET", "/admin/remittances/x"),
    ("PATCH", "/admin/remittances/x"),
    ("GET", "/admin/callbacks"),
    ("POST", "/admin/callbacks/replay"),
    ("GET", "/admin/status"),
    ("GET", "/admin/pauses"),
    ("POST", "/admin/pauses"),
    ("DELETE", "/admin/pauses"),
    ("GET", "/admin/books"),
    ("GET", "/admin/customers"),
    ("GET", "/admin/customers/x"),
    ("POST", "/admin/customers/x/accept"),
    ("POST", "/admin/customers/x/reject"),
    ("POST", "/admin/customers/x/request"),
    ("GET", "/admin/cases"),
    ("GET", "/admin/cases/1"),
    ("POST", "/admin/cases/1/close"),
    ("POST", "/admin/cases/1/credit"),
    ("POST", "/admin/refunds"),
    ("DELETE", "/admin/refunds/x"),
    ("POST", "/admin/transactions/x/hold"),
    ("POST", "/admin/transactions/x/release"),
    ("POST", "/admin/transactions/x/fail"),
    ("POST", "/admin/transactions/x/pay-again"),
    ("POST", "/admin/outflows/x/settle"),
    ("POST", "/admin/jobs/retry"),
    ("GET", "/admin/transactions"),
    ("GET", "/admin/transactions/x"),
    ("GET", "/admin/money"),
    ("GET", "/admin/outflows"),
]
ACTING = [(method, path) for method, path in DOORS if method != "GET"]
KEY = {"Idempotency-Key": "order 17"}


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def order(pair: Pair, **more: Any) -> dict[str, Any]:
    usual = {"asset_code": "USDC", "amount": "100", "details": DETAILS, "house": True}
    return {"domain": pair.domain} | usual | more


def acts() -> list[tuple[str, str, str | None]]:
    with transaction():
        return [(each.what, each.who, each.note) for each in db.session.scalars(select(Act))]


def begun() -> int:
    with transaction():
        return len(db.session.scalars(select(Remittance)).all())


# -- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_without_the_token_of_an_operator_nothing_is_answered(
    world: World, client: FlaskClient, method: str, path: str
) -> None:
    session = world.log_in(client)
    digest = next(iter(world.settings.operators.values())).token_hash
    for headers in (
        {},
        session,
        {"Authorization": f"Basic {TOKENS['ada']}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {digest}"},
        {"Authorization": f"Bearer {TOKENS['ada'][:-1]}"},
        {"Authorization": "Bearer " + "x" * 10_000},
        {"Cookie": f"anchor_console={TOKENS['ada']}"},
    ):
        answer = client.open(path, method=method, headers=headers, json={})
        assert answer.status_code == 401, headers
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert json.loads(answer.text)["type"] == "authentication_required"


@pytest.mark.parametrize(("method", "path"), ACTING)
def test_who_may_only_look_changes_nothing(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method, headers=bearing("vera"), json={})
    assert (answer.status_code, "your role is to look" in answer.text) == (403, True)
    assert client.get("/admin/remittances", headers=bearing("vera")).status_code == 200


@pytest.mark.parametrize(("method", "path"), [*DOORS, ("GET", "/console"), ("POST", "/console/x")])
def test_promise_14_without_operators_there_are_no_doors(
    world: World, method: str, path: str
) -> None:
    app = create_app(replace(world.settings, operators={}))
    answer = app.test_client().open(path, method=method, headers=bearing(), json={})
    assert answer.status_code == 404
    assert not any(
        "/admin" in path for path in app.test_client().get("/openapi.json").json["paths"]
    )
    dispose(app)


def test_who_is_taken_out_of_the_configuration_is_nobody(world: World) -> None:
    vera = {"vera": world.settings.operators["vera"]}
    app = create_app(replace(world.settings, operators=vera))
    client = app.test_client()
    assert client.get("/admin/callbacks", headers=bearing("ada")).status_code == 401
    assert client.get("/admin/callbacks", headers=bearing("vera")).status_code == 200
    dispose(app)


def test_the_token_of_an_operator_opens_no_other_door(client: FlaskClient) -> None:
    for path in ("/sep24/transactions?asset_code=USDC", "/sep38/quote/x"):
        assert client.get(path, headers=bearing()).status_code == 403


@pytest.fixture
def limited(world: World) -> Iterator[FlaskClient]:
    """A client of an anchor that answers little: three requests of an operator in a minute."""
    policy = LimitPolicy(0, 100, 3, 100, 100, 100, 100)
    app = create_app(replace(world.settings, limits=policy, broker_url=None))
    yield app.test_client()
    dispose(app)


def test_tokens_cannot_be_tried_one_after_the_other(limited: FlaskClient) -> None:
    tried = [
        limited.get("/admin/callbacks", headers={"Authorization": f"Bearer {n}"}) for n in "abc"
    ]
    assert {each.status_code for each in tried} == {401}
    late = limited.get("/admin/callbacks", headers=bearing())
    assert (late.status_code, int(late.headers["Retry-After"]) > 0) == (429, True)
    elsewhere = {"REMOTE_ADDR": "198.51.100.7"}
    good = limited.get("/admin/callbacks", headers=bearing(), environ_overrides=elsewhere)
    assert good.status_code == 200


def test_no_page_of_another_origin_may_read_it(client: FlaskClient) -> None:
    origin = {"Origin": "https://evil.example"}
    for path in ("/admin/remittances", "/console/sign-in", "/admin/nothing"):
        for answer in (
            client.get(path, headers=bearing() | origin),
            client.options(path, headers=origin | {"Access-Control-Request-Method": "POST"}),
        ):
            assert "Access-Control-Allow-Origin" not in answer.headers


# -- remittances ------------------------------------------------------------------------------


def test_an_order_is_checked_sent_and_told_of(pair: Pair) -> None:
    client = pair.ours.app.test_client()
    checked = client.post("/admin/remittances/check", json=order(pair), headers=bearing())
    assert checked.json == {
        "funding_method": "bank",
        "sender_type": "sep31-sender",
        "receiver_type": "sep31-receiver",
    }
    assert begun() == 0
    body = order(pair, note="invoice 17")
    sent = client.post("/admin/remittances", json=body, headers=bearing() | KEY)
    assert sent.status_code == 201
    assert sent.json is not None
    row_id = sent.json["id"]
    assert (sent.json["amount"], sent.json["rail"]) == ("100", "house")
    assert acts() == [("send", "ada", "invoice 17")]
    pair.until(row_id, "pending_external")
    pair.deliver()
    pair.until(row_id, "completed")
    told = client.get(f"/admin/remittances/{row_id}", headers=bearing("vera")).json
    assert told is not None
    assert [each["what"] for each in told["events"]][:3] == ["send", "opened", "funds_received"]
    assert (told["status"], told["events"][-1]["status"]) == ("completed", "completed")
    assert pair.delivered() == [100_00]
    pair.agree()


def test_promise_06_an_order_sent_twice_is_begun_once_also_at_the_same_time(pair: Pair) -> None:
    def send(_: int) -> Any:
        answer = pair.ours.app.test_client().post(
            "/admin/remittances", json=order(pair), headers=bearing() | KEY
        )
        return answer.status_code, json.loads(answer.text)["id"]

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(send, range(6)))
    assert len(found) == 1
    assert begun() == 1
    asked = len(pair.mask.asked)
    pair.mask.is_down = True
    assert send(0) in found, "what was begun is told of without asking anybody"
    assert len(pair.mask.asked) == asked


@pytest.mark.parametrize(
    "other",
    [
        {"amount": "101"},
        {"house": False},
        {"funding_method": "bank"},
        {"buy_asset": "iso4217:BRL", "least_out": "1"},
        {"details": DETAILS | {"receiver": {"first_name": "Mallory"}}},
    ],
)
def test_promise_06_a_key_is_of_one_order(pair: Pair, other: dict[str, Any]) -> None:
    client = pair.ours.app.test_client()
    headers = bearing() | KEY
    assert client.post("/admin/remittances", json=order(pair), headers=headers).status_code == 201
    answer = client.post("/admin/remittances", json=order(pair, **other), headers=headers)
    assert answer.status_code == 400
    assert "another remittance was begun under this key" in json.loads(answer.text)["error"]
    assert begun() == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"domain": "evil.example"}, "evil.example is none of [receiving_anchors]"),
        ({"domain": None}, "domain: field may not be null"),
        ({"asset_code": "EURC"}, "EURC is not served here"),
        ({"amount": "0"}, "amount: the amount must be above 0"),
        ({"amount": "1e5"}, "amount: an amount is written as a plain number"),
        ({"amount": None}, "amount"),
        ({"details": []}, "details: the details are an object of sender, receiver, transaction"),
        ({"details": {"sender": {"a": 1}}}, "details: sender of the details has texts alone"),
        ({"details": {"sender": {"a": "\x00"}}}, "details: must not have control characters"),
        ({"details": {"other": {}}}, "details: the details are an object"),
        ({"rail": "bank"}, "its money is the house's or comes by a rail"),
        ({"house": False, "rail": "pigeon"}, "USDC is not paid for by pigeon"),
        ({"funding_method": "pigeon"}, "pigeon is no funding_method there"),
        ({"buy_asset": "iso4217:BRL"}, "a quote needs the least"),
        ({"amount": "5000"}, "no more than 1000 USDC may go to"),
        ({"ammount": "5"}, "ammount: unknown field"),
        ({"note": "x" * 501}, "note: length must be between 1 and 500"),
    ],
)
def test_an_order_that_cannot_be_sent_is_refused_with_one_sentence(
    pair: Pair, change: dict[str, Any], said: str
) -> None:
    client = pair.ours.app.test_client()
    answer = client.post("/admin/remittances", json=order(pair) | change, headers=bearing() | KEY)
    assert answer.status_code == 400
    assert said in json.loads(answer.text)["error"]
    assert (begun(), acts()) == (0, [])


@pytest.mark.parametrize("key", [None, "", " x", "é", "x" * 256])
def test_promise_06_an_order_needs_a_key(pair: Pair, key: str | None) -> None:
    headers = bearing() | ({} if key is None else {"Idempotency-Key": key})
    client = pair.ours.app.test_client()
    answer = client.post("/admin/remittances", json=order(pair), headers=headers)
    assert answer.status_code == 400
    assert json.loads(answer.text)["error"].startswith("Idempotency-Key: ")


def test_an_operator_is_told_which_anchor_is_down(pair: Pair) -> None:
    pair.mask.is_down = True
    client = pair.ours.app.test_client()
    answer = client.post("/admin/remittances/check", json=order(pair), headers=bearing())
    assert answer.status_code == 503
    assert f"{pair.domain} answered 503 about its stellar.toml" in answer.text


def test_remittances_come_in_pages_and_by_what_they_are(pair: Pair) -> None:
    ids = [pair.begin("1", rail="bank"), pair.begin("2"), pair.begin("3", rail="bank")]
    client = pair.ours.app.test_client()

    def listed(**query: Any) -> tuple[list[str], str | None]:
        answer = client.get("/admin/remittances", query_string=query, headers=bearing("vera"))
        assert answer.status_code == 200, answer.text
        found = json.loads(answer.text)
        return [each["id"] for each in found["remittances"]], found["next"]

    assert listed() == (ids[::-1], None)
    first, last = listed(limit=2)
    assert (first, last) == ([ids[2], ids[1]], ids[1])
    assert listed(limit=2, after=last) == ([ids[0]], None)
    assert listed(status="pending_user_transfer_start") == ([ids[2], ids[0]], None)
    assert listed(domain=pair.domain, is_resting="false", limit=1) == ([ids[2]], ids[2])
    assert listed(domain="other.example") == listed(is_resting="true") == ([], None)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"status": "lost"}, 400),
        ({"limit": "0"}, 400),
        ({"limit": "201"}, 400),
        ({"limit": "x"}, 400),
        ({"after": "none"}, 404),
        ({"after": "\x00"}, 400),
        ({"is_resting": "perhaps"}, 400),
        ({"stauts": "completed"}, 400),
    ],
)
def test_a_list_that_cannot_be_made_is_refused(
    client: FlaskClient, query: dict[str, str], status: int
) -> None:
    answer = client.get("/admin/remittances", query_string=query, headers=bearing())
    assert answer.status_code == status
    assert json.loads(answer.text)["error"]


def test_parties_are_amended_and_never_shown(pair: Pair) -> None:
    client = pair.ours.app.test_client()
    row_id = pair.begin(rail="bank")
    path = f"/admin/remittances/{row_id}"
    details = {"sender": {"first_name": "Ada"}, "receiver": {"first_name": "Barbara"}}
    body = {"details": details, "note": "a typing error"}
    for _ in range(2):
        answer = client.patch(path, json=body, headers=bearing())
        assert answer.status_code == 200
        assert answer.json is not None
        assert answer.json["details"] == {"sender": ["first_name"], "receiver": ["first_name"]}
        assert "Barbara" not in answer.text
    assert ("amend send", "ada", "a typing error") in acts()
    assert client.patch(path, json={"details": 5}, headers=bearing()).status_code == 400
    for unknown in ("none", "%00", "..%2F", "x" * 200):
        found = f"/admin/remittances/{unknown}"
        assert client.get(found, headers=bearing()).status_code == 404, unknown
        assert client.patch(found, json=body, headers=bearing()).status_code == 404, unknown


def test_what_the_other_anchor_refused_is_told_with_its_case_and_amended(pair: Pair) -> None:
    def refuses(method: str, path: str, status: int, found: Any) -> tuple[int, Any]:
        is_order = (method, path) == ("POST", "/sep31/transactions")
        return (400, {"error": "no such account"}) if is_order else (status, found)

    pair.mask.twist = refuses
    client, row_id = pair.ours.app.test_client(), pair.begin()
    pair.until(row_id, "on_hold")
    path = f"/admin/remittances/{row_id}"
    told = json.loads(client.get(path, headers=bearing("vera")).text)
    [case] = told["cases"]
    assert (case["reason"], told["may_be_amended"]) == ("remittance_refused", True)
    assert "no such account" in case["note"]
    console = Console(pair.ours.app.test_client()).sign_in("vera")
    page = console.get(f"/remittances/{row_id}").text
    assert f"Case {case['id']}" in page
    assert "You: mend what was refused and release it, or refund it." in page
    page = console.sign_in().get(f"/remittances/{row_id}").text
    assert f"/console/acts/release?transaction={row_id}" in page, "what it waits for is offered"
    body = {"details": DETAILS | {"sender": {"first_name": "Eve"}}}
    assert client.patch(path, json=body, headers=bearing()).status_code == 200


def test_what_is_on_its_way_is_not_amended(pair: Pair) -> None:
    row_id = pair.paid()
    body = {"details": DETAILS | {"sender": {"first_name": "Eve"}}}
    client = pair.ours.app.test_client()
    answer = client.patch(f"/admin/remittances/{row_id}", json=body, headers=bearing())
    assert answer.status_code == 400
    assert "nothing of it can be changed now" in answer.text


# -- callbacks --------------------------------------------------------------------------------


def test_wallets_are_told_again_and_it_is_on_record(world: World, client: FlaskClient) -> None:
    with listening(NO_CONTENT) as wallet:
        row_id = told_to(world, wallet)
        paid(world, row_id)
        waits = json.loads(client.get("/admin/callbacks", headers=bearing("vera")).text)
        [waiting] = waits["callbacks"]
        assert (waiting["delivered_at"], waits["next"]) == (None, None)
        deliver()
        query = {"delivered": "true", "transaction_id": row_id, "limit": "1"}
        page = client.get("/admin/callbacks", query_string=query, headers=bearing()).json
        assert page is not None
        [delivered] = page["callbacks"]
        assert page["next"] == delivered["id"] == waiting["id"]
        assert "secret" not in json.dumps(page)
        for body in (
            {"ids": [delivered["id"]]},
            {"transaction_id": row_id},
            {"since": "2020-01-01"},
        ):
            again = client.post("/admin/callbacks/replay", json=body, headers=bearing())
            assert again.json == {"tried_again": 0, "told_anew": 1, "not_kept": 0}
            deliver()
    assert [(what.split(" since")[0], who) for what, who, _ in acts()] == [
        (f"replay callbacks {delivered['id']}", "ada"),
        ("replay callbacks", "ada"),
        ("replay callbacks", "ada"),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"ids": []}, 400),
        ({"ids": [0]}, 400),
        ({"ids": [1.5]}, 400),
        ({"ids": ["x"]}, 400),
        ({"ids": [10**30]}, 400),
        ({"ids": list(range(1, 102))}, 400),
        ({"ids": [987654321]}, 404),
        ({"ids": [1], "since": "2026-01-01"}, 400),
        ({"since": "yesterday"}, 400),
        ({"transaction_id": "none"}, 404),
        ({"transaction_id": "\x00"}, 400),
        ({"note": "why"}, 400),
    ],
)
def test_what_cannot_be_told_again_is_refused(
    client: FlaskClient, body: dict[str, Any], status: int
) -> None:
    answer = client.post("/admin/callbacks/replay", json=body, headers=bearing())
    assert answer.status_code == status
    assert json.loads(answer.text)["error"]
    with transaction():
        assert db.session.scalars(select(Callback)).all() == []
    assert acts() == []


def test_promise_15_neither_tokens_nor_parties_are_in_the_log(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = pair.ours.app.test_client()
    client.post("/admin/remittances", json=order(pair), headers=bearing() | KEY)
    client.post("/admin/remittances", json=order(pair), headers={"Authorization": "Bearer tried"})
    client.post("/console/sign-in", data={"token": TOKENS["ada"]})
    client.post("/console/sign-in", data={"token": "tried"})
    for secret in (*TOKENS.values(), "tried", "Grace"):
        assert secret not in caplog.text
    assert TOKENS["ada"] not in repr(pair.ours.settings)
    assert pair.ours.settings.operators["ada"].token_hash not in repr(pair.ours.settings)

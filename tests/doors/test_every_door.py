"""What all doors have in common: CORS, preflights, error bodies, languages, ids, paths."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from anchor import create_app, request_ids
from anchor.policies import LimitPolicy
from tests.transfers import serving
from tests.world import World, dispose

DOORS = {
    "/.well-known/stellar.toml": {"GET"},
    "/auth": {"GET", "POST"},
    "/sep24/info": {"GET"},
    "/sep24/transaction": {"GET"},
    "/sep24/transactions": {"GET"},
    "/sep24/transactions/deposit/interactive": {"POST"},
    "/sep24/transactions/withdraw/interactive": {"POST"},
}
ORIGIN = {"Origin": "https://wallet.example"}
HEADER = "Access-Control-Allow-Origin"


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


@pytest.fixture
def limited(world: World) -> Iterator[FlaskClient]:
    """A client of an anchor that answers one request a minute."""
    limits = LimitPolicy(address_per_minute=1)
    app = create_app(replace(world.settings, limits=limits, broker_url=None))
    yield app.test_client()
    dispose(app)


@pytest.mark.conforms("GEN-02")
@pytest.mark.parametrize("path", DOORS)
def test_any_origin_may_read_good_answers_and_refusals(client: FlaskClient, path: str) -> None:
    for answer in (client.get(path, headers=ORIGIN), client.post(path, headers=ORIGIN)):
        assert answer.status_code < 500
        assert answer.headers[HEADER] == "*"
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.conforms("GEN-04")
@pytest.mark.parametrize(("path", "methods"), DOORS.items())
def test_a_preflight_tells_the_methods_of_its_path(
    client: FlaskClient, path: str, methods: set[str]
) -> None:
    asked = {
        "Access-Control-Request-Method": min(methods),
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    answer = client.options(path, headers=ORIGIN | asked)
    assert answer.status_code == 200
    assert answer.headers[HEADER] == "*"
    allowed = set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert allowed - {"HEAD", "OPTIONS"} == methods
    headers = answer.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" in headers
    assert "content-type" in headers


@pytest.mark.conforms("GEN-05", "GEN-07")
def test_refusals_made_on_the_way_in_may_be_read_too(
    world: World, client: FlaskClient, limited: FlaskClient, surprises: list[str]
) -> None:
    world.app.view_functions["sep24.info"] = lambda: 1 / 0
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    limited.get("/sep24/info")
    large: Any = {"data": b"x" * 2_000_000, "content_type": "application/json"}
    answers = {
        404: client.get("/sep24/nothing", headers=ORIGIN),
        405: client.delete("/auth", headers=ORIGIN),
        413: client.post("/auth", headers=ORIGIN, **large),
        415: client.post("/auth", headers=ORIGIN, data=b"<a/>", content_type="text/xml"),
        429: limited.get("/sep24/info", headers=ORIGIN),
        500: client.get("/sep24/info", headers=ORIGIN),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers[HEADER] == "*"
        assert answer.headers["Content-Type"] == "application/json"
        assert json.loads(answer.text)["error"]
    assert surprises == ["/sep24/info"]
    surprises.clear()
    assert "GET" in answers[405].headers["Allow"]
    assert 1 <= int(answers[429].headers["Retry-After"]) <= 60


@pytest.mark.conforms("1.5/rate limited")
def test_who_asks_too_often_is_refused_at_each_door(world: World) -> None:
    settings = serving(world.settings, limits=LimitPolicy(address_per_minute=1), broker_url=None)
    app = create_app(replace(settings, seps=settings.seps | {2, 31}))
    paths = ("/auth", "/federation", "/kyc/customer", *(f"/sep{n}/info" for n in (6, 24, 31, 38)))
    for number, path in enumerate(paths):
        place = {"REMOTE_ADDR": f"10.0.0.{number}"}
        first, second = (app.test_client().get(path, environ_base=place) for _ in range(2))
        assert first.status_code not in {404, 429, 500}, path
        assert (second.status_code, second.mimetype) == (429, "application/json"), path
        assert json.loads(second.text)["error"]
    dispose(app)


@pytest.mark.conforms("GEN-06")
def test_pages_and_webhooks_are_nobody_elses_to_read(world: World, client: FlaskClient) -> None:
    headers = world.log_in(client)
    opened = client.post(
        "/sep24/transactions/withdraw/interactive", json={"asset_code": "USDC"}, headers=headers
    ).json
    assert opened is not None
    place = opened["url"].removeprefix("http://localhost")
    page = client.get(place, headers=ORIGIN, follow_redirects=True)
    assert page.status_code == 200
    webhook = client.post("/rails/bank/webhook", headers=ORIGIN, data=b"{}")
    assert HEADER not in page.headers
    assert HEADER not in webhook.headers
    for path in ("/interactive/withdraw/x", "/static/pages.js", "/docs", "/health", "/ready"):
        with client.get(path, headers=ORIGIN) as answer:
            assert HEADER not in answer.headers


@pytest.mark.conforms("GEN-15")
@pytest.mark.parametrize("path", DOORS)
def test_a_slash_at_the_end_changes_nothing(client: FlaskClient, path: str) -> None:
    for method in (client.get, client.post):
        plain, slashed = method(path), method(path + "/")
        assert plain.status_code == slashed.status_code
        assert slashed.status_code not in {301, 302, 307, 308, 404, 500}


@pytest.mark.conforms("GEN-13")
@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'"x"', b"5", b"null", b"true", b'{"transaction": {"a": 1}}', b"\xff"]
)
def test_json_that_is_no_object_of_ours_is_refused(client: FlaskClient, raw: bytes) -> None:
    answer = client.post("/auth", data=raw, content_type="application/json")
    assert answer.status_code == 400
    assert json.loads(answer.text)["error"]


@pytest.mark.conforms("GEN-08", "GEN-38")
def test_a_refusal_is_said_in_the_language_asked_for(world: World, client: FlaskClient) -> None:
    said = {
        "es": "no existe esa transacción",
        "pt-BR": "não existe essa transação",
        "fr": "cette transaction n’existe pas",
        "en": "there is no such transaction",
        "tlh": "there is no such transaction",
        "x" * 200: "there is no such transaction",
    }
    headers = world.log_in(client)
    for lang, sentence in said.items():
        answer = client.get(f"/sep24/transaction?id=none&lang={lang}", headers=headers)
        assert answer.status_code == 404
        assert json.loads(answer.text) == {"error": sentence}


@pytest.mark.conforms("GEN-08", "GEN-38")
def test_the_parts_of_a_fee_are_named_in_the_language_asked_for(
    world: World, client: FlaskClient
) -> None:
    headers = world.log_in(client)
    row_id = world.withdrawal("100.01")
    sale = {"sell_asset": f"stellar:{world.policy.id}", "buy_asset": "iso4217:BRL"}
    sale |= {"sell_amount": "100", "context": "sep24"}
    quote: Any = client.post("/sep38/quote", json=sale, headers=headers).json
    for lang, names in {
        "en": ["Fixed fee", "Share of the amount", "Rounding"],
        "es": ["Comisión fija", "Parte del importe", "Redondeo"],
        "pt": ["Tarifa fixa", "Parte do valor", "Arredondamento"],
        "fr": ["Frais fixes", "Part du montant", "Arrondi"],
    }.items():
        seen: Any = client.get(f"/sep24/transaction?id={row_id}&lang={lang}", headers=headers).json
        assert [each["name"] for each in seen["transaction"]["fee_details"]["details"]] == names
        priced: Any = client.get("/sep38/price", query_string=sale | {"lang": lang}).json
        promised: Any = client.get(f"/sep38/quote/{quote['id']}?lang={lang}", headers=headers).json
        for found in (priced, promised):
            assert [each["name"] for each in found["fee"]["details"]] == names[:2]


@pytest.mark.conforms("GEN-08", "GEN-38")
@pytest.mark.parametrize("as_json", [True, False])
def test_the_language_may_stand_in_the_body(
    world: World, client: FlaskClient, as_json: bool
) -> None:
    headers = world.log_in(client)
    path = "/sep24/transactions/withdraw/interactive"
    body = {"asset_code": "USDC", "amount": "0.1", "lang": "es"}
    answer = client.post(path, headers=headers, **{"json" if as_json else "data": body})
    assert answer.status_code == 400
    assert json.loads(answer.text) == {"error": "el importe mínimo es 1"}
    missing = client.post(path, headers=headers, json={"lang": "fr"})
    assert json.loads(missing.text)["error"] == "asset_code: il manque une donnée obligatoire"
    for lang in ({"a": 1}, ["es"], None, 5, "", "x" * 100):
        good = client.post(path, headers=headers, json={"asset_code": "USDC", "lang": lang})
        assert good.status_code == 200, lang


def test_an_id_that_is_well_formed_is_kept_and_another_one_is_made(client: FlaskClient) -> None:
    given = client.get("/health", headers={"X-Request-ID": "proxy-12345.a"})
    assert given.headers["X-Request-ID"] == "proxy-12345.a"
    for bad in ("short", "x" * 65, "two words here", "a\tb-12345", '"><script>', "-leading-1"):
        made = client.get("/health", headers={"X-Request-ID": bad})
        assert len(made.headers["X-Request-ID"]) == 16


def test_a_surprise_is_in_the_log_under_the_id_that_the_asker_sees(
    world: World, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    request_ids.mark_log_records()
    secret = "GSECRET"

    def fail() -> None:
        logging.getLogger("anchor.anything").warning("on the way")
        raise RuntimeError("inside")

    world.app.view_functions["sep24.info"] = fail
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = client.get("/sep24/info", query_string={"account": secret, "lang": "fr"})
    body = json.loads(answer.text)
    found = answer.headers["X-Request-ID"]
    assert body["request_id"] == found
    assert body["error"] == f"un problème est survenu ici ; il est noté sous {found}"
    assert {record.request_id for record in caplog.records} == {found}  # type: ignore[attr-defined]
    assert "inside" in caplog.text
    assert secret not in caplog.text
    assert request_ids.current() == request_ids.NONE


@pytest.mark.conforms("GEN-08")
def test_what_is_down_inside_is_told_in_the_log_alone(
    world: World, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    signed = world.signed_challenge(client, world.payer)
    world.sandbox.stop()
    answer = client.post("/auth", json={"transaction": signed, "lang": "es"})
    assert answer.status_code == 503
    assert json.loads(answer.text)["error"].startswith("esto no se puede hacer en este momento")
    assert "did not answer" in caplog.text


@pytest.mark.conforms("GEN-10", "GEN-12", "GEN-20")
def test_an_answer_about_money_is_json_and_wants_the_token_of_a_session(
    world: World, client: FlaskClient
) -> None:
    path = "/sep24/transactions?asset_code=USDC"
    good = client.get(path, headers=world.log_in(client))
    assert good.status_code == 200
    assert good.headers["Content-Type"] == "application/json"
    token = world.log_in(client)["Authorization"].removeprefix("Bearer ")
    for header in ({}, {"Authorization": token}, {"Authorization": f"Basic {token}"}):
        refused = client.get(path, headers=header)
        assert refused.status_code == 403
        assert json.loads(refused.text).keys() == {"error", "type"}
        assert json.loads(refused.text)["type"] == "authentication_required"


@pytest.mark.conforms("GEN-30", "GEN-31", "GEN-35")
def test_amounts_are_text_limits_are_numbers_and_instants_end_in_z(
    world: World, client: FlaskClient
) -> None:
    row_id = world.withdrawal("100.25")
    answer = client.get(f"/sep24/transaction?id={row_id}", headers=world.log_in(client))
    assert answer.status_code == 200
    shown = json.loads(answer.text)["transaction"]
    for name in ("amount_in", "amount_out", "amount_fee"):
        assert re.fullmatch(r"[0-9]+(\.[0-9]{1,7})?", shown[name])
    for name in ("started_at", "updated_at", "user_action_required_by"):
        assert datetime.fromisoformat(shown[name]).tzinfo is not None
        assert shown[name].endswith("Z")
    limits = json.loads(client.get("/sep24/info").text)["withdraw"]["USDC"]
    assert {type(limits[name]) for name in limits if name != "enabled"} <= {int, float}
    assert limits["min_amount"] == 1

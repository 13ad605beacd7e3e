"""Metrics are for operators, by their token, and scrapes cannot hurt."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from anchor import create_app
from anchor.blueprints import metrics
from anchor.lifecycle import Kind, Status
from anchor.policies import LimitPolicy
from anchor.services import measures
from anchor.services.transactions import PAY_OUT
from tests.operating import TOKENS, bearing
from tests.world import World, dispose


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


@pytest.mark.parametrize("name", ["ada", "vera"])
def test_whoever_may_look_may_scrape(client: FlaskClient, name: str) -> None:
    answer = client.get("/metrics", headers=bearing(name))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "# TYPE anchor_build_info gauge\n" in answer.text
    assert answer.text.endswith("\n")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKENS['vera']}"},
        {"Authorization": f"Bearer {TOKENS['vera']}x"},
        {"Authorization": "Bearer \xe9"},
    ],
)
def test_without_an_operators_token_nothing_is_said(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "anchor_" not in answer.text


def test_a_wallets_token_is_none(world: World, client: FlaskClient) -> None:
    assert client.get("/metrics", headers=world.log_in(client)).status_code == 401


def test_a_session_of_the_console_is_none(client: FlaskClient) -> None:
    client.post("/console/sign-in", data={"token": TOKENS["ada"]})
    assert client.get("/metrics").status_code == 401


def test_without_operators_there_is_no_such_door(world: World) -> None:
    app = create_app(replace(world.settings, operators={}))
    assert app.test_client().get("/metrics", headers=bearing()).status_code == 404
    dispose(app)


def test_no_other_origin_reads_them(client: FlaskClient) -> None:
    headers = bearing() | {"Origin": "https://wallet.example"}
    assert "Access-Control-Allow-Origin" not in client.get("/metrics", headers=headers).headers


def test_who_tries_many_tokens_is_refused(world: World) -> None:
    limits = LimitPolicy(account_per_minute=2)
    app = create_app(replace(world.settings, limits=limits, broker_url=None))
    client = app.test_client()
    statuses = [client.get("/metrics").status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    dispose(app)


def test_scrapes_that_come_together_look_once(
    world: World, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look = measures.look

    def slowly() -> Any:
        looks.append(1)
        time.sleep(0.2)
        return look()

    monkeypatch.setattr(measures, "look", slowly)
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: world.app.test_client().get("/metrics", headers=bearing()), range(4))
        )
    assert [answer.status_code for answer in answers] == [200] * 4
    assert looks == [1]


def test_what_changed_is_told_after_some_seconds(
    world: World, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "KEPT_S", 0.2)
    told = 'anchor_transactions_open{kind="send",status="pending_sender"} 1.0'
    assert told not in client.get("/metrics", headers=bearing()).text
    world.of_kind(Kind.SEND, Status.PENDING_SENDER)
    assert told not in client.get("/metrics", headers=bearing()).text
    time.sleep(0.25)
    assert told in client.get("/metrics", headers=bearing()).text


def test_nothing_of_customers_is_told(world: World, client: FlaskClient) -> None:
    row_id = world.paid_withdrawal()
    said = client.get("/metrics", headers=bearing()).text
    assert f'anchor_jobs{{kind="{PAY_OUT}",state="due"}} 1.0' in said
    for secret in (row_id, world.payer.public_key, world.memo(row_id), "bank_account_number"):
        assert secret not in said


def test_a_database_that_is_away_is_a_503(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anchor.errors import Unavailable

    def away() -> Any:
        raise Unavailable("the database did not answer: secret")

    monkeypatch.setattr(measures, "look", away)
    answer = client.get("/metrics", headers=bearing())
    assert answer.status_code == 503
    assert "secret" not in answer.text

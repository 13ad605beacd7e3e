"""How much is answered, to whom, and what happens while Redis is away."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from stellar_sdk import Keypair
from werkzeug.exceptions import TooManyRequests

from anchor import create_app
from anchor.blueprints.limits import ANSWER_S, Limits, address_of
from anchor.policies import LimitPolicy
from tests.front import Front
from tests.waiting import until
from tests.world import World, dispose


@pytest.fixture
def counted(world: World, broker_url: str) -> Iterator[Any]:
    """Make anchors with limits of their own, on counters that nobody has used yet."""
    made: list[Flask] = []

    def make(limits: LimitPolicy, url: str | None = broker_url) -> Flask:
        made.append(create_app(replace(world.settings, limits=limits, redis_url=url)))
        return made[-1]

    with redis.Redis.from_url(broker_url) as client:
        for key in client.scan_iter("anchor:limits:*"):
            client.delete(key)
    yield make
    for app in made:
        dispose(app)
    with redis.Redis.from_url(broker_url) as client:
        for key in client.scan_iter("anchor:limits:*"):
            client.delete(key)


def unlimited(**limits: int) -> LimitPolicy:
    return replace(LimitPolicy(0, 0, 0, 0, 0, 0, 0), **limits)


def statuses(client: FlaskClient, path: str, times: int, **options: Any) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(times)]


def test_an_address_is_refused_after_so_many_and_told_when_to_come_again(counted: Any) -> None:
    client = counted(unlimited(address_per_minute=3)).test_client()
    assert statuses(client, "/sep24/info", 4) == [200, 200, 200, 429]
    answer = client.get("/sep24/info?lang=es")
    assert json.loads(answer.text) == {
        "error": "demasiadas solicitudes; espere un momento e inténtelo de nuevo"
    }
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    other = client.get("/sep24/info", environ_base={"REMOTE_ADDR": "10.0.0.2"})
    assert other.status_code == 200
    assert statuses(client, "/health", 5) == [200] * 5


def test_all_processes_count_together(counted: Any) -> None:
    limits = unlimited(address_per_minute=3)
    one, two = (counted(limits).test_client() for _ in range(2))
    assert statuses(one, "/sep24/info", 2) == [200, 200]
    assert statuses(two, "/sep24/info", 2) == [200, 429]


@pytest.mark.conforms("SEP10-11")
def test_costly_requests_have_a_limit_of_their_own(counted: Any) -> None:
    client = counted(unlimited(costly_address_per_minute=2)).test_client()
    query = {"account": Keypair.random().public_key}
    assert statuses(client, "/auth", 3, query_string=query) == [200, 200, 429]
    answer = client.get("/auth", query_string=query)
    assert answer.mimetype == "application/json"
    assert json.loads(answer.text) == {
        "error": "too many requests; please wait a moment and try again"
    }
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert statuses(client, "/sep24/info", 3) == [200] * 3


def test_an_account_is_refused_wherever_it_comes_from(world: World, counted: Any) -> None:
    client = counted(unlimited(account_per_minute=2)).test_client()
    mine, below = world.log_in(client), world.log_in(client, memo="7")
    other = world.log_in(client, Keypair.random())
    found = [
        client.get(
            "/sep24/transactions?asset_code=USDC",
            headers=mine,
            environ_base={"REMOTE_ADDR": f"10.0.0.{number}"},
        ).status_code
        for number in range(3)
    ]
    assert found == [200, 200, 429]
    for headers in (below, other):
        assert statuses(client, "/sep24/transactions?asset_code=USDC", 1, headers=headers) == [200]


def test_a_client_domain_is_refused_whoever_uses_it(world: World) -> None:
    limits = Limits(unlimited(client_domain_per_minute=1), None)
    limits.count("client_domain", "wallet.example", is_costly=False)
    with pytest.raises(TooManyRequests):
        limits.count("client_domain", "wallet.example", is_costly=False)
    limits.count("client_domain", "other.example", is_costly=False)


@pytest.mark.parametrize(
    ("told", "counts_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (None, "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_one_host_is_one_address(told: str | None, counts_as: str) -> None:
    assert address_of(told) == counts_as


def forwarded(client: FlaskClient, told: str) -> int:
    return client.get("/sep24/info", headers={"X-Forwarded-For": told}).status_code


def test_nobody_is_believed_who_tells_an_address_unless_a_proxy_of_ours(counted: Any) -> None:
    plain = counted(unlimited(address_per_minute=1)).test_client()
    assert [forwarded(plain, f"198.51.100.{number}") for number in range(2)] == [200, 429]
    behind = counted(unlimited(address_per_minute=1, proxies=1)).test_client()
    assert [forwarded(behind, f"203.0.113.{number}") for number in range(2)] == [200, 200]
    # the proxy appends: what stands before its own word is whatever the asker made up
    spoofed = [forwarded(behind, f"1.1.1.{number}, 203.0.113.9") for number in range(2)]
    assert spoofed == [200, 429]


def test_while_redis_is_away_each_process_counts_and_nobody_waits(
    counted: Any, broker_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    place = broker_url.removeprefix("redis://").rpartition("@")
    secret, (address, _, number) = place[0], place[2].partition("/")
    with Front(f"http://{address}") as front:
        url = f"redis://{secret + '@' if secret else ''}{front.name}/{number}"
        client = counted(unlimited(address_per_minute=4), url).test_client()
        assert statuses(client, "/sep24/info", 1) == [200]
        front.off()
        began = monotonic()
        assert statuses(client, "/sep24/info", 5) == [200] * 4 + [429]
        assert monotonic() - began < 4 * ANSWER_S
        assert "each process counts by itself" in caplog.text
        front.on()
        until(lambda: "counted together" in caplog.text, 10)
        assert statuses(client, "/sep24/info", 4) == [200] * 3 + [429]


def test_a_redis_that_says_nothing_keeps_one_request_waiting_and_briefly(counted: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        client = counted(unlimited(address_per_minute=100), url).test_client()
        began = monotonic()
        assert statuses(client, "/sep24/info", 20) == [200] * 20
        assert monotonic() - began < 1 + 3 * ANSWER_S


def test_at_once_no_more_than_the_limit_get_through(broker_url: str) -> None:
    limits = Limits(unlimited(address_per_minute=10), broker_url)
    name, refused = uuid4().hex, []

    def ask() -> None:
        for _ in range(5):
            try:
                limits.count("address", name, is_costly=False)
            except TooManyRequests:
                refused.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 10

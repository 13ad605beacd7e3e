"""Sources of rates: the contract, and an HTTP endpoint that is never believed for long."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from anchor import create_app
from anchor.integrations import http_rates, registry
from anchor.integrations.fixed_rates import FixedRates
from anchor.integrations.http_rates import HttpRates
from anchor.integrations.rates import RateQuery, RatesIntegration, Rejected, Unavailable, Way
from anchor.integrations.testing_rates import RatesContract
from tests.world import World, dispose

QUERY = RateQuery("USDC:ISSUER", "USDC", "iso4217:BRL", Way.DEPOSIT)


class Server(ThreadingHTTPServer):
    """A server to whom a caller that hangs up is nothing to tell of."""

    def handle_error(self, *_: Any) -> None:
        pass


class Endpoint:
    """An HTTP endpoint that answers what a test says, and counts."""

    def __init__(self) -> None:
        self.body: Any = {"rates": {"BRL": 5.42}}
        self.raw: bytes | None = None
        self.status = 200
        self.delay_ms = 0
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                endpoint.asked.append(self.path)
                endpoint.keys.append(self.headers.get("X-Key"))
                sleep(endpoint.delay_ms / 1000)
                body = endpoint.raw or json.dumps(endpoint.body).encode()
                self.send_response(endpoint.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000

    def __call__(self) -> int:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(http_rates, "monotonic", made)
    return made


def source(endpoint: Endpoint, **more: Any) -> HttpRates:
    options = {"url": endpoint.url + "/{asset}/{currency}", "path": "rates.BRL", **more}
    return HttpRates("http", options)


class TestFixed(RatesContract):
    def rates(self) -> RatesIntegration:
        return FixedRates("fixed", {"USDC/BRL": "5.42"})


class TestHttp(RatesContract):
    @pytest.fixture(autouse=True)
    def _running(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def rates(self) -> RatesIntegration:
        return HttpRates("http", {"url": self.endpoint.url, "path": "rates.BRL"})

    def test_what_it_does_not_know_it_does_not_price(self) -> None:
        """The address names the currency, and the endpoint has none of it."""
        self.endpoint.status = 404
        super().test_what_it_does_not_know_it_does_not_price()


def test_the_number_is_read_exactly_and_the_address_filled_in(endpoint: Endpoint) -> None:
    endpoint.raw = b'{"rates": {"BRL": 5.420000000000000001}}'
    assert source(endpoint).rate(QUERY).price == Decimal("5.420000000000000001")
    assert endpoint.asked == ["/USDC/BRL"]
    endpoint.body, endpoint.raw = [{"rates": {"BRL": "0.2"}}], None
    found = source(endpoint, path="0.rates.BRL", invert=True).rate(QUERY)
    assert found.price == 5


@pytest.mark.parametrize(
    ("number", "read"),
    [
        (b"6.12e-05", "0.0000612"),
        (b'"1.5E+3"', "1500"),
        (b"0.18450184501845018450184501845", "0.184501845018450185"),
    ],
)
def test_numbers_are_read_as_json_writes_them(endpoint: Endpoint, number: bytes, read: str) -> None:
    endpoint.raw = b'{"rates": {"BRL": ' + number + b"}}"
    assert source(endpoint).rate(QUERY).price == Decimal(read)


def test_that_no_rate_can_be_read_is_told_once(
    endpoint: Endpoint, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.body = {"rates": {"BRL": "much"}}
    rates = source(endpoint)
    for _ in range(3):
        with pytest.raises(Unavailable):
            rates.rate(QUERY)
        clock.now_s += 5
    assert [record.getMessage() for record in caplog.records] == [
        "no rate was read at 127.0.0.1: ValueError"
    ]


def test_an_answer_is_used_again_until_it_is_old(endpoint: Endpoint, clock: Clock) -> None:
    rates = source(endpoint, cache_s=10, stale_s=30)
    assert rates.rate(QUERY).price == Decimal("5.42")
    endpoint.body = {"rates": {"BRL": 6}}
    clock.now_s += 9
    assert rates.rate(QUERY).price == Decimal("5.42")
    clock.now_s += 1
    assert rates.rate(QUERY).price == 6
    assert len(endpoint.asked) == 2


def test_an_old_price_is_never_told(endpoint: Endpoint, clock: Clock) -> None:
    rates = source(endpoint, cache_s=10, stale_s=30)
    rates.rate(QUERY)
    endpoint.status = 500
    clock.now_s += 29
    assert rates.rate(QUERY).price == Decimal("5.42")
    clock.now_s += 1
    with pytest.raises(Unavailable):
        rates.rate(QUERY)
    endpoint.status = 200
    clock.now_s += 1
    assert rates.rate(QUERY).price == Decimal("5.42")


def test_a_slow_answer_ages_from_when_it_was_asked_for(endpoint: Endpoint, clock: Clock) -> None:
    rates = source(endpoint, cache_s=10, stale_s=30)
    fetch = http_rates.outgoing.fetch

    def slowly(*args: Any, **more: Any) -> bytes:
        clock.now_s += 25
        return fetch(*args, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(http_rates.outgoing, "fetch", slowly)
        assert rates.rate(QUERY).price
    clock.now_s += 5
    endpoint.status = 500
    with pytest.raises(Unavailable):
        rates.rate(QUERY)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 200),
        (b"{}", 200),
        (b'{"rates": [5]}', 200),
        (b'{"rates": {"BRL": -5}}', 200),
        (b'{"rates": {"BRL": 0}}', 200),
        (b'{"rates": {"BRL": 1e333}}', 200),
        (b'{"rates": {"BRL": NaN}}', 200),
        (b'{"rates": {"BRL": "Infinity"}}', 200),
        (b'{"rates": {"BRL": null}}', 200),
        (b'{"rates": {"BRL": 5}}', 503),
        (b'{"rates": {"BRL": 5}}', 302),
        (b" " * 100_001, 200),
        (b"[" * 50_000, 200),
        (b"\xff", 200),
    ],
)
def test_what_is_no_price_is_no_answer(endpoint: Endpoint, raw: bytes, status: int) -> None:
    endpoint.raw, endpoint.status = raw or b" ", status
    with pytest.raises(Unavailable):
        source(endpoint).rate(QUERY)


def test_an_endpoint_that_hangs_holds_nobody_for_long(endpoint: Endpoint) -> None:
    endpoint.delay_ms = 3000
    rates = source(endpoint, timeout_s=1)
    for _ in range(3):
        with pytest.raises(Unavailable):
            rates.rate(QUERY)
    assert len(endpoint.asked) == 1


def test_while_one_asks_the_others_go_on(endpoint: Endpoint, clock: Clock) -> None:
    rates = source(endpoint, cache_s=1, stale_s=60)
    rates.rate(QUERY)
    clock.now_s += 2
    endpoint.delay_ms = 500
    asking = threading.Thread(target=rates.rate, args=(QUERY,))
    asking.start()
    while len(endpoint.asked) < 2:
        sleep(0.005)
    assert rates.rate(QUERY).price == Decimal("5.42")
    assert asking.is_alive()
    asking.join()
    assert len(endpoint.asked) == 2


def test_while_an_endpoint_is_down_one_alone_waits_for_it(endpoint: Endpoint, clock: Clock) -> None:
    """Else whoever asks for prices could hold all threads of the web, and all other doors."""
    rates = source(endpoint, timeout_s=1)
    endpoint.status = 500
    with pytest.raises(Unavailable):
        rates.rate(QUERY)
    clock.now_s += 2
    endpoint.delay_ms = 3000

    def ask() -> None:
        with pytest.raises(Unavailable):
            rates.rate(QUERY)

    asking = threading.Thread(target=ask)
    asking.start()
    while len(endpoint.asked) < 2:
        sleep(0.005)
    ask()
    assert asking.is_alive()
    asking.join()
    assert len(endpoint.asked) == 2


def test_a_key_comes_from_its_file(endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    rates = source(endpoint, key_header="X-Key", key_file=str(file), cache_s=1)
    rates.rate(QUERY)
    assert endpoint.keys == ["first"]
    assert "first" not in repr(rates)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("http", {}, "address"),
        ("http", {"url": "https://x", "odd": 1}, "odd"),
        ("http", {"url": "https://x", "invert": "false"}, "invert"),
        ("http", {"url": "https://x", "cache_s": "5"}, "cache_s"),
        ("http", {"url": "https://x", "timeout_s": 60}, "timeout_s"),
        ("http", {"url": "https://x", "cache_s": 60, "stale_s": 10}, "below"),
        ("http", {"url": "https://x", "key_header": "X-Key"}, "together"),
        ("http", {"url": "https://x", "key_header": "X", "key_file": "/no/where"}, "key_file"),
        ("fixed", {"USDC/BRL": 5}, "USDC/BRL"),
        ("fixed", {"USDC/BRL": "1e3"}, "plain number"),
        ("fixed", {"USDC/BRL": "0"}, "above 0"),
        ("pigeon", {}, "not installed"),
    ],
)
def test_a_source_with_wrong_options_stops_the_start(
    name: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(registry.Misconfigured, match=said) as caught:
        registry.load_rates([name], {name: options})
    assert f"source of rates {name}" in str(caught.value)


def test_fixed_rates_know_only_their_own_pairs() -> None:
    with pytest.raises(Rejected, match="USDC/BRL"):
        FixedRates("fixed").rate(QUERY)


def test_the_place_in_the_answer_is_filled_in_too(endpoint: Endpoint) -> None:
    """One address that tells all rates: each pair is read, and remembered, at its own place."""
    endpoint.body = {"rates": {"BRL": 5.42, "MXN": 17}}
    rates = source(endpoint, url=endpoint.url, path="rates.{currency}")
    assert rates.rate(QUERY).price == Decimal("5.42")
    assert rates.rate(replace(QUERY, offchain="iso4217:MXN")).price == 17


def test_pairs_that_are_read_at_the_same_place_stop_the_start(
    endpoint: Endpoint, world: World
) -> None:
    """Else MXN would be sold at the price of BRL."""
    policy = world.settings.quotes
    [pair] = policy.pairs
    other = replace(policy.offchain["iso4217:BRL"], id="iso4217:MXN")
    quotes = replace(
        policy,
        offchain={**policy.offchain, "iso4217:MXN": other},
        pairs=(
            replace(pair, rates="http"),
            replace(pair, rates="http", offchain="iso4217:MXN"),
        ),
    )
    settings = replace(
        world.settings,
        quotes=quotes,
        rates={"http": {"url": endpoint.url, "path": "rates.BRL"}},
    )
    with pytest.raises(SystemExit, match="USDC/BRL and USDC/MXN are read at the same place"):
        create_app(settings)
    apart = {"http": {"url": endpoint.url, "path": "rates.{currency}"}}
    dispose(create_app(replace(settings, rates=apart)))

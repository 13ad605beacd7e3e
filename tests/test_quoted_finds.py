"""What a hostile review of quotes found: each find has its test."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.doors.quoting import Market
from tests.world import World


@pytest.fixture
def market(world: World) -> Market:
    return Market(world)


@contextmanager
def bounded_memory(more_mb: int) -> Iterator[None]:
    """Let this process take so much memory more, and no more."""
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + more_mb * 2**20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(
    "number",
    [
        "1e300000000",
        "-1E300000000",
        "1e-300000000",
        "0e300000000",
        "1e9" + "9" * 16,
        "1e" + "9" * 99,
    ],
)
@pytest.mark.parametrize("name", ["sell_amount", "buy_asset", "context", "country_code"])
def test_a_number_with_an_enormous_exponent_fills_no_memory(
    market: Market, number: str, name: str
) -> None:
    market.log_in()
    said = ", ".join(f'"{key}": "{value}"' for key, value in market.sale(**{name: None}).items())
    with bounded_memory(200):
        answer = market.client.post(
            "/sep38/quote",
            data=f'{{{said}, "{name}": {number}}}',
            headers=market.headers,
            content_type="application/json",
        )
    assert answer.status_code == 400
    assert answer.json["error"]

"""The pool of channel accounts, as seen by those who follow the ledger meanwhile."""

from typing import Any

import pytest

from anchor.errors import Unavailable
from anchor.extensions import gateway
from anchor.money import parse_amount
from anchor.services import channel_pool
from tests.deposits import Bench
from tests.world import World

LUMENS = parse_amount("5")


def test_a_stream_that_sees_channels_paid_at_once_calls_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = gateway().submit

    def watched(envelope_xdr: str) -> Any:
        found = submit(envelope_xdr)
        world.read()
        return found

    monkeypatch.setattr(gateway(), "submit", watched)
    assert channel_pool.grow(gateway(), world.distribution, 3, LUMENS) == 3
    assert world.cases() == []


def test_channels_whose_making_failed_keep_no_payment_and_are_made_by_the_same_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_envelope_xdr: str) -> Any:
        raise Unavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(gateway(), "submit", fails)
        with pytest.raises(Unavailable):
            channel_pool.grow(gateway(), world.distribution, 2, LUMENS)
    bench = Bench(world)
    bench.wait(bench.deposit(bench.account().public_key))
    assert channel_pool.grow(gateway(), world.distribution, 2, LUMENS) == 2
    assert [each.lumens for each in channel_pool.look(gateway())] == [LUMENS, LUMENS]
    assert channel_pool.grow(gateway(), world.distribution, 2, LUMENS) == 0

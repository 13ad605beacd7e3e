"""Ticks of the schedule: any number of schedulers may ring, and each tick is taken once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from dramatiq.broker import Broker
from dramatiq.message import Message

from anchor.brokers import ForgivingTicks
from anchor.clock import utcnow
from anchor.services import passes
from tests.world import World


def test_promise_10_of_many_who_take_a_tick_one_gets_it(world: World) -> None:
    minute = utcnow()

    def take(_: int) -> bool:
        with world.app.app_context():
            return passes.take_tick("work", minute)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(take, range(16))) == [False] * 15 + [True]
    assert passes.take_tick("check_trustlines", minute)
    assert passes.take_tick("work", minute + timedelta(minutes=1))


class _Away(Broker):
    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        raise ConnectionError


class _Scheduler(ForgivingTicks, _Away):
    """What a scheduler rings with while its broker is away."""


def test_promise_10_a_scheduler_outlives_its_broker_and_others_are_told() -> None:
    def message(**options: str) -> Message[Any]:
        return Message(queue_name="q", actor_name="a", args=(), kwargs={}, options=dict(options))

    broker = _Scheduler(middleware=[])
    assert broker.enqueue(message(scheduled_at="2026-01-01T00:00:00Z")).actor_name == "a"
    with pytest.raises(ConnectionError):
        broker.enqueue(message())

"""Ringing for a worker: quick, never raising, and given up for a while when nobody answers."""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import cache
from time import monotonic

import redis
from dramatiq.broker import Broker
from dramatiq.brokers.redis import RedisBroker

from anchor import brokers, config
from anchor.actors.jobs import ACTORS
from anchor.actors.setup import broker, broker_url
from anchor.services.jobs import Address

log = logging.getLogger(__name__)

#: Whoever rings has just committed money: it never waits longer for a frozen broker.
_TIMEOUT_MS = 500
_GIVE_UP_AFTER_S = 1
_GIVE_UP_S = 5

_silent_until = 0
_lock = threading.Lock()


@cache
def _bell() -> Broker:
    if not isinstance(broker, RedisBroker):
        from anchor.actors.rabbit import RabbitBell

        return RabbitBell(broker_url)
    pool = brokers.pool(
        config.broker_kind(),
        broker_url,
        socket_timeout=_TIMEOUT_MS / 1000,
        socket_connect_timeout=_TIMEOUT_MS / 1000,
        retry=None,
    )
    return RedisBroker(
        client=redis.Redis(connection_pool=pool), namespace=broker.namespace, middleware=[]
    )


def ring(jobs: Sequence[Address]) -> None:
    """Tell the workers that these jobs are due; losing a message is harmless."""
    _quietly(lambda: _send(jobs))


def _send(jobs: Sequence[Address]) -> None:
    deadline = monotonic() + _GIVE_UP_AFTER_S
    for job in jobs:
        if monotonic() > deadline:
            raise TimeoutError
        _bell().enqueue(ACTORS[job.kind].message(job.subject_id))


def ring_later(job: Address, seconds: int) -> None:
    """Tell the workers about a job when it will be due; losing that is harmless too."""
    message = ACTORS[job.kind].message(job.subject_id)
    _quietly(lambda: _bell().enqueue(message, delay=seconds * 1000))


def _quietly(act: Callable[[], object]) -> None:
    global _silent_until  # noqa: PLW0603
    with _lock:
        if monotonic() < _silent_until:
            return
    try:
        act()
    except Exception as error:
        with _lock:
            _silent_until = int(monotonic()) + _GIVE_UP_S
        log.warning("the broker was not rung (%s); a sweep will", type(error).__name__)

"""Connections to brokers of each kind, and whether one answers: Redis, its Sentinels, RabbitMQ."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis
from dramatiq.broker import Broker
from dramatiq.message import Message
from redis.connection import ConnectionPool
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedSSLConnection

from anchor.addresses import Sentinels, broker_kind, sentinels
from anchor.errors import Unavailable

if TYPE_CHECKING:
    import pika

log = logging.getLogger(__name__)

#: A sentinel that does not answer keeps nobody from asking the next one for long.
_SENTINEL_S = 1
_ASK_S = 5


class LatePool(ConnectionPool):
    """A pool of connections that learns the broker's address when it first connects."""

    def __init__(self, url: Callable[[], str], **options: Any) -> None:
        super().__init__()
        self._url = url
        self._late_options: dict[str, Any] | None = options

    def make_connection(self) -> Any:
        """Return a new connection to the broker that `url` names."""
        if self._late_options is not None:
            known = ConnectionPool.from_url(self._url(), **self._late_options)
            self.connection_class = known.connection_class
            self.connection_kwargs = known.connection_kwargs
            self._late_options = None
        return super().make_connection()


class LateSentinelPool(SentinelConnectionPool):
    """The same behind Sentinels: each connection goes to whoever they say is the master."""

    def __init__(self, url: Callable[[], str], **options: Any) -> None:
        super().__init__("", None, **options)  # type: ignore[no-untyped-call]
        self._url: Callable[[], str] | None = url

    def make_connection(self) -> Any:
        """Return a connection that asks the sentinels of `url` when it connects."""
        if self._url is not None:
            found = sentinels(self._url())
            self.connection_kwargs |= {
                "db": found.db,
                "username": found.username,
                "password": found.password,
            }
            if found.is_tls:
                self.connection_class = SentinelManagedSSLConnection
            self.service_name = self.proxy.service_name = found.master
            self.sentinel_manager = self.proxy.sentinel_manager = manager(found)
            self._url = None
        return super().make_connection()


def manager(found: Sentinels) -> Any:
    """Return what asks sentinels for the master."""
    asking = {
        "socket_timeout": _SENTINEL_S,
        "socket_connect_timeout": _SENTINEL_S,
        "username": found.sentinel_username,
        "password": found.sentinel_password,
        "ssl": found.is_tls,
        "retry": None,
    }
    return Sentinel(found.hosts, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]


def pool(kind: str, url: Callable[[], str], **options: Any) -> ConnectionPool:
    """Return a pool for ``redis`` or ``sentinel`` that connects nowhere before it is used."""
    if kind == "sentinel":
        return LateSentinelPool(url, **options)
    return LatePool(url, **options)


def rabbit_parameters(url: str, timeout_s: int) -> "list[pika.URLParameters]":
    """Return where RabbitMQ is, for pika; several addresses are separated by ``;``.

    Nothing waits longer than `timeout_s` seconds for a connection.
    """
    import pika

    # pika tells each failed connection seven times, with a traceback; we tell it once
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    found = []
    for each in url.split(";"):
        made = pika.URLParameters(each)
        made.socket_timeout = timeout_s
        made.stack_timeout = timeout_s
        made.blocked_connection_timeout = timeout_s
        found.append(made)
    return found


class ForgivingTicks(Broker):
    """A broker to which a tick that it does not take is lost, and no reason to end.

    periodiq ends on the first one. Losing a tick is harmless: the next pass finds what is due.
    """

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """See `Broker.enqueue`; raises nothing for what periodiq sends."""
        try:
            return super().enqueue(message, delay=delay)
        except Exception as error:
            if "scheduled_at" not in message.options:
                raise
            log.warning("the broker did not take a tick (%s)", type(error).__name__)
            return message


def ask(url: str) -> str:
    """Ask the broker whether it is there and keeps what it is given; `Unavailable`."""
    kind = broker_kind(url)
    if kind == "amqp":
        return _ask_rabbit(url)
    options = {"socket_timeout": _ASK_S, "socket_connect_timeout": _ASK_S}
    made = pool(kind, lambda: url, **options)
    try:
        with redis.Redis(connection_pool=made) as client:
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
            place = made.master_address if isinstance(made, LateSentinelPool) else None
    except redis.RedisError as error:
        raise Unavailable(f"the broker did not answer: {type(error).__name__}") from error
    finally:
        made.disconnect()
    if policy not in {None, "noeviction"}:
        raise Unavailable(f"maxmemory-policy is {policy}; it must be noeviction")
    return f"answers; its master is {place[0]}:{place[1]}" if place else "answers"


def _ask_rabbit(url: str) -> str:
    import pika
    from pika.adapters.utils.connection_workflow import AMQPConnectorException
    from pika.exceptions import AMQPError

    try:
        pika.BlockingConnection(rabbit_parameters(url, _ASK_S)).close()
    except (AMQPError, AMQPConnectorException, OSError, ValueError) as error:
        raise Unavailable(f"the broker did not answer: {type(error).__name__}") from error
    return "answers"

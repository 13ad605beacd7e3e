"""RabbitMQ as broker: the same bell, and the same patience, as with Redis."""

from collections.abc import Callable
from threading import Lock
from types import SimpleNamespace
from typing import Any

from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.message import Message
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError, AMQPError

from anchor.brokers import ForgivingTicks, rabbit_parameters

_WORKER_S = 10
_BELL_S = 1


class LateRabbit(ForgivingTicks, RabbitmqBroker):
    """A RabbitMQ broker that learns its address when it first connects."""

    def __init__(self, url: Callable[[], str], timeout_s: int = _WORKER_S, **options: Any) -> None:
        super().__init__(**options)
        self._url = url
        self._timeout_s = timeout_s

    @property
    def connection(self) -> Any:
        """See `RabbitmqBroker.connection`."""
        if getattr(self.state, "connection", None) is None:
            self.parameters = rabbit_parameters(self._url(), self._timeout_s)
        try:
            return RabbitmqBroker.connection.fget(self)  # type: ignore[attr-defined]
        except AMQPConnectorException as error:  # of which Dramatiq knows nothing
            raise AMQPConnectionError(type(error).__name__) from error

    @connection.deleter
    def connection(self) -> None:
        RabbitmqBroker.connection.fdel(self)  # type: ignore[attr-defined]


class RabbitBell(LateRabbit):
    """Rings over one connection for the whole process, and gives up at the first refusal.

    Dramatiq's own connects up to six times for a message, and once for each thread.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        super().__init__(url, _BELL_S, middleware=[])
        self.state = SimpleNamespace()  # type: ignore[assignment]
        self._ringing = Lock()

    @property
    def connection(self) -> Any:
        """The connection; `TimeoutError` where none can be made, so that nobody tries again."""
        try:
            return LateRabbit.connection.fget(self)  # type: ignore[attr-defined]
        except AMQPError as error:
            raise TimeoutError("RabbitMQ does not answer") from error

    @connection.deleter
    def connection(self) -> None:
        RabbitmqBroker.connection.fdel(self)  # type: ignore[attr-defined]

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Hand a message in; `TimeoutError` where another thread waits for the broker."""
        if not self._ringing.acquire(timeout=_BELL_S):
            raise TimeoutError("somebody else waits for RabbitMQ")
        try:
            return super().enqueue(message, delay=delay)
        finally:
            self._ringing.release()

"""The broker, which connects when it is first used, and the application behind the actors."""

import functools
import sys
from threading import Lock
from typing import Any

import dramatiq
import redis
from dramatiq.broker import Broker, Consumer
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage, Middleware
from flask import Flask, has_app_context
from periodiq import PeriodiqMiddleware

from anchor import brokers, config, create_app, development, logs
from anchor.config import Settings
from anchor.errors import AnchorError

#: redis-py's own five seconds strand messages in a live worker when the server pauses.
_WORKER_OPTIONS = {"socket_timeout": 60, "health_check_interval": 30}

#: Dramatiq's second of rest would be most of the time between a payment and its payout.
_LOOK_MS = 150

_lock = Lock()
_app: Flask | None = None


@functools.cache
def settings() -> Settings:
    """Return the settings of this process, read at first use: all that a scheduler needs.

    Until there is an application they hold no secret that moves money. Ends the process
    with its sentences where the configuration is broken.
    """
    if _app is not None:
        found: Settings = _app.extensions["anchor"].settings
        return found
    try:
        return development.read_settings(signs=False)
    except AnchorError as error:
        sys.exit(str(error))


def app() -> Flask:
    """Return the application of this process, made at first use; it may end as in `settings`."""
    global _app  # noqa: PLW0603
    with _lock:
        if _app is None:
            _app = create_app(doors=False)
        return _app


def use(application: Flask) -> None:
    """Let the actors of this process use an application that was made elsewhere."""
    global _app  # noqa: PLW0603
    _app = application


def broker_url() -> str:
    """Return where the broker is; it ends the process where none is set, as `settings` may."""
    url = settings().broker_url
    if url is None:
        raise SystemExit("ANCHOR_BROKER_URL is not set, and workers need a broker.")
    return str(url)


class PromptBroker(brokers.ForgivingTicks, RedisBroker):
    """A Redis broker whose idle workers look for messages more often than Dramatiq's do."""

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer that rests for `_LOOK_MS` at most; see `RedisBroker.consume`."""
        return super().consume(queue_name, prefetch, min(timeout, _LOOK_MS))


class _BootApplication(Middleware):
    """Make the application as a worker boots, so that a broken configuration ends it."""

    def after_process_boot(self, broker: Broker) -> None:
        """Make the application now, on the main thread."""
        app()
        broker_url()


def _rabbit() -> Broker:
    try:
        from anchor.actors.rabbit import LateRabbit
    except ImportError:
        settings()  # which says what to install, and ends the process
        raise
    return LateRabbit(broker_url)


def _make() -> Broker:
    made: Broker
    kind = config.broker_kind()
    if kind == "amqp":
        made = _rabbit()
    else:
        made = PromptBroker(  # type: ignore[no-untyped-call]
            client=redis.Redis(connection_pool=brokers.pool(kind, broker_url, **_WORKER_OPTIONS)),
            namespace="anchor",
            heartbeat_timeout=30_000,
            maintenance_chance=50_000,
        )
    made.add_middleware(CurrentMessage())
    made.add_middleware(PeriodiqMiddleware(skip_delay=30))
    made.add_middleware(_BootApplication())
    return made


if logs.words_of(config.environment())[0] == logs.JSON:  # whoever starts us logs already
    logs.set_up(*logs.words_of(config.environment()))
broker = _make()
dramatiq.set_broker(broker)


class AppActor(dramatiq.Actor[..., Any]):
    """An actor that runs inside the application.

    In the actor's own call, for what a middleware raises is swallowed and the actor runs.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the actor with the application's context around it."""
        if has_app_context():
            return super().__call__(*args, **kwargs)
        with app().app_context():
            return super().__call__(*args, **kwargs)


#: Declares an actor. Dramatiq retries nothing: the job's row does.
actor = functools.partial(
    dramatiq.actor,
    actor_class=AppActor,
    broker=broker,
    queue_name="anchor",
    max_retries=0,
)

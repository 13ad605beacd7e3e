"""`flask anchor up`: all kinds of process under one terminal; and the demo on top of it."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import NoReturn
from urllib.parse import urlsplit

import click
from rich.console import Console

from anchor import config, development, keeping, processes
from anchor.config import Settings
from anchor.errors import Misconfigured
from anchor.sandbox.demo import Demo
from anchor.sandbox.journeys import Scene
from anchor.sandbox.neighbour import Neighbour
from anchor.supervisor import Supervisor

#: How long a demo waits for its servers' end; others may use them for longer.
_LEAVE_S = 15


def _prepared() -> tuple[Settings, socket.socket]:
    """Read the settings, and listen where the web is to answer; `Misconfigured`."""
    environ = config.environment()
    if config.is_development(environ):
        listening = development.web_socket(environ)
        return development.settings(environ), listening
    settings = config.load(environ)
    port = urlsplit(settings.public_url).port or development.WEB_PORT
    found = development.listen(port)
    if found is None:
        raise Misconfigured(f"Port {port} is in use by somebody else.")
    return settings, found


def _environment(settings: Settings) -> dict[str, str]:
    """Return what the processes find in their environment."""
    made = {"TZ": "UTC", "PYTHONUNBUFFERED": "1", "ANCHOR_PUBLIC_URL": settings.public_url}
    if settings.development:
        made[config.PREPARED] = "yes"
    return config.environment() | made


def up() -> NoReturn:
    """Run everything until SIGINT or SIGTERM; `Misconfigured` before anything is started."""
    settings, listening = _prepared()
    click.echo(f"{settings.public_url} on {settings.horizon_url}; Ctrl-C ends it")
    if settings.development:
        click.echo(f"{development.wallet_url(config.environment())} is a wallet for your browser.")
        click.echo(development.console_entry(config.environment(), settings))
    keeping.pass_on()
    processes.become(
        listening.fileno(), has_broker=bool(settings.broker_url), env=_environment(settings)
    )


def demo(*, once: bool, log: Path) -> bool:
    """Run everything, and all ways that money goes on it; stay up unless `once`.

    Returns whether all were completed. What the processes say goes to `log`.
    """
    began = monotonic()
    console, environ = Console(highlight=False), config.environment()
    if not config.is_development(environ):
        raise Misconfigured(
            "The demo runs in development mode only: in a folder without anchor.toml, "
            "and with neither ANCHOR_CONFIG nor ANCHOR_DATABASE_URL set."
        )
    settings, listening = _prepared()
    issuer = development.issuer_secret(environ)
    neighbour = Neighbour(development.folder(environ), issuer, log)
    scene = Scene(settings, issuer, neighbour)
    log.parent.mkdir(parents=True, exist_ok=True)
    result: list[bool] = []
    with log.open("w", encoding="utf-8") as output:
        has_broker, env = bool(settings.broker_url), _environment(settings)
        kinds = processes.children(listening.fileno(), has_broker=has_broker, env=env)
        supervisor = Supervisor(kinds, output=output)

        def show() -> None:
            run = Demo(scene, console, began)
            try:
                result.append(run.run())
            finally:
                if run.summary:
                    console.print(run.summary)
                if once:
                    supervisor.stop.set()
                else:
                    _tell(console, settings)
                console.print(f"The processes write to {os.path.relpath(log)}.", soft_wrap=True)

        _later(show, supervisor.stop)
        try:
            supervisor.run()
        finally:
            neighbour.close()
            console.show_cursor()
    listening.close()
    development.leave(environ, _LEAVE_S)
    return result == [True]


def _later(act: Callable[[], None], stop: Event) -> None:
    def guarded() -> None:
        try:
            act()
        except BaseException:
            stop.set()
            raise

    Thread(target=guarded, name="demo", daemon=True).start()


def _tell(console: Console, settings: Settings) -> None:
    console.print(
        f"Be a customer yourself: {development.wallet_url(config.environment())}\n"
        f"{development.console_entry(config.environment(), settings)}\n"
        f"Or look at {settings.public_url}/.well-known/stellar.toml, {settings.public_url}/ready "
        f"and the network at {settings.horizon_url}. Ctrl-C ends it all.",
        soft_wrap=True,
    )

"""`flask anchor up`: all kinds of process under one terminal; and the demo on top of it."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TextIO
from urllib.parse import urlsplit

from rich.console import Console

from anchor import config, development
from anchor.composition import read_settings
from anchor.config import Settings
from anchor.errors import Misconfigured
from anchor.sandbox.demo import Demo
from anchor.supervisor import Child, Supervisor

#: How long a demo waits for its servers' end; others may use them for longer.
_LEAVE_S = 15


def children(settings: Settings, web_fd: int) -> list[Child]:
    """Return the four kinds of process; without a broker, the services in loops.

    The web answers on the listening socket `web_fd`, so that its port is ours all the time.
    """
    scripts = Path(sys.executable).parent
    flask = [str(scripts / "flask"), "--app", "anchor:create_app()", "anchor"]
    env = config.environment() | {
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "ANCHOR_PUBLIC_URL": settings.public_url,
    }
    web = [
        *(str(scripts / "gunicorn"), "anchor:create_app()", "--bind", f"fd://{web_fd}"),
        *("--workers", "1", "--threads", "8", "--log-level", "warning", "--no-control-socket"),
    ]
    argvs: dict[str, list[str]] = {"web": web}
    if settings.broker_url:
        argvs |= {
            "workers": [
                *(str(scripts / "dramatiq"), "anchor.actors", "--processes", "1"),
                *("--threads", "8", "--worker-shutdown-timeout", "5000"),
            ],
            "scheduler": [str(scripts / "periodiq"), "anchor.actors"],
            "stream": [*flask, "watch-transactions", "-x", "--use-dramatiq"],
        }
    else:
        argvs |= {
            "stream": [*flask, "watch-transactions"],
            "payouts": [*flask, "execute-outgoing-transactions", "--loop", "--interval", "1"],
            "polls": [*flask, "poll-outgoing-transactions", "--loop", "--interval", "5"],
            "work": [*flask, "work", "--loop", "--interval", "5"],
        }
    fds = {"web": (web_fd,)}
    return [Child(name, argv, env, fds=fds.get(name, ())) for name, argv in argvs.items()]


def _prepared() -> tuple[Settings, socket.socket]:
    """Read the settings, and listen where the web is to answer; `Misconfigured`."""
    environ = config.environment()
    if config.is_development(environ):
        listening = development.web_socket(environ)
        return read_settings(), listening
    settings = read_settings()
    port = urlsplit(settings.public_url).port or development.WEB_PORT
    found = development.listen(port)
    if found is None:
        raise Misconfigured(f"Port {port} is in use by somebody else.")
    return settings, found


def up(output: TextIO = sys.stdout) -> None:
    """Run everything until SIGINT or SIGTERM; `Misconfigured` before anything is started."""
    settings, listening = _prepared()
    supervisor = Supervisor(children(settings, listening.fileno()), output=output)
    supervisor.say("anchor", f"{settings.public_url} on {settings.horizon_url}; Ctrl-C ends it")
    supervisor.run()


def demo(*, once: bool, log: Path) -> bool:
    """Run everything, and a withdrawal and deposits on it; stay up unless `once`.

    Returns whether all were completed. What the processes say goes to `log`.
    """
    began = monotonic()
    console, environ = Console(), config.environment()
    if not config.is_development(environ):
        raise Misconfigured(
            "The demo runs in development mode only: in a folder without anchor.toml, "
            "and with neither ANCHOR_CONFIG nor ANCHOR_DATABASE_URL set."
        )
    settings, listening = _prepared()
    issuer = development.issuer_secret(environ)
    log.parent.mkdir(parents=True, exist_ok=True)
    result: list[bool] = []
    with log.open("w", encoding="utf-8") as output:
        supervisor = Supervisor(children(settings, listening.fileno()), output=output)

        def show() -> None:
            run = Demo(settings, issuer, console, began)
            try:
                result.append(run.run())
            finally:
                _tell(console, run, settings, log)
                if once:
                    supervisor.stop.set()

        _later(show, supervisor.stop)
        supervisor.run()
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


def _tell(console: Console, run: Demo, settings: Settings, log: Path) -> None:
    console.print()
    if run.summary:
        console.print(run.summary)
    console.print(
        f"Look at {settings.public_url}/.well-known/stellar.toml, {settings.public_url}/ready "
        f"and the network at {settings.horizon_url}; the processes write to {os.path.relpath(log)}."
    )

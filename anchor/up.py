"""`flask anchor up`: all kinds of process under one terminal; and the demo on top of it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import TextIO
from urllib.parse import urlsplit

from rich.console import Console

from anchor import config, development
from anchor.composition import read_settings
from anchor.config import Settings
from anchor.errors import AnchorError
from anchor.sandbox.demo import Demo
from anchor.supervisor import Child, Supervisor


def children(settings: Settings) -> list[Child]:
    """Return the four kinds of process; without a broker, the services in loops."""
    scripts = Path(sys.executable).parent
    flask = [str(scripts / "flask"), "--app", "anchor:create_app()", "anchor"]
    port = urlsplit(settings.public_url).port or development.WEB_PORT
    env = config.environment() | {
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "ANCHOR_PUBLIC_URL": settings.public_url,
    }
    web = [
        *(str(scripts / "gunicorn"), "anchor:create_app()", "--bind", f"127.0.0.1:{port}"),
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
    return [Child(name, argv, env) for name, argv in argvs.items()]


def up(output: TextIO = sys.stdout) -> None:
    """Run everything until SIGINT or SIGTERM; `Misconfigured` before anything is started."""
    settings = read_settings()
    supervisor = Supervisor(children(settings), output=output)
    supervisor.say("anchor", f"{settings.public_url} on {settings.horizon_url}; Ctrl-C ends it")
    supervisor.run()


def demo(*, once: bool, log: Path) -> bool:
    """Run everything, and one withdrawal on it; stay up unless `once`.

    Returns whether the withdrawal was completed. What the processes say goes to `log`.
    """
    console = Console()
    settings = read_settings()
    if not settings.development:
        raise AnchorError("The demo runs in development mode only; go to a folder without one.")
    issuer = development.issuer_secret(config.environment())
    log.parent.mkdir(parents=True, exist_ok=True)
    result: list[bool] = []
    with log.open("w", encoding="utf-8") as output:
        supervisor = Supervisor(children(settings), output=output)

        def withdraw() -> None:
            run = Demo(settings, issuer, console)
            try:
                result.append(run.run())
            finally:
                _tell(console, run, settings, log)
                if once:
                    supervisor.stop.set()

        _later(withdraw, supervisor.stop)
        supervisor.run()
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
    if run.summary:
        console.print(run.summary)
    console.print(
        f"Look at {settings.public_url}/.well-known/stellar.toml, {settings.public_url}/ready "
        f"and the network at {settings.horizon_url}; the processes write to {os.path.relpath(log)}."
    )

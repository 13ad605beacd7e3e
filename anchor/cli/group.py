"""The group of commands: found from any folder, ended by signals, failing with a sentence."""

import signal
import sys
import threading
from typing import Any

import click
from flask.cli import AppGroup, ScriptInfo

from anchor.errors import AnchorError

EXIT_FAILED = 1


class _Group(AppGroup):
    """Finds the application from any folder; commands fail with a sentence and status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command of the group."""
        info = ctx.ensure_object(ScriptInfo)
        if not info.app_import_path and info.create_app is None:
            info.app_import_path = "anchor:create_app"
        try:
            return super().invoke(ctx)
        except AnchorError as error:
            click.echo(str(error), err=True)
            sys.exit(EXIT_FAILED)


group = _Group("anchor", help="Run and look after an anchor.")


def until_signalled(stop: threading.Event) -> None:
    """Set `stop` when the process is asked to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

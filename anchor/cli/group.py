"""The group of commands: found from any folder, ended by signals, failing with a sentence."""

import os
import pwd
import signal
import sys
import threading
from collections.abc import Callable
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


def visible(line: str) -> str:
    """Return a line whose letters all show themselves, for a terminal.

    What customers and payers wrote would else break lines, move the cursor or turn text round.
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)


def _somebody() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def signed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add who acts and why."""
    note = click.option("--note", help="Why; kept with the act.")
    by = click.option("--by", default=_somebody, help="Who acts; by default the user of the host.")
    return by(note(command))

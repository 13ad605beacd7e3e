"""Before an anchor runs: its file, its schema, its rails, and whether all is there."""

import json
import sys
from pathlib import Path

import click
from flask.cli import with_appcontext

from anchor.cli.group import EXIT_FAILED, group
from anchor.errors import AnchorError
from anchor.extensions import settings


@group.command("migrate")
@with_appcontext
def migrate() -> None:
    """Bring the database to the newest revision."""
    from anchor import schema

    schema.upgrade(settings().database_url)
    click.echo("The database is at head.")


@group.command("init", with_appcontext=False)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="anchor.toml")
def init(file: Path) -> None:
    """Write a commented starter configuration; never over one that is there."""
    from anchor.starter import STARTER

    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(STARTER)
    except FileExistsError:
        raise click.ClickException(f"{file} is there already; nothing was written.") from None
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}.") from None
    click.echo(f"{file} is written; fill it in and run `flask anchor doctor`.")


@group.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@with_appcontext
def doctor(*, as_json: bool) -> None:
    """Check everything that a deployment needs; status 1 where something is missing."""
    from anchor import schema
    from anchor.services import checkup

    try:
        revision = schema.standing(settings().database_url)
    except AnchorError as error:
        raise click.ClickException(str(error)) from None
    findings = list(checkup.look(revision, _ask_broker))
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            state = "ok     " if finding.is_good else "FAILED "
            click.echo(f"{state} {finding.name:{width}}  {finding.sentence}")
    sys.exit(0 if all(finding.is_good for finding in findings) else EXIT_FAILED)


def _ask_broker() -> str:
    from anchor import brokers

    url = settings().broker_url
    return "none: the services run in loops" if url is None else brokers.ask(url)


@group.command("rails")
def rails() -> None:
    """List the rails that are installed."""
    from anchor.integrations import registry

    for name, distribution, value in registry.available():
        click.echo(f"{name:16} {distribution:24} {value}")

"""Operators of the admin API and the console: who there is, and tokens for new ones."""

import click
from flask.cli import with_appcontext

from anchor.cli.group import group
from anchor.config.operators import is_name
from anchor.extensions import settings
from anchor.policies.operators import Role, hash_of, new_token


@group.group("operators")
def operators() -> None:
    """Who may use the admin API and the console: list, new."""


@operators.command("list")
@with_appcontext
def listing() -> None:
    """List the operators of the configuration."""
    for each in settings().operators.values():
        click.echo(f"{each.role:4}  {each.name}")
    if not settings().operators:
        click.echo("There are none: the admin API and the console are not there.")


@operators.command("new", with_appcontext=False)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([each.value for each in Role]),
    default=Role.VIEW.value,
    show_default=True,
    help="Whether they may only look, or act as well.",
)
def new(name: str, role: str) -> None:
    """Make a token for NAME, and print it once, with the line for ANCHOR_OPERATORS_FILE."""
    if not is_name(name):
        raise click.UsageError("NAME has 1 to 64 letters, digits, dots, dashes, @ or _.")
    token = new_token()
    click.echo("The token, which is kept nowhere: hand it to them alone.", err=True)
    click.echo(token)
    click.echo("The line for the file that ANCHOR_OPERATORS_FILE names:", err=True)
    click.echo(f"{name} {role} {hash_of(token)}")

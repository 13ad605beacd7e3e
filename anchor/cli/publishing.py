"""What the anchor publishes of itself: its stellar.toml, printed and checked."""

import sys

import click
from flask.cli import with_appcontext

from anchor.cli.group import EXIT_FAILED, group
from anchor.extensions import settings


@group.command("toml")
@click.option(
    "--check",
    "url",
    is_flag=False,
    flag_value="",
    metavar="[URL]",
    help="Compare it with what is served at the home domains, or at URL, and with the ledger.",
)
@with_appcontext
def toml(*, url: str | None) -> None:
    """Print the stellar.toml; with --check say what differs, status 1 where anything does."""
    from anchor.serializers.stellar_toml import stellar_toml
    from anchor.services import logins, toml_checks

    text = stellar_toml(settings(), logins.policy().signing_key)
    if url is None:
        click.echo(text, nl=False)
        return
    places = [url] if url else toml_checks.addresses()
    found = [sentence for place in places for sentence in toml_checks.served(place, text)]
    found += toml_checks.on_ledger()
    for sentence in found:
        click.echo(sentence)
    if not found:
        click.echo(f"{', '.join(places)} and the ledger agree with the configuration.")
    sys.exit(EXIT_FAILED if found else 0)

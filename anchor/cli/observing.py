"""What other programs look at: metrics, for a collector that reads files."""

import click
from flask.cli import with_appcontext

from anchor.cli.group import group
from anchor.services import measures


@group.command("metrics")
@with_appcontext
def metrics() -> None:
    """Print what `GET /metrics` says, for a collector that reads text files."""
    from anchor.serializers import metrics as words  # and so Prometheus' client

    click.echo(words.written(measures.look()), nl=False)

"""What wallets are told at addresses of theirs: looked at, and told again."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from anchor.cli.group import group, signed, visible
from anchor.services import callback_replays
from anchor.services.callback_replays import Owed


@group.group("callbacks")
def callbacks() -> None:
    """What wallets are told at addresses of theirs: list, replay."""


@callbacks.command("list")
@click.option("--delivered", is_flag=True, help="What was delivered instead, the newest first.")
@click.option("--transaction", help="Only those about this transaction.")
@click.option("--after", type=int, help="Only those after this one: the next page.")
@click.option(
    "--limit",
    type=click.IntRange(1, callback_replays.MAX_PAGE),
    default=50,
    show_default=True,
    help="How many at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@with_appcontext
def show(
    *, delivered: bool, transaction: str | None, after: int | None, limit: int, as_json: bool
) -> None:
    """List what waits to be delivered, the oldest first, and why it does."""
    page = callback_replays.listing(
        delivered=delivered, transaction_id=transaction, after=after, limit=limit
    )
    if as_json:
        click.echo(json.dumps([asdict(each) for each in page], default=datetime.isoformat))
        return
    for each in page:
        click.echo(visible(_line(each)))
    if len(page) == limit:
        click.echo(f"There may be more: --after {page[-1].id}", err=True)
    if not page:
        click.echo("Nothing was delivered." if delivered else "Nothing waits to be delivered.")


def _line(each: Owed) -> str:
    state = "delivered" if each.delivered_at else "parked" if each.is_parked else "waits"
    why = f"  {each.attempts} tries: {each.trouble}" if each.trouble else ""
    when = each.delivered_at or each.owed_at
    return f"{each.id:8}  {when:%Y-%m-%d %H:%M}  {state:9}  {each.subject}  {each.host}{why}"


@callbacks.command("replay")
@click.argument("ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--transaction", help="All that were told of this transaction.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="All that were owed since then, in UTC.",
)
@signed
@with_appcontext
def replay(
    ids: tuple[int, ...],
    *,
    transaction: str | None,
    since: datetime | None,
    by: str,
    note: str | None,
) -> None:
    """Try again what was not delivered, and tell anew how it stands now what was."""
    if sum(map(bool, (ids, transaction, since))) != 1:
        raise click.UsageError("Name one or more IDs, or --transaction, or --since.")
    instant = None if since is None else since.replace(tzinfo=UTC)
    found = callback_replays.again(by, note, ids=ids, transaction_id=transaction, since=instant)
    click.echo(f"{found.due} are tried again, {found.anew} are told anew.")
    if found.gone:
        click.echo(f"{found.gone} about customers were delivered, and are not kept.")

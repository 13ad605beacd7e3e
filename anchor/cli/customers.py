"""Customers on the command line: who waits, what they gave, and the verdicts of people."""

import json
from dataclasses import asdict
from typing import Any

import click
from flask.cli import with_appcontext
from marshmallow import ValidationError

from anchor.cli.group import group, signed, visible
from anchor.customers.standing import Stand
from anchor.serializers import admin_customers as words
from anchor.services import customer_desk, customer_erasure
from anchor.services.acts import By
from anchor.services.customer_desk import Dossier

customers = click.Group("customers", help="See to customers: list, show, decide, purge.")
group.add_command(customers)

_type = click.option("--type", "type_", help="For which type; needed where there are several.")


@customers.command("list")
@click.option("--status", type=click.Choice([*Stand]), help="Only those that stand so.")
@click.option("--type", "type_", help="Only for this type.")
@click.option("--after", help="Only those after this place: the next page.")
@click.option(
    "--limit",
    type=click.IntRange(1, customer_desk.MAX_PAGE),
    default=customer_desk.MAX_PAGE,
    show_default=True,
    help="How many at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@with_appcontext
def list_customers(
    *, status: str | None, type_: str | None, after: str | None, limit: int, as_json: bool
) -> None:
    """List customers with how they stand, the longest unchanged first."""
    try:
        place = words.place(after) if after else None
    except ValidationError as error:
        raise click.BadParameter("It is no place of this list.", param_hint="--after") from error
    found = customer_desk.listing(status, type_, after=place, limit=limit)
    if further := words.next_of(found, limit):
        click.echo(f"There may be more: --after '{further}'", err=True)
    if as_json:
        click.echo(json.dumps([vars(line) for line in found], default=str))
        return
    for line in found:
        who = f"{line.account}{':' if line.memo else ''}{line.memo}"
        click.echo(f"{line.customer_id}  {line.stand:10}  {line.type:16}  {who}")
    if not found:
        click.echo("There are none.")


@customers.command("show")
@click.argument("customer")
@click.option("--values", is_flag=True, help="Show what was given; that is recorded as an act.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@signed
@with_appcontext
def show(customer: str, *, values: bool, as_json: bool, by: str, note: str | None) -> None:
    """Show one CUSTOMER: fields, standing and history. Values are masked."""
    found = customer_desk.show(customer, By(by, note), values=values)
    click.echo(json.dumps(asdict(found), default=str) if as_json else _whole(found))


def _whole(found: Dossier) -> str:
    lines = [
        f"customer  {found.customer_id}",
        f"account   {found.account or 'erased'}",
        f"memo      {found.memo_type} {found.memo}".rstrip(),
        f"since     {found.created_at.isoformat()}",
        f"version   {found.version}",
    ]
    for name, (state, shown, error) in found.fields.items():
        lines.append(f"field     {name} ({state}{f': {error}' if error else ''})  {shown}")
    for type_, (stand, message) in found.standings.items():
        lines.append(f"stands    {type_}: {stand}{f' ({message})' if message else ''}")
    for at, event, who, about, note in found.history:
        more = "".join(f" {part}" for part in (about, note and f"({note})") if part)
        lines.append(f"done      {at.isoformat()} {event} by {who}:{more}")
    return "\n".join(map(visible, lines))


@customers.command("accept")
@click.argument("customer")
@click.option("--version", type=int, required=True, help="What you looked at, as `show` says.")
@_type
@signed
@with_appcontext
def accept(customer: str, *, version: int, type_: str | None, by: str, note: str | None) -> None:
    """Accept a CUSTOMER with all that was given, unless that is not what you looked at."""
    told = customer_desk.accept(customer, type_, By(by, note), version=version)
    _say(customer, told)


@customers.command("reject")
@click.argument("customer")
@click.option("--message", required=True, help="What the customer is told.")
@_type
@click.confirmation_option(prompt="For good? No other verdict can follow.")
@signed
@with_appcontext
def reject(customer: str, *, message: str, type_: str | None, by: str, note: str | None) -> None:
    """Refuse a CUSTOMER for good."""
    _say(customer, customer_desk.reject(customer, type_, message, By(by, note)))


@customers.command("request")
@click.argument("customer")
@click.argument("fields", nargs=-1, required=True)
@click.option("--message", help="What the customer is told about them.")
@_type
@signed
@with_appcontext
def request(customer: str, fields: tuple[str, ...], **options: Any) -> None:
    """Ask a CUSTOMER for FIELDS, or for others instead of those that were given."""
    by = By(options["by"], options["note"])
    told = customer_desk.request(customer, options["type_"], fields, options["message"], by)
    _say(customer, told)


def _say(customer: str, stand: str) -> None:
    click.echo(f"{customer} stands {stand} now.")


@customers.command("purge")
@click.argument("ids", nargs=-1)
@click.confirmation_option(prompt="Erase all that was given? It cannot be brought back.")
@signed
@with_appcontext
def purge(ids: tuple[str, ...], by: str, note: str | None) -> None:
    """Erase the personal data of these customers (IDS), or of all whose time is over."""
    who = f"{by} ({note})" if note else by
    count = customer_erasure.purge(ids, who) if ids else customer_erasure.purge_over()
    click.echo(f"{count} customer(s) erased.")


@customers.command("rotate-keys")
@with_appcontext
def rotate_keys() -> None:
    """Encrypt everything anew with the first key of ANCHOR_CUSTOMER_KEYS."""
    click.echo(f"{customer_erasure.rotate_keys()} value(s) are encrypted anew.")

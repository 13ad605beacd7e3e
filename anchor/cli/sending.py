"""Sending to customers of other anchors (SEP-31): what goes out, and how it goes."""

import json
import sys
from datetime import datetime
from typing import Any

import click
from flask.cli import with_appcontext

from anchor.cli.group import EXIT_FAILED, group, signed, visible
from anchor.errors import Rejected
from anchor.lifecycle import Kind, Status, statuses_of
from anchor.money import format_amount, parse_amount
from anchor.policies import HOUSE
from anchor.services import remittance_orders, remittance_views, remittance_waits, remittances
from anchor.services.remittance_orders import Wanted
from anchor.services.remittance_views import Shown

_MAX_DETAILS = 100_000


@group.command("send")
@click.option("--to", "domain", required=True, help="The domain of the receiver's anchor.")
@click.option("--asset", required=True, help="What is sent: the code of an asset of ours.")
@click.option("--amount", required=True, help="How much of it.")
@click.option(
    "--details",
    type=click.File("r"),
    required=True,
    help="A JSON file of what is known of sender, receiver and transaction; - is the input.",
)
@click.option("--house", is_flag=True, help="Send the house's own money, at once.")
@click.option("--rail", help="By which rail its money comes; the asset's first by default.")
@click.option("--funding-method", help="How the receiver is paid; needed where there are several.")
@click.option("--sender-type", help="As which type the sender is known there.")
@click.option("--receiver-type", help="As which type the receiver is known there.")
@click.option("--buy", help="What the receiver gets, on a quote, such as iso4217:BRL.")
@click.option("--min-out", help="The least of it that the receiver may get.")
@click.option("--key", help="Yours: the same again sends nothing anew.")
@click.option(
    "--wait", type=click.IntRange(1, 86_400), help="Wait for the end, so many seconds at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@signed
@with_appcontext
def send(**options: Any) -> None:
    """Send money to a customer of another anchor.

    It goes out when its money is in: pay it by rail under the reference that is told, or send the
    house's own with --house. DETAILS are personal: they are read from a file, never from an
    argument, and kept encrypted until the end.
    """
    policy = remittance_orders.policy_of(options["asset"])
    if options["house"] and options["rail"]:
        raise click.UsageError("One of --house and --rail.")
    least = options["min_out"]
    wanted = Wanted(
        domain=options["domain"],
        amount=parse_amount(options["amount"]),
        rail=HOUSE if options["house"] else options["rail"] or policy.rails[0],
        details=_details(options["details"]),
        funding_method=options["funding_method"],
        sender_type=options["sender_type"],
        receiver_type=options["receiver_type"],
        buys=options["buy"],
        least_out=None if least is None else parse_amount(least),
        key=options["key"],
    )
    transaction_id = remittances.send(policy, wanted, options["by"], options["note"])
    as_json, seconds = options["as_json"], options["wait"]
    if seconds is None:
        _print(remittance_views.show(transaction_id), as_json=as_json)
        return
    found = remittance_waits.wait(transaction_id, seconds, None if as_json else _tell)
    _print(found, as_json=as_json)
    if found.status != Status.COMPLETED:
        sys.exit(EXIT_FAILED)


def _details(file: Any) -> Any:
    text = file.read(_MAX_DETAILS + 1)
    if len(text) > _MAX_DETAILS:
        raise Rejected("the details are too long")
    try:
        return remittance_orders.read_details(json.loads(text))
    except (ValueError, RecursionError):
        raise Rejected("the details are no JSON") from None


def _tell(found: Shown) -> None:
    there = f", there {found.remote_status}" if found.remote_status else ""
    click.echo(f"{found.status}{there}", err=True)


@group.command("sends")
@click.argument("send", required=False)
@click.option(
    "--status",
    type=click.Choice(sorted(each.value for each in statuses_of(Kind.REMITTANCE))),
    help="Only those that stand so.",
)
@click.option("--to", "domain", help="Only those to this domain.")
@click.option("--resting", is_flag=True, help="Only those that wait for a person.")
@click.option("--after", help="Only those after this one: the next page.")
@click.option(
    "--limit",
    type=click.IntRange(1, remittance_views.MAX_PAGE),
    default=50,
    show_default=True,
    help="How many at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@with_appcontext
def sends(send: str | None, *, resting: bool, as_json: bool, **asked: Any) -> None:
    """List what is sent by other anchors, the newest first, or show one SEND."""
    if send is not None:
        _print(remittance_views.show(send), as_json=as_json)
        return
    found = remittance_views.listing(is_resting=resting or None, **asked)
    if as_json:
        click.echo(json.dumps([_plain(each) for each in found], default=datetime.isoformat))
        return
    for each in found:
        amount = f"{format_amount(each.amount)} {each.asset}"
        click.echo(visible(f"{each.id}  {amount:>20}  {each.status:28}  {each.domain}"))
    if len(found) == asked["limit"]:
        click.echo(f"There may be more: --after {found[-1].id}", err=True)
    if not found:
        click.echo("Nothing was sent.")


@group.command("amend-send")
@click.argument("send")
@click.option(
    "--details",
    type=click.File("r"),
    required=True,
    help="The whole JSON file anew; - is the input.",
)
@signed
@with_appcontext
def amend_send(send: str, details: Any, by: str, note: str | None) -> None:
    """Replace what is known of the parties of a SEND that waits; it is then agreed anew."""
    remittances.amend(send, _details(details), by, note)
    click.echo(f"{send} is changed.")


def _print(found: Shown, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_plain(found), default=datetime.isoformat))
        return
    lines = [
        f"send         {found.id}",
        f"to           {found.domain}",
        f"amount       {format_amount(found.amount)} {found.asset}",
        f"status       {found.status}{' (waits for a person)' if found.is_resting else ''}",
        f"there        {found.remote_id or 'not agreed'} {found.remote_status or ''}".rstrip(),
        f"paid by      {found.stellar_transaction_id or 'nothing yet'}",
    ]
    if found.status == Status.PENDING_USER_TRANSFER_START:
        lines.append(f"pay in       by {found.rail}, under the reference {found.reference}")
    if found.trouble:
        lines.append(f"waits for    {found.trouble}")
    click.echo("\n".join(map(visible, lines)))


def _plain(found: Shown) -> dict[str, Any]:
    amounts = ("amount", "least_out", "amount_paid", "amount_refunded")
    written = {name: getattr(found, name) for name in amounts}
    return vars(found) | {
        name: None if amount is None else format_amount(amount) for name, amount in written.items()
    }

"""What an operator does: channels, submissions, jobs and accounts that need a hand."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from anchor.cli.group import EXIT_FAILED, group, signed
from anchor.errors import NotFound, Rejected
from anchor.extensions import gateway, settings
from anchor.money import format_amount
from anchor.services import jobs, networks, restore, retries
from anchor.services.acts import By

if TYPE_CHECKING:
    from anchor.services.own_lines import Line


@group.command("channels")
@click.option("--count", type=click.IntRange(1, 1000), help="Make the pool so large.")
@click.option("--lumens", default="5", show_default=True, help="What each channel is to hold.")
@click.option("--source", help="The distribution account that pays; the first by default.")
@with_appcontext
def channels(count: int | None, lumens: str, source: str | None) -> None:
    """Show the channel accounts; with --count make them, and top up those that hold too little."""
    from anchor.money import parse_amount
    from anchor.services import channel_pool

    if count is not None:
        payer, each = source or settings().distribution_accounts[0], parse_amount(lumens)
        made = channel_pool.grow(gateway(), payer, count, each)
        filled = channel_pool.top_up(gateway(), payer, each)
        click.echo(f"{made} channel(s) made, {filled} topped up.")
    for found in channel_pool.look(gateway()):
        held = "is not on the ledger" if found.lumens is None else format_amount(found.lumens)
        click.echo(f"{found.number:4}  {found.account_id}  {held}")


@group.command("trust")
@click.option("--asset", "code", help="Only this asset's; those of all assets by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@with_appcontext
def trust(code: str | None, *, as_json: bool) -> None:
    """Open the trust lines of distribution accounts, with the keys that are here.

    Tells of those that are open already, and what to do where one cannot be opened: status 1.
    """
    from anchor.services import own_lines  # it brings stellar_sdk, which few commands need

    policies = settings().assets
    if code is not None and code not in policies:
        raise click.BadParameter(f"{code} is no asset of the configuration.", param_hint="--asset")
    found = []
    for policy in policies.values() if code is None else [policies[code]]:
        line = own_lines.look_after(policy)
        found.append(line)
        if not as_json:
            click.echo(f"{line.asset}  {line.account}  {line.state}: {line.sentence}")
    if as_json:
        click.echo(json.dumps([_as_told(line) for line in found]))
    sys.exit(EXIT_FAILED if any(line.state == "missing" for line in found) else 0)


def _as_told(line: "Line") -> dict[str, Any]:
    balance = None if line.balance is None else format_amount(line.balance)
    return asdict(line) | {"balance": balance}


@group.command("give-up-submission")
@click.argument("submission", type=int)
@click.confirmation_option(prompt="Is none of its envelopes in a ledger, and can none enter one?")
@with_appcontext
def give_up_submission(submission: int) -> None:
    """Pay again what a submission carried: only when it is certain that it has not paid."""
    from anchor.services import settling

    if not settling.given_up(submission):
        raise NotFound(f"Submission {submission} has ended; nothing was changed.")
    click.echo("What it carried is queued again.")


@group.command("refuse-trustline")
@click.argument("code")
@click.argument("account")
@signed
@with_appcontext
def refuse_trustline(code: str, account: str, by: str, note: str | None) -> None:
    """Authorize the trust line of an ACCOUNT no more, of the asset CODE; its issuer still can."""
    from anchor.services import known_lines

    known_lines.refuse(code, account, by, note)
    click.echo(f"The line of {account} for {code} is not authorized by us.")


@group.command("allow-trustline")
@click.argument("code")
@click.argument("account")
@signed
@with_appcontext
def allow_trustline(code: str, account: str, by: str, note: str | None) -> None:
    """Authorize the trust line of an ACCOUNT as a new one, although it was open once or refused."""
    from anchor.services import known_lines

    known_lines.allow(code, account, by, note)
    click.echo(f"The line of {account} for {code} is authorized with its next deposit.")


@group.command("retry")
@click.argument("kind")
@click.argument("subject", required=False)
@click.option("--parked", is_flag=True, help="All parked jobs of this KIND.")
@click.option("--because", default="", help="With --parked: only those whose error says this.")
@signed
@with_appcontext
def retry(
    kind: str,
    subject: str | None,
    *,
    parked: bool,
    because: str,
    by: str,
    note: str | None,
) -> None:
    """Run parked or postponed jobs again: KIND and SUBJECT as a case names them, or --parked."""
    if parked == (subject is not None) or (because and not parked):
        raise click.UsageError("Name a SUBJECT, or say --parked (and --because).")
    if parked:
        click.echo(f"{retries.ask_parked(kind, because, By(by, note))} job(s) are due.")
        return
    retries.ask(jobs.Address(kind, str(subject)), By(by, note))
    click.echo(f"{kind} of {subject} is due.")


@group.command("rewind")
@click.argument("account")
@click.option(
    "--from-ledger", type=click.IntRange(1), required=True, help="The first ledger to read."
)
@with_appcontext
def rewind(account: str, from_ledger: int) -> None:
    """Read an account again from a ledger on; what is kept already stays."""
    networks.rewind(gateway(), account, from_ledger)
    click.echo(f"{account} is read from ledger {from_ledger}.")


@group.command("adopt-network")
@click.confirmation_option(prompt="Begin anew on this network? Old rows stay as history.")
@with_appcontext
def adopt_network() -> None:
    """Begin anew on a network that was reset."""
    networks.adopt(gateway(), settings().network_passphrase)
    click.echo("The network is adopted; its accounts are watched from now on.")


@group.command("resume-after-restore")
@click.option("--accept", is_flag=True, help="Let money leave although something is unexplained.")
@signed
@with_appcontext
def resume_after_restore(*, accept: bool, by: str, note: str | None) -> None:
    """After a backup was restored: find again what left since, and only then let money leave.

    Pauses all outflow first. Ends with status 1, and stays paused, while anything that left
    has no explanation, or while what is lost may still be on its way: no --accept shortens that.
    """
    found = restore.look(by, note)
    for key in found.payouts:
        click.echo(f"{key} was paid by its rail and is known again.")
    for key in found.deposits:
        click.echo(f"{key} was paid on the ledger and is known again.")
    for sentence in found.unexplained + found.waits:
        click.echo(sentence)
    if found.waits:
        raise Rejected("All outflow stays paused: run this again when the time named has passed.")
    if found.unexplained and not accept:
        raise Rejected("All outflow stays paused: see to these first, or say --accept.")
    restore.resume(by)
    click.echo("Money leaves again.")

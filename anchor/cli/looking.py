"""What an operator looks at: how things stand, and the books."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext

from anchor.cli.group import EXIT_FAILED, group
from anchor.extensions import settings
from anchor.money import signed_7
from anchor.serializers import admin_books as words
from anchor.services import books, reconciliation, standing


@group.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@with_appcontext
def status(*, as_json: bool) -> None:
    """Show how far each account was read, and what waits; status 1 where there is a problem."""
    found = standing.look() | {"horizon": standing.sources()}
    if as_json:
        click.echo(json.dumps(found))
    else:
        for account in found["accounts"]:
            click.echo(f"{account['account']}  read until {account['read_until']}")
        for name in ("jobs_due", "jobs_parked", "cases_open"):
            click.echo(f"{name.replace('_', ' ')}: {found[name]}")
        for paused in found["paused"]:
            click.echo(f"paused: {paused}")
        for told in [*found["horizon"], *found["problems"]]:
            click.echo(told)
    sys.exit(EXIT_FAILED if found["problems"] else 0)


class _Moment(click.DateTime):
    """An instant in UTC; a day stands for its end."""

    def convert(self, value: Any, *more: Any) -> Any:
        """Read what was given on the command line."""
        found = super().convert(value, *more).replace(tzinfo=UTC)
        is_day = isinstance(value, str) and len(value) == len("2026-01-31")
        return found + timedelta(days=1) if is_day else found


@group.command("books")
@click.option(
    "--at",
    type=_Moment(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="As they stood then: at the end of a day, or at an instant; both in UTC.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@with_appcontext
def show_books(*, at: datetime | None, as_json: bool) -> None:
    """Print what stands on each account of the books; status 1 where they do not balance."""
    found = books.balances(at)
    balanced = books.is_balanced(found)
    if as_json:
        click.echo(json.dumps(words.balances(found, at)))
    else:
        click.echo("\n\n".join(_book(*each) for each in found.items()) or "There are no entries.")
    sys.exit(0 if balanced else EXIT_FAILED)


def _book(asset: str, accounts: Mapping[str, int]) -> str:
    """Write one asset's accounts as a table, amounts below each other, the sum last."""
    rows = [(name, signed_7(amount)) for name, amount in accounts.items()]
    rows.append(("sum", signed_7(sum(accounts.values()))))
    name_width = max(len(name) for name, _ in rows)
    width = max(len(amount) for _, amount in rows)
    lines = [f"  {name:{name_width}}  {amount:>{width}}" for name, amount in rows]
    return "\n".join([asset, *lines[:-1], "  " + "-" * (name_width + 2 + width), lines[-1]])


@group.command("reconcile")
@click.option(
    "--hours",
    type=click.IntRange(1, 24 * 366),
    default=reconciliation.WINDOW_HOURS,
    show_default=True,
    help="So much of each account is read again.",
)
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day of the banks' statements, in UTC; yesterday by default.",
)
@click.option("--begin-anew", nargs=2, metavar="ACCOUNT ASSET", help="Take what it holds as right.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_appcontext
def reconcile(
    *, hours: int, day: datetime | None, begin_anew: tuple[str, str] | None, as_json: bool
) -> None:
    """Compare the ledger, the payments and the transactions; status 1 where they differ.

    Payments that the stream missed are kept on the way, through the same door as ever.
    """
    if begin_anew is not None:
        account, code = begin_anew
        policy = settings().asset(code)
        reconciliation.begin_anew(account, policy.id if policy else code)
    report = reconciliation.run(hours, day.date() if day else None)
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        click.echo(
            f"{report.accounts} account(s), {report.payments_read} payment(s) read again, "
            f"{report.payments_missing} of them, and {report.receipts_missing} booking(s) of the "
            "banks, were missing and are kept now."
        )
        for each in report.first_compared:
            click.echo(f"{each}: compared from now on")
        for difference in report.differences:
            click.echo(f"{difference.kind}: {difference.about} {difference.sentence}")
        click.echo("" if report.differences else "All agree.", nl=not report.differences)
    sys.exit(EXIT_FAILED if report.differences else 0)

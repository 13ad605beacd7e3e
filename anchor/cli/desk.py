"""The operator's desk on the command line: cases, refunds, holds, credits by hand."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from flask.cli import with_appcontext

from anchor.cli.group import group, signed, visible
from anchor.money import format_amount, parse_amount
from anchor.reasons import Reason
from anchor.services import (
    attesting,
    brakes,
    crediting,
    custodian_payments,
    desk,
    refund_orders,
)
from anchor.services.acts import By
from anchor.services.desk import Desk


@group.command("cases")
@click.argument("case", type=int, required=False)
@click.option("--reason", help="Only those that were opened for this reason.")
@click.option("--all", "closed", is_flag=True, help="Closed ones too.")
@click.option("--after", type=int, default=0, help="Only those after this case: the next page.")
@click.option(
    "--limit",
    type=click.IntRange(1, desk.MAX_PAGE),
    default=50,
    show_default=True,
    help="How many at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@with_appcontext
def cases(
    case: int | None, *, reason: str | None, closed: bool, after: int, limit: int, as_json: bool
) -> None:
    """List what waits for a person, or show one CASE with the acts that may answer it."""
    if case is not None:
        found = desk.show(case)
        click.echo(_json([found]) if as_json else _whole(found))
        return
    page = desk.listing(reason=reason, closed=closed, after=after, limit=limit)
    if as_json:
        click.echo(_json(page))
        return
    for each in page:
        click.echo(visible(_line(each)))
    if len(page) == limit:
        click.echo(f"There may be more: --after {page[-1].id}", err=True)
    if not page:
        click.echo("Nothing waits for a person.")


def _line(case: Desk) -> str:
    state = "closed" if case.closed_at else "open"
    return (
        f"{case.id:6}  {case.opened_at:%Y-%m-%d %H:%M}  {state:6}  {case.reason:24}"
        f"  {_owed(case):>20}  {case.cause}"
    )


def _owed(case: Desk) -> str:
    if case.amount_owed is None:
        return ""
    return f"{format_amount(case.amount_owed)} {(case.asset or '').partition(':')[0]}"


def _whole(case: Desk) -> str:
    lines = [
        f"case         {case.id}, opened {case.opened_at.isoformat()}",
        f"reason       {case.reason}",
        *_explained(case.reason),
        f"about        {case.cause}",
        f"transaction  {case.transaction_id or 'none'}",
        f"owed         {_owed(case) or 'nothing that is known'}",
        f"note         {case.note or ''}",
        f"closed       {case.closed_at.isoformat() if case.closed_at else 'no'}",
        f"acts         {', '.join(case.acts) or 'none'}",
    ]
    lines += [
        f"done         {each.done_at.isoformat()} {each.what} by {each.who}: {each.note or ''}"
        for each in case.done
    ]
    return "\n".join(map(visible, lines))


def _explained(name: str) -> list[str]:
    reason = Reason.named(name)
    return [f"meaning      {reason.means}", f"answer       {reason.answer}"] if reason else []


def _json(found: list[Desk]) -> str:
    def plain(value: object) -> object:
        assert isinstance(value, datetime)
        return value.isoformat()

    rows = [asdict(case) for case in found]
    for row in rows:
        owed = row["amount_owed"]
        row["amount_owed"] = None if owed is None else format_amount(owed)
    return json.dumps(rows, default=plain)


@group.command("refund")
@click.argument("what")
@click.option("--amount", help="How much of what came, fee included; all that is left by default.")
@click.option("--without-fee", is_flag=True, help="Keep nothing of it.")
@click.option("--by-hand", is_flag=True, help="It was sent back outside: only write that down.")
@click.option("--to-contract", metavar="C…", help="Who paid from this contract is its owner.")
@signed
@with_appcontext
def refund(
    what: str,
    *,
    amount: str | None,
    without_fee: bool,
    by_hand: bool,
    to_contract: str | None,
    by: str,
    note: str | None,
) -> None:
    """Send money back to who paid it.

    WHAT is a case by its number, a transaction by its id, or what came by its name, such as
    "payment 1/12884905985/0" or "receipt bank/B000001".
    """
    gross = None if amount is None else parse_amount(amount)
    terms = refund_orders.Terms(gross, without_fee, by_hand, to_contract)
    begun = refund_orders.begin(what, By(by, note), terms)
    kept = f", {format_amount(begun.fee)} kept as fee" if begun.fee else ""
    click.echo(f"{format_amount(begun.amount)} go back{kept}; its key is {begun.key}.")


@group.command("cancel-refund")
@click.argument("key")
@signed
@with_appcontext
def cancel_refund(key: str, by: str, note: str | None) -> None:
    """Take back the refund KEY, of which nobody outside has heard."""
    refund_orders.cancel(key, By(by, note))
    click.echo(f"{key} is taken back.")


@group.command("credit")
@click.argument("case", type=int)
@click.argument("transaction")
@signed
@with_appcontext
def credit(case: int, transaction: str, by: str, note: str | None) -> None:
    """Credit the money of a CASE to a TRANSACTION, which then goes on."""
    crediting.credit(case, transaction, By(by, note))
    click.echo(f"It is credited to {transaction}.")


@group.command("hold")
@click.argument("transaction")
@signed
@with_appcontext
def hold(transaction: str, by: str, note: str | None) -> None:
    """Let nothing go out for a TRANSACTION until it is released."""
    desk.hold(transaction, By(by, note))
    click.echo(f"{transaction} is held.")


@group.command("release")
@click.argument("transaction")
@signed
@with_appcontext
def release(transaction: str, by: str, note: str | None) -> None:
    """Let a TRANSACTION that rests go on: what is left of it is paid out."""
    desk.release(transaction, By(by, note))
    click.echo(f"{transaction} goes on.")


@group.command("fail")
@click.argument("transaction")
@signed
@with_appcontext
def fail(transaction: str, by: str, note: str | None) -> None:
    """End a TRANSACTION that will not be paid; the note is shown to its customer."""
    desk.fail(transaction, By(by, note))
    click.echo(f"{transaction} has failed.")


@group.command("pay-again")
@click.argument("transaction")
@signed
@with_appcontext
def pay_again(transaction: str, by: str, note: str | None) -> None:
    """Pay again what came back after a TRANSACTION had ended."""
    click.echo(f"It is paid again; the key is {desk.pay_again(transaction, By(by, note))}.")


@group.command("settle")
@click.argument("key")
@click.option("--paid", is_flag=True, help="The money has left.")
@click.option("--not-paid", is_flag=True, help="It has not, and never will.")
@click.option("--yes", is_flag=True, help="Do not ask: the bank said so.")
@signed
@with_appcontext
def settle(key: str, *, paid: bool, not_paid: bool, yes: bool, by: str, note: str | None) -> None:
    """Say what became of the attempt KEY of a rail that nobody can ask about."""
    if paid == not_paid:
        raise click.UsageError("One of --paid and --not-paid.")
    if not yes:
        click.confirm("Is it certain, on the bank's word?", abort=True)
    attesting.settle(key, By(by, note), is_paid=paid)
    click.echo(f"{key} is settled.")


@group.command("settle-order")
@click.argument("key")
@click.option("--paid-by", metavar="HASH", help="The transaction that paid it.")
@click.option("--not-paid", is_flag=True, help="It was not paid, and never will be.")
@click.option("--yes", is_flag=True, help="Do not ask: the custodian said so.")
@signed
@with_appcontext
def settle_order(
    key: str, *, paid_by: str | None, not_paid: bool, yes: bool, by: str, note: str | None
) -> None:
    """End the order KEY of a custodian that nobody can tell the outcome of."""
    if not_paid == (paid_by is not None):
        raise click.UsageError("One of --paid-by and --not-paid.")
    if not_paid and not yes:
        click.confirm("Is it certain that it was not paid, and never will be?", abort=True)
    custodian_payments.settle(key, paid_by, By(by, note))
    click.echo(f"{key} is settled.")


@group.command("close")
@click.argument("case", type=int)
@signed
@with_appcontext
def close(case: int, by: str, note: str | None) -> None:
    """Close a CASE that was answered otherwise; --note says how."""
    desk.close(case, By(by, note))
    click.echo(f"Case {case} is closed.")


def _scoped(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a pause is about."""
    kind = click.option("--kind", type=click.Choice(brakes.KINDS), help="Only of this kind.")
    rail = click.option("--rail", help="Only by this rail; `stellar` is the ledger.")
    asset = click.option("--asset", help="Only this asset, by its code.")
    return asset(rail(kind(command)))


def _scope(asset: str | None, rail: str | None, kind: str | None) -> tuple[str, str]:
    given = [each for each in (("asset", asset), ("rail", rail), ("kind", kind)) if each[1]]
    if len(given) > 1:
        raise click.UsageError("One of --asset, --rail and --kind, or none for everything.")
    scope, name = given[0] if given else ("all", "")
    return scope, brakes.named(scope, name or "")


@group.command("pause")
@_scoped
@signed
@with_appcontext
def pause(asset: str | None, rail: str | None, kind: str | None, by: str, note: str | None) -> None:
    """Let no money leave, at once; what is on its way is not called back."""
    scope, subject = _scope(asset, rail, kind)
    brakes.pause(scope, subject, by, note)
    click.echo(f"Paused: {scope} {subject}".rstrip() + ".")


@group.command("resume")
@_scoped
@signed
@with_appcontext
def resume(
    asset: str | None, rail: str | None, kind: str | None, by: str, note: str | None
) -> None:
    """Take a pause back, as it was set."""
    scope, subject = _scope(asset, rail, kind)
    brakes.resume(scope, subject, by, note)
    click.echo(f"No longer paused: {scope} {subject}".rstrip() + ".")

"""``flask anchor …``: the services, the stream runner, and an operator's first tools."""

import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, ScriptInfo, with_appcontext

from anchor.errors import AnchorError, NotFound
from anchor.extensions import gateway, settings
from anchor.money import signed, signed_7
from anchor.services import books, jobs, networks, passes, standing, sweeps
from anchor.services.transactions import PAY_OUT

log = logging.getLogger(__name__)

EXIT_FAILED = 1


class _Group(AppGroup):
    """Finds the application from any folder; commands fail with a sentence and status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command of the group."""
        info = ctx.ensure_object(ScriptInfo)
        if not info.app_import_path and info.create_app is None:
            info.app_import_path = "anchor:create_app"
        try:
            return super().invoke(ctx)
        except AnchorError as error:
            click.echo(str(error), err=True)
            sys.exit(EXIT_FAILED)


group = _Group("anchor", help="Run and look after an anchor.")


@group.command("watch-transactions", with_appcontext=False)
@click.option(
    "--execute-transactions", "-x", is_flag=True, help="Pay out what a matched payment calls for."
)
@click.option("--use-dramatiq", is_flag=True, help="With -x: let the workers do it.")
@click.pass_context
def watch_transactions(
    ctx: click.Context, *, execute_transactions: bool, use_dramatiq: bool
) -> None:
    """Follow the payments of all distribution accounts, for ever."""
    if use_dramatiq and not execute_transactions:
        raise click.UsageError("--use-dramatiq needs --execute-transactions.")
    app = ctx.ensure_object(ScriptInfo).load_app()
    from anchor.streams.runner import Runner

    runner = Runner(app, _on_credited(app, execute_transactions, use_dramatiq))
    _until_signalled(runner.stop)
    runner.run()


def _on_credited(app: Flask, execute: bool, use_dramatiq: bool) -> Callable[[Any], None]:
    if use_dramatiq:
        _ring_through_broker(app)
    elif execute:
        log.warning("paying out in this process holds the stream up; --use-dramatiq does not")
        return _execute_here
    return lambda _ids: None


def _ring_through_broker(app: Flask) -> None:
    """Let `jobs.ring` reach the workers, which importing the actors does."""
    from anchor.actors import setup

    if app.extensions["anchor"].settings.broker_url is None:
        raise click.ClickException("ANCHOR_BROKER_URL is not set, and workers need a broker.")
    setup.use(app)


def _execute_here(transaction_ids: Any) -> None:
    for transaction_id in transaction_ids:
        try:
            jobs.run(jobs.Address(PAY_OUT, transaction_id))
        except AnchorError as error:
            log.warning("paying out %s: %s", transaction_id, error)


def _service(name: str, help_text: str) -> None:
    """Add the command of one service: once, or in a loop, with a summary."""

    @group.command(name.replace("_", "-"), help=help_text)
    @click.option("--loop", is_flag=True, help="Go on for ever.")
    @click.option(
        "--interval",
        type=click.IntRange(1, 86_400),
        default=10,
        show_default=True,
        help="Seconds between two passes of the loop.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
    @with_appcontext
    def command(*, loop: bool, interval: int, as_json: bool) -> None:
        stop = threading.Event()
        _until_signalled(stop)
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        lanes = _Lanes(app, name, stop)
        while True:
            if not loop:
                failed = not lanes.run_out() or lanes.failed
                _summary(name, lanes.tally, failed, as_json=as_json)
                sys.exit(EXIT_FAILED if failed else 0)
            lanes.start_pass()
            if stop.wait(interval):
                return


class _Lanes:
    """One thread for each lane that has work, so that a hanging rail delays only its own."""

    def __init__(self, app: Flask, service: str, stop: threading.Event) -> None:
        self._app = app
        self._service = service
        self._stop = stop
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._surprised = False
        self.tally = sweeps.Tally()

    @property
    def failed(self) -> bool:
        """Whether a job was postponed or parked, or a lane was left in the middle."""
        return self._surprised or bool(self.tally.postponed or self.tally.parked)

    def start_pass(self, find: Callable[[str], list[str]] = passes.owe) -> bool:
        """Put a thread to each lane with work and without one; False on failure.

        The lanes are those that `find` returns: by default after owing what is called for.
        """
        try:
            with self._app.app_context():
                lanes = find(self._service)
        except AnchorError as error:
            log.error("%s: %s", self._service, error)
            return False
        for lane in lanes:
            thread = self._threads.get(lane)
            if thread is None or not thread.is_alive():
                thread = threading.Thread(target=self._work, args=(lane,), daemon=True)
                self._threads[lane] = thread
                thread.start()
        return True

    def run_out(self) -> bool:
        """Do one pass, and what comes of it, to the end; False where it could not begin.

        What a job calls for in another lane, such as the payment of a deposit, is done too.
        After a signal, each lane ends the job that it has in hand.
        """
        find: Callable[[str], list[str]] = passes.owe
        while True:
            before = self.tally.done
            if not self.start_pass(find):
                return False
            find = passes.due
            for thread in self._threads.values():
                thread.join()
            if self.tally.done == before or self._stop.is_set():
                return True

    def _work(self, lane: str) -> None:
        try:
            with self._app.app_context():
                tally = passes.work_off(self._service, lane, self._stop.is_set)
            with self._lock:
                self.tally = self.tally + tally
        except Exception:
            log.exception("%s failed in the lane %s", self._service, lane)
            self._surprised = True


def _summary(name: str, tally: sweeps.Tally, failed: bool, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"service": name, **vars(tally), "failed": failed}))
    else:
        click.echo(f"{name}: {tally}" + (", with failures" if failed else ""))


_service("execute_outgoing_transactions", "Pay out every transaction that is ready.")
_service("poll_outgoing_transactions", "Ask the rails about what they were sent.")
_service("poll_pending_deposits", "Ask the rails whose money has come.")
_service("check_trustlines", "See which accounts can take their deposits now.")
_service("work", "Do whatever else is due.")


@group.command("up", with_appcontext=False)
def up() -> None:
    """Run web, workers, scheduler and stream runner under this terminal."""
    from anchor.up import up as run

    run()


@group.command("demo", with_appcontext=False)
@click.option("--once", is_flag=True, help="End after it; status 0 if all was completed.")
def demo(*, once: bool) -> None:
    """Run everything in development mode, and a withdrawal and deposits on it."""
    from anchor import config, development
    from anchor.up import demo as run

    log_file = development.folder(config.environment()) / "demo.log"
    sys.exit(0 if run(once=once, log=log_file) else EXIT_FAILED)


@group.command("sandbox", with_appcontext=False)
def sandbox() -> None:
    """Run the sandbox network and its bank of this folder, and nothing else."""
    from anchor import config, development, keeping

    root = development.folder(config.environment()) / "sandbox"
    ready = keeping.use(root, "anchor.sandbox.keeper", config.TESTNET_PASSPHRASE)
    click.echo(f"{ready['url']} is a Stellar test network, {ready['url']}/bank its bank.")
    stop = threading.Event()
    _until_signalled(stop)
    stop.wait()


@group.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@with_appcontext
def status(*, as_json: bool) -> None:
    """Show how far each account was read, and what waits; status 1 where there is a problem."""
    found = standing.look()
    if as_json:
        click.echo(json.dumps(found))
    else:
        for account in found["accounts"]:
            click.echo(f"{account['account']}  read until {account['read_until']}")
        for name in ("jobs_due", "jobs_parked", "cases_open"):
            click.echo(f"{name.replace('_', ' ')}: {found[name]}")
        for problem in found["problems"]:
            click.echo(problem)
    sys.exit(EXIT_FAILED if found["problems"] else 0)


@group.command("channels")
@click.option("--count", type=click.IntRange(1, 1000), help="Make the pool so large.")
@click.option("--lumens", default="5", show_default=True, help="What each channel is to hold.")
@click.option("--source", help="The distribution account that pays; the first by default.")
@with_appcontext
def channels(count: int | None, lumens: str, source: str | None) -> None:
    """Show the channel accounts; with --count make them, and top up those that hold too little."""
    from anchor.money import format_amount, parse_amount
    from anchor.services import channel_pool

    if count is not None:
        payer, each = source or settings().distribution_accounts[0], parse_amount(lumens)
        made = channel_pool.grow(gateway(), payer, count, each)
        filled = channel_pool.top_up(gateway(), payer, each)
        click.echo(f"{made} channel(s) made, {filled} topped up.")
    for found in channel_pool.look(gateway()):
        held = "is not on the ledger" if found.lumens is None else format_amount(found.lumens)
        click.echo(f"{found.number:4}  {found.account_id}  {held}")


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
    balanced = not any(sum(accounts.values()) for accounts in found.values())
    if as_json:
        assets = {
            asset: {name: signed(amount) for name, amount in accounts.items()}
            for asset, accounts in found.items()
        }
        click.echo(json.dumps({"balanced": balanced, "assets": assets}))
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


@group.command("retry")
@click.argument("kind")
@click.argument("subject")
@with_appcontext
def retry(kind: str, subject: str) -> None:
    """Run a parked or postponed job again: KIND and SUBJECT as its case names them."""
    if not jobs.retry(jobs.Address(kind, subject)):
        raise NotFound(f"There is no job {kind} of {subject}.")
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
    import redis

    from anchor.errors import Unavailable

    url = settings().broker_url
    if url is None:
        return "none: the services run in loops"
    if not url.startswith("redis"):
        return "not asked: it is not a Redis"
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    except redis.RedisError as error:
        raise Unavailable(f"the broker did not answer: {type(error).__name__}") from error
    if policy not in {None, "noeviction"}:
        raise Unavailable(f"maxmemory-policy is {policy}; it must be noeviction")
    return "answers"


@group.command("rails")
def rails() -> None:
    """List the rails that are installed."""
    from anchor.integrations import registry

    for name, distribution, value in registry.available():
        click.echo(f"{name:16} {distribution:24} {value}")


def _until_signalled(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

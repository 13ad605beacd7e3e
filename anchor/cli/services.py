"""The services of an anchor and its stream runner: once, or for ever."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import ScriptInfo, with_appcontext

from anchor.cli.group import EXIT_FAILED, group, until_signalled
from anchor.errors import AnchorError
from anchor.services import jobs, passes, sweeps
from anchor.services.transactions import PAY_OUT

log = logging.getLogger(__name__)


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
    until_signalled(runner.stop)
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
        until_signalled(stop)
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

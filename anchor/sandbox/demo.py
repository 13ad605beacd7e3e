"""The demo: a withdrawal from a wallet, over the ledger, to the bank, before your eyes."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep, time_ns
from typing import Any

import requests
from rich.console import Console
from rich.live import Live
from rich.table import Table

from anchor.config import Settings
from anchor.sandbox import CODE
from anchor.sandbox.wallet import Wallet, WalletError

AMOUNT = "100"
ACCOUNT = "DE89370400440532013000"
_READY_S = 60
_DONE_S = 60
_LOOK_MS = 25


@dataclass
class Step:
    """One line of the table; times in milliseconds since the demo began."""

    name: str
    state: str = ""
    took_ms: int | None = None


class Demo:
    """Runs one withdrawal against an anchor and shows each step with its time."""

    def __init__(
        self, settings: Settings, issuer_secret: str, console: Console, began: float
    ) -> None:
        """Prepare it; `began` is when the whole started, on the monotonic clock."""
        self._began = began
        self.settings = settings
        self.console = console
        self.steps: list[Step] = []
        self.summary = ""
        self._issuer_secret = issuer_secret
        self._wallet = Wallet(settings.public_url, settings.horizon_url)

    def run(self) -> bool:
        """Return whether the withdrawal was completed."""
        with Live(self._table(), console=self.console, refresh_per_second=8) as live:
            try:
                self._withdraw(lambda: live.update(self._table()))
            except (WalletError, requests.RequestException, TimeoutError) as error:
                self.steps.append(Step("failed", str(error)[:300]))
                live.update(self._table(), refresh=True)
                return False
        return True

    def _withdraw(self, show: Callable[[], None]) -> None:
        wallet = self._wallet
        self._step(show, "anchor answers", self._wait_for_anchor)
        self._step(show, "wallet reads stellar.toml (SEP-1)", wallet.discover)
        self._step(
            show,
            f"wallet gets lumens and {CODE}",
            lambda: wallet.fund(CODE, "1000", self._issuer_secret),
        )
        self._step(show, "wallet logs in (SEP-10)", wallet.log_in)
        opened = self._step(
            show,
            "customer fills in the page (SEP-24)",
            lambda: wallet.ask_to_withdraw(CODE, AMOUNT, ACCOUNT),
        )
        transaction = wallet.transaction(opened)
        self._step(
            show,
            f"wallet pays {AMOUNT} {CODE}; a ledger closes",
            lambda: wallet.pay(transaction, CODE),
        )
        paid_at_ms = time_ns() // 1_000_000
        done = self._follow(show, opened)
        took_ms = int((monotonic() - self._began) * 1000)
        called_ms = self._called_at_ms(done["external_transaction_id"]) - paid_at_ms
        self.summary = (
            f"{done['amount_in']} {CODE} came in, {done['amount_out']} {CODE} went to the bank "
            f"account {done['to']} (reference {done['external_transaction_id']}), "
            f"{done['amount_fee']} {CODE} is the fee.\n"
            f"From the payment in a closed ledger to the call of the rail: "
            f"{called_ms / 1000:.2f} s.\n"
            f"From the start to the first completed withdrawal: {took_ms / 1000:.1f} s."
        )

    def _called_at_ms(self, reference: str) -> int:
        """Ask the bank when it took the order."""
        answer = requests.get(f"{self.settings.horizon_url}/bank/transfers", timeout=_READY_S)
        return next(int(each["at_ms"]) for each in answer.json() if each["id"] == reference)

    def _follow(self, show: Callable[[], None], transaction_id: str) -> dict[str, Any]:
        """Show each status as it comes, until the withdrawal is completed."""
        began, last = monotonic(), "pending_user_transfer_start"
        while monotonic() - began < _DONE_S:
            shown = self._wallet.transaction(transaction_id)
            if shown["status"] != last:
                last = str(shown["status"])
                took_ms = int((monotonic() - began) * 1000)
                self.steps.append(Step("transaction becomes", last, took_ms))
                show()
            if last == "completed":
                return shown
            if last in {"error", "expired", "refunded"}:
                raise WalletError(f"the withdrawal ended as {last}")
            sleep(_LOOK_MS / 1000)
        raise TimeoutError(f"the withdrawal is still {last} after {_DONE_S} s")

    def _wait_for_anchor(self) -> None:
        deadline = monotonic() + _READY_S
        while monotonic() < deadline:
            try:
                answer = requests.get(f"{self.settings.public_url}/ready", timeout=2)
                if answer.status_code == 200 and answer.json()["accounts"]:
                    return
            except requests.RequestException:
                pass
            sleep(0.1)
        raise TimeoutError(f"{self.settings.public_url} does not answer")

    def _step(self, show: Callable[[], None], name: str, act: Callable[[], Any]) -> Any:
        step = Step(name, "…")
        self.steps.append(step)
        show()
        began = monotonic()
        result = act()
        step.state, step.took_ms = "done", int((monotonic() - began) * 1000)
        show()
        return result

    def _table(self) -> Table:
        table = Table(title="A withdrawal, step by step")
        table.add_column("step")
        table.add_column("state")
        table.add_column("took", justify="right")
        for step in self.steps:
            took = "" if step.took_ms is None else f"{step.took_ms / 1000:.2f} s"
            colour = {"done": "green", "completed": "bold green", "…": "yellow"}.get(step.state)
            state = f"[{colour}]{step.state}[/]" if colour else step.state
            table.add_row(step.name, state, took)
        return table

"""The demo: money from a wallet to the bank, and from the bank to wallets, before your eyes."""

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
PAYER = "Ada Lovelace"
#: Off until the bank takes deposits and the anchor pays them.
SHOWS_DEPOSITS = True
_READY_S = 60
_DONE_S = 60
#: The polls of deposits and of trust lines run once a minute where nobody rings.
_DEPOSIT_S = 180
_LOOK_MS = 25


@dataclass
class Step:
    """One line of the table; times in milliseconds since the demo began."""

    name: str
    state: str = ""
    took_ms: int | None = None
    is_heading: bool = False


class Demo:
    """Runs a withdrawal and deposits against an anchor, and shows each step with its time."""

    def __init__(
        self, settings: Settings, issuer_secret: str, console: Console, began: float
    ) -> None:
        """Prepare it; `began` is when the whole started, on the monotonic clock."""
        self._began = began
        self.settings = settings
        self.console = console
        self.steps: list[Step] = []
        self.summary = ""
        self._show: Callable[[], None] = lambda: None
        self._issuer_secret = issuer_secret
        self._wallet = Wallet(settings.public_url, settings.horizon_url)

    def run(self) -> bool:
        """Return whether everything was completed."""
        with Live(self._table(), console=self.console, refresh_per_second=8) as live:
            try:
                self._show = lambda: live.update(self._table())
                self._withdraw()
                self._log_in_as_contract()
                if SHOWS_DEPOSITS:
                    self._deposit()
                    self._deposit_before_trust()
            except (WalletError, requests.RequestException, TimeoutError) as error:
                self.steps.append(Step("failed", str(error)[:300]))
                live.update(self._table(), refresh=True)
                return False
        return True

    def _withdraw(self) -> None:
        wallet = self._wallet
        self._step("anchor answers", self._wait_for_anchor)
        self._heading("A withdrawal")
        self._step("wallet reads stellar.toml (SEP-1)", wallet.discover)
        self._step(
            f"wallet gets lumens and {CODE}",
            lambda: wallet.fund(CODE, "1000", self._issuer_secret),
        )
        self._step("wallet logs in (SEP-10)", wallet.log_in)
        opened = self._step(
            "customer fills in the page (SEP-24)",
            lambda: wallet.ask_to_withdraw(CODE, AMOUNT, ACCOUNT),
        )
        transaction = wallet.transaction(opened)
        self._step(
            f"wallet pays {AMOUNT} {CODE}; a ledger closes",
            lambda: wallet.pay(transaction, CODE),
        )
        paid_at_ms = time_ns() // 1_000_000
        done = self._follow(wallet, opened, _DONE_S)
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

    def _log_in_as_contract(self) -> None:
        """Show the log-in of a contract account; older folders are without SEP-45."""
        if 45 not in self.settings.seps:
            return
        self._heading("A contract account")
        wallet = Wallet(self.settings.public_url, self.settings.horizon_url)
        wallet.discover()
        account = self._step("it logs in (SEP-45)", wallet.log_in_as_contract)
        self.summary += f"\nThe contract account {account[:6]}… has logged in."

    def _deposit(self) -> None:
        """Show a deposit to an account that holds the asset already."""
        self._heading("A deposit")
        self._step("the bank is told where the anchor listens", self._connect_bank)
        opened = self._transferred(self._wallet)
        self._tell(self._follow(self._wallet, opened, _DEPOSIT_S))

    def _connect_bank(self) -> None:
        """Let the bank tell the anchor at once what it books; older folders have no secret."""
        secret = self.settings.rails["bank"].get("webhook_secret")
        if secret:
            told = {"url": f"{self.settings.public_url}/rails/bank/webhook", "secret": secret}
            url = f"{self.settings.horizon_url}/bank/webhook"
            requests.post(url, json=told, timeout=_READY_S).raise_for_status()

    def _deposit_before_trust(self) -> None:
        """Show a deposit to an account that trusts the asset only when the money has come."""
        self._heading("A deposit to an account without a trust line")
        wallet = Wallet(self.settings.public_url, self.settings.horizon_url)
        wallet.discover()
        self._step("another wallet gets lumens", wallet.found)
        self._step("wallet logs in (SEP-10)", wallet.log_in)
        opened = self._transferred(wallet)
        self._follow(wallet, opened, _DEPOSIT_S, until="pending_trust")
        self._step(f"wallet adds a trust line for {CODE}", lambda: wallet.trust(CODE))
        self._tell(self._follow(wallet, opened, _DEPOSIT_S, last="pending_trust"))

    def _transferred(self, wallet: Wallet) -> str:
        """Open a deposit and pay it from a bank account; return its id."""
        opened, reference = self._step(
            "customer fills in the page (SEP-24)",
            lambda: wallet.ask_to_deposit(
                CODE, AMOUNT, bank_account_number=ACCOUNT, bank_account_holder=PAYER
            ),
        )
        order = {"amount": AMOUNT, "reference": reference, "payer": PAYER}
        url = f"{self.settings.horizon_url}/bank/deposits"
        self._step(
            f"customer transfers {AMOUNT} with the reference {reference}",
            lambda: requests.post(url, json=order, timeout=_READY_S).raise_for_status(),
        )
        return str(opened)

    def _tell(self, done: dict[str, Any]) -> None:
        """Add a completed deposit to the summary."""
        self.summary += (
            f"\n{done['amount_in']} came by bank (reference {done['external_transaction_id']}), "
            f"{done['amount_out']} {CODE} went to the wallet {done['to'][:6]}… in "
            f"{done['stellar_transaction_id'][:8]}…, {done['amount_fee']} {CODE} is the fee."
        )

    def _called_at_ms(self, reference: str) -> int:
        """Ask the bank when it took the order."""
        answer = requests.get(f"{self.settings.horizon_url}/bank/transfers", timeout=_READY_S)
        return next(int(each["at_ms"]) for each in answer.json() if each["id"] == reference)

    def _follow(
        self,
        wallet: Wallet,
        transaction_id: str,
        patience_s: int,
        *,
        last: str = "pending_user_transfer_start",
        until: str = "completed",
    ) -> dict[str, Any]:
        """Show each status after `last` as it comes, until the transaction is where it should."""
        began = monotonic()
        while monotonic() - began < patience_s:
            shown = wallet.transaction(transaction_id)
            if shown["status"] != last:
                last = str(shown["status"])
                took_ms = int((monotonic() - began) * 1000)
                self.steps.append(Step("transaction becomes", last, took_ms))
                self._show()
            if last == until:
                return shown
            if last in {"completed", "error", "expired", "refunded"}:
                raise WalletError(f"the {shown['kind']} ended as {last}")
            sleep(_LOOK_MS / 1000)
        raise TimeoutError(f"the transaction is still {last} after {patience_s} s")

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

    def _heading(self, name: str) -> None:
        self.steps.append(Step(name, is_heading=True))

    def _step(self, name: str, act: Callable[[], Any]) -> Any:
        step = Step(name, "…")
        self.steps.append(step)
        self._show()
        began = monotonic()
        result = act()
        step.state, step.took_ms = "done", int((monotonic() - began) * 1000)
        self._show()
        return result

    def _table(self) -> Table:
        table = Table(title="An anchor, step by step", title_justify="left")
        table.add_column("step")
        table.add_column("state")
        table.add_column("took", justify="right")
        for step in self.steps:
            if step.is_heading:
                table.add_section()
                table.add_row(f"[bold]{step.name}[/]", end_section=True)
                continue
            took = "" if step.took_ms is None else f"{step.took_ms / 1000:.2f} s"
            colour = {"done": "green", "completed": "bold green", "…": "yellow"}.get(step.state)
            state = f"[{colour}]{step.state}[/]" if colour else step.state
            table.add_row(step.name, state, took)
        return table

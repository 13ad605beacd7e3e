"""What is done with each kind of broker, by real processes: all of it once, and none lost.

The tests are in files of their own, for they wait for minutes and may do so side by side.
"""

from time import monotonic, sleep
from typing import Any

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.stage import SCRIPTS, Stage
from tests.waiting import until


class Work:
    """Withdrawals and deposits of one wallet, and whether each was done once."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.wallet: Wallet = stage.wallet()
        self.rows: list[str] = []
        self.withdrawals: list[str] = []

    def withdraw(self) -> None:
        asked = self.stage.ask(self.wallet)
        self.wallet.pay(asked, CODE)
        self.rows.append(asked["id"])
        self.withdrawals.append(asked["id"])

    def deposit(self) -> None:
        row_id, reference = self.wallet.ask_to_deposit(
            CODE, "20", bank_account_number="DE89370400440532013000", bank_account_holder="A"
        )
        self.stage.bank("/deposits", amount="20", reference=reference, payer="A")
        self.rows.append(row_id)

    def is_done(self) -> bool:
        statuses = [self.stage.status(row_id) for row_id in self.rows]
        return statuses == ["completed"] * len(statuses)

    def wait(self, why: str) -> None:
        until(self.is_done, 300, why)
        assert all(self.stage.paid_once(row_id) for row_id in self.withdrawals)
        found: list[Any] = self.stage.sql(
            "SELECT transaction_id, count(*) FROM outflows WHERE state = 'done' "
            "GROUP BY transaction_id"
        )
        assert dict(found) == dict.fromkeys(self.rows, 1)
        assert self.stage.sql("SELECT reason FROM cases") == []


def everything(stage: Stage) -> None:
    stage.web()
    stage.workers()
    stage.start(str(SCRIPTS / "periodiq"), "anchor.actors")
    stage.stream("-x", "--use-dramatiq")


def while_away(work: Work, away_s: int) -> None:
    """Let money arrive all the time while the broker is away."""
    until_s = monotonic() + away_s
    while monotonic() < until_s:
        work.withdraw()
        work.deposit()
        sleep(away_s / 10)

"""The journey: a plan is played on a stage while faults strike; then the books are compared.

Run it by ``scripts/chaos --minutes N --seed S``.
"""

import argparse
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import psycopg
from stellar_sdk import Asset, Keypair

from tests.chaos import verdict
from tests.chaos.cast import Cast, account_of_treasury, asset_code, issuer
from tests.chaos.customers import Customers, Ledger
from tests.chaos.faults import KINDS, Faults
from tests.chaos.load import Load
from tests.chaos.plan import Plan, Strike, plan

#: So many customers act at once, on so many accounts.
HANDS, ACCOUNTS = 48, 20
#: After the last fault, so long at most until everything is quiet.
QUIET_S = 420
_HURRY_S = 4

_UNQUIET = {
    "open outflows": "SELECT count(*) FROM outflows WHERE state IN ('prepared','sent','unknown')",
    "unjudged": "SELECT (SELECT count(*) FROM payments WHERE verdict = 'unjudged')"
    " + (SELECT count(*) FROM receipts WHERE verdict = 'unjudged')"
    " + (SELECT count(*) FROM rail_events WHERE judged_at IS NULL)",
    "jobs": "SELECT count(*) FROM jobs WHERE parked_at IS NULL"
    " AND kind NOT LIKE 'poll%%' AND kind <> 'drive_submissions'",
    "on their way": "SELECT count(*) FROM transactions WHERE amount_received > 0 AND NOT is_resting"
    " AND status NOT IN ('completed', 'refunded', 'error', 'expired')",
}


_HEADINGS = {
    "faults": "faults, by kind",
    "orders": "what customers did",
    "ends": "where transactions stand",
    "cases": "cases at the desk",
    "deaths": "processes that ended by themselves, and were started again",
}


@dataclass
class Report:
    """How a journey ended: the faults by kind, the ends of transactions, what does not agree."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    quiet_after_s: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}"]
        for name in ("faults", "orders", "ends", "cases", "deaths"):
            lines.append(f"{_HEADINGS[name]}:")
            lines += [f"  {n:5} {what}" for what, n in sorted(getattr(self, name).items())]
        lines.append(f"quiet {self.quiet_after_s} s after the last fault")
        lines.append(f"{len(self.problems)} problem(s)")
        lines += [f"  - {each}" for each in self.problems]
        return "\n".join(lines)


class Journey:
    """One run of a plan in a folder; `say` is told of progress, a file of everything."""

    def __init__(self, folder: Path, chosen: Plan, say: Callable[[str], None]) -> None:
        self.plan = chosen
        self.cast = Cast(folder)
        self.report = Report(chosen.seed)
        self.faults = Faults(self.cast, self._note)
        self._say_aloud = say
        self._file = (folder / "chaos.log").open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def run(self) -> Report:
        """Play it all and compare the books; nothing is left running."""
        self._say(
            f"seed {self.plan.seed}: {len(self.plan.orders)} orders and"
            f" {len(self.plan.strikes)} faults in {self.plan.seconds} s"
        )
        try:
            self.cast.begin()
            self._play()
        finally:
            self.cast.end()
            self._note(str(self.report))
            self._file.close()
        return self.report

    def _play(self) -> None:
        stage = self.cast.stage
        ledger = Ledger(stage.network)
        treasury = account_of_treasury(stage)
        issuing = Keypair.from_secret(issuer(stage))
        asset = Asset(asset_code(), issuing.public_key)
        customers = Customers(ledger, asset, issuing, ACCOUNTS)
        line = ledger.get(f"/accounts/{treasury}")["balances"]
        held = sum(verdict.stroops(x["balance"]) for x in line if x.get("asset_code") == asset.code)
        load = Load(self.cast, customers, treasury, self._note)
        self._say("the stage is set")
        load.begin(self.plan.orders, HANDS)
        self._strike_all(load)
        self.faults.all_is_well()
        load.over.set()
        self._say("the faults are over")
        self._settle_down(load)
        self.report.problems += load.troubles
        evidence = verdict.Evidence(stage.sql, ledger, stage.bank, treasury)
        self.report.problems += verdict.check(evidence, self.plan.orders, held, asset.code)
        self._ask_the_house()
        self._count()

    def _strike_all(self, load: Load) -> None:
        """Strike as planned, each fault in a thread of its own, and restart what dies."""
        began = monotonic()
        told_s = 0
        waiting = list(self.plan.strikes)
        with ThreadPoolExecutor(64, thread_name_prefix="fault") as pool:
            running = []
            while waiting or monotonic() - began < self.plan.seconds:
                now_s = monotonic() - began
                while waiting and waiting[0].at_s <= now_s:
                    running.append(pool.submit(self._struck, waiting.pop(0)))
                self._look_after()
                if now_s - told_s >= 10:
                    told_s = int(now_s)
                    self._say(f"{told_s} s: {load.left} orders to come, {len(waiting)} faults")
                sleep(0.2)
            for each in running:
                each.result()

    def _struck(self, strike: Strike) -> None:
        try:
            self.faults.strike(strike)
        except Exception as error:
            self._note(f"fault: {strike.kind} failed: {error!r}")
            with self._lock:
                self.report.problems.append(f"the fault {strike.kind} could not be done: {error!r}")

    def _look_after(self) -> None:
        try:
            self.cast.look_after()
        except OSError as error:
            self._note(f"looking after the processes: {error!r}")

    def _settle_down(self, load: Load) -> None:
        """Wait until all customers are done and nothing is under way; time is hurried on."""
        began = monotonic()
        players = threading.Thread(target=load.finish, args=(QUIET_S,), daemon=True)
        players.start()
        hurried = told = began
        still: dict[str, int] = {}
        while monotonic() - began < QUIET_S:
            self._look_after()
            if monotonic() - hurried > _HURRY_S:
                hurried = monotonic()
                self._hurry()
            still = self._unquiet()
            if not still and not players.is_alive() and not self._unseen(load):
                break
            if monotonic() - told > 10:
                told = monotonic()
                self._say(f"waiting for quiet: {still or 'customers, or the stream'}")
                self._note_what_waits()
            sleep(0.5)
        else:
            self.report.problems.append(f"not quiet after {QUIET_S} s: {still}")
        players.join(5)
        self.report.quiet_after_s = int(monotonic() - began)

    def _hurry(self) -> None:
        """Let time pass for what waits: nobody is held up by a back-off or a dead holder."""
        try:
            self.cast.stage.sql(
                "UPDATE jobs SET due_at = least(due_at, now()), rung_at = NULL, leased_until ="
                " CASE WHEN leased_until > now() + interval '8 seconds'"
                " THEN now() + interval '8 seconds' ELSE leased_until END"
                " WHERE parked_at IS NULL"
            )
        except psycopg.Error as error:
            self._note(f"hurrying: {error!r}")

    def _note_what_waits(self) -> None:
        for query in (
            "SELECT kind, subject_id, attempts, due_at - now(), leased_until - now(), rung_at,"
            " last_error FROM jobs ORDER BY 1, 2 LIMIT 20",
            "SELECT key, state, calls, now() - called_at, note FROM outflows"
            " WHERE state IN ('prepared', 'sent', 'unknown') ORDER BY id LIMIT 20",
        ):
            with suppress(psycopg.Error):
                for row in self.cast.stage.sql(query):
                    self._note("  " + " | ".join(str(each) for each in row))

    def _unquiet(self) -> dict[str, int]:
        found = {}
        for name, query in _UNQUIET.items():
            try:
                count = int(self.cast.stage.sql(query)[0][0])
            except psycopg.Error as error:
                self._note(f"{name}: {error!r}")
                count = 1
            if count:
                found[name] = count
        return found

    def _unseen(self, load: Load) -> bool:
        """Tell whether something that a customer did was not kept yet."""
        done = {arrival for order in self.plan.orders for arrival in order.arrivals}
        kept = self.cast.stage.sql(
            "SELECT transaction_hash FROM payments UNION SELECT receipt_id FROM receipts"
        )
        return bool(done - {row[0] for row in kept})

    def _ask_the_house(self) -> None:
        """Let the anchor compare its own books: it has to come to the same."""
        asked = {"reconcile": "All agree", "books": ""}
        with ThreadPoolExecutor(len(asked)) as pool:
            answers = list(pool.map(self.cast.stage.command, asked))
        for (word, said), done in zip(asked.items(), answers, strict=True):
            self._note(f"{word}: {done.returncode}\n{done.stdout}{done.stderr}")
            if done.returncode != 0 or said not in done.stdout:
                told = (done.stdout + done.stderr).strip()[-600:]
                self.report.problems.append(f"`flask anchor {word}` says: {told}")

    def _count(self) -> None:
        sql = self.cast.stage.sql
        self.report.faults = self.faults.counts
        self.report.deaths = self.cast.deaths
        self.report.orders = Counter(order.story for order in self.plan.orders)
        query = "SELECT kind || ' ' || status, count(*) FROM transactions GROUP BY 1"
        self.report.ends = Counter(dict(sql(query)))
        self.report.cases = Counter(dict(sql("SELECT reason, count(*) FROM cases GROUP BY 1")))

    def _say(self, text: str) -> None:
        self._note(text)
        self._say_aloud(text)

    def _note(self, text: str) -> None:
        with self._lock:
            self._file.write(f"{datetime.now(UTC):%H:%M:%S.%f} {text}\n")


def journey(
    folder: Path, seed: int, seconds: int, count: int, say: Callable[[str], None]
) -> Report:
    """Play the plan of a seed in a folder, and report."""
    return Journey(folder, plan(seed, seconds, count, sorted(KINDS)), say).run()


def main(words: list[str]) -> int:
    """Run it from the command line; 0 where everything agrees."""
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Hundreds of deposits, withdrawals, sends and refunds at once through real"
        " processes, while everything around them is killed, paused and made to misbehave; at the"
        " end ledger, database and bank have to agree to the last stroop.",
    )
    parser.add_argument("--minutes", type=float, default=5, help="how long faults strike (5)")
    parser.add_argument("--seed", type=int, help="repeats the plan of a run; drawn by default")
    parser.add_argument("--orders", type=int, help="how many customers (200 a minute by default)")
    parser.add_argument("--folder", type=Path, help="where logs and data go (a new one in /tmp)")
    chosen = parser.parse_args(words)
    seed = random.SystemRandom().randrange(1 << 32) if chosen.seed is None else chosen.seed
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    seconds = max(45, int(chosen.minutes * 60))
    count = chosen.orders or int(chosen.minutes * 200) or 1
    print(f"seed {seed}; everything is logged in {folder}", flush=True)
    report = journey(folder, seed, seconds, count, lambda text: print(text, flush=True))
    print(report, flush=True)
    missing = [kind for kind in KINDS if not report.faults[kind]]
    if missing:
        print(f"these faults never came about: {', '.join(missing)}", flush=True)
    return 1 if report.problems or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

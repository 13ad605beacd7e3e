"""How fast the anchor catches up with a ledger that went on without it.

A real PostgreSQL holds open transactions, a Horizon in another process has rendered its
pages, and the follower's own code reads them: one commit a page. The command checks what
became of every payment and fails where that is wrong; it never fails on a time.
"""

import argparse
import cProfile
import os
import pstats
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from itertools import pairwise
from time import perf_counter
from typing import Any

import canned_horizon
import ground
from sqlalchemy import text

from anchor import create_app, schema
from anchor.extensions import db, gateway, transaction
from anchor.ledger.gateway import PaymentPage
from anchor.ledger.horizon import HorizonGateway
from anchor.money import parse_amount
from anchor.policies import AssetPolicy
from anchor.services import networks
from anchor.streams.follower import _Reading

TABLES = ("payments", "cases", "history", "jobs", "postings")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--open",
        metavar="N",
        type=int,
        default=100_000,
        help="transactions that wait (%(default)s)",
    )
    add(
        "--payments",
        metavar="M",
        type=int,
        default=20_000,
        help="payments to catch up with (%(default)s)",
    )
    add(
        "--match-percent",
        metavar="P",
        type=int,
        default=10,
        help="how many match one (%(default)s)",
    )
    add("--fast", action="store_true", help="a database that may forget at a power failure")
    add("--profile", action="store_true", help="also print where Python's time goes (slower)")
    found = parser.parse_args()
    matching = found.payments * found.match_percent // 100
    if found.payments < 1 or not 0 <= matching <= found.open:
        parser.error("every payment that matches needs an open transaction of its own")
    return found


class Clock:
    """Adds up the time that is spent in each of some functions."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def time(self, name: str, owner: Any, *attributes: str) -> None:
        """Time these functions of `owner` from now on."""
        for attribute in attributes:
            setattr(owner, attribute, self._timed(name, getattr(owner, attribute)))

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            began = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent[name] = self.spent.get(name, 0) + perf_counter() - began

        return run


class TimedReading(_Reading):
    """The follower's reading, which notes when each page was durable."""

    def __init__(self, watch: networks.Watch) -> None:
        super().__init__(watch, lambda _ids: None, threading.Event())
        self.moments = [perf_counter()]

    def _keep(self, cursor: int, page: PaymentPage) -> int:
        after = super()._keep(cursor, page)
        if page.payments:
            self.moments.append(perf_counter())
        return after


def records(asset: AssetPolicy, payments: int, matching: list[str], others: list[str]) -> list[str]:
    """Return the payments in the ledger's order, those that match spread among the others."""
    dice = random.Random(11)
    words = matching + others
    dice.shuffle(words)
    payers = [
        "G" + "".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=55)) for _ in "x" * 99
    ]
    return [
        canned_horizon.record(
            number, dice.choice(payers), asset.distribution, asset.id, ground.AMOUNT, words[number]
        )
        for number in range(payments)
    ]


def counts() -> dict[str, int]:
    """Return how many rows each table has that a page writes."""
    with transaction():
        return {
            table: db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in TABLES
        }


def mistakes(watch: networks.Watch, payments: int, matching: int) -> list[str]:
    """Return a sentence for everything that did not become of the payments what should."""
    last = canned_horizon.operation_id(payments - 1)
    expected = {
        "SELECT count(*) FROM payments": payments,
        "SELECT count(*) FROM payments WHERE verdict = 'credited'": matching,
        "SELECT count(*) FROM payments WHERE verdict = 'unmatched'": payments - matching,
        "SELECT count(*) FROM cases WHERE reason = 'payment_unmatched'": payments - matching,
        "SELECT count(*) FROM history WHERE event = 'funds_received'": matching,
        "SELECT count(*) FROM jobs": matching,
        "SELECT count(*) FROM postings WHERE account = 'treasury'": payments,
        "SELECT count(*) FROM postings WHERE account = 'customer'": matching,
        "SELECT count(*) FROM postings WHERE account = 'suspense'": payments - matching,
        "SELECT count(*) FROM transactions WHERE status = 'pending_anchor'"
        " AND version = 2 AND amount_received = amount_expected": matching,
        "SELECT coalesce(sum(amount_received), 0)::bigint FROM transactions": (
            matching * parse_amount(ground.AMOUNT)
        ),
        f"SELECT cursor FROM accounts WHERE id = {watch.id}": last,
    }
    with transaction():
        found = {query: db.session.execute(text(query)).scalar_one() for query in expected}
    return [
        f"{query}: {found[query]} instead of {wanted}"
        for query, wanted in expected.items()
        if found[query] != wanted
    ]


def catch_up(watch: networks.Watch, *, profile: bool) -> tuple[list[float], Clock]:
    """Follow the account to its end as the stream runner does; return when each page was kept."""
    clock = Clock()
    clock.time("waiting for Horizon", HorizonGateway, "_fetch")
    clock.time("reading pages", HorizonGateway, "payments_page")
    clock.time("SQL", db.engine.dialect, "do_execute", "do_executemany", "do_commit", "do_ping")
    leased = networks.lease(watch.id)
    assert leased is not None
    networks.check(gateway(), leased)
    clock.spent.clear()
    with _profiled(profile):
        reading = TimedReading(leased)
        reading.catch_up(leased.cursor)
    networks.let_go(leased)
    return reading.moments, clock


@contextmanager
def _profiled(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    profiler = cProfile.Profile()
    with profiler:
        yield
    pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
    pstats.Stats(profiler).sort_stats("cumtime").print_stats(45)


def tell(
    moments: list[float], clock: Clock, payments: int, written: dict[str, int], matching: int
) -> None:
    """Print the figures."""
    total = moments[-1] - moments[0]
    pages = sorted(after - before for before, after in pairwise(moments))
    spent = clock.spent
    shares = {
        "waiting for Horizon": spent["waiting for Horizon"],
        "parsing its pages": spent["reading pages"] - spent["waiting for Horizon"],
        "SQL and commit": spent["SQL"],
    }
    shares["the rest: judging, building SQL"] = total - sum(shares.values())
    rows = [
        ("payments/s", f"{payments / total:,.0f}"),
        ("pages", f"{len(pages)}, one commit each"),
        ("page p50", f"{pages[len(pages) // 2] * 1000:.1f} ms"),
        ("page p99", f"{pages[len(pages) * 99 // 100] * 1000:.1f} ms"),
        *((f"rows in {table}", f"{count:,}") for table, count in written.items()),
        ("rows changed in transactions", f"{matching:,}"),
        *((name, f"{spent * 100 / total:.0f} %") for name, spent in shares.items()),
    ]
    for name, value in rows:
        print(f"{name:33}{value}")


def main() -> int:
    """Run the benchmark; return 1 where the result is wrong."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    matching = options.payments * options.match_percent // 100
    memos = ground.memos(options.open + options.payments)
    issued, others = memos[: options.open], memos[options.open + matching :]
    asset = ground.policy()
    with ExitStack() as stack:
        place = stack.enter_context(ground.folder())
        rendered = records(asset, options.payments, issued[:matching], others)
        url = stack.enter_context(canned_horizon.serving(place / "records", rendered))
        servers = stack.enter_context(ground.servers(place / "servers", durable=not options.fast))
        schema.upgrade(servers.database_url)
        app = create_app(ground.settings(asset, url, servers.database_url))
        stack.enter_context(app.app_context())
        stack.callback(db.engine.dispose)
        watch = ground.watch(asset)
        ground.open_withdrawals(asset, watch, issued)
        print(
            f"{options.open:,} open transactions, {options.payments:,} payments,"
            f" {matching:,} of them match, {os.cpu_count()} cores,"
            f" {'fast' if options.fast else 'durable'} database"
        )
        before = counts()
        moments, clock = catch_up(watch, profile=options.profile)
        written = {table: count - before[table] for table, count in counts().items()}
        tell(moments, clock, options.payments, written, matching)
        wrong = mistakes(watch, options.payments, matching)
    for sentence in wrong:
        print(f"WRONG: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

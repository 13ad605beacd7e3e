"""Each way in which a bank's bookings can reach a deposit: the rows and the verdicts.

A line tells what came by which door, in order: `poll` (the rail's answer about the deposit, and
its list) or `hook` (an event by webhook, judged by its job). The deposit asks for 100.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anchor.integrations.protocols import Arrived, Receipt
from tests.puppets import due_now
from tests.receiving import balances, booked, cases, deposit, judge_events, kept, poll
from tests.test_webhooks import Herald, herald, tell
from tests.world import World

EARLY = datetime.now(UTC) - timedelta(minutes=2)
LATE = EARLY + timedelta(minutes=1)


def poll_of(*receipts: Receipt) -> tuple[str, tuple[Receipt, ...]]:
    return "poll", receipts


def hook_of(*receipts: Receipt) -> tuple[str, tuple[Receipt, ...]]:
    return "hook", receipts


def b(name: str, amount: str = "100", at: datetime = EARLY, **changed: Any) -> Receipt:
    return booked(name, amount, booked_at=at, **changed)


def reversed_(receipt: Receipt) -> Receipt:
    return replace(receipt, is_reversed=True)


@dataclass(frozen=True)
class Line:
    """What came, and what is kept of it: verdicts by booking, funds, status, cases."""

    name: str
    came: tuple[tuple[str, tuple[Receipt, ...]], ...]
    verdicts: dict[str, str]
    received: int = 100
    status: str = "pending_anchor"
    told: tuple[str, ...] = ()
    matching: str = "exact"
    tolerance: int = 0


WAITS = "pending_user_transfer_start"
NOBODY = {"received": 0, "status": WAITS}
LINES = [
    Line("once by poll", (poll_of(b("B1")),), {"B1": "credited"}),
    Line("once by webhook", (hook_of(b("B1")),), {"B1": "credited"}),
    Line("by poll, then by webhook", (poll_of(b("B1")), hook_of(b("B1"))), {"B1": "credited"}),
    Line("by webhook, then by poll", (hook_of(b("B1")), poll_of(b("B1"))), {"B1": "credited"}),
    Line("twice in one poll", (poll_of(b("B1"), b("B1")),), {"B1": "credited"}),
    Line("twice in one event", (hook_of(b("B1"), b("B1")),), {"B1": "credited"}),
    Line("by two events", (hook_of(b("B1")), hook_of(b("B1"))), {"B1": "credited"}),
    Line(
        "two bookings of one page out of order: the bank's first is credited",
        (poll_of(b("B2", at=LATE), b("B1")),),
        {"B1": "credited", "B2": "second"},
        told=("receipt_second",),
    ),
    Line(
        "the later booking told first: what was known first is credited",
        (hook_of(b("B2", at=LATE)), poll_of(b("B1"))),
        {"B1": "second", "B2": "credited"},
        told=("receipt_second",),
    ),
    Line(
        "taken back",
        (poll_of(b("B1")), hook_of(reversed_(b("B1")))),
        {"B1": "credited, reversed"},
        status="on_hold",
        told=("receipt_reversed",),
    ),
    Line(
        "taken back, told by both doors, and told again as it was",
        (
            hook_of(b("B1")),
            hook_of(reversed_(b("B1"))),
            poll_of(reversed_(b("B1"))),
            poll_of(b("B1")),
        ),
        {"B1": "credited, reversed"},
        status="on_hold",
        told=("receipt_reversed",),
    ),
    Line(
        "taken back before it was told",
        (hook_of(reversed_(b("B1"))), poll_of(b("B1"))),
        {"B1": "unmatched, reversed"},
        **NOBODY,  # type: ignore[arg-type]
    ),
    Line(
        "taken back, and paid anew",
        (hook_of(reversed_(b("B1"))), poll_of(b("B1"), b("B2", at=LATE))),
        {"B1": "unmatched, reversed", "B2": "credited"},
    ),
    Line(
        "a wrong reference",
        (hook_of(b("B1", reference="REF124")),),
        {"B1": "unmatched"},
        told=("receipt_unmatched",),
        **NOBODY,  # type: ignore[arg-type]
    ),
    Line(
        "a wrong reference, then the right one",
        (hook_of(b("B1", reference="REF124")), hook_of(b("B2", at=LATE))),
        {"B1": "unmatched", "B2": "credited"},
        told=("receipt_unmatched",),
    ),
    Line(
        "another currency",
        (hook_of(b("B1", currency="EUR")),),
        {"B1": "wrong_asset"},
        told=("receipt_wrong_asset",),
        **NOBODY,  # type: ignore[arg-type]
    ),
    Line(
        "60 + 40 where the amount is exact",
        (poll_of(b("B1", "60")), hook_of(b("B2", "40", LATE))),
        {"B1": "too_small", "B2": "too_small"},
        told=("receipt_too_small",) * 2,
        **NOBODY,  # type: ignore[arg-type]
    ),
    Line(
        "60 + 40 where the asset collects",
        (poll_of(b("B1", "60")), hook_of(b("B2", "40", LATE))),
        {"B1": "credited", "B2": "credited"},
        matching="collect",
    ),
    Line(
        "60 and not more where the asset collects",
        (poll_of(b("B1", "60")), hook_of(b("B1", "60"))),
        {"B1": "credited"},
        received=60,
        status=WAITS,
        matching="collect",
    ),
    Line(
        "60 + 60 where the asset collects",
        (poll_of(b("B1", "60")), hook_of(b("B2", "60", LATE))),
        {"B1": "credited", "B2": "too_large"},
        received=60,
        status=WAITS,
        told=("receipt_too_large",),
        matching="collect",
    ),
    Line(
        "60 + 40, of which 60 is taken back",
        (
            poll_of(b("B1", "60")),
            hook_of(reversed_(b("B1", "60"))),
            hook_of(b("B2", "40", LATE)),
        ),
        {"B1": "credited, reversed", "B2": "credited"},
        received=40,
        status=WAITS,
        told=("receipt_reversed",),
        matching="collect",
    ),
    Line(
        "an amount too high",
        (hook_of(b("B1", "100.01")),),
        {"B1": "too_large"},
        told=("receipt_too_large",),
        **NOBODY,  # type: ignore[arg-type]
    ),
    Line(
        "an amount too high, within the tolerance",
        (hook_of(b("B1", "102")),),
        {"B1": "credited"},
        received=102,
        matching="tolerance",
        tolerance=5,
    ),
]


def _let_it_come(world: World, rail: Herald, line: Line, row_id: str) -> None:
    for number, (door, receipts) in enumerate(line.came):
        if door == "poll":
            rail.answers[row_id] = Arrived(list(receipts))
            rail.book.extend(receipts)
            due_now()
            poll(world)
        else:
            rail.told[f"event {number}"] = list(receipts)
            assert tell(world, f"event {number}", f"E{number}") == 200
            judge_events(world)


@pytest.mark.parametrize("line", [pytest.param(each, id=each.name) for each in LINES])
def test_promise_01_and_03_a_booking_has_one_row_and_the_verdict(world: World, line: Line) -> None:
    object.__setattr__(world.policy, "matching", line.matching)
    object.__setattr__(world.policy, "tolerance", line.tolerance * 10**7)
    rail = herald(world)
    rail.traits = replace(rail.traits, lists_receipts=True)
    row_id = deposit(world)
    _let_it_come(world, rail, line, row_id)
    found = {
        row.receipt_id: row.verdict + (", reversed" if row.reversed_at else "") for row in kept()
    }
    assert found == line.verdicts
    row = world.row(row_id)
    assert (row.amount_received, row.status) == (line.received * 10**7, line.status)
    assert tuple(reason for reason, _ in cases()) == line.told
    assert sum(balances().values()) == 0

"""What rails know of payouts and refunds that the restored database forgot: asked by their keys.

Keys are derived, so the next ones of each transaction are known. One that was finally refused
may be unknown to its bank and the one after it paid: ten in a row that are not known say that
there are no more. A payout is taken back under its own number; what may have been a refund is
a person's, for the key alone does not say (promises 5, 6 and 7).
"""

from dataclasses import dataclass, replace

from sqlalchemy import func, select, update

from anchor.assets import currency_of
from anchor.errors import Rejected
from anchor.extensions import atomic, db
from anchor.fees import Split
from anchor.integrations.protocols import (
    Outcome,
    OutgoingTransaction,
    RailsIntegration,
    Refused,
)
from anchor.lifecycle import DEPOSITS, FINAL, Event, Kind
from anchor.matching import Verdict
from anchor.models import OUTFLOW_OPEN, Outflow, Receipt
from anchor.money import to_decimal
from anchor.policies import HOUSE
from anchor.services import arrivals, bookings, outcomes, outflows, rails, recovery, refunds
from anchor.services.outflows import Attempt
from anchor.services.restored import (
    AHEAD,
    NOTE,
    Found,
    Pause,
    came_back,
    hold,
    judge_unknown,
    let_go_on,
    locked,
    may_leave,
)

#: What is paid on the ledger: a rail can only have sent its money back.
PAID_ON_LEDGER = (*DEPOSITS, Kind.REMITTANCE)


@dataclass(frozen=True)
class _Asked:
    """The order whose next keys are asked for, from number `first` on, and the open payout.

    `refund_rails` are those by which its money came: they may have sent it back.
    """

    order: OutgoingTransaction
    first: int
    open_payout: Attempt | None
    payout_rail: str | None
    refund_rails: frozenset[str]

    def under(self, number: int) -> OutgoingTransaction:
        """Return the order under the key of that number."""
        return replace(self.order, key=f"{self.order.transaction_id}-{number}")


def ask(transaction_id: str, found: Found, pause: Pause) -> None:
    """Ask each rail that may have sent anything for a transaction for the keys that come next.

    Raises `Unavailable` where a rail does not answer.
    """
    asked = _read(transaction_id)
    names = asked.refund_rails | ({asked.payout_rail} if asked.payout_rail else set())
    for name in sorted(names):
        rail, key = rails.find(name), asked.under(asked.first).key
        may_be_refund = name in asked.refund_rails and rail.traits.can_refund
        if name != asked.payout_rail and not may_be_refund:
            continue
        if not rail.traits.can_look_up:
            found.unexplained.append(f"{key}: {name} cannot be asked for it")
            if may_be_refund:
                hold(transaction_id, f"{name} may have sent it back, and cannot be asked")
            continue
        known = _known(rail, asked)
        if known and may_be_refund:
            _leave_to_a_person(transaction_id, asked, rail, known, found)
        elif known:
            _take_back(transaction_id, asked, rail, known, found)
        if may_leave(transaction_id):
            judge_unknown(name, key, rail.traits, pause, found)


@atomic
def _read(transaction_id: str) -> _Asked:
    row = locked(transaction_id)
    whole = Split(row.amount_received, row.amount_received, 0)
    came_by = {each.rail for each in arrivals.of_transaction(row.id) if each.rail is not None}
    order = outflows.planned(row, whole).order
    if row.kind in PAID_ON_LEDGER:  # a rail can only have sent back what came
        order = replace(order, currency=currency_of(row.received_as))
    return _Asked(
        order,
        outflows.next_attempt(row.id),
        outflows.open_attempt(row),
        None if row.kind in PAID_ON_LEDGER or row.funded_at is None else row.rail,
        frozenset(came_by - {HOUSE}),
    )


def _known(rail: RailsIntegration, asked: _Asked) -> dict[int, Outcome]:
    """Return what the rail says about the keys that it knows, by their numbers."""
    known: dict[int, Outcome] = {}
    number = asked.first
    while number < max(known, default=asked.first - 1) + 1 + AHEAD:
        outcome = _find(rail, asked.under(number))
        if outcome is not None:
            known[number] = outcome
        number += 1
    return known


def _find(rail: RailsIntegration, order: OutgoingTransaction) -> Outcome | None:
    def find() -> Outcome | None:
        return rail.find_outgoing_transaction(order)

    return recovery.look_up(f"the rail {rail.name}", order.key, find, Outcome)


def _leave_to_a_person(
    transaction_id: str,
    asked: _Asked,
    rail: RailsIntegration,
    known: dict[int, Outcome],
    found: Found,
) -> None:
    keys = [asked.under(number).key for number in known]
    hold(transaction_id, f"the bank knows {', '.join(keys)}, which may have sent it back")
    found.unexplained += [f"{key}: known to {rail.name}, and not to us" for key in keys]


def _take_back(
    transaction_id: str,
    asked: _Asked,
    rail: RailsIntegration,
    known: dict[int, Outcome],
    found: Found,
) -> None:
    """Write down what a rail did under keys of ours, each under its own number."""
    before = asked.open_payout
    if before is not None:
        # the next key was used after this one was finally refused, whatever the bank keeps of it
        outcome = _find(rail, before.order) or Refused("a later attempt followed")
        outcomes.record(before, outcome)
    for number, outcome in sorted(known.items()):
        key = asked.under(number).key
        why_not = _adopt(transaction_id, number, outcome)
        if why_not is None:
            found.payouts.append(key)
        else:
            hold(transaction_id, f"the bank knows {key}: {why_not}")
            found.unexplained.append(f"{key}: known to {rail.name}, and not to us: {why_not}")


@atomic
def _adopt(transaction_id: str, number: int, outcome: Outcome) -> str | None:
    """Write one attempt down, or return why it cannot have been what it seems."""
    row = locked(transaction_id)
    going = select(Outflow.key).where(
        Outflow.transaction_id == row.id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    key = db.session.scalar(going)
    if key is not None:
        return f"{key} is on its way at the same time"
    if row.status in FINAL and not came_back(row.id):
        return "nothing of it had come back"
    let_go_on(row, Event.PAYOUT_COMPLETED, f"{row.id}-{number}")
    try:
        attempt = outflows.open_forgotten(row, number)
    except Rejected as refusal:
        return str(refusal)
    outcomes.record(attempt, outcome)
    return None


# -- what is open, and what was sent back that credited nobody -------------------------------


@atomic
def look_up_first(pause: Pause) -> None:
    """Let each open attempt of a rail be looked up before it is called (again).

    It may have been called at any time from its beginning until the pause: no age is trusted
    that a backup tells.
    """
    db.session.execute(
        update(Outflow)
        .where(Outflow.rail.is_not(None), Outflow.state.in_(("prepared", "unknown")))
        .values(
            calls=func.greatest(Outflow.calls, 1),
            first_called_at=func.coalesce(Outflow.first_called_at, Outflow.begun_at),
            called_at=func.greatest(Outflow.called_at, pause.since),
        )
    )


def ask_for_refunds_of_nobody(found: Found, pause: Pause) -> None:
    """Ask for refunds of money that credited nobody; they are taken back where they are known."""
    for cause, rail_name, first in _uncredited():
        arrival, rail = arrivals.find(cause), rails.find(rail_name)
        if not rail.traits.can_refund or arrival.left <= 0 or arrival.is_gone:
            continue
        stem = arrivals.key_of(cause)
        if not rail.traits.can_look_up:
            found.unexplained.append(f"{stem}-{first}: {rail.name} cannot be asked for it")
            continue
        known = {
            number: outcome
            for number in range(first, first + AHEAD)
            if (outcome := _find(rail, _refund_of(arrival, f"{stem}-{number}"))) is not None
        }
        for number, outcome in known.items():
            _adopt_refund(cause, number, outcome)
            found.payouts.append(f"{stem}-{number}")
        if arrivals.find(cause).left > 0:
            judge_unknown(rail.name, f"{stem}-{first}", rail.traits, pause, found)


@atomic
def _uncredited() -> list[tuple[str, str, int]]:
    """Return each booking that credited nobody, with its rail and its next number."""
    latest = select(func.coalesce(func.max(Outflow.attempt), 0)).where(
        Outflow.receipt_id == Receipt.id
    )
    rows = db.session.execute(
        select(Receipt.rail, Receipt.receipt_id, latest.scalar_subquery())
        .where(Receipt.verdict.not_in(_NOT_OURS_TO_RETURN))
        .order_by(Receipt.id)
    )
    return [(f"receipt {row[0]}/{row[1]}", row[0], row[2] + 1) for row in rows]


#: What stands in no book is never sent back, and what is credited goes by its transaction.
_NOT_OURS_TO_RETURN = (
    Verdict.CREDITED,
    Verdict.HISTORY,
    Verdict.UNREADABLE,
    Verdict.UNJUDGED,
)


def _refund_of(arrival: arrivals.Arrival, key: str) -> OutgoingTransaction:
    assert arrival.came_at is not None
    return OutgoingTransaction(
        key=key,
        transaction_id="",
        kind="",
        asset=arrival.asset,
        amount=to_decimal(arrival.left),
        amount_in=to_decimal(arrival.left),
        amount_fee=to_decimal(0),
        details={},
        owner="",
        started_at=arrival.came_at,
        refund_of=arrival.cause.partition("/")[2],
        payer=arrival.payer,
        currency=currency_of(arrival.asset),
    )


@atomic
def _adopt_refund(cause: str, number: int, outcome: Outcome) -> None:
    """Take a refund back as one of all that is left: more than came never goes out again."""
    arrival = arrivals.lock(cause)
    parts = refunds.parts_of(arrival, arrival.left)
    outflow = Outflow(
        kind="refund",
        receipt_id=arrival.row_id,
        rail=arrival.rail,
        state="unknown",
        asset=arrival.asset,
        amount=parts.amount_out,
        amount_fee=parts.amount_fee,
        attempt=number,
        key=f"{arrivals.key_of(cause)}-{number}",
        calls=1,
        first_called_at=arrival.came_at,
        called_at=arrival.came_at,
        note=NOTE,
    )
    db.session.add(outflow)
    db.session.flush()
    bookings.outflow_opened(outflow)
    attempt = outflows.refund_attempt(outflow.id)
    assert attempt is not None
    outcomes.record(attempt, outcome)

"""Which transaction money that came credits, and with what verdict.

On the ledger the unit is the *arrival*: what one ledger transaction brought to one account
in one asset under one memo, its operations summed; at a bank it is the *booking*. Credit is
exact: asset, issuer, account, memo and memo type (or muxed id), or rail, currency and
reference agree, or a person decides. All amounts are stroops.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from anchor.lifecycle import DEPOSITS, FINAL, WITHDRAWALS, Event, Kind, Status
from anchor.money import format_amount


class Verdict(StrEnum):
    """What became of a payment or a booking; each has one for ever."""

    CREDITED = "credited"
    UNMATCHED = "unmatched"
    LATE = "late"
    WRONG_ASSET = "wrong_asset"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    SECOND = "second"
    HISTORY = "history"
    UNREADABLE = "unreadable"
    UNJUDGED = "unjudged"
    OUTGOING = "outgoing"
    RETURNED = "returned"


#: Verdicts that leave money of somebody's with us and so open a case.
FOR_THE_DESK = frozenset(
    {
        Verdict.UNMATCHED,
        Verdict.LATE,
        Verdict.WRONG_ASSET,
        Verdict.TOO_SMALL,
        Verdict.TOO_LARGE,
        Verdict.SECOND,
        Verdict.UNREADABLE,
    }
)

#: Verdicts of money that may be sent back without a person, where the policy says so.
REFUNDABLE = frozenset(
    {Verdict.UNMATCHED, Verdict.LATE, Verdict.TOO_SMALL, Verdict.TOO_LARGE, Verdict.SECOND}
)

#: Kinds whose money comes in on the ledger.
LEDGER_FUNDED = frozenset({*WITHDRAWALS, Kind.SEND})
#: Kinds whose money comes in by rail; that of a send as its settlement says.
RAIL_FUNDED = frozenset({*DEPOSITS, Kind.SEND, Kind.REMITTANCE})

#: A source's clock and ours differ by less.
_CLOCKS = timedelta(minutes=5)
_OVER = FINAL | {Status.EXPIRED, Status.ERROR}
MAX_ID = 2**64 - 1


@dataclass(frozen=True)
class Arrival:
    """What one ledger transaction brought to `account`. `muxed_id` is the address' own."""

    account: str
    asset: str
    amount: int
    memo_type: str
    memo: str | None
    muxed_id: int | None
    closed_at: datetime


@dataclass(frozen=True)
class Booking:
    """What a bank booked for us on `rail`."""

    rail: str
    currency: str
    amount: int
    reference: str | None
    booked_at: datetime


@dataclass(frozen=True)
class Expectation:
    """A transaction whose payer was told to pay to `account` under a memo or a reference.

    Of one that is paid by rail `account` is the rail and `asset` the currency. `amount` is
    what it was told to send, None where any amount within the limits will do. `received` is
    what was credited before, and `is_funded` says that this was enough. `matching` is the
    asset's policy. One on a quote is paid exactly, and by `due_at` on the source's own clock; a
    bank that dates its money before `begun_at`, when nobody could know of it, tells no time.
    `paid` is what left for it and has not come back: of a remittance, whose memo is its refunds'.
    """

    transaction_id: str
    kind: Kind
    status: Status
    account: str
    asset: str
    amount: int | None
    received: int
    is_funded: bool
    matching: str = "exact"
    tolerance: int = 0
    min_amount: int | None = None
    max_amount: int | None = None
    settled_on_ledger: bool = True
    due_at: datetime | None = None
    begun_at: datetime | None = None
    paid: int = 0


@dataclass(frozen=True)
class Judgement:
    """The verdict, and the transaction that it speaks of, credited or not."""

    verdict: Verdict
    transaction_id: str | None = None
    event: Event | None = None
    note: str | None = None


def address_of(arrival: Arrival) -> tuple[str, str] | None:
    """Return the (memo type, memo) an arrival is addressed to; None where there is none.

    A muxed id and an id memo are one space. Where both are given and differ, the payment
    is addressed to nobody: that is for a person to read (SEP-23, SEP-29).
    """
    if arrival.muxed_id is not None:
        muxed = ("id", str(arrival.muxed_id))
        plain = (arrival.memo_type, arrival.memo or "")
        return muxed if arrival.memo_type == "none" or plain == muxed else None
    if arrival.memo_type == "none" or arrival.memo is None:
        return None
    return arrival.memo_type, arrival.memo


def judge(
    arrival: Arrival, expected: Expectation | None, in_charge_since: datetime | None
) -> Judgement:
    """Say what an arrival means. `expected` is the owner of its memo, if it has one."""
    if in_charge_since is not None and arrival.closed_at < in_charge_since:
        return Judgement(Verdict.HISTORY)
    if expected is None:
        return Judgement(Verdict.UNMATCHED, note=_why_nobody(arrival))
    if expected.kind is Kind.REMITTANCE and arrival.account == expected.account:
        return _judge_returned(arrival, expected)
    if arrival.account != expected.account or expected.kind not in LEDGER_FUNDED:
        about = expected.transaction_id
        return Judgement(Verdict.UNMATCHED, about, note="the memo belongs to another account")
    other = None if expected.settled_on_ledger else "this send is settled by rail"
    return _judge_owned(expected, arrival.asset, arrival.amount, arrival.closed_at, other)


def _judge_returned(arrival: Arrival, expected: Expectation) -> Judgement:
    """Say whether the other anchor sends a remittance back: no more than it was paid."""
    about = expected.transaction_id
    if arrival.asset != expected.asset:
        return Judgement(Verdict.WRONG_ASSET, about, note=f"expected {expected.asset}")
    if arrival.amount > expected.paid:
        back, paid = format_amount(arrival.amount), format_amount(expected.paid)
        note = f"a refund of {back}, and {paid} were paid and not back"
        return Judgement(Verdict.UNMATCHED, about, note=note)
    return Judgement(Verdict.RETURNED, about)


def judge_booking(
    booking: Booking, expected: Expectation | None, in_charge_since: datetime | None
) -> Judgement:
    """Say what a booking means. `expected` is the owner of its reference, if it has one.

    What was booked before `in_charge_since` is history where it names nobody: whoever was
    given a reference was given it by us.
    """
    if expected is None:
        if in_charge_since is not None and booking.booked_at < in_charge_since:
            return Judgement(Verdict.HISTORY)
        why = "nobody was given this reference" if booking.reference else "no reference"
        return Judgement(Verdict.UNMATCHED, note=why)
    about = expected.transaction_id
    if expected.kind not in RAIL_FUNDED:
        return Judgement(Verdict.UNMATCHED, about, note=f"a {expected.kind} is paid on the ledger")
    if booking.rail != expected.account:
        return Judgement(Verdict.UNMATCHED, about, note="the reference belongs to another rail")
    on_ledger = expected.kind is Kind.SEND and expected.settled_on_ledger
    other = "this send is settled on the ledger" if on_ledger else None
    return _judge_owned(expected, booking.currency, booking.amount, booking.booked_at, other)


def _judge_owned(
    expected: Expectation,
    asset: str,
    amount: int,
    came_at: datetime,
    other_source: str | None,
) -> Judgement:
    about = expected.transaction_id
    if asset != expected.asset:
        return Judgement(Verdict.WRONG_ASSET, about, note=f"expected {expected.asset}")
    if expected.status in _OVER:
        return Judgement(Verdict.LATE, about, note=f"the transaction is {expected.status}")
    if other_source is not None:
        return Judgement(Verdict.SECOND, about, note=other_source)
    late = None if expected.is_funded else _why_late(expected, came_at)
    if late is not None:
        return Judgement(Verdict.LATE, about, note=late)
    return _by_amount(expected, amount)


def _why_late(expected: Expectation, came_at: datetime) -> str | None:
    """Return why nobody can say that money came while its quote held, or None."""
    if expected.due_at is None:
        return None
    if came_at > expected.due_at:
        return "the quote had run out when it came"
    if expected.begun_at is not None and came_at < expected.begun_at - _CLOCKS:
        return "it is dated before its quote was used, so nobody knows whether it came in time"
    return None


def _why_nobody(arrival: Arrival) -> str:
    if arrival.muxed_id is not None and address_of(arrival) is None:
        return "muxed id and memo disagree"
    if arrival.muxed_id is None and arrival.memo is None:
        return "no memo"
    return "nobody was given this memo"


def _said(total: int, how: str, bound: int) -> str:
    return f"{format_amount(total)} is {how} {format_amount(bound)}"


def _by_amount(expected: Expectation, amount: int) -> Judgement:
    about = expected.transaction_id
    collecting = expected.matching == "collect"
    if expected.is_funded or (expected.received and not collecting):
        return Judgement(Verdict.SECOND, about, note="the transaction is paid already")
    total = amount + expected.received
    slack = expected.tolerance if expected.matching == "tolerance" else 0
    low, high = _bounds(expected, slack)
    if high is not None and total > high:
        return Judgement(Verdict.TOO_LARGE, about, note=_said(total, "above", high))
    if total < low and not collecting:
        return Judgement(Verdict.TOO_SMALL, about, note=_said(total, "below", low))
    event = Event.FUNDS_RECEIVED if total >= low else None
    return Judgement(Verdict.CREDITED, about, event)


def _bounds(expected: Expectation, slack: int) -> tuple[int, int | None]:
    if expected.amount is not None:
        return max(expected.amount - slack, 1), expected.amount + slack
    return max(expected.min_amount or 1, 1), expected.max_amount

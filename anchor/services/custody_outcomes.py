"""What a custodian says about an order, written down with all that it means.

Paid is what a ledger shows to be paid; what contradicts a final fact is a case, and changes
nothing (promises 6 and 7).
"""

from sqlalchemy import select, text

from anchor.extensions import atomic, db
from anchor.integrations.custody import CustodyOutcome, Declined, Paid, Sent, Unknown
from anchor.ledger.gateway import LedgerTransaction
from anchor.models import Outflow
from anchor.services import (
    bookings,
    cases,
    custodians,
    custody_orders,
    evidence,
    jobs,
    order_ends,
    settling,
)
from anchor.services.custody_orders import Entrusted
from anchor.services.evidence import Evidence

#: The job that asks one custodian about all orders which it has yet to confirm.
POLL = "poll_custodian"
#: A transaction that no ledger shows after so long is told to a person.
_FOUND_AFTER_S = 600


def learn(entrusted: Entrusted, outcome: CustodyOutcome) -> None:
    """Hold an outcome against the ledger where it says paid, and write it down.

    Safe to repeat, and right also from a hand that lost its job meanwhile: it is recorded on
    the attempt that it is about. No transaction may be open.
    """
    found = evidence.look(entrusted.wanted, outcome) if isinstance(outcome, Paid) else None
    record(entrusted, outcome, found)


@atomic
def record(entrusted: Entrusted, outcome: CustodyOutcome, found: Evidence | None) -> None:
    """Write an outcome down, with what the ledger shows of it where it says paid."""
    outflow = custody_orders.locked(entrusted.outflow_id)
    assert outflow is not None
    if outflow.state in {"done", "refused"}:
        _after_the_end(outflow, outcome, found)
    elif isinstance(outcome, Paid):
        assert found is not None
        _paid(entrusted, outflow, found)
    elif isinstance(outcome, Sent):
        _sent(outflow, outcome.reference)
    elif isinstance(outcome, Unknown):
        outflow.note = _printable(outcome.reason)
    else:
        _declined(outflow, outcome)


def _sent(outflow: Outflow, reference: str | None) -> None:
    if reference is not None:
        outflow.reference = _printable(reference)
    if outflow.state == "sent":
        return
    outflow.state = "sent"
    assert outflow.custody is not None
    lane = custodians.lane_of(outflow.custody)
    jobs.renew(jobs.Address(POLL, outflow.custody), lane)


def _paid(entrusted: Entrusted, outflow: Outflow, shown: Evidence) -> None:
    if shown.differs is not None:
        _paid_otherwise(outflow, shown.hash, shown.differs)
    elif shown.found is None:
        _sent(outflow, None)
        outflow.told_hash = shown.hash
        if entrusted.key_age_s > _FOUND_AFTER_S:
            note = f"{shown.hash} is said to have paid it, and no ledger shows it"
            _tell(outflow, "custody_paid_unseen", note, cause=f"{outflow.key}/{shown.hash}")
    else:
        counted = _counted(shown)
        place = next((each for each in shown.places if each not in counted), None)
        if place is None:
            why = "it paid other orders of ours, and this one is not among them"
            _paid_otherwise(outflow, shown.hash, why)
            return
        _arrived(outflow, shown, shown.found, place, is_first=not counted)


def _paid_otherwise(outflow: Outflow, told_hash: str, why: str) -> None:
    _sent(outflow, None)
    outflow.told_hash = None
    note = f"{told_hash} is said to have paid it, and did not: {why}"
    _tell(outflow, "custody_paid_otherwise", note, cause=f"{outflow.key}/{told_hash}")


def _arrived(
    outflow: Outflow, shown: Evidence, found: LedgerTransaction, place: int, *, is_first: bool
) -> None:
    outflow.told_hash = shown.hash
    outflow.operation_index = place
    outflow.ledger = found.ledger
    outflow.fee_charged = shown.fee if is_first else 0
    bookings.custody_charged(found.hash, shown.fee)
    balances = dict(zip(shown.places, shown.balance_ids, strict=False))
    settling.arrived([outflow], found, balances)


def _counted(shown: Evidence) -> set[int | None]:
    """Return which operations of a transaction were counted for other orders already.

    Whoever asks next waits until this transaction of the database ends.
    """
    assert shown.found is not None
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('anchor.arrived'), hashtext(:hash))"),
        {"hash": shown.found.hash},
    )
    query = select(Outflow.operation_index).where(
        Outflow.reference == shown.found.hash, Outflow.state == "done", Outflow.form.is_not(None)
    )
    return set(db.session.scalars(query))


def _declined(outflow: Outflow, outcome: Declined) -> None:
    reason = _printable(outcome.reason)
    if outcome.code is not None:
        order_ends.end_by_code(outflow, _printable(outcome.code), custody_orders.again)
    else:
        order_ends.refuse(outflow, f"custody declined: {reason}")
        order_ends.hand_to_a_person(outflow, "custody_declined", reason)


def _after_the_end(outflow: Outflow, outcome: CustodyOutcome, shown: Evidence | None) -> None:
    if isinstance(outcome, Unknown):
        return
    if outflow.state == "done":
        is_same = shown is not None and (
            shown.hash in {outflow.told_hash, outflow.reference}
            or (shown.found is not None and shown.found.hash == outflow.reference)
        )
        if is_same or isinstance(outcome, Sent):
            return
    elif isinstance(outcome, Declined):
        return
    told = shown.hash if shown else type(outcome).__name__
    note = f"the order is {outflow.state}, and now {type(outcome).__name__} was reported: {told}"
    _tell(outflow, "contradicts_final_outcome", note, cause=f"{outflow.key}/{told}")


def _tell(outflow: Outflow, reason: str, note: str, *, cause: str | None = None) -> None:
    cases.open_case(
        reason,
        cause or outflow.key,
        note=note,
        transaction_id=outflow.transaction_id,
        asset=outflow.asset,
        amount_owed=outflow.amount,
    )


def _printable(told: object) -> str:
    return "".join(letter for letter in str(told) if letter.isprintable())[:500]

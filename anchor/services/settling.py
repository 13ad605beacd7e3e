"""What the end of a submission means for the deposits that it carried."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from sqlalchemy import BigInteger, Table, bindparam, func, select, update

from anchor.extensions import atomic, db
from anchor.ledger.gateway import LedgerTransaction
from anchor.lifecycle import Event
from anchor.models import Channel, Envelope, Outflow, Submission, Transaction
from anchor.services import bookings, cases, claimable_balances, known_lines, refund_ends
from anchor.services.order_ends import (
    end_by_code,
    hand_to_a_person,
    look_again,
    refuse,
    requeue,
)
from anchor.services.transactions import Happening, any_of, happened

ENDED = frozenset({"confirmed", "dead"})


@dataclass(frozen=True)
class Confirmed:
    """A submission that a ledger holds as `found`, successful.

    `balance_ids` are those of claimable balances, by the place of their operation.
    """

    submission_id: int
    found: LedgerTransaction
    balance_ids: Mapping[int, str] = field(default_factory=dict, hash=False)


@atomic
def confirmed(*ends: Confirmed) -> None:
    """Record that submissions are in a ledger and successful; the same twice changes nothing."""
    told = {end.submission_id: end for end in ends}
    submissions = [each for each in locked(told) if each.state != "confirmed"]
    rows = carried(*(submission.id for submission in submissions))
    _use_up({submission.id: told[submission.id].found for submission in submissions}, "confirmed")
    _arrived(rows, told)


def arrived(
    rows: Sequence[Outflow], found: LedgerTransaction, balance_ids: Mapping[int, str]
) -> None:
    """Write down that a ledger holds what these outflows were to do, carried by no submission.

    Needs an open transaction. They are locked and not finally known, and have the places of
    their operations.
    """
    db.session.flush()
    _arrived(rows, {0: Confirmed(0, found, balance_ids)})
    for outflow in rows:
        db.session.expire(outflow)


def _arrived(rows: Sequence[Outflow], told: Mapping[int, Confirmed]) -> None:
    _done(rows, told)
    _book(rows, told)
    refund_ends.done([outflow for outflow in rows if outflow.kind == "refund"])
    paid = [outflow for outflow in rows if _is_payment(outflow)]
    _add_to_paid(paid)
    happened(
        *(_paid(outflow, told[outflow.submission_id or 0]) for outflow in paid),
        *(
            Happening(outflow.pays_for, Event.TRUST_MISSING, outflow.key)
            for outflow in rows
            if outflow.form == "establish"
        ),
    )
    look_again(outflow for outflow in rows if outflow.form == "trustline_lumens")
    known_lines.remember(paid)


def _book(outflows: Sequence[Outflow], told: Mapping[int, Confirmed]) -> None:
    """Book what left; what a claim brought back in, and what waits now, have their own place."""
    bookings.ledger_payment_done(*(each for each in outflows if each.form != "claim"))
    for outflow in outflows:
        end, place = told[outflow.submission_id or 0], outflow.operation_index
        if outflow.form == "claim":
            claimable_balances.reclaimed(outflow, end.found)
        if place is not None and place in end.balance_ids:
            claimable_balances.begin(outflow, end.balance_ids[place])


def _done(outflows: Sequence[Outflow], told: Mapping[int, Confirmed]) -> None:
    table = cast(Table, Outflow.__table__)
    statement = (
        update(table)
        .where(table.c.id == bindparam("the_id"))
        .values(state="done", settled_at=func.now(), reference=bindparam("the_hash"))
    )
    rows = [
        {"the_id": each.id, "the_hash": told[each.submission_id or 0].found.hash}
        for each in outflows
    ]
    if rows:
        db.session.connection().execute(statement, rows)


def _add_to_paid(outflows: Sequence[Outflow]) -> None:
    """Add to what was paid of their transactions, which are locked in the house's one order."""
    ids = [outflow.transaction_id for outflow in outflows]
    query = select(Transaction.id).where(Transaction.id == any_of(ids))
    db.session.execute(query.order_by(Transaction.id).with_for_update())
    gross = func.coalesce(Outflow.sold, Outflow.amount + Outflow.amount_fee)
    db.session.execute(
        update(Transaction)
        .where(
            Transaction.id == Outflow.transaction_id,
            Outflow.id == any_of([outflow.id for outflow in outflows], BigInteger()),
        )
        .values(amount_paid=Transaction.amount_paid + gross)
        .execution_options(synchronize_session=False)
    )


def _paid(outflow: Outflow, end: Confirmed) -> Happening:
    columns: dict[str, object] = {"stellar_transaction_id": end.found.hash}
    place = outflow.operation_index
    if place is not None and place in end.balance_ids:
        columns["claimable_balance_id"] = end.balance_ids[place]
    return Happening(outflow.pays_for, Event.LEDGER_PAYMENT_CONFIRMED, outflow.key, columns=columns)


def _is_payment(outflow: Outflow) -> bool:
    """Tell what pays a transaction's money out, from what only prepares that or sends it back."""
    return outflow.kind == "submission" and not outflow.pays_nobody


@atomic
def failed(submission_id: int, found: LedgerTransaction) -> None:
    """Record that a submission is in a ledger and failed: nothing moved but the fee.

    Each operation that failed has its consequence by its code; the others go back to the
    queue, to be carried one by one.
    """
    submission = _locked(submission_id)
    if submission.state in ENDED:
        return
    _use_up({submission_id: found}, "dead")
    codes = found.verdict.failed_operations
    if not codes:
        cases.open_case("submission_failed", f"submission {submission_id}", note=found.verdict.code)
    for outflow in carried(submission_id):
        end_by_code(outflow, _code_of(outflow, codes), requeue)


def _code_of(outflow: Outflow, codes: Mapping[int, str]) -> str | None:
    """Return what an outflow failed for: the authorization, if there is one, before the payment."""
    assert outflow.operation_index is not None
    end = outflow.operation_index + 1
    return next((codes[at] for at in range(end - outflow.operations, end) if at in codes), None)


@atomic
def unusable(
    submission_id: int,
    why: str,
    *,
    newest_envelope_id: int,
    channel_sequence: int,
    codes: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Give up a submission of which no envelope can enter a ledger any more.

    Called only with the proof in hand: one answer of the ledger, closed after the last time
    bound, that shows the sequence number unused and the channel at `channel_sequence`. It
    speaks of the envelopes up to `newest_envelope_id`: where a newer one was stored
    meanwhile, nothing is written. `codes` are those of operations for which the network
    never took it.
    """
    submission = _locked(submission_id)
    if submission.state in ENDED or newest_envelope(submission_id) != newest_envelope_id:
        return
    bury(submission, why)
    db.session.execute(
        update(Channel).where(Channel.id == submission.channel_id).values(sequence=channel_sequence)
    )
    for outflow in carried(submission_id):
        end_by_code(outflow, _code_of(outflow, codes), requeue)


@atomic
def used_by_others(submission_id: int) -> None:
    """Tell that a sequence number is used up, and by no envelope that we can find.

    Nothing is sent again by itself: the source may be behind, or this database was restored
    and the money has left. A person says so by `given_up`.
    """
    cases.open_case(
        "sequence_used_by_others",
        f"submission {submission_id}",
        note="look for the transaction that used the channel; if it did not pay, "
        f"run `flask anchor give-up-submission {submission_id}`",
    )


@atomic
def in_trouble(submission_id: int, error: str) -> None:
    """Tell that a submission cannot go on by itself; it is tried again all the same."""
    cases.open_case(
        "submission_failing",
        f"submission {submission_id}/{error}",
        note=f"it ended in {error}, and is tried again",
    )


@atomic
def lacks_signatures(submission_id: int, why: str) -> None:
    """Tell, once for each reason, that people have to see to the signatures of a submission."""
    cases.open_case(
        "waits_for_signatures",
        f"submission {submission_id}/{why}",
        note=f"{why}; `flask anchor signatures list` shows what is missing",
    )


@atomic
def given_up(submission_id: int, why: str = "given up by a person") -> bool:
    """Put what a submission carries back into the queue, on a person's word; False where it ended.

    The person has made sure that none of its envelopes is in a ledger or can enter one. One that
    carries nothing needs nobody's word.
    """
    submission = _locked(submission_id)
    if submission.state in ENDED:
        return False
    bury(submission, why)
    submission.is_used_up = True
    db.session.execute(
        update(Channel).where(Channel.id == submission.channel_id).values(sequence=None)
    )
    for outflow in carried(submission_id):
        requeue(outflow)
    return True


@atomic
def declined(
    submission_id: int,
    reason: str,
    *,
    newest_envelope_id: int,
    channel_sequence: int | None = None,
) -> None:
    """Hold what a submission carries: custody finally signs no envelope of it.

    Called with the proof that none of those before `newest_envelope_id`, which it declined,
    can enter a ledger; `channel_sequence` is what that proof showed, None where there are
    none. Where a newer one was stored meanwhile, nothing is written.
    """
    submission = _locked(submission_id)
    if submission.state in ENDED or newest_envelope(submission_id) != newest_envelope_id:
        return
    if submission.state != "pending_signatures":
        return
    bury(submission, reason)
    if channel_sequence is not None:
        db.session.execute(
            update(Channel)
            .where(Channel.id == submission.channel_id)
            .values(sequence=channel_sequence)
        )
    for outflow in carried(submission_id):
        refuse(outflow, f"custody declined: {reason}")
        hand_to_a_person(outflow, "custody_declined", reason)


def _locked(submission_id: int) -> Submission:
    [found] = locked([submission_id])
    return found


def locked(ids: Iterable[int]) -> Sequence[Submission]:
    """Lock submissions, in the house's one order. Needs an open transaction."""
    return db.session.scalars(
        select(Submission)
        .where(Submission.id == any_of(ids, BigInteger()))
        .order_by(Submission.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def bury(submission: Submission, why: str) -> None:
    """End a locked submission that moved nothing; what it carried is its caller's to end."""
    submission.state = "dead"
    submission.codes = why[:500]
    submission.settled_at = func.now()


def newest_envelope(submission_id: int) -> int | None:
    """Return the id of the envelope that was stored last; None where none was."""
    query = select(func.max(Envelope.id)).where(Envelope.submission_id == submission_id)
    return db.session.scalar(query)


def carried(*submission_ids: int) -> Sequence[Outflow]:
    """Lock and return what submissions carry, in the order of their operations."""
    return db.session.scalars(
        select(Outflow)
        .where(
            Outflow.submission_id == any_of(submission_ids, BigInteger()),
            Outflow.state == "sent",
        )
        .order_by(Outflow.submission_id, Outflow.operation_index)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _use_up(found: Mapping[int, LedgerTransaction], state: str) -> None:
    """Note the ends of submissions in a ledger, their channels' new numbers, and what it cost."""
    table = cast(Table, Submission.__table__)
    names = ("ledger", "hash", "fee_charged", "codes")
    statement = (
        update(table)
        .where(table.c.id == bindparam("the_id"))
        .values(state=state, is_used_up=True, settled_at=func.now())
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    rows = [
        {
            "the_id": submission_id,
            "new_ledger": end.ledger,
            "new_hash": end.hash,
            "new_fee_charged": end.fee_charged,
            "new_codes": " ".join((end.verdict.code, *end.verdict.operation_codes))[:500],
        }
        for submission_id, end in found.items()
    ]
    if not rows:
        return
    db.session.connection().execute(statement, rows)
    db.session.execute(
        update(Channel)
        .where(Channel.id == Submission.channel_id, Submission.id == any_of(found, BigInteger()))
        .values(sequence=func.greatest(Channel.sequence, Submission.sequence))
        .execution_options(synchronize_session=False)
    )
    bookings.fees_charged({submission_id: end.fee_charged for submission_id, end in found.items()})

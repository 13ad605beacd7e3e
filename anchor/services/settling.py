"""What the end of a submission means for the deposits that it carried."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from sqlalchemy import func, select, update

from anchor.clock import utcnow
from anchor.extensions import atomic, db
from anchor.ledger.gateway import LedgerTransaction
from anchor.lifecycle import Event
from anchor.models import Channel, Envelope, Outflow, Submission, Transaction
from anchor.services import bookings, cases, jobs, refund_ends
from anchor.services.transactions import LEDGER_LANE, PAY_ON_LEDGER, Happening, happened

#: The account cannot take the payment yet: it waits for its owner or its issuer.
_TRUST_CODES = frozenset({"op_no_trust", "op_not_authorized", "op_line_full"})
#: The account came or went since it was looked at: it is looked at again.
_LOOK_AGAIN_CODES = frozenset({"op_no_destination", "op_already_exists"})
#: Our own account lacks what it takes: its queue waits, oldest first.
_LIQUIDITY_CODES = frozenset({"op_underfunded", "op_src_no_trust", "op_src_not_authorized"})
_LIQUIDITY_PAUSE_S = 30
_ENDED = frozenset({"confirmed", "dead"})


@atomic
def confirmed(submission_id: int, found: LedgerTransaction, balance_ids: Mapping[int, str]) -> None:
    """Record that a submission is in a ledger and successful; the same twice changes nothing.

    `balance_ids` are those of claimable balances, by the place of their operation.
    """
    submission = _locked(submission_id)
    if submission.state == "confirmed":
        return
    _used_up(submission, found, "confirmed")
    arrived(_carried(submission_id), found, balance_ids)


def arrived(
    rows: Sequence[Outflow], found: LedgerTransaction, balance_ids: Mapping[int, str]
) -> None:
    """Write down that a ledger holds what these outflows were to do. Needs an open transaction.

    They are locked and not finally known, and have the places of their operations.
    """
    for outflow in rows:
        outflow.state = "done"
        outflow.settled_at = func.now()
        outflow.reference = found.hash
        bookings.ledger_payment_done(outflow)
    refund_ends.done([outflow for outflow in rows if outflow.kind == "refund"])
    paid = [outflow for outflow in rows if _is_payment(outflow)]
    for outflow in paid:
        db.session.execute(
            update(Transaction)
            .where(Transaction.id == outflow.transaction_id)
            .values(amount_paid=Transaction.amount_paid + outflow.gross)
        )
    db.session.flush()
    happened(
        *(_paid(outflow, found, balance_ids) for outflow in paid),
        *(
            Happening(outflow.pays_for, Event.TRUST_MISSING, outflow.key)
            for outflow in rows
            if outflow.form == "establish"
        ),
    )


def _paid(outflow: Outflow, found: LedgerTransaction, balance_ids: Mapping[int, str]) -> Happening:
    columns: dict[str, object] = {"stellar_transaction_id": found.hash}
    place = outflow.operation_index
    if place is not None and place in balance_ids:
        columns["claimable_balance_id"] = balance_ids[place]
    return Happening(outflow.pays_for, Event.LEDGER_PAYMENT_CONFIRMED, outflow.key, columns=columns)


def _is_payment(outflow: Outflow) -> bool:
    """Tell what pays a transaction's money out, from what only prepares that or sends it back."""
    return outflow.kind == "submission" and outflow.form != "establish"


@atomic
def failed(submission_id: int, found: LedgerTransaction) -> None:
    """Record that a submission is in a ledger and failed: nothing moved but the fee.

    Each operation that failed has its consequence by its code; the others go back to the
    queue, to be carried one by one.
    """
    submission = _locked(submission_id)
    if submission.state in _ENDED:
        return
    _used_up(submission, found, "dead")
    codes = found.verdict.failed_operations
    if not codes:
        cases.open_case("submission_failed", f"submission {submission_id}", note=found.verdict.code)
    for outflow in _carried(submission_id):
        assert outflow.operation_index is not None
        end_by_code(outflow, codes.get(outflow.operation_index), _requeue)


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
    if submission.state in _ENDED or _newest(submission_id) != newest_envelope_id:
        return
    _bury(submission, why)
    db.session.execute(
        update(Channel).where(Channel.id == submission.channel_id).values(sequence=channel_sequence)
    )
    for outflow in _carried(submission_id):
        assert outflow.operation_index is not None
        end_by_code(outflow, codes.get(outflow.operation_index), _requeue)


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
def given_up(submission_id: int) -> bool:
    """Put what a submission carries back into the queue, on a person's word; False where it ended.

    The person has made sure that none of its envelopes is in a ledger or can enter one.
    """
    submission = _locked(submission_id)
    if submission.state in _ENDED:
        return False
    _bury(submission, "given up by a person")
    submission.is_used_up = True
    db.session.execute(
        update(Channel).where(Channel.id == submission.channel_id).values(sequence=None)
    )
    for outflow in _carried(submission_id):
        _requeue(outflow)
    return True


def unsigned_given_up(source: str) -> None:
    """Put back what is carried by submissions of which no envelope was ever stored."""
    for submission_id in _unsigned(source):
        _give_up_unsigned(submission_id)


@atomic
def _unsigned(source: str) -> Sequence[int]:
    stored = select(Envelope.id).where(Envelope.submission_id == Submission.id)
    query = select(Submission.id).where(
        Submission.source == source, Submission.state == "prepared", ~stored.exists()
    )
    return db.session.scalars(query).all()


@atomic
def _give_up_unsigned(submission_id: int) -> None:
    submission = _locked(submission_id)
    if submission.state in _ENDED or _newest(submission_id) is not None:
        return
    _bury(submission, "a custodian pays instead")
    for outflow in _carried(submission_id):
        _requeue(outflow)


@atomic
def unbuildable(submission_id: int, reason: str) -> None:
    """End a submission that cannot be built: a lone order goes to a person, others go alone."""
    submission = _locked(submission_id)
    if submission.state in _ENDED or _newest(submission_id) is not None:
        return
    _bury(submission, reason)
    carried = _carried(submission_id)
    for outflow in carried:
        if len(carried) > 1:
            _requeue(outflow)
        else:
            refuse(outflow, reason)
            hand_to_a_person(outflow, "cannot_be_built", reason)


@atomic
def declined(submission_id: int, reason: str) -> None:
    """Hold what a submission carries: custody will not sign it. No envelope was stored."""
    submission = _locked(submission_id)
    if submission.state in _ENDED or _newest(submission_id) is not None:
        return
    _bury(submission, reason)
    for outflow in _carried(submission_id):
        refuse(outflow, f"custody declined: {reason}")
        hand_to_a_person(outflow, "custody_declined", reason)


def withdraw(transaction_ids: Sequence[str], reason: str) -> None:
    """Take what waits in a queue out of it, before any submission carries it.

    Needs an open transaction that holds the transactions' rows. What is being carried at
    this moment is left alone: its filler looks once more whether it rests.
    """
    queued = db.session.scalars(
        select(Outflow)
        .where(
            Outflow.transaction_id.in_(transaction_ids),
            Outflow.state == "prepared",
            Outflow.kind == "submission",
        )
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for outflow in queued:
        refuse(outflow, reason)


def _locked(submission_id: int) -> Submission:
    found = db.session.scalar(
        select(Submission)
        .where(Submission.id == submission_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert found is not None
    return found


def _bury(submission: Submission, why: str) -> None:
    submission.state = "dead"
    submission.codes = why[:500]
    submission.settled_at = func.now()


def _newest(submission_id: int) -> int | None:
    query = select(func.max(Envelope.id)).where(Envelope.submission_id == submission_id)
    return db.session.scalar(query)


def _carried(submission_id: int) -> Sequence[Outflow]:
    return db.session.scalars(
        select(Outflow)
        .where(Outflow.submission_id == submission_id, Outflow.state == "sent")
        .order_by(Outflow.operation_index)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _used_up(submission: Submission, found: LedgerTransaction, state: str) -> None:
    """Note the end in a ledger, the channel's new sequence number, and what it cost."""
    submission.state = state
    submission.is_used_up = True
    submission.ledger = found.ledger
    submission.hash = found.hash
    submission.fee_charged = found.fee_charged
    verdict = found.verdict
    submission.codes = " ".join((verdict.code, *verdict.operation_codes))[:500]
    submission.settled_at = func.now()
    db.session.execute(
        update(Channel)
        .where(Channel.id == submission.channel_id)
        .values(sequence=func.greatest(Channel.sequence, submission.sequence))
    )
    bookings.fee_charged(submission, found.fee_charged)


def end_by_code(outflow: Outflow, code: str | None, requeue: Callable[[Outflow], None]) -> None:
    """Write down that an outflow moved nothing, with what its result code calls for.

    Without a code, and where our own account lacks something, `requeue` puts it back into
    its queue. Needs an open transaction, in which the outflow is locked and not finally known.
    """
    if code is None:
        requeue(outflow)
    elif code in _LIQUIDITY_CODES:
        requeue(outflow)
        pause_queue(outflow)
        cases.open_case(
            "waits_for_liquidity",
            f"{outflow.source}/{outflow.asset}/{code}/{utcnow():%Y-%m-%d}",
            note=f"{outflow.source} cannot pay ({code}); what is queued goes out when it can",
            asset=outflow.asset,
        )
    elif outflow.kind == "refund":
        refuse(outflow, code)
        refund_ends.failed(outflow)
    elif code in _TRUST_CODES:
        refuse(outflow, code)
        happened(Happening(outflow.pays_for, Event.TRUST_MISSING, outflow.key))
    elif code in _LOOK_AGAIN_CODES:
        refuse(outflow, code)
        _look_again(outflow)
    else:
        refuse(outflow, code)
        hand_to_a_person(outflow, "ledger_refused", code)


def pause_queue(outflow: Outflow) -> None:
    """Let all that this account owes in this asset wait, so that the oldest stays first."""
    db.session.flush()
    db.session.execute(
        update(Outflow)
        .where(
            Outflow.source == outflow.source,
            Outflow.asset == outflow.asset,
            Outflow.state == "prepared",
            Outflow.form.is_not(None),
        )
        .values(not_before=func.now() + timedelta(seconds=_LIQUIDITY_PAUSE_S))
    )


def _look_again(outflow: Outflow) -> None:
    """Let the deposit be looked at anew; one that only lacked its account never moved."""
    if outflow.form == "establish":
        jobs.ensure([(jobs.Address(PAY_ON_LEDGER, outflow.pays_for), LEDGER_LANE)])
    else:
        happened(Happening(outflow.pays_for, Event.LEDGER_PAYMENT_FAILED, outflow.key))


def _requeue(outflow: Outflow) -> None:
    outflow.state = "prepared"
    outflow.is_alone = True
    outflow.submission_id = None
    outflow.operation_index = None


def refuse(outflow: Outflow, reason: str) -> None:
    """Write down that an outflow finally moved nothing. Needs an open transaction."""
    outflow.state = "refused"
    outflow.settled_at = func.now()
    outflow.note = reason[:500]
    if outflow.form != "establish":
        bookings.outflow_refused(outflow)
    db.session.flush()


def hand_to_a_person(
    outflow: Outflow, reason: str, note: str, *, was_submitted: bool = True
) -> None:
    """Let a refused outflow's transaction rest until a person has looked at it.

    Needs an open transaction. `was_submitted` tells whether its status says so.
    """
    if outflow.kind == "refund":
        refund_ends.failed(outflow)
        return
    cases.open_case(
        reason,
        outflow.key,
        note=note,
        transaction_id=outflow.transaction_id,
        asset=outflow.asset,
        amount_owed=outflow.gross,
    )
    if was_submitted and outflow.form != "establish":
        happened(Happening(outflow.pays_for, Event.LEDGER_PAYMENT_FAILED, outflow.key))
    happened(Happening(outflow.pays_for, Event.HELD, outflow.key))

"""How one order on the ledger ends that moved nothing: again, later, elsewhere, or a person's."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

from sqlalchemy import and_, func, or_, select, true, update

from anchor.clock import utcnow
from anchor.extensions import db
from anchor.lifecycle import Event, Kind
from anchor.models import Outflow, Transaction
from anchor.services import (
    bookings,
    cases,
    claimable_balances,
    jobs,
    known_lines,
    outflows,
    refund_ends,
)
from anchor.services.transactions import LEDGER_LANE, PAY_ON_LEDGER, Happening, happened

#: What `withdraw` takes back, where nobody carries it at that moment.
CAN_BE_WITHDRAWN = and_(
    Outflow.state == "prepared",
    or_(Outflow.kind == "submission", and_(Outflow.kind == "payout", Outflow.calls == 0)),
)
#: Somebody closed the line since it was looked at, wholly or to all but its offers.
_CLOSED_CODES = frozenset({"op_not_authorized", "op_invalid_state"})
#: The account cannot take the payment yet: it waits for its owner or its issuer.
_TRUST_CODES = _CLOSED_CODES | {"op_no_trust", "op_line_full"}
#: The account came or went since it was looked at: it is looked at again.
_LOOK_AGAIN_CODES = frozenset({"op_no_destination", "op_already_exists"})
#: Our own account lacks what it takes: its queue waits, oldest first.
LIQUIDITY_CODES = frozenset({"op_underfunded", "op_src_no_trust", "op_src_not_authorized"})
_LIQUIDITY_PAUSE_S = 30
#: What a call took was found out too long ago, or wrongly, or the host refused in the ledger what
#: it took as it was simulated: it is simulated, which says why, and sent, anew, …
_STALE_CODES = frozenset(
    {
        *("resource_limit_exceeded", "entry_archived", "insufficient_refundable_fee"),
        "function_trapped",
    }
)
#: … so often, and then a person looks.
_STALE_MAX = 3
_RPC_PAUSE_S = 15
#: The call that this was found out by has its turn after others.
_CALL_PAUSE_S = 60
#: Who waits for the RPC for longer is told of.
_LONG = timedelta(hours=1)


def end_by_code(outflow: Outflow, code: str | None, requeue: Callable[[Outflow], None]) -> None:
    """Write down that an outflow moved nothing, with what its result code calls for.

    Without a code, and where our own account lacks something, `requeue` puts it back into
    its queue. Needs an open transaction, in which the outflow is locked and not finally known.
    """
    if code is None:
        requeue(outflow)
    elif outflow.form == "claim":
        refuse(outflow, code)
        claimable_balances.not_reclaimed(outflow, code)
    elif code in LIQUIDITY_CODES or _lacks_reserve(outflow, code):
        requeue(outflow)
        pause_queue(outflow, code)
        cases.open_case(
            "waits_for_liquidity",
            f"{outflow.source}/{outflow.asset}/{code}/{utcnow():%Y-%m-%d}",
            note=f"{outflow.source} cannot pay ({code}); what is queued goes out when it can",
            asset=outflow.asset,
        )
    elif code in _STALE_CODES and _was_refused(outflow, _STALE_CODES) < _STALE_MAX:
        refuse(outflow, code)
        _again(outflow)
    elif outflow.kind == "refund":
        refuse(outflow, code)
        refund_ends.failed(outflow)
    elif code in _TRUST_CODES and not _is_remittance(outflow):
        refuse(outflow, code)
        if code in _CLOSED_CODES:
            known_lines.remember([outflow])
        happened(Happening(outflow.pays_for, Event.TRUST_MISSING, outflow.key))
    elif code in _LOOK_AGAIN_CODES:
        refuse(outflow, code)
        _look_again(outflow)
    else:
        refuse(outflow, code)
        hand_to_a_person(outflow, "ledger_refused", code)


def _is_remittance(outflow: Outflow) -> bool:
    """Tell what pays another anchor: nobody waits for that one's account to be ready."""
    row = db.session.get_one(Transaction, outflow.pays_for)
    return row.kind == Kind.REMITTANCE


def _lacks_reserve(outflow: Outflow, code: str) -> bool:
    """Tell whether our account cannot bear the reserve of a claimable balance."""
    return code == "op_low_reserve" and outflow.form == "claimable_balance"


def _was_refused(outflow: Outflow, codes: Collection[str]) -> int:
    """Return how many attempts of the same were refused with such a code before."""
    same = Outflow.transaction_id == outflow.transaction_id
    if outflow.transaction_id is None:
        same = Outflow.payment_id == outflow.payment_id
    query = select(func.count()).where(same, Outflow.state == "refused", Outflow.note.in_(codes))
    return db.session.execute(query).scalar_one()


def _again(outflow: Outflow) -> None:
    """Have a call that was refused made anew: a deposit after another look at its account."""
    if outflow.kind == "refund":
        outflows.queue_again(outflow)
    else:
        _look_again(outflow)


def pause_call(outflow: Outflow, why: str, *, is_told: bool = False) -> None:
    """Let one queued call of a contract wait, and others go before it. Needs an open transaction.

    A person is told of it where that `is_told`, and of whatever has waited for long.
    """
    outflow.not_before = func.now() + timedelta(seconds=_CALL_PAUSE_S)
    db.session.flush()
    long = select(Outflow.begun_at < func.now() - _LONG).where(Outflow.id == outflow.id)
    if is_told or db.session.scalar(long):
        cases.open_case(
            "call_waits",
            outflow.key,
            note=why,
            transaction_id=outflow.transaction_id,
            asset=outflow.gross_asset,
            amount_owed=outflow.gross,
        )


def pause_calls(source: str) -> None:
    """Let all calls of contracts wait that are queued for an account. Needs an open transaction."""
    db.session.flush()
    soon = func.now() + timedelta(seconds=_RPC_PAUSE_S)
    db.session.execute(
        update(Outflow)
        .where(Outflow.source == source, Outflow.state == "prepared", Outflow.calls_contract)
        .values(not_before=func.greatest(Outflow.not_before, soon))
        .execution_options(synchronize_session=False)
    )


def pause_queue(outflow: Outflow, code: str) -> None:
    """Let all that would meet the same wait, so that the oldest stays first.

    That is what the account owes in this asset; of a reserve, its claimable balances alone.
    Needs an open transaction.
    """
    db.session.flush()
    same = Outflow.form == outflow.form if _lacks_reserve(outflow, code) else true()
    db.session.execute(
        update(Outflow)
        .where(
            Outflow.source == outflow.source,
            Outflow.asset == outflow.asset,
            Outflow.state == "prepared",
            Outflow.form.is_not(None),
            same,
        )
        .values(not_before=func.now() + timedelta(seconds=_LIQUIDITY_PAUSE_S))
    )


def look_again(prepared: Iterable[Outflow]) -> None:
    """Let deposits be looked at anew that never moved: their accounts were only to be prepared."""
    ids = (outflow.pays_for for outflow in prepared)
    jobs.ensure((jobs.Address(PAY_ON_LEDGER, each), LEDGER_LANE) for each in ids)


def _look_again(outflow: Outflow) -> None:
    if outflow.only_prepares:
        look_again([outflow])
    else:
        happened(Happening(outflow.pays_for, Event.LEDGER_PAYMENT_FAILED, outflow.key))


def requeue(outflow: Outflow) -> None:
    """Put an outflow back into the queue of its source, to be carried alone."""
    outflow.state = "prepared"
    outflow.is_alone = True
    outflow.submission_id = None
    outflow.operation_index = None


def refuse(outflow: Outflow, reason: str) -> None:
    """Write down that an outflow finally moved nothing. Needs an open transaction."""
    outflow.state = "refused"
    outflow.settled_at = func.now()
    outflow.note = reason[:500]
    if not outflow.pays_nobody:
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
    if outflow.form == "claim":
        claimable_balances.not_reclaimed(outflow, note)
        return
    asset, owed = outflow.gross_asset, outflow.gross
    if outflow.only_prepares:  # lumens of ours: what is owed is the deposit
        row = db.session.get_one(Transaction, outflow.pays_for, populate_existing=True)
        asset, owed = row.received_as, row.amount_received - row.amount_paid - row.amount_refunded
    cases.open_case(
        reason,
        outflow.key,
        note=note,
        transaction_id=outflow.transaction_id,
        asset=asset,
        amount_owed=owed,
    )
    if was_submitted and not outflow.only_prepares:
        happened(Happening(outflow.pays_for, Event.LEDGER_PAYMENT_FAILED, outflow.key))
    happened(Happening(outflow.pays_for, Event.HELD, outflow.key))


def withdraw(transaction_ids: Sequence[str], reason: str) -> None:
    """Take back what waits in a queue, or was ordered of a rail that has not heard of it.

    Needs an open transaction that holds the transactions' rows. What is being carried at
    this moment is left alone: its filler looks once more whether it rests.
    """
    queued = db.session.scalars(
        select(Outflow)
        .where(
            Outflow.transaction_id.in_(transaction_ids),
            CAN_BE_WITHDRAWN,
        )
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for outflow in queued:
        refuse(outflow, reason)

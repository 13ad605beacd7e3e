"""What the other side says about an attempt, written down with all that it means.

Only an answer that is marked as finally negative ends an attempt without money having moved;
what contradicts a final fact is a case (promises 6 and 7).
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import func, select, update

from anchor.errors import Rejected
from anchor.extensions import atomic, db
from anchor.integrations.protocols import (
    Done,
    Held,
    NeedsInfo,
    Outcome,
    ReadyForPickup,
    Refused,
    Returned,
    Sent,
    Unknown,
)
from anchor.lifecycle import FINAL, Event, Status
from anchor.models import Customer, Outflow, Transaction
from anchor.money import format_amount, to_stroops
from anchor.services import bookings, cases, refund_ends, returns, send_customers
from anchor.services.outflows import Attempt
from anchor.services.transactions import Happening, happened

_NEGATIVE = Refused | Held | NeedsInfo | Returned


@atomic
def record(attempt: Attempt, outcome: Outcome) -> None:
    """Write down what the other side said, with its consequence for the transaction.

    Safe to repeat, and right also from a hand that lost its job meanwhile: a fact is
    recorded on the attempt it is about, and what contradicts a final fact is a case.
    """
    # Whoever locks a customer and a transaction locks the customer first.
    receiver = (
        send_customers.hold_receiver(attempt.order.transaction_id)
        if isinstance(outcome, NeedsInfo)
        else None
    )
    outflow = db.session.scalar(
        select(Outflow)
        .where(Outflow.id == attempt.outflow_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert outflow is not None
    outcome = _storable(outflow, outcome)
    if outflow.state == "done" and isinstance(outcome, Returned):
        returns.came_back(outflow, outcome)
    elif outflow.state in {"done", "refused"}:
        _after_the_end(outflow, outcome)
    elif isinstance(outcome, Done):
        _done(outflow, outcome)
    elif isinstance(outcome, Sent | ReadyForPickup):
        _sent(outflow, outcome)
    elif isinstance(outcome, Unknown):
        outflow.state = outflow.state if outflow.state == "sent" else "unknown"
        outflow.note = outcome.reason[:500]
    else:
        _refused(outflow, outcome, receiver)


def _storable(outflow: Outflow, outcome: Outcome) -> Outcome:
    """Return the outcome without what no table can hold: the fact counts, not its trimmings."""
    if isinstance(outcome, Done | Sent | ReadyForPickup) and outcome.reference is not None:
        outcome = replace(outcome, reference=_printable(outcome.reference))
    if isinstance(outcome, ReadyForPickup | NeedsInfo) and outcome.message is not None:
        outcome = replace(outcome, message=_printable(outcome.message))
    if isinstance(outcome, NeedsInfo):
        told = {_printable(name): _printable(why) for name, why in outcome.fields.items()}
        outcome = replace(outcome, fields=told)
    if isinstance(outcome, Done) and outcome.delivered_amount is not None:
        try:
            to_stroops(outcome.delivered_amount)
        except (Rejected, AttributeError, TypeError):
            cases.open_case(
                "delivered_unreadable",
                outflow.key,
                note="the rail said how much was delivered in a way that no ledger can hold",
                transaction_id=outflow.transaction_id,
                asset=outflow.asset,
            )
            outcome = replace(outcome, delivered_amount=None)
    return outcome


def _printable(text: object) -> str:
    return "".join(letter for letter in str(text) if letter.isprintable())[:500]


def _done(outflow: Outflow, outcome: Done) -> None:
    outflow.state = "done"
    outflow.settled_at = func.now()
    outflow.reference = outcome.reference or outflow.reference
    outflow.delivered_amount = _stroops(outcome.delivered_amount)
    bookings.rail_payment_done(outflow)
    _tell_if_delivered_differs(outflow)
    if outflow.kind == "refund":
        refund_ends.done([outflow])
        return
    db.session.execute(
        update(Transaction)
        .where(Transaction.id == outflow.transaction_id)
        .values(amount_paid=Transaction.amount_paid + outflow.gross)
    )
    _tell(outflow, Event.PAYOUT_COMPLETED)
    _look_for_rest(outflow)


def _tell_if_delivered_differs(outflow: Outflow) -> None:
    delivered = outflow.delivered_amount
    if delivered is not None and delivered != outflow.amount:
        cases.open_case(
            "delivered_differs",
            outflow.key,
            note=f"ordered {format_amount(outflow.amount)}, delivered {format_amount(delivered)}",
            transaction_id=outflow.transaction_id,
            asset=outflow.asset,
        )


def _look_for_rest(outflow: Outflow) -> None:
    """Open a case where more was received than is paid out: somebody is owed the rest."""
    left = db.session.scalar(
        select(
            Transaction.amount_received - Transaction.amount_paid - Transaction.amount_refunded
        ).where(Transaction.id == outflow.transaction_id)
    )
    if left:
        cases.open_case(
            "received_more_than_paid",
            outflow.key,
            transaction_id=outflow.transaction_id,
            asset=outflow.gross_asset,
            amount_owed=left,
        )


def _sent(outflow: Outflow, outcome: Sent | ReadyForPickup) -> None:
    first = outflow.state != "sent"
    outflow.state = "sent"
    outflow.reference = outcome.reference or outflow.reference
    if outflow.kind == "refund":
        return
    if isinstance(outcome, ReadyForPickup):
        _tell(outflow, Event.PAYOUT_READY_FOR_PICKUP, message=outcome.message)
    elif first:
        _tell(outflow, Event.PAYOUT_SENT)


def _refused(
    outflow: Outflow, outcome: Refused | Held | NeedsInfo | Returned, receiver: Customer | None
) -> None:
    event, reason = _negative(outcome)
    outflow.state = "refused"
    outflow.settled_at = func.now()
    outflow.note = reason[:500]
    bookings.outflow_refused(outflow)
    db.session.flush()
    if outflow.kind == "refund":
        refund_ends.failed(outflow)
        return
    if not isinstance(outcome, NeedsInfo):
        _tell(outflow, event)
    elif receiver is None or not _asks_receiver(outflow, outcome, receiver):
        required = {"required_info": dict(outcome.fields)}
        _tell(outflow, event, message=outcome.message, columns=required)
    cases.open_case(
        event.value,
        outflow.key,
        note=outflow.note,
        transaction_id=outflow.transaction_id,
        asset=outflow.gross_asset,
        amount_owed=outflow.gross,
    )


def _asks_receiver(outflow: Outflow, outcome: NeedsInfo, receiver: Customer) -> bool:
    """Have the receiver of a send correct what they gave; False where they gave nothing of it."""
    wrong = send_customers.held_by(receiver, outcome.fields)
    if not wrong or wrong != outcome.fields.keys():
        return False
    row = db.session.get_one(
        Transaction, outflow.transaction_id, with_for_update=True, populate_existing=True
    )
    if row.status in FINAL or not send_customers.correct(receiver, row, outcome.fields):
        return False
    if row.status != Status.PENDING_RECEIVER:
        _tell(outflow, Event.PAYOUT_NEEDS_INFO)
    _tell(outflow, Event.CUSTOMER_INFO_NEEDED, message=outcome.message)
    return True


def _negative(outcome: Refused | Held | NeedsInfo | Returned) -> tuple[Event, str]:
    if isinstance(outcome, Returned):
        return Event.PAYOUT_RETURNED, outcome.reason
    if isinstance(outcome, Held):
        return Event.HELD, outcome.reason
    if isinstance(outcome, NeedsInfo):
        return Event.PAYOUT_NEEDS_INFO, ", ".join(sorted(outcome.fields)) or "details"
    return Event.PAYOUT_REFUSED, outcome.reason


def _after_the_end(outflow: Outflow, outcome: Outcome) -> None:
    """Open a case for what contradicts the end; whoever does not know contradicts nobody.

    Two hands may have been about one attempt: the slower one may have heard nothing.
    """
    agreeing = Done | Sent | ReadyForPickup if outflow.state == "done" else _NEGATIVE
    if isinstance(outcome, Unknown | agreeing):
        return
    cases.open_case(
        "contradicts_final_outcome",
        f"{outflow.key}/{type(outcome).__name__}",
        note=f"the attempt is {outflow.state}, and now {type(outcome).__name__} was reported",
        transaction_id=outflow.transaction_id,
        asset=outflow.asset,
        amount_owed=outflow.amount,
    )


def _tell(
    outflow: Outflow,
    event: Event,
    message: str | None = None,
    columns: Mapping[str, object] | None = None,
) -> None:
    columns = dict(columns or {})
    if outflow.reference:
        columns["external_transaction_id"] = outflow.reference
    if message:
        columns["message"] = message[:500]
    db.session.flush()
    if _is_after_the_end(outflow):
        return
    happened(Happening(outflow.pays_for, event, outflow.key, columns=columns))


def _is_after_the_end(outflow: Outflow) -> bool:
    """Tell whether it pays again what came back: the transaction has its final status."""
    query = select(Transaction.status).where(Transaction.id == outflow.transaction_id)
    return db.session.scalar(query.with_for_update()) in FINAL


def _stroops(amount: Decimal | None) -> int | None:
    return None if amount is None else to_stroops(amount)

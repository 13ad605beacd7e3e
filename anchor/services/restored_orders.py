"""Orders that a custodian was given after the backup that was restored: asked for by their keys.

Keys are derived, so the custodian knows the next one of a deposit if it was given it. What it
knows is taken back into the books and held against the ledger as any order is; nothing is sent
before that (promises 6 and 7).
"""

from sqlalchemy import func, select, update

from anchor.extensions import atomic, db
from anchor.integrations.custody import Custodian, CustodyOutcome
from anchor.lifecycle import FINAL, Event
from anchor.models import Case, Outflow, Payment, Transaction
from anchor.money import FeeSchedule, split
from anchor.services import (
    bookings,
    custodians,
    custody_orders,
    custody_outcomes,
    deposit_payments,
    outflows,
    recovery,
)
from anchor.services.custody_orders import Entrusted
from anchor.services.transactions import Happening, can_have, happened


def ask(transaction_id: str) -> tuple[list[str], list[str]]:
    """Ask the custodian for the keys of a deposit that come next, until it does not know one.

    Returns the keys that were taken back, and sentences about what cannot be told: they keep
    money from leaving. Raises `Unavailable` where the custodian does not answer.
    """
    custodian, found = custodians.current(), list[str]()
    while custodian is not None:
        planned = _planned(transaction_id, custodian)
        if planned is None:
            break
        key = planned.order.key
        if not custodian.traits.can_look_up:
            return found, [f"{key}: the custodian {custodian.name} cannot be asked for it"]
        outcome = _known(custodian, planned)
        if outcome is None:
            break
        custody_outcomes.learn(_adopt(transaction_id, custodian), outcome)
        _close_alarms(key)
        found.append(key)
    return found, []


def _known(custodian: Custodian, planned: Entrusted) -> CustodyOutcome | None:
    def find() -> CustodyOutcome | None:
        return custodian.find(planned.order)

    who = f"the custodian {custodian.name}"
    return recovery.look_up(who, planned.order.key, find, CustodyOutcome)


@atomic
def _planned(transaction_id: str, custodian: Custodian) -> Entrusted | None:
    """Return the order that would be given next, without giving it; None where one is out."""
    row, outflow = _next(transaction_id)
    if outflow is None:
        return None
    with db.session.no_autoflush:
        _give(outflow, row, custodian)
        planned = custody_orders.as_value(outflow, 0, 0)
        db.session.expunge(outflow)
    return planned


@atomic
def _adopt(transaction_id: str, custodian: Custodian) -> Entrusted:
    """Write down that the custodian has had the next order since the money for it came."""
    row, outflow = _next(transaction_id)
    assert outflow is not None, "somebody else gave an order although all is paused"
    is_forgotten = outflow.id is None
    _give(outflow, row, custodian)
    db.session.flush()
    if is_forgotten:
        row.amount_in, row.amount_out = outflow.gross, outflow.amount
        row.amount_fee = outflow.amount_fee
        bookings.outflow_opened(outflow)
    if outflow.form != "establish" and can_have(row, Event.LEDGER_PAYMENT_SUBMITTED):
        happened(Happening(row.id, Event.LEDGER_PAYMENT_SUBMITTED, outflow.key))
    return custody_orders.read(outflow.id)


def _next(transaction_id: str) -> tuple[Transaction, Outflow | None]:
    row = db.session.scalars(
        select(Transaction)
        .where(Transaction.id == transaction_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    opened = db.session.scalar(
        select(Outflow)
        .where(Outflow.transaction_id == row.id, Outflow.state.in_(("prepared", "sent", "unknown")))
        .execution_options(populate_existing=True)
    )
    if row.status in FINAL or row.destination is None or (opened and opened.state != "prepared"):
        return row, None
    return row, opened or _forgotten(row)


def _forgotten(row: Transaction) -> Outflow:
    """Make the payment of a deposit anew; how it was delivered only the ledger knows."""
    left = row.amount_received - row.amount_refunded
    parts = split(left, FeeSchedule(row.fee_fixed, row.fee_percent), 7)
    attempt = outflows.next_attempt(row.id)
    return Outflow(
        transaction_id=row.id,
        kind="submission",
        attempt=attempt,
        key=f"{row.id}-{attempt}",
        form="payment",
        asset=row.asset,
        amount=parts.amount_out,
        amount_fee=parts.amount_fee,
        source=deposit_payments.policy_of(row.asset).distribution,
        destination=row.destination,
        memo_type=row.destination_memo_type,
        memo=row.destination_memo,
        is_alone=row.destination_memo is not None,
        begun_at=row.funded_at,
        note="a backup was restored",
    )


def _give(outflow: Outflow, row: Transaction, custodian: Custodian) -> None:
    outflow.state = "unknown"
    outflow.custody = custodian.name
    outflow.calls = 1
    outflow.first_called_at = row.funded_at
    outflow.called_at = row.funded_at
    db.session.add(outflow)


@atomic
def _close_alarms(key: str) -> None:
    """Close the case about an outgoing payment that an order taken back explains."""
    paid = db.session.execute(
        select(Outflow.reference, Outflow.operation_index).where(
            Outflow.key == key, Outflow.state == "done"
        )
    ).one_or_none()
    if paid is None:
        return
    cause = func.concat(
        "payment ", Payment.network_id, "/", Payment.operation_id, "/", Payment.index
    )
    causes = select(cause).where(
        Payment.transaction_hash == paid.reference,
        Payment.direction == "out",
        Payment.operation_id.op("&")(0xFFF) == paid.operation_index + 1,
    )
    db.session.execute(
        update(Case)
        .where(Case.reason == "outgoing_unknown", Case.cause.in_(causes))
        .where(Case.closed_at.is_(None))
        .values(closed_at=func.now())
    )

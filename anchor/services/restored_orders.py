"""Orders that a custodian was given after the backup that was restored: asked for by their keys.

Keys are derived, so the custodian knows the next one of a deposit if it was given it. What it
knows is taken back into the books and held against the ledger as any order is; nothing is sent
before that (promises 6 and 7).
"""

from sqlalchemy import select

from anchor.extensions import atomic, db
from anchor.integrations.custody import Custodian, CustodyOutcome
from anchor.lifecycle import FINAL, Event
from anchor.models import OUTFLOW_OPEN, Outflow, Payment, Transaction
from anchor.services import (
    bookings,
    conversions,
    custodians,
    custody_orders,
    custody_outcomes,
    deposit_payments,
    order_ends,
    outflows,
    recovery,
    restored_payments,
)
from anchor.services.custody_orders import Entrusted
from anchor.services.restored import (
    AHEAD,
    NOTE,
    Found,
    Pause,
    is_under_way,
    judge_unknown,
    let_go_on,
    locked,
    may_leave,
)
from anchor.services.transactions import Happening, can_have, happened


def ask(transaction_id: str, found: Found, pause: Pause) -> None:
    """Ask the custodian for the keys of a deposit that come next, several of them.

    One that was finally declined may be unknown by now, and the one after it paid. What cannot
    be told keeps money from leaving. Raises `Unavailable` where the custodian does not answer.
    """
    custodian = custodians.current()
    first = _first(transaction_id) if custodian is not None else None
    if custodian is None or first is None:
        return
    key = f"{transaction_id}-{first}"
    if not custodian.traits.can_look_up:
        who = f"the custodian {custodian.name}"
        found.unexplained.append(f"{key}: {who} cannot be asked for it")
        return
    number, last = first, first + AHEAD - 1
    while number <= last:
        planned = _planned(transaction_id, number, custodian)
        if planned is None:
            break
        outcome = _known(custodian, planned)
        if outcome is not None:
            custody_outcomes.learn(_adopt(transaction_id, number, custodian), outcome)
            _explain(planned.order.key)
            found.deposits.append(planned.order.key)
            last = number + AHEAD
        number += 1
    if may_leave(transaction_id) and not _is_out(transaction_id):
        judge_unknown(f"the custodian {custodian.name}", key, custodian.traits, pause, found)


@atomic
def _is_out(transaction_id: str) -> bool:
    return is_under_way(transaction_id)


def _known(custodian: Custodian, planned: Entrusted) -> CustodyOutcome | None:
    def find() -> CustodyOutcome | None:
        return custodian.find(planned.order)

    who = f"the custodian {custodian.name}"
    return recovery.look_up(who, planned.order.key, find, CustodyOutcome)


@atomic
def _first(transaction_id: str) -> int | None:
    """Return the number of the order that would be given next; None where one is out."""
    row, queued = _next(transaction_id)
    if row is None:
        return None
    return queued.attempt if queued else outflows.next_attempt(row.id)


@atomic
def _planned(transaction_id: str, number: int, custodian: Custodian) -> Entrusted | None:
    """Return the order of a number as it would be given; None where one is out."""
    row, queued = _next(transaction_id)
    if row is None:
        return None
    outflow = queued if queued and queued.attempt == number else _forgotten(row, number)
    with db.session.no_autoflush:
        _give(outflow, row, custodian)
        planned = custody_orders.as_value(outflow, 0, 0)
        db.session.expunge(outflow)
    return planned


@atomic
def _adopt(transaction_id: str, number: int, custodian: Custodian) -> Entrusted:
    """Write down that the custodian has had an order since the money for it came."""
    row, queued = _next(transaction_id)
    assert row is not None, "somebody else gave an order although all is paused"
    is_queued = queued is not None and queued.attempt == number
    if not is_queued:
        order_ends.withdraw([row.id], "a later order was given before the backup was restored")
    outflow = queued if queued and is_queued else _forgotten(row, number)
    _give(outflow, row, custodian)
    db.session.flush()
    if not is_queued:
        row.amount_in, row.amount_out = outflow.gross, outflow.amount
        row.amount_fee = outflow.amount_fee
        bookings.outflow_opened(outflow)
    if not outflow.only_prepares:
        let_go_on(row, Event.LEDGER_PAYMENT_SUBMITTED, outflow.key)
    if not outflow.only_prepares and can_have(row, Event.LEDGER_PAYMENT_SUBMITTED):
        happened(Happening(row.id, Event.LEDGER_PAYMENT_SUBMITTED, outflow.key))
    return custody_orders.read(outflow.id)


def _next(transaction_id: str) -> tuple[Transaction | None, Outflow | None]:
    """Return a deposit and its order that waits in the queue; no deposit where one is out."""
    row = locked(transaction_id)
    opened = db.session.scalar(
        select(Outflow)
        .where(Outflow.transaction_id == row.id, Outflow.state.in_(OUTFLOW_OPEN))
        .execution_options(populate_existing=True)
    )
    if row.status in FINAL or row.destination is None or (opened and opened.state != "prepared"):
        return None, None
    if opened and opened.kind != "submission":
        return None, None
    return row, opened


def _forgotten(row: Transaction, number: int) -> Outflow:
    """Make the payment of a deposit anew; how it was delivered only the ledger knows."""
    parts = deposit_payments.parts_of(row, with_creation=False)
    return Outflow(
        transaction_id=row.id,
        kind="submission",
        attempt=number,
        key=f"{row.id}-{number}",
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
        note=NOTE,
        **conversions.sold(row, parts),
    )


def _give(outflow: Outflow, row: Transaction, custodian: Custodian) -> None:
    outflow.state = "unknown"
    outflow.custody = custodian.name
    outflow.calls = 1
    outflow.first_called_at = row.funded_at
    outflow.called_at = row.funded_at
    db.session.add(outflow)


@atomic
def _explain(key: str) -> None:
    """Say of the payment that an order taken back made that this explains it."""
    paid = db.session.scalar(select(Outflow).where(Outflow.key == key, Outflow.state == "done"))
    if paid is None:
        return
    payment = db.session.scalar(
        select(Payment).where(
            Payment.transaction_hash == paid.reference,
            Payment.direction == "out",
            Payment.operation_id.op("&")(0xFFF) == (paid.operation_index or 0) + 1,
        )
    )
    if payment is not None:
        restored_payments.explain(payment, paid)

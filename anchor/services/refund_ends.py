"""How a refund ends: the customer has the money back, or a person has to look again."""

from collections.abc import Sequence

from sqlalchemy import func, select, update

from anchor.extensions import db
from anchor.lifecycle import Event
from anchor.models import Case, Outflow, Transaction
from anchor.services import arrivals, cases
from anchor.services.transactions import Happening, can_have, happened


def done(refunds: Sequence[Outflow]) -> None:
    """Write down that these refunds arrived. Needs an open transaction.

    A transaction of which all came back and nothing was paid out is ``refunded``; after the
    end a status stays as it is. The case about money that is all sent back is closed.
    """
    for outflow in refunds:
        if outflow.transaction_id is not None:
            _transaction_got_back(outflow, outflow.transaction_id)
        db.session.flush()
        cause = arrivals.cause_of(outflow)
        if arrivals.lock(cause).left == 0:
            _close(cause)


def _transaction_got_back(outflow: Outflow, transaction_id: str) -> None:
    row = _locked(transaction_id)
    row.amount_refunded += outflow.gross
    db.session.flush()
    is_all = row.amount_paid == 0 and row.amount_refunded == row.amount_received
    event = Event.REFUND_COMPLETED if is_all else Event.PARTLY_REFUNDED
    if can_have(row, event):
        happened(Happening(transaction_id, event, outflow.key))


def _close(cause: str) -> None:
    db.session.execute(
        update(Case)
        .where(Case.cause == cause, Case.closed_at.is_(None))
        .values(closed_at=func.now())
    )


def failed(outflow: Outflow) -> None:
    """Write down that a refund was finally refused: a person decides anew.

    Needs an open transaction in which the outflow is ``refused`` already, with its `note`.
    """
    cases.open_case(
        "refund_refused",
        outflow.key,
        note=outflow.note,
        transaction_id=outflow.transaction_id,
        asset=outflow.asset,
        amount_owed=outflow.gross,
    )
    if outflow.transaction_id is not None:
        row = _locked(outflow.transaction_id)
        if can_have(row, Event.REFUND_FAILED):
            happened(Happening(outflow.transaction_id, Event.REFUND_FAILED, outflow.key))


def _locked(transaction_id: str) -> Transaction:
    return db.session.scalars(
        select(Transaction)
        .where(Transaction.id == transaction_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()

"""Money that comes back after it was paid: owed again, and a person's to answer."""

from sqlalchemy import func, update

from anchor.errors import Rejected
from anchor.extensions import db
from anchor.integrations.protocols import Returned
from anchor.ledger.gateway import LedgerPayment
from anchor.lifecycle import Event
from anchor.matching import Judgement
from anchor.models import Outflow, Transaction
from anchor.money import to_stroops
from anchor.services import bookings, cases, remittances
from anchor.services.transactions import Happening, can_have, happened

#: What the other anchor says of a transaction of which it sent all back that it sends back.
REFUNDED = "refunded"


def came_back(outflow: Outflow, told: Returned) -> None:
    """Write down that an outflow which was done came back. Needs an open transaction.

    The status stays; what we owe is all that was sent, whatever the way back cost (promise 1,
    "after the end"); on a quote, what it was bought with. The same twice changes nothing.
    """
    if outflow.returned_at is not None:
        return
    outflow.returned_at = func.now()
    amount = _amount(outflow, told)
    bookings.came_back(outflow, amount)
    left = Transaction.amount_paid if outflow.kind == "payout" else Transaction.amount_refunded
    db.session.execute(
        update(Transaction)
        .where(Transaction.id == outflow.transaction_id)
        .values({left: left - outflow.net})
    )
    cases.open_case(
        f"{outflow.kind}_returned",
        outflow.key,
        note=told.reason[:500],
        transaction_id=outflow.transaction_id,
        asset=outflow.gross_asset,
        amount_owed=outflow.net,
    )


def _amount(outflow: Outflow, told: Returned) -> int:
    """Return what came back in stroops; all of it where the rail does not say readably."""
    try:
        amount = outflow.amount if told.amount is None else to_stroops(told.amount)
    except (Rejected, AttributeError, TypeError):
        return outflow.amount
    return min(amount, outflow.amount)


def remittance_came_back(cause: str, payment: LedgerPayment, judgement: Judgement) -> None:
    """Write down what another anchor sent back of a remittance that we paid it (ADR 026).

    Needs an open transaction in which the remittance is locked. That much is owed to our
    customer again: not what the other one kept. Once all is back, or the other one had said that
    this is all, the remittance rests: a person sends it back by rail, or sends anew.
    """
    assert judgement.transaction_id is not None
    assert payment.amount is not None
    row, known = remittances.locked(judgement.transaction_id)
    row.amount_paid -= payment.amount
    db.session.flush()
    cases.open_case(
        "remittance_returned",
        cause,
        note=f"{payment.counterparty} sent it back; there it was {known.remote_id}",
        transaction_id=row.id,
        asset=row.asset,
        amount_owed=payment.amount,
    )
    if row.amount_paid == 0 or known.remote_status == REFUNDED:
        remittances.forget_agreement(row, known)
        db.session.flush()
        if can_have(row, Event.PAYOUT_RETURNED):
            happened(Happening(row.id, Event.PAYOUT_RETURNED, cause))

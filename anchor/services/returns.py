"""Money that comes back after the end: owed again, and a person's to answer."""

from sqlalchemy import func, update

from anchor.errors import Rejected
from anchor.extensions import db
from anchor.integrations.protocols import Returned
from anchor.models import Outflow, Transaction
from anchor.money import to_stroops
from anchor.services import bookings, cases


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

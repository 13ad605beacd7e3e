"""Interactive transactions that wait for their customer to be judged: they go on by themselves.

Whoever confirmed a draft while being looked at left it in `pending_anchor`, with no memo and no
reference, so that nobody pays. How the customer stands is told in the commit of the verdict; what
follows is a job's, for giving out a memo may have to wait, and no verdict does.
"""

from sqlalchemy import ColumnElement, and_, or_, select

from anchor.customers.standing import Stand
from anchor.errors import Rejected
from anchor.extensions import atomic, db
from anchor.lifecycle import Event, Status
from anchor.models import Customer, Transaction
from anchor.services import customer_waits, draft_customers, drafts, jobs
from anchor.services.transactions import Happening, happened

COMPLETE = "complete_transaction"
_LANE, _LEASE_S = "completions", 60


def customer_stands(customer_id: str, type_: str, stand: Stand) -> None:
    """Owe the job for each transaction that waited for this. Needs an open transaction."""
    if stand is Stand.PROCESSING or not type_.startswith("sep24"):
        return
    waiting = select(Transaction.id).where(
        _is_of(db.session.get_one(Customer, customer_id)),
        Transaction.flow == drafts.FLOW,
        Transaction.status == Status.PENDING_ANCHOR,
        Transaction.amount_received == 0,
    )
    for each in db.session.scalars(waiting).all():
        jobs.renew(jobs.Address(COMPLETE, each), _LANE)


def _is_of(customer: Customer) -> ColumnElement[bool]:
    """Return the condition under which a transaction is a customer's: named, or their own."""
    named = Transaction.customer_id == customer.id
    if customer.memo_type not in {"none", "id"}:
        return named
    subaccount = int(customer.memo) if customer.memo_type == "id" else None
    own = and_(
        Transaction.customer_id.is_(None),
        Transaction.owner_account == customer.owner_account,
        Transaction.owner_subaccount.is_not_distinct_from(subaccount),
    )
    return or_(named, own)


def complete(claimed: jobs.Claim) -> None:
    """Go on with one, as its customer stands now; the job `COMPLETE`."""
    try:
        _complete(claimed)
    except Rejected as refusal:
        _give_back(claimed, str(refusal))


@atomic
def _complete(claimed: jobs.Claim) -> None:
    row = _held(claimed)
    customer = draft_customers.customer_of(row) if row is not None else None
    if row is None or customer is None or row.amount_expected is None:
        return
    cause = f"customer {customer.customer_id} {customer.stand}"
    if customer.stand is Stand.ACCEPTED:
        drafts.give_details(row, row.amount_expected, row.rail, row.details, cause)
    elif customer.stand is Stand.REJECTED:
        columns = {"message": customer.message or drafts.REFUSED}
        happened(Happening(row.id, Event.FAILED, cause, columns=columns))
    elif customer.stand is Stand.NEEDS_INFO:
        happened(Happening(row.id, Event.DETAILS_NEEDED, f"{cause} {row.version}"))


@atomic
def _give_back(claimed: jobs.Claim, why: str) -> None:
    """Let the customer confirm anew what cannot be promised any more: a quote that ran out."""
    row = _held(claimed)
    if row is not None:
        happened(Happening(row.id, Event.DETAILS_NEEDED, f"{why} {row.version}"))


def _held(claimed: jobs.Claim) -> Transaction | None:
    """Lock the customer, the job and the transaction, in this order; None where none waits.

    A verdict that comes now locks its customer, and then the job that it owes.
    """
    row = db.session.get_one(Transaction, claimed.subject_id)
    draft_customers.hold(row)
    jobs.hold(claimed)
    db.session.refresh(row, with_for_update=True)
    is_here = row.status == Status.PENDING_ANCHOR and row.amount_received == 0
    return row if is_here else None


customer_waits.follow(customer_stands)
jobs.declare(
    COMPLETE, jobs.Work(complete, lambda _lane: _LEASE_S, lambda _lane: 4, is_of_transaction=True)
)

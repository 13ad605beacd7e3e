"""Looking at remittances: the newest first, or one with what keeps it."""

from dataclasses import dataclass

from sqlalchemy import select

from anchor.errors import NotFound
from anchor.extensions import atomic, db
from anchor.models import Job, Remittance, Transaction
from anchor.services.transactions import FOLLOW_REMITTANCE, REMIT

MAX_PAGE = 200


@dataclass(frozen=True)
class Shown:
    """A remittance as a person sees it; amounts in stroops. Its payer writes `reference`."""

    id: str
    domain: str
    asset: str
    amount: int
    status: str
    rail: str
    reference: str | None
    remote_id: str | None
    remote_status: str | None
    message: str | None
    stellar_transaction_id: str | None
    is_resting: bool
    trouble: str | None


@atomic
def listing(*, status: str | None = None, limit: int = MAX_PAGE) -> list[Shown]:
    """Return remittances, the newest first."""
    query = select(Transaction, Remittance).join(
        Remittance, Remittance.transaction_id == Transaction.id
    )
    if status is not None:
        query = query.where(Transaction.status == status)
    query = query.order_by(Transaction.started_at.desc(), Transaction.id).limit(limit)
    found = db.session.execute(query.execution_options(populate_existing=True)).all()
    return [_shown(row, known, None) for row, known in found]


@atomic
def show(transaction_id: str) -> Shown:
    """Return one remittance; `NotFound` where there is none."""
    query = select(Transaction, Remittance, Job.last_error).join(
        Remittance, Remittance.transaction_id == Transaction.id
    )
    at_work = (Job.subject_id == Transaction.id) & Job.kind.in_((REMIT, FOLLOW_REMITTANCE))
    query = query.outerjoin(Job, at_work).where(Transaction.id == transaction_id).limit(1)
    found = db.session.execute(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound(f"there is no remittance {transaction_id}")
    return _shown(*found)


def _shown(row: Transaction, known: Remittance, trouble: str | None) -> Shown:
    return Shown(
        id=row.id,
        domain=known.domain,
        asset=row.asset_code,
        amount=row.amount_expected or 0,
        status=row.status,
        rail=row.rail,
        reference=row.reference,
        remote_id=known.remote_id,
        remote_status=known.remote_status,
        message=row.message,
        stellar_transaction_id=row.stellar_transaction_id,
        is_resting=row.is_resting,
        trouble=trouble,
    )

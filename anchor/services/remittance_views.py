"""Looking at remittances: the newest first, or one with what keeps it and what happened to it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_

from anchor.errors import NotFound
from anchor.extensions import atomic, db
from anchor.models import Case, Job, Remittance, Transaction
from anchor.services import desk, remittances, trails
from anchor.services.trails import Entry
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
    opened_at: datetime
    deadline_at: datetime | None
    key: str | None
    funding_method: str | None
    buys: str | None
    least_out: int | None
    amount_paid: int
    amount_refunded: int


@dataclass(frozen=True)
class Waiting:
    """A case of a remittance that a person has to answer."""

    id: int
    reason: str
    note: str | None


@dataclass(frozen=True)
class Story:
    """All that a person is shown of one remittance, what happened the oldest first.

    `details` are the names of what is known of its parties, by part, and no value; `acts` are the
    names of what may be done about it as things stand.
    """

    shown: Shown
    entries: tuple[Entry, ...]
    cases: tuple[Waiting, ...]
    details: dict[str, list[str]]
    may_be_amended: bool
    acts: tuple[str, ...]


@atomic
def listing(
    *,
    status: str | None = None,
    domain: str | None = None,
    is_resting: bool | None = None,
    after: str | None = None,
    limit: int = MAX_PAGE,
) -> list[Shown]:
    """Return remittances, the newest first; those `after` the last one of the page before.

    `is_resting` chooses those that wait for a person, or those that do not.
    """
    query = select(Transaction, Remittance).join(
        Remittance, Remittance.transaction_id == Transaction.id
    )
    if status is not None:
        query = query.where(Transaction.status == status)
    if domain is not None:
        query = query.where(Remittance.domain == domain)
    if is_resting is not None:
        query = query.where(Transaction.is_resting == is_resting)
    place = Remittance.opened_at, Remittance.transaction_id
    if after is not None:
        last = db.session.get(Remittance, after)
        if last is None:
            raise NotFound(f"there is no remittance {after}")
        query = query.where(tuple_(*place) < tuple_(last.opened_at, last.transaction_id))
    query = query.order_by(*(column.desc() for column in place)).limit(min(limit, MAX_PAGE))
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


@atomic
def tell(transaction_id: str) -> Story:
    """Return one remittance with all that is told of it; `NotFound` where there is none."""
    shown = show(transaction_id)
    cases = select(Case).where(Case.transaction_id == transaction_id, Case.closed_at.is_(None))
    row = db.session.get_one(Transaction, transaction_id)
    known = db.session.get_one(Remittance, transaction_id)
    return Story(
        shown,
        trails.of_transaction(transaction_id),
        tuple(
            Waiting(each.id, each.reason, each.note)
            for each in db.session.scalars(cases.order_by(Case.id))
        ),
        remittances.names_of(known),
        remittances.may_be_amended(row),
        desk.acts_of(transaction_id),
    )


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
        opened_at=known.opened_at,
        deadline_at=row.deadline_at,
        key=known.key,
        funding_method=known.funding_method,
        buys=known.buys,
        least_out=known.least_out,
        amount_paid=row.amount_paid,
        amount_refunded=row.amount_refunded,
    )

"""What an act is about, as whoever does it sees it before and after; and why cases are open."""

from dataclasses import dataclass, replace

from sqlalchemy import func, select

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.models import Case, Outflow, Transaction
from anchor.services import arrivals, desk, retries
from anchor.services.arrivals import Arrival
from anchor.services.desk import Desk
from anchor.services.jobs import Address


@dataclass(frozen=True)
class Concerned:
    """A transaction as an act leaves it; amounts in stroops of `asset`, as the books name it.

    `version` counts what became of it: what was looked at can be held against it.
    """

    id: str
    version: int
    kind: str
    status: str
    is_resting: bool
    asset: str
    expected: int | None
    received: int
    paid: int
    refunded: int
    acts: tuple[str, ...]


@dataclass(frozen=True)
class Going:
    """Money that goes out, or went: `amount` stroops of `asset`, by a `carrier` or the ledger."""

    key: str
    kind: str
    state: str
    asset: str
    amount: int
    carrier: str | None
    is_custodians: bool
    transaction_id: str | None


@dataclass(frozen=True)
class About:
    """All that an act may be about; `job` is the one that a case tells of.

    `choices` is what was credited to the transaction where that is several and none is named: a
    refund is of one of them.
    """

    case: Desk | None = None
    transaction: Concerned | None = None
    outflow: Going | None = None
    arrival: Arrival | None = None
    job: Address | None = None
    choices: tuple[Arrival, ...] = ()

    def calls_for(self, act: str) -> bool:
        """Tell whether an act is among those that may be done now, as far as that is known."""
        known = self.case or self.transaction
        return known is None or act in known.acts


@atomic
def about(
    case_id: int | None = None, transaction_id: str | None = None, key: str | None = None
) -> About:
    """Return what is named: a case, a transaction, money that goes out by its key, or several.

    Raises `NotFound`, also where they are not about one another: what is shown has to be what is
    acted on. `Rejected` where nothing is named.
    """
    if case_id is not None:
        found = _of_case(case_id, key)
    elif transaction_id is not None:
        outflow = _of(desk.outflow_of(None, transaction_id, key), key)
        found = About(transaction=_concerned(transaction_id), outflow=outflow)
    elif key is not None:
        return _of_key(key)
    else:
        raise Rejected("name a case, a transaction or the key of what goes out")
    shown = found.transaction.id if found.transaction else None
    if transaction_id not in {None, shown}:
        raise NotFound(f"case {case_id} is not about {transaction_id}")
    return replace(found, choices=_choices(found))


def _choices(found: About) -> tuple[Arrival, ...]:
    if found.arrival is not None or found.transaction is None:
        return ()
    credited = arrivals.of_transaction(found.transaction.id)
    return tuple(credited) if len(credited) > 1 else ()


def _of_key(key: str) -> About:
    outflow = _outflow(key)
    row_id = outflow.transaction_id
    return About(transaction=_concerned(row_id) if row_id else None, outflow=_going(outflow))


def _of(outflow: Outflow | None, key: str | None) -> Going | None:
    if outflow is None and key is not None:
        raise NotFound(f"{key} is none of what this is about")
    return _going(outflow) if outflow else None


def _of_case(case_id: int, key: str | None) -> About:
    shown, row = desk.show(case_id), db.session.get_one(Case, case_id)
    arrival = desk.arrival_of(row)
    transaction_id = row.transaction_id or (arrival.transaction_id if arrival else None)
    return About(
        case=shown,
        transaction=_concerned(transaction_id) if transaction_id else None,
        outflow=_of(desk.outflow_of(row, key=key), key),
        arrival=arrival,
        job=retries.of_case(row.cause) if row.reason.startswith("job_") else None,
    )


@atomic
def transaction(transaction_id: str) -> Concerned:
    """Return how a transaction stands; `NotFound` where there is none."""
    return _concerned(transaction_id)


@atomic
def outflow(key: str) -> Going:
    """Return how what goes out stands; `NotFound` where nothing has that key."""
    return _going(_outflow(key))


@atomic
def open_reasons() -> list[tuple[str, int]]:
    """Return for which reasons cases are open, and how many of each, by name."""
    query = select(Case.reason, func.count()).where(Case.closed_at.is_(None))
    found = db.session.execute(query.group_by(Case.reason).order_by(Case.reason))
    return [(reason, count) for reason, count in found]


def _concerned(transaction_id: str) -> Concerned:
    acts = desk.acts_of(transaction_id)
    row = db.session.get_one(Transaction, transaction_id)
    return Concerned(
        id=row.id,
        version=row.version,
        kind=row.kind,
        status=row.status,
        is_resting=row.is_resting,
        asset=row.received_as,
        expected=row.amount_expected,
        received=row.amount_received,
        paid=row.amount_paid,
        refunded=row.amount_refunded,
        acts=acts,
    )


def _outflow(key: str) -> Outflow:
    query = select(Outflow).where(Outflow.key == key)
    found = db.session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound(f"nothing goes out under the key {key}")
    return found


def _going(outflow: Outflow) -> Going:
    return Going(
        key=outflow.key,
        kind=outflow.kind,
        state=outflow.state,
        asset=outflow.asset,
        amount=outflow.amount,
        carrier=outflow.custody or outflow.rail,
        is_custodians=outflow.custody is not None,
        transaction_id=outflow.transaction_id,
    )

"""What happened to a transaction, and what persons did about it, in one order of time."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from anchor.extensions import by_statement, db
from anchor.models import Act, Case, History


@dataclass(frozen=True)
class Entry:
    """What happened, by what `cause`, or what `who` did, and why (`note`).

    `status` is how the transaction stood from then on.
    """

    at: datetime
    what: str
    status: str | None = None
    who: str | None = None
    note: str | None = None
    cause: str | None = None


@by_statement
def of_transaction(transaction_id: str) -> tuple[Entry, ...]:
    """Return the history of a transaction with the acts about it and its cases, the oldest first.

    An act stands before what it made happen at the same instant.
    """
    history = select(History).where(History.transaction_id == transaction_id).order_by(History.id)
    cases = db.session.scalars(select(Case.id).where(Case.transaction_id == transaction_id)).all()
    about = or_(Act.transaction_id == transaction_id, Act.case_id.in_(cases))
    found = [
        *(
            Entry(each.happened_at, each.event, each.status, cause=each.cause)
            for each in db.session.scalars(history)
        ),
        *(
            Entry(each.done_at, each.what, who=each.who, note=each.note)
            for each in db.session.scalars(select(Act).where(about).order_by(Act.id))
        ),
    ]
    return tuple(sorted(found, key=lambda each: (each.at, each.who is None)))

"""References: one allocator for all deposits, and none is ever given out twice."""

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from anchor import references
from anchor.errors import Unavailable
from anchor.extensions import db
from anchor.models import Transaction

_TRIES = 8


def issue(row: Transaction) -> str:
    """Give a locked transaction its reference: one that no other ever had.

    It has one for life; asking again returns the same. Needs an open transaction.
    """
    if row.reference is not None:
        return row.reference
    for _ in range(_TRIES):
        reference = references.make()
        try:
            with db.session.begin_nested():
                db.session.execute(
                    update(Transaction)
                    .where(Transaction.id == row.id)
                    .values(reference=reference)
                    .execution_options(synchronize_session=False)
                )
        except IntegrityError:
            continue
        db.session.expire(row, ["reference"])
        return reference
    raise Unavailable("no free reference was found; try again")

"""References: one allocator for all deposits, and none is ever given out twice."""

from typing import cast

from sqlalchemy import Table, bindparam, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

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
    connection = db.session.connection()
    for _ in range(_TRIES):
        reference = references.make()
        try:
            with connection.begin_nested():
                connection.execute(_GIVE, {"the_id": row.id, "new_reference": reference})
        except IntegrityError:
            continue
        set_committed_value(row, "reference", reference)
        return reference
    raise Unavailable("no free reference was found; try again")


_TABLE = cast(Table, Transaction.__table__)
_GIVE = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("the_id"))
    .values(reference=bindparam("new_reference"))
)

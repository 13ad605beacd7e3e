"""Details that a rail wants again: its wallet corrects them, and the money tries once more.

A correction and its consequence are one commit; what was refused stays refused under its key,
and the next attempt has a key of its own.
"""

from collections.abc import Mapping

from sqlalchemy import func, update

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, house
from anchor.integrations.protocols import Field
from anchor.lifecycle import Event, Status
from anchor.models import Case, Transaction
from anchor.services import details, outflows
from anchor.services.transactions import Happening, Owner, happened, owner_of


@atomic
def give(owner: Owner, flow: str, transaction_id: str, given: Mapping[str, str]) -> None:
    """Correct details of the owner's transaction that its rail asked for again (SEP6-110 to 112).

    Raises `NotFound`, or `Rejected` where nothing is asked, money of it is on its way, or
    something is missing, wrong, or not asked for; then nothing was changed.
    """
    row = db.session.get(Transaction, transaction_id, with_for_update=True, populate_existing=True)
    if row is None or row.flow != flow or owner_of(row) != owner:
        raise NotFound("there is no such transaction")
    if row.status != Status.PENDING_TRANSACTION_INFO_UPDATE:
        raise Rejected("nothing is asked of this transaction")
    if outflows.has_open(row.id):
        raise Rejected("money of this transaction is on its way; nothing can be changed now")
    asked = _asked(row)
    unknown = sorted(given.keys() - {each.name for each in asked})
    if unknown:
        raise Rejected("{field} is not asked for", field=unknown[0])
    values, problems = details.read(asked, given)
    if problems:
        raise next(iter(problems.values()))
    columns = {"details": dict(row.details) | values, "required_info": None, "message": None}
    _answered(row)
    cause = f"correction {row.version}"
    happened(Happening(row.id, Event.TRANSACTION_INFO_GIVEN, cause, columns=columns))


def _asked(row: Transaction) -> list[Field]:
    """Return the fields that are wanted; where the rail named none, whichever it knows."""
    rail = house().rails.get(row.rail)
    known = {each.name: each for each in details.asked(rail, row.kind)} if rail else {}
    names = list(row.required_info or known)
    return [known.get(name) or Field(name, name) for name in names]


def _answered(row: Transaction) -> None:
    """Close the cases that told a person of what was missing."""
    mine = Case.transaction_id == row.id, Case.closed_at.is_(None)
    asks = Case.reason == Event.PAYOUT_NEEDS_INFO.value
    db.session.execute(update(Case).where(*mine, asks).values(closed_at=func.now()))

"""Asking another anchor how a remittance goes: after it was paid, or while it wants to know more.

Nothing is owed to the other anchor but questions, so nothing is lost wherever this dies. What it
says moves no money: a status of ``refunded`` is believed when the money is here (ADR 026).
"""

from datetime import timedelta

from anchor.clock import utcnow
from anchor.errors import AnchorError, Unavailable
from anchor.extensions import atomic, db
from anchor.lifecycle import Event, Status
from anchor.models import Transaction
from anchor.services import cases, deposit_payments, jobs, remittances, remitting
from anchor.services.other_anchors import Told
from anchor.services.remitting import ASKS, OVER
from anchor.services.returns import REFUNDED
from anchor.services.transactions import (
    FOLLOW_REMITTANCE,
    Happening,
    happened,
)

_COMPLETED = "completed"
_FOLLOWED = (Status.PENDING_EXTERNAL, Status.PENDING_CUSTOMER_INFO_UPDATE)
_LONGEST_S = 6 * 3600
#: After so long without an end a person is told.
_PATIENCE = timedelta(days=3)
_NO_MONEY = "nothing is owed again before the money is here, under its refund memo"


def follow(claimed: jobs.Claim) -> None:
    """Ask how a remittance stands, until its end; the job `FOLLOW_REMITTANCE`.

    Raises `jobs.Later` as long as there is something to ask, with pauses that grow.
    """
    found = _read(claimed)
    if found is None:
        return
    domain, asset, remote_id = found
    try:
        client = remitting.greet(claimed, domain, deposit_payments.policy_of(asset))
        told = client.look(remote_id)
    except Unavailable as error:
        _told_nothing(claimed, str(error))
        raise
    except AnchorError as refusal:
        _told_nothing(claimed, str(refusal))
        raise _later(claimed, str(refusal)) from refusal
    if not _record(claimed, told):
        raise _later(claimed, f"its transaction is {told.status}")


def _later(claimed: jobs.Claim, why: str) -> jobs.Later:
    return jobs.Later(min(_LONGEST_S, 1 << min(claimed.attempts, 15)), why, counts=True)


@atomic
def _read(claimed: jobs.Claim) -> tuple[str, str, str] | None:
    jobs.hold(claimed)
    row, known = remittances.locked(claimed.subject_id)
    if row.status not in _FOLLOWED or known.remote_id is None:
        return None
    return known.domain, row.asset, known.remote_id


@atomic
def _record(claimed: jobs.Claim, told: Told) -> bool:
    """Write down how it stands there, with its consequence; True where nothing is to be asked."""
    jobs.hold(claimed)
    row, known = remittances.locked(claimed.subject_id)
    if known.remote_id != told.id:
        return True
    known.remote_status, known.asked_at = told.status, utcnow()
    db.session.flush()
    if row.status == Status.PENDING_CUSTOMER_INFO_UPDATE:
        return _waited(row, told)
    if row.status == Status.PENDING_EXTERNAL:
        return _paid(row, told)
    return True


def _waited(row: Transaction, told: Told) -> bool:
    """Let an unpaid one go on as soon as the other anchor asks nothing more."""
    if told.status in ASKS:
        return False
    happened(Happening(row.id, Event.CUSTOMER_INFO_GIVEN, f"look {row.version}"))
    return True


def _paid(row: Transaction, told: Told) -> bool:
    cause = f"{told.id} {told.status}"
    if told.status == _COMPLETED:
        columns = {"external_transaction_id": told.external_id, "message": None}
        happened(Happening(row.id, Event.PAYOUT_COMPLETED, cause, columns=columns))
        return True
    if told.status == REFUNDED and row.amount_paid < (row.amount_in or 0):
        happened(Happening(row.id, Event.PAYOUT_RETURNED, cause))  # the rest is what it keeps
        return True
    if told.status in OVER:
        _tell(row, "remittance_failed", f"the other anchor says {told.status}; {_NO_MONEY}")
    elif told.status in ASKS:
        _tell(row, "remittance_needs_information", f"the other anchor says {told.status}")
    elif row.updated_at < utcnow() - _PATIENCE:
        _tell(row, "remittance_undelivered", f"paid days ago, and it is {told.status} still")
    return False


@atomic
def _told_nothing(claimed: jobs.Claim, why: str) -> None:
    """Tell a person of one that nobody answers about for days."""
    jobs.hold(claimed)
    row, _known = remittances.locked(claimed.subject_id)
    if row.updated_at < utcnow() - _PATIENCE:
        _tell(row, "remittance_undelivered", f"nobody says how it goes: {why}")


def _tell(row: Transaction, reason: str, note: str) -> None:
    """Open a case, once for each stay in a status. Needs an open transaction."""
    cases.open_case(
        reason,
        f"{row.id}/{row.version}",
        note=note[:500],
        transaction_id=row.id,
        asset=row.asset,
        amount_owed=None,
    )


@atomic
def owe() -> None:
    """Owe a look for each remittance that is followed: a sweep's first half."""
    remittances.owe_each(FOLLOW_REMITTANCE, Transaction.status.in_(_FOLLOWED))


jobs.declare(
    FOLLOW_REMITTANCE,
    jobs.Work(
        follow,
        lambda _lane: remitting.LEASE_S,
        lambda _lane: remitting.CEILING,
        parks=False,
        is_of_transaction=True,
    ),
)

"""Deposits that wait until their account can take the asset, and the looking for that.

Ready means that the line exists, is authorized and has room for the amount. Waiting never
ends in ``expired``, for the money is in: after the policy's days a person is told.
"""

from datetime import timedelta

from sqlalchemy import exists, func, literal, select

from anchor.extensions import atomic, db, gateway
from anchor.ledger import destinations
from anchor.lifecycle import Event, Status
from anchor.models import Job, Transaction
from anchor.services import cases, jobs
from anchor.services.deposit_payments import Wanted, of_claims, policy_of
from anchor.services.transactions import CHECK_TRUST, LEDGER_LANE, Happening, happened

#: From the first wait on each is twice the one before, from 10 seconds to an hour.
_FIRST_WAIT_S = 10
_LAST_WAIT_S = 3600
_LEASE_S = 60
_CEILING = 4


def check(claimed: jobs.Claim) -> None:
    """Look at the account of one deposit; the job `CHECK_TRUST`.

    Raises `jobs.Later` while it cannot take the asset.
    """
    found, ends = of_claims([claimed])
    for error in ends.values():
        raise error
    if claimed not in found:
        return
    wanted = found[claimed]
    account = gateway().account(wanted.account_id)
    room = destinations.room_for(account, wanted.asset, wanted.amount)
    if room == destinations.READY:
        _ready(claimed, wanted)
        return
    _tell_if_long(claimed, wanted, room)
    wait_s = min(_LAST_WAIT_S, _FIRST_WAIT_S << min(claimed.attempts - 1, 10))
    raise jobs.Later(wait_s, f"the account is not ready: {room}", counts=True)


@atomic
def _ready(claimed: jobs.Claim, wanted: Wanted) -> None:
    jobs.hold(claimed)
    happened(Happening(wanted.transaction_id, Event.TRUST_FOUND, f"look {wanted.version}"))


@atomic
def _tell_if_long(claimed: jobs.Claim, wanted: Wanted, room: str) -> None:
    jobs.hold(claimed)
    days = policy_of(wanted.asset).delivery.trust_days
    waits = select(Transaction.funded_at < func.now() - timedelta(days=days)).where(
        Transaction.id == wanted.transaction_id
    )
    if db.session.scalar(waits):
        cases.open_case(
            "trust_is_missing",
            wanted.transaction_id,
            note=f"for {days} days: {room}; refund it, or wait on",
            transaction_id=wanted.transaction_id,
            asset=wanted.asset,
            amount_owed=wanted.amount,
        )


@atomic
def owe_checks() -> None:
    """Owe a look for each deposit that waits for trust: a sweep's first half."""
    owed = exists().where(Job.kind == CHECK_TRUST, Job.subject_id == Transaction.id)
    query = select(Transaction.id, literal(LEDGER_LANE)).where(
        Transaction.status == Status.PENDING_TRUST, Transaction.funded_at.is_not(None), ~owed
    )
    jobs.ensure_each(CHECK_TRUST, query)


jobs.declare(CHECK_TRUST, jobs.Work(check, lambda _lane: _LEASE_S, lambda _lane: _CEILING))

"""Claimable balances that deposits were paid by: followed until somebody claims them.

The user may claim one until its time is over; after that we claim it back. That is an order
of form ``claim`` in the ordinary queue of the account that made it (`anchor.services.submissions`),
which brings money in: it pays nobody and moves no status. What came back is owed to the
customer: a case says so, the deposit stays ``completed``.

The crash windows, and what the next claim of the job finds:

1. the balance is made, and its submission not recorded: nothing is followed yet. The record
   writes the balance, and owes the job, in one commit;
2. before the order to claim it back is committed: nothing happened; it is looked at anew;
3. after it: an open order, carried by the queue's driver, whose job is owed in that commit.
   Nobody orders a second one while it is open;
4. our claim is in a ledger, and not recorded: the balance is gone, by us, with an open order.
   The driver finds its hash and records it; that is the only place that does;
5. the user was faster: our operation fails, and moves nothing. How it ended is looked up.

The end is written once, under the lock of its row: with the reserves that come back, the
history, and the case.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from anchor.extensions import atomic, db, gateway, settings
from anchor.ledger.gateway import LedgerTransaction
from anchor.models import OUTFLOW_OPEN, ClaimableBalance, Job, Network, Outflow, Transaction
from anchor.services import bookings, cases, jobs, networks, outflows
from anchor.services.deposit_payments import DRIVE, lane_of
from anchor.services.transactions import Happening, happened

#: The job that follows one balance.
FOLLOW = "follow_claimable_balance"
_LANE = "claimable balances"
_CEILING = 4
_LEASE_S = 60
#: Each wait is twice the one before, from a minute to six hours.
_FIRST_WAIT_S = 60
_LAST_WAIT_S = 6 * 3600
#: How long after a claim of ours failed the next one is tried.
_REST_S = 3600
#: After so many looks that found neither the balance nor its end, a person is told.
_LOST_AFTER = 10
#: The ledger says these where somebody claimed before us, or it is not our time yet.
_RACE_CODES = frozenset({"op_does_not_exist", "op_cannot_claim"})


@dataclass(frozen=True)
class _Followed:
    """A balance that waits. `is_claiming` says that our order is open, `rest_s` to leave it."""

    id: str
    source: str
    reclaim_at: int
    is_claiming: bool
    rest_s: int


def reclaim_time(outflow: Outflow) -> int:
    """Return when we may claim back what `outflow` pays by claimable balance (unix seconds)."""
    policy = settings().asset_by_id(outflow.asset)
    days = policy.delivery.reclaim_days if policy else 30
    return int((outflow.begun_at + timedelta(days=days)).timestamp())


def begin(outflow: Outflow, balance_id: str) -> None:
    """Follow the balance that an outflow was paid by. Needs an open transaction."""
    row = {
        "id": balance_id,
        "network_id": networks.current_id(),
        "outflow_id": outflow.id,
        "transaction_id": outflow.pays_for,
        "source": outflow.source,
        "asset": outflow.asset,
        "amount": outflow.amount,
        "reclaim_at": reclaim_time(outflow),
        "state": "waiting",
    }
    db.session.execute(insert(ClaimableBalance).values(row).on_conflict_do_nothing())
    bookings.reserves_locked(balance_id, outflow.pays_for)
    jobs.ensure([(jobs.Address(FOLLOW, balance_id), _LANE)])


def follow(claimed: jobs.Claim) -> None:
    """Look at one balance; the job `FOLLOW`.

    Raises `jobs.Later` while it waits: after a minute, and later and later up to six hours.
    """
    followed = _read(claimed.subject_id)
    if followed is None:
        return
    now = int(gateway().network().latest_closed_at.timestamp())
    if gateway().claimable_balance(followed.id) is None:
        _look_for_the_end(claimed, followed)
        return
    if followed.is_claiming:
        raise jobs.Later(_FIRST_WAIT_S, "it is being claimed back")
    if now >= followed.reclaim_at and not followed.rest_s:
        _order_claim(claimed)
        raise jobs.Later(_FIRST_WAIT_S, "it is being claimed back")
    wait_s = followed.rest_s or max(1, followed.reclaim_at - now)
    raise jobs.Later(min(_wait_s(claimed), wait_s), "nobody has claimed it", counts=True)


def _wait_s(claimed: jobs.Claim) -> int:
    return min(_LAST_WAIT_S, _FIRST_WAIT_S << min(max(claimed.attempts - 1, 0), 10))


@atomic
def _read(balance_id: str) -> _Followed | None:
    row = db.session.get(ClaimableBalance, balance_id, populate_existing=True)
    if row is None or row.state != "waiting" or row.network_id != networks.current_id():
        return None
    ours = select(
        func.count().filter(Outflow.state.in_(OUTFLOW_OPEN)),
        func.extract("epoch", func.now() - func.max(Outflow.settled_at)),
    ).where(Outflow.balance_id == balance_id)
    open_ones, age_s = db.session.execute(ours).one()
    rest_s = 0 if age_s is None else max(0, _REST_S - int(age_s))
    return _Followed(row.id, row.source, row.reclaim_at, bool(open_ones), rest_s)


def _look_for_the_end(claimed: jobs.Claim, followed: _Followed) -> None:
    """Find out who ended a balance that is there no more; our own claim is not ours to record."""
    end = gateway().balance_end(followed.id)
    if end is None:
        _tell_if_lost(claimed)
        raise jobs.Later(_wait_s(claimed), "the source does not tell how it ended", counts=True)
    by_us = end.how == "claimed" and end.account == followed.source
    if by_us and followed.is_claiming:
        raise jobs.Later(_FIRST_WAIT_S, "it is being recorded")
    state = "reclaimed" if by_us else end.how
    _note_end(claimed, state, end.account, end.transaction_hash, end.closed_at)


@atomic
def _tell_if_lost(claimed: jobs.Claim) -> None:
    if claimed.attempts >= _LOST_AFTER:
        cases.open_case(
            "balance_lost",
            claimed.subject_id,
            note="the balance is not on the ledger, and its source does not tell how it ended",
        )


@atomic
def _note_end(claimed: jobs.Claim, state: str, by: str, hash_: str, at: datetime) -> None:
    jobs.hold(claimed)
    row = _locked(claimed.subject_id)
    if row is not None:
        _end(row, state, by, hash_, at)


@atomic
def _order_claim(claimed: jobs.Claim) -> None:
    """Queue our claim, and owe the work of its queue; not beside anything else that is open."""
    jobs.hold(claimed)
    row = _locked(claimed.subject_id)
    if row is None:
        return
    db.session.execute(
        select(Transaction.id).where(Transaction.id == row.transaction_id).with_for_update()
    )
    going = select(Outflow.id).where(
        Outflow.transaction_id == row.transaction_id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    if db.session.scalar(going) is not None:
        return
    attempt = outflows.next_attempt(row.transaction_id)
    db.session.add(
        Outflow(
            transaction_id=row.transaction_id,
            kind="submission",
            attempt=attempt,
            key=f"{row.transaction_id}-{attempt}",
            form="claim",
            state="prepared",
            asset=row.asset,
            amount=row.amount,
            source=row.source,
            destination=row.source,
            balance_id=row.id,
            is_alone=True,
        )
    )
    jobs.renew(jobs.Address(DRIVE, row.source), lane_of(row.source))


def reclaimed(outflow: Outflow, found: LedgerTransaction) -> None:
    """Record that our claim is in a ledger and successful. Needs an open transaction."""
    assert outflow.balance_id is not None
    row = _locked(outflow.balance_id)
    if row is not None:
        _end(row, "reclaimed", row.source, found.hash, found.closed_at)


def not_reclaimed(outflow: Outflow, why: str) -> None:
    """Look again at a balance that our claim could not have. Needs an open transaction."""
    assert outflow.balance_id is not None
    if why not in _RACE_CODES:
        cases.open_case(
            "balance_cannot_be_reclaimed",
            f"{outflow.balance_id}/{why}",
            note=f"{outflow.source} cannot claim it back: {why}; it is tried again",
            transaction_id=outflow.transaction_id,
            asset=outflow.asset,
        )
    jobs.renew(jobs.Address(FOLLOW, outflow.balance_id), _LANE)


def _locked(balance_id: str) -> ClaimableBalance | None:
    """Lock a balance that still waits; None where it has ended."""
    return db.session.scalar(
        select(ClaimableBalance)
        .where(ClaimableBalance.id == balance_id, ClaimableBalance.state == "waiting")
        .with_for_update()
        .execution_options(populate_existing=True)
    )


#: What a person is told of an end: the case, what happened, and whether something is owed.
_TOLD: Mapping[str, tuple[str, str, bool]] = {
    "reclaimed": ("balance_reclaimed", "nobody claimed it in time, and it was taken back", True),
    "clawed_back": ("balance_clawed_back", "the issuer clawed it back", False),
}


def _end(row: ClaimableBalance, state: str, by: str, hash_: str, at: datetime) -> None:
    row.state, row.ended_by, row.transaction_hash, row.ended_at = state, by, hash_, at
    bookings.reserves_released(row.id, row.transaction_id)
    outflow = db.session.get_one(Outflow, row.outflow_id, populate_existing=True)
    if state == "reclaimed":
        _owe_again(row, outflow)
    if state in _TOLD:
        reason, note, is_owed = _TOLD[state]
        cases.open_case(
            reason,
            row.id,
            note=note,
            transaction_id=row.transaction_id,
            asset=outflow.gross_asset,
            amount_owed=outflow.net if is_owed else None,
        )
    db.session.flush()
    happened(Happening(row.transaction_id, None, f"balance {row.id}", told_as="balance_ended"))


def _owe_again(row: ClaimableBalance, outflow: Outflow) -> None:
    """Write down that what was paid came back: it is owed, and can be refunded from the desk."""
    bookings.balance_reclaimed(row, outflow)
    outflow.returned_at = func.now()
    db.session.execute(
        update(Transaction)
        .where(Transaction.id == row.transaction_id)
        .values(amount_paid=Transaction.amount_paid - outflow.net)
    )


@atomic
def owe_looks() -> None:
    """Owe a look for each balance that waits: a sweep's first half."""
    owed = exists().where(Job.kind == FOLLOW, Job.subject_id == ClaimableBalance.id)
    query = select(ClaimableBalance.id, literal(_LANE)).where(
        ClaimableBalance.state == "waiting",
        ClaimableBalance.network_id
        == select(Network.id).where(Network.is_current).scalar_subquery(),
        ~owed,
    )
    jobs.ensure_each(FOLLOW, query)


jobs.declare(FOLLOW, jobs.Work(follow, lambda _lane: _LEASE_S, lambda _lane: _CEILING))

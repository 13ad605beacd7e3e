"""Deciding how a deposit reaches its account on the ledger, and queueing its payment.

The crash windows, and what the next claim of the job finds:

1. before the outflow is committed: nothing happened; the account is looked at anew;
2. after it: an open outflow in the queue of its source account, which the job of that
   queue, owed in the same commit, brings to the ledger (`anchor.services.submissions`).
"""

from dataclasses import dataclass

from sqlalchemy import exists, literal, select

from anchor.assets import NATIVE
from anchor.errors import Misconfigured, Rejected
from anchor.extensions import atomic, db, gateway, settings
from anchor.ledger import destinations
from anchor.ledger.destinations import base_account
from anchor.ledger.gateway import LedgerAccount
from anchor.lifecycle import Event, Kind, Status
from anchor.models import OUTFLOW_OPEN, Job, Outflow, Transaction
from anchor.money import FeeSchedule, Split, split
from anchor.policies import AssetPolicy
from anchor.services import bookings, cases, jobs, outflows
from anchor.services.transactions import (
    LEDGER_LANE,
    PAY_ON_LEDGER,
    Happening,
    happened,
    next_job_kind,
)

#: The job that brings what is queued for one source account to the ledger.
DRIVE = "drive_submissions"
#: Two base reserves: with less no account can be.
_LEAST_ACCOUNT = 10_000_000
_LEASE_S = 90
_CEILING = 8


@dataclass(frozen=True)
class Wanted:
    """A deposit that is to be paid: `amount` stroops of `asset` to `destination`."""

    transaction_id: str
    version: int
    asset: str
    amount: int
    destination: str
    account_id: str
    has_memo: bool
    takes_claimable_balance: bool
    was_established: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do next for a deposit: pay in a `form`, wait for trust, or hold it for a person."""

    form: str | None = None
    held_because: str | None = None


WAIT_FOR_TRUST = Plan()


def choose(wanted: Wanted, account: LedgerAccount | None, policy: AssetPolicy) -> Plan:
    """Say how a deposit is to be delivered, as its account stands (SEP-24, SEP-29)."""
    offers = policy.delivery
    is_muxed = wanted.destination != wanted.account_id
    can_wait_there = wanted.takes_claimable_balance and offers.claimable_balances and not is_muxed
    if account is None:
        if wanted.asset == NATIVE:
            if not offers.create_accounts:
                return Plan(held_because="the account does not exist, and none is created")
            if is_muxed:
                return Plan(held_because="no account can be created by a muxed address")
            if wanted.amount < _LEAST_ACCOUNT:
                return Plan(held_because="the amount is too small to create the account with")
            return Plan("create_account")
        if can_wait_there:
            return Plan("claimable_balance")
        is_ours_to_make = offers.create_accounts and not wanted.was_established
        return Plan("establish") if is_ours_to_make else WAIT_FOR_TRUST
    if destinations.memo_required(account) and not wanted.has_memo:
        return Plan(held_because="the account asks for a memo (SEP-29), and none was given")
    room = destinations.room_for(account, wanted.asset, wanted.amount)
    if room == destinations.READY:
        return Plan("payment")
    if room == destinations.NO_LINE and can_wait_there:
        return Plan("claimable_balance")
    return WAIT_FOR_TRUST


def pay(claimed: jobs.Claim) -> None:
    """Bring a deposit that has its funds on its way to the ledger; the job `PAY_ON_LEDGER`."""
    wanted = read(claimed.subject_id, PAY_ON_LEDGER)
    if wanted is None:
        return
    policy = policy_of(wanted.asset)
    account = gateway().account(wanted.account_id)
    _carry_out(claimed, wanted, choose(wanted, account, policy), policy)


def policy_of(asset: str) -> AssetPolicy:
    """Return the policy of an asset; `Misconfigured` where it is served no more."""
    policy = settings().asset_by_id(asset)
    if policy is None:
        raise Misconfigured(f"{asset} is not in the configuration any more.")
    return policy


@atomic
def read(transaction_id: str, job_kind: str) -> Wanted | None:
    """Return what a deposit wants on the ledger; None unless it calls for that kind of job."""
    row = db.session.get(Transaction, transaction_id, populate_existing=True)
    if row is None or next_job_kind(row) != job_kind or _has_open(row.id):
        return None
    if row.destination is None:
        raise Rejected(f"the deposit {row.id} has no destination")
    try:
        amount = _parts(row, with_creation=_was_established(row.id)).amount_out
    except Rejected:
        amount = 1  # the fee eats all: found again, and told, where it is to be paid
    return Wanted(
        transaction_id=row.id,
        version=row.version,
        asset=row.asset,
        amount=amount,
        destination=row.destination,
        account_id=base_account(row.destination),
        has_memo=row.destination_memo is not None or row.destination.startswith("M"),
        takes_claimable_balance=row.takes_claimable_balance,
        was_established=_was_established(row.id),
    )


def _has_open(transaction_id: str) -> bool:
    query = select(Outflow.id).where(
        Outflow.transaction_id == transaction_id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    return db.session.scalar(query) is not None


def _was_established(transaction_id: str) -> bool:
    query = select(Outflow.id).where(
        Outflow.transaction_id == transaction_id,
        Outflow.form == "establish",
        Outflow.state == "done",
    )
    return db.session.scalar(query) is not None


def _parts(row: Transaction, *, with_creation: bool) -> Split:
    policy = policy_of(row.asset)
    creation = policy.delivery.creation_fee if with_creation else 0
    left = row.amount_received - row.amount_refunded
    return split(left, FeeSchedule(row.fee_fixed + creation, row.fee_percent), 7)


@atomic
def _carry_out(claimed: jobs.Claim, wanted: Wanted, plan: Plan, policy: AssetPolicy) -> None:
    jobs.hold(claimed)
    row = db.session.scalar(
        select(Transaction)
        .where(Transaction.id == wanted.transaction_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None or next_job_kind(row) != PAY_ON_LEDGER or _has_open(row.id):
        return
    if plan.held_because is not None:
        _hold(row, plan.held_because)
    elif plan.form is None:
        happened(Happening(row.id, Event.TRUST_MISSING, f"look {row.version}"))
    else:
        _queue(row, plan.form, policy)


def _hold(row: Transaction, reason: str) -> None:
    cases.open_case(
        "deposit_cannot_be_paid",
        f"{row.id}/{row.version}",
        note=reason,
        transaction_id=row.id,
        asset=row.asset,
        amount_owed=row.amount_received - row.amount_paid - row.amount_refunded,
    )
    happened(Happening(row.id, Event.HELD, f"look {row.version}"))


def _queue(row: Transaction, form: str, policy: AssetPolicy) -> None:
    """Open the outflow and owe the work of its queue."""
    created = form == "create_account" or _was_established(row.id)
    if form == "establish":
        asset, amount, fee = NATIVE, policy.delivery.starting_balance, 0
    else:
        try:
            parts = _parts(row, with_creation=created)
        except Rejected as refusal:
            _hold(row, str(refusal))
            return
        if row.amount_paid + row.amount_refunded + parts.amount_in > row.amount_received:
            _hold(row, "less was received than would be paid out")
            return
        asset, amount, fee = row.asset, parts.amount_out, parts.amount_fee
        row.amount_in, row.amount_out, row.amount_fee = parts.amount_in, amount, fee
    attempt = outflows.next_attempt(row.id)
    outflow = Outflow(
        transaction_id=row.id,
        kind="submission",
        attempt=attempt,
        key=f"{row.id}-{attempt}",
        form=form,
        state="prepared",
        asset=asset,
        amount=amount,
        amount_fee=fee,
        source=policy.distribution,
        destination=row.destination,
        memo_type=row.destination_memo_type,
        memo=row.destination_memo,
        is_alone=row.destination_memo is not None,
    )
    db.session.add(outflow)
    db.session.flush()
    if form != "establish":
        bookings.outflow_opened(outflow)
    jobs.renew(jobs.Address(DRIVE, policy.distribution), lane_of(policy.distribution))


def lane_of(source: str) -> str:
    """Return the lane of a source account's queue: one hand at a time works it off."""
    return f"submissions {source}"


@atomic
def owe_payments() -> None:
    """Owe the job of each deposit that is ready to be paid: a sweep's first half."""
    owed = exists().where(Job.kind == PAY_ON_LEDGER, Job.subject_id == Transaction.id)
    going = exists().where(
        Outflow.transaction_id == Transaction.id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    query = select(Transaction.id, literal(LEDGER_LANE)).where(
        Transaction.status == Status.PENDING_ANCHOR,
        Transaction.kind.in_((Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE)),
        Transaction.funded_at.is_not(None),
        Transaction.is_resting.is_(False),
        ~going,
        ~owed,
    )
    jobs.ensure_each(PAY_ON_LEDGER, query)


jobs.declare(PAY_ON_LEDGER, jobs.Work(pay, lambda _lane: _LEASE_S, lambda _lane: _CEILING))

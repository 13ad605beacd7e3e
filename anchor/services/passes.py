"""The services of an anchor: each is one pass, run once, in a loop, or as an actor.

A pass owes what the statuses call for and then works off, or rings for, what is due. Any
number of passes may overlap with each other and with workers: the claims keep them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from anchor.errors import NotFound
from anchor.extensions import atomic, db
from anchor.models import Tick
from anchor.services import (
    callbacks,
    claimable_balances,
    completions,
    custodian_payments,
    custody_orders,
    custody_outcomes,
    customer_codes,
    customer_erasure,
    customer_judging,
    departures,
    deposit_payments,
    expiry,
    following,
    jobs,
    networks,
    payments,
    payouts,
    pending_deposits,
    policy_refunds,
    programmatic,
    rail_events,
    receipts,
    reconciliation,
    refunds,
    remitting,
    submissions,
    sweeps,
    trustlines,
)
from anchor.services.transactions import (
    CHECK_TRUST,
    FOLLOW_REMITTANCE,
    PAY_ON_LEDGER,
    PAY_OUT,
    REMIT,
)


@dataclass(frozen=True)
class Service:
    """A service: the kinds of job it does, and how it finds out that they are owed."""

    name: str
    kinds: tuple[str, ...]
    owe: Callable[[], None]


#: What brings a deposit to the ledger, once it is ready.
_PAYMENTS = (PAY_ON_LEDGER, deposit_payments.DRIVE, custody_orders.CARRY)
#: What tells how payments ended that were handed to somebody outside.
_POLLS = (payouts.POLL, custody_outcomes.POLL)


def _owe_the_rest() -> None:
    """Owe what no other service does."""
    payments.owe_repairs()
    receipts.owe_repairs()
    policy_refunds.owe()
    expiry.owe()
    deposit_payments.owe_payments()
    claimable_balances.owe_looks()
    submissions.owe_drives()
    custodian_payments.owe()
    customer_erasure.owe()
    remitting.owe()
    following.owe()


def _owe_what_rails_pay() -> None:
    payouts.owe_ready()
    refunds.owe_refunds()


def _owe_polls() -> None:
    payouts.owe_polls()
    custodian_payments.owe_polls()


SERVICES = {
    service.name: service
    for service in (
        Service("execute_outgoing_transactions", (PAY_OUT, payouts.REFUND), _owe_what_rails_pay),
        Service("poll_outgoing_transactions", _POLLS, _owe_polls),
        Service(
            "poll_pending_deposits",
            (pending_deposits.POLL, rail_events.JUDGE, *_PAYMENTS),
            pending_deposits.owe_polls,
        ),
        Service("check_trustlines", (CHECK_TRUST, *_PAYMENTS), trustlines.owe_checks),
        Service(
            "work",
            (
                payments.REPAIR,
                receipts.REPAIR,
                rail_events.JUDGE,
                claimable_balances.FOLLOW,
                policy_refunds.POLICY_REFUND,
                departures.EXPLAIN,
                custody_outcomes.POLL,
                expiry.EXPIRE,
                callbacks.CALLBACK,
                customer_judging.JUDGE,
                programmatic.BRING_ON,
                completions.COMPLETE,
                customer_codes.SEND,
                customer_erasure.PURGE,
                REMIT,
                FOLLOW_REMITTANCE,
                *_PAYMENTS,
            ),
            _owe_the_rest,
        ),
        Service("reconcile", (reconciliation.RECONCILE,), reconciliation.owe),
    )
}


def ring(name: str) -> int:
    """Run one pass for workers: owe what is called for, ring what is due; return how many."""
    service = SERVICES[name]
    service.owe()
    return sweeps.ring_due(service.kinds)


def owe(name: str) -> list[str]:
    """Owe what the statuses call for; return the lanes in which something is due."""
    SERVICES[name].owe()
    return due(name)


def due(name: str) -> list[str]:
    """Return the lanes in which something of a service is due, owing nothing new."""
    return sweeps.lanes_due(SERVICES[name].kinds)


def work_off(name: str, lane: str, should_stop: Callable[[], bool] = lambda: False) -> sweeps.Tally:
    """Do what is due of a service in one lane, here and now, until `should_stop` says so."""
    return sweeps.work_off(SERVICES[name].kinds, lane, should_stop=should_stop)


@atomic
def take_tick(name: str, scheduled_at: datetime) -> bool:
    """Take a tick of the schedule; False where another scheduler's was taken before."""
    minute = scheduled_at.replace(second=0, microsecond=0)
    db.session.execute(
        delete(Tick).where(Tick.service == name, Tick.minute < func.now() - timedelta(hours=2))
    )
    taken = db.session.execute(
        insert(Tick)
        .values(service=name, minute=minute)
        .on_conflict_do_nothing()
        .returning(Tick.service)
    )
    return taken.one_or_none() is not None


def _repair(claimed: jobs.Claim) -> None:
    watch = next((w for w in networks.watched() if str(w.id) == claimed.subject_id), None)
    if watch is None:
        raise NotFound("the account is not watched any more")
    payments.repair(watch)


jobs.declare(payments.REPAIR, jobs.Work(_repair, lambda _lane: 60, lambda _lane: 1, parks=False))

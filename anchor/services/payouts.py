"""Paying a customer outside the ledger: once for each transaction, whatever dies on the way.

The crash windows, and what the next claim of the job finds:

1. before the attempt is committed: nothing; it starts anew;
2. between that commit and the call, and
3. between the bank's taking the money and our record of it: an open attempt that nobody
   knows the outcome of. It is looked up; it is repeated with the same key only where the
   rail is idempotent by key, or says that "not found" is final; otherwise a person decides;
4. after the record: the transaction stands elsewhere, and the job is dropped.
"""

import logging
import random
from collections.abc import Sequence
from functools import partial

from sqlalchemy import exists, select

from anchor.assets import currency_of
from anchor.customers.standing import Stand
from anchor.errors import Rejected, Unavailable
from anchor.extensions import atomic, db, settings
from anchor.integrations.protocols import Outcome, RailsIntegration, Refused, Unknown
from anchor.lifecycle import WITHDRAWALS, Kind, Status
from anchor.models import Job, Outflow, Transaction
from anchor.money import to_stroops
from anchor.services import brakes, cases, jobs, outcomes, outflows, rails, recovery, sends
from anchor.services.outflows import Attempt
from anchor.services.recovery import Step
from anchor.services.transactions import PAY_OUT, next_job_kind

log = logging.getLogger(__name__)

POLL = "poll_outgoing_transactions"
REFUND = "refund_by_rail"


def execute(claimed: jobs.Claim) -> None:
    """Bring the payout of a transaction one step further; the job `PAY_OUT`.

    Raises `Unavailable` while the outcome is unknown or the rail cannot be reached, and
    `jobs.Park` where nothing but a person can tell.
    """
    _bring_on(_let_go(_begin(claimed)))


def refund(claimed: jobs.Claim) -> None:
    """Bring a refund by rail one step further; the job `REFUND`, by its outflow's id.

    The same care, and the same errors, as with a payout.
    """
    _bring_on(_let_go(_begin_refund(claimed)))


def _let_go(found: Attempt | str | None) -> Attempt | None:
    """Return the attempt that may go on; raise `jobs.Later` with the reason of a brake."""
    if isinstance(found, str):
        raise jobs.Later(brakes.RETRY_S, found)
    return found


def _bring_on(attempt: Attempt | None) -> None:
    if attempt is None or attempt.state == "sent":
        return
    rail = rails.find(attempt.rail)
    outcome = _call(rail, attempt) if attempt.is_new else _recover(rail, attempt)
    outcomes.record(attempt, outcome)
    if isinstance(outcome, Unknown):
        raise Unavailable(f"the outcome of {attempt.order.key} is unknown: {outcome.reason}")


def poll(claimed: jobs.Claim) -> None:
    """Ask one rail about all orders it has yet to confirm; the job `POLL`, one per rail.

    Each order is judged by itself: one that cannot be asked about stops no other.
    """
    rail, after, troubles = rails.find(claimed.subject_id), 0, 0
    while batch := outflows.sent_by(claimed.subject_id, after, rails.BATCH):
        jobs.extend(claimed)
        after = batch[-1].outflow_id
        random.shuffle(batch)  # a rail that runs out of time leaves others unasked each time
        found, _ = rails.answers(rail, batch, partial(_ask, rail), lambda each: each.order.key)
        for attempt, outcome in found:
            try:
                outcomes.record(attempt, outcome)
            except Exception as error:
                log.exception("the outcome of %s could not be recorded", attempt.order.key)
                _not_recorded(attempt, outcome, error)
                troubles += 1
    if troubles:
        raise Unavailable(f"{troubles} outcome(s) could not be recorded")


@atomic
def _not_recorded(attempt: Attempt, outcome: Outcome, error: Exception) -> None:
    cases.open_case(
        "outcome_not_recorded",
        attempt.order.key,
        note=f"the rail said {type(outcome).__name__}; writing that failed: {type(error).__name__}",
        transaction_id=attempt.order.transaction_id or None,
        asset=attempt.order.asset,
    )


@atomic
def owe_ready() -> None:
    """Owe the payout job of each transaction that is ready for one: a sweep's first half."""
    awaits = exists().where(Outflow.transaction_id == Transaction.id, Outflow.state == "sent")
    owed = exists().where(Job.kind == PAY_OUT, Job.subject_id == Transaction.id)
    query = select(Transaction.id, Transaction.rail).where(
        Transaction.status.in_((Status.PENDING_ANCHOR, Status.PENDING_RECEIVER)),
        Transaction.kind.in_((*WITHDRAWALS, Kind.SEND)),
        Transaction.funded_at.is_not(None),
        Transaction.is_resting.is_(False),
        ~awaits,
        ~owed,
    )
    jobs.ensure_each(PAY_OUT, query)


@atomic
def owe_polls() -> None:
    """Owe a poll of each rail that has orders to confirm."""
    jobs.ensure((jobs.Address(POLL, rail), rail) for rail in outflows.rails_with_sent())


@atomic
def _begin(claimed: jobs.Claim) -> Attempt | str | None:
    """Open the attempt, or find the open one; None where there is nothing to pay.

    Returns why not where a brake keeps it from leaving: nothing is open then.
    """
    jobs.hold(claimed)
    row = db.session.scalar(
        select(Transaction)
        .where(Transaction.id == claimed.subject_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        return None
    known = outflows.open_attempt(row)
    if known is not None or next_job_kind(row) != PAY_OUT or outflows.has_open(row.id):
        return known
    try:
        stand = sends.before_payout(row)
        if stand is not Stand.ACCEPTED:
            return "a customer is not accepted yet" if stand is Stand.PROCESSING else None
        _demand_currency(row.rail, row.asset, currency_of(row.paid_as))
        leaving = brakes.Leaving(row.kind, row.asset, row.rail, outflows.next_amount(row))
        return brakes.why_not(leaving) or outflows.open_payout(row)
    except Rejected as refusal:
        cases.open_case(
            "payout_impossible",
            f"{row.id}/{row.version}",
            note=str(refusal),
            transaction_id=row.id,
            asset=row.received_as,
            amount_owed=row.amount_received - row.amount_paid - row.amount_refunded,
        )
        return None


def _demand_currency(rail: str, asset: str, currency: str | None) -> None:
    """Raise `Rejected` where a rail would take an amount for one of the asset's own currency.

    The start asks about pairs that stand in the configuration; a quote outlives its pair.
    """
    policy = settings().asset_by_id(asset)
    if currency is not None and not rails.pays(rails.find(rail), policy, currency):
        raise Rejected(f"the rail {rail} does not say that it pays {currency}")


@atomic
def _begin_refund(claimed: jobs.Claim) -> Attempt | str | None:
    """Find the open refund; a booking that was taken back before anybody heard of it ends it."""
    jobs.hold(claimed)
    attempt = outflows.refund_attempt(int(claimed.subject_id))
    if attempt is None or attempt.calls:
        return attempt
    if outflows.is_gone(attempt):
        outcomes.record(attempt, Refused("the bank took the booking back"))
        return None
    return brakes.why_not(_leaving(attempt)) or attempt


def _leaving(attempt: Attempt) -> brakes.Leaving:
    kind = brakes.REFUND if attempt.order.refund_of is not None else attempt.order.kind
    amount = to_stroops(attempt.order.amount_in - attempt.order.amount_fee)
    return brakes.Leaving(kind, attempt.order.asset, attempt.rail, amount)


def _call(rail: RailsIntegration, attempt: Attempt) -> Outcome:
    """Hand the order to the rail. Whatever it raises beside its two words is unknown."""
    refund = attempt.order.refund_of is not None
    act = rail.refund if refund else rail.execute_outgoing_transaction
    try:
        return recovery.call(
            f"the rail {rail.name}",
            attempt.order.key,
            lambda: act(attempt.order),
            Outcome,
            Refused,
        )
    except Unavailable:
        outflows.nothing_began(attempt)
        raise


def _recover(rail: RailsIntegration, attempt: Attempt) -> Outcome:
    """Find out what became of an attempt that was begun by somebody who is gone."""
    age_s, key_age_s = attempt.age_s, attempt.key_age_s
    if rail.traits.can_look_up:  # also before a first call: a restored database may have forgotten
        found = _look_up(rail, attempt)
        if found is not None:
            return found
    if age_s is None or key_age_s is None:
        return _repeat(rail, attempt)
    step = recovery.next_step(rail.traits, age_s=age_s, key_age_s=key_age_s)
    if step is Step.REPEAT and not _is_gone(attempt):
        return _repeat(rail, attempt)
    if step is Step.WAIT:
        raise Unavailable(f"{attempt.order.key} is not known to the bank yet")
    _ask_a_person(attempt)
    raise jobs.Park(f"nobody can tell what became of {attempt.order.key}")


@atomic
def _is_gone(attempt: Attempt) -> bool:
    """Tell whether it is a refund of what the bank has taken back: that is not repeated."""
    return attempt.order.refund_of is not None and outflows.is_gone(attempt)


def _repeat(rail: RailsIntegration, attempt: Attempt) -> Outcome:
    return _call(rail, _call_again(attempt))


@atomic
def _call_again(attempt: Attempt) -> Attempt:
    judge = brakes.why_paused if attempt.calls else brakes.why_not
    why_not = judge(_leaving(attempt))
    if why_not is not None:
        raise jobs.Later(brakes.RETRY_S, why_not)
    if attempt.order.refund_of is None:
        try:
            _demand_currency(attempt.rail, attempt.order.asset, attempt.order.currency)
        except Rejected as refusal:
            raise jobs.Later(brakes.RETRY_S, str(refusal)) from refusal
    return outflows.call_again(attempt)


def _look_up(rail: RailsIntegration, attempt: Attempt) -> Outcome | None:
    def find() -> Outcome | None:
        return rail.find_outgoing_transaction(attempt.order)

    return recovery.look_up(f"the rail {rail.name}", attempt.order.key, find, Outcome)


@atomic
def _ask_a_person(attempt: Attempt) -> None:
    outcomes.record(attempt, Unknown("the rail can neither be asked nor repeated"))
    cases.open_case(
        "outcome_unknown",
        attempt.order.key,
        note="ask the bank whether this key moved money",
        transaction_id=attempt.order.transaction_id or None,
        asset=attempt.order.asset,
    )


def _ask(rail: RailsIntegration, batch: Sequence[Attempt]) -> list[tuple[Attempt, Outcome]]:
    found = rail.poll_outgoing_transactions([attempt.order for attempt in batch])
    answers = [(each, found[each.order.key]) for each in batch if each.order.key in found]
    if not all(isinstance(outcome, Outcome) for _, outcome in answers):
        raise TypeError("the rail answered what is no outcome")
    return answers


jobs.declare(PAY_OUT, jobs.Work(execute, rails.lease_s, rails.ceiling, is_of_transaction=True))
jobs.declare(REFUND, jobs.Work(refund, rails.lease_s, rails.ceiling))
jobs.declare(POLL, jobs.Work(poll, rails.lease_s, rails.ceiling, parks=False))

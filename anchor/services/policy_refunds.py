"""Refunds that the policy of an asset makes by itself: off unless set, and bounded (promise 14).

Never of money from an account of ours, of history, or of what answers a refund of ours; never
to a contract that never logged in (`anchor.services.refunds`); never of less than the least
amount, never beyond the daily number and amount. Whatever is left to a person stays open on the
desk.
"""

from datetime import timedelta

from sqlalchemy import Text, func, literal, select

from anchor.errors import AnchorError, Rejected, Unavailable
from anchor.extensions import atomic, db, settings
from anchor.ledger import destinations
from anchor.lifecycle import Status
from anchor.models import Act, Case, Job, Outflow, Payment, Transaction
from anchor.policies import RefundPolicy
from anchor.services import arrivals, jobs, refunds
from anchor.services.arrivals import Arrival

POLICY_REFUND = "refund_by_policy"
#: Who acts, as the desk names it.
POLICY = "policy"
#: One hand at a time, so that the daily bounds hold.
_LANE = "refunds"
_LEASE_S = 60
#: The case about a deposit that waited for its trust line for too long.
_TRUST = "trust_is_missing"
#: Money from whom we paid lately may be its answer: two anchors would play ping-pong.
_ANSWER_DAYS = 7
#: A policy that is set today does not act on what came long before.
_FRESH_DAYS = 7


def decide(claimed: jobs.Claim) -> None:
    """Send the money of one case back, or leave it to a person; the job `POLICY_REFUND`."""
    case_id = int(claimed.subject_id)
    case = _open_case(case_id)
    if case is None:
        return
    try:
        arrival = _arrival_of(case)
        note = "the asset's policy of refunds"
        refunds.begin(refunds.Order(arrival.cause, None, POLICY, note, case_id, arrival.verdict))
    except Unavailable:
        raise
    except AnchorError as refusal:
        _looked_at(case_id, str(refusal))
    else:
        _looked_at(case_id, None)


@atomic
def _open_case(case_id: int) -> Case | None:
    case = db.session.get(Case, case_id, populate_existing=True)
    is_open = case is not None and case.closed_at is None and case.looked_at is None
    return case if is_open else None


def _arrival_of(case: Case) -> Arrival:
    """Return what the policy sends back for a case, or raise `Rejected` with why it does not."""
    if case.reason != _TRUST:
        arrival = arrivals.find(case.cause)
        _demand_allowed(arrival)
        return arrival
    if not _waits_for_trust(case.transaction_id or ""):
        raise Rejected("it waits for its trust line no more")
    return refunds.of_transaction(case.transaction_id or "")


@atomic
def _waits_for_trust(transaction_id: str) -> bool:
    query = select(Transaction.status).where(Transaction.id == transaction_id)
    return db.session.scalar(query) == Status.PENDING_TRUST


@atomic
def _looked_at(case_id: int, why_not: str | None) -> None:
    case = db.session.get_one(Case, case_id, with_for_update=True, populate_existing=True)
    case.looked_at = func.now()
    if why_not is not None:
        case.note = f"{case.note}; " if case.note else ""
        case.note += f"not sent back by itself: {why_not}"[:400]


def _demand_allowed(arrival: Arrival) -> None:
    policy = _policy_of(arrival)
    if arrival.verdict not in policy.automatic:
        raise Rejected(f"the policy sends nothing back that is {arrival.verdict}")
    if arrival.left != arrival.amount:
        raise Rejected("a part of it was sent back already")
    if arrival.amount < policy.min_amount:
        raise Rejected("it is less than the least amount of the policy")
    _demand_no_answer(arrival)
    _demand_room(arrival, policy)


def _policy_of(arrival: Arrival) -> RefundPolicy:
    policy = settings().asset_by_id(arrival.asset)
    if policy is None or arrival.rail is not None:
        raise Rejected("the policy is about payments on the ledger in an asset that is served")
    return policy.refund


@atomic
def _demand_no_answer(arrival: Arrival) -> None:
    """Refuse what comes from an account that we paid a short time ago: it may be an answer."""
    payer = destinations.base_account(arrival.payer or "")
    since = func.now() - timedelta(days=_ANSWER_DAYS)
    shown = select(Payment.id).where(
        Payment.direction == "out", Payment.counterparty == payer, Payment.closed_at > since
    )
    sent = select(Outflow.destination).where(
        Outflow.form.is_not(None), Outflow.state != "refused", Outflow.begun_at > since
    )
    known = {destinations.base_account(each or "") for each in db.session.scalars(sent)}
    if payer in known or db.session.scalar(shown.limit(1)) is not None:
        raise Rejected("its payer was sent money by us a short time ago")


@atomic
def _demand_room(arrival: Arrival, policy: RefundPolicy) -> None:
    """Refuse what is beyond the number or the amount of 24 hours."""
    query = (
        select(func.count(), func.coalesce(func.sum(Outflow.amount + Outflow.amount_fee), 0))
        .join(Act, Act.outflow_id == Outflow.id)
        .where(
            Act.who == POLICY,
            Outflow.asset == arrival.asset,
            Outflow.state != "refused",
            Outflow.begun_at > func.now() - timedelta(days=1),
        )
    )
    count, total = db.session.execute(query).one()
    if count >= policy.daily_count or int(total) + arrival.amount > policy.daily_amount:
        raise Rejected("the policy has sent back all that it may in 24 hours")


@atomic
def owe() -> None:
    """Owe a decision about each case that a policy may answer: a sweep's first half."""
    owed = select(Job.kind).where(Job.kind == POLICY_REFUND, Job.subject_id == Case.id.cast(Text))
    for policy in settings().assets.values():
        reasons = [f"payment_{verdict}" for verdict in policy.refund.automatic]
        reasons += [_TRUST] if policy.refund.after_trust_days else []
        if reasons:
            query = select(Case.id.cast(Text), literal(_LANE)).where(
                Case.closed_at.is_(None),
                Case.looked_at.is_(None),
                Case.opened_at > func.now() - timedelta(days=_FRESH_DAYS),
                Case.asset == policy.id,
                Case.reason.in_(reasons),
                ~owed.exists(),
            )
            jobs.ensure_each(POLICY_REFUND, query)


jobs.declare(POLICY_REFUND, jobs.Work(decide, lambda _lane: _LEASE_S, lambda _lane: 1))

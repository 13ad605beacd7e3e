"""Payments on the ledger that a remote custodian makes: once for each, whatever dies on the way.

The crash windows, and what the next claim of the job finds:

1. before the order is given away in our books: an outflow in its queue; it starts anew;
2. between that commit and the call, and
3. between the custodian's taking the order and our record of it: an order that nobody knows
   the outcome of. It is looked up; it is repeated with the same key only where the custodian
   is idempotent by key, or says that "not found" is final; otherwise a person decides;
4. after it is in a ledger, before our record: the look-up, or the poll, tells its hash again,
   and the ledger is asked for that. The stream may have seen it first: its alarm waits for
   the order (`anchor.services.departures`).
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Text, cast, exists, func, literal, select

from anchor.errors import NotFound, Rejected, Unavailable
from anchor.extensions import atomic
from anchor.integrations.custody import Custodian, CustodyOutcome, Declined, Paid, Unknown
from anchor.models import Job, Outflow, Transaction
from anchor.services import (
    acts,
    asking,
    brakes,
    cases,
    custodians,
    custody_orders,
    custody_outcomes,
    evidence,
    jobs,
    recovery,
)
from anchor.services.acts import By
from anchor.services.custody_orders import CARRY, Entrusted
from anchor.services.custody_outcomes import POLL
from anchor.services.evidence import Evidence
from anchor.services.recovery import Step

log = logging.getLogger(__name__)

#: A poll comes again after a quarter of the youngest order's age, within these bounds.
_POLL_MIN_S, _POLL_MAX_S = 3, 60


def carry(claimed: jobs.Claim) -> None:
    """Bring one order to its custodian, or find out what became of it; the job `CARRY`.

    Raises `jobs.Later` where it has to wait, `Unavailable` while its outcome is unknown or the
    custodian cannot be reached, and `jobs.Park` where nothing but a person can tell.
    """
    entrusted = _let_go(custody_orders.begin(claimed))
    if entrusted is None:
        return
    custodian = custodians.find(entrusted.custody)
    if entrusted.is_new:
        outcome = _call(custodian, entrusted)
    else:
        outcome = _recover(claimed, custodian, entrusted)
    custody_outcomes.learn(entrusted, outcome)
    if isinstance(outcome, Unknown):
        raise Unavailable(f"the outcome of {entrusted.order.key} is unknown: {outcome.reason}")


def _let_go(found: Entrusted | str | None) -> Entrusted | None:
    """Return the order that may go on; raise `jobs.Later` with the reason why it may not."""
    if isinstance(found, str):
        raise jobs.Later(brakes.RETRY_S, found)
    return found


def _call(custodian: Custodian, entrusted: Entrusted) -> CustodyOutcome:
    """Hand the order over. Whatever the custodian raises beside its two words is unknown."""
    try:
        return recovery.call(
            _who(custodian),
            entrusted.order.key,
            lambda: custodian.send(entrusted.order),
            CustodyOutcome,
            Declined,
        )
    except Unavailable:
        custody_orders.nothing_began(entrusted)
        raise


def _recover(claimed: jobs.Claim, custodian: Custodian, entrusted: Entrusted) -> CustodyOutcome:
    """Find out what became of an order that was given away by somebody who is gone."""
    if custodian.traits.can_look_up:

        def find() -> CustodyOutcome | None:
            return custodian.find(entrusted.order)

        found = recovery.look_up(_who(custodian), entrusted.order.key, find, CustodyOutcome)
        if found is not None:
            return found
        jobs.extend(claimed)
    step = recovery.next_step(
        custodian.traits, age_s=entrusted.age_s, key_age_s=entrusted.key_age_s
    )
    if step is Step.REPEAT:
        given = _let_go(custody_orders.call_again(claimed, entrusted))
        assert given is not None
        return _call(custodian, given)
    if step is Step.WAIT:
        raise Unavailable(f"{entrusted.order.key} is not known to the custodian yet")
    _ask_a_person(entrusted)
    raise jobs.Park(f"nobody can tell what became of {entrusted.order.key}")


@atomic
def _ask_a_person(entrusted: Entrusted) -> None:
    cases.open_case(
        "outcome_unknown",
        entrusted.order.key,
        note=f"ask the custodian {entrusted.custody} whether this key moved money, and say so by "
        "`flask anchor settle-order`",
        transaction_id=entrusted.order.transaction_id or None,
        asset=entrusted.order.asset,
    )


def poll(claimed: jobs.Claim) -> None:
    """Ask one custodian about all orders it has yet to confirm; the job `POLL`, one for each.

    Each order is judged by itself: one that cannot be asked about stops no other. Raises
    `jobs.Later` as long as there are any.
    """
    custodian, after, troubles = custodians.find(claimed.subject_id), 0, 0
    youngest_s = None
    while batch := custody_orders.sent_by(custodian.name, after, asking.BATCH):
        after, youngest_s = batch[-1].outflow_id, batch[-1].age_s
        random.shuffle(batch)  # a custodian that runs out of time leaves others unasked each time
        answered, deaf = _answers(claimed, custodian, batch)
        for each in batch:
            outcome = answered.get(each.order.key) or (each.told_hash and Paid(each.told_hash))
            if outcome:
                jobs.extend(claimed)
                troubles += not _learn(each, outcome)
        if deaf is not None:
            raise deaf
    if troubles:
        raise Unavailable(f"{troubles} outcome(s) could not be recorded")
    if youngest_s is not None:
        again_s = max(_POLL_MIN_S, min(_POLL_MAX_S, youngest_s // 4))
        raise jobs.Later(again_s, "orders are yet to be confirmed")


def _answers(
    claimed: jobs.Claim, custodian: Custodian, batch: Sequence[Entrusted]
) -> tuple[dict[str, CustodyOutcome], Unavailable | None]:
    """Return what the custodian says by key, and its silence where it does not answer."""

    def ask(some: Sequence[Entrusted]) -> list[tuple[Entrusted, CustodyOutcome]]:
        jobs.extend(claimed)
        found = custodian.poll([each.order for each in some])
        told = [(each, found[each.order.key]) for each in some if each.order.key in found]
        if not all(isinstance(outcome, CustodyOutcome) for _, outcome in told):
            raise TypeError("the custodian answered what is no outcome")
        return told

    try:
        found, _ = asking.answers(_who(custodian), batch, ask, lambda each: each.order.key)
    except Unavailable as error:
        return {}, error
    return {each.order.key: outcome for each, outcome in found}, None


def _learn(entrusted: Entrusted, outcome: CustodyOutcome) -> bool:
    """Write down what is told of one order; False, with a case, where that failed."""
    try:
        custody_outcomes.learn(entrusted, outcome)
    except Exception as error:
        log.exception("the outcome of %s could not be recorded", entrusted.order.key)
        _not_recorded(entrusted, outcome, error)
        return False
    return True


@atomic
def _not_recorded(entrusted: Entrusted, outcome: CustodyOutcome, error: Exception) -> None:
    cases.open_case(
        "outcome_not_recorded",
        entrusted.order.key,
        note=f"{entrusted.custody} said {type(outcome).__name__}; writing that failed: "
        f"{type(error).__name__}",
        transaction_id=entrusted.order.transaction_id or None,
        asset=entrusted.order.asset,
    )


def _who(custodian: Custodian) -> str:
    return f"the custodian {custodian.name}"


def settle(key: str, paid_by: str | None, by: By) -> None:
    """End an order on a person's word: paid by the transaction `paid_by`, or not at all (None).

    A ledger has to show the transaction all the same. Raises `NotFound` where no custodian
    has such an order, and `Rejected` where its end is known or the ledger shows another thing.
    """
    meant = acts.meaning("settle order", outflow=key, paid_by=paid_by)
    acts.once(by, meant, lambda: _settle(key, paid_by, by, meant), lambda _: None)


def _settle(key: str, paid_by: str | None, by: By, meant: str) -> None:
    entrusted = custody_orders.by_key(key)
    if entrusted is None:
        raise NotFound(f"no custodian was given {key}")
    _demand_open(key, entrusted.state)
    told: CustodyOutcome = Declined("a person made sure that it was not paid")
    shown = None
    if paid_by is not None:
        told = Paid(paid_by)
        shown = evidence.look(entrusted.wanted, told)
        if shown.is_early:  # a restored database gave its orders anew; a person knows
            shown = replace(shown, differs=None)
        if shown.found is None or shown.differs is not None:
            raise Rejected(shown.differs or f"no ledger shows {paid_by}")
    _record(entrusted, told, shown, by, meant)


@atomic
def _record(
    entrusted: Entrusted, told: CustodyOutcome, shown: Evidence | None, by: By, meant: str
) -> None:
    if acts.done_before(by, meant):
        return
    outflow = custody_orders.locked(entrusted.outflow_id)
    assert outflow is not None
    _demand_open(outflow.key, outflow.state)
    custody_outcomes.record(entrusted, told, shown)
    acts.write(
        f"settle {entrusted.order.key}",
        by,
        meant,
        transaction_id=entrusted.order.transaction_id or None,
        outflow_id=entrusted.outflow_id,
    )


def _demand_open(key: str, state: str) -> None:
    if state not in {"sent", "unknown"}:
        raise Rejected(f"{key} is {state} already")


def owe(source: str | None = None) -> None:
    """Owe the job of each order that waits or that nobody knows the outcome of, and the polls.

    A sweep's first half; with a `source` only what is queued for that account.
    """
    _owe_carrying(source)
    if source is None:
        owe_polls()


@atomic
def _owe_carrying(source: str | None) -> None:
    custodian = custodians.current()
    rests = exists().where(Transaction.id == Outflow.transaction_id, Transaction.is_resting)
    subject = cast(Outflow.id, Text)
    owed = exists().where(Job.kind == CARRY, Job.subject_id == subject)
    mine = () if source is None else (Outflow.source == source,)
    given = select(subject, func.concat(custodians.lane_of(""), Outflow.custody)).where(
        Outflow.custody.is_not(None), Outflow.state == "unknown", ~owed, *mine
    )
    jobs.ensure_each(CARRY, given)
    if custodian is None:
        return
    lane = literal(custodians.lane_of(custodian.name))
    queued = (
        select(subject, lane)
        .where(
            Outflow.state == "prepared",
            Outflow.form.is_not(None),
            (Outflow.kind == "refund") | ~rests,
            ~owed,
            *mine,
        )
        .order_by(Outflow.begun_at, Outflow.id)
    )
    jobs.ensure_each(CARRY, queued)


@atomic
def owe_polls() -> None:
    """Owe a poll of each custodian that has orders to confirm."""
    names = custody_orders.with_sent()
    jobs.ensure((jobs.Address(POLL, name), custodians.lane_of(name)) for name in names)


jobs.declare(CARRY, jobs.Work(carry, custodians.lease_s, custodians.ceiling))
jobs.declare(POLL, jobs.Work(poll, custodians.lease_s, custodians.ceiling, parks=False))

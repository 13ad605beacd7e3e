"""Outflows that a custodian carries out: given to it once, and found again by their keys.

An outflow waits in its source account's queue in state ``prepared``. In the commit before its
custodian hears of it, it is ``unknown``, with the custodian's name and the time of the call:
from there on nobody takes it out of the queue, and nobody else is given it (promises 5, 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from anchor.errors import Unavailable
from anchor.extensions import atomic, db
from anchor.integrations.custody import Custodian, CustodyOrder
from anchor.lifecycle import Event
from anchor.models import Outflow, Transaction
from anchor.money import to_decimal
from anchor.services import (
    brakes,
    custodians,
    evidence,
    jobs,
    order_ends,
    outflows,
    queues,
    slots,
)
from anchor.services.transactions import Happening, happened

#: The job that gives one outflow to the custodian, and finds out what became of it.
CARRY = "pay_by_custodian"
#: What an order can say; it names no balance that is to be claimed back.
_FORMS = frozenset({"payment", "create_account", "establish", "claimable_balance"})
_IS_OPEN = Outflow.state.in_(("sent", "unknown"))


@dataclass(frozen=True)
class Entrusted:
    """An outflow as its custodian is asked about it.

    `age_s` counts from the latest call on the database's clock and `key_age_s` from the
    first. `told_hash` is the transaction that is said to have paid it. `is_new` says that
    this very claim gave it away.
    """

    outflow_id: int
    state: str
    custody: str
    order: CustodyOrder
    wanted: evidence.Wanted
    age_s: int
    key_age_s: int
    calls: int
    told_hash: str | None
    is_new: bool = False


@atomic
def begin(claimed: jobs.Claim) -> Entrusted | str | None:
    """Give an outflow away, or find the one that was; None where there is nothing to do.

    Returns why not where it has to wait: nothing was given away then.
    """
    jobs.hold(claimed)
    outflow = locked(int(claimed.subject_id))
    if outflow is None or outflow.form is None or outflow.state not in {"prepared", "unknown"}:
        return None
    if outflow.state == "unknown":
        return read(outflow.id)
    custodian = custodians.current()
    if custodian is None or _rests(outflow):
        return None
    order = slots.order_of(outflow)
    if order.calls_contract or order.form not in custodian.traits.forms & _FORMS:
        _cannot(outflow, custodian)
        return None
    return _why_wait(outflow) or _give(outflow, custodian)


def locked(outflow_id: int) -> Outflow | None:
    """Lock an outflow, after its transaction as everybody does. Needs an open transaction."""
    owner = select(Outflow.transaction_id).where(Outflow.id == outflow_id)
    db.session.execute(
        select(Transaction.id).where(Transaction.id == owner.scalar_subquery()).with_for_update()
    )
    return db.session.scalar(
        select(Outflow)
        .where(Outflow.id == outflow_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _rests(outflow: Outflow) -> bool:
    if outflow.kind == "refund":
        return False
    row = db.session.get_one(Transaction, outflow.pays_for, populate_existing=True)
    return row.is_resting


def _cannot(outflow: Outflow, custodian: Custodian) -> None:
    """Hand an order to a person that this custodian cannot carry out: nobody heard of it."""
    reason = f"the custodian {custodian.name} does no {outflow.form}"
    if outflow.calls_contract:
        reason = f"the custodian {custodian.name} pays no contract accounts (C…)"
    order_ends.refuse(outflow, reason)
    order_ends.hand_to_a_person(outflow, "custody_cannot", reason, was_submitted=False)


def _why_wait(outflow: Outflow) -> str | None:
    """Say what keeps an outflow back; what is stopped keeps back all that came after it."""
    waits = select(Outflow.not_before > func.now()).where(Outflow.id == outflow.id)
    if db.session.scalar(waits):
        return "it waits for its account to have enough"
    if db.session.scalar(select(_elder_waits(outflow))):
        return "an older one waits"
    leaving = queues.leaving(outflow)
    paused = brakes.why_paused(leaving)
    if paused is not None:
        return paused
    capped = brakes.why_not(leaving)
    if capped is not None:
        outflow.not_before = func.now()  # whatever comes later stays behind it
    return capped


def _elder_waits(outflow: Outflow) -> ColumnElement[bool]:
    elder, owner = aliased(Outflow), aliased(Transaction)
    rests = exists().where(owner.id == elder.transaction_id, owner.is_resting)
    return exists().where(
        elder.source == outflow.source,
        elder.asset == outflow.asset,
        elder.state == "prepared",
        elder.form.is_not(None),
        elder.not_before.is_not(None),
        or_(
            elder.begun_at < outflow.begun_at,
            and_(elder.begun_at == outflow.begun_at, elder.id < outflow.id),
        ),
        or_(elder.kind == "refund", ~rests),
    )


def _give(outflow: Outflow, custodian: Custodian) -> Entrusted:
    outflow.state = "unknown"
    outflow.custody = custodian.name
    outflow.calls = 1
    outflow.first_called_at = outflow.called_at = func.now()
    db.session.flush()
    if outflow.kind == "submission" and not outflow.only_prepares:
        happened(Happening(outflow.pays_for, Event.LEDGER_PAYMENT_SUBMITTED, outflow.key))
    return replace(read(outflow.id), is_new=True)


@atomic
def call_again(claimed: jobs.Claim, entrusted: Entrusted) -> Entrusted | str:
    """Note, before the call, that the same key is given once more; or say what keeps it back.

    Raises `Unavailable` where its outcome is known meanwhile.
    """
    jobs.hold(claimed)
    outflow = locked(entrusted.outflow_id)
    assert outflow is not None
    if outflow.state != "unknown":
        raise Unavailable(f"{outflow.key} is {outflow.state} meanwhile")
    paused = brakes.why_paused(queues.leaving(outflow))
    if paused is not None:
        return paused
    outflow.calls += 1
    outflow.called_at = func.now()
    db.session.flush()
    return read(outflow.id)


@atomic
def nothing_began(entrusted: Entrusted) -> None:
    """Put an outflow back into its queue, on the custodian's word that nothing began.

    It speaks of this call alone: what an earlier call began, or was found since, stays.
    """
    if entrusted.calls == 1:
        db.session.execute(
            update(Outflow)
            .where(
                Outflow.id == entrusted.outflow_id, Outflow.calls == 1, Outflow.state == "unknown"
            )
            .values(state="prepared", custody=None, called_at=None, first_called_at=None, calls=0)
        )


def again(outflow: Outflow) -> None:
    """Refuse an outflow that moved nothing, and queue its next attempt in its place.

    Its key was used: the next attempt has the next one. It keeps its turn by its age. Needs
    an open transaction.
    """
    order_ends.refuse(outflow, outflow.note or "it is tried again under the next key")
    if outflow.kind == "submission" and not outflow.only_prepares:
        happened(Happening(outflow.pays_for, Event.LEDGER_PAYMENT_FAILED, outflow.key))
    following = outflows.queue_again(outflow)
    custodian = custodians.current()
    if custodian is not None:
        lane = custodians.lane_of(custodian.name)
        jobs.ensure([(jobs.Address(CARRY, str(following.id)), lane)])


@atomic
def sent_by(custody: str, after: int, limit: int) -> list[Entrusted]:
    """Return orders that a custodian took and has yet to confirm, by ascending outflow id."""
    found = db.session.execute(
        _entrusted()
        .where(Outflow.custody == custody, Outflow.state == "sent", Outflow.id > after)
        .order_by(Outflow.id)
        .limit(limit)
    )
    return [as_value(*each) for each in found]


@atomic
def by_key(key: str) -> Entrusted | None:
    """Return the order that a custodian knows by this key; None where there is none."""
    query = _entrusted().where(Outflow.key == key, Outflow.custody.is_not(None))
    found = db.session.execute(query).one_or_none()
    return as_value(*found) if found else None


@atomic
def with_sent() -> Sequence[str]:
    """Return the custodians that have orders to confirm."""
    query = select(Outflow.custody).where(
        Outflow.custody.is_not(None), _IS_OPEN, Outflow.state == "sent"
    )
    return [name for name in db.session.scalars(query.distinct()) if name]


def read(outflow_id: int) -> Entrusted:
    """Return an order that was given away. Needs an open transaction."""
    return as_value(*db.session.execute(_entrusted().where(Outflow.id == outflow_id)).one())


def _entrusted() -> Select[Any]:
    ages = (
        func.floor(func.extract("epoch", func.now() - column))
        for column in (Outflow.called_at, Outflow.first_called_at)
    )
    return select(Outflow, *ages).execution_options(populate_existing=True)


def as_value(outflow: Outflow, age: Any, key_age: Any) -> Entrusted:
    """Return an outflow that was given to a custodian as that is asked about it."""
    order = slots.order_of(outflow)
    assert outflow.source is not None
    assert outflow.custody is not None
    assert outflow.first_called_at is not None
    memo_type = outflow.memo_type if outflow.memo is not None else None
    return Entrusted(
        outflow_id=outflow.id,
        state=outflow.state,
        custody=outflow.custody,
        order=CustodyOrder(
            key=outflow.key,
            transaction_id=outflow.transaction_id or "",
            source=outflow.source,
            form=order.form,
            destination=order.destination,
            asset=order.asset,
            amount=to_decimal(order.amount),
            started_at=outflow.begun_at,
            memo_type=memo_type or "none",
            memo=outflow.memo,
            starting_balance=to_decimal(order.starting_balance),
            reclaim_at=_instant(order.reclaim_at),
            reference=outflow.reference,
        ),
        wanted=evidence.Wanted(
            outflow.source, order, memo_type or "none", outflow.memo, outflow.first_called_at
        ),
        age_s=int(age),
        key_age_s=int(key_age),
        calls=outflow.calls,
        told_hash=outflow.told_hash,
    )


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

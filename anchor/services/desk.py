"""The operator's desk: what waits for a person, what may be done about it, and the doing.

Every act writes who did what in the commit that does it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, not_, select

from anchor import lifecycle
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.lifecycle import FINAL, Event, Kind, Status
from anchor.matching import FOR_THE_DESK, Verdict
from anchor.models import OUTFLOW_OPEN, Act, Case, Outflow, Transaction
from anchor.money import format_amount
from anchor.services import (
    acts,
    arrivals,
    jobs,
    order_ends,
    outflows,
    retries,
)
from anchor.services.acts import By
from anchor.services.arrivals import Arrival
from anchor.services.transactions import (
    PAY_OUT,
    Happening,
    any_of,
    can_have,
    happened,
    lane_of,
    next_job_kind,
)

#: Verdicts of money that a person may credit to somebody.
CREDITABLE = FOR_THE_DESK - {Verdict.UNREADABLE}
#: Reasons for which who pays has to be asked how an order ended.
ASKED = frozenset(
    ("outcome_unknown", "outcome_not_recorded", "custody_paid_otherwise", "custody_paid_unseen")
)
MAX_PAGE = 200


@dataclass(frozen=True)
class Done:
    """One act that was done."""

    what: str
    who: str
    note: str | None
    done_at: datetime


@dataclass(frozen=True)
class Desk:
    """A case as a person needs it; `acts` may be done now, `done` were. Amounts in stroops."""

    id: int
    reason: str
    cause: str
    note: str | None
    transaction_id: str | None
    asset: str | None
    amount_owed: int | None
    opened_at: datetime
    closed_at: datetime | None
    acts: tuple[str, ...] = ()
    done: tuple[Done, ...] = ()


@atomic
def listing(
    *, reason: str | None = None, closed: bool = False, after: int = 0, limit: int = 50
) -> list[Desk]:
    """Return cases, the oldest first, that come after the one with the id `after`."""
    query = select(Case).where(Case.id > after).order_by(Case.id).limit(min(limit, MAX_PAGE))
    if not closed:
        query = query.where(Case.closed_at.is_(None))
    if reason is not None:
        query = query.where(Case.reason == reason)
    return [_shown(case) for case in db.session.scalars(query)]


@atomic
def show(case_id: int) -> Desk:
    """Return one case with the acts that are legal now and those that were done."""
    case = case_of(case_id)
    query = select(Act).where(Act.case_id == case_id).order_by(Act.id)
    done = tuple(
        Done(act.what, act.who, act.note, act.done_at) for act in db.session.scalars(query)
    )
    return _shown(case, acts=() if case.closed_at else _acts(case), done=done)


def _shown(case: Case, acts: tuple[str, ...] = (), done: tuple[Done, ...] = ()) -> Desk:
    return Desk(
        id=case.id,
        reason=case.reason,
        cause=case.cause,
        note=case.note,
        transaction_id=case.transaction_id,
        asset=case.asset,
        amount_owed=case.amount_owed,
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        acts=acts,
        done=done,
    )


@atomic
def acts_of(transaction_id: str) -> tuple[str, ...]:
    """Return the names of what may be done about a transaction as things stand.

    Raises `NotFound` where there is none.
    """
    row = db.session.get(Transaction, transaction_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no transaction {transaction_id}")
    return tuple(sorted(_acts_about(row) | _acts_on(outflow_of(None, row.id))))


def _acts(case: Case) -> tuple[str, ...]:
    """Return the names of what may answer a case as things stand."""
    found = {"close"} | _acts_on(outflow_of(case))
    arrival = arrival_of(case)
    is_left = arrival is not None and arrival.left > 0 and not arrival.is_gone
    if arrival is not None and is_left and arrival.verdict in CREDITABLE:
        found |= {"refund", *(["credit"] if arrival.left == arrival.amount else [])}
    if case.transaction_id is not None:
        found |= _acts_about(db.session.get_one(Transaction, case.transaction_id))
    elif arrival is not None and is_left and arrival.transaction_id is not None:
        found |= _acts_about(db.session.get_one(Transaction, arrival.transaction_id)) & {"refund"}
    if case.reason.startswith("job_") and retries.of_case(case.cause) is not None:
        found.add("retry")
    return tuple(sorted(found))


def _acts_about(row: Transaction) -> set[str]:
    found = set()
    is_gone = row.funded_at is not None and arrivals.gone(row.id) > 0
    is_left = row.amount_received > row.amount_paid + row.amount_refunded
    is_free = _open_key(row.id) is None
    may_be_free = is_free or _open_key(row.id, not_(order_ends.CAN_BE_WITHDRAWN)) is None
    is_owed = is_free and is_left
    if is_owed and row.is_resting and can_have(row, Event.RELEASED) and not is_gone:
        found.add("release")
    if is_gone and can_have(row, Event.FAILED):
        found.add("fail")
    if may_be_free and row.status not in FINAL and _can_be_held(row):
        found.add("hold")
    if may_be_free and is_left:
        found.add("refund")
    if is_owed and _can_be_paid_again(row):
        found.add("pay-again")
    return found


def acts_on(found: Collection[Outflow]) -> dict[int, tuple[str, ...]]:
    """Return what may be done about each of some money that goes out, by its id.

    Who pays is asked by a person only where a case says so. Needs an open transaction.
    """
    called = {each.key: each for each in found if each.state in OUTFLOW_OPEN and each.calls}
    key = func.split_part(Case.cause, "/", 1)
    asked = select(key).where(
        Case.reason.in_(ASKED), Case.closed_at.is_(None), key == any_of(called)
    )
    acts: dict[int, tuple[str, ...]] = {
        each.id: ("cancel-refund",) for each in found if _can_be_cancelled(each)
    }
    for row in (called[key] for key in (db.session.scalars(asked) if called else ())):
        if row.custody is not None or row.rail is not None:
            acts[row.id] = ("settle-order" if row.custody is not None else "settle",)
    return acts


def _can_be_cancelled(outflow: Outflow) -> bool:
    return outflow.kind == "refund" and outflow.state == "prepared" and not outflow.calls


def _acts_on(outflow: Outflow | None) -> set[str]:
    return set() if outflow is None else set(acts_on([outflow]).get(outflow.id, ()))


def outflow_of(
    case: Case | None, transaction_id: str | None = None, key: str | None = None
) -> Outflow | None:
    """Return what goes out and is what a case, or a transaction, is about: by its `key`, or else
    what is not finally known.

    Needs an open transaction.
    """
    about = _about(case, case.transaction_id if case else transaction_id)
    if about is None:
        return None
    which = Outflow.state.in_(OUTFLOW_OPEN) if key is None else Outflow.key == key
    query = select(Outflow).where(about, which).order_by(Outflow.id)
    return db.session.scalar(query.limit(1).execution_options(populate_existing=True))


def _about(case: Case | None, transaction_id: str | None) -> ColumnElement[bool] | None:
    if case is not None and case.reason in ASKED:
        return Outflow.key == case.cause.partition("/")[0]
    arrival = None if case is None else arrival_of(case)
    if arrival is not None:
        column = Outflow.payment_id if arrival.rail is None else Outflow.receipt_id
        return column == arrival.row_id
    # what has no transaction is not what a case without one is about
    return None if transaction_id is None else Outflow.transaction_id == transaction_id


def arrival_of(case: Case) -> Arrival | None:
    """Return the money that a case is about, or None. Needs an open transaction."""
    try:
        return arrivals.find(case.cause)
    except NotFound:
        return None


@atomic
def close(case_id: int, by: By) -> None:
    """Close a case: what it is about was dealt with otherwise, as the note says."""
    meant = acts.meaning("close", case=case_id)
    if acts.done_before(by, meant):
        return
    case = locked_case(case_id)
    if case.closed_at is not None:
        raise Rejected(f"case {case_id} is closed already")
    if not by.note:
        raise Rejected("closing a case needs a note that says how it was answered")
    case.closed_at = func.now()
    acts.write("close", by, meant, case_id=case_id)


@atomic
def hold(transaction_id: str, by: By) -> None:
    """Let nothing go out for a transaction; what is on its way is not called back."""
    meant = acts.meaning("hold", transaction=transaction_id)
    if acts.done_before(by, meant):
        return
    row = locked(transaction_id)
    order_ends.withdraw([row.id], "it is held")
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; nothing can be held until its end is known")
    if not _can_be_held(row):
        raise Rejected(f"{transaction_id} is {row.status}: there is nothing to hold")
    act_id = acts.write("hold", by, meant, transaction_id=row.id)
    happened(Happening(row.id, Event.HELD, f"act {act_id}"))


def _can_be_held(row: Transaction) -> bool:
    """Tell whether holding changes anything: what rests in its place rests already."""
    if not can_have(row, Event.HELD):
        return False
    kind, status = Kind(row.kind), Status(row.status)
    target = lifecycle.next_status(kind, status, funds_in=True, event=Event.HELD)
    return target != status or not row.is_resting


@atomic
def release(transaction_id: str, by: By, *, seen: int | None = None) -> None:
    """Let a transaction that rests go on: it is paid out.

    `Rejected` where that is not the version `seen` any more that somebody looked at: a page that
    stood open must not end what another person held meanwhile.
    """
    meant = acts.meaning("release", transaction=transaction_id)
    if acts.done_before(by, meant):
        return
    row = locked(transaction_id)
    _demand_seen(row, seen)
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; wait until its end is known")
    if not row.is_resting or not can_have(row, Event.RELEASED):
        raise Rejected(f"{transaction_id} is {row.status} and waits for nobody's word")
    if row.amount_paid + row.amount_refunded >= row.amount_received:
        raise Rejected(f"nothing is left of {transaction_id} to pay out")
    demand_not_gone(row)
    act_id = acts.write("release", by, meant, transaction_id=row.id)
    happened(Happening(row.id, Event.RELEASED, f"act {act_id}"))
    _wake(row.id)


def _wake(transaction_id: str) -> None:
    """Make the job due that a transaction calls for, also where it was parked."""
    row = db.session.get_one(Transaction, transaction_id, populate_existing=True)
    kind = next_job_kind(row)
    if kind is not None:
        jobs.renew(jobs.Address(kind, row.id), lane_of(row, kind))


@atomic
def pay_again(transaction_id: str, by: By, *, seen: int | None = None) -> str:
    """Pay again what came back after the end, to the details that the transaction has now.

    Returns the key of the new payout. `seen` is as in `release`.
    """
    meant = acts.meaning("pay again", transaction=transaction_id)
    if (known := acts.done_before(by, meant)) is not None:
        return db.session.get_one(Outflow, known.outflow_id).key
    row = locked(transaction_id)
    _demand_seen(row, seen)
    demand_not_gone(row)
    if not _can_be_paid_again(row):
        raise Rejected(f"nothing of {transaction_id} came back that could be paid again")
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; wait until its end is known")
    outflow = outflows.open_again(row)
    acts.write("pay again", by, meant, transaction_id=row.id, outflow_id=outflow.id)
    jobs.renew(jobs.Address(PAY_OUT, row.id), row.rail)
    return outflow.key


def _demand_seen(row: Transaction, seen: int | None) -> None:
    if seen not in {None, row.version}:
        raise Rejected(f"{row.id} has changed since it was looked at; look again")


def _can_be_paid_again(row: Transaction) -> bool:
    came_back = select(Outflow.id).where(
        Outflow.transaction_id == row.id,
        Outflow.kind == "payout",
        Outflow.returned_at.is_not(None),
    )
    left = row.amount_received - row.amount_paid - row.amount_refunded
    is_over = row.status == Status.COMPLETED
    return is_over and left > 0 and db.session.scalar(came_back.limit(1)) is not None


def demand_not_gone(row: Transaction) -> None:
    """Refuse to go on with a transaction whose bank took money back that still counts in it."""
    gone = arrivals.gone(row.id)
    if gone and row.funded_at is not None:
        raise Rejected(
            f"the bank took {format_amount(gone)} of {row.id} back: refund what is left of it, "
            "and let the customer begin a new one"
        )


@atomic
def fail(transaction_id: str, by: By) -> None:
    """End a transaction without paying: its status is ``error`` from now on.

    Raises `Rejected` while something is on its way, or while money of the customer's is with us.
    """
    meant = acts.meaning("fail", transaction=transaction_id)
    if acts.done_before(by, meant):
        return
    row = locked(transaction_id)
    order_ends.withdraw([row.id], "it has failed")
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; wait until its end is known")
    left = arrivals.lasting(row.id) - row.amount_paid - row.amount_refunded
    if left > 0:
        raise Rejected(f"{format_amount(left)} of it are with us: refund them first")
    if not can_have(row, Event.FAILED):
        raise Rejected(f"{transaction_id} is {row.status} and over")
    act_id = acts.write("fail", by, meant, transaction_id=row.id)
    columns = {"message": by.note[:500]} if by.note else {}
    happened(Happening(row.id, Event.FAILED, f"act {act_id}", columns=columns))


def locked_case(case_id: int) -> Case:
    """Return a case that nobody else answers meanwhile; `NotFound`. Needs an open transaction.

    Whoever locks a transaction, or money that came, does that first.
    """
    return case_of(case_id, is_locked=True)


def case_of(case_id: int, *, is_locked: bool = False) -> Case:
    """Return a case as it is now; `NotFound` where there is none. Needs an open transaction."""
    case = db.session.get(Case, case_id, with_for_update=is_locked, populate_existing=True)
    if case is None:
        raise NotFound(f"there is no case {case_id}")
    return case


def locked(transaction_id: str) -> Transaction:
    """Return a transaction that nobody else moves meanwhile; `NotFound`. Needs an open one."""
    row = db.session.get(Transaction, transaction_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no transaction {transaction_id}")
    return row


def _open_key(transaction_id: str, *which: ColumnElement[bool]) -> str | None:
    query = select(Outflow.key).where(
        Outflow.transaction_id == transaction_id, Outflow.state.in_(OUTFLOW_OPEN), *which
    )
    return db.session.scalar(query)

"""The operator's desk: what waits for a person, what may be done about it, and the doing.

Every act writes who did what in the commit that does it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from anchor import lifecycle
from anchor.assets import StellarAsset
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, settings
from anchor.integrations.protocols import Done as Paid
from anchor.integrations.protocols import Refused
from anchor.lifecycle import FINAL, Event, Kind, Status
from anchor.matching import FOR_THE_DESK, Verdict
from anchor.models import OUTFLOW_OPEN, Act, Case, Outflow, Payment, Receipt, Transaction
from anchor.money import format_amount
from anchor.services import (
    arrivals,
    bookings,
    conversions,
    jobs,
    networks,
    order_ends,
    outcomes,
    outflows,
    retries,
)
from anchor.services.arrivals import Arrival
from anchor.services.payouts import REFUND
from anchor.services.transactions import (
    PAY_OUT,
    Happening,
    can_have,
    happened,
    lane_of,
    next_job_kind,
)

#: Verdicts of money that a person may credit to somebody.
CREDITABLE = FOR_THE_DESK - {Verdict.UNREADABLE}
MAX_PAGE = 200


@dataclass(frozen=True)
class By:
    """Who acts, and why."""

    who: str
    note: str | None = None


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
    case = _case(case_id)
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


def _acts(case: Case) -> tuple[str, ...]:
    """Return the names of the commands that may answer a case as things stand."""
    found = ["close"]
    arrival = arrival_of(case)
    if arrival is not None and arrival.left > 0 and not arrival.is_gone:
        if arrival.verdict in CREDITABLE:
            found.append("credit")
        if arrival.verdict in CREDITABLE | {Verdict.CREDITED}:
            found.append("refund")
    if case.transaction_id is not None:
        row = db.session.get_one(Transaction, case.transaction_id)
        is_gone = row.funded_at is not None and arrivals.gone(row.id) > 0
        if row.is_resting and can_have(row, Event.RELEASED) and not is_gone:
            found.append("release")
        if is_gone and can_have(row, Event.FAILED):
            found.append("fail")
        if row.status not in FINAL and _can_be_held(row) and not outflows.has_open(row.id):
            found.append("hold")
        owed = row.amount_received - row.amount_paid - row.amount_refunded
        if owed > 0 and _open_key(row.id) is None and "refund" not in found:
            found += ["refund", *(["pay-again"] if _can_be_paid_again(row) else [])]
    if case.reason == "outcome_unknown":
        found.append("settle")
    if case.reason.startswith("job_"):
        found.append("retry")
    return tuple(sorted(found))


@atomic
def acts_of(transaction_id: str) -> tuple[str, ...]:
    """Return the names of the acts that may be done about a transaction as things stand."""
    about = Case(reason="", cause="", transaction_id=transaction_id)
    return tuple(each for each in _acts(about) if each != "close")


def arrival_of(case: Case) -> Arrival | None:
    """Return the money that a case is about, or None. Needs an open transaction."""
    try:
        return arrivals.find(case.cause)
    except NotFound:
        return None


@atomic
def close(case_id: int, by: By) -> None:
    """Close a case: what it is about was dealt with otherwise, as the note says."""
    case = _case(case_id)
    if case.closed_at is not None:
        raise Rejected(f"case {case_id} is closed already")
    if not by.note:
        raise Rejected("closing a case needs a note that says how it was answered")
    case.closed_at = func.now()
    _act("close", by, case_id=case_id)


@atomic
def hold(transaction_id: str, by: By) -> None:
    """Let nothing go out for a transaction; what is on its way is not called back."""
    row = _locked(transaction_id)
    order_ends.withdraw([row.id], "it is held")
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; nothing can be held until its end is known")
    if not _can_be_held(row):
        raise Rejected(f"{transaction_id} is {row.status}: there is nothing to hold")
    act_id = _act("hold", by, transaction_id=row.id)
    happened(Happening(row.id, Event.HELD, f"act {act_id}"))


def _can_be_held(row: Transaction) -> bool:
    """Tell whether holding changes anything: what rests in its place rests already."""
    if not can_have(row, Event.HELD):
        return False
    kind, status = Kind(row.kind), Status(row.status)
    target = lifecycle.next_status(kind, status, funds_in=True, event=Event.HELD)
    return target != status or not row.is_resting


@atomic
def release(transaction_id: str, by: By) -> None:
    """Let a transaction that rests go on: it is paid out."""
    row = _locked(transaction_id)
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; wait until its end is known")
    if not row.is_resting or not can_have(row, Event.RELEASED):
        raise Rejected(f"{transaction_id} is {row.status} and waits for nobody's word")
    if row.amount_paid + row.amount_refunded >= row.amount_received:
        raise Rejected(f"nothing is left of {transaction_id} to pay out")
    _demand_not_gone(row)
    act_id = _act("release", by, transaction_id=row.id)
    happened(Happening(row.id, Event.RELEASED, f"act {act_id}"))
    _wake(row.id)


def _wake(transaction_id: str) -> None:
    """Make the job due that a transaction calls for, also where it was parked."""
    row = db.session.get_one(Transaction, transaction_id, populate_existing=True)
    kind = next_job_kind(row)
    if kind is not None:
        jobs.renew(jobs.Address(kind, row.id), lane_of(row, kind))


@atomic
def settle(key: str, by: By, *, is_paid: bool) -> None:
    """Say what became of an attempt by rail that nobody can ask about: it paid, or never will.

    Raises `NotFound`, or `Rejected` where its end is known already or nobody was told of it.
    """
    outflow = db.session.scalar(
        select(Outflow)
        .where(Outflow.key == key, Outflow.rail.is_not(None))
        .execution_options(populate_existing=True)
    )
    if outflow is None or outflow.rail is None:
        raise NotFound(f"no rail was given an order {key}")
    attempt = outflows.by_key(outflow.rail, key)
    if attempt is None or outflow.state not in OUTFLOW_OPEN or not outflow.calls:
        raise Rejected(f"{key} is {outflow.state}: there is nothing to settle")
    reason = by.note or "a person said so"
    outcomes.record(attempt, Paid() if is_paid else Refused(reason))
    _act(
        "settled as paid" if is_paid else "settled as not paid",
        by,
        transaction_id=outflow.transaction_id,
    )
    job = (PAY_OUT, outflow.transaction_id) if outflow.kind == "payout" else (REFUND, outflow.id)
    retries.retry(jobs.Address(job[0], str(job[1])))
    db.session.execute(
        update(Case)
        .where(Case.reason == "outcome_unknown", Case.cause == key, Case.closed_at.is_(None))
        .values(closed_at=func.now())
    )


@atomic
def pay_again(transaction_id: str, by: By) -> str:
    """Pay again what came back after the end, to the details that the transaction has now.

    Returns the key of the new payout.
    """
    row = _locked(transaction_id)
    _demand_not_gone(row)
    if not _can_be_paid_again(row):
        raise Rejected(f"nothing of {transaction_id} came back that could be paid again")
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; wait until its end is known")
    outflow = outflows.open_again(row)
    _act("pay again", by, transaction_id=row.id)
    jobs.renew(jobs.Address(PAY_OUT, row.id), row.rail)
    return outflow.key


def _can_be_paid_again(row: Transaction) -> bool:
    came_back = select(Outflow.id).where(
        Outflow.transaction_id == row.id,
        Outflow.kind == "payout",
        Outflow.returned_at.is_not(None),
    )
    left = row.amount_received - row.amount_paid - row.amount_refunded
    is_over = row.status == Status.COMPLETED
    return is_over and left > 0 and db.session.scalar(came_back.limit(1)) is not None


@atomic
def credit(case_id: int, transaction_id: str, by: By) -> None:
    """Credit money that matched nobody to a transaction, and let that go on.

    Raises `Rejected` where it is not the transaction's asset, where some of it was sent back,
    or where the transaction takes no money any more.
    """
    case = _case(case_id)
    row = _locked(transaction_id)
    if case.closed_at is not None:
        raise Rejected(f"case {case_id} is closed")
    if arrival_of(case) is None:
        raise Rejected(f"case {case_id} is about no money that came")
    arrival = arrivals.lock(case.cause)
    if arrival.verdict not in CREDITABLE or arrival.is_gone or not arrival.amount:
        raise Rejected(f"{arrival.cause} is {arrival.verdict} and cannot be credited")
    if arrival.network_id is not None and arrival.network_id != networks.current_id():
        raise Rejected(f"{arrival.cause} came on a network that is gone")
    if arrival.left != arrival.amount:
        raise Rejected(f"{format_amount(arrival.amount - arrival.left)} of it were sent back")
    if not _is_for(arrival, row):
        wanted = _code(row.received_as)
        raise Rejected(f"it is {_code(arrival.asset)}, and {row.id} is about {wanted}")
    if row.status == Status.INCOMPLETE:
        raise Rejected(f"{row.id} is incomplete: nobody has said where its money is to go")
    event = Event.RECOVERED if row.status in {Status.EXPIRED, Status.ERROR} else None
    if event is None and not can_have(row, Event.FUNDS_RECEIVED):
        raise Rejected(f"{row.id} is {row.status} and takes no money any more")
    _demand_not_gone(row)
    conversions.demand_exact(row, arrival.amount)
    _credited(arrival, row.id)
    case.closed_at = func.now()
    act_id = _act("credit", by, case_id=case_id, transaction_id=row.id)
    bookings.credited_by_hand(arrival, row.id, row.received_as)
    cause = f"act {act_id}"
    if event is None:
        happened(Happening(row.id, Event.FUNDS_RECEIVED, cause, received=arrival.amount))
    else:
        happened(
            Happening(row.id, None, cause, received=arrival.amount),
            Happening(row.id, event, cause),
        )


def _is_for(arrival: Arrival, row: Transaction) -> bool:
    """Tell whether money is of a transaction's asset, or of the currency its rail books for it."""
    policy = settings().asset_by_id(row.asset)
    is_by_rail = policy is not None and arrival.rail in policy.rails
    if row.quote_id is not None and is_by_rail:
        booked = settings().asset_by_id(arrival.asset)
        return row.received_as in {arrival.asset, f"rail:{booked.booked_in if booked else None}"}
    currency = policy.booked_in if policy and is_by_rail else None
    return arrival.asset in {row.received_as, f"rail:{currency}"}


def _demand_not_gone(row: Transaction) -> None:
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
    row = _locked(transaction_id)
    order_ends.withdraw([row.id], "it has failed")
    key = _open_key(row.id)
    if key is not None:
        raise Rejected(f"{key} is on its way; wait until its end is known")
    left = arrivals.lasting(row.id) - row.amount_paid - row.amount_refunded
    if left > 0:
        raise Rejected(f"{format_amount(left)} of it are with us: refund them first")
    if not can_have(row, Event.FAILED):
        raise Rejected(f"{transaction_id} is {row.status} and over")
    act_id = _act("fail", by, transaction_id=row.id)
    columns = {"message": by.note[:500]} if by.note else {}
    happened(Happening(row.id, Event.FAILED, f"act {act_id}", columns=columns))


def _credited(arrival: Arrival, transaction_id: str) -> None:
    table = Payment if arrival.rail is None else Receipt
    db.session.execute(
        update(table)
        .where(table.id == arrival.row_id)
        .values(verdict=Verdict.CREDITED, transaction_id=transaction_id, note="credited by hand")
    )


def _code(asset: str) -> str:
    return StellarAsset.parse(asset).code if not asset.startswith("rail:") else asset[5:]


def _case(case_id: int) -> Case:
    case = db.session.get(Case, case_id, with_for_update=True, populate_existing=True)
    if case is None:
        raise NotFound(f"there is no case {case_id}")
    return case


def _locked(transaction_id: str) -> Transaction:
    row = db.session.get(Transaction, transaction_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no transaction {transaction_id}")
    return row


def _open_key(transaction_id: str) -> str | None:
    query = select(Outflow.key).where(
        Outflow.transaction_id == transaction_id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    return db.session.scalar(query)


def _act(
    what: str, by: By, *, case_id: int | None = None, transaction_id: str | None = None
) -> int:
    act = Act(what=what, who=by.who, note=by.note, case_id=case_id, transaction_id=transaction_id)
    db.session.add(act)
    db.session.flush()
    return act.id

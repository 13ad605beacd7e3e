"""What an operator looks at first: what is wrong, what waits for whom, and what is paused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, select

from anchor.extensions import atomic, db
from anchor.models import Case, Job
from anchor.reasons import Reason
from anchor.services import brakes, networks, standing
from anchor.services.brakes import Cap

#: So many open cases are counted for a number beside a word.
MANY = 1000
#: Reasons of cases that the daily comparison opens.
COMPARED = (Reason.BOOKS_DIFFER, Reason.MONEY_WAS_MISSED)
_SHOWN = 50


@dataclass(frozen=True)
class Notice:
    """What every page says: open cases, counted up to `MANY`, and the pauses that are set."""

    cases: int
    paused: Sequence[brakes.Standing]


@dataclass(frozen=True)
class Followed:
    """How far an account was read, how long ago that is, and why nobody reads on."""

    account_id: str
    read_until: datetime
    lag: timedelta
    stopped: str | None


@dataclass(frozen=True)
class Waiting:
    """How many cases of one reason are open, the oldest since an instant."""

    reason: str
    count: int
    since: datetime


@dataclass(frozen=True)
class Work:
    """Jobs of one kind: all that wait, those that are due, since when, and those that are parked.

    What is parked waits for a person, and is not due.
    """

    kind: str
    waiting: int
    due: int
    due_since: datetime | None
    parked: int


@dataclass(frozen=True)
class Overview:
    """How things stand at an instant; `problems` are sentences, none where all is well."""

    at: datetime
    problems: Sequence[str]
    accounts: Sequence[Followed]
    cases: Sequence[Waiting]
    work: Sequence[Work]
    paused: Sequence[brakes.Standing]
    caps: Sequence[Cap]


@dataclass(frozen=True)
class Found:
    """Something that the daily comparison found, of which the case is open still."""

    case_id: int
    reason: str
    note: str | None
    opened_at: datetime


@atomic
def notice() -> Notice:
    """Return what every page says; it is asked for with each of them, and reads few rows."""
    is_open = select(Case.id).where(Case.closed_at.is_(None)).limit(MANY).subquery()
    count = db.session.scalar(select(func.count()).select_from(is_open)) or 0
    return Notice(count, brakes.standing())


@atomic
def look() -> Overview:
    """Return how things stand now. Counts all jobs and all open cases."""
    now: datetime = db.session.execute(select(func.now())).scalar_one()
    return Overview(
        at=now,
        problems=standing.look()["problems"],
        accounts=[
            Followed(row.account_id, row.read_until, now - row.read_until, row.stopped_reason)
            for row in networks.standing()
        ],
        cases=_cases(),
        work=_work(),
        paused=brakes.standing(),
        caps=brakes.caps(),
    )


def _cases() -> list[Waiting]:
    oldest = func.min(Case.opened_at)
    query = (
        select(Case.reason, func.count(), oldest)
        .where(Case.closed_at.is_(None))
        .group_by(Case.reason)
        .order_by(oldest, Case.reason)
    )
    return [Waiting(*row) for row in db.session.execute(query)]


def _work() -> list[Work]:
    is_parked = Job.parked_at.is_not(None)
    is_due = and_(Job.parked_at.is_(None), Job.due_at <= func.now())
    query = (
        select(
            Job.kind,
            func.count(),
            func.count().filter(is_due),
            func.min(Job.due_at).filter(is_due),
            func.count().filter(is_parked),
        )
        .group_by(Job.kind)
        .order_by(Job.kind)
    )
    return [Work(*row) for row in db.session.execute(query)]


@atomic
def compared() -> list[Found]:
    """Return what the daily comparison found and nobody has answered, the newest first.

    To compare now takes whole tables: that is `reconcile`'s.
    """
    query = (
        select(Case.id, Case.reason, Case.note, Case.opened_at)
        .where(Case.closed_at.is_(None), Case.reason.in_(COMPARED))
        .order_by(Case.id.desc())
        .limit(_SHOWN)
    )
    return [Found(*row) for row in db.session.execute(query)]

"""How much of everything waits, and for how long: numbers that are read from the rows.

For whoever watches from outside. The rows are the truth, so every process measures the same, and
none has to count along. No names, no keys, no text that somebody wrote.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Numeric,
    Select,
    case,
    exists,
    func,
    select,
    text,
    type_coerce,
)

from anchor.extensions import atomic, db, settings
from anchor.models import (
    NOT_OVER,
    OUTFLOW_OPEN,
    Callback,
    Case,
    Job,
    Outflow,
    RailReading,
    Tick,
    Transaction,
)
from anchor.models.columns import one_of
from anchor.schedule import OFF, SERVICES
from anchor.services import brakes, callbacks, networks, pending_deposits, standing

#: How a job stands: nobody will run it, somebody runs it, somebody should, or it is not time yet.
JOB_STATES = ("parked", "leased", "due", "waiting")

#: The age of what has not happened.
NEVER = Decimal("Infinity")


@dataclass(frozen=True)
class Pile:
    """How many of one sort wait, and for how many seconds the one has that waits the longest.

    `sort` are the values of the labels; `oldest_s` is None where nothing waits for anybody.
    """

    sort: tuple[str, ...]
    count: int
    oldest_s: Decimal | None


@dataclass(frozen=True)
class Watched:
    """Whether an account is followed now, and how many seconds old the ledger is it was read to.

    `age_s` is None for one that no stream runner could begin with.
    """

    account_id: str
    is_followed: bool
    age_s: int | None


@dataclass(frozen=True)
class Measures:
    """All that is measured, at one instant by the database's clock."""

    schema: str
    transactions: tuple[Pile, ...]
    cases: tuple[Pile, ...]
    jobs: tuple[Pile, ...]
    outflows: tuple[Pile, ...]
    callbacks: Pile
    accounts: tuple[Watched, ...]
    rails: tuple[tuple[str, Decimal], ...]
    ticks: tuple[tuple[str, Decimal], ...]
    pauses: tuple[brakes.Standing, ...]
    caps: tuple[brakes.Cap, ...]


@atomic
def look() -> Measures:
    """Measure everything, by a dozen statements, each of which reads only what is not over."""
    return Measures(
        schema=db.session.scalar(text("SELECT version_num FROM alembic_version")) or "",
        transactions=_transactions(),
        cases=_piles(
            select(Case.reason, func.count(), _age(func.min(Case.opened_at)))
            .where(Case.closed_at.is_(None))
            .group_by(Case.reason)
        ),
        jobs=_jobs(),
        outflows=_outflows(),
        callbacks=_callbacks(),
        accounts=_accounts(),
        rails=_rails(),
        ticks=_ticks(),
        pauses=tuple(brakes.standing()),
        caps=tuple(brakes.caps()),
    )


def _transactions() -> tuple[Pile, ...]:
    sort = (Transaction.kind, Transaction.status)
    query = select(*sort, func.count(), _age(func.min(Transaction.updated_at)))
    return _piles(query.where(text(NOT_OVER)).group_by(*sort))


def _jobs() -> tuple[Pile, ...]:
    parked, leased, due, waiting = JOB_STATES
    state = case(
        (Job.parked_at.is_not(None), parked),
        (Job.leased_until > func.now(), leased),
        (Job.due_at <= func.now(), due),
        else_=waiting,
    )
    told = select(Job.kind, state.label("state"), Job.parked_at, Job.due_at).subquery()
    since = case((told.c.state == parked, told.c.parked_at), (told.c.state == due, told.c.due_at))
    sort = (told.c.kind, told.c.state)
    return _piles(select(*sort, func.count(), _age(func.min(since))).group_by(*sort))


def _outflows() -> tuple[Pile, ...]:
    since = func.coalesce(Outflow.first_called_at, Outflow.begun_at)
    sort = (Outflow.kind, Outflow.state)
    query = select(*sort, func.count(), _age(func.min(since)))
    return _piles(query.where(text(one_of("state", OUTFLOW_OPEN))).group_by(*sort))


def _callbacks() -> Pile:
    """Measure those that are still tried: of one that was given up a case tells, not its age."""
    given_up = exists().where(
        Job.kind == callbacks.CALLBACK,
        Job.subject_id == Callback.subject + " " + Callback.host,
        Job.parked_at.is_not(None),
    )
    query = select(func.count(), _age(func.min(Callback.owed_at)))
    waiting = query.where(Callback.delivered_at.is_(None), ~given_up)
    count, oldest_s = db.session.execute(waiting).one()
    return Pile((), count, oldest_s)


def _ticks() -> tuple[tuple[str, Decimal], ...]:
    """Measure what a scheduler rings now: the ticks of what it rang before stay for ever."""
    if settings().broker_url is None:
        return ()
    rung = [name for name in SERVICES if settings().schedule.get(name) != OFF]
    query = select(Tick.service, _age(func.max(Tick.minute))).where(Tick.service.in_(rung))
    return _ages(query.group_by(Tick.service))


def _rails() -> tuple[tuple[str, Decimal], ...]:
    polled = select(RailReading.rail, _age(RailReading.polled_at))
    ages = dict(_ages(polled.where(RailReading.polled_at.is_not(None))))
    return tuple((rail, ages.get(rail, NEVER)) for rail in pending_deposits.asked())


def _accounts() -> tuple[Watched, ...]:
    now = db.session.execute(select(func.now())).scalar_one()
    accounts = networks.standing()
    return (
        *(Watched(each, is_followed=False, age_s=None) for each in standing.unwatched(accounts)),
        *(
            Watched(
                row.account_id,
                is_followed=standing.is_followed(row, now),
                age_s=int((now - row.read_until).total_seconds()),
            )
            for row in accounts
        ),
    )


def _age(since: ColumnExpressionArgument[datetime | None]) -> ColumnElement[Decimal | None]:
    """Return for how many seconds something has been so, by the database's clock."""
    return type_coerce(func.extract("epoch", func.now() - since), Numeric())


def _piles(query: Select[*tuple[Any, ...]]) -> tuple[Pile, ...]:
    rows = db.session.execute(query).all()
    return tuple(Pile(tuple(sort), count, oldest) for *sort, count, oldest in sorted(rows))


def _ages(query: Select[*tuple[Any, ...]]) -> tuple[tuple[str, Decimal], ...]:
    return tuple((name, age) for name, age in sorted(db.session.execute(query).all()))

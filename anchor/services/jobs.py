"""Work that waits: owed in the commit of the fact that calls for it, claimed under a lease.

The row is the promise and the message only rings for it: what is rung twice is done once,
what is never rung is found by a sweep. All leases are told by the database's clock.
"""

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from anchor import tracing, working
from anchor.errors import Unavailable
from anchor.extensions import after_commit, atomic, db, transaction
from anchor.models import Job
from anchor.services import cases
from anchor.services.choosing import once, whole
from anchor.services.claims import Address, Claim, Later, Park, Ran, Superseded, Untried

__all__ = ["Address", "Claim", "Later", "Park", "Ran", "Superseded", "Untried"]

log = logging.getLogger(__name__)

BACKOFF_MAX_S = 15 * 60
#: So many new jobs are rung at most as they are owed; a sweep rings the others.
RING_MAX = 500


@dataclass(frozen=True)
class Work:
    """How a kind of job is done.

    `run` is given the claim. For a lane, `lease_s` outlives the longest call that `run`
    may make between two uses of `extend`, and `ceiling` says how many hands may be at its
    jobs at once. A kind that looks after many things (`parks` False) is never parked.
    `together` claims a job with others of its lane and does them all (`services.batches`).
    While `may_begin` says no, none is claimed, as in a lane that is full. The subject of one that
    `is_of_transaction` is that transaction's id.
    """

    run: Callable[[Claim], None]
    lease_s: Callable[[str], int]
    ceiling: Callable[[str], int]
    parks: bool = True
    together: Callable[[Address], "Mapping[Address, Ran]"] | None = None
    may_begin: Callable[[], bool] = lambda: True
    is_of_transaction: bool = False


def _silence(jobs: Sequence[Address]) -> None:
    """Ring for nobody, until `anchor.actors` says otherwise."""


#: Tells workers that these jobs are due. Never raises, never waits long.
ring: Callable[[Sequence[Address]], None] = _silence


def _silence_later(_job: Address, _seconds: int) -> None:
    """Ring for nobody later either."""


#: Tells workers that this job will be due in some seconds; a sweep would find it too.
ring_later: Callable[[Address, int], None] = _silence_later
#: Later than that a sweep comes first.
RING_LATER_MAX_S = 60

_kinds: dict[str, Work] = {}


def declare(kind: str, work: Work) -> None:
    """Say how jobs of `kind` are done. A kind has one way."""
    _kinds[kind] = work


def ceiling(kind: str, lane: str) -> int:
    """Return how many jobs of a kind may be in hands at once in a lane."""
    return _kinds[kind].ceiling(lane)


def lease_s(claimed: Claim) -> int:
    """Return for how long a job is claimed."""
    return _kinds[claimed.kind].lease_s(claimed.lane)


def kinds() -> tuple[str, ...]:
    """Return all kinds of job that the house knows."""
    return tuple(_kinds)


def ensure(jobs: Iterable[tuple[Address, str]]) -> None:
    """Owe each (address, lane), or leave alone what is owed already.

    All that a sweep may use: it never touches a held, postponed or parked job. Needs an
    open transaction; what is new is rung when that is durable.
    """
    rows = [
        {"kind": address.kind, "subject_id": address.subject_id, "lane": lane}
        for address, lane in jobs
    ]
    if rows:
        statement = insert(cast(Table, Job.__table__)).on_conflict_do_nothing()
        new = db.session.execute(statement.returning(Job.kind, Job.subject_id), rows)
        _ring_after_commit([Address(*row) for row in new])


def ensure_each(kind: str, subjects: Select[str, str]) -> None:
    """Do what `ensure` does for each (subject id, lane) of a query, however many there are."""
    subject_id, lane = whole(subjects).c
    defaults = (literal(0), literal(0), literal(value=False))
    query = select(literal(kind), subject_id, lane, *defaults)
    columns = ["kind", "subject_id", "lane", "token", "attempts", "again"]
    statement = insert(Job).from_select(columns, query)
    new = db.session.execute(statement.on_conflict_do_nothing().returning(Job.kind, Job.subject_id))
    _ring_after_commit([Address(*row) for row in new.all()])


def renew(address: Address, lane: str) -> None:
    """Owe the job again: at once, or as soon as its present holder lets go.

    Also wakes a postponed or parked job. Needs an open transaction.
    """
    statement = insert(Job).values(kind=address.kind, subject_id=address.subject_id, lane=lane)
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "subject_id"],
            set_={
                "again": func.coalesce(Job.leased_until > func.now(), False),
                "due_at": func.now(),
                "parked_at": None,
                "rung_at": func.now(),
            },
        )
    )
    _ring_after_commit([address])


def claim(address: Address) -> Claim | None:
    """Take the job for its lease; None where it is done, not due, held, or its lane is full."""
    return next(iter(claim_together(address, 1)), None)


@atomic
def claim_together(address: Address, size: int) -> list[Claim]:
    """Take the job, and with it others of its kind and lane that are due, `size` at most.

    They come with the longest due first, or not at all, as with `claim`. What was claimed
    together has one lease, and counts as one pair of hands.
    """
    work = _kinds[address.kind]
    lane = db.session.scalar(select(Job.lane).where(*_at(address)))
    if lane is None:
        return []
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('anchor.lane'), hashtext(:lane))"),
        {"lane": lane},
    )
    hands = select(func.count(Job.leased_until.distinct())).where(
        Job.lane == lane, Job.leased_until > func.now()
    )
    if db.session.execute(hands).scalar_one() >= work.ceiling(lane) or not work.may_begin():
        return []
    own = _take(work, lane, *_at(address), *is_free())
    if not own or size == 1:
        return own
    others = (
        select(Job.subject_id)
        .where(Job.kind == address.kind, Job.lane == lane, *is_free())
        .order_by(Job.due_at)
        .limit(size - 1)
        .with_for_update(skip_locked=True)
    )
    return own + _take(work, lane, Job.kind == address.kind, Job.subject_id.in_(once(others)))


def _take(work: Work, lane: str, *chosen: ColumnElement[bool]) -> list[Claim]:
    rows = db.session.execute(
        update(Job)
        .where(*chosen)
        .values(
            leased_until=func.now() + timedelta(seconds=work.lease_s(lane)),
            token=Job.token + 1,
            attempts=Job.attempts + 1,
            rung_at=None,
        )
        .returning(Job.kind, Job.subject_id, Job.lane, Job.attempts, Job.token, Job.due_at)
        .execution_options(synchronize_session=False)
    ).all()
    return [Claim(*row[:-1]) for row in sorted(rows, key=lambda row: row.due_at)]


def hold(claimed: Claim) -> None:
    """Lock the job for this transaction, or raise `Superseded` where it was lost.

    Called first in each transaction that writes what the holder of `claimed` found out.
    """
    kept = db.session.scalar(
        select(Job.token).where(*_at(claimed), Job.token == claimed.token).with_for_update()
    )
    if kept is None:
        raise Superseded(f"{claimed.kind} of {claimed.subject_id} is in other hands")


def extend(claimed: Claim) -> None:
    """Take the lease anew before the next long call, or raise `Superseded` where it was lost."""
    with transaction():
        hold(claimed)
        _update(claimed, leased_until=func.now() + timedelta(seconds=lease_s(claimed)))


def run(address: Address) -> Ran:
    """Claim the job and do it; `Ran.NOTHING` where there was nothing to claim.

    `Unavailable` postpones it with back-off and never parks it. Whatever else goes wrong
    parks it as a case, or postpones it where its kind is never parked, and stops nothing else.
    """
    return run_all(address).get(address, Ran.NOTHING)


def run_all(address: Address) -> Mapping[Address, Ran]:
    """Do what `run` does; return what became of it and of those that were done with it."""
    together = _kinds[address.kind].together
    if together is not None:
        return together(address)
    claimed = claim(address)
    if claimed is None:
        return {}
    ran = run_claimed(claimed)
    ring_next_of(claimed.lane)
    return {address: ran}


@contextmanager
def at(claims: Sequence[Claim]) -> Iterator[None]:
    """Have log and traces say that this thread is at these jobs, which are of one kind."""
    kind = claims[0].kind
    subject_id = claims[0].subject_id if len(claims) == 1 else None
    is_of_transaction = _kinds[kind].is_of_transaction
    transaction_id = subject_id if is_of_transaction else None
    told = {"anchor__subject": subject_id, "anchor__transaction_id": transaction_id}
    with working.at(kind, subject_id, transaction_id), tracing.span(kind, tracing.JOB, **told):
        yield


def run_claimed(claimed: Claim) -> Ran:
    """Do a job that is in our hands, and let go of it as it ended."""
    with at([claimed]):
        try:
            _kinds[claimed.kind].run(claimed)
        except Exception as error:
            ran = ended(claimed, error)
        else:
            done(claimed)
            ran = Ran.DONE
        tracing.add(anchor__ran=ran.name.lower(), is_error=ran is Ran.PARKED)
        return ran


def ended(claimed: Claim, error: Exception) -> Ran:
    """Let go of a job that did not simply get done, as its `error` says."""
    what = f"{claimed.kind} of {claimed.subject_id}"
    if isinstance(error, Superseded):
        log.warning("%s", error)
        return Ran.DONE
    if isinstance(error, Unavailable):
        log.warning("%s postponed: %s", what, error)
        _postpone(claimed, str(error))
        return Ran.POSTPONED
    if isinstance(error, Later):
        _later(claimed, error)
        return Ran.DONE
    if isinstance(error, Untried):
        _untried(claimed, error)
        return Ran.NOTHING
    if isinstance(error, Park):
        log.warning("%s parked: %s", what, error)
        _park(claimed, str(error))
        return Ran.PARKED
    parks = _kinds[claimed.kind].parks
    log.error("%s failed", what, exc_info=error)
    _surprise(claimed, type(error).__name__, parks=parks)
    return Ran.PARKED if parks else Ran.POSTPONED


@atomic
def done(claimed: Claim) -> None:
    """Let go of a job that got done; it is due again where it was renewed meanwhile."""
    ours = (*_at(claimed), Job.token == claimed.token)
    gone = db.session.execute(delete(Job).where(*ours, Job.again.is_(False)).returning(Job.kind))
    if gone.one_or_none() is None:
        _let_go(claimed, due_at=func.now(), attempts=0)


@atomic
def _postpone(claimed: Claim, error: str) -> None:
    delay_s = min(BACKOFF_MAX_S, 2 ** min(claimed.attempts, 20)) * (1 + random.random()) / 2  # noqa: S311
    later = func.now() + timedelta(seconds=delay_s)
    due_at = case((Job.again, func.now()), else_=later)
    _let_go(claimed, due_at=due_at, last_error=error[:500])
    ring_in(claimed, delay_s)


def ring_in(claimed: Claim, seconds: float) -> None:
    """Have the job rung when it is due again."""
    if seconds <= RING_LATER_MAX_S:
        address = Address(claimed.kind, claimed.subject_id)
        after_commit(lambda: ring_later(address, ceil(seconds)))


@atomic
def _later(claimed: Claim, later: Later) -> None:
    due_at = case((Job.again, func.now()), else_=func.now() + timedelta(seconds=later.seconds))
    attempts = Job.attempts if later.counts else 0
    _let_go(claimed, due_at=due_at, last_error=str(later)[:500], attempts=attempts)
    ring_in(claimed, later.seconds)


@atomic
def _untried(claimed: Claim, untried: Untried) -> None:
    later = func.now() + timedelta(seconds=untried.seconds)
    due = {"due_at": case((Job.again, func.now()), else_=later)} if untried.seconds else {}
    _let_go(claimed, attempts=Job.attempts - 1, **due)
    if untried.seconds:
        ring_in(claimed, untried.seconds)


@atomic
def _park(claimed: Claim, error: str) -> None:
    _let_go(claimed, parked_at=case((Job.again, None), else_=func.now()), last_error=error[:500])


@atomic
def _surprise(claimed: Claim, error: str, *, parks: bool) -> None:
    """Let go of a job that ended as nobody foresaw, and open a case."""
    if parks:
        _park(claimed, error)
    else:
        _postpone(claimed, error)
    once = str(claimed.token) if parks else error
    cases.open_case(
        "job_parked" if parks else "job_failing",
        f"{claimed.kind}/{claimed.subject_id}/{once}",
        note=f"{claimed.kind} ended in {error}; `flask anchor retry` runs it again",
    )


def _let_go(claimed: Claim, **columns: object) -> None:
    _update(claimed, leased_until=None, rung_at=None, again=False, **columns)


def _update(claimed: Claim, **columns: object) -> None:
    db.session.execute(
        update(Job)
        .where(*_at(claimed), Job.token == claimed.token)
        .values(**columns)
        .execution_options(synchronize_session=False)
    )


def ring_next_of(lane: str) -> None:
    """Ring for the job of a lane that is due for the longest, now that hands are free."""
    with transaction():
        row = db.session.execute(
            select(Job.kind, Job.subject_id)
            .where(Job.lane == lane, *is_free())
            .order_by(Job.due_at)
            .limit(1)
        ).one_or_none()
    if row:
        ring([Address(*row)])


def _ring_after_commit(jobs: Sequence[Address]) -> None:
    if jobs:
        after_commit(lambda: ring(jobs[:RING_MAX]))


def _at(address: Address | Claim) -> tuple[ColumnElement[bool], ...]:
    return Job.kind == address.kind, Job.subject_id == address.subject_id


def is_free() -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a job may be claimed now."""
    return (
        Job.due_at <= func.now(),
        Job.parked_at.is_(None),
        or_(Job.leased_until.is_(None), Job.leased_until < func.now()),
    )

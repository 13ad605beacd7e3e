"""Working jobs off, and ringing for them: what passes and loops do with what is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, tuple_, update

from anchor.extensions import atomic, db
from anchor.models import Job
from anchor.services import jobs
from anchor.services.choosing import once
from anchor.services.jobs import Address, Ran, is_free

#: A job that was rung and not claimed for so long is rung again.
RING_AGAIN_S = 55


@dataclass
class Tally:
    """How many jobs ended how."""

    done: int = 0
    postponed: int = 0
    parked: int = 0

    def add(self, ran: Ran) -> None:
        """Count one."""
        self.done += ran is Ran.DONE
        self.postponed += ran is Ran.POSTPONED
        self.parked += ran is Ran.PARKED

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.done + other.done,
            self.postponed + other.postponed,
            self.parked + other.parked,
        )

    def __str__(self) -> str:
        return f"{self.done} done, {self.postponed} postponed, {self.parked} parked"

    @property
    def total(self) -> int:
        """All that ran, however they ended."""
        return self.done + self.postponed + self.parked


def work_off(
    kinds: Sequence[str],
    lane: str | None = None,
    limit: int = 10_000,
    should_stop: Callable[[], bool] = lambda: False,
) -> Tally:
    """Do all jobs of these kinds that are due, here and now, until `should_stop` says so."""
    tally = Tally()
    seen: set[Address] = set()
    while tally.total < limit:
        found = [address for address in _due(kinds, lane, 100) if address not in seen]
        if not found:
            break
        for address in found:
            if should_stop():
                return tally
            if address not in seen:
                ran = jobs.run_all(address)
                seen.update(ran, [address])
                for end in ran.values():
                    tally.add(end)
    return tally


@atomic
def lanes_due(kinds: Sequence[str]) -> list[str]:
    """Return the lanes in which a job of these kinds is due."""
    found = db.session.scalars(select(Job.lane).where(Job.kind.in_(kinds), *is_free()).distinct())
    return sorted(found)


def ring_due(kinds: Sequence[str] | None = None) -> int:
    """Ring what is due and was not rung of late; return how many.

    In each lane as many as its ceiling lets run at once: whoever ends one rings the next,
    and a rail that hangs does not fill the queue with work that nobody may take.
    """
    wanted = tuple(kinds or jobs.kinds())
    total = 0
    for lane in lanes_due(wanted):
        rung = _take_to_ring(wanted, lane)
        if rung:
            jobs.ring(rung)
        total += len(rung)
    return total


@atomic
def _take_to_ring(kinds: Sequence[str], lane: str) -> list[Address]:
    ceiling = max(jobs.ceiling(kind, lane) for kind in kinds)
    found = db.session.execute(
        update(Job)
        .where(
            tuple_(Job.kind, Job.subject_id).in_(
                once(
                    select(Job.kind, Job.subject_id)
                    .where(Job.kind.in_(kinds), Job.lane == lane, *is_free(), _unrung())
                    .order_by(Job.due_at)
                    .limit(ceiling)
                    .with_for_update(skip_locked=True)
                )
            )
        )
        .values(rung_at=func.now())
        .returning(Job.kind, Job.subject_id)
        .execution_options(synchronize_session=False)
    )
    return [Address(*row) for row in found]


@atomic
def _due(kinds: Sequence[str], lane: str | None, limit: int) -> list[Address]:
    query = select(Job.kind, Job.subject_id).where(Job.kind.in_(kinds), *is_free())
    if lane is not None:
        query = query.where(Job.lane == lane)
    return [Address(*row) for row in db.session.execute(query.order_by(Job.due_at).limit(limit))]


def _unrung() -> ColumnElement[bool]:
    return or_(Job.rung_at.is_(None), Job.rung_at < func.now() - timedelta(seconds=RING_AGAIN_S))

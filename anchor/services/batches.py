"""Jobs of one kind that are done many at a time: claimed, done and let go of together.

None of them is worse off for it (promise 12): what fails in a chunk is done again in halves,
down to the one that fails alone, and that one ends as it would have by itself.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    case,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from anchor.errors import Unavailable
from anchor.extensions import atomic, db
from anchor.models import Job
from anchor.services import jobs
from anchor.services.jobs import Address, Claim, Later, Ran, Superseded, Untried

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Hashable)

#: Does many jobs, and returns how those ended that did not simply get done.
RunMany = Callable[[Sequence[Claim]], Mapping[Claim, Exception]]


@dataclass(frozen=True)
class Together:
    """A way to do jobs of a kind: `run` is given `size` of them at most.

    Each of its ends means what it does where one job raises it. Where `run` itself raises
    something unforeseen, each job is done alone.
    """

    run: RunMany
    size: int

    def __call__(self, address: Address) -> Mapping[Address, Ran]:
        """Claim the job with others of its kind and do them; return what became of them."""
        claims = jobs.claim_together(address, self.size)
        if not claims:
            return {}
        with jobs.at(claims):
            ran = self._run(claims)
        jobs.ring_next_of(claims[0].lane)
        return {Address(claim.kind, claim.subject_id): end for claim, end in ran.items()}

    def _run(self, claims: Sequence[Claim]) -> dict[Claim, Ran]:
        try:
            return _let_go(claims, self.run(claims))
        except Unavailable as error:
            return _let_go(claims, dict.fromkeys(claims, error))
        except Exception:
            log.exception("%d jobs %s failed together", len(claims), claims[0].kind)
            return _one_by_one(claims)


def alone(run: RunMany) -> Callable[[Claim], None]:
    """Make of a way to do many jobs one to do a single job, which raises as it ends."""

    def run_one(claimed: Claim) -> None:
        for error in run([claimed]).values():
            raise error

    return run_one


def in_halves(items: Sequence[T], act: Callable[[Sequence[T]], None]) -> dict[T, Exception]:
    """Do something for all items at once, and in halves where that fails; return who failed.

    `act` leaves nothing behind where it raises. `Unavailable` is about none of them, and raised.
    """
    failure = _failure(items, act) if items else None
    if failure is None:
        return {}
    if len(items) == 1:
        return {items[0]: failure}
    middle = len(items) // 2
    return in_halves(items[:middle], act) | in_halves(items[middle:], act)


def _failure(items: Sequence[T], act: Callable[[Sequence[T]], None]) -> Exception | None:
    try:
        act(items)
    except Unavailable:
        raise
    except Exception as error:
        return error
    return None


def hold(claims: Sequence[Claim]) -> dict[Claim, Exception]:
    """Lock the jobs for this transaction; return those that were lost, with `Superseded`.

    Called first in each transaction that writes what their holder found out.
    """
    query = select(Job.subject_id).where(*_ours(claims)).order_by(Job.subject_id).with_for_update()
    kept = set(db.session.scalars(query))
    return {
        claim: Superseded(f"{claim.kind} of {claim.subject_id} is in other hands")
        for claim in claims
        if claim.subject_id not in kept
    }


@atomic
def extend(claims: Sequence[Claim]) -> dict[Claim, Exception]:
    """Take their one lease anew before the next long call; return those that were lost."""
    lost = hold(claims)
    kept = [claim for claim in claims if claim not in lost]
    if kept:
        _update(kept, leased_until=func.now() + timedelta(seconds=jobs.lease_s(kept[0])))
    return lost


def _one_by_one(claims: Sequence[Claim]) -> dict[Claim, Ran]:
    ran: dict[Claim, Ran] = {}
    for place, claim in enumerate(claims):
        lost = extend(claims[place:])
        ran[claim] = Ran.DONE if claim in lost else jobs.run_claimed(claim)
    return ran


@atomic
def _let_go(claims: Sequence[Claim], ends: Mapping[Claim, Exception]) -> dict[Claim, Ran]:
    """Let go of all of them in one commit, as they ended."""
    done = [claim for claim in claims if claim not in ends]
    gone = {claim for claim in claims if isinstance(ends.get(claim), Superseded)}
    ran = dict.fromkeys((*done, *gone), Ran.DONE)
    later = {claim: end for claim, end in ends.items() if isinstance(end, Later)}
    untried = [claim for claim, end in ends.items() if isinstance(end, Untried)]
    _done(done)
    _later(later)
    if untried:
        _update(untried, attempts=Job.attempts - 1, **_FREE)
    ran |= dict.fromkeys(later, Ran.DONE) | dict.fromkeys(untried, Ran.NOTHING)
    for claim, error in ends.items():
        if claim not in ran:
            ran[claim] = jobs.ended(claim, error)
    return ran


def _done(claims: Sequence[Claim]) -> None:
    if claims:
        db.session.execute(
            delete(Job)
            .where(*_ours(claims), Job.again.is_(False))
            .execution_options(synchronize_session=False)
        )
        _update(claims, due_at=func.now(), attempts=0, **_FREE)


def _later(ends: Mapping[Claim, Later]) -> None:
    def said(claim: Claim) -> tuple[int, str, bool]:
        end = ends[claim]
        return end.seconds, str(end), end.counts

    for (seconds, why, counts), group in groupby(sorted(ends, key=said), said):
        claims = list(group)
        _update(
            claims,
            due_at=case((Job.again, func.now()), else_=func.now() + timedelta(seconds=seconds)),
            last_error=why[:500],
            attempts=Job.attempts if counts else 0,
            **_FREE,
        )
        jobs.ring_in(claims[0], seconds)


_FREE: Mapping[str, object] = {"leased_until": None, "rung_at": None, "again": False}


def _update(claims: Sequence[Claim], **columns: object) -> None:
    db.session.execute(
        update(Job)
        .where(*_ours(claims))
        .values(**columns)
        .execution_options(synchronize_session=False)
    )


def _ours(claims: Iterable[Claim]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the rows of claims, all of one kind, that nobody else took."""
    found = list(claims)
    subjects = func.unnest(
        literal([claim.subject_id for claim in found], ARRAY(Job.subject_id.type))
    )
    tokens = func.unnest(literal([claim.token for claim in found], ARRAY(BigInteger)))
    return (
        Job.kind == found[0].kind,
        tuple_(Job.subject_id, Job.token).in_(select(subjects, tokens)),
    )

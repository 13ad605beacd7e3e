"""Ending submissions of which no envelope was ever stored: nobody outside has seen any.

So no proof about their channel is needed. Whatever has an envelope meanwhile is left alone.
"""

from collections.abc import Sequence

from sqlalchemy import select

from anchor.extensions import atomic, db
from anchor.models import Outflow, Submission
from anchor.services import settling
from anchor.services.order_ends import (
    LIQUIDITY_CODES,
    end_by_code,
    hand_to_a_person,
    pause_call,
    pause_calls,
    refuse,
    requeue,
)
from anchor.services.slots import open_of


@atomic
def give_up_all(source: str) -> None:
    """Put back what is carried for an account that a custodian pays from now on."""
    query = select(Submission.id).where(Submission.source == source, Submission.state == "prepared")
    for outflow in _taken_back(db.session.scalars(query).all(), "a custodian pays instead"):
        requeue(outflow)


@atomic
def give_up(submission_id: int, why: str) -> None:
    """Put back what a submission carries."""
    for outflow in _taken_back([submission_id], why):
        requeue(outflow)


@atomic
def unbuildable(submission_id: int, reason: str) -> None:
    """End a submission that cannot be built: a lone order goes to a person, others go alone."""
    carried = _taken_back([submission_id], reason)
    for outflow in carried:
        if len(carried) > 1:
            requeue(outflow)
        else:
            refuse(outflow, reason)
            hand_to_a_person(outflow, "cannot_be_built", reason)


@atomic
def would_fail(submission_id: int, code: str, why: str) -> None:
    """End a call of which the RPC says that it would fail.

    Where `code` says that our own account lacks something it goes back into the queue, which waits;
    anything else is a person's.
    """
    for outflow in _taken_back([submission_id], why):
        if code in LIQUIDITY_CODES:
            end_by_code(outflow, code, requeue)
        else:
            refuse(outflow, why)
            hand_to_a_person(outflow, "call_would_fail", why)


@atomic
def too_dear(submission_id: int, why: str) -> None:
    """Put a call back that costs more than we pay, and tell a person; no other waits for it."""
    for outflow in _taken_back([submission_id], why):
        requeue(outflow)
        pause_call(outflow, why, is_told=True)


@atomic
def calls_wait(submission_id: int, source: str, why: str) -> None:
    """Put back the calls of contracts for an account, and let them and all that are queued wait.

    So none of them keeps a channel while the RPC does not tell what they take. The one that it was
    asked about waits for longest: it may be silent about that one alone.
    """
    for outflow in _taken_back([submission_id], why):
        requeue(outflow)
        pause_call(outflow, why)
    carries = select(Outflow.id).where(
        Outflow.submission_id == Submission.id, Outflow.calls_contract
    )
    query = select(Submission.id).where(*open_of(source), carries.exists())
    for outflow in _taken_back(db.session.scalars(query).all(), why):
        requeue(outflow)
    pause_calls(source)


def _taken_back(submission_ids: Sequence[int], why: str) -> Sequence[Outflow]:
    """Bury those that are open and have no envelope; return what they carried, locked."""
    unseen = [
        each
        for each in settling.locked(submission_ids)
        if each.state not in settling.ENDED and settling.newest_envelope(each.id) is None
    ]
    for submission in unseen:
        settling.bury(submission, why)
    return settling.carried(*(submission.id for submission in unseen))

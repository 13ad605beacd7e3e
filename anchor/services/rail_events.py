"""What rails tell by webhook: verified, stored as it came, and judged by a job.

Where it can die: before the body is stored the rail is not answered and tells it again;
after that the job is owed, and judging it twice changes nothing.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from anchor.errors import NotFound, Rejected, Unauthorized, Unavailable
from anchor.extensions import atomic, db, house, refuse_inside_transaction
from anchor.integrations.protocols import Outcome, RailsIntegration, Receipt
from anchor.models import RailEvent
from anchor.services import cases, jobs, outcomes, outflows, rails, receipts
from anchor.services.entries import is_id

log = logging.getLogger(__name__)

JUDGE = "judge_rail_event"
_LANE = "webhook "
#: Never stored, whatever a rail asks for.
_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
_Told = Receipt | tuple[str, Outcome]


def accept(name: str, headers: Mapping[str, str], body: bytes) -> None:
    """Store an event of a rail that proves to be the rail's, and owe its judgement.

    `headers` have their names in lower case. Raises `NotFound` where there is no such rail
    or it takes no events, and `Unauthorized` where the rail does not know the sender. An
    event that was stored before changes nothing; another body under the same id is another
    event.
    """
    rail = house().rails.get(name)
    if rail is None:
        raise NotFound("there is no such rail")
    refuse_inside_transaction()
    try:
        event_id = rail.verify_webhook(headers, body)
    except NotFound:
        raise
    except Rejected as refusal:
        log.warning("an event of the rail %s was refused: %s", name, refusal)
        raise Unauthorized("the event could not be verified") from refusal
    wanted = {each.lower() for each in rail.webhook_headers} - _SECRET
    kept = {key: value for key, value in headers.items() if key in wanted and value.isprintable()}
    _store(name, event_id if is_id(event_id) else _hash(body), kept, body)


@atomic
def _store(rail: str, event_id: str, headers: Mapping[str, str], body: bytes) -> None:
    for key in (event_id, f"{event_id}#{_hash(body)}"):
        row_id = db.session.scalar(
            insert(RailEvent)
            .values(rail=rail, event_id=key, headers=dict(headers), body=body)
            .on_conflict_do_nothing(index_elements=["rail", "event_id"])
            .returning(RailEvent.id)
        )
        if row_id is not None:
            jobs.ensure([(jobs.Address(JUDGE, str(row_id)), _LANE + rail)])
            return
        known = db.session.scalar(
            select(RailEvent.body).where(RailEvent.rail == rail, RailEvent.event_id == key)
        )
        if known == body:
            return


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def judge(claimed: jobs.Claim) -> None:
    """Read a stored event and act on what it tells; the job `JUDGE`.

    One that the rail cannot read becomes a case and stays parked: it is kept for ever, and
    `flask anchor retry` reads it again.
    """
    event = _load(int(claimed.subject_id))
    if event is None or event.judged_at is not None:
        return
    rail = rails.find(event.rail)
    told = _read(rail, event)
    troubles = list(_act(event, told))
    if troubles:
        raise troubles[0]
    _judged(claimed, event.id)


def _act(event: RailEvent, told: Sequence[_Told]) -> Iterator[Exception]:
    """Act on each thing that was told; yield what went wrong, after all else was done."""
    came = [each for each in told if isinstance(each, Receipt)]
    acts: list[Callable[[], object]] = []
    if came:
        acts.append(partial(receipts.observe, event.rail, came))
    acts += [partial(_record, event, *each) for each in told if not isinstance(each, Receipt)]
    for act in acts:
        try:
            act()
        except Exception as error:
            log.exception("a part of event %s of %s failed", event.id, event.rail)
            yield error


@atomic
def _load(row_id: int) -> RailEvent | None:
    return db.session.get(RailEvent, row_id, populate_existing=True)


@atomic
def _judged(claimed: jobs.Claim, row_id: int) -> None:
    jobs.hold(claimed)
    row = db.session.get(RailEvent, row_id)
    assert row is not None
    row.judged_at = func.now()


def _read(rail: RailsIntegration, event: RailEvent) -> Sequence[_Told]:
    refuse_inside_transaction()
    try:
        told = list(rail.read_webhook(event.headers, event.body))
        if not all(_is_told(each) for each in told):
            raise TypeError("the rail read what is neither a receipt nor an outcome")
    except Unavailable:
        raise
    except Exception as error:
        log.exception("the rail %s cannot read its event %s", rail.name, event.event_id)
        _cannot_read(event, error)
        raise jobs.Park(f"the event cannot be read: {type(error).__name__}") from error
    return told


def _is_told(each: object) -> bool:
    if isinstance(each, tuple):
        return len(each) == 2 and isinstance(each[0], str) and isinstance(each[1], Outcome)
    return isinstance(each, Receipt)


def _record(event: RailEvent, key: str, outcome: Outcome) -> None:
    """Record an outcome on its attempt, also where the call that began it has yet to return."""
    attempt = outflows.by_key(event.rail, key)
    if attempt is None:
        _of_nobody(event, key, outcome)
    else:
        outcomes.record(attempt, outcome)


@atomic
def _of_nobody(event: RailEvent, key: str, outcome: Outcome) -> None:
    cases.open_case(
        "event_of_nobody",
        f"rail event {event.rail}/{event.id}/{key}"[:500],
        note=f"{type(outcome).__name__} was told of an order that is not ours",
    )


@atomic
def _cannot_read(event: RailEvent, error: Exception) -> None:
    cases.open_case(
        "event_unreadable",
        f"rail event {event.rail}/{event.id}",
        note=f"{type(error).__name__}; `flask anchor retry {JUDGE} {event.id}` reads it again",
    )


def _lease_s(lane: str) -> int:
    return rails.lease_s(lane.removeprefix(_LANE))


def _ceiling(lane: str) -> int:
    return rails.ceiling(lane.removeprefix(_LANE))


jobs.declare(JUDGE, jobs.Work(judge, _lease_s, _ceiling))

"""Callbacks that an operator looks at, and has told again.

What was not delivered is tried again as it was written, in its old turn. Of what was delivered
nothing is kept: its address is told how the transaction stands now, after all that it is owed
already. Either is one commit of the row and its job, in the same queue as ever, so that it is told
whenever the process dies, and delays nobody more than a change would. Asked for twice before
it is told, it is told once. How a customer stands now its wallet asks for itself.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, select

from anchor.errors import NotFound
from anchor.extensions import atomic, by_statement, db
from anchor.models import Act, Callback, Job, Transaction
from anchor.models.quotes import FLOWS
from anchor.services import callbacks, customer_standings, views
from anchor.services.callbacks import CALLBACK
from anchor.services.transactions import any_of

MAX_PAGE = 500
_AT_ONCE = 200


@dataclass(frozen=True)
class Owed:
    """A callback as an operator sees it: to which host, but not the address, which may be secret.

    `trouble` is why it is not delivered yet, as far as it was tried; `is_parked` that only a
    person has it tried again.
    """

    id: int
    subject: str
    host: str
    owed_at: datetime
    delivered_at: datetime | None
    attempts: int
    trouble: str | None
    is_parked: bool


@dataclass(frozen=True)
class Replayed:
    """How many are tried again, are told anew, and cannot be told anew (of customers)."""

    due: int = 0
    anew: int = 0
    gone: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(self.due + other.due, self.anew + other.anew, self.gone + other.gone)


@atomic
def listing(
    *, delivered: bool, transaction_id: str | None, after: int | None, limit: int
) -> list[Owed]:
    """Return callbacks: what waits, the oldest first, or what was delivered, the newest first.

    `after` is the id of the last one of the page before.
    """
    job = and_(Job.kind == CALLBACK, Job.subject_id == Callback.subject + " " + Callback.host)
    query = select(Callback, Job).outerjoin(Job, job).limit(min(limit, MAX_PAGE))
    if delivered:
        query = query.where(Callback.delivered_at.is_not(None)).order_by(Callback.id.desc())
    else:
        query = query.where(Callback.delivered_at.is_(None)).order_by(Callback.id)
    if after is not None:
        query = query.where(Callback.id < after if delivered else Callback.id > after)
    if transaction_id is not None:
        query = query.where(_about(transaction_id))
    return [_owed(*found) for found in db.session.execute(query)]


@by_statement
def counted(transaction_id: str) -> tuple[int, int]:
    """Return how many callbacks about a transaction wait, and how many were delivered."""
    is_told = Callback.delivered_at.is_not(None)
    query = select(is_told, func.count()).where(_about(transaction_id)).group_by(is_told)
    found = {row[0]: row[1] for row in db.session.execute(query)}
    return found.get(False, 0), found.get(True, 0)


def _owed(row: Callback, job: Job | None) -> Owed:
    waits = job if row.delivered_at is None else None
    return Owed(
        row.id,
        row.subject,
        row.host,
        row.owed_at,
        row.delivered_at,
        waits.attempts if waits else 0,
        waits.last_error if waits else None,
        bool(waits and waits.parked_at),
    )


def _about(transaction_id: str) -> ColumnElement[bool]:
    return Callback.subject.in_([f"{flow}/{transaction_id}" for flow in FLOWS])


def again(
    who: str,
    note: str | None = None,
    *,
    ids: Sequence[int] = (),
    transaction_id: str | None = None,
    since: datetime | None = None,
) -> Replayed:
    """Have told again what is named in one of three ways; see `replay`, and those after it."""
    if since is not None:
        return replay_since(since, who, note)
    if transaction_id is not None:
        return replay_of(transaction_id, who, note)
    return replay(ids, who, note)


@atomic
def replay(ids: Sequence[int], who: str, note: str | None = None) -> Replayed:
    """Have these told again, all or none; `NotFound` where one of them is not there."""
    _note(f"replay callbacks {', '.join(map(str, sorted(set(ids))))}", who, note)
    return _again(select(Callback).where(Callback.id.in_(ids)), expected=len(set(ids)))[0]


@atomic
def replay_of(transaction_id: str, who: str, note: str | None = None) -> Replayed:
    """Have each address that was told of a transaction told again; `NotFound` without any."""
    found, last = _again(select(Callback).where(_about(transaction_id)))
    if last is None:
        raise NotFound("nobody was to be told of this transaction")
    _note("replay callbacks", who, note, transaction_id)
    return found


def replay_since(instant: datetime, who: str, note: str | None = None) -> Replayed:
    """Have told again whatever was owed since an instant; each batch is a commit of its own.

    What is owed meanwhile is not told twice: it goes no further than what there is at first.
    """
    newest = _begun(instant, who, note)
    total, last = Replayed(), 0
    while True:
        batch = select(Callback).where(
            Callback.owed_at >= instant, Callback.id > last, Callback.id <= newest
        )
        found, upto = _again(batch.limit(_AT_ONCE))
        if upto is None:
            return total
        total, last = total + found, upto


@atomic
def _begun(instant: datetime, who: str, note: str | None) -> int:
    """Note that a replay begins, and return the newest callback that it is about."""
    _note(f"replay callbacks since {instant.isoformat()}", who, note)
    return db.session.scalar(select(Callback.id).order_by(Callback.id.desc()).limit(1)) or 0


def _note(what: str, who: str, note: str | None, transaction_id: str | None = None) -> None:
    db.session.add(Act(what=what, who=who, note=note, transaction_id=transaction_id))


@atomic
def _again(query: Select[Callback], expected: int | None = None) -> tuple[Replayed, int | None]:
    """Tell each address of some callbacks again; return what was done, and the last id."""
    rows = list(db.session.scalars(query.order_by(Callback.id)))
    if expected is not None and len(rows) != expected:
        raise NotFound("there is no such callback")
    _hold({row.subject.partition("/")[2] for row in rows})
    due = anew = gone = 0
    for subject, host, url in dict.fromkeys((row.subject, row.host, row.url) for row in rows):
        if _waits(subject, url):
            callbacks.try_again(subject, host)
            due += 1
        elif subject.startswith(f"{customer_standings.SUBJECT}/"):
            gone += 1
        else:
            _tell_anew(subject, url)
            anew += 1
    return Replayed(due, anew, gone), rows[-1].id if rows else None


def _hold(ids: Set[str]) -> None:
    """Lock transactions in the order of all: no other replay, and no change, comes between."""
    mine = select(Transaction.id).where(Transaction.id == any_of(ids))
    db.session.execute(mine.order_by(Transaction.id).with_for_update()).all()


def _waits(subject: str, url: str) -> bool:
    mine = Callback.subject == subject, Callback.url == url, Callback.delivered_at.is_(None)
    return db.session.scalar(select(Callback.id).where(*mine).limit(1)) is not None


def _tell_anew(subject: str, url: str) -> None:
    kind, _, transaction_id = subject.partition("/")
    callbacks.owe(kind, transaction_id, url, views.get(transaction_id))

"""Callbacks: what a wallet asked to be told at an address of its own, signed, in order.

What is to be told is written down, as the bytes that go out, in the commit of the fact. A job
for each subject and host posts one after the other; a host that hangs takes two hands at most,
all that failed before share three, and all together six, whatever names somebody makes up for
hosts: they delay no other (promise 12), and no payout. Nothing that is told ever waits for an
answer (CB-09).
"""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from anchor import outgoing
from anchor.clock import utcnow
from anchor.errors import AnchorError
from anchor.extensions import atomic, db, settings, transaction
from anchor.ledger import keys
from anchor.models import Callback, Job
from anchor.services import cases, jobs

CALLBACK = "callback"
TIMEOUT_S = 5
#: How many jobs may wait for one host at once.
PER_HOST = 2
#: How many of those that failed before are tried at once, whatever their hosts.
RETRIES_AT_ONCE = 3
#: How many are posted at once in all: workers have money to move besides, on eight threads.
AT_ONCE = 6
_LEASE_S = TIMEOUT_S + 25
_PAUSE_S, _PAUSE_MAX_S = 10, 6 * 3600
_NEXT_TURN_S = 2
#: After so long a person is asked.
_PATIENCE = timedelta(days=3)
_LANE = "callback "
MAX_URL_CHARS = 2_000

#: What is told of a subject, in the words of its door: one writer for each kind of subject.
_writers: dict[str, Callable[[Any], str]] = {}


def declare(kind: str, writer: Callable[[Any], str]) -> None:
    """Say how a view of this kind of subject is written as JSON."""
    _writers[kind] = writer


def is_declared(kind: str) -> bool:
    """Tell whether it was said how subjects of this kind are written."""
    return kind in _writers


def check_url(url: str) -> str:
    """Return the host that is signed for (CB-03); `Rejected` where nothing is ever posted (CB-08).

    Only https outside of development, and no address inside; what a name resolves to is looked
    at with each post.
    """
    return outgoing.check_address(url, allow_private=settings().development)


def owe(kind: str, subject_id: str, url: str, view: Any) -> None:
    """Have `url` told about a subject. Needs the open transaction of the fact.

    What is told is fixed now, and goes out after all that was owed before about that subject.
    """
    subject = f"{kind}/{subject_id}"
    # What may be told is looked at with each post: an address that may not be holds up no fact.
    host = outgoing.check_address(url, allow_private=True)
    body = _writers[kind](view)
    db.session.add(Callback(subject=subject, host=host, url=url, body=body))
    try_again(subject, host)


def try_again(subject: str, host: str) -> None:
    """Have what a host is owed about a subject told from now on. Needs an open transaction."""
    jobs.renew(jobs.Address(CALLBACK, f"{subject} {host}"), _LANE + host)


def forget(kind: str, subject_id: str) -> None:
    """Tell nothing more about a subject. Needs an open transaction."""
    subject = f"{kind}/{subject_id}"
    db.session.execute(delete(Callback).where(Callback.subject == subject))
    db.session.execute(
        delete(Job).where(
            Job.kind == CALLBACK, Job.subject_id.startswith(f"{subject} ", autoescape=True)
        )
    )


def signature(secret: str, at: int, host: str, body: bytes) -> str:
    """Return the header's value: ``t=…, s=…`` over ``t.host.body`` (CB-01, CB-02)."""
    signed = keys.sign(secret, f"{at}.{host}.".encode() + body)
    return f"t={at}, s={base64.b64encode(signed.value).decode()}"


def deliver(claimed: jobs.Claim) -> None:
    """Post what is owed about one subject to one host, in order; the job `CALLBACK`."""
    subject, _, host = claimed.subject_id.partition(" ")
    all_at_once, retries_at_once = _under_way()
    if claimed.attempts > 1 and retries_at_once > RETRIES_AT_ONCE:
        raise jobs.Untried(_PAUSE_S)
    if all_at_once > AT_ONCE:
        raise jobs.Untried(_NEXT_TURN_S)
    while (next_one := _next(subject, host)) is not None:
        jobs.extend(claimed)
        try:
            _post(next_one)
        except AnchorError as error:
            _failed(claimed, next_one, error)
        _delivered(claimed, next_one.id)


def _post(callback: Callback) -> None:
    """Post one, signed for this very attempt (CB-06)."""
    body = (callback.body or "").encode()
    at = int(utcnow().timestamp())
    headers = {
        "Content-Type": "application/json",
        "Signature": signature(settings().signing_secret, at, callback.host, body),
    }
    outgoing.post(
        callback.url,
        body,
        headers,
        timeout_s=TIMEOUT_S,
        allow_private=settings().development,
    )


def _failed(claimed: jobs.Claim, callback: Callback, error: AnchorError) -> None:
    """Try again later, for days; then let a person know, and rest until told to go on."""
    if utcnow() - callback.owed_at < _PATIENCE:
        pause = min(_PAUSE_MAX_S, _PAUSE_S * 2 ** min(claimed.attempts - 1, 12))
        raise jobs.Later(pause, str(error), counts=True) from error
    with transaction():
        cases.open_case(
            "callback_undelivered",
            f"{CALLBACK}/{claimed.subject_id}/{callback.id}",
            note=f"{callback.host} was not reached for days: {error}; "
            "`flask anchor retry` tries again",
        )
    raise jobs.Park(str(error)) from error


@atomic
def _under_way() -> tuple[int, int]:
    """Count whom a try is under way to, and a further try: they may all hang."""
    retries = func.count().filter(Job.attempts > 1)
    counted = select(func.count(), retries).where(
        Job.kind == CALLBACK, Job.leased_until > func.now()
    )
    total, further = db.session.execute(counted).one()
    return total, further


@atomic
def _next(subject: str, host: str) -> Callback | None:
    mine = Callback.subject == subject, Callback.host == host, Callback.delivered_at.is_(None)
    return db.session.scalar(select(Callback).where(*mine).order_by(Callback.id).limit(1))


@atomic
def _delivered(claimed: jobs.Claim, callback_id: int) -> None:
    jobs.hold(claimed)
    db.session.execute(
        update(Callback)
        .where(Callback.id == callback_id)
        .values(delivered_at=func.now(), body=None)
    )


jobs.declare(
    CALLBACK,
    jobs.Work(deliver, lambda _lane: _LEASE_S, lambda _lane: PER_HOST),
)

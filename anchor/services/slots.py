"""Submissions as rows: opening them on free channels, and what was stored and answered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update

from anchor.errors import Unavailable
from anchor.extensions import atomic, db, settings
from anchor.ledger.orders import LedgerOrder
from anchor.lifecycle import Event, Kind
from anchor.models import SUBMISSION_OPEN, Channel, Envelope, Outflow, Submission, Transaction
from anchor.services import brakes, networks
from anchor.services.transactions import Happening, happened


@dataclass(frozen=True)
class Stored:
    """A stored envelope. `age_s` counts from when it was handed in; None before that."""

    id: int
    hash: str
    inner_hash: str | None
    envelope_xdr: str
    max_time: int
    fee: int
    age_s: int | None
    answer: str | None


@dataclass(frozen=True)
class Slot:
    """An open submission in plain values, with its orders and its envelopes, oldest first."""

    id: int
    state: str
    source: str
    channel: str
    channel_number: int | None
    sequence: int
    passphrase: str
    orders: tuple[LedgerOrder, ...]
    memo_type: str
    memo: str | None
    envelopes: tuple[Stored, ...]

    @property
    def newest(self) -> Stored:
        """The envelope that is handed in."""
        return self.envelopes[-1]

    @property
    def last_max_time(self) -> int:
        """After this instant (unix seconds) no ledger takes any of its envelopes."""
        return max(envelope.max_time for envelope in self.envelopes)

    @property
    def is_ready(self) -> bool:
        """Whether there is a signed envelope to hand in."""
        return bool(self.envelopes) and self.state != "pending_signatures"

    @property
    def is_submitted(self) -> bool:
        """Whether the newest envelope was handed in and nobody asked for it again."""
        answer = self.newest.answer if self.envelopes else None
        return answer is not None and not answer.startswith("try_again_later")

    @property
    def codes(self) -> tuple[str, ...]:
        """The result codes of a refusal, the transaction's first; empty without one."""
        answer = self.newest.answer or "" if self.envelopes else ""
        return tuple(answer.split()[1:]) if answer.startswith("refused") else ()

    @property
    def wants_a_look(self) -> bool:
        """Whether it was refused, or is waited for so long that something may be wrong."""
        return bool(self.codes) or (self.newest.age_s or 0) > settings().time_bound_s // 3


@dataclass(frozen=True)
class Standing:
    """How many submissions of a source are open, and how many outflows wait, now and later."""

    open: int
    waits_for_signatures: int
    queued_now: int
    queued_later: int


@atomic
def standing(source: str) -> Standing:
    """Return how the queue of a source account stands."""
    waiting = Submission.state == "pending_signatures"
    opened = select(func.count(), func.count().filter(waiting)).where(*_open_of(source))
    count, signatures = db.session.execute(opened).one()
    now = or_(Outflow.not_before.is_(None), Outflow.not_before <= func.now())
    queue = select(func.count().filter(now), func.count().filter(~now)).where(*_queued(source))
    ready, later = db.session.execute(queue).one()
    return Standing(count, signatures, ready, later)


@atomic
def busy() -> list[str]:
    """Return the source accounts that something is queued or open for."""
    queued = select(Outflow.source).where(Outflow.state == "prepared", Outflow.form.is_not(None))
    opened = select(Submission.source).where(Submission.state.in_(SUBMISSION_OPEN))
    return [source for source in db.session.scalars(queued.union(opened)) if source]


@atomic
def fill(source: str) -> int:
    """Open a submission on each free channel that something is queued for; return how many."""
    channels = _still_free(db.session.scalars(_free_channels(source)).all())
    if not channels:
        return 0
    batch = settings().batch_max
    found = db.session.scalars(
        select(Outflow)
        .where(
            *_queued(source),
            or_(Outflow.not_before.is_(None), Outflow.not_before <= func.now()),
        )
        .order_by(Outflow.id)
        .limit(batch * len(channels))
        .with_for_update(skip_locked=True)
    ).all()
    queue = [(each, leaving(each)) for each in _still_payable(found)]
    groups = list(_grouped(brakes.may_leave(queue), batch))[: len(channels)]
    for channel, group in zip(channels, groups, strict=False):
        _open(source, channel, group)
    return len(groups)


def leaving(outflow: Outflow) -> brakes.Leaving:
    """Return an outflow on the ledger as a brake looks at it."""
    kind = brakes.REFUND if outflow.kind == "refund" else Kind.DEPOSIT
    return brakes.Leaving(kind, outflow.asset, brakes.STELLAR, outflow.amount)


def _free_channels(source: str) -> Any:
    busy = select(Submission.id).where(
        Submission.channel_id == Channel.id, Submission.state.in_(SUBMISSION_OPEN)
    )
    pooled = select(Channel.id).where(Channel.number.is_not(None), Channel.retired_at.is_(None))
    return (
        select(Channel)
        .where(
            Channel.network_id == networks.current_id(),
            Channel.retired_at.is_(None),
            Channel.sequence.is_not(None),
            or_(Channel.number.is_not(None), (Channel.account_id == source) & ~pooled.exists()),
            ~busy.exists(),
        )
        .order_by(Channel.id)
        .with_for_update(skip_locked=True)
    )


def _still_free(channels: Sequence[Channel]) -> list[Channel]:
    """Look once more now that they are locked: a submission may have been opened meanwhile."""
    ids = [channel.id for channel in channels]
    query = select(Submission.channel_id).where(
        Submission.channel_id.in_(ids), Submission.state.in_(SUBMISSION_OPEN)
    )
    busy = set(db.session.scalars(query)) if ids else set()
    return [channel for channel in channels if channel.id not in busy]


def _still_payable(queue: Sequence[Outflow]) -> list[Outflow]:
    """Lock the transactions, and leave out what a person has stopped meanwhile."""
    ids = {outflow.transaction_id for outflow in queue if outflow.kind != "refund"}
    query = select(Transaction.id).where(Transaction.id.in_(ids), Transaction.is_resting.is_(False))
    payable = set(db.session.scalars(query.order_by(Transaction.id).with_for_update()))
    return [
        outflow
        for outflow in queue
        if outflow.kind == "refund" or outflow.transaction_id in payable
    ]


def _grouped(queue: Sequence[Outflow], batch: int) -> Iterator[list[Outflow]]:
    """Put what may travel together into groups; whoever needs a memo, or failed, goes alone."""
    together: list[Outflow] = []
    for outflow in queue:
        if outflow.is_alone:
            yield [outflow]
            continue
        together.append(outflow)
        if len(together) == batch:
            yield together
            together = []
    if together:
        yield together


def _open(source: str, channel: Channel, group: list[Outflow]) -> None:
    assert channel.sequence is not None
    submission = Submission(
        channel_id=channel.id, source=source, sequence=channel.sequence + 1, state="prepared"
    )
    db.session.add(submission)
    db.session.flush()
    for place, outflow in enumerate(group):
        outflow.state = "sent"
        outflow.submission_id = submission.id
        outflow.operation_index = place
        outflow.called_at = func.now()
    db.session.flush()
    happened(
        *(
            Happening(outflow.pays_for, Event.LEDGER_PAYMENT_SUBMITTED, outflow.key)
            for outflow in group
            if outflow.form != "establish" and outflow.kind != "refund"
        )
    )


@atomic
def opened(source: str) -> list[Slot]:
    """Return the open submissions of a source account, oldest first."""
    rows = db.session.execute(
        select(Submission, Channel)
        .join(Channel, Channel.id == Submission.channel_id)
        .where(*_open_of(source))
        .order_by(Submission.id)
        .execution_options(populate_existing=True)
    ).all()
    return [_slot(submission, channel) for submission, channel in rows]


def _slot(submission: Submission, channel: Channel) -> Slot:
    carried = db.session.scalars(
        select(Outflow)
        .where(Outflow.submission_id == submission.id, Outflow.state == "sent")
        .order_by(Outflow.operation_index)
    ).all()
    age = func.floor(func.extract("epoch", func.now() - Envelope.submitted_at))
    stored = db.session.execute(
        select(Envelope, age)
        .where(Envelope.submission_id == submission.id)
        .order_by(Envelope.id)
        .execution_options(populate_existing=True)
    )
    memo = carried[0] if len(carried) == 1 and carried[0].memo is not None else None
    return Slot(
        id=submission.id,
        state=submission.state,
        source=submission.source,
        channel=channel.account_id,
        channel_number=channel.number,
        sequence=submission.sequence,
        passphrase=settings().network_passphrase,
        orders=tuple(order_of(outflow) for outflow in carried),
        memo_type=(memo.memo_type if memo else None) or "none",
        memo=memo.memo if memo else None,
        envelopes=tuple(_stored(envelope, age_s) for envelope, age_s in stored),
    )


def order_of(outflow: Outflow) -> LedgerOrder:
    """Return what an outflow is to do on the ledger."""
    assert outflow.form is not None
    assert outflow.destination is not None
    is_new = outflow.form == "establish"
    reclaim_at = None
    if outflow.form == "claimable_balance":
        policy = settings().asset_by_id(outflow.asset)
        days = policy.delivery.reclaim_days if policy else 30
        reclaim_at = int((outflow.begun_at + timedelta(days=days)).timestamp())
    return LedgerOrder(
        form=outflow.form,
        destination=outflow.destination,
        asset=outflow.asset,
        amount=0 if is_new else outflow.amount,
        starting_balance=outflow.amount if is_new else 0,
        reclaim_at=reclaim_at,
    )


def _stored(envelope: Envelope, age_s: Any) -> Stored:
    return Stored(
        envelope.id,
        envelope.hash,
        envelope.inner_hash,
        envelope.envelope_xdr,
        envelope.max_time,
        envelope.fee,
        None if age_s is None else int(age_s),
        envelope.answer,
    )


@atomic
def store(
    slot: Slot,
    envelope_xdr: str,
    hash_: str,
    *,
    inner_hash: str | None = None,
    max_time: int,
    fee: int,
    is_signed: bool = True,
) -> None:
    """Store an envelope of a submission before anybody outside sees it (promise 6).

    Raises `Unavailable` where the submission has ended meanwhile.
    """
    state = db.session.scalar(
        select(Submission.state).where(Submission.id == slot.id).with_for_update()
    )
    if state not in SUBMISSION_OPEN:
        raise Unavailable(f"submission {slot.id} has ended")
    db.session.add(
        Envelope(
            submission_id=slot.id,
            hash=hash_,
            inner_hash=inner_hash,
            envelope_xdr=envelope_xdr,
            max_time=max_time,
            fee=fee,
        )
    )
    _set(slot.id, state="prepared" if is_signed else "pending_signatures")


@atomic
def answered(slot: Slot, answer: str) -> None:
    """Note what the network said when the newest envelope was handed in."""
    db.session.execute(
        update(Envelope)
        .where(Envelope.id == slot.newest.id)
        .values(submitted_at=func.coalesce(Envelope.submitted_at, func.now()), answer=answer[:500])
    )
    _set(slot.id, state="submitted")


@atomic
def hand_in_again(slot: Slot) -> None:
    """Let the newest envelope, the same bytes, be handed in once more."""
    db.session.execute(update(Envelope).where(Envelope.id == slot.newest.id).values(answer=None))


def _set(submission_id: int, *, state: str) -> None:
    db.session.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.state.in_(SUBMISSION_OPEN))
        .values(state=state)
    )


def _open_of(source: str) -> tuple[ColumnElement[bool], ...]:
    return Submission.source == source, Submission.state.in_(SUBMISSION_OPEN)


def _queued(source: str) -> tuple[ColumnElement[bool], ...]:
    """What waits to be carried; what rests for a person is not carried (a booking taken back)."""
    rests = select(Transaction.id).where(
        Transaction.id == Outflow.transaction_id, Transaction.is_resting
    )
    return (
        Outflow.source == source,
        Outflow.state == "prepared",
        Outflow.form.is_not(None),
        or_(Outflow.kind == "refund", ~rests.exists()),
    )

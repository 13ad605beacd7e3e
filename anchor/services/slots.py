"""Submissions as rows: opening them on free channels, and what was stored and answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, func, select, update

from anchor.errors import Unavailable
from anchor.extensions import atomic, db, settings
from anchor.ledger.orders import LedgerOrder
from anchor.models import SUBMISSION_OPEN, Channel, Envelope, Outflow, Submission
from anchor.services.claimable_balances import reclaim_time
from anchor.services.transactions import any_of


@dataclass(frozen=True)
class Stored:
    """A stored envelope. `age_s` counts from when it was handed in; None before that.

    `asks` says how often custody was asked for its signatures, `ask_in_s` when it is asked
    again (0 or less: now); None where it is asked no more.
    """

    id: int
    hash: str
    inner_hash: str | None
    envelope_xdr: str
    max_time: int
    fee: int
    age_s: int | None
    answer: str | None
    asks: int = 0
    ask_in_s: int | None = None


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
    def operations(self) -> int:
        """How many operations its envelopes have."""
        return sum(order.operations for order in self.orders)

    @property
    def calls_contract(self) -> bool:
        """Whether it pays a contract: what that takes is simulated before it is built."""
        return any(order.calls_contract for order in self.orders)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that custody signs for: the source, and issuers that authorize lines."""
        issuers = (order.issuer for order in self.orders if order.issuer)
        return tuple(dict.fromkeys((self.source, *issuers)))

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
    def waits_for_people(self) -> bool:
        """Whether it lacks signatures, and custody has given all that it gives."""
        return self.state == "pending_signatures" and self.newest.ask_in_s is None

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


@atomic
def opened(source: str) -> list[Slot]:
    """Return the open submissions of a source account, oldest first."""
    rows = db.session.execute(
        select(Submission, Channel)
        .join(Channel, Channel.id == Submission.channel_id)
        .where(*open_of(source))
        .order_by(Submission.id)
        .execution_options(populate_existing=True)
    ).all()
    ids = [submission.id for submission, _ in rows]
    carried, stored = _carried(ids), _envelopes(ids)
    return [
        _slot(submission, channel, carried[submission.id], stored[submission.id])
        for submission, channel in rows
    ]


def as_slot(submission: Submission, channel: Channel) -> Slot:
    """Return a submission in plain values. Needs an open transaction."""
    ids = [submission.id]
    return _slot(submission, channel, _carried(ids)[ids[0]], _envelopes(ids)[ids[0]])


def _carried(ids: Sequence[int]) -> Mapping[int, list[Outflow]]:
    """Return what each of some submissions carries, in the order of its operations."""
    found: dict[int, list[Outflow]] = {each: [] for each in ids}
    query = (
        select(Outflow)
        .where(Outflow.submission_id == any_of(ids, BigInteger()), Outflow.state == "sent")
        .order_by(Outflow.submission_id, Outflow.operation_index)
        .execution_options(populate_existing=True)
    )
    for outflow in db.session.scalars(query) if ids else ():
        found[outflow.submission_id or 0].append(outflow)
    return found


def _envelopes(ids: Sequence[int]) -> Mapping[int, list[Stored]]:
    """Return the envelopes of each of some submissions, oldest first."""
    found: dict[int, list[Stored]] = {each: [] for each in ids}
    age = func.floor(func.extract("epoch", func.now() - Envelope.submitted_at))
    ask_in = func.ceil(func.extract("epoch", Envelope.ask_at - func.now()))
    query = (
        select(Envelope, age, ask_in)
        .where(Envelope.submission_id == any_of(ids, BigInteger()))
        .order_by(Envelope.id)
        .execution_options(populate_existing=True)
    )
    for row in db.session.execute(query) if ids else ():
        found[row[0].submission_id].append(_stored(*row))
    return found


def _slot(
    submission: Submission,
    channel: Channel,
    carried: Sequence[Outflow],
    stored: Sequence[Stored],
) -> Slot:
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
        envelopes=tuple(stored),
    )


def order_of(outflow: Outflow) -> LedgerOrder:
    """Return what an outflow is to do on the ledger; a custodian authorizes no trust line."""
    assert outflow.form is not None
    assert outflow.destination is not None
    is_new = outflow.form == "establish"
    waits = outflow.form == "claimable_balance"
    return LedgerOrder(
        form="payment" if outflow.form == "trustline_lumens" else outflow.form,
        destination=outflow.destination,
        asset=outflow.asset,
        amount=0 if is_new or outflow.form == "claim" else outflow.amount,
        starting_balance=outflow.amount if is_new else 0,
        reclaim_at=reclaim_time(outflow) if waits else None,
        balance_id=outflow.balance_id,
        authorizes=outflow.authorizes and outflow.custody is None,
    )


def _stored(envelope: Envelope, age_s: Any, ask_in_s: Any) -> Stored:
    return Stored(
        envelope.id,
        envelope.hash,
        envelope.inner_hash,
        envelope.envelope_xdr,
        envelope.max_time,
        envelope.fee,
        None if age_s is None else int(age_s),
        envelope.answer,
        envelope.asks,
        None if ask_in_s is None else int(ask_in_s),
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
    ask: bool = False,
) -> None:
    """Store an envelope of a submission before anybody outside sees it (promise 6).

    `ask` says that custody has to sign it yet. Raises `Unavailable` where the
    submission has ended, or got a newer envelope than `slot` knows of, meanwhile.
    """
    state = db.session.scalar(
        select(Submission.state).where(Submission.id == slot.id).with_for_update()
    )
    if state not in SUBMISSION_OPEN:
        raise Unavailable(f"submission {slot.id} has ended")
    if _newest_of(slot.id) != (slot.newest.id if slot.envelopes else None):
        raise Unavailable(f"submission {slot.id} is in other hands")
    db.session.add(
        Envelope(
            submission_id=slot.id,
            hash=hash_,
            inner_hash=inner_hash,
            envelope_xdr=envelope_xdr,
            max_time=max_time,
            fee=fee,
            ask_at=func.now() if ask else None,
        )
    )
    _set([slot.id], state="pending_signatures" if ask else "prepared")


def _newest_of(submission_id: int) -> int | None:
    query = select(func.max(Envelope.id)).where(Envelope.submission_id == submission_id)
    return db.session.scalar(query)


@atomic
def again(slot: Slot) -> Slot:
    """Return the submission as it stands now; `Unavailable` where it has ended."""
    row = db.session.execute(
        select(Submission, Channel)
        .join(Channel, Channel.id == Submission.channel_id)
        .where(Submission.id == slot.id, Submission.state.in_(SUBMISSION_OPEN))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise Unavailable(f"submission {slot.id} has ended")
    return as_slot(*row)


@atomic
def answered(answers: Sequence[tuple[Slot, str]]) -> None:
    """Note what the network said as the newest envelope of each submission was handed in."""
    # Submissions before their envelopes, by id: who collects signatures locks them so, too.
    ids = [slot.id for slot, _ in answers]
    query = select(Submission.id).where(Submission.id == any_of(ids, BigInteger()))
    db.session.execute(query.order_by(Submission.id).with_for_update())
    for slot, answer in answers:
        db.session.execute(
            update(Envelope)
            .where(Envelope.id == slot.newest.id)
            .values(
                submitted_at=func.coalesce(Envelope.submitted_at, func.now()), answer=answer[:500]
            )
        )
    _set(ids, state="submitted")


@atomic
def hand_in_again(slot: Slot) -> None:
    """Let the newest envelope, the same bytes, be handed in once more."""
    db.session.execute(update(Envelope).where(Envelope.id == slot.newest.id).values(answer=None))


def _set(ids: Sequence[int], *, state: str) -> None:
    db.session.execute(
        update(Submission)
        .where(Submission.id.in_(ids), Submission.state.in_(SUBMISSION_OPEN))
        .values(state=state)
        .execution_options(synchronize_session=False)
    )


def open_of(source: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a submission of `source` is open."""
    return Submission.source == source, Submission.state.in_(SUBMISSION_OPEN)

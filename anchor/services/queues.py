"""The queue of each source account: how it stands, and putting it on free channels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Table,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from anchor.extensions import atomic, db, settings
from anchor.ledger.orders import places
from anchor.lifecycle import Event
from anchor.models import SUBMISSION_OPEN, Channel, Envelope, Outflow, Submission, Transaction
from anchor.services import brakes, known_lines, networks
from anchor.services.channels import left_for
from anchor.services.slots import open_of
from anchor.services.transactions import Happening, happened


@dataclass(frozen=True)
class Standing:
    """How many submissions of a source are open, and how many outflows wait, now and later.

    `ask_in_s` is when custody is next asked about one; None where people sign them all.
    """

    open: int
    waits_for_signatures: int
    queued_now: int
    queued_later: int
    ask_in_s: int | None = None


@atomic
def standing(source: str) -> Standing:
    """Return how the queue of a source account stands."""
    waiting = Submission.state == "pending_signatures"
    opened = select(func.count(), func.count().filter(waiting)).where(*open_of(source))
    count, signatures = db.session.execute(opened).one()
    now = or_(Outflow.not_before.is_(None), Outflow.not_before <= func.now())
    queue = select(func.count().filter(now), func.count().filter(~now)).where(*_queued(source))
    ready, later = db.session.execute(queue).one()
    soonest = func.ceil(func.extract("epoch", func.min(Envelope.ask_at) - func.now()))
    asked = select(soonest).join(Submission, Submission.id == Envelope.submission_id)
    ask_in = db.session.scalar(asked.where(waiting, *open_of(source)))
    return Standing(count, signatures, ready, later, None if ask_in is None else int(ask_in))


@atomic
def busy() -> list[str]:
    """Return the source accounts that something is queued or open for."""
    queued = select(Outflow.source).where(Outflow.state == "prepared", Outflow.form.is_not(None))
    opened = select(Submission.source).where(Submission.state.in_(SUBMISSION_OPEN))
    return [source for source in db.session.scalars(queued.union(opened)) if source]


@atomic
def fill(source: str, at_most: int | None = None) -> int:
    """Open a submission on each free channel that something is queued for; return how many.

    `at_most` so many. An account that people sign for leaves half of the pool to others, and so
    do calls of contracts, for which the RPC is asked first.
    """
    channels = _still_free(db.session.scalars(_free_channels(source)).all())
    channels = channels[: left_for(source, at_most)]
    if not channels:
        return 0
    batch = settings().batch_max
    found = _longest_waiting(source, batch * len(channels), _left_for_calls(len(channels)))
    known_lines.not_again(found)
    queue = [(each, leaving(each)) for each in _still_payable(found)]
    groups = sorted(_grouped(brakes.may_leave(queue), batch), key=_turn)[: len(channels)]
    _open(source, list(zip(channels, groups, strict=False)))
    return len(groups)


def _left_for_calls(free: int) -> int:
    """Return how many calls of contracts may take one of so many free channels.

    Together with those that wait for the RPC they take half, and one where there is one.
    """
    stored = select(Envelope.id).where(Envelope.submission_id == Submission.id)
    carries = select(Outflow.id).where(
        Outflow.submission_id == Submission.id, Outflow.calls_contract
    )
    query = select(func.count(Submission.id)).where(
        Submission.state == "prepared", ~stored.exists(), carries.exists()
    )
    waiting = db.session.execute(query).scalar_one()
    return max(0, max(1, (free + waiting) // 2) - waiting)


def _longest_waiting(source: str, at_most: int, calls: int) -> list[Outflow]:
    """Lock what waits now, oldest first: `at_most` so much, and so many `calls` of contracts."""

    def first(limit: int, which: ColumnExpressionArgument[bool]) -> Sequence[Outflow]:
        now = or_(Outflow.not_before.is_(None), Outflow.not_before <= func.now())
        query = select(Outflow).where(*_queued(source), now, which).order_by(Outflow.id)
        return db.session.scalars(query.limit(limit).with_for_update(skip_locked=True)).all()

    found = (*first(calls, Outflow.calls_contract), *first(at_most, ~Outflow.calls_contract))
    return sorted(found, key=lambda each: each.id)


def leaving(outflow: Outflow) -> brakes.Leaving:
    """Return an outflow on the ledger as a brake looks at it. Needs an open transaction.

    What only prepares the account of a deposit counts as the deposit's.
    """
    kind, asset = brakes.REFUND, outflow.asset
    if outflow.kind != "refund":
        row = db.session.get_one(Transaction, outflow.pays_for)
        kind, asset = row.kind, row.asset
    amount = 0 if outflow.pays_nobody else outflow.amount
    return brakes.Leaving(kind, asset, brakes.STELLAR, amount)


@atomic
def is_paused(submission_id: int) -> bool:
    """Tell whether anything that a submission carries is paused."""
    carried = select(Outflow).where(Outflow.submission_id == submission_id, Outflow.state == "sent")
    return any(brakes.why_paused(leaving(each)) for each in db.session.scalars(carried))


def _free_channels(source: str) -> Any:
    busy = select(Submission.id).where(
        Submission.channel_id == Channel.id, Submission.state.in_(SUBMISSION_OPEN)
    )
    usable = (
        Channel.network_id == networks.current_id(),
        Channel.retired_at.is_(None),
        Channel.sequence.is_not(None),
    )
    pooled = select(Channel.id).where(*usable, Channel.number.is_not(None))
    return (
        select(Channel)
        .where(
            *usable,
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
    query = select(Transaction).where(Transaction.id.in_(ids)).order_by(Transaction.id)
    locked = db.session.scalars(
        query.with_for_update().execution_options(populate_existing=True)
    ).all()
    payable = {row.id for row in locked if not row.is_resting}
    return [
        outflow
        for outflow in queue
        if outflow.kind == "refund" or outflow.transaction_id in payable
    ]


def _grouped(queue: Sequence[Outflow], batch: int) -> Iterator[list[Outflow]]:
    """Put what may travel together into groups; whoever needs a memo, or failed, goes alone.

    No group has more than `batch` operations. Where an issuer has to sign, too, that keeps
    nobody else: such payments have groups of their own.
    """
    together: dict[int, list[Outflow]] = {}
    for outflow in queue:
        if outflow.is_alone or outflow.calls_contract:
            yield [outflow]
            continue
        group = together.setdefault(outflow.operations, [])
        group.append(outflow)
        if (len(group) + 1) * outflow.operations > batch:
            yield together.pop(outflow.operations)
    yield from together.values()


def _turn(group: Sequence[Outflow]) -> int:
    """Return by what groups take the free channels: who waits longest is first."""
    return group[0].id


def _open(source: str, groups: Sequence[tuple[Channel, list[Outflow]]]) -> None:
    submissions = [
        Submission(
            channel_id=channel.id,
            source=source,
            sequence=(channel.sequence or 0) + 1,
            state="prepared",
        )
        for channel, _ in groups
    ]
    db.session.add_all(submissions)
    db.session.flush()
    _send(submissions, [group for _, group in groups])
    happened(
        *(
            Happening(outflow.pays_for, Event.LEDGER_PAYMENT_SUBMITTED, outflow.key)
            for _, group in groups
            for outflow in group
            if not outflow.pays_nobody and outflow.kind != "refund"
        )
    )


def _send(submissions: Sequence[Submission], groups: Sequence[list[Outflow]]) -> None:
    """Note which submission carries which outflows, and in which order."""
    table = cast(Table, Outflow.__table__)
    names = ("submission_id", "operation_index")
    statement = (
        update(table)
        .where(table.c.id == bindparam("the_id"))
        .values(state="sent", called_at=case((table.c.form != "claim", func.now())))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    rows = [
        {"the_id": outflow.id, "new_submission_id": submission.id, "new_operation_index": place}
        for submission, group in zip(submissions, groups, strict=True)
        for place, outflow in zip(places(each.operations for each in group), group, strict=True)
    ]
    if rows:
        db.session.connection().execute(statement, rows)


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

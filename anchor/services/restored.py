"""What the steps of a restore share: what they found, and how a transaction waits for a person."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from anchor.extensions import atomic, db
from anchor.lifecycle import FINAL, Event
from anchor.models import Case, Outflow, Transaction
from anchor.services import cases, order_ends
from anchor.services.recovery import Traits
from anchor.services.transactions import Happening, can_have, happened

NOTE = "a backup was restored"
#: So many keys in a row that are not known say that there are no more.
AHEAD = 10
#: What lets a transaction go on that waits for somebody: money that left says that it did.
_GOES_ON = (
    Event.RELEASED,
    Event.RECOVERED,
    Event.CUSTOMER_INFO_GIVEN,
    Event.TRANSACTION_INFO_GIVEN,
    Event.USER_ACTED,
)


@dataclass
class Found:
    """What was found again, by key, and what keeps money from leaving still.

    `unexplained` is a person's; `waits` passes with time, and nobody can shorten it.
    """

    payouts: list[str] = field(default_factory=list)
    deposits: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pause:
    """Since when all is paused for the restore, and for how many seconds.

    `all_since` is when the eldest pause of all began, which may be somebody's who paused before.
    `ledger_closed_at` is when the newest ledger had closed then, by the ledger's own clock.
    """

    since: datetime
    all_since: datetime
    age_s: int
    ledger_closed_at: datetime


def judge_unknown(who: str, key: str, traits: Traits, pause: Pause, found: Found) -> None:
    """Note what is missing until "not found" is final, where a key was not found.

    The lost attempt was begun before the pause: its time counts from there.
    """
    final = traits.not_found_final_after
    if final is None:
        found.unexplained.append(
            f"{key}: {who} does not know it, and never says so finally: ask whether it paid"
        )
        return
    left_s = final.total_seconds() - pause.age_s
    if left_s > 0:
        found.waits.append(f"{key}: {who} says finally in {int(left_s) + 1} s that it is unknown")


@atomic
def may_leave(transaction_id: str) -> bool:
    """Tell whether anything may leave for a transaction, as far as this database knows."""
    row = locked(transaction_id)
    left = row.amount_received - row.amount_paid - row.amount_refunded
    return left > 0 and (row.status not in FINAL or came_back(transaction_id))


def came_back(transaction_id: str) -> bool:
    """Tell whether a payout of a transaction came back. Needs an open transaction."""
    query = select(Outflow.id).where(
        Outflow.transaction_id == transaction_id, Outflow.returned_at.is_not(None)
    )
    return db.session.scalar(query.limit(1)) is not None


def is_under_way(transaction_id: str) -> bool:
    """Tell whether something left our hands and has no end. Needs an open transaction."""
    going = select(Outflow.id).where(
        Outflow.transaction_id == transaction_id,
        or_(Outflow.state == "sent", Outflow.state == "unknown"),
    )
    return db.session.scalar(going.limit(1)) is not None


@atomic
def hold(transaction_id: str, reason: str) -> None:
    """Let a transaction rest until a person has looked; what waits in a queue is taken out."""
    row = locked(transaction_id)
    told = select(Case.id).where(
        Case.reason == "restored_unclear",
        Case.transaction_id == row.id,
        Case.note == reason[:500],
        Case.closed_at.is_(None),
    )
    if db.session.scalar(told) is None:
        cases.open_case(
            "restored_unclear",
            f"{row.id}/{row.version}",
            note=reason[:500],
            transaction_id=row.id,
            asset=row.received_as,
            amount_owed=row.amount_received - row.amount_paid - row.amount_refunded,
        )
    order_ends.withdraw([row.id], reason)
    if not row.is_resting and can_have(row, Event.HELD):
        happened(Happening(row.id, Event.HELD, f"restored {row.version}"))


def let_go_on(row: Transaction, event: Event, cause: str) -> None:
    """Make `event` legal for a locked transaction that waited in the backup and went on since."""
    if can_have(row, event):
        return
    step = next((each for each in _GOES_ON if can_have(row, each)), None)
    if step is not None:
        happened(Happening(row.id, step, f"restored {cause}"))
        db.session.refresh(row)


@atomic
def ids(*conditions: ColumnElement[bool]) -> Sequence[str]:
    """Return the transactions with money in that meet some conditions, in their turn."""
    query = select(Transaction.id).where(Transaction.amount_received > 0, *conditions)
    return db.session.scalars(query.order_by(Transaction.funded_at, Transaction.id)).all()


def locked(transaction_id: str) -> Transaction:
    """Lock a transaction and return it as it is now. Needs an open transaction."""
    return db.session.scalars(
        select(Transaction)
        .where(Transaction.id == transaction_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def returned_or_left() -> ColumnElement[bool]:
    """Say which final transactions may have been paid again: of which something is with us."""
    left = Transaction.amount_received - Transaction.amount_paid - Transaction.amount_refunded
    return and_(Transaction.status.in_(FINAL), left > 0)


def age_s(since: InstrumentedAttribute[datetime]) -> ColumnElement[Any]:
    """Return how many seconds ago an instant of the database's clock was."""
    return func.floor(func.extract("epoch", func.now() - since))

"""Holding a bank's statement of a day against what we know of it, where a rail gives one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select

from anchor.assets import currency_of
from anchor.errors import AnchorError
from anchor.extensions import atomic, db, house, refuse_inside_transaction, settings
from anchor.integrations.protocols import RailsIntegration, Statement
from anchor.models import Outflow
from anchor.money import signed, to_stroops
from anchor.services import receipts
from anchor.services.audits import Difference
from anchor.services.transactions import any_of


@dataclass
class Compared:
    """What the statements of a day came to: bookings that were missing, and what differs."""

    receipts_missing: int = 0
    differences: list[Difference] = field(default_factory=list)


def compare(day: date) -> Compared:
    """Compare each rail that gives statements; bookings that were missing are kept on the way.

    A rail that does not answer is a difference of its own and stops no other (promise 12).
    """
    found = Compared()
    for rail in house().rails.values():
        if rail.traits.gives_statements:
            try:
                _compare(rail, day, found)
            except Exception as error:  # a rail may raise anything
                told = str(error) if isinstance(error, AnchorError) else type(error).__name__
                found.differences.append(Difference("bank", rail.name, f"was not read: {told}"))
    return found


def _compare(rail: RailsIntegration, day: date, found: Compared) -> None:
    refuse_inside_transaction()
    statement, before = rail.statement(day), rail.statement(day - timedelta(days=1))
    found.receipts_missing += receipts.observe(rail.name, statement.receipts).new
    found.differences += _transfers(rail.name, statement)
    known = {each.key for each in (*statement.transfers, *before.transfers)}
    found.differences += _unbooked(rail.name, day, known)


@atomic
def _transfers(rail: str, statement: Statement) -> list[Difference]:
    return list(_judged(rail, statement))


def _judged(rail: str, statement: Statement) -> Iterator[Difference]:
    """Yield what left the bank and is not what we ordered. A bank may book before it answers."""
    keys = [each.key for each in statement.transfers]
    query = select(Outflow).where(Outflow.rail == rail, Outflow.key == any_of(keys))
    ordered = {each.key: each for each in db.session.scalars(query)}
    for transfer in statement.transfers:
        outflow, amount = ordered.get(transfer.key), to_stroops(transfer.amount)
        about = f"{rail} {transfer.key}"
        if outflow is None:
            yield Difference("bank", about, f"left with {signed(amount)} by no order of ours")
        elif outflow.state == "refused":
            yield Difference("bank", about, "left the bank, and is refused here")
        elif outflow.amount != amount:
            sentence = f"left with {signed(amount)}, and {signed(outflow.amount)} were ordered"
            yield Difference("bank", about, sentence)
        elif transfer.currency not in {None, (wanted := _currency_of(outflow))}:
            sentence = f"left in {transfer.currency}, and was ordered in {wanted}"
            yield Difference("bank", about, sentence)


def _currency_of(outflow: Outflow) -> str | None:
    """Return the currency that an order is in: what it names, or its asset's own."""
    policy = settings().asset_by_id(outflow.asset)
    return currency_of(outflow.asset) or (policy.booked_in if policy else None)


@atomic
def _unbooked(rail: str, day: date, known: set[str]) -> list[Difference]:
    """Return what was done on that day and is on no statement of it, nor of the day before."""
    begins = datetime.combine(day, time(), UTC)
    query = select(Outflow.key, Outflow.amount).where(
        Outflow.rail == rail,
        Outflow.state == "done",
        Outflow.returned_at.is_(None),
        Outflow.settled_at >= begins,
        Outflow.settled_at < begins + timedelta(days=1),
    )
    return [
        Difference("bank", f"{rail} {key}", f"is done with {signed(amount)}, and was not booked")
        for key, amount in db.session.execute(query.order_by(Outflow.id))
        if key not in known
    ]

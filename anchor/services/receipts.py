"""Money that rails report: kept for ever, judged, and acted on, in one commit.

Receipts, verdicts, the transactions that they move, cases, jobs, postings and the rail's
cursor become durable together or not at all. The same booking by poll, webhook and list,
twice and out of order, is kept once (promises 1, 2 and 9).

Where it can die: before the commit nothing happened and the rail tells the same again;
after it everything did, and a doorbell that never rang is found by a sweep.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Table, TextClause, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert

from anchor.extensions import atomic, db
from anchor.integrations import protocols
from anchor.matching import (
    FOR_THE_DESK,
    Booking,
    Expectation,
    Judgement,
    Verdict,
    judge_booking,
)
from anchor.models import RailReading, Receipt
from anchor.services import books, cases, jobs, receipt_owners, reversals
from anchor.services.bookings import held_by
from anchor.services.entries import Entry, merged, read
from anchor.services.receipt_owners import Owned, asset_of, held_in
from anchor.services.transactions import Happening, any_of, happened

log = logging.getLogger(__name__)

REPAIR = "judge_receipts"
#: A bank may know the day of a booking alone.
_A_DAY = timedelta(days=1)
#: What stays of an unreadable receipt that is told again.
_KEPT = frozenset({"id", "rail", "receipt_id", "observed_at", "reversed_at"})


class CursorMoved(Exception):
    """Somebody else reads the list of this rail now: the page belongs to them."""


@dataclass(frozen=True)
class Seen:
    """How many receipts were new, and the transactions that they funded."""

    new: int
    credited: tuple[str, ...]


@atomic
def observe(
    rail: str,
    receipts: Sequence[protocols.Receipt],
    read_from: str | None = None,
    cursor: str | None = None,
    *,
    named: Mapping[str, str] | None = None,
) -> Seen:
    """Keep what a rail reports with all its consequences, and the new cursor where one is given.

    Safe to repeat: a booking that was kept before is left out, unless it is reversed by now.
    `named` says by receipt id for which transaction the rail told it. Raises `CursorMoved`
    where the stored cursor is not `read_from`: then nothing was written.
    """
    reading = _take(rail)
    if cursor is not None:
        if reading.cursor != read_from:
            raise CursorMoved(f"the rail {rail} is read by somebody else")
        reading.cursor = cursor
    told = named or {}
    entries = merged(
        read(receipt, told.get(getattr(receipt, "receipt_id", ""))) for receipt in receipts
    )
    known = _known(rail, entries)
    _look_again(rail, entries, known)
    return _keep(reading, [entry for entry in entries if _is_new(entry, known)])


def _take(rail: str) -> RailReading:
    """Lock how far a rail was read, so that its receipts are judged one page after the other."""
    db.session.execute(insert(RailReading).values(rail=rail).on_conflict_do_nothing())
    return db.session.scalars(
        select(RailReading)
        .where(RailReading.rail == rail)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _known(rail: str, entries: Sequence[Entry]) -> dict[str, Receipt]:
    rows = db.session.scalars(
        select(Receipt)
        .where(
            Receipt.rail == rail,
            Receipt.receipt_id == any_of([entry.receipt_id for entry in entries]),
        )
        .execution_options(populate_existing=True)
    )
    return {row.receipt_id: row for row in rows}


def _is_new(entry: Entry, known: Mapping[str, Receipt]) -> bool:
    """Tell what was never kept, or only as unreadable and is readable now."""
    row = known.get(entry.receipt_id)
    return row is None or (row.verdict == Verdict.UNREADABLE and entry.trouble is None)


def _look_again(rail: str, entries: Sequence[Entry], known: Mapping[str, Receipt]) -> None:
    """Act on reversals of what is kept, and put what the rail tells otherwise on the desk."""
    desk = []
    for entry in entries:
        row = known.get(entry.receipt_id)
        if row is None or row.amount is None or entry.amount is None:
            continue
        if (row.amount, row.currency) != (entry.amount, entry.currency):
            note = f"kept are {row.amount} {row.currency}, now {entry.amount} {entry.currency}"
            judgement = Judgement(Verdict(row.verdict), row.transaction_id, note=note)
            changed = _case(rail, entry, judgement, asset_of(rail, entry.currency))
            cause = f"{changed['cause']}/{entry.amount}/{entry.currency}"
            desk.append(changed | {"reason": "receipt_changed", "cause": cause})
    cases.open_cases(desk)
    gone = [entry.receipt_id for entry in entries if entry.is_reversed]
    reversals.reverse([known[key] for key in gone if key in known])


def _keep(reading: RailReading, new: Sequence[Entry]) -> Seen:
    if not new:
        return Seen(0, ())
    rail = reading.rail
    try:
        with db.session.begin_nested():
            verdicts, credited = _judge_and_act(reading, new)
    except Exception:
        log.exception("judging failed; %d receipts of %s are kept as unjudged", len(new), rail)
        credited = ()
        verdicts = {e.receipt_id: Judgement(Verdict.UNJUDGED, e.named, note=e.trouble) for e in new}
        jobs.renew(jobs.Address(REPAIR, rail), REPAIR)
    _write(rail, new, verdicts)
    return Seen(len(new), credited)


def _write(rail: str, new: Sequence[Entry], verdicts: Mapping[str, Judgement]) -> None:
    table = cast(Table, Receipt.__table__)
    statement = insert(table)
    columns = {c.name: c for c in statement.excluded if c.name not in _KEPT}
    db.session.execute(
        statement.on_conflict_do_update(
            index_elements=["rail", "receipt_id"],
            set_=columns,
            where=table.c.verdict == Verdict.UNREADABLE,
        ),
        [_row(rail, entry, verdicts[entry.receipt_id]) for entry in new],
    )
    gone = [entry.receipt_id for entry in new if entry.is_reversed]
    if gone:
        db.session.execute(
            update(Receipt)
            .where(Receipt.rail == rail, Receipt.receipt_id == any_of(gone))
            .values(reversed_at=func.now())
        )


def _row(rail: str, entry: Entry, judgement: Judgement) -> dict[str, object]:
    return {
        "rail": rail,
        "receipt_id": entry.receipt_id,
        "amount": entry.amount,
        "currency": entry.currency,
        "payer": entry.payer,
        "reference": entry.reference,
        "value_date": entry.value_date,
        "booked_at": entry.booked_at,
        "verdict": judgement.verdict,
        "note": judgement.note,
        "transaction_id": judgement.transaction_id or None,
    }


def _judge_and_act(
    reading: RailReading, entries: Sequence[Entry]
) -> tuple[dict[str, Judgement], tuple[str, ...]]:
    owners = receipt_owners.locked(entries)
    verdicts = _judge(reading, entries, owners)
    assets = {
        entry.receipt_id: held_in(reading.rail, entry, owners[entry.receipt_id])
        for entry in entries
    }
    return verdicts, _act(reading.rail, entries, verdicts, assets)


def _judge(
    reading: RailReading, entries: Sequence[Entry], owners: Mapping[str, Owned | None]
) -> dict[str, Judgement]:
    """Judge in the order of the bank's books: the first of two is credited, then the second."""
    expected = {row.id: receipt_owners.expectation(row) for row in owners.values() if row}
    verdicts: dict[str, Judgement] = {}
    for entry in entries:
        row = owners[entry.receipt_id]
        owner = expected[row.id] if row else None
        judgement = _judgement(reading, entry, owner)
        if owner and entry.amount and judgement.verdict is Verdict.CREDITED:
            expected[owner.transaction_id] = replace(
                owner,
                received=owner.received + entry.amount,
                is_funded=owner.is_funded or judgement.event is not None,
            )
        verdicts[entry.receipt_id] = judgement
    return verdicts


def _judgement(reading: RailReading, entry: Entry, owner: Expectation | None) -> Judgement:
    about = owner.transaction_id if owner else None
    if entry.trouble or entry.amount is None or entry.booked_at is None:
        return Judgement(Verdict.UNREADABLE, about, note=entry.trouble)
    if entry.is_reversed:
        return Judgement(Verdict.UNMATCHED, about, note="it was reversed before it was credited")
    name = receipt_owners.written(entry) or entry.named
    booking = Booking(reading.rail, entry.currency, entry.amount, name, entry.booked_at)
    return judge_booking(booking, owner, reading.in_charge_since - _A_DAY)


def _act(
    rail: str,
    entries: Sequence[Entry],
    verdicts: Mapping[str, Judgement],
    assets: Mapping[str, str],
) -> tuple[str, ...]:
    """Move what was credited, put the rest on the operator's desk, and write the books."""
    happenings: list[Happening] = []
    desk: list[dict[str, object]] = []
    for entry in entries:
        judgement = verdicts[entry.receipt_id]
        if judgement.verdict is Verdict.CREDITED:
            happenings.append(_happening(rail, entry, judgement))
        elif judgement.verdict in FOR_THE_DESK and (entry.trouble or not entry.is_reversed):
            desk.append(_case(rail, entry, judgement, assets[entry.receipt_id]))
    happened(*happenings)
    cases.open_cases(desk)
    books.post_all(list(_postings(rail, entries, verdicts, assets)))
    return tuple(dict.fromkeys(item.transaction_id for item in happenings if item.event))


def _happening(rail: str, entry: Entry, judgement: Judgement) -> Happening:
    assert judgement.transaction_id is not None
    assert entry.amount is not None
    columns: dict[str, Any] = {"external_transaction_id": entry.receipt_id}
    if entry.payer:
        columns["from_account"] = entry.payer
    return Happening(
        judgement.transaction_id,
        judgement.event,
        cause=f"receipt {rail}/{entry.receipt_id}",
        received=entry.amount,
        columns=columns,
    )


def _case(rail: str, entry: Entry, judgement: Judgement, asset: str) -> dict[str, object]:
    return {
        "reason": f"receipt_{judgement.verdict}",
        "cause": f"receipt {rail}/{entry.receipt_id}",
        "note": judgement.note,
        "transaction_id": judgement.transaction_id or None,
        "asset": asset,
        "amount_owed": entry.amount,
    }


def _postings(
    rail: str,
    entries: Sequence[Entry],
    verdicts: Mapping[str, Judgement],
    assets: Mapping[str, str],
) -> Iterator[dict[str, object]]:
    """Write what the bank holds for us, and to whom we owe it; history was booked elsewhere."""
    for entry in entries:
        judgement = verdicts[entry.receipt_id]
        unbooked = judgement.verdict in {Verdict.HISTORY, Verdict.UNREADABLE}
        if unbooked or entry.amount is None or entry.is_reversed:
            continue
        owed = "customer" if judgement.verdict is Verdict.CREDITED else "suspense"
        for account, amount in ((held_by(rail), entry.amount), (owed, -entry.amount)):
            yield {
                "cause": f"receipt {rail}/{entry.receipt_id}",
                "account": account,
                "asset": assets[entry.receipt_id],
                "amount": amount,
                "transaction_id": judgement.transaction_id or None,
            }


def repair(claimed: jobs.Claim) -> None:
    """Judge what was kept as unjudged of one rail, each in a commit of its own; the job `REPAIR`.

    One that cannot be judged stays as it is and stops no other; the last error is raised
    after all were tried.
    """
    trouble = None
    for row_id in _unjudged(claimed.subject_id):
        jobs.extend(claimed)
        try:
            _repair(claimed.subject_id, row_id)
        except Exception as error:
            log.exception("receipt %d of %s cannot be judged", row_id, claimed.subject_id)
            trouble = error
    if trouble:
        raise trouble


@atomic
def _unjudged(rail: str) -> Sequence[int]:
    query = select(Receipt.id).where(*_waits(), Receipt.rail == rail)
    return db.session.scalars(query.order_by(Receipt.booked_at, Receipt.id)).all()


@atomic
def _repair(rail: str, row_id: int) -> None:
    reading = _take(rail)
    row = db.session.scalar(
        select(Receipt)
        .where(*_waits(), Receipt.id == row_id)
        .execution_options(populate_existing=True)
    )
    if row is None:
        return
    entry = Entry(
        receipt_id=row.receipt_id,
        amount=row.amount,
        currency=row.currency,
        booked_at=row.booked_at,
        reference=row.reference,
        payer=row.payer,
        value_date=row.value_date,
        is_reversed=row.reversed_at is not None,
        trouble=row.note,
        named=row.transaction_id,
    )
    verdicts, _ = _judge_and_act(reading, [entry])
    judgement = verdicts[entry.receipt_id]
    row.verdict, row.note = judgement.verdict, judgement.note
    row.transaction_id = judgement.transaction_id


def _waits() -> tuple[TextClause, ...]:
    return (text("receipts.verdict = 'unjudged'"),)


@atomic
def owe_repairs() -> None:
    """Owe a repair of each rail that has unjudged receipts: a sweep's first half."""
    query = select(Receipt.rail, literal(REPAIR)).where(*_waits()).distinct()
    jobs.ensure_each(REPAIR, query)


jobs.declare(REPAIR, jobs.Work(repair, lambda _lane: 60, lambda _lane: 1, parks=False))

"""Asking rails whose money has come: deposits, and sends that are settled by rail.

Those that wait are read by key, never all at once, and answered item by item. A deposit that
expired is asked about for some days more: money that comes late is somebody's, too.
"""

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Select, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from anchor.assets import currency_of
from anchor.errors import Unavailable
from anchor.extensions import atomic, db, house, refuse_inside_transaction, settings
from anchor.integrations.protocols import (
    Arrived,
    DepositAnswer,
    DepositFailed,
    DepositHeld,
    PendingDeposit,
    RailsIntegration,
    Receipt,
    ReceiptPage,
)
from anchor.lifecycle import FINAL, Event, Status
from anchor.models import AWAITED, EXPIRED_AWAITED, RailReading, Transaction
from anchor.money import to_decimal
from anchor.services import cases, jobs, rails, receipts
from anchor.services.entries import is_id, printable
from anchor.services.transactions import Happening, any_of, happened, owner_of

log = logging.getLogger(__name__)

POLL = "poll_pending_deposits"
_OVER = FINAL | {Status.EXPIRED, Status.ERROR}

_Answers = list[tuple[PendingDeposit, DepositAnswer]]


def poll(claimed: jobs.Claim) -> None:
    """Ask one rail for money that came: its list, and each that waits; the job `POLL`.

    Raises `Unavailable` where anything of it failed, after all the rest was done. A poll is
    good, and `polled_at` says when it began, where the list was read to its end or each that
    waits was answered for.
    """
    rail, began = rails.find(claimed.subject_id), _now()
    troubles: list[str] = []
    is_listed = rail.traits.lists_receipts and _tried(lambda: _read_list(claimed, rail), troubles)
    unanswered = 0
    for batch in _batches(rail.name):
        jobs.extend(claimed)
        random.shuffle(batch)  # a rail that runs out of time leaves others unasked each time
        found, failed = rails.answers(
            rail, batch, partial(_ask, rail), lambda each: each.transaction_id
        )
        unanswered += len(batch) - len(found)
        _note_unasked(rail.name, failed)
        _tried(partial(_record, rail.name, found), troubles)
    if troubles:
        raise Unavailable("; ".join(troubles)[:500])
    if is_listed or not unanswered:
        _was_good(rail.name, began)


@atomic
def owe_polls() -> None:
    """Owe a poll of each rail that is asked now."""
    jobs.ensure((jobs.Address(POLL, rail), rail) for rail in asked())


@atomic
def asked() -> list[str]:
    """Return the rails that are asked about somebody, or list what came."""
    listing = [name for name, rail in house().rails.items() if rail.traits.lists_receipts]
    waiting = db.session.scalars(select(Transaction.rail).where(text(AWAITED)).distinct())
    late = db.session.scalars(
        select(Transaction.rail)
        .where(text(EXPIRED_AWAITED), Transaction.updated_at > _grace_began())
        .distinct()
    )
    return sorted({*listing, *waiting, *late})


def _tried(act: Callable[[], None], troubles: list[str]) -> bool:
    """Do one part of a poll; note its trouble, so that the other parts are done, too."""
    try:
        act()
    except jobs.Superseded:
        raise
    except Exception as error:
        surprise = None if isinstance(error, Unavailable) else error
        log.warning("a part of a poll failed: %s", error, exc_info=surprise)
        told = str(error) if isinstance(error, Unavailable) else type(error).__name__
        troubles.append(told)
        return False
    return True


@atomic
def _now() -> datetime:
    return db.session.execute(select(func.now())).scalar_one()


@atomic
def _was_good(rail: str, began: datetime) -> None:
    statement = insert(RailReading).values(rail=rail, polled_at=began)
    latest = func.greatest(RailReading.polled_at, statement.excluded.polled_at)
    db.session.execute(
        statement.on_conflict_do_update(index_elements=["rail"], set_={"polled_at": latest})
    )


# -- the list of everything that came ------------------------------------------------------


def _read_list(claimed: jobs.Claim, rail: RailsIntegration) -> None:
    cursor = _cursor(rail.name)
    while True:
        jobs.extend(claimed)
        page = _page(rail, cursor)
        try:
            receipts.observe(rail.name, page.receipts, cursor, page.cursor)
        except receipts.CursorMoved as error:
            raise Unavailable(str(error)) from error
        if page.up_to_date:
            return
        if page.cursor == cursor:
            raise Unavailable(f"the list of the rail {rail.name} does not go on")
        cursor = page.cursor


@atomic
def _cursor(rail: str) -> str | None:
    return db.session.scalar(select(RailReading.cursor).where(RailReading.rail == rail))


def _page(rail: RailsIntegration, cursor: str | None) -> ReceiptPage:
    refuse_inside_transaction()
    page = rail.receipts_since(cursor)
    if not isinstance(page, ReceiptPage) or not isinstance(page.cursor, str):
        raise TypeError("the rail answered what is no page of receipts")
    return page


# -- those that wait ------------------------------------------------------------------------


def _batches(rail: str) -> Iterator[list[PendingDeposit]]:
    """Yield what waits on a rail, then what expired of late, each by its own key."""
    after = ""
    while rows := _awaited(rail, after):
        after = rows[-1].id
        yield [pending(row) for row in rows]
    mark: tuple[datetime, str] | None = None
    while rows := _expired(rail, mark):
        mark = (rows[-1].updated_at, rows[-1].id)
        yield [pending(row) for row in rows]


@atomic
def _awaited(rail: str, after: str) -> Sequence[Transaction]:
    query = select(Transaction).where(
        text(f"({AWAITED})"), Transaction.rail == rail, Transaction.id > after
    )
    return _rows(query.order_by(Transaction.id))


@atomic
def _expired(rail: str, mark: tuple[datetime, str] | None) -> Sequence[Transaction]:
    key = tuple_(Transaction.updated_at, Transaction.id)
    query = select(Transaction).where(
        text(EXPIRED_AWAITED), Transaction.rail == rail, Transaction.updated_at > _grace_began()
    )
    if mark is not None:
        query = query.where(key > mark)
    return _rows(query.order_by(Transaction.updated_at, Transaction.id))


def _rows(query: Select[Transaction]) -> Sequence[Transaction]:
    limited = query.limit(rails.BATCH).execution_options(populate_existing=True)
    return db.session.scalars(limited).all()


def _grace_began() -> ColumnElement[datetime]:
    return func.now() - timedelta(days=settings().grace_days)


def pending(row: Transaction) -> PendingDeposit:
    """Return a transaction as a rail is asked about it."""
    return PendingDeposit(
        transaction_id=row.id,
        kind=row.kind,
        asset=row.asset,
        amount=None if row.amount_expected is None else to_decimal(row.amount_expected),
        reference=row.reference,
        details=dict(row.details),
        owner=str(owner_of(row)),
        started_at=row.started_at,
        currency=currency_of(row.received_as),
    )


def _ask(rail: RailsIntegration, batch: Sequence[PendingDeposit]) -> _Answers:
    found = rail.poll_pending_deposits(batch)
    answers = [(each, found[each.transaction_id]) for each in batch if each.transaction_id in found]
    for _, answer in answers:
        if not isinstance(answer, DepositAnswer):
            raise TypeError("the rail answered what is no answer about a deposit")
        if isinstance(answer, Arrived) and not isinstance(answer.receipts, Sequence):
            raise TypeError("the rail answered no sequence of receipts")
    return answers


@atomic
def _note_unasked(rail: str, failed: Sequence[tuple[PendingDeposit, Exception]]) -> None:
    """Put what a rail cannot answer about on the desk: until it can, nothing there expires."""
    cases.open_cases(
        [
            _case("deposit_unanswered", rail, deposit, f"the rail ended in {type(error).__name__}")
            for deposit, error in failed
            if not isinstance(error, Unavailable)
        ]
    )


def _record(rail: str, answers: _Answers) -> None:
    came: list[Receipt] = []
    named: dict[str, str] = {}
    for deposit, answer in answers:
        if isinstance(answer, Arrived):
            came += answer.receipts
            named |= _named(deposit, answer, named)
    if came:
        receipts.observe(rail, came, named=named)
    bad = [(d, a) for d, a in answers if isinstance(a, DepositFailed | DepositHeld)]
    if bad:
        _note_bad(rail, bad)


def _named(deposit: PendingDeposit, answer: Arrived, known: Mapping[str, str]) -> dict[str, str]:
    """Say for whom the rail told these receipts; one told for two is for neither."""
    ids = [each.receipt_id for each in answer.receipts if isinstance(each, Receipt)]
    return {key: "" if key in known else deposit.transaction_id for key in ids if is_id(key)}


@atomic
def _note_bad(rail: str, answers: Sequence[tuple[PendingDeposit, DepositAnswer]]) -> None:
    """Record what is held and what failed; what has funds in is nobody's to fail but a person's."""
    ids = any_of([deposit.transaction_id for deposit, _ in answers])
    rows = {
        row.id: row
        for row in db.session.scalars(
            select(Transaction)
            .where(Transaction.id == ids)
            .order_by(Transaction.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    happenings: list[Happening] = []
    desk: list[dict[str, object]] = []
    for deposit, answer in answers:
        row = rows[deposit.transaction_id]
        assert isinstance(answer, DepositFailed | DepositHeld)
        if row.status in _OVER:
            continue
        failed = isinstance(answer, DepositFailed)
        desk.append(
            _case("deposit_failed" if failed else "deposit_held", rail, deposit, answer.reason)
        )
        message = printable(answer.message)
        if failed and row.amount_received == 0:
            columns = {"message": message} if message else {}
            cause = f"deposit {rail}/{row.id}"
            happenings.append(Happening(row.id, Event.FAILED, cause, columns=columns))
        elif message and message != row.message:
            row.message = message
    db.session.flush()
    happened(*happenings)
    cases.open_cases(desk)


def _case(reason: str, rail: str, deposit: PendingDeposit, note: object) -> dict[str, object]:
    return {
        "reason": reason,
        "cause": f"deposit {rail}/{deposit.transaction_id}",
        "note": printable(note),
        "transaction_id": deposit.transaction_id,
        "asset": deposit.asset,
        "amount_owed": None,
    }


jobs.declare(POLL, jobs.Work(poll, rails.lease_s, rails.ceiling, parks=False))

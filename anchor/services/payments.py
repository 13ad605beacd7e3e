"""Money that moves on the ledger: kept for ever, judged, and acted on, in one commit.

A page of payments, the cursor behind it, each verdict, the transactions that it moves and
the jobs that it calls for become durable together or not at all (promises 1 and 2).

Where it can die: before the commit nothing happened and the page is read again from the
stored cursor; after it everything did, and a doorbell that never rang is found by a sweep.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    Text,
    and_,
    func,
    insert,
    literal,
    select,
    update,
)

from anchor.extensions import atomic, db, settings
from anchor.ledger.gateway import LedgerPayment
from anchor.lifecycle import Kind, Status
from anchor.matching import (
    FOR_THE_DESK,
    Arrival,
    Expectation,
    Judgement,
    Verdict,
    address_of,
    judge,
)
from anchor.models import Account, Memo, Payment, Transaction
from anchor.services import bookings, cases, departures, jobs, known_operations, returns
from anchor.services.networks import Watch
from anchor.services.transactions import Happening, any_of, happened

log = logging.getLogger(__name__)

REPAIR = "judge_payments"


class CursorMoved(Exception):
    """Somebody else reads this account now: the page belongs to them."""


@dataclass(frozen=True)
class Seen:
    """What one page came to, and the jobs that its matches call for."""

    new: int
    credited: tuple[str, ...]


@atomic
def observe(watch: Watch, read_from: int, cursor: int, page: Sequence[LedgerPayment]) -> Seen:
    """Keep a page of payments of one account with all its consequences, and the new cursor.

    Raises `CursorMoved` where the stored cursor is not `read_from` or the lease is another's:
    then nothing was written. A payment that was kept before is left out.
    """
    moved = db.session.execute(
        update(Account)
        .where(
            Account.id == watch.id,
            Account.cursor == read_from,
            Account.lease_token == watch.token,
        )
        .values(cursor=cursor, read_until=func.greatest(Account.read_until, _newest(page)))
        .returning(Account.id)
    ).one_or_none()
    if moved is None:
        raise CursorMoved(f"{watch.account_id} is read by somebody else")
    return _keep(watch, page)


@atomic
def feed(watch: Watch, page: Sequence[LedgerPayment]) -> Seen:
    """Keep what is missing of a page, without moving the cursor: the door of reconciliation."""
    db.session.execute(select(Account.id).where(Account.id == watch.id).with_for_update())
    return _keep(watch, page)


def _newest(page: Sequence[LedgerPayment]) -> object:
    return page[-1].closed_at if page else Account.read_until


def _keep(watch: Watch, page: Sequence[LedgerPayment]) -> Seen:
    new = known_operations.not_kept(watch, page)
    if not new:
        return Seen(0, ())
    try:
        with db.session.begin_nested():
            verdicts = _judge(watch, new)
            credited = _act(watch, new, verdicts)
    except Exception:
        log.exception("judging failed; %d payments are kept as unjudged", len(new))
        verdicts, credited = {_key(p): Judgement(Verdict.UNJUDGED) for p in new}, ()
        jobs.renew(jobs.Address(REPAIR, str(watch.id)), REPAIR)
    table = cast(Table, Payment.__table__)
    db.session.execute(insert(table), [_row(watch, p, verdicts[_key(p)]) for p in new])
    bookings.payments_arrived(*_booked(watch, new))
    return Seen(len(new), credited)


def repair(watch: Watch) -> int:
    """Judge what was kept as unjudged, each ledger transaction in a commit of its own.

    Returns how many payments were judged. One that cannot be judged stays as it is and
    stops no other; the last error is raised after all were tried.
    """
    count, trouble = 0, None
    for transaction_hash in _waiting(watch):
        try:
            count += _repair(watch, transaction_hash)
        except Exception as error:
            log.exception("what %s brought cannot be judged", transaction_hash)
            trouble = error
    if trouble:
        raise trouble
    return count


@atomic
def _waiting(watch: Watch) -> list[str]:
    query = select(Payment.transaction_hash).where(*_unjudged(watch))
    first = func.min(Payment.operation_id)
    return list(db.session.scalars(query.group_by(Payment.transaction_hash).order_by(first)))


@atomic
def _repair(watch: Watch, transaction_hash: str) -> int:
    """Judge what is unjudged still, now that nobody else can be about it."""
    db.session.execute(select(Account.id).where(Account.id == watch.id).with_for_update())
    rows = db.session.scalars(
        select(Payment)
        .where(*_unjudged(watch), Payment.transaction_hash == transaction_hash)
        .order_by(Payment.operation_id, Payment.index)
        .execution_options(populate_existing=True)
    ).all()
    page = [_from_row(row) for row in rows]
    verdicts = _judge(watch, page)
    _act(watch, page, verdicts)
    for row, payment in zip(rows, page, strict=True):
        judgement = verdicts[_key(payment)]
        row.verdict, row.note = judgement.verdict, judgement.note
        row.transaction_id = judgement.transaction_id
    db.session.flush()
    bookings.payments_judged(*_booked(watch, page))
    return len(page)


def _booked(watch: Watch, page: Sequence[LedgerPayment]) -> tuple[int, str, list[int]]:
    return watch.network_id, watch.account_id, [payment.operation_id for payment in page]


def _unjudged(watch: Watch) -> tuple[ColumnElement[bool], ...]:
    return (
        Payment.verdict == Verdict.UNJUDGED,
        Payment.network_id == watch.network_id,
        Payment.account_id == watch.account_id,
    )


def _from_row(row: Payment) -> LedgerPayment:
    return LedgerPayment(
        operation_id=row.operation_id,
        index=row.index,
        paging_token=str(row.operation_id),
        transaction_hash=row.transaction_hash,
        ledger=row.ledger,
        closed_at=row.closed_at,
        type=row.type,
        direction=row.direction,
        account=row.account_id,
        counterparty=row.counterparty,
        counterparty_muxed_id=row.counterparty_muxed_id,
        asset=row.asset,
        amount=row.amount,
        memo_type=row.memo_type,
        memo=row.memo,
        muxed_id=row.muxed_id,
        raw=row.raw or {},
        unreadable=row.note if row.amount is None else None,
    )


def _key(payment: LedgerPayment) -> tuple[int, int]:
    return payment.operation_id, payment.index


def _judge(watch: Watch, page: Iterable[LedgerPayment]) -> dict[tuple[int, int], Judgement]:
    """Judge each arrival once; its operations share the verdict.

    Arrivals are taken in the ledger's order, so the first of two payments to one
    transaction is credited and the next one is the second.
    """
    verdicts: dict[tuple[int, int], Judgement] = {}
    arrivals: dict[tuple[object, ...], list[LedgerPayment]] = {}
    for payment in page:
        if payment.direction == "out":
            verdicts[_key(payment)] = Judgement(Verdict.OUTGOING)
        elif payment.unreadable or payment.amount is None or payment.asset is None:
            verdicts[_key(payment)] = Judgement(Verdict.UNREADABLE, note=payment.unreadable)
        else:
            arrivals.setdefault(_unit(payment), []).append(payment)
    summed = [(_arrival(group), group) for group in arrivals.values()]
    expected = _expectations(watch, [arrival for arrival, _ in summed])
    for arrival, group in summed:
        address = address_of(arrival)
        judgement = judge(
            arrival, expected.get(address) if address else None, watch.in_charge_since
        )
        if judgement.verdict is Verdict.CREDITED and address:
            expected[address] = _credited(expected[address], arrival.amount, judgement)
        elif judgement.verdict is Verdict.RETURNED and address:
            owner = expected[address]
            expected[address] = replace(owner, paid=owner.paid - arrival.amount)
        verdicts.update({_key(payment): judgement for payment in group})
    return verdicts


def _unit(payment: LedgerPayment) -> tuple[object, ...]:
    return (
        payment.transaction_hash,
        payment.account,
        payment.asset,
        payment.memo_type,
        payment.memo,
        payment.muxed_id,
    )


def _arrival(group: Sequence[LedgerPayment]) -> Arrival:
    first = group[0]
    assert first.asset is not None
    return Arrival(
        account=first.account,
        asset=first.asset,
        amount=sum(payment.amount or 0 for payment in group),
        memo_type=first.memo_type,
        memo=first.memo,
        muxed_id=first.muxed_id,
        closed_at=first.closed_at,
    )


def _expectations(watch: Watch, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], Expectation]:
    """Look up who owns the memos of these arrivals, and lock their transactions."""
    addresses = {address for arrival in arrivals if (address := address_of(arrival))}
    if not addresses:
        return {}
    rows = db.session.execute(
        select(
            Memo.memo_type,
            Memo.memo,
            Transaction.id,
            Transaction.kind,
            Transaction.status,
            Transaction.asset,
            Transaction.amount_expected,
            (Transaction.amount_received - Transaction.amount_refunded).label("amount_received"),
            Transaction.funded_at,
            Transaction.settlement,
            Transaction.quote_id,
            Transaction.deadline_at,
            Transaction.amount_paid,
        )
        .join(Transaction, Transaction.id == Memo.transaction_id)
        .where(
            Memo.network_id == watch.network_id,
            Memo.account_id == watch.account_id,
            Memo.memo_type == any_of({memo_type for memo_type, _ in addresses}),
            Memo.memo == any_of({memo for _, memo in addresses}),
        )
        .order_by(Transaction.id)
        .with_for_update(of=Transaction)
    )
    return {(row.memo_type, row.memo): _expectation(watch, row) for row in rows}


def _expectation(watch: Watch, row: Row[*tuple[Any, ...]]) -> Expectation:
    policy = settings().asset_by_id(row.asset)
    flow = policy and (policy.send if row.kind == Kind.SEND else policy.withdrawal)
    return Expectation(
        transaction_id=row.id,
        kind=Kind(row.kind),
        status=Status(row.status),
        account=watch.account_id,
        asset=row.asset,
        amount=row.amount_expected,
        received=row.amount_received,
        is_funded=row.funded_at is not None,
        matching=policy.matching if policy and row.quote_id is None else "exact",
        tolerance=policy.slack(row.amount_expected) if policy else 0,
        min_amount=flow.min_amount if flow else None,
        max_amount=flow.max_amount if flow else None,
        settled_on_ledger=row.settlement == "stellar",
        due_at=row.deadline_at if row.quote_id else None,
        paid=row.amount_paid,
    )


def _credited(expected: Expectation, amount: int, judgement: Judgement) -> Expectation:
    is_funded = expected.is_funded or judgement.event is not None
    return replace(expected, received=expected.received + amount, is_funded=is_funded)


@atomic
def owe_repairs() -> None:
    """Owe a repair of each account that has unjudged payments: a sweep's first half."""
    query = (
        select(Account.id.cast(Text), literal(REPAIR))
        .join(
            Payment,
            and_(
                Payment.network_id == Account.network_id,
                Payment.account_id == Account.account_id,
            ),
        )
        .where(Payment.verdict == Verdict.UNJUDGED)
        .distinct()
    )
    jobs.ensure_each(REPAIR, query)


def _row(watch: Watch, payment: LedgerPayment, judgement: Judgement) -> dict[str, object]:
    return {
        "network_id": watch.network_id,
        "operation_id": payment.operation_id,
        "index": payment.index,
        "direction": payment.direction,
        "type": payment.type,
        "account_id": payment.account,
        "counterparty": payment.counterparty,
        "counterparty_muxed_id": payment.counterparty_muxed_id,
        "asset": payment.asset,
        "amount": payment.amount,
        "memo_type": payment.memo_type,
        "memo": payment.memo,
        "muxed_id": payment.muxed_id,
        "transaction_hash": payment.transaction_hash,
        "ledger": payment.ledger,
        "closed_at": payment.closed_at,
        "verdict": judgement.verdict,
        "note": judgement.note or payment.unreadable,
        "transaction_id": judgement.transaction_id,
        "raw": dict(payment.raw) if payment.amount is None else None,
    }


def _act(
    watch: Watch, page: Sequence[LedgerPayment], verdicts: Mapping[tuple[int, int], Judgement]
) -> tuple[str, ...]:
    """Move what was credited or came back, and put what nobody can credit on the desk."""
    happenings: dict[tuple[object, ...], Happening] = {}
    desk: list[dict[str, object]] = []
    for payment in page:
        judgement = verdicts[_key(payment)]
        if judgement.verdict is Verdict.CREDITED:
            known = happenings.get(_unit(payment))
            happenings[_unit(payment)] = _happening(watch, payment, judgement, known)
        elif judgement.verdict is Verdict.RETURNED:
            returns.remittance_came_back(_cause(watch, payment), payment, judgement)
        elif judgement.verdict in FOR_THE_DESK:
            desk.append(_case(watch, payment, judgement))
    happened(*happenings.values())
    cases.open_cases([*desk, *departures.incidents(watch, page)])
    return tuple(dict.fromkeys(item.transaction_id for item in happenings.values() if item.event))


def _happening(
    watch: Watch, payment: LedgerPayment, judgement: Judgement, known: Happening | None
) -> Happening:
    assert judgement.transaction_id is not None
    assert payment.amount is not None
    return Happening(
        judgement.transaction_id,
        judgement.event,
        cause=known.cause if known else _cause(watch, payment),
        received=payment.amount + (known.received if known else 0),
        columns={
            "stellar_transaction_id": payment.transaction_hash,
            "from_account": payment.counterparty,
        },
    )


def _case(watch: Watch, payment: LedgerPayment, judgement: Judgement) -> dict[str, object]:
    return {
        "reason": f"payment_{judgement.verdict}",
        "cause": _cause(watch, payment),
        "note": judgement.note,
        "transaction_id": judgement.transaction_id,
        "asset": payment.asset,
        "amount_owed": payment.amount,
    }


def _cause(watch: Watch, payment: LedgerPayment) -> str:
    return f"payment {watch.network_id}/{payment.operation_id}/{payment.index}"

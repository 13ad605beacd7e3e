"""Money that left an account of ours: by our own envelope or order, or it is an incident.

A restored database has forgotten what it sent, and a stolen key sends what nobody stored:
either way a person has to know (promise 1). A custodian builds its envelopes where we do not
see them, and the stream may show one before its custodian tells us: while an order is open
that it may be, the alarm waits for the order's outcome, but no longer than an hour.
"""

from collections.abc import Iterable

from sqlalchemy import BigInteger, func, select

from anchor.errors import NotFound
from anchor.extensions import atomic, db
from anchor.ledger.destinations import base_account
from anchor.ledger.gateway import LedgerPayment
from anchor.models import Channel, Envelope, Outflow, Payment, Submission
from anchor.services import cases, jobs
from anchor.services.networks import Watch
from anchor.services.transactions import LEDGER_LANE, any_of

#: The job that finds out whether an order of ours explains one payment.
EXPLAIN = "explain_departure"
_RETRY_S = 5
_LONGEST_S = 3600
_UNSEEN = "no envelope of ours did this: your own hand, a restored database, a stolen key?"


def incidents(watch: Watch, page: Iterable[LedgerPayment]) -> list[dict[str, object]]:
    """Return a case for each payment of ours that no envelope and no order of ours explains.

    What closed before we were in charge, and what went to a channel account, is left out.
    What an order may explain that a custodian has yet to confirm is left to a job that is
    owed here. Needs an open transaction.
    """
    left = [
        payment
        for payment in page
        if payment.direction == "out" and payment.closed_at >= watch.in_charge_since
    ]
    if not left:
        return []
    hashes = {payment.transaction_hash for payment in left}
    ours, ordered = _envelopes(hashes), _orders(hashes)
    channels = select(Channel.account_id).where(
        Channel.account_id == any_of({payment.counterparty or "" for payment in left}),
        Channel.number.is_not(None),
    )
    pooled = set(db.session.scalars(channels))
    odd = [
        payment
        for payment in left
        if payment.transaction_hash not in ours
        and _paid(payment) not in ordered
        and payment.counterparty not in pooled
    ]
    if odd and _has_open_orders(watch.account_id):
        causes = [_cause(watch.network_id, each.operation_id, each.index) for each in odd]
        jobs.ensure((jobs.Address(EXPLAIN, cause), LEDGER_LANE) for cause in causes)
        return []
    return [
        _case(_cause(watch.network_id, each.operation_id, each.index), each.asset, _UNSEEN)
        for each in odd
    ]


def explain(claimed: jobs.Claim) -> None:
    """Find out whether an order of ours made one payment, or open its case; the job `EXPLAIN`.

    Raises `jobs.Later` while an order is open that it may be.
    """
    if not _is_settled(claimed):
        raise jobs.Later(_RETRY_S, "an order that this may be is yet to be confirmed")


@atomic
def _is_settled(claimed: jobs.Claim) -> bool:
    jobs.hold(claimed)
    payment, age_s = _payment(claimed.subject_id)
    if _paid(payment) in _orders({payment.transaction_hash}):
        return True
    key = _open_order(payment)
    if key is not None and age_s < _LONGEST_S:
        return False
    note = _UNSEEN if key is None else f"the order {key} may be this, and is not confirmed"
    cases.open_cases([_case(claimed.subject_id, payment.asset, note)])
    return True


def _payment(cause: str) -> tuple[Payment, int]:
    """Return a payment and for how many seconds we have known it."""
    network_id, operation_id, index = cause.removeprefix("payment ").split("/")
    age = func.extract("epoch", func.now() - Payment.observed_at).cast(BigInteger)
    found = db.session.execute(
        select(Payment, age).where(
            Payment.network_id == int(network_id),
            Payment.operation_id == int(operation_id),
            Payment.index == int(index),
        )
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no {cause}")
    return found[0], int(found[1])


def _envelopes(hashes: set[str]) -> set[str]:
    """Return those of some ledger transactions that are envelopes of ours.

    One of a submission that was given up explains nothing: what it carried was sent again.
    """
    query = (
        select(Envelope.hash)
        .join(Submission, Submission.id == Envelope.submission_id)
        .where(Envelope.hash == any_of(hashes), Submission.state != "dead")
    )
    return set(db.session.scalars(query))


def _orders(hashes: set[str]) -> set[tuple[object, ...]]:
    """Return what orders of ours paid in some ledger transactions, as `_paid` does."""
    query = select(Outflow.reference, Outflow.operation_index, Outflow.asset, Outflow.amount).where(
        Outflow.reference == any_of(hashes), Outflow.state == "done", Outflow.form.is_not(None)
    )
    return {tuple(row) for row in db.session.execute(query)}


def _paid(payment: LedgerPayment | Payment) -> tuple[object, ...]:
    """Return which operation it is, and what it paid: one may pay several times.

    Horizon's ids count the operations from 1 in their last 12 bits.
    """
    place = (payment.operation_id & 0xFFF) - 1
    return payment.transaction_hash, place, payment.asset, payment.amount


def _has_open_orders(source: str) -> bool:
    query = select(Outflow.id).where(
        Outflow.source == source,
        Outflow.custody.is_not(None),
        Outflow.state.in_(("sent", "unknown")),
    )
    return db.session.scalar(query.limit(1)) is not None


def _open_order(payment: Payment) -> str | None:
    """Return the key of an open order of just this payment, or None."""
    found = db.session.execute(
        select(Outflow.key, Outflow.destination).where(
            Outflow.source == payment.account_id,
            Outflow.custody.is_not(None),
            Outflow.state.in_(("sent", "unknown")),
            Outflow.asset == payment.asset,
            Outflow.amount == payment.amount,
        )
    )
    keys = (
        key
        for key, destination in found
        if destination and base_account(destination) == payment.counterparty
    )
    return next(keys, None)


def _cause(network_id: int, operation_id: int, index: int) -> str:
    return f"payment {network_id}/{operation_id}/{index}"


def _case(cause: str, asset: str | None, note: str) -> dict[str, object]:
    return {
        "reason": "outgoing_unknown",
        "cause": cause,
        "note": note,
        "transaction_id": None,
        "asset": asset,
        "amount_owed": None,
    }


jobs.declare(EXPLAIN, jobs.Work(explain, lambda _lane: 60, lambda _lane: 4))

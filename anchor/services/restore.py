"""After a backup was restored: nothing leaves until what the database forgot is found again.

Attempts and envelopes that were made after the backup are gone from the database and not from
the world. Keys are derived, so a rail is asked for the next key of each transaction that is to
be paid out; outgoing payments of the ledger that no envelope explains are held against deposits
that are to be paid (promises 5 and 6, money rule 14).

Each step can be repeated: what was found is recorded under its own key and is not found again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Select, func, or_, select, update

from anchor.errors import Rejected
from anchor.extensions import atomic, db, gateway, refuse_inside_transaction
from anchor.integrations.protocols import Outcome, RailsIntegration
from anchor.ledger.destinations import address_of
from anchor.lifecycle import FINAL, Event, Kind
from anchor.models import Case, Channel, Envelope, Outflow, Payment, Transaction
from anchor.money import Split
from anchor.services import (
    bookings,
    brakes,
    cases,
    channels,
    networks,
    order_ends,
    outcomes,
    outflows,
    pending_deposits,
    rails,
    restored_orders,
    sweeps,
)
from anchor.services.outflows import Attempt
from anchor.services.reconciliation import read_on
from anchor.services.transactions import Happening, can_have, happened

_DEPOSITS = (Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE)
_NOTE = "a backup was restored"


@dataclass
class Found:
    """What was found again, by key, and what nobody can explain: it keeps money from leaving."""

    payouts: list[str] = field(default_factory=list)
    deposits: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)


def look(who: str, note: str | None = None) -> Found:
    """Stop all outflow, and find again what the database forgot.

    Raises `Unavailable` where the ledger or a rail does not answer: it stays paused, and the
    same again goes on.
    """
    brakes.pause("all", "", who, note or _NOTE)
    found = Found()
    for watch in networks.watched():
        read_on(watch)
    pending_deposits.owe_polls()
    sweeps.work_off([pending_deposits.POLL])
    for account_id in _free_channels():
        account = gateway().account(account_id)
        if account is not None:
            channels.correct(account_id, account.sequence)
    for transaction_id in _unpaid(_by_rail()):
        _ask_for_payouts(transaction_id, found)
    for transaction_id in _unpaid(_on_ledger()):
        _ask_for_refunds(transaction_id, found)
        keys, unclear = restored_orders.ask(transaction_id)
        found.deposits += keys
        found.unexplained += unclear
        _look_for_payment(transaction_id, found)
    found.unexplained += _unknown_payments()
    return found


def resume(who: str) -> None:
    """Let money leave again."""
    brakes.resume("all", "", who, _NOTE)


@atomic
def _free_channels() -> list[str]:
    query = select(Channel.account_id).where(
        Channel.network_id == networks.current_id(), Channel.retired_at.is_(None)
    )
    return list(db.session.scalars(query.order_by(Channel.id)))


def _by_rail() -> Select[str]:
    return _funded().where(Transaction.kind.not_in(_DEPOSITS))


def _on_ledger() -> Select[str]:
    return _funded().where(Transaction.kind.in_(_DEPOSITS))


def _funded() -> Select[str]:
    return select(Transaction.id).where(
        Transaction.funded_at.is_not(None), Transaction.status.not_in(FINAL)
    )


@atomic
def _unpaid(query: Select[str]) -> list[str]:
    return list(db.session.scalars(query.order_by(Transaction.funded_at, Transaction.id)))


# -- what rails know -----------------------------------------------------------------------


def _ask_for_payouts(transaction_id: str, found: Found) -> None:
    """Ask the rail for the keys that come next, until it does not know one."""
    while True:
        attempt = _next_attempt(transaction_id)
        if attempt is None:
            return
        rail = rails.find(attempt.rail)
        if not rail.traits.can_look_up:
            found.unexplained.append(f"{attempt.order.key}: {rail.name} cannot be asked for it")
            return
        outcome = _known(rail, attempt)
        if outcome is None:
            return
        _adopt(transaction_id, attempt.order.key, outcome)
        found.payouts.append(attempt.order.key)


def _known(rail: RailsIntegration, attempt: Attempt) -> Outcome | None:
    refuse_inside_transaction()
    return rail.find_outgoing_transaction(attempt.order)


@atomic
def _next_attempt(transaction_id: str) -> Attempt | None:
    """Return the payout that would be made next, without making it; None where one is open."""
    row = _locked(transaction_id)
    if row.status in FINAL or outflows.open_attempt(row) is not None:
        return None
    try:
        return outflows.planned_payout(row)
    except Rejected:
        return None


@atomic
def _adopt(transaction_id: str, key: str, outcome: Outcome) -> None:
    """Write down an attempt that the rail knows and this database had forgotten."""
    row = _locked(transaction_id)
    attempt = outflows.open_payout(row)
    assert attempt.order.key == key, "somebody else opened an attempt although all is paused"
    outcomes.record(attempt, outcome)


def _ask_for_refunds(transaction_id: str, found: Found) -> None:
    """See whether the rail knows of money that was sent back; a person says what it was."""
    attempt = _next_refund(transaction_id)
    rail = rails.find(attempt.rail)
    if rail.traits.can_refund and rail.traits.can_look_up and _known(rail, attempt) is not None:
        _hold(transaction_id, f"the bank knows {attempt.order.key}, which may have sent it back")
        found.unexplained.append(f"{attempt.order.key}: known to {rail.name}, and not to us")


@atomic
def _next_refund(transaction_id: str) -> Attempt:
    row = _locked(transaction_id)
    return outflows.planned(row, Split(row.amount_received, row.amount_received, 0))


# -- what the ledger knows -----------------------------------------------------------------


def _look_for_payment(transaction_id: str, found: Found) -> None:
    key = _take_payment(transaction_id)
    if key is not None:
        found.deposits.append(key)
    elif _may_wait_in_a_balance(transaction_id):
        reason = "it may have been paid by a claimable balance: see which our account made"
        _hold(transaction_id, reason)
        found.unexplained.append(f"{transaction_id}: {reason}")


@atomic
def _take_payment(transaction_id: str) -> str | None:
    """Take an outgoing payment that nothing explains for the one of this deposit.

    Account, muxed id, memo, asset and amount agree. Two deposits that agree in all of that are
    the same customer's, and the older one takes it.
    """
    row = _locked(transaction_id)
    if row.status in FINAL or row.destination is None or _has_open(row.id):
        return None
    payment = next((each for each in _unexplained() if _pays(each, row)), None)
    if payment is None or payment.amount is None:
        return None
    order_ends.withdraw([row.id], "it was paid before the backup was restored")
    attempt = outflows.next_attempt(row.id)
    outflow = Outflow(
        transaction_id=row.id,
        kind="submission",
        attempt=attempt,
        key=f"{row.id}-{attempt}",
        form="payment",
        state="done",
        asset=row.asset,
        amount=payment.amount,
        amount_fee=row.amount_received - row.amount_refunded - row.amount_paid - payment.amount,
        source=payment.account_id,
        destination=row.destination,
        reference=payment.transaction_hash,
        operation_index=(payment.operation_id & 0xFFF) - 1,
        settled_at=func.now(),
        note=_NOTE,
    )
    db.session.add(outflow)
    row.amount_in, row.amount_out = outflow.gross, outflow.amount
    row.amount_fee, row.amount_paid = outflow.amount_fee, row.amount_paid + outflow.gross
    db.session.flush()
    bookings.outflow_opened(outflow)
    bookings.ledger_payment_done(outflow)
    columns = {"stellar_transaction_id": payment.transaction_hash}
    event = Event.LEDGER_PAYMENT_CONFIRMED
    happened(Happening(row.id, event, outflow.key, columns=columns))
    _explained(payment)
    return outflow.key


def _pays(payment: Payment, row: Transaction) -> bool:
    muxed = payment.counterparty_muxed_id
    address = address_of(payment.counterparty or "", None if muxed is None else int(muxed))
    memo = (payment.memo_type, payment.memo)
    wanted = (row.destination_memo_type or "none", row.destination_memo)
    left = row.amount_received - row.amount_refunded - row.amount_paid
    fits = payment.amount is not None and 0 < payment.amount <= left
    return fits and (address, payment.asset, memo) == (row.destination, row.asset, wanted)


def _unexplained() -> Iterator[Payment]:
    """Yield outgoing payments that no envelope and no outflow explains, the oldest first."""
    stored = select(Envelope.id).where(Envelope.hash == Payment.transaction_hash).exists()
    taken = select(Outflow.id).where(Outflow.reference == Payment.transaction_hash).exists()
    pooled = select(Channel.id).where(Channel.account_id == Payment.counterparty).exists()
    opened = select(Case.id).where(
        Case.reason == "outgoing_unknown", Case.cause == _cause(), Case.closed_at.is_(None)
    )
    query = select(Payment).where(
        Payment.direction == "out",
        Payment.network_id == networks.current_id(),
        ~stored,
        ~taken,
        ~pooled,
        opened.exists(),
    )
    yield from db.session.scalars(query.order_by(Payment.operation_id, Payment.index))


def _cause() -> object:
    return func.concat(
        "payment ", Payment.network_id, "/", Payment.operation_id, "/", Payment.index
    )


def _explained(payment: Payment) -> None:
    cause = f"payment {payment.network_id}/{payment.operation_id}/{payment.index}"
    db.session.execute(
        update(Case)
        .where(Case.reason == "outgoing_unknown", Case.cause == cause)
        .values(closed_at=func.now())
    )


@atomic
def _unknown_payments() -> list[str]:
    return [
        f"payment {each.network_id}/{each.operation_id}/{each.index}: left {each.account_id} in "
        f"{each.transaction_hash}, and nothing here explains it"
        for each in _unexplained()
    ]


@atomic
def _may_wait_in_a_balance(transaction_id: str) -> bool:
    row = _locked(transaction_id)
    return row.takes_claimable_balance and row.status not in FINAL and not _has_open(row.id)


def _has_open(transaction_id: str) -> bool:
    going = select(Outflow.id).where(
        Outflow.transaction_id == transaction_id,
        or_(Outflow.state == "sent", Outflow.state == "unknown"),
    )
    return db.session.scalar(going) is not None


@atomic
def _hold(transaction_id: str, reason: str) -> None:
    row = _locked(transaction_id)
    cases.open_case(
        "restored_unclear",
        f"{row.id}/{row.version}",
        note=reason,
        transaction_id=row.id,
        asset=row.asset,
        amount_owed=row.amount_received - row.amount_paid - row.amount_refunded,
    )
    if not row.is_resting and can_have(row, Event.HELD):
        happened(Happening(row.id, Event.HELD, f"restored {row.version}"))


def _locked(transaction_id: str) -> Transaction:
    return db.session.scalars(
        select(Transaction)
        .where(Transaction.id == transaction_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()

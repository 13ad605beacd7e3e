"""What the ledger knows that the restored database forgot: payments that nothing explains.

A payment is taken for that of a deposit, or of a refund that waits in its queue, where account,
muxed id, memo, asset and amount agree; the row of the payment says so for ever, and it is taken
once. Whatever the others paid to is held: it may have been a refund (money rule 14).
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, and_, func, select, update

from anchor.assets import NATIVE, is_contracts
from anchor.errors import Rejected
from anchor.extensions import atomic, db, settings
from anchor.fees import Split
from anchor.ledger.destinations import address_of, base_account
from anchor.lifecycle import FINAL, Event
from anchor.matching import Verdict
from anchor.models import (
    PREPARING_FORMS,
    Account,
    Case,
    Channel,
    Envelope,
    Outflow,
    Payment,
    Transaction,
)
from anchor.policies import AssetPolicy
from anchor.services import (
    bookings,
    conversions,
    deposit_payments,
    known_lines,
    networks,
    order_ends,
    outflows,
    refund_ends,
)
from anchor.services.restored import NOTE, Found, hold, is_under_way, let_go_on, locked
from anchor.services.transactions import Happening, can_have, happened

#: The ledger's clock and the database's differ by less.
_CLOCKS = timedelta(hours=1)


def find(transaction_id: str, found: Found) -> None:
    """Find the forgotten payment of a deposit; hold what may wait in a claimable balance."""
    while (key := _take(transaction_id)) is not None:
        found.deposits.append(key)
    if _may_wait_in_a_balance(transaction_id):
        reason = "it may have been paid by a claimable balance: see which our account made"
        hold(transaction_id, reason)
        found.unexplained.append(f"{transaction_id}: {reason}")


def explain_the_rest(found: Found) -> None:
    """Find the refunds that were queued, and hold all that the other payments may be about."""
    found.deposits += _refunds_made()
    for payment in _nobody_s():
        found.unexplained.append(
            f"{_cause(payment)}: left {payment.account_id} in {payment.transaction_hash}, and "
            "nothing here explains it"
        )
        _leave_cases(payment)
        for transaction_id in _funded_by(payment):
            hold(transaction_id, f"{_cause(payment)} went to its payer: was that a refund of it?")


# -- deposits ------------------------------------------------------------------------------


@atomic
def _take(transaction_id: str) -> str | None:
    row = locked(transaction_id)
    if row.status in FINAL or row.destination is None or is_under_way(row.id):
        return None
    assert row.funded_at is not None
    query = _unexplained().where(
        Payment.counterparty == base_account(row.destination),
        Payment.closed_at > row.funded_at - _CLOCKS,
    )
    for payment in db.session.scalars(query):
        shape = _shape(payment, row)
        if shape is not None:
            return _write(payment, row, *shape)
    return None


def _shape(payment: Payment, row: Transaction) -> tuple[str, Split] | None:
    """Return the form and the parts under which a payment is that of a deposit, or None.

    The amount is just what the deposit would be paid, with or without the fee for creating
    its account. Lumens that only created the account are no payment, and are known again; so are
    those for a trust line, where lumens leave for nothing else.
    """
    memo = (row.destination_memo_type or "none", row.destination_memo)
    if row.destination is None or (payment.memo_type, payment.memo) != memo:
        return None
    created = payment.type == "create_account"
    policy = deposit_payments.policy_of(row.asset)
    if created and row.asset != NATIVE:
        amount = policy.delivery.starting_balance
        is_it = payment.amount == amount and not _was_prepared(row.id)
        return ("establish", Split(amount, amount, 0)) if is_it else None
    if payment.asset != row.asset and _is_for_a_line(payment, row, policy):
        return "trustline_lumens", Split(payment.amount or 0, payment.amount or 0, 0)
    if payment.asset != row.asset or _address(payment) != row.destination:
        return None
    for with_creation in (True,) if created else (False, True):
        try:
            parts = deposit_payments.parts_of(row, with_creation=with_creation)
        except Rejected:
            continue
        if parts.amount_out == payment.amount and row.amount_paid == 0:
            return "create_account" if created else "payment", parts
    return None


def _is_for_a_line(payment: Payment, row: Transaction, policy: AssetPolicy) -> bool:
    """Tell whether lumens can only have been those for a trust line: none leave for customers.

    A contract has no lines.
    """
    is_in_bounds = 0 < (payment.amount or 0) <= policy.delivery.starting_balance
    return (
        payment.asset == NATIVE
        and not is_contracts(row.destination)
        and is_in_bounds
        and _address(payment) == row.destination
        and settings().asset_by_id(NATIVE) is None
        and not _was_prepared(row.id)
    )


def _was_prepared(transaction_id: str) -> bool:
    query = select(Outflow.id).where(
        Outflow.transaction_id == transaction_id,
        Outflow.form.in_(PREPARING_FORMS),
        Outflow.state == "done",
    )
    return db.session.scalar(query.limit(1)) is not None


def _write(payment: Payment, row: Transaction, form: str, parts: Split) -> str:
    order_ends.withdraw([row.id], "it was paid before the backup was restored")
    attempt = outflows.next_attempt(row.id)
    outflow = Outflow(
        transaction_id=row.id,
        kind="submission",
        attempt=attempt,
        key=f"{row.id}-{attempt}",
        form=form,
        state="done",
        asset=payment.asset,
        amount=parts.amount_out,
        amount_fee=parts.amount_fee,
        source=payment.account_id,
        destination=row.destination,
        reference=payment.transaction_hash,
        operation_index=_place(payment),
        settled_at=func.now(),
        note=NOTE,
        **(conversions.sold(row, parts) if form not in PREPARING_FORMS else {}),
    )
    db.session.add(outflow)
    if not outflow.only_prepares:
        row.amount_in, row.amount_out = parts.amount_in, parts.amount_out
        row.amount_fee, row.amount_paid = parts.amount_fee, row.amount_paid + parts.amount_in
        db.session.flush()
        bookings.outflow_opened(outflow)
    db.session.flush()
    bookings.ledger_payment_done(outflow)
    known_lines.remember([outflow])
    explain(payment, outflow)
    if outflow.only_prepares:
        if can_have(row, Event.TRUST_MISSING):
            happened(Happening(row.id, Event.TRUST_MISSING, outflow.key))
        return outflow.key
    event = Event.LEDGER_PAYMENT_CONFIRMED
    let_go_on(row, event, outflow.key)
    columns = {"stellar_transaction_id": payment.transaction_hash}
    happened(Happening(row.id, event, outflow.key, columns=columns))
    return outflow.key


@atomic
def _may_wait_in_a_balance(transaction_id: str) -> bool:
    row = locked(transaction_id)
    return row.takes_claimable_balance and row.status not in FINAL and not is_under_way(row.id)


# -- refunds -------------------------------------------------------------------------------


@atomic
def _refunds_made() -> list[str]:
    """Find the refunds that waited in a queue as the backup was made, and were sent since."""
    keys = []
    for payment in db.session.scalars(_unexplained()).all():
        queued = db.session.scalars(
            select(Outflow)
            .where(
                Outflow.kind == "refund",
                Outflow.state == "prepared",
                Outflow.source == payment.account_id,
                Outflow.asset == payment.asset,
                Outflow.amount == payment.amount,
                Outflow.destination == _address(payment),
                func.coalesce(Outflow.memo_type, "none") == payment.memo_type,
                Outflow.memo.is_not_distinct_from(payment.memo),
            )
            .order_by(Outflow.id)
        )
        outflow = queued.first()
        if outflow is not None:
            keys.append(_made(payment, outflow))
    return keys


def _made(payment: Payment, outflow: Outflow) -> str:
    if outflow.transaction_id is not None:
        locked(outflow.transaction_id)
    outflow.state, outflow.note = "done", NOTE
    outflow.reference, outflow.operation_index = payment.transaction_hash, _place(payment)
    outflow.settled_at = func.now()
    db.session.flush()
    bookings.ledger_payment_done(outflow)
    refund_ends.done([outflow])
    explain(payment, outflow)
    return outflow.key


@atomic
def _funded_by(payment: Payment) -> Sequence[str]:
    """Return what the receiver of a payment had paid for: it may have been sent back."""
    query = (
        select(Transaction.id)
        .join(Payment, Payment.transaction_id == Transaction.id)
        .where(*_came_from(payment), Transaction.status.not_in(FINAL))
        .distinct()
    )
    return db.session.scalars(query).all()


@atomic
def _leave_cases(payment: Payment) -> None:
    """Let no policy send back what the receiver of a payment sent: it may have been this."""
    came = select(_cause_column()).where(*_came_from(payment), Payment.verdict != Verdict.CREDITED)
    db.session.execute(
        update(Case)
        .where(Case.cause.in_(came), Case.closed_at.is_(None), Case.looked_at.is_(None))
        .values(looked_at=func.now())
    )


def _came_from(payment: Payment) -> tuple[ColumnElement[bool], ...]:
    return (
        Payment.direction == "in",
        Payment.network_id == payment.network_id,
        Payment.counterparty == payment.counterparty,
        Payment.asset == payment.asset,
        Payment.closed_at <= payment.closed_at,
    )


# -- payments that nothing explains --------------------------------------------------------


def _unexplained() -> Select[Payment]:
    """Select outgoing payments that no envelope and no outflow explains, the oldest first.

    Whether somebody closed the case about one does not count here: that explains no payment.
    """
    stored = select(Envelope.id).where(Envelope.hash == Payment.transaction_hash).exists()
    ordered = select(Outflow.id).where(
        Outflow.reference == Payment.transaction_hash,
        Outflow.operation_index == Payment.operation_id.op("&")(0xFFF) - 1,
        Outflow.asset == Payment.asset,
        Outflow.amount == Payment.amount,
        Outflow.state == "done",
        Outflow.form.is_not(None),
    )
    pooled = select(Channel.id).where(
        Channel.account_id == Payment.counterparty, Channel.number.is_not(None)
    )
    account = and_(
        Account.network_id == Payment.network_id, Account.account_id == Payment.account_id
    )
    return (
        select(Payment)
        .join(Account, account)
        .where(
            Payment.direction == "out",
            Payment.network_id == networks.current_id(),
            Payment.closed_at >= Account.in_charge_since,
            Payment.explained_by.is_(None),
            ~stored,
            ~ordered.exists(),
            ~pooled.exists(),
        )
        .order_by(Payment.operation_id, Payment.index)
        .execution_options(populate_existing=True)
    )


@atomic
def _nobody_s() -> Sequence[Payment]:
    """Return those that are a person's to explain: nobody has closed the case about them."""
    answered = select(Case.id).where(
        Case.reason == "outgoing_unknown",
        Case.cause == _cause_column(),
        Case.closed_at.is_not(None),
    )
    return db.session.scalars(_unexplained().where(~answered.exists())).all()


def explain(payment: Payment, outflow: Outflow) -> None:
    """Write on a payment which outflow it was, and close its alarm. Needs an open transaction."""
    payment.explained_by = outflow.id
    db.session.flush()
    db.session.execute(
        update(Case)
        .where(
            Case.reason == "outgoing_unknown",
            Case.cause == _cause(payment),
            Case.closed_at.is_(None),
        )
        .values(closed_at=func.now())
    )


def _address(payment: Payment) -> str:
    return address_of(payment.counterparty or "", payment.counterparty_muxed_id)


def _place(payment: Payment) -> int:
    """Return the place of its operation: Horizon's ids count them from 1 in their last 12 bits."""
    return (payment.operation_id & 0xFFF) - 1


def _cause(payment: Payment) -> str:
    return f"payment {payment.network_id}/{payment.operation_id}/{payment.index}"


def _cause_column() -> ColumnElement[str]:
    return func.concat(
        "payment ", Payment.network_id, "/", Payment.operation_id, "/", Payment.index
    )

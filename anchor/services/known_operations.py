"""What an account of ours has kept of an operation of the ledger: once, as it was told first."""

from collections.abc import Sequence, Set
from dataclasses import replace

from sqlalchemy import BigInteger, select

from anchor.extensions import db
from anchor.ledger.gateway import LedgerPayment
from anchor.models import Payment
from anchor.services import cases
from anchor.services.networks import Watch
from anchor.services.transactions import any_of


def not_kept(watch: Watch, page: Sequence[LedgerPayment]) -> list[LedgerPayment]:
    """Return the payments of a page whose operations the account has not kept yet.

    An operation is kept in its changes, or whole where these were not understood. As an account
    first kept it, it stays, whatever another source (or a later release of ours) tells of it:
    a person may have answered the whole, and its changes would be credited beside that. Nor is a
    change credited again where another source counts it at another place; that is a case. Needs
    an open transaction that holds the account.
    """
    by_key = {_key(payment): payment for payment in page}
    if not by_key:
        return []
    known = db.session.execute(
        select(
            Payment.operation_id, Payment.index, Payment.account_id, Payment.amount.is_(None)
        ).where(
            Payment.network_id == watch.network_id,
            Payment.operation_id
            == any_of({payment.operation_id for payment in page}, BigInteger()),
        )
    ).all()
    taken = {(row[0], row[1]) for row in known}
    mine = {row[0] for row in known if row[2] == watch.account_id}
    whole = {row[0] for row in known if row[2] == watch.account_id and row[3]}
    new, odd = [], set()
    for payment in by_key.values():
        operation_id = payment.operation_id
        if operation_id not in mine:
            new.append(_beside(payment, taken))
            taken.add(_key(new[-1]))
        elif payment.amount is not None and operation_id not in whole:
            odd |= {operation_id} if _key(payment) not in taken else set()
    cases.open_cases([_told_otherwise(watch, operation_id) for operation_id in sorted(odd)])
    return new


def _told_otherwise(watch: Watch, operation_id: int) -> dict[str, object]:
    return {
        "reason": "payment_told_otherwise",
        "cause": f"payment {watch.network_id}/{operation_id} {watch.account_id}",
        "note": "a source tells of other changes than were kept; what was kept stays",
        "transaction_id": None,
        "asset": None,
        "amount_owed": None,
    }


def _beside(payment: LedgerPayment, taken: Set[tuple[int, int]]) -> LedgerPayment:
    """Return a payment under an index that no other account of ours has for its operation."""
    while _key(payment) in taken:
        payment = replace(payment, index=payment.index + 1)
    return payment


def _key(payment: LedgerPayment) -> tuple[int, int]:
    return payment.operation_id, payment.index

"""Remittances after a restore: what was agreed since the backup is forgotten, and may be paid.

There is no key by which the other anchor could be asked for it. So whatever is unpaid as far as
this database knows rests, until a person has asked the other anchor (ADR 020, ADR 026).
"""

from anchor.lifecycle import Kind, Status
from anchor.models import Transaction
from anchor.services import restored

_REASON = "it may have been agreed on and paid since the backup: ask the other anchor"


def hold_unpaid() -> None:
    """Let each remittance rest whose money is in, and of which no payment is known."""
    unpaid = restored.ids(
        Transaction.kind == Kind.REMITTANCE,
        Transaction.status.in_((Status.PENDING_ANCHOR, Status.PENDING_CUSTOMER_INFO_UPDATE)),
        Transaction.amount_paid == 0,
        Transaction.is_resting.is_(False),
    )
    for transaction_id in unpaid:
        restored.hold(transaction_id, _REASON)

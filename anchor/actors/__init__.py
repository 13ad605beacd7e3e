"""The broker and the actors: `dramatiq anchor.actors` and `periodiq anchor.actors`.

Importing this declares them and does nothing else: no application, no connection, no
output. The application is made once for each process, when it is first needed.
"""

from anchor.actors.doorbell import ring, ring_later
from anchor.actors.jobs import (
    check_trustline,
    drive_submissions,
    execute_outgoing_transaction,
    expire_transactions,
    judge_payments,
    judge_rail_event,
    judge_receipts,
    pay_on_ledger,
    poll_outgoing_transactions_of,
    poll_pending_deposits_of,
    reconcile_all,
    refund_by_policy,
    refund_by_rail,
)
from anchor.actors.periodic import (
    check_trustlines,
    execute_outgoing_transactions,
    poll_outgoing_transactions,
    poll_pending_deposits,
    reconcile,
    work,
)
from anchor.actors.setup import broker
from anchor.services import jobs as _jobs

_jobs.ring = ring
_jobs.ring_later = ring_later

__all__ = [
    "broker",
    "check_trustline",
    "check_trustlines",
    "drive_submissions",
    "execute_outgoing_transaction",
    "execute_outgoing_transactions",
    "expire_transactions",
    "judge_payments",
    "judge_rail_event",
    "judge_receipts",
    "pay_on_ledger",
    "poll_outgoing_transactions",
    "poll_outgoing_transactions_of",
    "poll_pending_deposits",
    "poll_pending_deposits_of",
    "reconcile",
    "reconcile_all",
    "refund_by_policy",
    "refund_by_rail",
    "ring",
    "work",
]

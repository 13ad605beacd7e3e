"""The broker and the actors: `dramatiq anchor.actors` and `periodiq anchor.actors`.

Importing this declares them and does nothing else: no application, no connection, no
output. The application is made once for each process, when it is first needed.
"""

from anchor.actors.doorbell import ring
from anchor.actors.jobs import (
    execute_outgoing_transaction,
    judge_payments,
    judge_rail_event,
    judge_receipts,
    poll_outgoing_transactions_of,
    poll_pending_deposits_of,
)
from anchor.actors.periodic import (
    execute_outgoing_transactions,
    poll_outgoing_transactions,
    poll_pending_deposits,
    work,
)
from anchor.actors.setup import broker
from anchor.services import jobs as _jobs

_jobs.ring = ring

__all__ = [
    "broker",
    "execute_outgoing_transaction",
    "execute_outgoing_transactions",
    "judge_payments",
    "judge_rail_event",
    "judge_receipts",
    "poll_outgoing_transactions",
    "poll_outgoing_transactions_of",
    "poll_pending_deposits",
    "poll_pending_deposits_of",
    "ring",
    "work",
]

"""The tables. Amounts are integers of 10⁻⁷; instants are aware and in UTC.

Unique keys and CHECKs here are what the promises lean on; services may race.
"""

from anchor.models.columns import new_id
from anchor.models.ledger import Account, Network, Payment
from anchor.models.logins import UsedChallenge
from anchor.models.outflows import OUTFLOW_OPEN, Outflow
from anchor.models.transactions import History, Memo, Transaction
from anchor.models.work import Case, Job, Tick

__all__ = [
    "OUTFLOW_OPEN",
    "Account",
    "Case",
    "History",
    "Job",
    "Memo",
    "Network",
    "Outflow",
    "Payment",
    "Tick",
    "Transaction",
    "UsedChallenge",
    "new_id",
]

"""The tables. Amounts are integers of 10⁻⁷; instants are aware and in UTC.

Unique keys and CHECKs here are what the promises lean on; services may race.
"""

from anchor.models.books import BOOK_ACCOUNTS, Posting
from anchor.models.callbacks import Callback
from anchor.models.claimable_balances import ClaimableBalance
from anchor.models.columns import new_id
from anchor.models.customers import (
    Customer,
    CustomerCallback,
    CustomerCode,
    CustomerField,
    CustomerFile,
    CustomerHistory,
    CustomerStanding,
)
from anchor.models.ledger import Account, Network, Opening, Payment
from anchor.models.logins import UsedChallenge
from anchor.models.outflows import (
    OUTFLOW_KINDS,
    OUTFLOW_OPEN,
    OUTFLOW_STATES,
    PREPARING_FORMS,
    SUBMISSION_OPEN,
    Channel,
    Envelope,
    KnownLine,
    Outflow,
    Submission,
)
from anchor.models.quotes import Quote
from anchor.models.receipts import RailEvent, RailReading, Receipt
from anchor.models.remittances import Remittance
from anchor.models.transactions import (
    AT_REST,
    AWAITED,
    EXPIRED_AWAITED,
    NOT_OVER,
    UNPAID,
    History,
    Memo,
    Transaction,
)
from anchor.models.work import PAUSE_SCOPES, Act, Budget, Case, Job, Pause, Tick

__all__ = [
    "AT_REST",
    "AWAITED",
    "BOOK_ACCOUNTS",
    "EXPIRED_AWAITED",
    "NOT_OVER",
    "OUTFLOW_KINDS",
    "OUTFLOW_OPEN",
    "OUTFLOW_STATES",
    "PAUSE_SCOPES",
    "PREPARING_FORMS",
    "SUBMISSION_OPEN",
    "UNPAID",
    "Account",
    "Act",
    "Budget",
    "Callback",
    "Case",
    "Channel",
    "ClaimableBalance",
    "Customer",
    "CustomerCallback",
    "CustomerCode",
    "CustomerField",
    "CustomerFile",
    "CustomerHistory",
    "CustomerStanding",
    "Envelope",
    "History",
    "Job",
    "KnownLine",
    "Memo",
    "Network",
    "Opening",
    "Outflow",
    "Pause",
    "Payment",
    "Posting",
    "Quote",
    "RailEvent",
    "RailReading",
    "Receipt",
    "Remittance",
    "Submission",
    "Tick",
    "Transaction",
    "UsedChallenge",
    "new_id",
]

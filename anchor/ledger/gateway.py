"""What the anchor asks of a Stellar network, in values that know no SDK.

Amounts are integers of 10⁻⁷ (stroops). Assets are ``native`` or ``CODE:ISSUER``.
Account ids are plain ``G…`` addresses; a muxed id stands beside as an integer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from anchor.errors import Rejected


@dataclass(frozen=True)
class LedgerMark:
    """One closed ledger: enough to know the network again."""

    sequence: int
    hash: str
    closed_at: datetime


@dataclass(frozen=True)
class NetworkState:
    """What a source knows of its network at this moment."""

    passphrase: str
    oldest_ledger: int
    latest_ledger: int
    latest_closed_at: datetime


@dataclass(frozen=True)
class Balance:
    """One balance of an account; `limit` is None for lumens."""

    asset: str
    amount: int
    limit: int | None
    is_authorized: bool = True


@dataclass(frozen=True)
class Signer:
    """A key that may sign for an account, with its weight."""

    key: str
    type: str
    weight: int


@dataclass(frozen=True)
class LedgerAccount:
    """An account as the latest ledger has it."""

    account_id: str
    sequence: int
    balances: tuple[Balance, ...]
    signers: tuple[Signer, ...]
    low_threshold: int
    med_threshold: int
    high_threshold: int
    subentry_count: int
    num_sponsoring: int = 0
    num_sponsored: int = 0
    data: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class LedgerPayment:
    """One balance change of a followed account, as the ledger tells it.

    `account` is the followed account and `counterparty` the other side; `direction`
    is ``in`` or ``out`` seen from `account`. `memo` is text for ``text``, decimal for
    ``id`` and lower-case hex for ``hash`` and ``return``; None for ``none``. `muxed_id`
    is that of the followed account's address in the operation. `amount` is None (and
    `unreadable` says why) where the record could not be understood.
    """

    operation_id: int
    index: int
    paging_token: str
    transaction_hash: str
    ledger: int
    closed_at: datetime
    type: str
    direction: str
    account: str
    counterparty: str | None
    counterparty_muxed_id: int | None
    asset: str | None
    amount: int | None
    memo_type: str
    memo: str | None
    muxed_id: int | None
    raw: Mapping[str, Any]
    unreadable: str | None = None


@dataclass(frozen=True)
class PaymentPage:
    """Payments in the ledger's order, and the cursor that lies behind all of them.

    `up_to_date` tells that the source had no more at that moment.
    """

    payments: tuple[LedgerPayment, ...]
    cursor: str
    up_to_date: bool


@dataclass(frozen=True)
class LedgerTransaction:
    """A transaction that is in a ledger, successful or not."""

    hash: str
    successful: bool
    ledger: int
    closed_at: datetime
    fee_charged: int
    envelope_xdr: str
    result_xdr: str


class SubmissionFailed(Rejected):
    """The network said no, with its result codes; `result_xdr` where there is one."""

    def __init__(
        self, transaction_code: str, operation_codes: tuple[str, ...], result_xdr: str | None
    ) -> None:
        super().__init__(" ".join((transaction_code, *operation_codes)))
        self.transaction_code = transaction_code
        self.operation_codes = operation_codes
        self.result_xdr = result_xdr


class Gateway(Protocol):
    """A source of ledger facts. Every method raises `Unavailable` when it gives no answer."""

    def network(self) -> NetworkState:
        """Tell which network this is and which ledgers the source holds."""

    def ledger(self, sequence: int) -> LedgerMark | None:
        """Return that ledger, or None where the source does not hold it."""

    def account(self, account_id: str) -> LedgerAccount | None:
        """Return the account as it stands, or None where there is none."""

    def newest_cursor(self, account_id: str) -> str:
        """Return the paging token of the account's newest payment, ``"0"`` if it has none."""

    def payments_page(self, account_id: str, cursor: str, limit: int = 200) -> PaymentPage:
        """Return the payments after `cursor`, oldest first, failed transactions left out."""

    def follow(self, account_id: str, cursor: str, stall_s: int) -> Iterator[PaymentPage]:
        """Yield what comes after `cursor` as it closes, empty pages as signs of life.

        Ends quietly whenever the source hangs up, and raises `Unavailable` when it fails
        or when the network closes ledgers for `stall_s` while the stream stays silent
        about payments that a page shows. The caller starts again from its own cursor.
        """

    def transaction(self, transaction_hash: str) -> LedgerTransaction | None:
        """Look a transaction up by its (outer or inner) hash; None where none is known."""

    def submit(self, envelope_xdr: str) -> LedgerTransaction:
        """Submit a signed envelope and return it as the ledger took it.

        Raises `SubmissionFailed` (a `Rejected`) with the result codes where the network
        said no, and `Unavailable` where the outcome is unknown: look the hash up.
        """

"""What the anchor asks of a Stellar network, in values that know no SDK.

Amounts are integers of 10⁻⁷ (stroops). Assets are ``native`` or ``CODE:ISSUER``.
Account ids are plain ``G…`` addresses, of contracts ``C…``; a muxed id stands beside as an
integer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
class NodeStanding:
    """How one of several sources stands: `trouble` is why it is not used, None where it may be."""

    name: str
    trouble: str | None
    latest_ledger: int


@dataclass(frozen=True)
class Balance:
    """One balance of an account, in stroops; `limit` is None for lumens.

    A line that is not authorized may still be authorized to maintain its liabilities: it
    keeps its offers, and takes and gives no payment. A share of a pool is the asset
    ``liquidity_pool:ID``. Horizon: the balances of an account.
    """

    asset: str
    amount: int
    limit: int | None
    is_authorized: bool = True
    maintains_liabilities: bool = True
    is_clawback_enabled: bool = False
    buying_liabilities: int = 0
    selling_liabilities: int = 0
    last_modified_ledger: int | None = None


@dataclass(frozen=True)
class AccountFlags:
    """What an issuer reserves for itself, as the flags of its account."""

    auth_required: bool = False
    auth_revocable: bool = False
    auth_immutable: bool = False
    auth_clawback_enabled: bool = False


@dataclass(frozen=True)
class Signer:
    """A key that may sign for an account, with its weight."""

    key: str
    type: str
    weight: int


@dataclass(frozen=True)
class LedgerAccount:
    """An account as one ledger has it: number `ledger`, where the source tells it.

    `ledger_closed_at` is when that ledger closed; None unless it was asked for and known.
    """

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
    flags: AccountFlags = AccountFlags()
    last_modified_ledger: int | None = None
    ledger: int | None = None
    ledger_closed_at: datetime | None = None
    home_domain: str = ""

    def balance(self, asset: str) -> Balance | None:
        """Return the balance of `asset`, or None where the account has no line for it."""
        return next((line for line in self.balances if line.asset == asset), None)

    def has_let_pass(self, sequence: int, max_time: int) -> bool:
        """Tell whether no ledger can still take an envelope of this account (money rule 13).

        True only where this one answer shows `sequence` unused in a ledger that closed
        after `max_time` (unix seconds); never where the closing time is not known.
        """
        if self.sequence >= sequence or self.ledger_closed_at is None or max_time <= 0:
            return False
        return self.ledger_closed_at.timestamp() > max_time


@dataclass(frozen=True)
class LedgerPayment:
    """One balance change of a followed account, as the ledger tells it.

    `account` is the followed account and `counterparty` the other side, perhaps a contract;
    `index` tells the changes of one operation apart. `direction` is ``in`` or ``out`` seen
    from `account`. `memo` is text for ``text``, decimal for ``id`` and lower-case hex for
    ``hash`` and ``return``; None for ``none``. `muxed_id` is that of the followed account's
    address in the operation. `amount` is None (and `unreadable` says why) where the record
    could not be understood.
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
class Verdict:
    """What the network made of a transaction, in Horizon's words (``tx_failed``, ``op_no_trust``).

    `transaction_code` is that of the transaction as it was submitted; around a fee bump
    `inner_code` is that of the transaction inside. `operation_codes` stand in the order
    of the operations, and are there only for ``tx_success`` and ``tx_failed``.
    `fee_charged` is in stroops; with ``tx_insufficient_fee`` it is what would have been
    enough. Horizon: result codes.
    """

    transaction_code: str
    operation_codes: tuple[str, ...] = ()
    inner_code: str | None = None
    fee_charged: int | None = None

    @property
    def code(self) -> str:
        """The code that decides: the inner one where the fee bump itself was in order."""
        return self.inner_code or self.transaction_code

    @property
    def is_successful(self) -> bool:
        """Whether the operations took effect."""
        return self.code == "tx_success"

    @property
    def failed_operations(self) -> Mapping[int, str]:
        """The codes of the operations that failed, by their place from 0."""
        return {
            place: code for place, code in enumerate(self.operation_codes) if code != "op_success"
        }


@dataclass(frozen=True)
class LedgerTransaction:
    """A transaction that is in a ledger, successful or not.

    `hash` is the one under which the ledger has it, also where it was asked for by the
    hash of the transaction inside a fee bump, which is `inner_hash`. `fee_charged` is in
    stroops; `verdict` is read from `result_xdr`.
    """

    hash: str
    inner_hash: str | None
    successful: bool
    ledger: int
    closed_at: datetime
    fee_charged: int
    envelope_xdr: str
    result_xdr: str
    verdict: Verdict


@dataclass(frozen=True)
class Signature:
    """A signature (64 bytes) of a transaction's hash by the key `key` (``G…``)."""

    key: str
    value: bytes


@dataclass(frozen=True)
class SubmitAnswer:
    """What became of an envelope when it was handed in; `status` is one of

    - ``pending``: taken; a ledger may hold it soon. Look the hash up.
    - ``duplicate``: the very same one was taken before. Look the hash up.
    - ``try_again_later``: not taken, for now: another one of its source account waits.
    - ``applied``: it is in a ledger and successful: `transaction`.
    - ``refused``: the network said no: `verdict` and, where there is one, `result_xdr`.

    A refusal does not tell whether the sequence number is used up, and one that is in a
    ledger already is refused as ``tx_bad_seq``: look the hash up before drawing conclusions.
    """

    status: str
    verdict: Verdict | None = None
    result_xdr: str | None = None
    transaction: LedgerTransaction | None = None


@dataclass(frozen=True)
class FeeSpread:
    """What the operations of the last ledgers had for fees, in stroops for one operation."""

    min: int
    mode: int
    p10: int
    p20: int
    p30: int
    p40: int
    p50: int
    p60: int
    p70: int
    p80: int
    p90: int
    p95: int
    p99: int
    max: int


@dataclass(frozen=True)
class FeeStats:
    """Fees in the last ledgers: `charged` and offered at most (`offered`), in stroops.

    `capacity_percent` is how full those ledgers were: near 100, the base fee is not enough.
    """

    ledger: int
    base_fee: int
    capacity_percent: int
    charged: FeeSpread
    offered: FeeSpread


@dataclass(frozen=True)
class Claimant:
    """Who may claim a balance, and when: `predicate` as Horizon writes it."""

    account: str
    predicate: Mapping[str, Any]


@dataclass(frozen=True)
class ClaimableBalance:
    """A balance (stroops) that waits for one of its claimants; `id` is 72 hex digits."""

    id: str
    asset: str
    amount: int
    sponsor: str | None
    claimants: tuple[Claimant, ...]
    is_clawback_enabled: bool
    last_modified_ledger: int


@dataclass(frozen=True)
class BalanceEnd:
    """How a claimable balance ended: `how` is ``claimed`` or ``clawed_back``, by `account`."""

    how: str
    account: str
    operation_id: int
    transaction_hash: str
    closed_at: datetime


class SubmissionFailed(Rejected):
    """The network said no: its `verdict`, and `result_xdr` where there is one.

    Whether it used the sequence number up it does not tell: look the hash up.
    """

    def __init__(self, verdict: Verdict, result_xdr: str | None = None) -> None:
        codes = (verdict.transaction_code, verdict.inner_code, *verdict.operation_codes)
        super().__init__(" ".join(code for code in codes if code))
        self.verdict = verdict
        self.result_xdr = result_xdr


class Gateway(Protocol):
    """A source of ledger facts. Every method raises `Unavailable` when it gives no answer.

    Behind it there may be several nodes. One answer is of one node, two may be of two: who
    draws a conclusion from several asks what `one` returns (money rules 12 and 13).
    """

    def one(self, suits: "Callable[[Gateway], object] | None" = None) -> "Gateway":
        """Return what asks one node only: the first one for which `suits` raises nothing.

        Raises what `suits` did: `Misconfigured` where all nodes answered and none suits.
        """

    def every(self) -> "Sequence[Gateway]":
        """Return each node for itself, with nothing checked: for who looks at the nodes."""

    def standing(self) -> Sequence[NodeStanding]:
        """Look at each of several nodes, in their order; nothing where there is one alone."""

    def network(self) -> NetworkState:
        """Tell which network this is and which ledgers the source holds."""

    def ledger(self, sequence: int) -> LedgerMark | None:
        """Return that ledger, or None where the source does not hold it."""

    def account(self, account_id: str, *, dated: bool = False) -> LedgerAccount | None:
        """Return the account as it stands, or None where there is none.

        The account and the number of its ledger come from one answer. `dated` also asks
        when that ledger closed, which any node tells alike.
        """

    def holders(self, asset: str) -> int:
        """Tell how many accounts have a trust line of an asset, authorized or not."""

    def accounts_with(self, asset: str, after: str = "", limit: int = 200) -> list[LedgerAccount]:
        """Return the accounts with a trust line of an asset, in the order of their ids.

        They begin behind the id `after`, and are fewer than `limit` only at the end. There
        is no one ledger that they all are of.
        """

    def claimable_balance(self, balance_id: str) -> ClaimableBalance | None:
        """Return a claimable balance, or None where it has ended or never was."""

    def balance_end(self, balance_id: str) -> BalanceEnd | None:
        """Tell how a claimable balance ended; None where it waits or the source does not know."""

    def fee_stats(self) -> FeeStats:
        """Tell what the last ledgers charged."""

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
        """Look a transaction up by its hash, or by the one inside a fee bump.

        Failed ones are found too. None where the source knows none: it may be behind.
        """

    def submit(self, envelope_xdr: str) -> LedgerTransaction:
        """Submit a signed envelope, wait for its ledger, and return it as the ledger took it.

        Raises `SubmissionFailed` (a `Rejected`) with the verdict where the network said
        no, and `Unavailable` where the outcome is unknown: look the hash up.
        """

    def submit_async(self, envelope_xdr: str) -> SubmitAnswer:
        """Submit a signed envelope without waiting for its ledger.

        A source that has no such door (it answers 404 or 403, and takes nothing then) is
        handed the envelope by `submit`. Nothing is ever handed in twice by itself. Raises
        `Unavailable` where the outcome is unknown: look the hash up.
        """

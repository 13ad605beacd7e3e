"""What a plug-in implements, and the plain frozen values it is given and gives back.

A plug-in never sees a row, a session or a request. It says what happened; the anchor
records it. `docs/reference/contract.md` says for each call where it runs, how long it
may take, that it may be called twice or at once, and what each outcome causes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from anchor.errors import NotFound, Rejected, Unavailable

__all__ = [
    "Arrived",
    "DepositAnswer",
    "DepositFailed",
    "DepositHeld",
    "Done",
    "Field",
    "Held",
    "Instruction",
    "NeedsInfo",
    "Outcome",
    "OutgoingTransaction",
    "PendingDeposit",
    "RailTraits",
    "RailsIntegration",
    "ReadyForPickup",
    "Receipt",
    "ReceiptPage",
    "Refused",
    "Rejected",
    "Returned",
    "Sent",
    "Statement",
    "Transfer",
    "Unavailable",
    "Unknown",
    "Waiting",
]


@dataclass(frozen=True)
class OutgoingTransaction:
    """One attempt to move money to a customer outside the ledger.

    `key` is the attempt's own and the one to give to the bank as its idempotency key;
    it never stands for another attempt. `amount` is what is to be delivered, in units
    of `asset`, with no more decimals than the asset policy says. Where `currency` is told,
    `amount` is in that: on a quote (of `asset` the customer gave `amount_in`, with the fee), and
    in a refund of money that is no asset's own.

    A refund sends money back that came: `refund_of` is the bank's id of that booking, `payer`
    what it said of who paid; `transaction_id`, `kind` and `owner` are empty where the money
    credited no transaction.
    """

    key: str
    transaction_id: str
    kind: str
    asset: str
    amount: Decimal
    amount_in: Decimal
    amount_fee: Decimal
    details: Mapping[str, str]
    owner: str
    started_at: datetime
    reference: str | None = None
    refund_of: str | None = None
    payer: str | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Done:
    """The money is with the customer. `delivered_amount` None means: as ordered."""

    delivered_amount: Decimal | None = None
    fee: Decimal | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Sent:
    """The bank took the order and has yet to say that it was carried out."""

    reference: str | None = None


@dataclass(frozen=True)
class ReadyForPickup:
    """The money waits for the customer, who finds it by `reference`."""

    reference: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class NeedsInfo:
    """Nothing was sent: the customer has to correct these details first."""

    fields: Mapping[str, str]
    message: str | None = None


@dataclass(frozen=True)
class Held:
    """Nothing was sent: somebody has to look at it first."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """Nothing was sent and nothing will be under this key: finally no."""

    reason: str


@dataclass(frozen=True)
class Returned:
    """The money had left, and came back: to be told at any time, also after `Done`.

    `amount` is what came back, in units of the asset; None where it was all.
    """

    reason: str
    amount: Decimal | None = None


@dataclass(frozen=True)
class Unknown:
    """It cannot be told whether money moved."""

    reason: str


Outcome = Done | Sent | ReadyForPickup | NeedsInfo | Held | Refused | Returned | Unknown


@dataclass(frozen=True)
class Receipt:
    """A booking of money that came to us, as the bank's books have it.

    `receipt_id` is the bank's own id of the booking: the same money has the same id
    whoever tells of it and however often. `amount` is in units of `currency`, `booked_at`
    an instant with its time zone, no earlier than the money came, and `reference` what the
    payer wrote, reduced to what the anchor gave out where the rail can tell. `is_reversed`
    says that the bank took this very booking back.
    """

    receipt_id: str
    amount: Decimal
    currency: str
    booked_at: datetime
    reference: str | None = None
    payer: str | None = None
    value_date: date | None = None
    is_reversed: bool = False


@dataclass(frozen=True)
class PendingDeposit:
    """A deposit, a send that is settled by rail, or a remittance, whose money has yet to come.

    `amount` is what it was told to pay, in units of `asset`, or of `currency` where one is
    told (on a quote); None where any amount within the limits will do. `reference` is what its
    payer was told to write.
    """

    transaction_id: str
    kind: str
    asset: str
    amount: Decimal | None
    reference: str | None
    details: Mapping[str, str]
    owner: str
    started_at: datetime
    currency: str | None = None


@dataclass(frozen=True)
class Waiting:
    """The bank was asked, and nothing has come."""


@dataclass(frozen=True)
class Arrived:
    """These bookings have come for it; bookings that were told before may be among them."""

    receipts: Sequence[Receipt]


@dataclass(frozen=True)
class DepositFailed:
    """Nothing has come, and nothing will: finally no. `message` is for the customer."""

    reason: str
    message: str | None = None


@dataclass(frozen=True)
class DepositHeld:
    """Somebody has to look at it before it can go on. `message` is for the customer."""

    reason: str
    message: str | None = None


DepositAnswer = Waiting | Arrived | DepositFailed | DepositHeld


@dataclass(frozen=True)
class ReceiptPage:
    """Bookings in the order of the bank's books, and where to read on.

    `up_to_date` says that there were no more when the bank was asked.
    """

    receipts: Sequence[Receipt]
    cursor: str
    up_to_date: bool


@dataclass(frozen=True)
class Transfer:
    """A transfer that left, as the bank's books have it: by the key that it was ordered under.

    `currency` is what the bank paid in; None where it does not say.
    """

    key: str
    amount: Decimal
    currency: str | None = None


@dataclass(frozen=True)
class Statement:
    """All that the bank booked on one day (UTC): what came, and what left and stayed away."""

    receipts: Sequence[Receipt]
    transfers: Sequence[Transfer]


@dataclass(frozen=True)
class Instruction:
    """One thing that a payer has to know, and what it is in a few words."""

    value: str
    description: str


@dataclass(frozen=True)
class RailTraits:
    """What a rail promises about itself; the defaults promise nothing.

    `idempotent_for`: how long the same key moves money once at most. `can_look_up`:
    `find_outgoing_transaction` answers by key. `not_found_final_after`: how long after an
    attempt began "not found" is final. Without any of these an attempt that began and
    whose outcome is unknown waits for a person, refunds like payouts. `can_refund`:
    `refund` sends money back. `gives_statements`: `statement` answers. `lists_receipts`:
    `receipts_since` answers. `timeout_s` is the longest a call may take by the rail's own
    time-outs; `max_in_flight` how many calls run at once. `currencies` are those that it can
    pay and be paid on quotes, by the order's `currency`, beside an asset's own.
    """

    idempotent_for: timedelta | None = None
    can_look_up: bool = False
    not_found_final_after: timedelta | None = None
    lists_receipts: bool = False
    can_refund: bool = False
    gives_statements: bool = False
    timeout_s: int = 30
    max_in_flight: int = 4
    currencies: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Field:
    """A detail that a rail needs of a customer, as the interactive page asks for it.

    `name` is the SEP-9 name where there is one; `pattern` a regular expression that the
    whole value has to match.
    """

    name: str
    label: str
    description: str = ""
    pattern: str = r"[^\x00-\x1f]{1,100}"
    optional: bool = False


@dataclass
class RailsIntegration(ABC):
    """A way to move money outside the ledger. Made once per process; calls may run at once.

    `name` is the entry point's, `options` the table ``[rails.<name>]`` of the file.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    #: What the rail promises about itself.
    traits = RailTraits()
    #: What a withdrawal needs to know of the customer.
    withdrawal_fields: ClassVar[Sequence[Field]] = ()
    #: What a deposit needs to know of the customer.
    deposit_fields: ClassVar[Sequence[Field]] = ()
    #: Headers of a webhook that `read_webhook` needs to see; no others are stored.
    webhook_headers: ClassVar[Sequence[str]] = ("content-type",)

    @abstractmethod
    def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
        """Pay `transaction.amount` out, once for this key.

        Raise `Rejected` where the bank said finally no, `Unavailable` only where it is
        certain that nothing was begun. Any other exception counts as `Unknown`.
        """

    def refund(self, transaction: OutgoingTransaction) -> Outcome:
        """Send `transaction.amount` of the booking `refund_of` back, once for this key.

        The same words and the same care as `execute_outgoing_transaction`, whose look-up and poll
        also serve refunds.
        """
        raise Rejected("the rail {name} sends nothing back", name=self.name)

    def poll_outgoing_transactions(
        self, transactions: Sequence[OutgoingTransaction]
    ) -> Mapping[str, Outcome]:
        """Tell what is new about orders that were sent, by key; leave out what is not."""
        return {}

    def find_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome | None:
        """Look an attempt up by its key; None where the bank does not know it."""
        raise NotImplementedError(f"the rail {self.name} cannot look up")

    def poll_pending_deposits(
        self, deposits: Sequence[PendingDeposit]
    ) -> Mapping[str, DepositAnswer]:
        """Tell about each deposit, by transaction id; leave out what you did not ask about."""
        return {}

    def receipts_since(self, cursor: str | None) -> ReceiptPage:
        """Return the bookings after `cursor`, the oldest first; None begins with the oldest.

        Every booking that is new or was reversed since comes once at least, whoever it is
        for.
        """
        raise NotImplementedError(f"the rail {self.name} does not list receipts")

    def statement(self, day: date) -> Statement:
        """Return what the bank booked on a day in UTC that is over, for the daily comparison."""
        raise NotImplementedError(f"the rail {self.name} gives no statements")

    def deposit_instructions(self, deposit: PendingDeposit) -> Mapping[str, Instruction]:
        """Say how to pay a deposit in, by SEP-9 names (``organization.bank_account_number``).

        Called inside a web request: it waits for nobody.
        """
        if deposit.reference is None:
            return {}
        told = Instruction(deposit.reference, "Write this on the transfer, and nothing else.")
        return {"external_transfer_memo": told}

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the event's id once it is certain who sent it, or raise `Rejected`.

        Called inside a web request with the raw body and all headers, their names in lower
        case: it is quick and waits for nobody.
        """
        raise NotFound("the rail {name} takes no events", name=self.name)

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes
    ) -> Sequence[Receipt | tuple[str, Outcome]]:
        """Read a verified event: receipts, and outcomes of orders by the attempt's key.

        Called by a job, with those of the headers that `webhook_headers` names.
        """
        raise NotImplementedError(f"the rail {self.name} reads no events")

    def check(self) -> str:
        """Try the rail for `flask anchor doctor`; return a sentence, or raise one."""
        return "does not check itself"

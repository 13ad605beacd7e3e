"""What a plug-in implements, and the plain frozen values it is given and gives back.

A plug-in never sees a row, a session or a request. It says what happened; the anchor
records it. `docs/reference/contract.md` says for each call where it runs, how long it
may take, that it may be called twice or at once, and what each outcome causes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from anchor.errors import Rejected, Unavailable

__all__ = [
    "Done",
    "Field",
    "Held",
    "NeedsInfo",
    "Outcome",
    "OutgoingTransaction",
    "RailTraits",
    "RailsIntegration",
    "ReadyForPickup",
    "Refused",
    "Rejected",
    "Sent",
    "Unavailable",
    "Unknown",
]


@dataclass(frozen=True)
class OutgoingTransaction:
    """One attempt to move money to a customer outside the ledger.

    `key` is the attempt's own and the one to give to the bank as its idempotency key;
    it never stands for another attempt. `amount` is what is to be delivered, in units
    of `asset`, with no more decimals than the asset policy says.
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
class Unknown:
    """It cannot be told whether money moved."""

    reason: str


Outcome = Done | Sent | ReadyForPickup | NeedsInfo | Held | Refused | Unknown


@dataclass(frozen=True)
class RailTraits:
    """What a rail promises about itself; the defaults promise nothing.

    `idempotent_for`: how long the same key moves money once at most. `can_look_up`:
    `find_outgoing_transaction` answers by key. `not_found_final_after`: how long after an
    attempt began "not found" is final. Without any of these an attempt that began and
    whose outcome is unknown waits for a person. `timeout_s` is the longest a call may
    take by the rail's own time-outs; `max_in_flight` how many calls run at once.
    """

    idempotent_for: timedelta | None = None
    can_look_up: bool = False
    not_found_final_after: timedelta | None = None
    timeout_s: int = 30
    max_in_flight: int = 4


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
    withdrawal_fields: Sequence[Field] = ()
    deposit_fields: Sequence[Field] = ()

    @abstractmethod
    def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
        """Pay `transaction.amount` out, once for this key.

        Raise `Rejected` where the bank said finally no, `Unavailable` only where it is
        certain that nothing was begun. Any other exception counts as `Unknown`.
        """

    def poll_outgoing_transactions(
        self, transactions: Sequence[OutgoingTransaction]
    ) -> Mapping[str, Outcome]:
        """Tell what is new about orders that were sent, by key; leave out what is not."""
        return {}

    def find_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome | None:
        """Look an attempt up by its key; None where the bank does not know it."""
        raise NotImplementedError(f"the rail {self.name} cannot look up")

    def check(self) -> str:
        """Try the rail for `flask anchor doctor`; return a sentence, or raise one."""
        return "does not check itself"

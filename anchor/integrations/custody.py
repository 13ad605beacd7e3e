"""What a custody plug-in implements: who signs or pays for accounts of the anchor.

There are two kinds. A `Signer` is shown an envelope and gives signatures, at once or
later: the anchor builds, stores, submits and looks up. A `Custodian` is given an order
and pays by itself: it is asked, and looked up by the order's key, as a rail is. A plug-in
never sees a row, a session or a request, and it never gets the key that signs log-ins
and callbacks. `docs/reference/custody.md` says what each outcome causes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from anchor.errors import Rejected, Unavailable
from anchor.integrations.protocols import Sent, Unknown
from anchor.ledger.gateway import Signature

__all__ = [
    "Custodian",
    "CustodyOrder",
    "CustodyOutcome",
    "CustodyTraits",
    "Declined",
    "Later",
    "Paid",
    "Rejected",
    "Sent",
    "Signature",
    "Signed",
    "Signer",
    "SigningAnswer",
    "SigningRequest",
    "Unavailable",
    "Unknown",
]


@dataclass(frozen=True)
class SigningRequest:
    """One envelope to be signed for `accounts`, the accounts (``G…``) of this custody in it.

    `hash` is what to sign, in hex; a signer that reads the envelope makes the hash itself
    from `envelope_xdr` (base 64) and `network_passphrase`. `key` is that of the submission
    and the same each time this envelope is asked about. After `valid_until` the ledger
    takes it no more.
    """

    key: str
    transaction_id: str
    envelope_xdr: str
    hash: str
    network_passphrase: str
    accounts: tuple[str, ...]
    valid_until: datetime


@dataclass(frozen=True)
class Signed:
    """These signatures of the hash; there may be fewer than the accounts need."""

    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Later:
    """Somebody has to agree first: the same request is made again after a while."""

    reference: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Declined:
    """Finally no: no signature will come, or nothing was paid and nothing will be.

    `code` is the ledger's result code in Horizon's words where that was the reason
    (``op_no_trust``): the anchor then does what it does after that code.
    """

    reason: str
    code: str | None = None


@dataclass(frozen=True)
class Paid:
    """It is in a ledger and successful; the anchor looks `transaction_hash` up itself.

    One operation of the order's source in it does exactly what was ordered, under exactly the
    memo of the order. `fee` is what it cost in lumens and `balance_id` that of a claimable
    balance; the anchor works both out by itself.
    """

    transaction_hash: str
    fee: Decimal | None = None
    balance_id: str | None = None


SigningAnswer = Signed | Later | Declined
CustodyOutcome = Paid | Sent | Declined | Unknown


@dataclass(frozen=True)
class CustodyOrder:
    """One thing that a custodian is to do on the ledger from `source`, once for `key`.

    `form`, `destination`, `asset`, `memo_type`, `memo` and `reclaim_at` are those of
    `anchor.ledger.envelopes`: ``payment``, ``create_account``, ``establish`` or
    ``claimable_balance``. `amount` and `starting_balance` are in units, as decimals of at
    most 7 places. `reference` is the one that `Sent` gave.
    """

    key: str
    transaction_id: str
    source: str
    form: str
    destination: str
    asset: str
    amount: Decimal
    started_at: datetime
    memo_type: str = "none"
    memo: str | None = None
    starting_balance: Decimal = Decimal(0)
    reclaim_at: datetime | None = None
    reference: str | None = None


@dataclass(frozen=True)
class CustodyTraits:
    """What a custody promises about itself; the defaults promise nothing, as with rails.

    `idempotent_for`: how long the same key moves money once at most. `can_look_up`: `find`
    answers by key. `not_found_final_after`: how long after an order began "not found" is
    final. Without any of these an order whose outcome is unknown waits for a person. For
    a signer none of these matters: one envelope can be signed twice. `forms` are what a
    custodian can do. `signs_within` is how long a signer may say `Later`: envelopes are
    valid for that long. `signs_for_issuers` says that a signer has the issuers' keys, too, and so
    can authorize trust lines. `timeout_s` is the longest a call may take by the plug-in's own
    time-outs; `max_in_flight` how many calls run at once.
    """

    idempotent_for: timedelta | None = None
    can_look_up: bool = False
    not_found_final_after: timedelta | None = None
    forms: frozenset[str] = frozenset({"payment"})
    signs_within: timedelta | None = None
    signs_for_issuers: bool = False
    timeout_s: int = 30
    max_in_flight: int = 4


@dataclass
class Custody(ABC):
    """What both kinds share. Made once per process; calls may run at once.

    `name` is the entry point's, `options` its table of the configuration.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    #: What the custody promises about itself.
    traits: ClassVar[CustodyTraits] = CustodyTraits()

    def signs_for(self, issuer: str) -> bool:
        """Tell whether it gives the signatures of an issuer (``G…``), to authorize trust lines."""
        return self.traits.signs_for_issuers

    def check(self) -> str:
        """Try the custody for `flask anchor doctor`; return a sentence, or raise one."""
        return "does not check itself"


class Signer(Custody):
    """Gives signatures for envelopes that the anchor builds, stores and submits."""

    @abstractmethod
    def sign(self, request: SigningRequest) -> SigningAnswer:
        """Sign for `request.accounts`, or say that it takes time, or decline.

        May be called again with the same request at any time, also after it has signed.
        Raise `Rejected` for a final no, `Unavailable` where nobody answered; after any
        other exception the anchor asks again later.
        """


class Custodian(Custody):
    """Pays by itself: builds, signs and submits where the anchor does not see it."""

    @abstractmethod
    def send(self, order: CustodyOrder) -> CustodyOutcome:
        """Carry the order out, once for this key.

        Raise `Rejected` where the answer is finally no, `Unavailable` only where it is
        certain that nothing was begun. Any other exception counts as `Unknown`.
        """

    def find(self, order: CustodyOrder) -> CustodyOutcome | None:
        """Look an order up by its key; None where the custodian does not know it."""
        raise NotImplementedError(f"the custody {self.name} cannot look up")

    def poll(self, orders: Sequence[CustodyOrder]) -> Mapping[str, CustodyOutcome]:
        """Tell what is new about orders that were sent, by key; leave out what is not."""
        return {}


@dataclass
class KeyHolder(Signer, ABC):
    """A signer that is made with the secret keys of the settings, by account (``G…``).

    No other custody gets to see them.
    """

    keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    def signs_for(self, issuer: str) -> bool:
        """Tell whether the issuer's key is among those of the settings."""
        return issuer in self.keys

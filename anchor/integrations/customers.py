"""What a customers plug-in implements: what is asked of customers, and who is accepted.

The anchor keeps what customers give, encrypted, and answers wallets; the plug-in gets plain
frozen values and returns plain frozen values. `docs/reference/customers.md` says when each
call is made and what each answer causes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from anchor.customers.rules import Need, TypeRules
from anchor.errors import Rejected, Unavailable

__all__ = [
    "Accepted",
    "Corrections",
    "CustomerRecord",
    "CustomersIntegration",
    "CustomersTraits",
    "Document",
    "Need",
    "Occasion",
    "Refused",
    "Rejected",
    "TypeRules",
    "Unavailable",
    "Undecided",
    "Verdict",
]


@dataclass(frozen=True)
class Occasion:
    """What a customer is asked for: a type and, where there is one, a transaction.

    `amount` is in units of `asset`; `kind` is the transaction's, such as ``withdrawal``.
    """

    type: str
    transaction_id: str | None = None
    kind: str | None = None
    asset: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True)
class Document:
    """A file that a customer gave; `content_type` was read from its own bytes."""

    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class CustomerRecord:
    """A customer with all that was given, by canonical field names; it shows no value.

    `customer_id` is the same for ever, and of one (account, memo).
    """

    customer_id: str
    account: str
    memo_type: str
    memo: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Accepted:
    """The customer is accepted for this type, with all that is given now."""


@dataclass(frozen=True)
class Undecided:
    """It takes longer. It is asked again after `ask_in_s` seconds; None leaves it to people."""

    ask_in_s: int | None = None
    message: str | None = None


@dataclass(frozen=True)
class Corrections:
    """These fields have to be given again, each for the reason that its customer is told."""

    fields: Mapping[str, str]
    message: str | None = None


@dataclass(frozen=True)
class Refused:
    """Finally no; `message` is told to the customer."""

    message: str


Verdict = Accepted | Undecided | Corrections | Refused


@dataclass(frozen=True)
class CustomersTraits:
    """What a plug-in promises about itself.

    `judges_at_once`: `judge` waits for nobody, and may be called inside a web request and a
    database transaction; else a job calls it. `reads_documents`: it looks at files, which are
    left out otherwise. `timeout_s` is the longest that `judge` or
    `send_code` may take by its own time-outs, `max_in_flight` how many such calls run at once.
    """

    judges_at_once: bool = False
    reads_documents: bool = True
    timeout_s: int = 30
    max_in_flight: int = 4


@dataclass
class CustomersIntegration(ABC):
    """Says what is asked of customers and judges them. Made once per process.

    `name` is the entry point's, `options` the table ``[customers.options]`` of the file and
    `rules` what it says of each type.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, TypeRules] = field(default_factory=dict)

    traits: ClassVar[CustomersTraits] = CustomersTraits()

    def types(self) -> Sequence[str]:
        """Return the types of customer that are known; the first is meant where none is named."""
        return tuple(self.rules)

    def needs(self, occasion: Occasion) -> Sequence[Need]:
        """Return what is asked for on this occasion: by default, what the file says.

        Called inside a web request: it waits for nobody.
        """
        return self.rules[occasion.type].needs(occasion.amount)

    @abstractmethod
    def judge(self, record: CustomerRecord, occasion: Occasion) -> Verdict:
        """Judge a customer who has given everything that is required.

        May be called again for the same customer, and at once. Raise `Unavailable` to be asked
        again later; anything else that is raised is a case for a person.
        """

    def send_code(self, record: CustomerRecord, name: str, code: str) -> None:
        """Bring a code to the customer, at the address or number that the field `name` holds.

        Called by a job; raise `Unavailable` to be asked again, with another code.
        """
        raise Rejected("{name} sends no codes", name=self.name)

    def check(self) -> str:
        """Try the plug-in for `flask anchor doctor`; return a sentence, or raise one."""
        return f"asks {len(self.types())} type(s) of customer"

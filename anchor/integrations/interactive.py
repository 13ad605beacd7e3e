"""What a plug-in of pages implements: where a customer goes, and what own pages bring back.

The built-in one (`forms`) shows the anchor's own pages. A business with pages of its own names the
address that its customers are sent to, and hands in what they gave: once the plug-in has made
certain who hands it in, the anchor completes the transaction as its own pages would.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from anchor.errors import NotFound, Rejected, Unavailable

__all__ = [
    "Given",
    "InteractiveIntegration",
    "NotFound",
    "Rejected",
    "Unavailable",
    "Visit",
]


@dataclass(frozen=True)
class Visit:
    """What a customer comes for. `kind` is ``deposit`` or ``withdrawal``; `asset` as the ledger
    names it; `amount` in units of that, None where the customer is to choose; `account` the base
    account that logged in. `pages_url` opens the anchor's own pages, once.
    """

    transaction_id: str
    kind: str
    asset: str
    amount: Decimal | None
    account: str
    lang: str | None
    pages_url: str


@dataclass(frozen=True)
class Given:
    """What the customer gave on pages of the business's own: all that completes a transaction.

    `rail` None means the first one of the asset.
    """

    transaction_id: str
    amount: Decimal
    rail: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass
class InteractiveIntegration(ABC):
    """Where customers go. Made once per process; calls may run at once.

    `name` is the entry point's, `options` the table ``[pages.options]`` of the file.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @abstractmethod
    def url(self, visit: Visit) -> str:
        """Return the address that the wallet opens for its customer.

        Called inside a web request: it waits for nobody.
        """

    def read(self, headers: Mapping[str, str], body: bytes) -> Given:
        """Return what own pages hand in, once it is certain who does, or raise `Rejected`.

        Called inside a web request with the raw body and all headers, their names in lower case:
        it is quick and waits for nobody.
        """
        raise NotFound("the pages are the anchor's own")

    def check(self) -> str:
        """Try the plug-in for `flask anchor doctor`; return a sentence, or raise one."""
        return "does not check itself"

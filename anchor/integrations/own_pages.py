"""The built-in ways with pages: the anchor's own forms, or a link to those of the business."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode, urlsplit

from anchor.integrations.interactive import Given, InteractiveIntegration, Rejected, Visit

#: The header that says who hands something in: the body's HMAC-SHA-256 in hex.
SIGNATURE = "x-anchor-signature"
_SECRET_BYTES = 32


@dataclass
class Forms(InteractiveIntegration):
    """Shows the anchor's own pages."""

    def url(self, visit: Visit) -> str:
        """Return the link to our own page."""
        return visit.pages_url

    def check(self) -> str:
        """Say so."""
        return "shows the anchor's own pages"


@dataclass
class LinkedPages(InteractiveIntegration):
    """Sends customers to pages of the business, with what they came for signed in the address.

    Options: `url`, and `secret`, the HMAC key of 32 bytes or more that both sides know.
    """

    _key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options."""
        address, secret = self.options.get("url"), self.options.get("secret")
        if not isinstance(address, str) or urlsplit(address).scheme not in {"http", "https"}:
            raise ValueError("url must be the address of the business's own page")
        if not isinstance(secret, str) or len(secret.encode()) < _SECRET_BYTES:
            raise ValueError(f"secret needs {_SECRET_BYTES} bytes or more")
        if unknown := set(self.options) - {"url", "secret"}:
            raise ValueError(f"{', '.join(sorted(unknown))} is no option of this plug-in")
        self._key = secret.encode()

    def url(self, visit: Visit) -> str:
        """Return the page's address with the visit in its query, and the HMAC of that query."""
        told = {
            "transaction_id": visit.transaction_id,
            "kind": visit.kind,
            "asset": visit.asset,
            "amount": "" if visit.amount is None else format(visit.amount, "f"),
            "account": visit.account,
            "lang": visit.lang or "",
        }
        query = urlencode({name: value for name, value in told.items() if value})
        address = str(self.options["url"])
        sign = "&" if urlsplit(address).query else "?"
        return f"{address}{sign}{query}&signature={self._mark(query.encode())}"

    def read(self, headers: Mapping[str, str], body: bytes) -> Given:
        """Read JSON whose HMAC stands in the header ``X-Anchor-Signature``."""
        given = headers.get(SIGNATURE, "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._mark(body).encode()):
            raise Rejected("the signature is not ours")
        try:
            told = json.loads(body)
            details = told.get("details") or {}
            return Given(
                str(told["transaction_id"]),
                Decimal(str(told["amount"])),
                told.get("rail"),
                {str(name): str(value) for name, value in details.items()},
            )
        except (ValueError, TypeError, AttributeError, KeyError, InvalidOperation) as error:
            raise Rejected(
                "transaction_id and amount are required, and details an object"
            ) from error

    def check(self) -> str:
        """Say where customers go."""
        return f"sends customers to {self.options['url']}"

    def _mark(self, text: bytes) -> str:
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

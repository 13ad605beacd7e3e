"""What the configuration says about logging in."""

from dataclasses import dataclass

#: Whether a request for a challenge may, or must, be signed by who asks (SEP10-15).
HEADERS = ("off", "accepted", "required")
#: Credentials of contract accounts' challenges: as ever, or bound to the address (CAP-71).
CREDENTIALS = ("legacy", "address-bound")


@dataclass(frozen=True)
class WebAuthOptions:
    """`request_header` is one of HEADERS, `contract_credentials` one of CREDENTIALS.

    `contract_id` (``C…``) is the web auth contract of SEP-45, None where that is off.
    """

    request_header: str = "off"
    contract_id: str | None = None
    contract_credentials: str = "legacy"

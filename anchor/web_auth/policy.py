"""What log-in needs to know of this anchor."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from stellar_sdk import Keypair

from anchor import jwt_keys
from anchor.errors import Misconfigured, Rejected

#: The names and values of data entries have 64 bytes (SEP10-33 to 35).
MAX_DATA_BYTES = 64
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class WebAuthPolicy:
    """What log-in needs to know of this anchor; times in seconds.

    `contract_id` is the web auth contract of SEP-45, and `contract_issuer` who issues its
    tokens; both None where it is off. `is_address_bound` makes its credentials those of CAP-71.
    Raises `Misconfigured` where no challenge or no safe token could be made of it.
    """

    network_passphrase: str
    signing_seed: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    home_domains: Sequence[str]
    web_auth_domain: str
    issuer: str
    challenge_s: int = 900
    token_s: int = 24 * 3600
    link_s: int = 15 * 60
    page_s: int = 12 * 3600
    contract_id: str | None = None
    contract_issuer: str | None = None
    is_address_bound: bool = False

    def __post_init__(self) -> None:
        try:
            jwt_keys.read(self.jwt_secret)
        except ValueError as error:
            raise Misconfigured(f"ANCHOR_JWT_SECRET {error}") from None
        names = [auth_key(domain) for domain in self.home_domains]
        if not names or max(map(size_of, [*names, self.web_auth_domain])) > MAX_DATA_BYTES:
            raise Misconfigured("home_domains or web_auth_domain are missing or too long")

    def serves(self, home_domain: str) -> bool:
        """Tell whether a home domain is ours: named, or one label before a ``*.`` pattern's."""
        label, dot, parent = home_domain.partition(".")
        if home_domain.startswith("*") or size_of(auth_key(home_domain)) > MAX_DATA_BYTES:
            return False
        is_label = _LABEL.fullmatch(label) is not None
        return home_domain in self.home_domains or (
            bool(dot) and is_label and f"*.{parent}" in self.home_domains
        )

    @property
    def has_patterns(self) -> bool:
        """Whether `serves` knows more home domains than those that are named."""
        return any(domain.startswith("*.") for domain in self.home_domains)

    @property
    def signing_key(self) -> str:
        """The public key of challenges; `Misconfigured` where the seed is not one."""
        return _public_key(self.signing_seed)

    def signer(self) -> Keypair:
        """The key that signs challenges; `Misconfigured` where the seed is not one."""
        return _keypair(self.signing_seed)

    def demand_wallet(self, client_domain: tuple[str, str] | None) -> None:
        """Raise `Rejected` for a client domain that shows our own key."""
        if client_domain is not None and client_domain[1] == self.signing_key:
            raise Rejected("the SIGNING_KEY of client_domain is this server's own")


@lru_cache(maxsize=8)
def _keypair(seed: str) -> Keypair:
    """Return the key of a seed: deriving it takes longer than signing with it."""
    try:
        return Keypair.from_secret(seed)
    except Exception:
        # The SDK's error quotes the seed; a traceback must not carry it (promise 15).
        raise Misconfigured("ANCHOR_SIGNING_SECRET is not a secret key") from None


@lru_cache(maxsize=8)
def _public_key(seed: str) -> str:
    return _keypair(seed).public_key


def auth_key(home_domain: str) -> str:
    """Return the name of a challenge's first data entry (SEP10-33)."""
    return f"{home_domain} auth"


def size_of(text: str) -> int:
    """Return how many bytes a text takes in a data entry."""
    return len(text.encode())

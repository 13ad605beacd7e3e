"""What log-in needs to know of this anchor."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stellar_sdk import Keypair

from anchor import jwt_keys
from anchor.errors import Misconfigured

#: The names and values of data entries have 64 bytes (SEP10-33 to 35).
MAX_DATA_BYTES = 64


@dataclass(frozen=True)
class WebAuthPolicy:
    """What log-in needs to know of this anchor; times in seconds.

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

    def __post_init__(self) -> None:
        try:
            jwt_keys.read(self.jwt_secret)
        except ValueError as error:
            raise Misconfigured(f"ANCHOR_JWT_SECRET {error}") from None
        names = [auth_key(domain) for domain in self.home_domains]
        if not names or max(map(size_of, [*names, self.web_auth_domain])) > MAX_DATA_BYTES:
            raise Misconfigured("home_domains or web_auth_domain are missing or too long")

    @property
    def signing_key(self) -> str:
        """The public key of challenges; `Misconfigured` where the seed is not one."""
        return self.signer().public_key

    def signer(self) -> Keypair:
        """The key that signs challenges; `Misconfigured` where the seed is not one."""
        try:
            return Keypair.from_secret(self.signing_seed)
        except Exception:
            # The SDK's error quotes the seed; a traceback must not carry it (promise 15).
            raise Misconfigured("ANCHOR_SIGNING_SECRET is not a secret key") from None


def auth_key(home_domain: str) -> str:
    """Return the name of a challenge's first data entry (SEP10-33)."""
    return f"{home_domain} auth"


def size_of(text: str) -> int:
    """Return how many bytes a text takes in a data entry."""
    return len(text.encode())

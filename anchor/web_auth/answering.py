"""The other side of SEP-10: a challenge that another anchor gave us is checked, and signed."""

from dataclasses import dataclass

from stellar_sdk import Keypair, TransactionEnvelope
from stellar_sdk.sep.stellar_web_authentication import (
    ChallengeTransaction,
    read_challenge_transaction,
)

from anchor.errors import Misconfigured, Rejected

_MAX_CHARS = 20_000


@dataclass(frozen=True)
class Server:
    """Who may give a challenge, as its stellar.toml says: its key, home domain and host.

    The host has two spellings where it has a port: clients and servers do not agree.
    """

    signing_key: str
    home_domain: str
    web_auth_domains: tuple[str, ...]


def account_of(seed: str) -> str:
    """Return the account that logs in with a secret key; `Misconfigured` where it is none."""
    return _pair(seed).public_key


def sign_challenge(seed: str, challenge_xdr: str, passphrase: str, server: Server) -> str:
    """Return a challenge for our account with our signature, as base64 XDR.

    Signed is only what can move nothing: sequence number 0, data entries alone, by the server's
    key, within its time, for its home domain (SEP-10, "Response"). `Rejected` for anything else.
    """
    pair = _pair(seed)
    if not 0 < len(challenge_xdr) <= _MAX_CHARS:
        raise Rejected("what it gave us to sign is no challenge")
    read = next(
        filter(
            None,
            (_read(challenge_xdr, passphrase, server, host) for host in server.web_auth_domains),
        ),
        None,
    )
    if read is None:
        raise Rejected("what it gave us to sign is no valid challenge of its own")
    if read.client_account_id != pair.public_key or read.memo is not None:
        raise Rejected("what it gave us to sign is a challenge for somebody else")
    envelope = TransactionEnvelope.from_xdr(challenge_xdr, passphrase)
    # the SDK's own way refuses what bears our signature already
    envelope.signatures.append(pair.sign_decorated(envelope.hash()))
    return envelope.to_xdr()


def _read(
    challenge_xdr: str, passphrase: str, server: Server, host: str
) -> ChallengeTransaction | None:
    try:
        return read_challenge_transaction(
            challenge_xdr, server.signing_key, server.home_domain, host, passphrase
        )
    except Exception:  # the SDK's readers raise many kinds
        return None


def _pair(seed: str) -> Keypair:
    try:
        return Keypair.from_secret(seed)
    except Exception:  # the SDK's error quotes the seed (promise 15)
        raise Misconfigured("ANCHOR_SIGNING_SECRET is not a secret key") from None

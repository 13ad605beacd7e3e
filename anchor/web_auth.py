"""Log-in by signature (SEP-10), and the tokens that it earns.

Nothing here asks a network or a database: what the ledger says of an account is handed in.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any

import jwt
from stellar_sdk import (
    Account,
    IdMemo,
    Keypair,
    ManageData,
    MuxedAccount,
    StrKey,
    TransactionBuilder,
    TransactionEnvelope,
)
from stellar_sdk.sep.ed25519_public_key_signer import Ed25519PublicKeySigner
from stellar_sdk.sep.stellar_web_authentication import (
    read_challenge_transaction,
    verify_challenge_transaction_signed_by_client_master_key,
    verify_challenge_transaction_threshold,
)

from anchor.clock import utcnow
from anchor.errors import Misconfigured, Rejected, Unauthorized
from anchor.ledger.gateway import LedgerAccount

MAX_ID = 2**64 - 1
_MEMO = re.compile(r"0|[1-9][0-9]{0,19}")
_ALGORITHM = "HS256"
_API, _LINK = "api", "link"
#: A challenge is a few operations; nothing of an honest wallet is longer.
MAX_ENVELOPE_CHARS = 20_000
#: A token of ours has some 500.
MAX_TOKEN_CHARS = 4_000
#: The names and values of data entries have 64 bytes (SEP10-33 to 35).
MAX_DATA_BYTES = 64
_SECRET_MIN_BYTES = 32
_LEEWAY_S = 5


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
        if len(self.jwt_secret.encode()) < _SECRET_MIN_BYTES:
            raise Misconfigured(f"ANCHOR_JWT_SECRET needs {_SECRET_MIN_BYTES} bytes or more")
        names = [_auth_key(domain) for domain in self.home_domains]
        if not names or max(map(_bytes, [*names, self.web_auth_domain])) > MAX_DATA_BYTES:
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


@dataclass(frozen=True)
class Client:
    """Who wants to log in: a base account and, where given, an id below it.

    `is_muxed` tells whether the id came in an ``M…`` address or in a memo.
    """

    account_id: str
    subaccount_id: int | None = None
    is_muxed: bool = False

    @property
    def address(self) -> str:
        """The address as the wallet gave it: ``M…`` where it was muxed, else ``G…``."""
        if self.is_muxed:
            return MuxedAccount(self.account_id, self.subaccount_id).universal_account_id
        return self.account_id

    @property
    def subject(self) -> str:
        """The token's ``sub`` (SEP10-71)."""
        if self.is_muxed or self.subaccount_id is None:
            return self.address
        return f"{self.account_id}:{self.subaccount_id}"


@dataclass(frozen=True)
class Principal:
    """Who asks: ``G…:5`` and its ``M…`` address are the same owner."""

    account_id: str
    subaccount_id: int | None
    client_domain: str | None
    home_domain: str | None
    token_id: str


@dataclass(frozen=True)
class Challenge:
    """A challenge that came back signed by the server, within its time."""

    client: Client
    home_domain: str
    client_domain: str | None
    hash: str
    expires_at: datetime
    envelope_xdr: str


def read_client(account: str, memo: str | None = None) -> Client:
    """Read the account and memo of a log-in; `Rejected` where they are not valid."""
    if account.startswith("C"):
        raise Rejected("contract accounts log in by SEP-45, which is not offered here")
    try:
        muxed = MuxedAccount.from_account(account)
    except Exception as error:
        raise Rejected("account is not a Stellar address (G… or M…)") from error
    is_muxed = account.startswith("M")
    if memo is None:
        return Client(muxed.account_id, muxed.account_muxed_id, is_muxed)
    if is_muxed:
        raise Rejected("memo cannot be given together with a muxed account")
    if not _MEMO.fullmatch(memo) or int(memo) > MAX_ID:
        raise Rejected("memo must be a whole number of 64 bits")
    return Client(muxed.account_id, int(memo))


def build_challenge(
    policy: WebAuthPolicy,
    client: Client,
    home_domain: str | None = None,
    client_domain: tuple[str, str] | None = None,
) -> str:
    """Build a challenge for `client`, signed by the server, as base64 XDR.

    `client_domain` is the domain with its signing key. Raises `Rejected` for a home
    domain that is not ours (SEP10-06) and a client domain that no data entry can hold.

    It is built here, for the SDK's own builder drops a memo of 0 (SEP10-05).
    """
    home = home_domain or policy.home_domains[0]
    if home not in policy.home_domains:
        raise Rejected("home_domain is not served here")
    if client_domain is not None and _bytes(client_domain[0]) > MAX_DATA_BYTES:
        raise Rejected("client_domain is too long")
    server = policy.signer()
    now = int(utcnow().timestamp())
    builder = TransactionBuilder(
        Account(server.public_key, -1), policy.network_passphrase, base_fee=100
    )
    builder.add_time_bounds(now, now + policy.challenge_s)
    builder.append_manage_data_op(
        _auth_key(home), b64encode(token_bytes(48)), source=client.address
    )
    builder.append_manage_data_op(
        "web_auth_domain", policy.web_auth_domain, source=server.public_key
    )
    if client_domain is not None:
        domain, key = client_domain
        builder.append_manage_data_op("client_domain", domain, source=key)
    if client.subaccount_id is not None and not client.is_muxed:
        builder.add_memo(IdMemo(client.subaccount_id))
    envelope = builder.build()
    envelope.sign(server)
    return envelope.to_xdr()


def read_challenge(policy: WebAuthPolicy, envelope_xdr: str) -> Challenge:
    """Check everything of a returned challenge but the client's signatures, or `Rejected`."""
    if not 0 < len(envelope_xdr) <= MAX_ENVELOPE_CHARS:
        raise Rejected("transaction is not a challenge of this server")
    try:
        read = read_challenge_transaction(
            envelope_xdr,
            policy.signing_key,
            list(policy.home_domains),
            policy.web_auth_domain,
            policy.network_passphrase,
        )
        client = _client_of(read.transaction, read.client_account_id, read.memo)
        bounds = read.transaction.transaction.preconditions.time_bounds
        expires_at = datetime.fromtimestamp(bounds.max_time, UTC)
    except Rejected:
        raise
    except Exception as error:  # the SDK's readers raise many kinds (SEP10-46)
        raise Rejected(f"transaction is not a valid challenge: {_sentence(error)}") from error
    return Challenge(
        client=client,
        home_domain=read.matched_home_domain,
        client_domain=_client_domain_of(read.transaction),
        hash=read.transaction.hash_hex(),
        expires_at=expires_at,
        envelope_xdr=envelope_xdr,
    )


def _client_of(envelope: TransactionEnvelope, address: str, memo: int | None) -> Client:
    first = envelope.transaction.operations[0]
    assert first.source is not None
    if first.source.account_muxed is not None and memo is not None:
        raise Rejected("memos are not permitted with a muxed account")
    return read_client(address, None if memo is None else str(memo))


def _client_domain_of(envelope: TransactionEnvelope) -> str | None:
    for operation in envelope.transaction.operations[1:]:
        if isinstance(operation, ManageData) and operation.data_name == "client_domain":
            if operation.data_value is None:
                raise Rejected("the client_domain operation has no value")
            return operation.data_value.decode("utf-8")
    return None


def verify_client(
    policy: WebAuthPolicy, challenge: Challenge, account: LedgerAccount | None
) -> None:
    """Check the client's signatures, or `Rejected`.

    An account on the ledger needs its medium threshold by ed25519 signers of weight above
    0; one that is not needs its master key alone (SEP10-57 to 63).
    """
    common = (
        challenge.envelope_xdr,
        policy.signing_key,
        list(policy.home_domains),
        policy.web_auth_domain,
        policy.network_passphrase,
    )
    try:
        if account is None:
            verify_challenge_transaction_signed_by_client_master_key(*common)
            return
        signers = [
            Ed25519PublicKeySigner(signer.key, signer.weight)
            for signer in account.signers
            if signer.type == "ed25519_public_key" and signer.weight > 0
        ]
        verify_challenge_transaction_threshold(*common, max(1, account.med_threshold), signers)
    except Exception as error:
        raise Rejected(f"the challenge is not signed as it must be: {_sentence(error)}") from error


def issue_token(policy: WebAuthPolicy, challenge: Challenge) -> str:
    """Return a session token for whoever signed `challenge` (SEP10-70)."""
    claims = {"sub": challenge.client.subject, "jti": challenge.hash}
    claims["home_domain"] = challenge.home_domain
    if challenge.client_domain is not None:
        claims["client_domain"] = challenge.client_domain
    return _encode(policy, _API, policy.token_s, claims)


def read_token(policy: WebAuthPolicy, token: str) -> Principal:
    """Return who a session token speaks for; `Unauthorized` where it is not one of ours."""
    claims = _decode(policy, _API, token)
    subject = str(claims["sub"])
    account, colon, memo = subject.partition(":")
    try:
        client = read_client(account, memo if colon else None)
    except Rejected as error:
        raise Unauthorized("the token's subject is not an account") from error
    home = claims.get("home_domain")
    if home not in policy.home_domains:
        raise Unauthorized("the token is for a domain that is not served here")
    return Principal(
        client.account_id,
        client.subaccount_id,
        claims.get("client_domain"),
        home,
        str(claims.get("jti", "")),
    )


def issue_link(policy: WebAuthPolicy, purpose: str, transaction_id: str) -> str:
    """Return a short-lived token that opens one page of one transaction, and nothing else."""
    return _encode(policy, f"{_LINK}:{purpose}", policy.link_s, {"sub": transaction_id})


def read_link(policy: WebAuthPolicy, purpose: str, token: str) -> str:
    """Return the transaction that a page's token opens, or `Unauthorized`."""
    return str(_decode(policy, f"{_LINK}:{purpose}", token)["sub"])


def is_account(address: str) -> bool:
    """Tell whether `address` is a valid ``G…`` or ``M…`` address, checksum included."""
    return StrKey.is_valid_ed25519_public_key(address) or StrKey.is_valid_med25519_public_key(
        address
    )


def _encode(policy: WebAuthPolicy, audience: str, life_s: int, claims: dict[str, Any]) -> str:
    now = utcnow()
    common = {
        "iss": policy.issuer,
        "aud": audience,
        "iat": now,
        "exp": now + timedelta(seconds=life_s),
    }
    return jwt.encode(common | claims, policy.jwt_secret, algorithm=_ALGORITHM)


def _decode(policy: WebAuthPolicy, audience: str, token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARS:
        raise Unauthorized("the token is not valid")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            policy.jwt_secret,
            algorithms=[_ALGORITHM],
            audience=audience,
            issuer=policy.issuer,
            leeway=_LEEWAY_S,
            options={"require": ["iss", "sub", "iat", "exp", "aud"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise Unauthorized("the token has expired") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Unauthorized("the token is not valid") from error
    return claims


def _sentence(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__


def _auth_key(home_domain: str) -> str:
    return f"{home_domain} auth"


def _bytes(text: str) -> int:
    return len(text.encode())

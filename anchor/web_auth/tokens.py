"""Session tokens, and how any token of ours is written and read: each audience has its own."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt

from anchor import jwt_keys
from anchor.clock import utcnow
from anchor.errors import Rejected, Unauthorized
from anchor.web_auth.clients import Client, is_contract, read_client
from anchor.web_auth.contracts import ContractChallenge
from anchor.web_auth.policy import WebAuthPolicy
from anchor.web_auth.returned import Challenge

#: A token of ours has some 500.
MAX_TOKEN_CHARS = 4_000
_ALGORITHM = "HS256"
_API = "api"
_LEEWAY_S = 5
#: So many tokens that were good are kept in mind in each process, each under a kilobyte.
_REMEMBERED = 4096


@dataclass(frozen=True)
class Principal:
    """Who asks: ``G…:5`` and its ``M…`` address are the same owner.

    `address` is the one that logged in: ``M…`` where it was muxed, else ``G…``. A contract
    account (``C…``, SEP-45) is its own base, and has nothing below it (GEN-29).
    """

    account_id: str
    subaccount_id: int | None
    address: str
    client_domain: str | None
    home_domain: str | None
    token_id: str


def issue_token(policy: WebAuthPolicy, challenge: Challenge) -> str:
    """Return a session token for whoever signed `challenge` (SEP10-70)."""
    claims = {"sub": challenge.client.subject, "jti": challenge.hash}
    claims["home_domain"] = challenge.home_domain
    if challenge.client_domain is not None:
        claims["client_domain"] = challenge.client_domain
    return encode(policy, _API, policy.token_s, claims)


def issue_contract_token(policy: WebAuthPolicy, challenge: ContractChallenge) -> str:
    """Return a session token for the contract account of `challenge` (SEP45-29)."""
    claims = {"sub": challenge.account, "jti": challenge.hash, "iss": policy.contract_issuer}
    claims["home_domain"] = challenge.home_domain
    if challenge.client_domain is not None:
        claims["client_domain"] = challenge.client_domain
    return encode(policy, _API, policy.token_s, claims)


def read_token(policy: WebAuthPolicy, token: str) -> Principal:
    """Return who a session token speaks for; `Unauthorized` where it is not one of ours.

    One that was good is not taken apart again until it expires: a wallet asks often.
    """
    principal, expires_at = _read_token(policy, token)
    if expires_at <= utcnow().timestamp() - _LEEWAY_S:
        raise Unauthorized("the token has expired")
    return principal


@lru_cache(maxsize=_REMEMBERED)
def _read_token(policy: WebAuthPolicy, token: str) -> tuple[Principal, int]:
    """Return whom a session token speaks for, and until when (unix seconds)."""
    claims = decode(policy, _API, token)
    subject = str(claims["sub"])
    try:
        client = _subject(subject, of_contracts=claims["iss"] == policy.contract_issuer)
    except Rejected as error:
        raise Unauthorized("the token's subject is not an account") from error
    home = claims.get("home_domain")
    if not isinstance(home, str) or not policy.serves(home):
        raise Unauthorized("the token is for a domain that is not served here")
    principal = Principal(
        client.account_id,
        client.subaccount_id,
        client.address,
        claims.get("client_domain"),
        home,
        str(claims.get("jti", "")),
    )
    return principal, int(claims["exp"])


def _subject(subject: str, *, of_contracts: bool) -> Client:
    """Read a subject: tokens of SEP-45 are for contracts, and no others are (GEN-23)."""
    if of_contracts and is_contract(subject):
        return Client(subject)
    if of_contracts:
        raise Rejected("not a contract account")
    account, colon, memo = subject.partition(":")
    return read_client(account, memo if colon else None)


def encode(policy: WebAuthPolicy, audience: str, life_s: int, claims: dict[str, Any]) -> str:
    """Return a signed token for an audience, good for so many seconds."""
    now = int(utcnow().timestamp())
    common = {"iss": policy.issuer, "aud": audience, "iat": now, "exp": now + life_s}
    key = jwt_keys.read(policy.jwt_secret)[0]
    named = {"kid": key.kid} if key.kid is not None else None
    return jwt.encode(common | claims, key.secret, algorithm=_ALGORITHM, headers=named)


def decode(policy: WebAuthPolicy, audience: str, token: str) -> dict[str, Any]:
    """Return the claims of a token that one of our keys signed (GEN-22), else `Unauthorized`."""
    if len(token) > MAX_TOKEN_CHARS:
        raise Unauthorized("the token is not valid")
    trouble: Exception = Unauthorized("the token is not valid")
    try:
        for secret in _secrets_for(policy, token):
            try:
                return _verified(policy, audience, token, secret)
            except jwt.InvalidSignatureError as error:
                trouble = error
    except jwt.ExpiredSignatureError as error:
        raise Unauthorized("the token has expired") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        trouble = error
    raise Unauthorized("the token is not valid") from trouble


def _secrets_for(policy: WebAuthPolicy, token: str) -> tuple[str, ...]:
    """Return the secrets that may have signed a token; of several, its header tells which."""
    is_one = len(jwt_keys.read(policy.jwt_secret)) == 1
    kid = None if is_one else jwt.get_unverified_header(token).get("kid")
    return jwt_keys.candidates(policy.jwt_secret, kid)


def _verified(policy: WebAuthPolicy, audience: str, token: str, secret: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        secret,
        algorithms=[_ALGORITHM],
        audience=audience,
        issuer=[each for each in (policy.issuer, policy.contract_issuer) if each],
        leeway=_LEEWAY_S,
        options={"require": ["iss", "sub", "iat", "exp", "aud"]},
    )
    return claims

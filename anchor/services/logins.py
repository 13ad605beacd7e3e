"""Logging in by SEP-10: a challenge goes out, comes back signed, and earns one token."""

import tomllib
from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from anchor import outgoing, web_auth
from anchor.clock import utcnow
from anchor.errors import AnchorError, Rejected
from anchor.extensions import atomic, db, gateway, settings
from anchor.models import UsedChallenge
from anchor.web_auth import WebAuthPolicy

MAX_TOML_BYTES = 100_000


def policy() -> WebAuthPolicy:
    """Return what log-in needs to know of this anchor."""
    known = settings()
    return WebAuthPolicy(
        network_passphrase=known.network_passphrase,
        signing_seed=known.signing_secret,
        jwt_secret=known.jwt_secret,
        home_domains=known.home_domains,
        web_auth_domain=known.web_auth_domain,
        issuer=f"{known.public_url}/auth",
    )


def begin(
    account: str,
    memo: str | None = None,
    home_domain: str | None = None,
    client_domain: str | None = None,
) -> str:
    """Return a challenge for an account as base64 XDR.

    A client domain that is denied or not on the list counts as absent (SEP10-07), unless
    one is required; one that cannot be verified is `Rejected` (SEP10-08).
    """
    client = web_auth.read_client(account, memo)
    rules = settings().client_domains
    allowed = rules["allow"]
    if client_domain in rules["deny"] or (allowed and client_domain not in allowed):
        client_domain = None
    if client_domain is None and rules["required"]:
        raise Rejected("client_domain is required, and must be one that this anchor knows")
    pair = (client_domain, _signing_key_of(client_domain)) if client_domain else None
    return web_auth.build_challenge(policy(), client, home_domain, pair)


def complete(envelope_xdr: str) -> str:
    """Exchange a signed challenge for a session token, once.

    Raises `Rejected` where anything is wrong with it, and `Unavailable` where the ledger
    cannot be asked: in doubt there is no token (promise 14).
    """
    challenge = web_auth.read_challenge(policy(), envelope_xdr)
    account = gateway().account(challenge.client.account_id)
    web_auth.verify_client(policy(), challenge, account)
    _use_up(challenge.hash)
    return web_auth.issue_token(policy(), challenge)


@atomic
def _use_up(challenge_hash: str) -> None:
    db.session.execute(delete(UsedChallenge).where(UsedChallenge.expires_at < func.now()))
    expires_at = utcnow() + timedelta(seconds=2 * policy().challenge_s)
    used = db.session.execute(
        insert(UsedChallenge)
        .values(hash=challenge_hash, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(UsedChallenge.hash)
    )
    if used.one_or_none() is None:
        raise Rejected("this challenge was exchanged for a token before")


def _signing_key_of(domain: str) -> str:
    scheme = "http" if settings().development else "https"
    url = f"{scheme}://{domain}/.well-known/stellar.toml"
    try:
        body = outgoing.fetch(
            url, max_bytes=MAX_TOML_BYTES, timeout_s=5, allow_private=settings().development
        )
        key = tomllib.loads(body.decode("utf-8")).get("SIGNING_KEY")
    except (AnchorError, ValueError) as error:
        raise Rejected("the stellar.toml of client_domain cannot be read") from error
    if not isinstance(key, str) or not key.startswith("G") or not web_auth.is_account(key):
        raise Rejected("the stellar.toml of client_domain has no SIGNING_KEY")
    return key

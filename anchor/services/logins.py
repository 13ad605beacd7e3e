"""Logging in by SEP-10: a challenge goes out, comes back signed, and earns one token."""

import re
from datetime import timedelta
from threading import BoundedSemaphore

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from anchor import outgoing, web_auth
from anchor.errors import AnchorError, Rejected, Unauthorized, Unavailable
from anchor.extensions import atomic, db, gateway, settings
from anchor.models import UsedChallenge
from anchor.web_auth import Challenge, WebAuthPolicy

MAX_TOML_BYTES = 100_000
CLIENT_TOML_TIMEOUT_S = 4
#: How many strangers' hosts a process waits for at once: slow ones must not take every thread.
CLIENT_TOMLS_AT_ONCE = 4
#: The host's clock judges challenges and the database's clock forgets them.
_CLOCKS_APART = timedelta(hours=1)
_FORGOTTEN_AT_ONCE = 100
_HTTPS_PORT = 443
_SIGNING_KEY = re.compile(
    r"""\s*(?:SIGNING_KEY|"SIGNING_KEY"|'SIGNING_KEY')\s*=\s*["']([^"']*)["']\s*(?:\#.*)?"""
)
_TABLE = re.compile(r"\s*\[\[?[^\[\],]+\]\]?\s*(?:#.*)?")
_slots = BoundedSemaphore(CLIENT_TOMLS_AT_ONCE)


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

    A client domain that is denied or not on the list counts as absent (SEP10-07). Where one
    is required, a missing one is `Rejected` and one that is not allowed `Unauthorized`
    (SEP10-10). One that cannot be verified is `Rejected` (SEP10-08).
    """
    client = web_auth.read_client(account, memo)
    rules = settings().client_domains
    domain = _plain(client_domain) if client_domain else None
    if domain is None and rules["required"]:
        raise Rejected("client_domain is required")
    if domain is not None and not _is_allowed(domain):
        if rules["required"]:
            raise Unauthorized("this client_domain is not allowed here")
        domain = None
    pair = (domain, _signing_key_of(domain)) if domain else None
    return web_auth.build_challenge(policy(), client, home_domain, pair)


def complete(envelope_xdr: str) -> str:
    """Exchange a signed challenge for a session token, once.

    Raises `Rejected` where anything is wrong with it, and `Unavailable` where the ledger
    cannot be asked: in doubt there is no token (promise 14).
    """
    rules = policy()
    challenge = web_auth.read_challenge(rules, envelope_xdr)
    account = gateway().account(challenge.client.account_id)
    web_auth.verify_client(rules, challenge, account)
    _use_up(challenge)
    return web_auth.issue_token(rules, challenge)


@atomic
def _use_up(challenge: Challenge) -> None:
    old = (
        select(UsedChallenge.hash)
        .where(UsedChallenge.expires_at < func.now())
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    db.session.execute(delete(UsedChallenge).where(UsedChallenge.hash.in_(old)))
    used = db.session.execute(
        insert(UsedChallenge)
        .values(hash=challenge.hash, expires_at=challenge.expires_at + _CLOCKS_APART)
        .on_conflict_do_nothing()
        .returning(UsedChallenge.hash)
    )
    if used.one_or_none() is None:
        raise Rejected("this challenge was exchanged for a token before")


def _plain(domain: str) -> str:
    """Spell a domain in one way, so that no other spelling gets past a list."""
    host, _, port = domain.lower().partition(":")
    host = host.rstrip(".")
    if not host:
        raise Rejected("client_domain names no host")
    return f"{host}:{int(port)}" if port and int(port) != _HTTPS_PORT else host


def _is_allowed(domain: str) -> bool:
    rules = settings().client_domains
    allow, deny = ({_plain(name) for name in rules[key]} for key in ("allow", "deny"))
    is_denied = domain in deny or domain.partition(":")[0] in deny
    return not is_denied and (not allow or domain in allow)


def _signing_key_of(domain: str) -> str:
    development = settings().development
    # In development a name with a port is a neighbour on this machine; others speak TLS.
    scheme = "http" if development and (":" in domain or domain == "localhost") else "https"
    url = f"{scheme}://{domain}/.well-known/stellar.toml"
    if not _slots.acquire(blocking=False):
        raise Unavailable("too many client domains are being looked up; try again in a minute")
    try:
        body = outgoing.fetch(
            url,
            max_bytes=MAX_TOML_BYTES,
            timeout_s=CLIENT_TOML_TIMEOUT_S,
            allow_private=development,
        )
    except AnchorError as error:
        raise Rejected(
            "the stellar.toml of client_domain cannot be read: {reason}", reason=error
        ) from error
    finally:
        _slots.release()
    return signing_key_in(body)


def signing_key_in(stellar_toml: bytes) -> str:
    """Return the top-level SIGNING_KEY of a stranger's stellar.toml; `Rejected` without one.

    It is read line by line: a TOML reader can be kept busy for a minute by 100 KB of
    dotted keys.
    """
    found = set()
    for line in stellar_toml.decode("utf-8", errors="replace").splitlines():
        if _TABLE.fullmatch(line):
            break
        if match := _SIGNING_KEY.fullmatch(line):
            found.add(match[1])
    key = found.pop() if len(found) == 1 else ""
    if not key.startswith("G") or not web_auth.is_account(key):
        raise Rejected("the stellar.toml of client_domain has no SIGNING_KEY")
    return key

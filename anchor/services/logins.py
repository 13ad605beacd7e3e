"""Logging in by SEP-10: a challenge goes out, comes back signed, and earns one token."""

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from anchor import web_auth
from anchor.errors import Rejected, Unauthorized
from anchor.extensions import alone, atomic, db, gateway, settings
from anchor.models import UsedChallenge
from anchor.services import client_domains
from anchor.web_auth import WebAuthPolicy

#: The host's clock judges challenges and the database's clock forgets them.
_CLOCKS_APART = timedelta(hours=1)
_BATCH = 1000
_USED = cast(Table, UsedChallenge.__table__)
_USE = (
    insert(_USED)
    .values(hash=bindparam("hash"), expires_at=bindparam("expires_at"))
    .on_conflict_do_nothing()
    .returning(_USED.c.hash)
)


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
        contract_id=known.web_auth.contract_id,
        contract_issuer=f"{known.public_url}/sep45/auth" if 45 in known.seps else None,
        is_address_bound=known.web_auth.contract_credentials == "address-bound",
    )


def begin(
    account: str,
    memo: str | None = None,
    home_domain: str | None = None,
    client_domain: str | None = None,
    *,
    request_token: str | None = None,
) -> str:
    """Return a challenge for an account as base64 XDR.

    Which client domain is taken, refused or left out, `client_domains.choose` tells. A
    `request_token` has to be signed by its key, or else by the account's, base key of a muxed
    one (SEP10-20, E-19), and to say what is asked; else `Rejected`.
    """
    client = web_auth.read_client(account, memo)
    pair = client_domains.choose(client_domain, is_signed=request_token is not None)
    if request_token is not None:
        asked = {
            "account": account,
            "memo": memo,
            "home_domain": home_domain,
            "client_domain": client_domain,
        }
        query = {name: value for name, value in asked.items() if value is not None}
        key = pair[1] if pair else client.account_id
        web_auth.check_request(policy(), request_token, query, key)
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
    use_up(challenge.hash, challenge.expires_at)
    return web_auth.issue_token(rules, challenge)


def use_up(challenge_hash: str, expires_at: datetime) -> None:
    """Note that a challenge was exchanged for a token; `Rejected` where it was before."""
    if not is_first_use(challenge_hash, expires_at):
        raise Rejected("this challenge was exchanged for a token before")


def open_link(purpose: str, token: str) -> str:
    """Use up the link of a page, and return the transaction that it opens.

    `Unauthorized` where it is not one of ours, ran out, or was opened before (SEP24-05).
    """
    link = web_auth.read_link(policy(), purpose, token)
    if not is_first_use(f"link {link.token_id}", link.expires_at):
        raise Unauthorized("this link was opened before")
    return link.transaction_id


def is_first_use(mark: str, expires_at: datetime) -> bool:
    """Tell whether something that is good once is used for the first time, and note it."""
    return bool(alone(_USE, {"hash": mark, "expires_at": expires_at + _CLOCKS_APART}))


@atomic
def forget() -> int:
    """Delete a batch of marks whose time is over, so that nothing depends on them; how many."""
    old = select(_USED.c.hash).where(_is_old()).limit(_BATCH).with_for_update(skip_locked=True)
    gone = db.session.scalars(old).all()
    db.session.execute(delete(_USED).where(_USED.c.hash.in_(gone)))
    return len(gone)


@atomic
def has_old() -> bool:
    """Tell whether there is something to forget."""
    return db.session.scalar(select(_USED.c.hash).where(_is_old()).limit(1)) is not None


def _is_old() -> ColumnElement[bool]:
    return _USED.c.expires_at < func.now()

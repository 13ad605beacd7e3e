"""Tokens of pages: a link opens a page once, and from then on its browser has a session.

A link is for one page of one transaction. The session of that page is kept in a cookie and is as
narrow as the link was: it says nothing to the API, and nothing about other transactions
(SEP24-09). Forms carry a token that belongs to the session, so that no other site can send them.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from anchor.web_auth import form_tokens
from anchor.web_auth.policy import WebAuthPolicy
from anchor.web_auth.tokens import decode, encode

_LINK, _PAGE = "link", "page"
#: What a wallet may want to be told by the page itself: at the end, and of every change.
TELLS = ("callback", "on_change_callback")


@dataclass(frozen=True)
class Link:
    """What a link opens, and by which token until when."""

    transaction_id: str
    token_id: str
    expires_at: datetime


@dataclass(frozen=True)
class PageSession:
    """The session of a browser on the pages of one transaction, for one purpose.

    `tells` are the callbacks of the wallet that the page answers with `postMessage`, `finish_url`
    the address that is told once of the end. `lang` is the language that was chosen on the page.
    """

    transaction_id: str
    purpose: str
    tells: tuple[str, ...] = ()
    finish_url: str | None = None
    lang: str | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))


def issue_link(
    policy: WebAuthPolicy, purpose: str, transaction_id: str, *, is_once: bool = False
) -> str:
    """Return a short-lived token that opens one page of one transaction, and nothing else.

    One that `is_once` has an id by which its use can be noted.
    """
    claims = {"sub": transaction_id}
    if is_once:
        claims["jti"] = secrets.token_urlsafe(12)
    return encode(policy, f"{_LINK}:{purpose}", policy.link_s, claims)


def read_link(policy: WebAuthPolicy, purpose: str, token: str) -> Link:
    """Return what a page's token opens, or `Unauthorized`. It may have been used before."""
    claims = decode(policy, f"{_LINK}:{purpose}", token)
    until = datetime.fromtimestamp(claims["exp"], UTC)
    return Link(str(claims["sub"]), str(claims.get("jti", "")), until)


def issue_page_session(policy: WebAuthPolicy, session: PageSession) -> str:
    """Return the text of a session, to be kept by the browser."""
    claims = {
        "sub": session.transaction_id,
        "jti": session.id,
        "tells": list(session.tells),
        "finish_url": session.finish_url,
        "lang": session.lang,
    }
    return encode(policy, f"{_PAGE}:{session.purpose}", policy.page_s, claims)


def read_page_session(policy: WebAuthPolicy, purpose: str, text: str) -> PageSession:
    """Return the session that a browser kept, or `Unauthorized`."""
    claims = decode(policy, f"{_PAGE}:{purpose}", text)
    tells = tuple(name for name in TELLS if name in claims.get("tells", ()))
    return PageSession(
        str(claims["sub"]),
        purpose,
        tells,
        claims.get("finish_url"),
        claims.get("lang"),
        str(claims.get("jti", "")),
    )


def form_token(policy: WebAuthPolicy, session: PageSession) -> str:
    """Return what the forms of a session carry, and nobody else knows."""
    return form_tokens.make(policy, _about(session))


def check_form_token(policy: WebAuthPolicy, session: PageSession, token: str) -> None:
    """Raise `Unauthorized` unless a form came from a page of this very session."""
    form_tokens.check(policy, _about(session), token)


def _about(session: PageSession) -> str:
    return f"{session.purpose}:{session.transaction_id}:{session.id}"

"""Visits: the browser of a customer on the pages of one transaction, known by a cookie.

The cookie is the page's alone (its path is), no script reads it, and it goes along where a wallet
shows the page in a frame (SEP24-08, SEP24-09). What changes anything also needs the token of the
page's own form.
"""

import logging
from dataclasses import replace
from urllib.parse import urlsplit

from flask import Response, after_this_request, request

from anchor import web_auth
from anchor.errors import Rejected, Unauthorized, Unavailable
from anchor.extensions import settings
from anchor.services import callbacks, drafts, links, logins
from anchor.web_auth import PageSession

_COOKIE = "anchor_page"
TOKEN = "form_token"
_POST_MESSAGE = "postmessage"

log = logging.getLogger(__name__)


def current(purpose: str, transaction_id: str) -> PageSession:
    """Return the session of who asks; `Unauthorized` where this page is not open in there."""
    found = _kept(purpose, transaction_id)
    if found is None:
        raise Unauthorized("this page is not open in this browser, or the browser keeps no cookies")
    return found


def on_page(purpose: str, transaction_id: str, path: str) -> PageSession:
    """Return the session for a page that is shown, which lasts longer for that.

    A language that the request asks for is that of the pages from now on.
    """
    found = current(purpose, transaction_id)
    if "lang" in request.args:
        found = replace(found, lang=request.args["lang"])

    @after_this_request
    def _keep(response: Response) -> Response:
        return keep(response, found, path)

    return found


def is_open(purpose: str, transaction_id: str) -> bool:
    """Tell whether this browser has the page open."""
    return _kept(purpose, transaction_id) is not None


def _kept(purpose: str, transaction_id: str) -> PageSession | None:
    try:
        found = web_auth.read_page_session(
            logins.policy(), purpose, request.cookies.get(_COOKIE, "")
        )
    except Unauthorized:
        return None
    return found if found.transaction_id == transaction_id else None


def keep(response: Response, session: PageSession, path: str) -> Response:
    """Have the browser keep a session for the pages below `path`."""
    public = urlsplit(settings().public_url)
    is_secure = public.scheme == "https"
    response.set_cookie(
        _COOKIE,
        web_auth.issue_page_session(logins.policy(), session),
        max_age=logins.policy().page_s,
        path=public.path + path,
        httponly=True,
        secure=is_secure,
        # Browsers take a cookie into a frame of another site only over TLS; without that there
        # is only development mode.
        samesite="None" if is_secure else "Lax",
        partitioned=is_secure,
    )
    return response


def told_by(session: PageSession) -> PageSession:
    """Take the callbacks that the wallet wrote behind the address (SEP24-40, SEP24-41).

    One that may not be told anything is left out: that stops no customer.
    """
    tells = []
    for name in ("callback", "on_change_callback"):
        wish = request.args.get(name, "")
        if wish.lower() == _POST_MESSAGE:
            tells.append(name)
        elif wish and session.purpose == links.FORM:
            try:
                callbacks.check_url(wish)
            except (Rejected, Unavailable) as error:
                log.warning("a wallet's %s is told nothing: %s", name, error)
                continue
            if name == "callback":
                session = replace(session, finish_url=wish)
            else:
                drafts.tell(session.transaction_id, wish)
    return replace(session, tells=tuple(tells))


def form_token(session: PageSession) -> str:
    """Return what the forms of a visit carry."""
    return web_auth.form_token(logins.policy(), session)


def check_form(session: PageSession) -> None:
    """Raise `Unauthorized` unless the request is a form of this very visit."""
    web_auth.check_form_token(logins.policy(), session, request.form.get(TOKEN, ""))

"""Links to pages: each opens one page of one transaction, for a while, and nothing else."""

from urllib.parse import urlencode

from anchor import web_auth
from anchor.errors import Unauthorized
from anchor.extensions import settings
from anchor.services import logins

#: What a link is for: to give details, or to look how it stands.
FORM, LOOK = "interactive", "more_info"


def to_form(way: str, transaction_id: str, **chosen: str) -> str:
    """Return the address of the page that asks for what a deposit or a withdrawal needs.

    It opens once; `chosen` is what stands in its form from the first.
    """
    token = web_auth.issue_link(logins.policy(), FORM, transaction_id, is_once=True)
    return _url(f"{way}/{transaction_id}", token=token, **chosen)


def to_more_info(transaction_id: str, lang: str | None = None) -> str:
    """Return the address of the page that shows how a transaction stands (SEP24-65)."""
    token = web_auth.issue_link(logins.policy(), LOOK, transaction_id)
    known = {} if lang is None else {"lang": lang}
    return _url(f"transaction/{transaction_id}", token=token, **known)


def bare_more_info(transaction_id: str) -> str:
    """Return the same address without what opens it, for whoever must not (SEP24-46)."""
    return _url(f"transaction/{transaction_id}")


def check_more_info(transaction_id: str, token: str) -> None:
    """Raise `Unauthorized` unless `token` is of `to_more_info` for this very transaction."""
    _check(LOOK, transaction_id, token)


def check_form(transaction_id: str, token: str) -> None:
    """Raise `Unauthorized` unless `token` is of `to_form` for this very transaction."""
    _check(FORM, transaction_id, token)


def use_up(token: str) -> None:
    """Open a link of `to_form`, once; `Unauthorized` where it was opened before (SEP24-05)."""
    logins.open_link(FORM, token)


def _check(purpose: str, transaction_id: str, token: str) -> None:
    if web_auth.read_link(logins.policy(), purpose, token).transaction_id != transaction_id:
        raise Unauthorized("this link is for another transaction")


def _url(page: str, **query: str) -> str:
    """Return a page's address, also where no door is open: callbacks show links too."""
    asked = f"?{urlencode(query)}" if query else ""
    return f"{settings().public_url}/interactive/{page}{asked}"

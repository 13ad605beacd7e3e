"""Links to pages: each opens one page of one transaction, for a while, and nothing else."""

from flask import current_app

from anchor import web_auth
from anchor.errors import Unauthorized
from anchor.extensions import settings
from anchor.services import logins

_FORM, _LOOK = "interactive", "more_info"


def to_form(way: str, transaction_id: str) -> str:
    """Return the address of the page that asks for what a deposit or a withdrawal needs."""
    token = _token(_FORM, transaction_id)
    return _url("form", way=way, transaction_id=transaction_id, token=token)


def to_more_info(transaction_id: str) -> str:
    """Return the address of the page that shows how a transaction stands."""
    token = _token(_LOOK, transaction_id)
    return _url("more_info", transaction_id=transaction_id, token=token)


def check_form(transaction_id: str, token: str) -> None:
    """Raise `Unauthorized` unless `token` is of `to_form` for this very transaction."""
    _check(_FORM, transaction_id, token)


def check_more_info(transaction_id: str, token: str) -> None:
    """Raise `Unauthorized` unless `token` is of `to_more_info` for this very transaction."""
    _check(_LOOK, transaction_id, token)


def _token(purpose: str, transaction_id: str) -> str:
    return web_auth.issue_link(logins.policy(), purpose, transaction_id)


def _url(page: str, **values: str) -> str:
    """Return the page's address, also where no request is about: callbacks show links too."""
    path = current_app.url_map.bind("").build(f"interactive.{page}", values)
    return settings().public_url + path


def _check(purpose: str, transaction_id: str, token: str) -> None:
    if web_auth.read_link(logins.policy(), purpose, token) != transaction_id:
        raise Unauthorized("this link is for another transaction")

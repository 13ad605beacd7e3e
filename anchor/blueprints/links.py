"""Links to pages: each opens one page of one transaction, for a while, and nothing else."""

from flask import current_app

from anchor import web_auth
from anchor.blueprints.visits import FORM, LOOK
from anchor.errors import Unauthorized
from anchor.extensions import settings
from anchor.services import logins


def to_form(way: str, transaction_id: str) -> str:
    """Return the address of the page that asks for what a deposit or a withdrawal needs.

    It opens once.
    """
    token = web_auth.issue_link(logins.policy(), FORM, transaction_id, is_once=True)
    return _url("form", way=way, transaction_id=transaction_id, token=token)


def to_more_info(transaction_id: str, lang: str | None = None) -> str:
    """Return the address of the page that shows how a transaction stands (SEP24-65)."""
    token = web_auth.issue_link(logins.policy(), LOOK, transaction_id)
    known = {} if lang is None else {"lang": lang}
    return _url("more_info", transaction_id=transaction_id, token=token, **known)


def bare_more_info(transaction_id: str) -> str:
    """Return the same address without what opens it, for whoever must not (SEP24-46)."""
    return _url("more_info", transaction_id=transaction_id)


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


def _url(page: str, **values: str) -> str:
    """Return the page's address, also where no request is about: callbacks show links too."""
    path = current_app.url_map.bind("").build(f"interactive.{page}", values)
    return settings().public_url + path

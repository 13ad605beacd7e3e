"""Who asks: the bearer token of a request, read once for all doors."""

from flask import request

from anchor import web_auth
from anchor.blueprints import limits
from anchor.errors import Unauthorized
from anchor.services import logins
from anchor.services.transactions import Owner
from anchor.web_auth import Principal


def current_principal() -> Principal:
    """Return who the request's session token speaks for, or raise `Unauthorized`.

    The request counts against the limits of the account and of its client domain.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("a bearer token is needed; log in at the web auth endpoint first")
    principal = web_auth.read_token(logins.policy(), token.strip())
    limits.count_principal(principal)
    return principal


def optional_principal() -> Principal | None:
    """Return who asks, None where nobody says; a token that is not good is `Unauthorized`."""
    return current_principal() if "Authorization" in request.headers else None


def owner_of(principal: Principal) -> Owner:
    """Return whose things a principal may see and move."""
    return Owner(principal.account_id, principal.subaccount_id)

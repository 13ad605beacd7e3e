"""What forms carry, so that no other site can send them: a MAC of the session they belong to."""

import hashlib
import hmac

from anchor import jwt_keys
from anchor.errors import Unauthorized
from anchor.web_auth.policy import WebAuthPolicy


def make(policy: WebAuthPolicy, about: str) -> str:
    """Return the token of the forms of a session, which `about` tells from all others."""
    return _mac(jwt_keys.read(policy.jwt_secret)[0].secret, about)


def check(policy: WebAuthPolicy, about: str, token: str) -> None:
    """Raise `Unauthorized` unless a form carries the token of this session."""
    given = token.encode("utf-8", "replace")
    known = [_mac(key.secret, about) for key in jwt_keys.read(policy.jwt_secret)]
    if not any(hmac.compare_digest(given, mac.encode()) for mac in known):
        raise Unauthorized("this form is not from a page that is open here; please reload the page")


def _mac(secret: str, about: str) -> str:
    return hmac.new(secret.encode(), f"form:{about}".encode(), hashlib.sha256).hexdigest()

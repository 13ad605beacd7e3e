"""Operators prove who they are by a token, and a browser of theirs keeps a session instead.

A token has 256 random bits, so its SHA-256 is all that has to be kept of it. A session names its
operator and the token that began it: it is worth something only while the configuration has both.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from anchor.clock import utcnow
from anchor.errors import Unauthorized
from anchor.policies.operators import Operator, hash_of
from anchor.web_auth import form_tokens
from anchor.web_auth.policy import WebAuthPolicy
from anchor.web_auth.tokens import decode, encode

_AUDIENCE = "console"
#: A session ends so long after its last page, and so long after it began.
IDLE_S = 30 * 60
LONGEST_S = 8 * 3600


def recognise(operators: Iterable[Operator], token: str) -> Operator:
    """Return whose token it is, or `Unauthorized`; how long that takes tells nothing of it."""
    given = hash_of(token)
    found = [each for each in operators if hmac.compare_digest(each.token_hash, given)]
    if not found:
        raise Unauthorized("this is not the token of an operator")
    return found[0]


@dataclass(frozen=True)
class OperatorSession:
    """A browser in which an operator has signed in; `mark` is of the token that began it."""

    name: str
    mark: str
    began_at: datetime = field(default_factory=utcnow)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def ends_at(self) -> datetime:
        """When it is over, however busy it is."""
        return self.began_at + timedelta(seconds=LONGEST_S)


def begin_session(operator: Operator) -> OperatorSession:
    """Return a new session of an operator."""
    return OperatorSession(operator.name, _mark(operator))


def issue_session(policy: WebAuthPolicy, session: OperatorSession) -> str:
    """Return the text of a session for a cookie, good from now until nothing is done with it."""
    left_s = int((session.ends_at - utcnow()).total_seconds())
    claims = {
        "sub": session.name,
        "jti": session.id,
        "mark": session.mark,
        "began": int(session.began_at.timestamp()),
    }
    return encode(policy, _AUDIENCE, min(IDLE_S, left_s), claims)


def read_session(policy: WebAuthPolicy, text: str) -> OperatorSession:
    """Return the session that a browser kept; `Unauthorized` where it is none, or over."""
    claims = decode(policy, _AUDIENCE, text)
    began_at = datetime.fromtimestamp(int(claims["began"]), UTC)
    return OperatorSession(str(claims["sub"]), str(claims["mark"]), began_at, str(claims["jti"]))


def is_of(session: OperatorSession, operator: Operator) -> bool:
    """Tell whether an operator's present token began a session."""
    return hmac.compare_digest(session.mark, _mark(operator))


def form_token(policy: WebAuthPolicy, session: OperatorSession) -> str:
    """Return what the forms of a session carry, and nobody else knows."""
    return form_tokens.make(policy, _about(session))


def check_form_token(policy: WebAuthPolicy, session: OperatorSession, token: str) -> None:
    """Raise `Unauthorized` unless a form came from a page of this very session."""
    form_tokens.check(policy, _about(session), token)


def _about(session: OperatorSession) -> str:
    return f"{_AUDIENCE}:{session.name}:{session.id}"


def _mark(operator: Operator) -> str:
    """Return something that another token of the same operator would not have."""
    return hash_of(f"session {operator.token_hash}")[:32]

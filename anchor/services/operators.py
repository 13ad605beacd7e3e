"""Operators: who of the configuration asks, by a token or in a browser that keeps a session."""

from sqlalchemy import select

from anchor.errors import Unauthorized
from anchor.extensions import by_statement, db, settings
from anchor.models import UsedChallenge
from anchor.policies.operators import Operator
from anchor.services import logins
from anchor.web_auth import operators as web_auth
from anchor.web_auth.operators import OperatorSession


def recognise(token: str) -> Operator:
    """Return whose token it is; `Unauthorized` where it is no operator's."""
    return web_auth.recognise(settings().operators.values(), token)


def sign_in(token: str) -> OperatorSession:
    """Return a new session of whoever's token it is; `Unauthorized` where it is no operator's."""
    return web_auth.begin_session(recognise(token))


def of_session(text: str) -> tuple[Operator, OperatorSession]:
    """Return whose session a browser kept, and the session.

    `Unauthorized` where it is none or over, was signed out of, or is of an operator who is not in
    the configuration any more, or has another token there.
    """
    session = web_auth.read_session(logins.policy(), text)
    operator = settings().operators.get(session.name)
    if operator is None or not web_auth.is_of(session, operator) or _is_over(session):
        raise Unauthorized("this session is over")
    return operator, session


def sign_out(session: OperatorSession) -> None:
    """End a session, in each browser that has kept it."""
    logins.is_first_use(_name(session), session.ends_at)


@by_statement
def _is_over(session: OperatorSession) -> bool:
    query = select(UsedChallenge.hash).where(UsedChallenge.hash == _name(session))
    return db.session.scalar(query) is not None


def _name(session: OperatorSession) -> str:
    return f"console {session.id}"

"""How a page of the console is made: for whom, and what it may load."""

from typing import Any

from flask import Response, request

from anchor.blueprints import operators, page_making
from anchor.config import PUBLIC_PASSPHRASE
from anchor.extensions import settings
from anchor.serializers import console as words

#: Nothing from elsewhere, no script in a page, and in nobody's frame.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def page(template: str, **context: Any) -> Response:
    """Return a page of the console, for whoever has signed in."""
    is_in = operators.has_session()
    operator = operators.current() if is_in else None
    return page_making.made(
        template,
        policy=_POLICY,
        operator=operator,
        may_act=operator is not None and operator.may_act,
        form_token=operators.form_token() if is_in else "",
        form_token_name=operators.TOKEN,
        is_public=settings().network_passphrase == PUBLIC_PASSPHRASE,
        section=(request.endpoint or "").split(".")[1:2],
        words=words,
        at=words.moment,
        **context,
    )

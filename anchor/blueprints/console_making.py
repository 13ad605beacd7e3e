"""How a page of the console is made: for whom, and what it may load."""

from typing import Any

from flask import Response, request, url_for

from anchor.blueprints import operators, page_making
from anchor.config import PUBLIC_PASSPHRASE
from anchor.errors import Unavailable
from anchor.extensions import settings
from anchor.serializers import console as words
from anchor.serializers import console_desk, console_overview
from anchor.services import overview
from anchor.services.act_views import Concerned

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
        **(_notice() if is_in else {}),
        words=words,
        acts_in_order=console_desk.in_order,
        act_done=console_desk.done(request.args.get("done")),
        at=words.moment,
        **context,
    )


def _notice() -> dict[str, Any]:
    """Return what every page says of cases and pauses: nothing while the database is away."""
    try:
        found = overview.notice()
    except Unavailable:
        return {}
    return {
        "cases_open": console_overview.cases_open(found),
        "paused": console_overview.paused(found.paused),
    }


def transaction_page(found: Concerned | None, **query: Any) -> str | None:
    """Return the address of a transaction's page; None where there is none of it."""
    if found is None:
        return None
    return url_for("console.transactions.one", transaction_id=found.id, **query)

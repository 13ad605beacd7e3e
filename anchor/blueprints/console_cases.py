"""Pages about cases: which wait for a person, and one with all that answers it."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints.console_making import page, transaction_page
from anchor.blueprints.describing import described
from anchor.serializers import console_desk as desk_words
from anchor.serializers.admin import known_row
from anchor.serializers.admin_desk import CasesQuery
from anchor.serializers.console_forms import DoneQuery
from anchor.services import act_views, desk

bp = Blueprint("cases", __name__, url_prefix="/cases")


@bp.get("")
@described(query=CasesQuery, media="text/html", errors=(403,), leads_on=True)
def listing() -> ResponseReturnValue:
    """Show what waits for a person, the oldest first."""
    asked = {name: value for name, value in request.args.items() if value}
    try:
        query = CasesQuery().load(asked)
    except ValidationError:
        return redirect(url_for(".listing"), 303)
    found = desk.listing(**{"after": 0} | query)
    return page(
        "console/cases.html",
        found=found,
        asked=query,
        reasons=act_views.open_reasons(),
        next=found[-1].id if len(found) == query["limit"] else None,
        desk_words=desk_words,
    )


@bp.get("/<case_id>")
@described(query=DoneQuery, media="text/html", errors=(403, 404), leads_on=True)
def one(case_id: str) -> ResponseReturnValue:
    """Show one case: what it means, what may be done about it, and what was done."""
    about = act_views.about(case_id=known_row(case_id))
    return page(
        "console/case.html",
        about=about,
        case=about.case,
        desk_words=desk_words,
        transaction_url=transaction_page(about.transaction),
    )

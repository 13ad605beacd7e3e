"""Pages about money: what came on the ledger, what banks booked, and what left."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, ValidationError

from anchor.blueprints import console_lists as lists
from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import first_sentence
from anchor.blueprints.limits import costly
from anchor.extensions import settings
from anchor.serializers import admin_money as queries
from anchor.serializers import console_money as terms
from anchor.serializers.console_csv import ARRIVALS, OUTFLOWS

bp = Blueprint("money", __name__, url_prefix="/money")


@bp.get("")
@described(query=queries.ArrivalsQuery, media="text/html", errors=(403,), leads_on=True)
def listing() -> ResponseReturnValue:
    """Show what came on the ledger, or what banks booked, the newest first."""
    of = request.args.get("of", queries.LEDGER)
    return _page(queries.ArrivalsQuery, queries.arrivals_of, of)


@bp.get("/download")
@costly
@described(query=queries.ArrivalsQuery, media="text/csv", errors=(403,), leads_on=True)
def download() -> ResponseReturnValue:
    """Download the money that came, as CSV."""
    try:
        query = queries.ArrivalsQuery().load(lists.asked())
    except ValidationError:
        return lists.back_to(".listing")
    return lists.download("money", ARRIVALS, queries.arrivals_of, queries.arrival, query)


@bp.get("/outflows")
@described(query=queries.OutflowsQuery, media="text/html", errors=(403,), leads_on=True)
def outflows() -> ResponseReturnValue:
    """Show payouts, submissions and refunds, the newest first."""
    return _page(queries.OutflowsQuery, queries.outflows_of, "outflows")


@bp.get("/outflows/download")
@costly
@described(query=queries.OutflowsQuery, media="text/csv", errors=(403,), leads_on=True)
def download_outflows() -> ResponseReturnValue:
    """Download payouts, submissions and refunds, as CSV."""
    try:
        query = queries.OutflowsQuery().load(lists.asked())
    except ValidationError:
        return lists.back_to(".outflows")
    return lists.download("outflows", OUTFLOWS, queries.outflows_of, queries.outflow, query)


def _page(
    schema: type[Schema], look: Callable[[dict[str, Any]], Sequence[Any]], of: str
) -> ResponseReturnValue:
    found: Sequence[Any] = ()
    problem = following = None
    try:
        query: dict[str, Any] = schema().load(lists.asked())
        found = look(query)
        following = queries.next_of(found, query["limit"])
    except ValidationError as error:
        problem = first_sentence(error)
    known = settings()
    shown = page(
        "console/money.html",
        of=of,
        asked={name: value for name, value in lists.shown(schema).items() if name != "of"},
        found=found,
        next=following,
        problem=problem,
        assets=list(known.assets),
        accounts=known.distribution_accounts,
        rails=list(known.rails),
        explorer=known.pages.explorer_link,
        terms=terms,
    )
    return (shown, 400) if problem else shown

"""Pages about transactions: found by any word that they are known by, and one of them whole."""

from typing import Any

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints import console_lists as lists
from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.blueprints.errors import first_sentence, status_of
from anchor.blueprints.limits import costly
from anchor.errors import NotFound, Rejected
from anchor.extensions import settings
from anchor.serializers import admin_money as queries
from anchor.serializers import console_money as terms
from anchor.serializers.console_csv import TRANSACTIONS
from anchor.serializers.fields import known_id
from anchor.services import transaction_stories

bp = Blueprint("transactions", __name__, url_prefix="/transactions")


@bp.get("")
@described(query=queries.TransactionsQuery, media="text/html", errors=(403, 404), leads_on=True)
def listing() -> ResponseReturnValue:
    """Find transactions, the newest first."""
    try:
        query = queries.TransactionsQuery().load(lists.asked())
        found = queries.transactions_of(query)
    except ValidationError as error:
        return _listing(problem=first_sentence(error)), 400
    except (NotFound, Rejected) as error:
        return _listing(problem=str(error)), status_of(error)
    return _listing(found=found, next=queries.next_of(found, query["limit"]))


@bp.get("/found/download")
@costly
@described(query=queries.TransactionsQuery, media="text/csv", errors=(403, 404), leads_on=True)
def download() -> ResponseReturnValue:
    """Download the transactions that are found, as CSV."""
    try:
        query = queries.TransactionsQuery().load(lists.asked())
        look, show = queries.transactions_of, queries.transaction
        return lists.download("transactions", TRANSACTIONS, look, show, query)
    except (ValidationError, Rejected):
        return lists.back_to(".listing")


@bp.get("/<transaction_id>")
@described(media="text/html", errors=(403, 404), leads_on=True)
def one(transaction_id: str) -> ResponseReturnValue:
    """Show one transaction: its facts and its money, what it waits for, and what happened to it."""
    story = transaction_stories.tell(known_id(transaction_id))
    return page(
        "console/transaction.html",
        story=story,
        shown=story.shown,
        facts=terms.facts(story, settings()),
        explorer=settings().pages.explorer_link,
        terms=terms,
    )


def _listing(**more: Any) -> Response:
    known = {"found": (), "next": None, "problem": None} | more
    return page(
        "console/transactions.html",
        asked=lists.shown(queries.TransactionsQuery),
        assets=list(settings().assets),
        terms=terms,
        **known,
    )

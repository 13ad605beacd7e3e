"""Pages about the books: what stands on each account, now or at the end of a day."""

from typing import Any

from flask import Blueprint, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from anchor.blueprints.console_making import page
from anchor.blueprints.describing import described
from anchor.serializers import console_books as words
from anchor.serializers.admin_books import BooksQuery, day_of
from anchor.services import books, overview

bp = Blueprint("books", __name__, url_prefix="/books")


@bp.get("")
@described(query=BooksQuery, media="text/html", errors=(403,), leads_on=True)
def listing() -> ResponseReturnValue:
    """Show what stands on each account, and what the daily comparison found."""
    try:
        at = _asked().get("at")
    except ValidationError:
        return redirect(url_for(".listing"), 303)
    found = books.balances(at)
    return page(
        "console/books.html",
        books=list(words.books(found)),
        is_balanced=books.is_balanced(found),
        as_of=at,
        day=day_of(at),
        compared=overview.compared(),
    )


@bp.get("/books.csv")
@described(query=BooksQuery, media="text/csv", errors=(403,), leads_on=True)
def download() -> ResponseReturnValue:
    """Return the same as a table: asset, account, amount."""
    try:
        at = _asked().get("at")
    except ValidationError:
        return redirect(url_for(".listing"), 303)
    response = make_response(words.table(books.balances(at)))
    response.mimetype = "text/csv"
    response.headers["Content-Disposition"] = f'attachment; filename="books{_suffix(at)}.csv"'
    return response


def _asked() -> dict[str, Any]:
    asked: dict[str, Any] = BooksQuery().load(
        {name: value for name, value in request.args.items() if value}
    )
    return asked


def _suffix(at: Any) -> str:
    return f"-{day_of(at) or f'{at:%Y-%m-%dT%H%M%S}'}" if at else ""

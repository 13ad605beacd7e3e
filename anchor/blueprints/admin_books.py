"""The admin API about the books."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from anchor.blueprints.describing import described
from anchor.serializers import admin_books as words
from anchor.services import books

bp = Blueprint("books", __name__, url_prefix="/books")


@bp.get("")
@described(query=words.BooksQuery, answer=words.BooksAnswer, operator=True)
def show() -> ResponseReturnValue:
    """Show what stands on each account of the books, now or as of an instant."""
    at = words.BooksQuery().load(request.args.to_dict()).get("at")
    return jsonify(words.balances(books.balances(at), at))

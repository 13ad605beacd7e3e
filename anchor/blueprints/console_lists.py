"""How lists of the console are asked for, and downloaded: page by page as read, up to a bound."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Response, redirect, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from anchor.serializers import console_csv as words

#: So many rows are downloaded at most; whoever needs more chooses less at a time.
MOST = 10_000
_PAGE = 200


def asked() -> dict[str, str]:
    """Return what the query says, without what is empty: forms send all their fields."""
    return {name: value.strip() for name, value in request.args.items() if value.strip()}


def shown(schema: type[Schema]) -> dict[str, str]:
    """Return what is asked of the fields of a query: only this may go into an address."""
    return {name: value for name, value in asked().items() if name in schema._declared_fields}


def back_to(endpoint: str) -> ResponseReturnValue:
    """Lead to the page that says what is wrong with the query."""
    return redirect(f"{url_for(endpoint)}?{urlencode(asked())}", 303)


def download(
    name: str,
    columns: Sequence[str],
    look: Callable[[dict[str, Any]], Sequence[Any]],
    show: Callable[[Any], dict[str, Any]],
    query: dict[str, Any],
) -> Response:
    """Return what a query finds as a file `name`, whatever page of it is shown.

    Each page is read, and let go, before it is sent: nothing is held open for a slow reader.
    """
    query = {key: value for key, value in query.items() if key not in {"after", "limit"}}
    first = look(query | {"limit": _PAGE})

    def parts() -> Iterator[str]:
        yield words.head(columns)
        found, count = first, 0
        while found:
            yield words.body(columns, map(show, found))
            count += len(found)
            if len(found) < _PAGE or count >= MOST:
                return
            found = look(query | {"limit": _PAGE, "after": found[-1].id})

    response = Response(stream_with_context(parts()), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response

"""What a view says of itself in the OpenAPI document, in one line above it.

To describe a door, decorate each of its views, below the route::

    @bp.post("/quote")
    @costly
    @described(body=QuoteBody, answer=QuoteAnswer, status=201, token=True, errors=(404,))
    def quote() -> ResponseReturnValue:
        \"\"\"Promise a price, which becomes the summary.\"\"\"

`query` and `body` are the schemas that the view loads; `answer` is a schema of what it returns,
for documents only where the view builds plain dictionaries: one class beside them in
`serializers/`, whose fields are those of `anchor.serializers.answers`. Names of parameters in the
path come from the route, 400 from there being a query or a body, 403 from `token`, 413 and 415
from a body; `errors` are all others, and `others` answers with schemas of their own. One that
`leads_on` may answer 303. What is for operators says so (`operator`) instead of `token`, and may
want `headers`. Fields of our own say their JSON Schema in an attribute `openapi`.
A test finds views that say nothing, and answers that are not as they are said to be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from marshmallow import Schema

_ATTRIBUTE = "anchor_described"
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Description:
    """What goes into a view and what comes out."""

    query: type[Schema] | None = None
    body: type[Schema] | None = None
    answer: type[Schema] | None = None
    status: int = 200
    media: str = "application/json"
    token: bool = False
    errors: tuple[int, ...] = ()
    others: Mapping[int, type[Schema]] = field(default_factory=dict)
    leads_on: bool = False
    operator: bool = False
    headers: type[Schema] | None = None

    @property
    def needs_token(self) -> bool:
        """Whether it is for somebody who says who they are."""
        return self.token or self.operator

    @property
    def statuses(self) -> list[int]:
        """The statuses of its errors."""
        found = {429, 500, 503, *self.errors}
        if self.query or self.body or self.headers:
            found.add(400)
        if self.body:
            found |= {413, 415}
        if self.token:
            found |= {403}
        if self.operator:
            found |= {401, 403}
        return sorted(found)


def described(
    *,
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    answer: type[Schema] | None = None,
    status: int = 200,
    media: str = "application/json",
    token: bool = False,
    errors: tuple[int, ...] = (),
    others: Mapping[int, type[Schema]] | None = None,
    leads_on: bool = False,
    operator: bool = False,
    headers: type[Schema] | None = None,
) -> Callable[[View], View]:
    """Describe a view; see the module. `token` says that it wants one of a session."""
    said = (query, body, answer, status, media, token, errors, others or {}, leads_on)
    found = Description(*said, operator, headers)

    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, found)
        return view

    return mark


def description_of(view: Callable[..., Any]) -> Description | None:
    """Return what a view says of itself, or None."""
    found: Description | None = getattr(view, _ATTRIBUTE, None)
    return found

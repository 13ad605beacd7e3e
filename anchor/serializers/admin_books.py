"""The words of the admin API about the books: what stands on each account, and as of when."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar

from marshmallow import Schema, fields

from anchor.money import signed
from anchor.serializers.answers import Text
from anchor.serializers.answers import instant_text as instant_answer
from anchor.serializers.fields import Instant, instant_text
from anchor.serializers.messages import invalid
from anchor.services import books

_DAY = len("2026-01-31")
_FIRST = datetime.min.replace(tzinfo=UTC)


class Until(Instant):
    """An instant in UTC; a day stands for its end."""

    openapi: ClassVar[dict[str, Any]] = {
        "type": "string",
        "description": "a day, which stands for its end, or an instant; both in UTC",
        "examples": ["2026-01-31", "2026-01-31T12:00:00Z"],
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        found = super()._deserialize(value, attr, data, **kwargs)
        if len(value) != _DAY:
            return found
        try:
            return found + timedelta(days=1)
        except OverflowError as error:
            raise invalid("must be a date and time of this age") from error


class BooksQuery(Schema):
    """As of when: now, where nothing is said."""

    at = Until()


def balances(found: Mapping[str, Mapping[str, int]], at: datetime | None = None) -> dict[str, Any]:
    """Show what stands on each account, and whether that sums to zero in each asset."""
    assets = {
        asset: {name: signed(amount) for name, amount in accounts.items()}
        for asset, accounts in found.items()
    }
    return {"balanced": books.is_balanced(found), "at": instant_text(at), "assets": assets}


def day_of(at: datetime | None) -> str:
    """Return the day whose end an instant is, as forms write it; nothing for any other."""
    if at is None or at.astimezone(UTC).time() != time.min or at.astimezone(UTC) == _FIRST:
        return ""
    return (at.astimezone(UTC) - timedelta(days=1)).date().isoformat()


# -- what answers look like, for the OpenAPI document -------------------------------------------


def _amounts() -> fields.Dict:
    amount = Text(pattern=r"^-?[0-9]+(\.[0-9]{1,7})?$")
    return fields.Dict(keys=fields.String(), values=amount)


class BooksAnswer(Schema):
    """What stands on each account of the books by asset, negative where it is owed."""

    balanced = fields.Boolean(required=True)
    at = instant_answer(nullable=True, required=True)
    assets = fields.Dict(keys=fields.String(), values=_amounts(), required=True)

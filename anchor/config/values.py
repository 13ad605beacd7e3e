"""What tables of ``anchor.toml`` are made of: strict ones, amounts and percentages."""

from decimal import Decimal
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from anchor.errors import Rejected
from anchor.money import parse_amount

#: So many decimals of a percentage are kept of a transaction.
_PERCENT_DECIMALS = 6


class Strict(Schema):
    """A table in which nothing may stand that is not known."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "is not a setting that the anchor knows"}


def _amount(value: object) -> None:
    try:
        parse_amount(str(value), zero=True)
    except Rejected as error:
        raise ValidationError(f"must be an amount in quotes: {error}") from error


class Amount(fields.String):
    """An amount written as text, so that no binary fraction ever touches it."""

    default_error_messages = {"invalid": 'must be an amount in quotes, such as "1.50"'}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=_amount, **kwargs)


class Percent(fields.Decimal):
    """Percentage points from 0 to 100, with as many decimals as transactions keep."""

    def __init__(self) -> None:
        super().__init__(
            allow_nan=False, load_default=Decimal(0), validate=validate.Range(min=0, max=100)
        )

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str | int):
            raise ValidationError('must be a percentage in quotes, such as "0.5"')
        found: Decimal = super()._deserialize(value, *args, **kwargs)
        if round(found, _PERCENT_DECIMALS) != found:
            raise ValidationError(f"has {_PERCENT_DECIMALS} decimals at most")
        return found

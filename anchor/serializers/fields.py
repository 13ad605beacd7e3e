"""Fields that all doors read and write: text, amounts, addresses, instants, languages."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from unicodedata import category

from marshmallow import ValidationError, fields, missing, validate

from anchor.errors import NotFound, Rejected
from anchor.money import format_amount, parse_amount
from anchor.serializers.messages import Message, invalid
from anchor.web_auth import is_account, is_contract

_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")


def text(length: int = 100, **kwargs: Any) -> fields.String:
    """Return a field of one line of text of at most `length` characters."""
    return fields.String(validate=[validate.Length(1, length), plain], **kwargs)


class MemoText(fields.String):
    """A memo as text; a whole number in JSON counts as its digits (SEP12-05)."""

    def __init__(self) -> None:
        super().__init__(validate=[validate.Length(1, 100), plain])

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, Decimal) and value == value.to_integral_value() < Decimal(2**64):
            value = format(value, "f").partition(".")[0]
        found: str = super()._deserialize(value, attr, data, **kwargs)
        return found


class Amount(fields.Field[int]):
    """An amount on the wire as stroops inside: a plain decimal, as text or JSON number."""

    openapi: ClassVar = {
        "type": ["string", "number"],
        "description": "a plain decimal above 0 with at most 7 decimals",
        "examples": ["100.5"],
    }

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else format_amount(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, Decimal):
            value = format(value, "f")
        if not isinstance(value, str):
            raise invalid("must be an amount")
        try:
            return parse_amount(value)
        except Rejected as error:
            raise ValidationError(Message.of(error)) from error


class Address(fields.String):
    """A ``G…``, ``M…`` or ``C…`` address, checksum included (GEN-39, SEP-23)."""

    openapi: ClassVar = {"pattern": "^([GC][A-Z2-7]{55}|M[A-Z2-7]{68})$"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > 100 or not (is_account(text) or is_contract(text)):
            raise invalid("must be a Stellar address (G…, M… or C…)")
        return text


class Instant(fields.Field[datetime]):
    """An instant in UTC, written with ``Z`` (GEN-35)."""

    openapi: ClassVar = {"type": "string", "format": "date-time"}

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return instant_text(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            found = datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise invalid("must be a date and time in ISO 8601") from error
        try:
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except OverflowError as error:
            raise invalid("must be a date and time of this age") from error


def instant_text(at: datetime | None) -> str | None:
    """Write an instant as `Instant` does; None stays None."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Lang(fields.Field[str]):
    """The tag of a language, such as ``es-MX``; None for what is none (GEN-38: never an error)."""

    openapi: ClassVar = {
        "description": "a language such as es or pt-BR; English where it is not spoken here"
    }

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the tag, or None; nothing is refused."""
        if value is missing:
            return value
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*", value[:36]):
            return value if len(value) <= 35 else None
        return None


def plain(text: str) -> str:
    """Refuse control characters, which a database and a log cannot hold."""
    kinds = {category(character) for character in text}
    if "Cc" in kinds:
        raise invalid("must not have control characters")
    if "Cs" in kinds:
        raise invalid("must be valid Unicode")
    return text


def known_id(text: str) -> str:
    """Return an id out of a path that may be one of ours; `NotFound` for whatever else it is."""
    if not _ID.fullmatch(text):
        raise NotFound("there is no such transaction")
    return text

"""What all tables share: types of columns, ids, and lists of words in CHECKs."""

import secrets
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Numeric
from sqlalchemy.types import TypeDecorator

Instant = DateTime(timezone=True)
Stroops = BigInteger
MEMO_TYPES = ("id", "hash", "text")


class UInt64(TypeDecorator[int]):
    """A whole number of 64 bits without a sign, as memos and muxed ids are."""

    impl = Numeric(20, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """Give the driver a numeric: a plain int above 63 bits does not fit its bigint."""
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Give Python the int."""
        return None if value is None else int(value)


def new_id() -> str:
    """Return an id nobody can guess: 128 random bits, URL-safe."""
    return secrets.token_hex(16)


def one_of(column: str, values: Any) -> str:
    """Return the condition that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"

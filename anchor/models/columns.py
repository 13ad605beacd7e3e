"""What all tables share: types of columns, ids, and lists of words in CHECKs."""

import secrets
from typing import Any

from sqlalchemy import BigInteger, DateTime

Instant = DateTime(timezone=True)
Stroops = BigInteger
MEMO_TYPES = ("id", "hash", "text")


def new_id() -> str:
    """Return an id nobody can guess: 128 random bits, URL-safe."""
    return secrets.token_hex(16)


def one_of(column: str, values: Any) -> str:
    """Return the condition that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"

"""What a request brings beside its path, whether in its query or in its body."""

from functools import cache
from typing import Self

from marshmallow import EXCLUDE, Schema


class Query(Schema):
    """Whatever a wallet sends beside what is known is passed over."""

    class Meta:
        unknown = EXCLUDE

    @classmethod
    @cache
    def one(cls) -> Self:
        """Return the one of its kind: it keeps nothing of what it loads, and is slow to make."""
        return cls()

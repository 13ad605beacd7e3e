"""What a request brings beside its path, whether in its query or in its body."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from marshmallow import EXCLUDE, Schema, pre_load


class Query(Schema):
    """Whatever a wallet sends beside what is known is passed over.

    What is empty or null counts as not sent: forms send all their fields.
    """

    class Meta:
        unknown = EXCLUDE

    @classmethod
    @cache
    def one(cls) -> Self:
        """Return the one of its kind: it keeps nothing of what it loads, and is slow to make."""
        return cls()

    @pre_load
    def _without_empty(self, data: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None and value != ""}

"""Details of a customer that a rail asks for: read, trimmed and held against their patterns."""

import re
from collections.abc import Mapping, Sequence

from anchor.errors import Rejected
from anchor.integrations.protocols import Field, RailsIntegration
from anchor.lifecycle import DEPOSITS

MAX_CHARS = 500


def asked(rail: RailsIntegration, kind: str) -> Sequence[Field]:
    """Return the details that a rail needs of the customer for a transaction of this kind."""
    if kind in DEPOSITS:
        return rail.deposit_fields
    return rail.withdrawal_fields


def read(
    fields: Sequence[Field], given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, Rejected]]:
    """Return the valid values, and for each other field what says why not."""
    values: dict[str, str] = {}
    problems: dict[str, Rejected] = {}
    for field in fields:
        text = given.get(field.name, "").strip()
        if not text:
            if not field.optional:
                problems[field.name] = Rejected("{label} is needed", label=field.label)
        elif not _is_storable(text) or not re.fullmatch(field.pattern, text):
            problems[field.name] = Rejected(
                "{label} is not written as it should be", label=field.label
            )
        else:
            values[field.name] = text
    return values, problems


def _is_storable(text: str) -> bool:
    """Tell whether a database can hold it: JSON may bring what is no character."""
    halves = any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)
    return len(text) <= MAX_CHARS and "\x00" not in text and not halves

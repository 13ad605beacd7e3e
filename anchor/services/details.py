"""Details of a customer that a rail asks for: read, trimmed and held against their patterns."""

import re
from collections.abc import Mapping, Sequence

from anchor.integrations.protocols import Field

MAX_CHARS = 500


def read(
    fields: Sequence[Field], given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the valid values, and for each other field the sentence that says why not."""
    values: dict[str, str] = {}
    problems: dict[str, str] = {}
    for field in fields:
        text = given.get(field.name, "").strip()
        if not text:
            if not field.optional:
                problems[field.name] = f"{field.label} is needed"
        elif len(text) > MAX_CHARS or not re.fullmatch(field.pattern, text):
            problems[field.name] = f"{field.label} is not written as it should be"
        else:
            values[field.name] = text
    return values, problems

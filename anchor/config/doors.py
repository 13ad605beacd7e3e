"""Which doors need which others."""

from collections.abc import Mapping
from typing import Any

QUOTES = 38
_NEEDS = {6: 12, 31: 12}


def check_doors(data: Mapping[str, Any], problems: list[str]) -> None:
    """Add what contradicts itself in ``anchor.seps`` to `problems`."""
    seps = data["anchor"]["seps"]
    for sep, needed in _NEEDS.items():
        if sep in seps and needed not in seps:
            problems.append(f"SEP-{sep} needs SEP-{needed}: add {needed} to anchor.seps.")
    if QUOTES in seps and not data["pairs"]:
        problems.append("anchor.seps has 38, and no [[pairs]] say what is exchanged.")

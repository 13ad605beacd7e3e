"""What the file says of anchors that we send to: none but these is ever asked or paid."""

from collections.abc import Mapping
from typing import Any

from anchor.money import parse_amount
from anchor.policies import HOUSE, ReceivingAnchor


def receiving_anchors(
    data: Mapping[str, Any], problems: list[str], *, has_keys: bool
) -> dict[str, ReceivingAnchor]:
    """Return whom we send to, by domain; contradictions are added to `problems`."""
    tables = data["receiving_anchors"]
    if tables and not has_keys:
        problems.append(
            "ANCHOR_CUSTOMER_KEYS is not set, and [receiving_anchors] need it: "
            "what is known of senders and receivers is kept encrypted."
        )
    if any(HOUSE in table["rails"] for table in data["assets"].values()):
        problems.append(f"{HOUSE} is what the house's own money comes by: no rail may be it.")
    return {
        domain: ReceivingAnchor(domain, parse_amount(table["cap"]))
        for domain, table in tables.items()
    }

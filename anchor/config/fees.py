"""What the file says of fees: the same keys for ways of assets and of pairs, and their rails."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from marshmallow import fields, validate

from anchor.config.values import Amount, Percent, Strict
from anchor.fees import Fees, FeeSchedule, FeeTier
from anchor.money import parse_amount


class _Tier(Strict):
    least = Amount(data_key="from", required=True)
    fee_fixed = Amount(load_default="0")
    fee_percent = Percent()


class FeeTable(Strict):
    """One schedule."""

    fee_fixed = Amount(load_default="0")
    fee_percent = Percent()
    fee_minimum = Amount(load_default="0")
    fee_maximum = Amount()
    tiers = fields.List(fields.Nested(_Tier), load_default=list, validate=validate.Length(max=100))


class WayFeesTable(FeeTable):
    """The usual schedule of one way, and those of rails that have their own."""

    rails = fields.Dict(keys=fields.String(), values=fields.Nested(FeeTable), load_default=dict)


def fees(where: str, table: Mapping[str, Any], rails: Sequence[str], problems: list[str]) -> Fees:
    """Return the fees of a checked table; what contradicts itself is added to `problems`."""
    problems += [
        f"{where}.rails.{name} is none of the asset's rails."
        for name in table["rails"]
        if name not in rails
    ]
    return Fees(
        _schedule(where, table, problems),
        {
            name: _schedule(f"{where}.rails.{name}", each, problems)
            for name, each in table["rails"].items()
        },
    )


def _schedule(where: str, table: Mapping[str, Any], problems: list[str]) -> FeeSchedule:
    tiers = tuple(
        FeeTier(_amount(each["least"]), _amount(each["fee_fixed"]), each["fee_percent"])
        for each in table["tiers"]
    )
    found = FeeSchedule(
        fixed=_amount(table["fee_fixed"]),
        percent=table["fee_percent"],
        minimum=_amount(table["fee_minimum"]),
        maximum=_amount(table["fee_maximum"]) if "fee_maximum" in table else None,
        tiers=tiers,
    )
    if found.maximum is not None and found.minimum > found.maximum:
        problems.append(f"{where}: fee_minimum is above fee_maximum.")
    if any(one.least >= other.least for one, other in pairwise(found.bands)):
        problems.append(f"{where}.tiers: each begins above the one before, the first above 0.")
    return found


def _amount(text: str) -> int:
    return parse_amount(text, zero=True)

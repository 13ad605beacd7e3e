"""Amounts: integers of 10⁻⁷ (stroops) inside, `Decimal` and plain text outside, never float."""

import re
from decimal import ROUND_CEILING, Decimal, localcontext

from anchor.errors import Rejected
from anchor.languages import Number

DECIMALS = 7
STROOPS_PER_UNIT: int = 10**DECIMALS
MAX_STROOPS = 2**63 - 1
_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,7}))?")


def parse_amount(text: str, *, zero: bool = False) -> int:
    """Read a plain decimal of at most seven places as stroops.

    Raises `Rejected` for anything else: signs, exponents, spaces, NaN, digits that are not
    ASCII, amounts the ledger cannot hold, and nought unless `zero`.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise Rejected("an amount is written as a plain number with at most 7 decimals")
    whole, fraction = match.groups()
    stroops = int(whole) * STROOPS_PER_UNIT + int((fraction or "").ljust(DECIMALS, "0"))
    if stroops > MAX_STROOPS:
        raise Rejected("the amount is larger than the ledger can hold")
    if stroops == 0 and not zero:
        raise Rejected("the amount must be above 0")
    return stroops


def to_stroops(amount: Decimal) -> int:
    """Return a decimal amount as stroops; `Rejected` where it is not exactly one."""
    if not amount.is_finite() or amount < 0:
        raise Rejected("an amount is a number of 0 or more")
    with localcontext(prec=60):
        scaled = amount * STROOPS_PER_UNIT
        if scaled != scaled.to_integral_value() or scaled > MAX_STROOPS:
            raise Rejected("the amount is finer or larger than the ledger can hold")
        return int(scaled)


def to_decimal(stroops: int) -> Decimal:
    """Return stroops as an exact decimal amount."""
    return Decimal(stroops).scaleb(-DECIMALS)


def format_amount(stroops: int) -> str:
    """Write stroops as the shortest plain decimal: ``100``, ``0.5``."""
    text = format_amount_7(stroops)
    return text.rstrip("0").rstrip(".")


def format_amount_7(stroops: int) -> str:
    """Write stroops with exactly seven decimals, as Horizon does."""
    whole, fraction = divmod(stroops, STROOPS_PER_UNIT)
    return f"{whole}.{fraction:0{DECIMALS}d}"


def told(stroops: int) -> Number:
    """Return stroops as a value of a sentence, which writes them as its language does."""
    return Number(format_amount(stroops))


def signed(stroops: int) -> str:
    """Write stroops that may be below zero as the shortest plain decimal."""
    return ("-" if stroops < 0 else "") + format_amount(abs(stroops))


def signed_7(stroops: int) -> str:
    """Write stroops that may be below zero with exactly seven decimals."""
    return ("-" if stroops < 0 else "") + format_amount_7(abs(stroops))


def round_down(stroops: int, decimals: int) -> int:
    """Round stroops down to what can be said in so many decimals (0 to 7)."""
    step = int(10 ** (DECIMALS - decimals))
    return stroops - stroops % step


def round_up(stroops: Decimal, decimals: int) -> int:
    """Round to what can be said in so many decimals (0 to 7), never down.

    Raises `Rejected` for what the ledger cannot hold.
    """
    with localcontext(prec=60, rounding=ROUND_CEILING):
        step = Decimal(10) ** (DECIMALS - decimals)
        found = (stroops / step).to_integral_value(rounding=ROUND_CEILING) * step
    if found > MAX_STROOPS:
        raise Rejected("the amount is larger than the ledger can hold")
    return int(found)

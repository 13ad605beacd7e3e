"""Amounts on the pages: as a customer types them, and as each language writes them."""

import re
from decimal import Decimal
from typing import Any

from anchor import languages, pricing
from anchor.money import parse_amount, to_decimal
from anchor.services.draft_sums import Sums

#: Between a number and its unit, so that they stay on one line.
NBSP = "\N{NO-BREAK SPACE}"
#: A comma that can be of decimals alone, in each language: groups have three digits.
_DECIMAL_COMMA = re.compile(r"([0-9]+),([0-9]{1,2})")


def said(sums: Sums, language: str) -> dict[str, Any]:
    """Return sums for people: what is paid, the fee, what is received, and the rate."""
    told: dict[str, Any] = {
        "paid": money(language, sums.paid, sums.paid_in),
        "fee": money(language, sums.fee, sums.paid_in),
        "received": money(language, sums.received, sums.received_in),
        "is_firm": sums.is_firm or not sums.is_exchange,
    }
    rate = rate_of(sums, language)
    return told | ({"rate": rate} if rate else {})


def rate_of(sums: Sums, language: str) -> str:
    """Return how much one of what costs less is: the dearer of both for one, to six digits."""
    if sums.paid_in == sums.received_in:
        return ""
    before_fee = sums.paid - sums.fee
    if not sums.is_exchange:
        return f"1{NBSP}{sums.received_in} = 1{NBSP}{sums.paid_in}"
    if before_fee >= sums.received:
        one, other, ratio = sums.received_in, sums.paid_in, Decimal(before_fee) / sums.received
    else:
        one, other, ratio = sums.paid_in, sums.received_in, Decimal(sums.received) / before_fee
    written = languages.number(language, Decimal(pricing.plain(ratio, 6)))
    return f"1{NBSP}{one} = {written}{NBSP}{other}"


def typed(text: str) -> int:
    """Read an amount that a customer typed as stroops: ``1234.5``, ``1234,5``.

    Some telephones offer no other mark than the comma of their language. Raises `Rejected` for
    what could be read in two ways, such as ``1,234``, as for whatever is no plain number.
    """
    found = text.strip()
    comma = _DECIMAL_COMMA.fullmatch(found)
    return parse_amount(f"{comma[1]}.{comma[2]}" if comma else found)


def money(language: str, stroops: int | None, code: str) -> str:
    """Write an amount as a language does, in no fewer decimals than its currency has.

    Each digit of it is there, and it stays on one line: ``1,234.50 USD``. Nothing for None.
    """
    if stroops is None:
        return ""
    written = languages.number(language, to_decimal(stroops), languages.decimals_of(code))
    return f"{written}{NBSP}{code}"


def brief(language: str, stroops: int, code: str) -> str:
    """Write an amount for a sentence: as `money`, but a whole one as such, ``10,000 USD``."""
    written = languages.figure(language, to_decimal(stroops), languages.decimals_of(code))
    return f"{written}{NBSP}{code}"

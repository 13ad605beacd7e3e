"""Amounts are exact, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import Rejected
from anchor.money import (
    MAX_STROOPS,
    format_amount,
    format_amount_7,
    parse_amount,
    to_decimal,
    to_stroops,
)

stroops = st.integers(1, MAX_STROOPS)


@pytest.mark.conforms("GEN-30")
@given(stroops)
def test_promise_09_what_is_written_is_read_again(amount: int) -> None:
    assert parse_amount(format_amount(amount)) == amount
    assert parse_amount(format_amount_7(amount)) == amount
    assert to_stroops(to_decimal(amount)) == amount


@pytest.mark.conforms("GEN-32")
@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", "+1", "-1", "1e3", "1E3", "NaN", "Infinity", "inf", ".5", "1."),
        *("1,5", "0x10", "\u0661", "1_000", "1.12345678", "0", "0.0000000", "922337203685.4775808"),
        *("9999999999999", "1" * 5000, "1.5.5", "null", "\x001"),
    ],
)
def test_anything_but_a_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        parse_amount(text)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-1", "0.00000001", "1e30"])
def test_a_decimal_that_the_ledger_cannot_hold_is_refused(amount: str) -> None:
    with pytest.raises(Rejected):
        to_stroops(Decimal(amount))

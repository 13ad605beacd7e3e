"""The price algebra: exact either way, and never rounded in the customer's favour."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from anchor import pricing
from anchor.errors import Rejected
from anchor.fees import FeeSchedule, FeeTier, fee_of
from anchor.money import parse_amount, round_down, to_decimal
from anchor.pricing import Priced, Terms

UNIT = 10_000_000
RATES = st.decimals("0.000001", "1000000", places=12).filter(lambda rate: rate > 0)
PERCENTS = st.decimals("0", "20", places=4)
DECIMALS = st.integers(0, 7)
TIERS = st.lists(
    st.builds(FeeTier, st.integers(1, 10**15), st.integers(0, 50 * UNIT), PERCENTS),
    max_size=3,
    unique_by=lambda tier: tier.least,
).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.least)))
SCHEDULES = st.builds(
    FeeSchedule,
    fixed=st.integers(0, 50 * UNIT),
    percent=PERCENTS,
    minimum=st.sampled_from([0, UNIT, 3 * UNIT + 1]),
    maximum=st.sampled_from([None, 5 * UNIT, 100 * UNIT + 7]),
    tiers=TIERS,
)
TERMS = st.builds(
    Terms,
    rate=RATES,
    spread=PERCENTS,
    fee=SCHEDULES,
    sell_decimals=DECIMALS,
    buy_decimals=DECIMALS,
)


def terms(rate: str, fixed: str = "0", percent: str = "0", spread: str = "0") -> Terms:
    fee = FeeSchedule(parse_amount(fixed, zero=True), Decimal(percent))
    return Terms(Decimal(rate), Decimal(spread), fee, 2, 2)


def said(found: Priced) -> tuple[str, ...]:
    numbers = (to_decimal(found.sell_amount), to_decimal(found.buy_amount))
    prices = (found.total_price, found.price, to_decimal(found.fee))
    return tuple(pricing.plain(number) for number in (*numbers, *prices))


def priced(rules: Terms, amount: int, side: str) -> Priced:
    """Price an amount on a side, as many of it as can be paid; leave out what is refused."""
    decimals = rules.sell_decimals if side == "sell" else rules.buy_decimals
    try:
        act = pricing.sell if side == "sell" else pricing.buy
        return act(rules, round_down(amount, decimals))
    except Rejected:
        assume(False)
        raise


#: Many amounts of a rate that may be anything are refused, as too little or too much.
WIDELY = settings(suppress_health_check=[HealthCheck.filter_too_much])
SIDES = st.sampled_from(["sell", "buy"])
AMOUNTS = st.integers(1, 10**16)


@pytest.mark.conforms("SEP38-40", "SEP38-41", "SEP38-42", "SEP38-45")
@pytest.mark.parametrize(
    ("rules", "side", "amount", "wanted"),
    [
        (terms("5", "42"), "sell", "542", ("542", "100", "5.42", "5", "42")),
        (terms("5", "42"), "buy", "100", ("542", "100", "5.42", "5", "42")),
        (terms("0.18", "10"), "sell", "100", ("100", "500", "0.2", "0.18", "10")),
        (terms("0.18", "10"), "buy", "500", ("100", "500", "0.2", "0.18", "10")),
    ],
)
def test_the_examples_of_the_text_come_out(
    rules: Terms, side: str, amount: str, wanted: tuple[str, ...]
) -> None:
    assert said(priced(rules, parse_amount(amount), side)) == wanted


@pytest.mark.conforms("SEP38-40", "SEP38-41", "SEP38-42", "SEP38-43")
@WIDELY
@given(TERMS, AMOUNTS, SIDES)
def test_what_is_sold_is_the_fee_and_the_price_of_what_is_bought(
    rules: Terms, amount: int, side: str
) -> None:
    """To the last stroop, for any amount that a ledger can hold."""
    found = priced(rules, amount, side)
    sold = to_decimal(found.sell_amount)
    half = Decimal("0.5E-7")
    assert abs(sold - pricing.worth(found.buy_amount, found.total_price)) < half
    worth = pricing.worth(found.buy_amount, found.price)
    assert abs(sold - to_decimal(found.fee) - worth) < half
    assert found.fee_fixed + found.fee_share == found.fee
    assert found.fee_fixed >= 0
    assert found.fee_share >= 0


@pytest.mark.conforms("SEP38-34")
@WIDELY
@given(TERMS, AMOUNTS, SIDES)
def test_the_side_that_was_given_is_kept_and_nothing_is_nought(
    rules: Terms, amount: int, side: str
) -> None:
    found = priced(rules, amount, side)
    kept, decimals = (
        (found.sell_amount, rules.sell_decimals)
        if side == "sell"
        else (found.buy_amount, rules.buy_decimals)
    )
    assert kept == round_down(amount, decimals)
    assert min(found.sell_amount, found.buy_amount) > 0
    assert found.sell_amount == round_down(found.sell_amount, rules.sell_decimals)
    assert found.buy_amount == round_down(found.buy_amount, rules.buy_decimals)
    assert found.fee == round_down(found.fee, rules.sell_decimals)


@WIDELY
@given(TERMS, AMOUNTS, SIDES)
def test_no_rounding_is_in_the_customers_favour(rules: Terms, amount: int, side: str) -> None:
    found = priced(rules, amount, side)
    nominal = pricing.price_of(rules)
    assert pricing.worth(found.buy_amount, nominal) <= to_decimal(found.sell_amount - found.fee)
    assert found.fee >= fee_of(rules.fee, found.sell_amount, rules.sell_decimals)


@WIDELY
@given(TERMS, AMOUNTS)
def test_going_to_and_fro_between_the_sides_wins_nothing(rules: Terms, amount: int) -> None:
    """Who buys what a sale brings pays no less; who sells what a purchase costs gets no less."""
    sale = priced(rules, amount, "sell")
    assert pricing.buy(rules, sale.buy_amount).sell_amount <= sale.sell_amount
    bought = pricing.buy(rules, sale.buy_amount)
    assert pricing.sell(rules, bought.sell_amount).buy_amount >= sale.buy_amount


ORDINARY = st.builds(
    Terms,
    rate=st.decimals("0.01", "1000", places=6),
    spread=PERCENTS,
    fee=st.builds(FeeSchedule, st.integers(0, UNIT), PERCENTS),
    sell_decimals=st.integers(2, 7),
    buy_decimals=st.integers(0, 2),
)


@pytest.mark.conforms("SEP38-43")
@WIDELY
@given(ORDINARY, st.integers(10**10, 10**14), SIDES)
def test_the_validators_own_formula_in_binary_fractions_holds(
    rules: Terms, amount: int, side: str
) -> None:
    """`round(sell / price, d) == round(buy, d)`, with d decimals of the asset off the ledger."""
    found = priced(rules, amount, side)
    sold, bought, fee = (
        float(pricing.plain(to_decimal(each)))
        for each in (found.sell_amount, found.buy_amount, found.fee)
    )
    total, price = (float(pricing.plain(each)) for each in (found.total_price, found.price))
    assert round(sold / total, 2) == round(bought, 2)
    assert round((sold - fee) / price, 2) == round(bought, 2)


@pytest.mark.conforms("GEN-30")
@given(RATES, PERCENTS)
def test_no_price_is_written_with_an_exponent(rate: Decimal, spread: Decimal) -> None:
    tiny = Decimal("1E-7")
    for number in (rate, pricing.inverse(rate), rate * spread, tiny, Decimal("1E+2")):
        text = pricing.plain(number)
        assert set(text) <= set("0123456789.")
        assert not (("." in text) and text.endswith(("0", ".")))
    assert pricing.plain(tiny) == "0.0000001"
    assert pricing.plain(Decimal("1E+2")) == "100"


@given(RATES)
def test_the_way_back_is_no_better_than_the_rate(rate: Decimal) -> None:
    assert pricing.inverse(rate) * rate >= Decimal(1) - Decimal("1E-27")


@pytest.mark.parametrize(
    ("rules", "side", "amount"),
    [
        (terms("5", "42"), "sell", "42"),
        (terms("5", percent="99"), "sell", "0.01"),
        (terms("500"), "sell", "1"),
        (terms("5"), "sell", "1.001"),
        (terms("5"), "buy", "1.001"),
        (terms("1000000"), "buy", "900000000000"),
        (terms("0.000001"), "sell", "900000000000"),
    ],
)
def test_what_brings_nothing_or_cannot_be_paid_is_refused(
    rules: Terms, side: str, amount: str
) -> None:
    act = pricing.sell if side == "sell" else pricing.buy
    with pytest.raises(Rejected):
        act(rules, parse_amount(amount))

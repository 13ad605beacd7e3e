"""One rule says what is kept of an amount: never below nought, never all, exact to the stroop."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anchor.errors import Rejected
from anchor.fees import (
    Fees,
    FeeSchedule,
    FeeTier,
    fee_of,
    fixed_part,
    from_stored,
    gross,
    split,
    to_stored,
)
from anchor.money import MAX_STROOPS, parse_amount, round_down

UNIT = 10_000_000
AMOUNTS = st.one_of(st.integers(1, MAX_STROOPS), st.integers(1, 5000 * UNIT))
PERCENTS = st.decimals("0", "100", places=6)
KEPT = st.one_of(st.just(0), st.integers(0, 100 * UNIT))
DECIMALS = st.integers(0, 7)
TIERS = st.lists(
    st.builds(FeeTier, st.integers(1, 5000 * UNIT), KEPT, PERCENTS),
    max_size=4,
    unique_by=lambda tier: tier.least,
).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.least)))


def _bounded(minimum: int, more: int | None) -> dict[str, int | None]:
    return {"minimum": minimum, "maximum": None if more is None else minimum + more}


BOUNDS = st.builds(_bounded, KEPT, st.one_of(st.none(), KEPT))
SCHEDULES = st.builds(
    lambda fixed, percent, bounds, tiers: FeeSchedule(fixed, percent, tiers=tiers, **bounds),
    KEPT,
    PERCENTS,
    BOUNDS,
    TIERS,
)


def _of(text: str, **more: str) -> FeeSchedule:
    fixed, percent = text.split(" + ")
    bounds = {name: parse_amount(each) for name, each in more.items()}
    return FeeSchedule(parse_amount(fixed, zero=True), Decimal(percent.rstrip("%")), **bounds)


def _fee(schedule: FeeSchedule, amount: str) -> int:
    return fee_of(schedule, parse_amount(amount))


@given(SCHEDULES, AMOUNTS, DECIMALS, KEPT)
def test_promise_09_in_is_out_plus_fee_to_the_last_stroop(
    schedule: FeeSchedule, received: int, decimals: int, extra: int
) -> None:
    try:
        parts = split(received, schedule, decimals, extra)
    except Rejected:
        assert round_down(max(received - fee_of(schedule, received) - extra, 0), decimals) == 0
        return
    assert parts.amount_in == received == parts.amount_out + parts.amount_fee
    assert 0 <= parts.amount_fee < received
    assert parts.amount_out == round_down(parts.amount_out, decimals)
    spare = parts.amount_fee - fee_of(schedule, received) - extra
    assert 0 <= spare < 10 ** (7 - decimals)


@given(SCHEDULES, AMOUNTS, DECIMALS)
def test_a_fee_is_within_its_bounds_and_rounded_up(
    schedule: FeeSchedule, amount: int, decimals: int
) -> None:
    step = 10 ** (7 - decimals)
    fee = fee_of(schedule, amount, decimals)
    assert fee >= schedule.minimum >= 0
    assert fee % step == 0
    assert schedule.maximum is None or fee < schedule.maximum + step
    assert 0 <= fixed_part(schedule, amount) <= fee
    tier = (
        [FeeTier(0, schedule.fixed, schedule.percent)]
        + [each for each in schedule.tiers if each.least <= amount]
    )[-1]
    nominal = tier.fixed + amount * tier.percent / 100
    if schedule.clamp(nominal) == nominal:
        assert 0 <= fee - nominal < step


@given(SCHEDULES, AMOUNTS, AMOUNTS)
def test_within_a_tier_who_pays_more_is_charged_and_paid_no_less(
    schedule: FeeSchedule, one: int, other: int
) -> None:
    less, more = sorted((one, other))
    assume(not any(less < tier.least <= more for tier in schedule.tiers))
    fees = [fee_of(schedule, amount) for amount in (less, more)]
    assert fees[0] <= fees[1]
    assert less - fees[0] <= more - fees[1]


@given(SCHEDULES, AMOUNTS, DECIMALS)
def test_what_has_to_be_paid_for_an_amount_is_enough_and_the_least(
    schedule: FeeSchedule, amount: int, decimals: int
) -> None:
    net = round_down(amount, decimals)
    assume(net)
    step = 10 ** (7 - decimals)
    try:
        found = gross(schedule, net, decimals)
    except Rejected:
        top = round_down(MAX_STROOPS, decimals)
        assert any(tier.percent > 90 for tier in schedule.bands) or net > top // 20
        return
    assert found % step == 0
    assert found - fee_of(schedule, found, decimals) >= net
    less = found - step
    assert less <= 0 or less - fee_of(schedule, less, decimals) < net
    if not schedule.tiers:
        assert found - fee_of(schedule, found, decimals) == net


@given(SCHEDULES)
def test_what_is_frozen_on_a_transaction_is_the_schedule_itself(schedule: FeeSchedule) -> None:
    rules = json.loads(json.dumps(to_stored(schedule)))
    assert from_stored(schedule.fixed, schedule.percent, rules) == schedule
    assert (rules is None) == schedule.is_plain


def test_a_minimum_and_a_maximum_bound_the_fee() -> None:
    schedule = _of("1 + 0.5%", minimum="5", maximum="20")
    assert _fee(schedule, "100") == 5 * UNIT
    assert _fee(schedule, "1000") == 6 * UNIT
    assert _fee(schedule, "100000") == 20 * UNIT
    assert fixed_part(schedule, 1000 * UNIT) == UNIT
    assert fixed_part(schedule, 100 * UNIT) == 0


def test_the_last_tier_that_is_reached_counts_for_all_of_the_amount() -> None:
    tiers = (FeeTier(1000 * UNIT, 2 * UNIT, Decimal(0)), FeeTier(5000 * UNIT, 0, Decimal("0.1")))
    schedule = replace(_of("1 + 1%"), tiers=tiers)
    wanted = {"999.99": "10.9999", "1000": "2", "4999.99": "2", "5000": "5"}
    for amount, fee in wanted.items():
        assert _fee(schedule, amount) == parse_amount(fee)


def test_what_no_amount_leaves_costs_the_beginning_of_the_tier_that_leaves_more() -> None:
    tiers = (FeeTier(1000 * UNIT, 0, Decimal(0)),)
    schedule = replace(_of("0 + 1%"), tiers=tiers)
    assert gross(schedule, 980 * UNIT, 2) == parse_amount("989.90")
    assert gross(schedule, 995 * UNIT, 2) == 1000 * UNIT
    assert gross(schedule, 1001 * UNIT, 2) == 1001 * UNIT


def test_a_rail_has_its_own_fee_or_the_usual_one() -> None:
    dear, usual = _of("5 + 0%"), _of("1 + 0%")
    fees = Fees(usual, {"wire": dear})
    assert (fees.of("wire"), fees.of("bank"), fees.of(None)) == (dear, usual, usual)
    assert fees.all_of(["wire", "bank", "cash"]) == {dear, usual}
    assert fees.all_of([]) == {usual}


@pytest.mark.parametrize(
    "schedule", [_of("1 + 0%"), _of("0 + 100%"), _of("0 + 0%", minimum="1"), _of("0 + 99.5%")]
)
def test_a_fee_that_eats_all_is_refused(schedule: FeeSchedule) -> None:
    with pytest.raises(Rejected):
        split(UNIT, schedule, 2)

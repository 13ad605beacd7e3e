"""Which booking credits what: the rules of rails, by example, and what holds for all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.lifecycle import FINAL, TABLE, Event, Kind, Status, next_status, statuses_of
from anchor.matching import (
    FOR_THE_DESK,
    RAIL_FUNDED,
    Arrival,
    Booking,
    Expectation,
    Judgement,
    Verdict,
    judge,
    judge_booking,
)

RAIL, CURRENCY = "bank", "USD"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HUNDRED = 100_0000000
KINDS = sorted(RAIL_FUNDED)
OVER = sorted(FINAL | {Status.EXPIRED, Status.ERROR})
POLICIES = ("exact", "tolerance", "collect")


def booking(amount: int = HUNDRED, **changed: Any) -> Booking:
    """A booking of 100 under the reference R1, with what is changed."""
    return replace(Booking(RAIL, CURRENCY, amount, "R1", NOW), **changed)


def waiting(kind: Kind = Kind.DEPOSIT, **changed: Any) -> Expectation:
    """A transaction that waits for 100 by rail, with what is changed."""
    start = Status.PENDING_SENDER if kind is Kind.SEND else Status.PENDING_USER_TRANSFER_START
    usual = Expectation(
        "t1", kind, start, RAIL, CURRENCY, HUNDRED, 0, False, settled_on_ledger=False
    )
    return replace(usual, **changed)


def verdict(came: Booking, expected: Expectation | None) -> Verdict:
    return judge_booking(came, expected, None).verdict


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_promise_03_the_right_booking_is_credited(kind: Kind, policy: str) -> None:
    found = judge_booking(booking(), waiting(kind, matching=policy), None)
    assert found == Judgement(Verdict.CREDITED, "t1", Event.FUNDS_RECEIVED)


@pytest.mark.parametrize("kind", [Kind.DEPOSIT, Kind.DEPOSIT_EXCHANGE])
def test_a_deposit_is_paid_by_rail_whatever_its_settlement_says(kind: Kind) -> None:
    assert verdict(booking(), waiting(kind, settled_on_ledger=True)) is Verdict.CREDITED


def test_promise_03_a_send_that_is_settled_on_the_ledger_is_second_by_rail() -> None:
    found = judge_booking(booking(), waiting(Kind.SEND, settled_on_ledger=True), None)
    assert (found.verdict, found.transaction_id, found.event) == (Verdict.SECOND, "t1", None)


@pytest.mark.parametrize("kind", [Kind.WITHDRAWAL, Kind.WITHDRAWAL_EXCHANGE])
def test_promise_03_a_withdrawal_is_not_paid_by_rail(kind: Kind) -> None:
    assert verdict(booking(), waiting(kind)) is Verdict.UNMATCHED


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"rail": "pigeon"}, Verdict.UNMATCHED),
        ({"currency": "EUR"}, Verdict.WRONG_ASSET),
        ({"currency": "usd"}, Verdict.WRONG_ASSET),
    ],
)
def test_promise_03_another_rail_or_currency_credits_nothing(
    changed: dict[str, str], wanted: Verdict
) -> None:
    for kind in KINDS:
        found = judge_booking(booking(**changed), waiting(kind), None)
        assert (found.verdict, found.transaction_id, found.event) == (wanted, "t1", None)


@pytest.mark.parametrize(
    ("reference", "note"),
    [("R9", "nobody was given this reference"), (None, "no reference"), ("", "no reference")],
)
def test_what_nobody_is_credited_with_says_why(reference: str | None, note: str) -> None:
    found = judge_booking(booking(reference=reference), None, None)
    assert found == Judgement(Verdict.UNMATCHED, note=note)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", OVER)
def test_promise_03_a_booking_after_the_end_is_late(kind: Kind, status: Status) -> None:
    found = judge_booking(booking(), waiting(kind, status=status), None)
    assert (found.verdict, found.event) == (Verdict.LATE, None)
    assert status in (found.note or "")


@pytest.mark.parametrize(
    ("kind", "status"),
    [(kind, status) for kind in KINDS for status in sorted(statuses_of(kind) - set(OVER))],
)
def test_promise_04_money_may_come_in_every_status_that_is_not_over(
    kind: Kind, status: Status
) -> None:
    assert verdict(booking(), waiting(kind, status=status)) is Verdict.CREDITED
    for funds_in in {row.funds_in for row in TABLE if (row.kind, row.status) == (kind, status)}:
        assert next_status(kind, status, funds_in=funds_in, event=Event.FUNDS_RECEIVED) not in OVER


def test_promise_14_what_came_before_us_is_history_only_where_it_names_nobody() -> None:
    old = booking(booked_at=NOW - timedelta(microseconds=1))
    assert judge_booking(old, None, NOW) == Judgement(Verdict.HISTORY)
    assert judge_booking(booking(), None, NOW).verdict is Verdict.UNMATCHED
    assert judge_booking(old, waiting(), NOW).verdict is Verdict.CREDITED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("policy", "received", "amount", "wanted", "event"),
    [
        ("exact", 0, HUNDRED - 1, Verdict.TOO_SMALL, None),
        ("exact", 0, HUNDRED + 1, Verdict.TOO_LARGE, None),
        ("exact", HUNDRED, HUNDRED, Verdict.SECOND, None),
        ("tolerance", 0, HUNDRED - 5, Verdict.CREDITED, Event.FUNDS_RECEIVED),
        ("tolerance", 0, HUNDRED - 6, Verdict.TOO_SMALL, None),
        ("tolerance", 0, HUNDRED + 6, Verdict.TOO_LARGE, None),
        ("collect", 0, 60, Verdict.CREDITED, None),
        ("collect", HUNDRED - 40, 40, Verdict.CREDITED, Event.FUNDS_RECEIVED),
        ("collect", HUNDRED - 40, 41, Verdict.TOO_LARGE, None),
    ],
)
def test_promise_03_how_much_is_judged_by_the_asset_s_policy(
    kind: Kind, policy: str, received: int, amount: int, wanted: Verdict, event: Event | None
) -> None:
    expected = waiting(kind, matching=policy, tolerance=5, received=received)
    found = judge_booking(booking(amount), expected, None)
    assert (found.verdict, found.event) == (wanted, event)


@pytest.mark.parametrize(
    ("amount", "wanted"),
    [(9, Verdict.TOO_SMALL), (10, Verdict.CREDITED), (21, Verdict.TOO_LARGE)],
)
def test_promise_03_without_an_agreed_amount_the_limits_count(amount: int, wanted: Verdict) -> None:
    assert verdict(booking(amount), waiting(amount=None, min_amount=10, max_amount=20)) is wanted


bookings = st.builds(
    Booking,
    rail=st.sampled_from([RAIL, "pigeon"]),
    currency=st.sampled_from([CURRENCY, "EUR"]),
    amount=st.integers(1, 300) | st.integers(1, 2**63 - 1),
    reference=st.sampled_from([None, "R1"]),
    booked_at=st.integers(-100, 100).map(lambda hours: NOW + timedelta(hours=hours)),
)
expectations = st.builds(
    Expectation,
    transaction_id=st.just("t1"),
    kind=st.sampled_from(Kind),
    status=st.sampled_from(Status),
    account=st.sampled_from([RAIL, "pigeon"]),
    asset=st.sampled_from([CURRENCY, "EUR"]),
    amount=st.none() | st.integers(1, 300),
    received=st.integers(0, 300),
    is_funded=st.booleans(),
    matching=st.sampled_from(POLICIES),
    tolerance=st.integers(0, 50),
    min_amount=st.none() | st.integers(1, 100),
    max_amount=st.none() | st.integers(100, 300),
    settled_on_ledger=st.booleans(),
)


@given(bookings, st.none() | expectations, st.none() | st.just(NOW))
def test_promise_03_only_an_owner_whose_everything_agrees_is_credited(
    came: Booking, expected: Expectation | None, since: datetime | None
) -> None:
    found = judge_booking(came, expected, since)
    if found.verdict is not Verdict.CREDITED:
        assert found.event is None
        assert found.verdict in FOR_THE_DESK | {Verdict.HISTORY}
        return
    assert expected is not None
    assert (came.rail, came.currency) == (expected.account, expected.asset)
    assert expected.kind in RAIL_FUNDED
    assert expected.status not in OVER
    assert not (expected.kind is Kind.SEND and expected.settled_on_ledger)
    assert not expected.is_funded
    assert expected.matching == "collect" or expected.received == 0


@given(bookings, expectations)
def test_promise_03_no_transaction_can_be_funded_by_both_sources(
    came: Booking, expected: Expectation
) -> None:
    paid = Arrival(expected.account, expected.asset, came.amount, "id", "7", None, NOW)
    by_rail = judge_booking(replace(came, rail=expected.account), expected, None)
    on_ledger = judge(paid, expected, None)
    assert {by_rail.verdict, on_ledger.verdict} != {Verdict.CREDITED}

"""Which payment credits what: every rule of the matcher by example, and what holds for all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.lifecycle import FINAL, TABLE, Event, Kind, Status, next_status, statuses_of
from anchor.matching import (
    FOR_THE_DESK,
    LEDGER_FUNDED,
    MAX_ID,
    Arrival,
    Expectation,
    Judgement,
    Verdict,
    address_of,
    judge,
)

US = "GDISTRIBUTION"
OTHER = "GSOMEBODYELSE"
ASSET = "USDC:GISSUER"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HUNDRED = 100_0000000
HASH = "ab" * 32

KINDS = sorted(LEDGER_FUNDED)
OVER = sorted(FINAL | {Status.EXPIRED, Status.ERROR})
POLICIES = ("exact", "tolerance", "collect")
KINDS_AND_POLICIES = [(kind, policy) for kind in KINDS for policy in POLICIES]

Address = tuple[str, str]


def arrival(amount: int = HUNDRED, **changed: Any) -> Arrival:
    """A payment of 100 to us under the id 7, with what is changed."""
    usual = Arrival(US, ASSET, amount, "id", "7", None, NOW)
    return replace(usual, **changed)


def waiting(kind: Kind = Kind.WITHDRAWAL, **changed: Any) -> Expectation:
    """A transaction that waits for 100, with what is changed."""
    start = Status.PENDING_SENDER if kind is Kind.SEND else Status.PENDING_USER_TRANSFER_START
    usual = Expectation("t1", kind, start, US, ASSET, HUNDRED, 0, False)
    return replace(usual, **changed)


def looked_up(came: Arrival, issued: dict[Address, Expectation]) -> Judgement:
    """Judge as the service does: the owner of the address is looked up, then asked."""
    address = address_of(came)
    return judge(came, issued.get(address) if address else None, None)


def verdict(came: Arrival, expected: Expectation | None) -> Verdict:
    return judge(came, expected, None).verdict


# -- what an arrival is addressed to ---------------------------------------------------------


@pytest.mark.parametrize(
    ("memo_type", "memo", "muxed_id", "address"),
    [
        ("none", None, None, None),
        ("id", "7", None, ("id", "7")),
        ("id", str(MAX_ID), None, ("id", str(MAX_ID))),
        ("text", "7", None, ("text", "7")),
        ("text", "", None, ("text", "")),
        ("hash", HASH, None, ("hash", HASH)),
        ("return", HASH, None, ("return", HASH)),
        ("bytes", "ff", None, ("bytes", "ff")),
        ("none", None, 0, ("id", "0")),
        ("none", None, 7, ("id", "7")),
        ("none", None, MAX_ID, ("id", str(MAX_ID))),
        ("id", "7", 7, ("id", "7")),
        ("id", "0", 0, ("id", "0")),
        ("id", str(MAX_ID), MAX_ID, ("id", str(MAX_ID))),
        ("id", "7", 0, None),
        ("id", "0", MAX_ID, None),
        ("text", "7", 7, None),
        ("text", "", 0, None),
        ("return", HASH, 7, None),
    ],
)
def test_promise_03_muxed_ids_and_id_memos_are_one_space_and_must_agree(
    memo_type: str, memo: str | None, muxed_id: int | None, address: Address | None
) -> None:
    came = arrival(memo_type=memo_type, memo=memo, muxed_id=muxed_id)
    assert address_of(came) == address


@pytest.mark.parametrize(
    ("paid", "issued"),
    [
        (("text", "123"), ("id", "123")),
        (("id", "123"), ("text", "123")),
        (("return", HASH), ("hash", HASH)),
        (("bytes", "37"), ("text", "7")),
        (("id", "7"), ("id", "8")),
    ],
)
def test_promise_03_memo_and_memo_type_both_agree_or_nobody_is_credited(
    paid: Address, issued: Address
) -> None:
    came = arrival(memo_type=paid[0], memo=paid[1])
    assert looked_up(came, {issued: waiting()}).verdict is Verdict.UNMATCHED
    assert looked_up(came, {paid: waiting()}).verdict is Verdict.CREDITED


@pytest.mark.conforms("CAP27-03")
@pytest.mark.parametrize("number", [0, 7, 2**53, MAX_ID])
def test_promise_03_a_muxed_address_credits_as_its_id_memo_does(number: int) -> None:
    issued = {("id", str(number)): waiting()}
    plain = arrival(memo=str(number))
    muxed = arrival(memo_type="none", memo=None, muxed_id=number)
    assert looked_up(plain, issued) == looked_up(muxed, issued)
    assert looked_up(muxed, issued).verdict is Verdict.CREDITED


@pytest.mark.parametrize(
    ("came", "note"),
    [
        (arrival(memo_type="none", memo=None), "no memo"),
        (arrival(memo="8"), "nobody was given this memo"),
        (arrival(memo="8", muxed_id=7), "muxed id and memo disagree"),
        (arrival(memo_type="text", memo="7", muxed_id=7), "muxed id and memo disagree"),
    ],
)
def test_what_nobody_is_credited_with_says_why(came: Arrival, note: str) -> None:
    found = looked_up(came, {("id", "7"): waiting()})
    assert (found.verdict, found.transaction_id, found.event) == (Verdict.UNMATCHED, None, None)
    assert found.note == note


# -- whom it is for --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "policy"), KINDS_AND_POLICIES)
def test_promise_03_the_right_payment_is_credited(kind: Kind, policy: str) -> None:
    found = judge(arrival(), waiting(kind, matching=policy), None)
    assert found == Judgement(Verdict.CREDITED, "t1", Event.FUNDS_RECEIVED)


@pytest.mark.parametrize(("kind", "policy"), KINDS_AND_POLICIES)
@pytest.mark.parametrize(
    "asset", ["native", "USDC:GFORGER", "EURC:GISSUER", "USDC", "usdc:GISSUER"]
)
def test_promise_03_another_asset_or_issuer_credits_nothing(
    kind: Kind, policy: str, asset: str
) -> None:
    found = judge(arrival(asset=asset), waiting(kind, matching=policy), None)
    assert (found.verdict, found.transaction_id) == (Verdict.WRONG_ASSET, "t1")
    assert found.event is None


@pytest.mark.parametrize(("kind", "policy"), KINDS_AND_POLICIES)
def test_promise_03_a_payment_to_another_account_of_ours_credits_nothing(
    kind: Kind, policy: str
) -> None:
    expected = waiting(kind, matching=policy, account=OTHER)
    assert verdict(arrival(), expected) is Verdict.UNMATCHED


@pytest.mark.parametrize("kind", sorted(set(Kind) - LEDGER_FUNDED))
def test_promise_03_a_deposit_is_not_paid_on_the_ledger(kind: Kind) -> None:
    assert verdict(arrival(), waiting(kind)) is Verdict.UNMATCHED


@pytest.mark.parametrize(("kind", "policy"), KINDS_AND_POLICIES)
@pytest.mark.parametrize("status", OVER)
@pytest.mark.parametrize("received", [0, HUNDRED])
def test_promise_03_a_payment_after_the_end_is_late(
    kind: Kind, policy: str, status: Status, received: int
) -> None:
    expected = waiting(kind, matching=policy, status=status, received=received)
    found = judge(arrival(), expected, None)
    assert (found.verdict, found.transaction_id, found.event) == (Verdict.LATE, "t1", None)
    assert status in (found.note or "")


@pytest.mark.parametrize(
    ("kind", "status"),
    [(kind, status) for kind in KINDS for status in sorted(statuses_of(kind) - set(OVER))],
)
def test_promise_04_money_may_arrive_in_every_status_that_is_not_over(
    kind: Kind, status: Status
) -> None:
    found = judge(arrival(), waiting(kind, status=status), None)
    assert found.verdict is Verdict.CREDITED
    stands = {row.funds_in for row in TABLE if (row.kind, row.status) == (kind, status)}
    assert stands
    for funds_in in stands:
        assert next_status(kind, status, funds_in=funds_in, event=Event.FUNDS_RECEIVED) not in OVER


@pytest.mark.parametrize("policy", POLICIES)
def test_promise_03_a_send_that_is_settled_by_rail_is_paid_already(policy: str) -> None:
    expected = waiting(Kind.SEND, matching=policy, settled_on_ledger=False)
    assert verdict(arrival(), expected) is Verdict.SECOND
    assert verdict(arrival(), replace(expected, status=Status.COMPLETED)) is Verdict.LATE


@pytest.mark.parametrize(
    ("closed_at", "is_history"),
    [(NOW - timedelta(microseconds=1), True), (NOW, False), (NOW + timedelta(1), False)],
)
def test_promise_14_only_what_closed_before_we_were_in_charge_is_history(
    closed_at: datetime, is_history: bool
) -> None:
    came = arrival(closed_at=closed_at)
    for expected in (None, waiting(), waiting(status=Status.COMPLETED)):
        found = judge(came, expected, NOW)
        assert (found == Judgement(Verdict.HISTORY)) is is_history
        assert found.verdict in FOR_THE_DESK | {Verdict.CREDITED, Verdict.HISTORY}


# -- how much --------------------------------------------------------------------------------

SMALL, LARGE, GOOD = Verdict.TOO_SMALL, Verdict.TOO_LARGE, Verdict.CREDITED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("amount", "wanted"),
    [(1, SMALL), (HUNDRED - 1, SMALL), (HUNDRED, GOOD), (HUNDRED + 1, LARGE), (2**63 - 1, LARGE)],
)
def test_promise_03_exact_means_to_the_last_stroop(
    kind: Kind, amount: int, wanted: Verdict
) -> None:
    assert verdict(arrival(amount), waiting(kind)) is wanted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("amount", "wanted"),
    [(HUNDRED - 6, SMALL), (HUNDRED - 5, GOOD), (HUNDRED + 5, GOOD), (HUNDRED + 6, LARGE)],
)
def test_promise_03_tolerance_ends_where_it_says(kind: Kind, amount: int, wanted: Verdict) -> None:
    assert verdict(arrival(amount), waiting(kind, matching="tolerance", tolerance=5)) is wanted


def test_promise_03_no_tolerance_makes_nothing_out_of_an_amount() -> None:
    expected = waiting(amount=3, matching="tolerance", tolerance=10)
    assert verdict(arrival(1), expected) is Verdict.CREDITED
    assert verdict(arrival(0), expected) is Verdict.TOO_SMALL


@pytest.mark.parametrize("policy", ["exact", "collect"])
def test_a_tolerance_counts_under_its_own_policy_only(policy: str) -> None:
    expected = waiting(matching=policy, tolerance=5)
    assert verdict(arrival(HUNDRED + 1), expected) is Verdict.TOO_LARGE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", ["exact", "tolerance"])
@pytest.mark.parametrize(
    ("amount", "wanted"), [(9, SMALL), (10, GOOD), (15, GOOD), (20, GOOD), (21, LARGE)]
)
def test_promise_03_without_an_agreed_amount_the_limits_count(
    kind: Kind, policy: str, amount: int, wanted: Verdict
) -> None:
    limits = waiting(kind, amount=None, min_amount=10, max_amount=20, matching=policy, tolerance=5)
    assert verdict(arrival(amount), limits) is wanted


@pytest.mark.parametrize("policy", POLICIES)
def test_without_limits_any_amount_will_do(policy: str) -> None:
    for amount in (1, HUNDRED, 2**63 - 1):
        assert collected(waiting(amount=None, matching=policy), amount) == [LAST]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", ["exact", "tolerance"])
@pytest.mark.parametrize("amount", [1, HUNDRED - 1, HUNDRED, HUNDRED + 1])
@pytest.mark.parametrize("expected_amount", [HUNDRED, None])
def test_promise_03_a_second_payment_is_never_credited(
    kind: Kind, policy: str, amount: int, expected_amount: int | None
) -> None:
    expected = waiting(kind, amount=expected_amount, matching=policy, tolerance=5, received=HUNDRED)
    found = judge(arrival(amount), expected, None)
    assert (found.verdict, found.transaction_id, found.event) == (Verdict.SECOND, "t1", None)


def collected(expected: Expectation, *amounts: int) -> list[tuple[Verdict, Event | None]]:
    """Judge payments one after the other, adding up what is credited."""
    found = []
    for amount in amounts:
        judgement = judge(arrival(amount), expected, None)
        if judgement.verdict is Verdict.CREDITED:
            expected = replace(expected, received=expected.received + amount)
        found.append((judgement.verdict, judgement.event))
    return found


PART, LAST, OUT = (GOOD, None), (GOOD, Event.FUNDS_RECEIVED), (LARGE, None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("amounts", "wanted"),
    [
        ((100,), [LAST]),
        ((60, 40), [PART, LAST]),
        ((60, 39, 1), [PART, PART, LAST]),
        ((60, 41, 40), [PART, OUT, LAST]),
        ((100, 1), [LAST, OUT]),
        ((1,) * 3, [PART] * 3),
    ],
)
def test_promise_03_collecting_adds_up_to_the_amount_and_no_further(
    kind: Kind, amounts: tuple[int, ...], wanted: list[tuple[Verdict, Event | None]]
) -> None:
    assert collected(waiting(kind, amount=100, matching="collect"), *amounts) == wanted


def test_promise_03_collecting_within_limits_is_funded_at_the_lower_one() -> None:
    limits = waiting(amount=None, min_amount=10, max_amount=20, matching="collect")
    assert collected(limits, 4, 5, 1, 10, 1) == [PART, PART, LAST, LAST, OUT]


# -- what holds for all ----------------------------------------------------------------------

moments = st.integers(-1000, 1000).map(lambda hours: NOW + timedelta(hours=hours))
amounts = st.integers(1, 300) | st.integers(1, 2**63 - 1)
ids = st.sampled_from([0, 1, 7, 2**53, MAX_ID])
memos = (
    st.tuples(st.just("none"), st.none())
    | st.tuples(st.just("id"), ids.map(str))
    | st.tuples(st.sampled_from(["hash", "return"]), st.just(HASH))
    | st.tuples(st.just("text"), st.sampled_from(["", "0", "7", HASH, "hello"]))
)
arrivals = st.builds(
    lambda memo, **rest: Arrival(memo_type=memo[0], memo=memo[1], **rest),
    memo=memos,
    account=st.sampled_from([US, OTHER]),
    asset=st.sampled_from([ASSET, "native", "USDC:GFORGER"]),
    amount=amounts,
    muxed_id=st.none() | ids,
    closed_at=moments,
)
expectations = st.builds(
    Expectation,
    transaction_id=st.sampled_from(["t1", "t2"]),
    kind=st.sampled_from(Kind),
    status=st.sampled_from(Status),
    account=st.sampled_from([US, OTHER]),
    asset=st.sampled_from([ASSET, "native"]),
    amount=st.none() | amounts,
    received=st.just(0) | amounts,
    is_funded=st.booleans(),
    matching=st.sampled_from(POLICIES),
    tolerance=st.integers(0, 50),
    min_amount=st.none() | st.integers(1, 100),
    max_amount=st.none() | st.integers(100, 300),
    settled_on_ledger=st.booleans(),
)
addresses = memos.filter(lambda memo: memo[1] is not None)
books = st.dictionaries(addresses, expectations, max_size=4)


def _agreeing(came: Arrival, expected: Expectation) -> tuple[Arrival, Expectation]:
    ours = {"account": US, "asset": ASSET}
    start = waiting()
    fits = {"kind": start.kind, "status": start.status, "settled_on_ledger": True}
    return replace(came, **ours), replace(expected, **ours, **fits)  # type: ignore[arg-type]


good_pairs = st.builds(_agreeing, arrivals, expectations)


@given(arrivals, books, st.none() | moments)
def test_promise_03_only_an_owner_whose_everything_agrees_is_credited(
    came: Arrival, issued: dict[Address, Expectation], since: datetime | None
) -> None:
    address = address_of(came)
    expected = issued.get(address) if address else None
    found = judge(came, expected, since)
    if found.verdict is not Verdict.CREDITED:
        assert found.event is None
        assert found.verdict in FOR_THE_DESK | {Verdict.HISTORY}
        return
    assert expected is not None
    assert found.transaction_id == expected.transaction_id
    assert (came.account, came.asset) == (expected.account, expected.asset)
    assert expected.kind in LEDGER_FUNDED
    assert expected.status not in OVER
    assert expected.settled_on_ledger
    assert since is None or came.closed_at >= since
    assert came.muxed_id is None or address == ("id", str(came.muxed_id))
    assert came.memo_type == "none" or address == (came.memo_type, came.memo)


@given(good_pairs)
def test_promise_03_what_is_credited_lies_within_what_was_agreed(
    pair: tuple[Arrival, Expectation],
) -> None:
    came, expected = pair
    found = judge(came, expected, None)
    if found.verdict is not Verdict.CREDITED:
        return
    total = expected.received + came.amount
    slack = expected.tolerance if expected.matching == "tolerance" else 0
    if expected.amount is None:
        low, high = expected.min_amount or 0, expected.max_amount or total
    else:
        low, high = expected.amount - slack, expected.amount + slack
    assert total <= high
    assert (found.event is Event.FUNDS_RECEIVED) is (total >= low)
    assert expected.matching == "collect" or (expected.received == 0 and total >= low)


@given(good_pairs, st.lists(amounts, min_size=1, max_size=8))
def test_promise_03_no_series_of_payments_is_credited_twice_or_beyond_the_amount(
    pair: tuple[Arrival, Expectation], series: list[int]
) -> None:
    expected = replace(pair[1], received=0)
    judged = zip(series, collected(expected, *series), strict=True)
    credited = [amount for amount, (found, _) in judged if found is Verdict.CREDITED]
    if expected.matching != "collect":
        assert len(credited) <= 1
    if expected.amount is not None and expected.matching != "tolerance":
        assert sum(credited) <= expected.amount


@given(arrivals, expectations, st.none() | moments, moments)
def test_promise_03_nothing_else_changes_the_judgement(
    came: Arrival, expected: Expectation, since: datetime | None, moment: datetime
) -> None:
    found = judge(came, expected, since)
    assert judge(came, expected, since) == found
    elsewhere = replace(expected, transaction_id="another")
    other = judge(came, elsewhere, since)
    assert (other.verdict, other.event, other.note) == (found.verdict, found.event, found.note)
    if since is None or (moment >= since) is (came.closed_at >= since):
        assert judge(replace(came, closed_at=moment), expected, since) == found
    if expected.matching != "tolerance":
        assert judge(came, replace(expected, tolerance=99), since) == found
    if expected.amount is not None:
        assert judge(came, replace(expected, min_amount=None, max_amount=None), since) == found


@given(arrivals)
def test_promise_03_an_address_says_nothing_that_the_payment_does_not(came: Arrival) -> None:
    address = address_of(came)
    told = {(came.memo_type, came.memo)} if came.memo_type != "none" else set()
    if came.muxed_id is not None:
        told |= {("id", str(came.muxed_id))}
    assert {address} == told if len(told) == 1 else address is None


def remitted(paid: int = HUNDRED, **changed: Any) -> Expectation:
    """A remittance of which so much was paid and is not back: the memo is its refunds'."""
    usual = waiting(Kind.REMITTANCE, status=Status.PENDING_EXTERNAL, is_funded=True)
    return replace(usual, received=HUNDRED, paid=paid, **changed)


@pytest.mark.parametrize(
    ("came", "paid", "found"),
    [
        (arrival(), HUNDRED, Verdict.RETURNED),
        (arrival(1), HUNDRED, Verdict.RETURNED),
        (arrival(HUNDRED + 1), HUNDRED, Verdict.UNMATCHED),
        (arrival(1), 0, Verdict.UNMATCHED),
        (arrival(asset="native"), HUNDRED, Verdict.WRONG_ASSET),
        (arrival(account=OTHER), HUNDRED, Verdict.UNMATCHED),
    ],
)
def test_promise_03_what_comes_back_of_a_remittance_is_no_more_than_was_paid_in_its_asset(
    came: Arrival, paid: int, found: Verdict
) -> None:
    assert verdict(came, remitted(paid)) is found


@pytest.mark.parametrize("status", sorted(statuses_of(Kind.REMITTANCE)))
def test_money_comes_back_whatever_became_of_its_remittance(status: Status) -> None:
    judgement = judge(arrival(), remitted(status=status), None)
    assert (judgement.verdict, judgement.event) == (Verdict.RETURNED, None)

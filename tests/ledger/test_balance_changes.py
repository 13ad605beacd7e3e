"""What contracts move, as payments: each change once, exact or not understood."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.ledger.gateway import LedgerPayment
from anchor.ledger.records import WHOLE, read_payments
from anchor.money import format_amount_7
from tests.invocations import CONTRACT, burn, invocation, mint, transfer
from tests.ledger.test_records import ME, OTHER, junk

ISSUER = OTHER
USDC = f"USDC:{ISSUER}"
OURS = "GCEZWKCA5VLDNRLN3RPRJMRZOX3Z6G5CHCGSNFHEYVXM3XOJMDS674JZ"


def seen(payment: LedgerPayment) -> tuple[Any, ...]:
    return payment.index, payment.direction, payment.counterparty, payment.amount


@pytest.mark.conforms("SEP24-32", "CAP67-01", "CAP67-03")
def test_a_contract_pays_with_the_id_of_a_muxed_destination() -> None:
    record = invocation([transfer(USDC, CONTRACT, ME, "12.3400000", muxed_id=2**64 - 1)])
    (found,) = read_payments(record, ME)
    assert seen(found) == (0, "in", CONTRACT, 123_400_000)
    assert (found.asset, found.muxed_id, found.counterparty_muxed_id) == (USDC, 2**64 - 1, None)
    assert (found.memo_type, found.memo, found.unreadable) == ("none", None, None)


def test_what_we_pay_to_a_contract_is_outgoing() -> None:
    (found,) = read_payments(invocation([transfer("native", ME, CONTRACT, "5.0000000")]), ME)
    assert seen(found) == (1, "out", CONTRACT, 50_000_000)
    assert found.asset == "native"


def test_the_id_of_a_destination_that_is_not_us_is_the_counterparty_s() -> None:
    (found,) = read_payments(invocation([transfer(USDC, ME, OURS, "5.0000000", 7)]), ME)
    assert (found.muxed_id, found.counterparty_muxed_id) == (None, 7)


def test_each_change_of_one_operation_is_a_payment_of_its_own() -> None:
    changes = [
        transfer(USDC, CONTRACT, ME, "1.0000000", 5),
        transfer(USDC, CONTRACT, OTHER, "9.0000000"),
        transfer(USDC, ME, CONTRACT, "2.0000000"),
        transfer("native", CONTRACT, ME, "3.0000000", 5),
        transfer(USDC, ME, ME, "4.0000000"),
    ]
    found = read_payments(invocation(changes), ME)
    assert [seen(each)[0::3] for each in found] == [
        (0, 10_000_000),
        (5, 20_000_000),
        (6, 30_000_000),
        (9, 40_000_000),
    ]
    assert [each.direction for each in found] == ["in", "out", "in", "out"]


def test_two_accounts_of_ours_keep_one_change_under_two_indices() -> None:
    record = invocation([transfer(USDC, CONTRACT, OTHER, "1.0"), transfer(USDC, ME, OURS, "1.0")])
    keys = [each.index for account in (ME, OURS) for each in read_payments(record, account)]
    assert keys == [3, 2]


@pytest.mark.conforms("CAP67-01")
def test_what_an_issuer_gives_is_minted_and_what_it_gets_is_burnt() -> None:
    changes = [mint(USDC, ME, "1.0000000", 5), burn(USDC, ME, "2.0000000")]
    given_us, taken = read_payments(invocation(changes), ME)
    assert seen(given_us) == (0, "in", ISSUER, 10_000_000)
    assert given_us.muxed_id == 5
    assert seen(taken) == (3, "out", ISSUER, 20_000_000)
    given_out, got = read_payments(invocation(changes), ISSUER)
    assert seen(given_out) == (1, "out", ME, 10_000_000)
    assert given_out.counterparty_muxed_id == 5
    assert seen(got) == (2, "in", ME, 20_000_000)


@pytest.mark.conforms("CAP67-01")
def test_what_an_issuer_claws_back_leaves_us_and_comes_to_nobody() -> None:
    record = invocation([burn(USDC, ME, "2.0000000", kind="clawback")])
    (found,) = read_payments(record, ME)
    assert seen(found) == (1, "out", ISSUER, 20_000_000)
    assert read_payments(record, ISSUER) == ()


@pytest.mark.parametrize("changes", [None, [], [transfer(USDC, CONTRACT, OTHER, "1.0000000")]])
def test_an_invocation_that_moves_nothing_of_ours_brings_nothing(changes: Any) -> None:
    assert read_payments(invocation(changes), ME) == ()


def test_a_failed_invocation_moved_nothing() -> None:
    record = invocation([transfer(USDC, CONTRACT, ME, "1.0000000")])
    assert read_payments(record | {"transaction_successful": False}, ME) == ()


@pytest.mark.conforms("CAP67-02")
@pytest.mark.parametrize("kind", ["string", "bytes"])
def test_an_id_that_was_not_in_the_address_is_the_memo_of_the_transaction(kind: str) -> None:
    """Text and bytes come of the memo alone, which stands where it always does."""
    change = transfer(USDC, OTHER, ME, "1.0000000")
    change |= {"destination_muxed_id": "77", "destination_muxed_id_type": kind}
    (found,) = read_payments(invocation([change], memo=5), ME)
    assert (found.muxed_id, found.memo_type, found.memo) == (None, "id", "5")


def test_an_id_whose_type_is_named_is_the_same_one() -> None:
    (found,) = read_payments(invocation([GOOD | TYPED]), ME)
    assert found.muxed_id == 5


@pytest.mark.conforms("CAP67-02")
def test_the_id_in_an_address_stands_beside_the_memo() -> None:
    (found,) = read_payments(invocation([transfer(USDC, OTHER, ME, "1.0", 6)], memo=5), ME)
    assert (found.muxed_id, found.memo_type, found.memo) == (6, "id", "5")


TYPED = {"destination_muxed_id_type": "uint64"}
GOOD = transfer(USDC, CONTRACT, ME, "1.0000000", 5)


@pytest.mark.parametrize(
    "fields",
    [
        {"asset_balance_changes": "none"},
        {"asset_balance_changes": [7]},
        {"asset_balance_changes": [GOOD | {"type": "rebase"}]},
        {"asset_balance_changes": [GOOD | {"type": "burn", "from": None}]},
        {"asset_balance_changes": [GOOD | {"from": 7}]},
        {"asset_balance_changes": [GOOD | {"from": ""}]},
        {"asset_balance_changes": [GOOD | {"amount": "1e3"}]},
        {"asset_balance_changes": [GOOD | {"amount": "-1.0000000"}]},
        {"asset_balance_changes": [GOOD | {"amount": "99999999999999999999.0"}]},
        {"asset_balance_changes": [GOOD | {"asset_type": "pool"}]},
        {"asset_balance_changes": [GOOD | {"destination_muxed_id": str(2**64)}]},
        {"asset_balance_changes": [GOOD | {"destination_muxed_id": "-1"}]},
        {"asset_balance_changes": [GOOD | {"destination_muxed_id": "a memo"}]},
        {"asset_balance_changes": [transfer(USDC, CONTRACT, ME, "1.0") | TYPED]},
        {"asset_balance_changes": [GOOD | {"destination_muxed_id": True}]},
        {"asset_balance_changes": [GOOD | {"destination_muxed_id_type": "uint128"}]},
        {"transaction": None},
        {"transaction_successful": None},
        {"created_at": "yesterday"},
    ],
)
def test_promise_01_an_invocation_that_cannot_be_read_is_kept_whole(fields: Any) -> None:
    record = invocation([transfer(USDC, CONTRACT, ME, "9.0000000"), GOOD]) | fields
    (found,) = read_payments(record, ME)
    assert found.unreadable
    assert (found.amount, found.index) == (None, WHOLE)
    assert found.raw["id"] == record["id"]


def test_promise_01_an_invocation_that_hides_its_changes_is_kept_whole() -> None:
    """As an older Horizon, or a proxy before it, may leave them out."""
    record = invocation([GOOD])
    del record["asset_balance_changes"]
    (found,) = read_payments(record, ME)
    assert found.unreadable == (
        "the record was not understood: it does not say which balances it changed"
    )


def test_more_changes_than_have_an_index_are_kept_whole() -> None:
    many = [transfer(USDC, CONTRACT, OTHER, "1.0")] * (WHOLE // 2)
    (found,) = read_payments(invocation([*many, GOOD]), ME)
    assert found.unreadable


amounts = st.integers(0, 2**63 - 1)
accounts = st.sampled_from([ME, OTHER, OURS, CONTRACT])
ids = st.none() | st.integers(0, 2**64 - 1)
assets = st.sampled_from([USDC, "native", f"LONGCODE:{OURS}"])
changes = st.one_of(
    st.builds(transfer, assets, accounts, accounts, amounts.map(format_amount_7), ids),
    st.builds(mint, st.just(USDC), accounts, amounts.map(format_amount_7), ids),
    st.builds(burn, st.just(USDC), accounts, amounts.map(format_amount_7)),
    st.builds(burn, st.just(USDC), accounts, amounts.map(format_amount_7), st.just("clawback")),
)


def parties(change: dict[str, Any]) -> set[str | None]:
    issuer = change.get("asset_issuer") if change["type"] in {"mint", "burn"} else None
    return {change.get("from", issuer), change.get("to", issuer)} - {None}


@given(st.lists(changes, max_size=8))
def test_promise_01_each_change_of_ours_is_there_exactly_once(told: list[dict[str, Any]]) -> None:
    keys = []
    for account in (ME, OTHER, OURS):
        ours = [(place, each) for place, each in enumerate(told) if account in parties(each)]
        found = read_payments(invocation(told), account)
        assert [each.index // 2 for each in found] == [place for place, _ in ours]
        for payment, (_, change) in zip(found, ours, strict=True):
            assert payment.unreadable is None
            assert format_amount_7(payment.amount or 0) == change["amount"]
            is_in = payment.direction == "in"
            assert (payment.index % 2 == 0) is is_in
            mine = payment.muxed_id if is_in else payment.counterparty_muxed_id
            assert str(mine) == str(change.get("destination_muxed_id"))
        keys += [each.index for each in found]
    assert len(keys) == len(set(keys))


@given(st.lists(changes, min_size=1, max_size=4), st.data())
def test_promise_12_whatever_the_record_a_database_can_hold_what_comes_back(
    told: list[dict[str, Any]], data: st.DataObject
) -> None:
    record = invocation([dict(each) for each in told])
    place = data.draw(st.integers(0, len(told) - 1))
    target = data.draw(st.sampled_from([record, record["asset_balance_changes"][place]]))
    name = data.draw(st.sampled_from(sorted(set(target) - {"id", "paging_token"})))
    target[name] = data.draw(junk)
    for found in read_payments(record, ME):
        assert (found.amount is None) is (found.unreadable is not None)
        assert 0 <= found.index < 2**15
        assert 0 <= (found.amount or 0) < 2**63
        assert all(
            each is None or 0 <= each < 2**64
            for each in (found.muxed_id, found.counterparty_muxed_id)
        )
        assert found.asset != ""
        assert found.counterparty != ""
        raw = json.dumps(found.raw, ensure_ascii=False) if found.unreadable else ""
        for text in (found.type, found.transaction_hash, found.counterparty, found.asset, raw):
            assert "\0" not in (text or "")
            assert isinstance((text or "").encode(), bytes)

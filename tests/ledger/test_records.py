"""Horizon's records as payments: exact where money is, and never an exception."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.ledger.gateway import LedgerPayment
from anchor.ledger.records import WHOLE, Unreadable, read_payments

ME = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
OTHER = "GAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QZ6Q"
PAYMENT: dict[str, Any] = {
    "id": "4294971393",
    "paging_token": "4294971393",
    "transaction_successful": True,
    "type": "payment",
    "created_at": "2026-11-23T19:57:36Z",
    "transaction_hash": "ab" * 32,
    "asset_type": "credit_alphanum4",
    "asset_code": "USDC",
    "asset_issuer": OTHER,
    "from": OTHER,
    "to": ME,
    "amount": "12.3400000",
    "transaction": {"memo_type": "id", "memo": "18446744073709551615"},
}


def changed(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy(PAYMENT) | fields


def read_payment(record: dict[str, Any], account: str) -> LedgerPayment:
    """Read what is one payment."""
    (found,) = read_payments(record, account)
    return found


def test_a_payment_is_read_to_the_last_stroop() -> None:
    found = read_payment(PAYMENT, ME)
    assert (found.amount, found.asset, found.direction) == (123_400_000, f"USDC:{OTHER}", "in")
    assert (found.memo_type, found.memo) == ("id", "18446744073709551615")
    assert (found.ledger, found.index, found.unreadable) == (1, 0, None)


@pytest.mark.conforms("CAP67-02")
def test_the_id_of_a_muxed_destination_stands_beside_another_memo() -> None:
    """Which is why the two can be found to disagree (promise 3)."""
    found = read_payment(changed(to_muxed="MBBD…", to_muxed_id="7"), ME)
    assert (found.muxed_id, found.memo_type, found.memo) == (7, "id", "18446744073709551615")


def test_what_we_pay_is_outgoing_with_an_index_of_its_own() -> None:
    found = read_payment(PAYMENT, OTHER)
    assert (found.direction, found.index, found.counterparty) == ("out", 1, ME)


def test_a_payment_to_ourselves_brings_nothing_in() -> None:
    found = read_payment(changed(**{"from": ME}), ME)
    assert found.direction == "out"


def test_a_failed_transaction_moved_nothing() -> None:
    assert read_payments(changed(transaction_successful=False), ME) == ()


@pytest.mark.parametrize(
    ("transaction", "memo"),
    [
        ({"memo_type": "none"}, ("none", None)),
        ({"memo_type": "text", "memo": "123", "memo_bytes": "MTIz"}, ("text", "123")),
        ({"memo_type": "text", "memo": "\ufffd", "memo_bytes": "/w=="}, ("bytes", "ff")),
        ({"memo_type": "text", "memo": "a", "memo_bytes": "YQBi"}, ("bytes", "610062")),
        ({"memo_type": "text", "memo": "", "memo_bytes": ""}, ("text", "")),
        ({"memo_type": "hash", "memo": "q6urqw=="}, ("hash", "abababab")),
        ({"memo_type": "return", "memo": "q6urqw=="}, ("return", "abababab")),
    ],
)
def test_memos_of_each_type(transaction: Any, memo: Any) -> None:
    found = read_payment(changed(transaction=transaction), ME)
    assert (found.memo_type, found.memo) == memo


@pytest.mark.parametrize(
    "fields",
    [
        {"transaction": None},
        {"transaction": {"memo_type": "poem", "memo": "x"}},
        {"transaction": {"memo_type": "id", "memo": "-1"}},
        {"type": "invoke_host_function"},
        {"amount": "1e3"},
        {"amount": "-5"},
        {"amount": None},
        {"asset_type": "liquidity_pool_shares"},
        {"to": "somebody else"},
        {"to_muxed_id": "99999999999999999999"},
        {"type": "account_merge", "account": OTHER, "into": ME},
    ],
)
def test_promise_01_what_cannot_be_read_is_kept_with_the_reason(fields: Any) -> None:
    found = read_payment(changed(**fields), ME)
    assert found.unreadable
    assert (found.amount, found.index) == (None, WHOLE)
    assert found.raw["id"] == PAYMENT["id"]


def test_a_muxed_address_with_an_id_of_nought_is_not_a_plain_one() -> None:
    found = read_payment(changed(to_muxed="MBBD…"), ME)
    assert found.muxed_id == 0


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(PAYMENT)), junk)
def test_promise_12_no_record_ever_raises_but_one_without_an_id(field: str, value: Any) -> None:
    record = changed(**{field: value})
    try:
        found = read_payments(record, ME)
    except Unreadable:
        assert field == "id"
        return
    assert all(each.unreadable or each.amount is not None for each in found)

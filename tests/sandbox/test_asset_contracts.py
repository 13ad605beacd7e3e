"""Payments by the contract of an asset: what moves, what is told of it, and what is refused."""

from decimal import Decimal

import pytest

from anchor.sandbox.network import Sandbox
from tests.sandbox.contract_world import Place, muxed
from tests.sandbox.ledger import address


@pytest.fixture
def place(sandbox: Sandbox) -> Place:
    return Place.of(sandbox)


def test_a_contract_is_paid_and_pays_back_to_a_muxed_account(place: Place) -> None:
    paid = place.pay(address("alice"), "alice", place.carol, "30")
    assert (place.holds(place.carol), place.line("alice")) == (30, 970)
    back = place.pay(place.carol, "carol", muxed("bob", 77), "12.5", relayer="alice")
    assert (place.holds(place.carol), place.line("bob")) == (Decimal("17.5"), Decimal("12.5"))
    for name, hashes in (("alice", [paid, back]), ("bob", [back])):
        listed = place.records(f"/accounts/{address(name)}/payments")
        found = [each for each in listed if each["type"] == "invoke_host_function"]
        assert [each["transaction_hash"] for each in found] == hashes
    (record,) = place.records(f"/transactions/{back}/operations")
    assert record["asset_balance_changes"] == [
        {
            "asset_type": "credit_alphanum4",
            "asset_code": "USD",
            "asset_issuer": address("issuer"),
            "type": "transfer",
            "from": place.carol,
            "to": address("bob"),
            "amount": "12.5000000",
            "destination_muxed_id": "77",
            "destination_muxed_id_type": "uint64",
        }
    ]

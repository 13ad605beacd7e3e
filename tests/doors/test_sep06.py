"""SEP-6 as a wallet sees it: from the first request to the money that arrived."""

from typing import Any

import pytest

from tests.transfers import Wallet
from tests.waiting import until


@pytest.mark.conforms("SEP6-24", "SEP6-25", "SEP6-90", "SEP6-93")
def test_a_deposit_of_a_known_customer_is_paid_in_and_arrives(holder: Wallet) -> None:
    holder.known()
    opened = holder.deposit()
    reference = holder.world.row(opened["id"]).reference
    assert opened["instructions"]["external_transfer_memo"]["value"] == reference
    assert opened["instructions"]["organization.bank_account_number"]["value"].startswith("DE")
    assert reference in opened["how"]
    seen = holder.seen(opened["id"])
    assert seen["status"] == "pending_user_transfer_start"
    assert seen["instructions"] == opened["instructions"]
    assert (seen["amount_in"], seen["amount_out"], seen["amount_fee"]) == ("100", "98.5", "1.5")
    holder.pay_in(opened["id"])
    until(lambda: holder.worked(opened["id"]) == "completed", 40, "for the deposit")
    assert "instructions" not in holder.seen(opened["id"])


@pytest.mark.conforms("SEP6-90", "SEP6-70")
def test_a_list_asks_no_rail(holder: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    holder.known()
    opened = [holder.deposit()["id"] for _ in range(3)]
    asked: list[str] = []
    rail = holder.world.app.extensions["anchor"].rails["bank"]
    says = rail.deposit_instructions

    def count(deposit: Any) -> Any:
        asked.append(deposit.transaction_id)
        return says(deposit)

    monkeypatch.setattr(rail, "deposit_instructions", count)
    assert sorted(holder.listed()) == sorted(opened)
    assert asked == []
    assert "instructions" in holder.seen(opened[0])
    assert asked == [opened[0]]


def test_a_withdrawal_of_a_known_customer_is_paid_and_paid_out(holder: Wallet) -> None:
    holder.known()
    opened = holder.withdrawal()
    assert opened["account_id"] == holder.world.distribution
    assert (opened["memo_type"], opened["memo"]) == ("id", holder.world.memo(opened["id"]))
    paid = holder.pay(opened["id"])
    holder.world.work()
    done = holder.seen(opened["id"])
    assert (done["status"], done["kind"]) == ("completed", "withdrawal")
    assert done["stellar_transaction_id"] == paid
    assert holder.world.paid_by_bank() == 1


@pytest.mark.conforms(
    "SEP6-23", "SEP6-26", "SEP6-44", "SEP6-62", "SEP6-90", "SEP6-100", "SEP12-48", "E-26"
)
def test_what_waits_for_its_customer_goes_on_by_itself_once_they_are_accepted(
    holder: Wallet,
) -> None:
    deposit, withdrawal = holder.deposit(), holder.withdrawal()
    assert "instructions" not in deposit
    assert "memo" not in withdrawal
    for one in (deposit, withdrawal):
        seen = holder.seen(one["id"])
        assert seen["status"] == "pending_customer_info_update"
        assert "instructions" not in seen
        assert not [name for name in seen if name.startswith("withdraw_")]
    asked = holder.customer(type="sep6", transaction_id=withdrawal["id"])
    assert asked["status"] == "NEEDS_INFO"
    assert set(asked["fields"]) == {"first_name", "bank_account_number", "bank_account_holder"}
    holder.known()
    assert "instructions" in holder.seen(deposit["id"])
    ready = holder.seen(withdrawal["id"])
    assert ready["status"] == "pending_user_transfer_start"
    assert ready["withdraw_anchor_account"] == holder.world.distribution
    assert ready["withdraw_memo"] == holder.world.memo(withdrawal["id"])
    holder.pay(withdrawal["id"])
    holder.world.work()
    assert holder.seen(withdrawal["id"])["status"] == "completed"

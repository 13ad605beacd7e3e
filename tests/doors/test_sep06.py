"""SEP-6 as a wallet sees it: from the first request to the money that arrived."""

from collections.abc import Iterator
from typing import Any

import pytest

from anchor import create_app
from anchor.extensions import db
from tests.transfers import Wallet, serving
from tests.waiting import until
from tests.world import World, settings_for


@pytest.fixture
def world(database_url: str, broker_url: str, sandbox: Any, bank: Any) -> Iterator[World]:
    """An anchor with SEP-6 and the customers that it needs."""
    settings = serving(settings_for(sandbox, database_url, broker_url))
    made = World(create_app(settings), settings, sandbox, bank)
    with made.app.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def wallet(world: World) -> Wallet:
    return Wallet(world)


@pytest.mark.conforms("SEP6-24", "SEP6-25", "SEP6-90", "SEP6-93")
def test_a_deposit_of_a_known_customer_is_paid_in_and_arrives(wallet: Wallet) -> None:
    wallet.known()
    opened = wallet.deposit()
    reference = wallet.world.row(opened["id"]).reference
    assert opened["instructions"]["external_transfer_memo"]["value"] == reference
    assert opened["instructions"]["organization.bank_account_number"]["value"].startswith("DE")
    assert reference in opened["how"]
    seen = wallet.seen(opened["id"])
    assert seen["status"] == "pending_user_transfer_start"
    assert seen["instructions"] == opened["instructions"]
    assert (seen["amount_in"], seen["amount_out"], seen["amount_fee"]) == ("100", "98.5", "1.5")
    wallet.pay_in(opened["id"])
    until(lambda: wallet.worked(opened["id"]) == "completed", 40, "for the deposit")


def test_a_withdrawal_of_a_known_customer_is_paid_and_paid_out(wallet: Wallet) -> None:
    wallet.known()
    opened = wallet.withdrawal()
    assert opened["account_id"] == wallet.world.distribution
    assert (opened["memo_type"], opened["memo"]) == ("id", wallet.world.memo(opened["id"]))
    paid = wallet.pay(opened["id"])
    wallet.world.work()
    done = wallet.seen(opened["id"])
    assert (done["status"], done["kind"]) == ("completed", "withdrawal")
    assert done["stellar_transaction_id"] == paid
    assert wallet.world.paid_by_bank() == 1


@pytest.mark.conforms("SEP6-23", "SEP6-26", "SEP6-44", "SEP6-62", "SEP6-90", "SEP6-100", "SEP12-48")
def test_what_waits_for_its_customer_goes_on_by_itself_once_they_are_accepted(
    wallet: Wallet,
) -> None:
    deposit, withdrawal = wallet.deposit(), wallet.withdrawal()
    assert "instructions" not in deposit
    assert "memo" not in withdrawal
    for one in (deposit, withdrawal):
        seen = wallet.seen(one["id"])
        assert seen["status"] == "pending_customer_info_update"
        assert "instructions" not in seen
        assert not [name for name in seen if name.startswith("withdraw_")]
    asked = wallet.customer(type="sep6", transaction_id=withdrawal["id"])
    assert asked["status"] == "NEEDS_INFO"
    assert set(asked["fields"]) == {"first_name", "bank_account_number", "bank_account_holder"}
    wallet.known()
    assert "instructions" in wallet.seen(deposit["id"])
    ready = wallet.seen(withdrawal["id"])
    assert ready["status"] == "pending_user_transfer_start"
    assert ready["withdraw_anchor_account"] == wallet.world.distribution
    assert ready["withdraw_memo"] == wallet.world.memo(withdrawal["id"])
    wallet.pay(withdrawal["id"])
    wallet.world.work()
    assert wallet.seen(withdrawal["id"])["status"] == "completed"

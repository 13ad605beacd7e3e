"""Withdrawals that a contract account pays: what it is told, and what it is refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import MuxedAccount, StrKey

from anchor.ledger.records import read_payments
from anchor.lifecycle import Kind, Status
from anchor.services import networks, payments
from tests.contracts import Customer, dispose, with_contracts
from tests.custodian import VaultPlugin
from tests.invocations import invocation, transfer
from tests.transfers import Wallet, serving
from tests.visiting import Visitor
from tests.world import ACCOUNT, World

OTHER = StrKey.encode_contract(b"\x05" * 32)
ON_PAGES = "/sep24/transactions/withdraw/interactive"
MEMO = {"refund_memo": "5", "refund_memo_type": "id"}


@pytest.fixture
def anchor(world: World) -> Iterator[World]:
    made = with_contracts(replace(world, settings=serving(world.settings)))
    with made.app.app_context():
        yield made
    dispose()


@pytest.fixture
def customer(anchor: World) -> Customer:
    return Customer.of(anchor)


@pytest.fixture
def wallet(anchor: World, customer: Customer) -> Wallet:
    """A wallet that logged in by SEP-45, whose customer is known."""
    made = Wallet(anchor)
    made.headers = customer.log_in(made.client)
    made.known()
    return made


def on_pages(wallet: Wallet, **body: Any) -> Any:
    given = {"asset_code": "USDC", "amount": "100"} | body
    return wallet.client.post(ON_PAGES, json=given, headers=wallet.headers)


def arrive(anchor: World, contract: str, memo: str) -> None:
    """Keep the transfer of a contract to the muxed address of that id."""
    change = transfer(anchor.policy.id, contract, anchor.distribution, "100.0", int(memo))
    (watch,) = networks.watched()
    payments.feed(watch, read_payments(invocation([change]), anchor.distribution))


@pytest.mark.conforms("SEP6-47", "CAP67-03")
def test_a_contract_account_withdraws_on_its_wallet_s_screens(
    wallet: Wallet, customer: Customer, anchor: World
) -> None:
    told = wallet.withdrawal()
    assert (told["account_id"], told["memo_type"]) == (anchor.distribution, "id")
    row = anchor.row(told["id"])
    assert (row.owner_account, row.from_account) == (customer.account, customer.account)
    arrive(anchor, customer.account, told["memo"])
    anchor.work()
    seen = wallet.seen(told["id"])
    assert (seen["status"], seen["from"]) == ("completed", customer.account)
    assert seen["withdraw_memo_type"] == "id"


@pytest.mark.conforms("SEP24-32", "CAP67-03")
def test_a_contract_account_withdraws_on_the_pages(
    wallet: Wallet, customer: Customer, anchor: World
) -> None:
    opened = on_pages(wallet).json
    page = Visitor(wallet.client, opened["url"]).fill_in(bank_account_number=ACCOUNT)
    seen = f"/sep24/transaction?id={opened['id']}"
    found = wallet.client.get(seen, headers=wallet.headers).json["transaction"]
    assert (found["withdraw_anchor_account"], found["withdraw_memo_type"]) == (
        anchor.distribution,
        "id",
    )
    memo = found["withdraw_memo"]
    address = MuxedAccount(anchor.distribution, int(memo)).account_muxed
    assert f">{address}<" in page.text
    arrive(anchor, customer.account, memo)
    anchor.work()
    assert anchor.status(opened["id"]) == "completed"


@pytest.mark.conforms("SEP6-47", "CAP67-03")
def test_the_page_of_a_contract_account_shows_no_way_that_it_cannot_go(wallet: Wallet) -> None:
    """A payment request makes a payment, and a memo has no place in a transfer of a contract."""
    visitor = Visitor(wallet.client, on_pages(wallet).json["url"])
    page = visitor.fill_in(bank_account_number=ACCOUNT).text
    assert "web+stellar:" not in page
    assert "memo" not in page.lower()
    assert "exactly this address" in page
    assert "<svg" in page


def test_the_page_of_a_contract_s_owner_who_pays_from_elsewhere_is_as_ever(
    wallet: Wallet, anchor: World
) -> None:
    opened = on_pages(wallet, account=anchor.payer.public_key).json
    page = Visitor(wallet.client, opened["url"]).fill_in(bank_account_number=ACCOUNT).text
    assert "web+stellar:" in page
    assert "exactly this memo" in page


@pytest.mark.conforms("SEP6-47")
def test_who_logged_in_by_a_key_may_name_a_contract_account(
    wallet: Wallet, anchor: World, customer: Customer
) -> None:
    wallet.log_in()
    wallet.known()
    told = wallet.withdrawal(account=customer.account)
    assert told["memo_type"] == "id"
    assert anchor.row(told["id"]).from_account == customer.account
    opened = on_pages(wallet, account=customer.account)
    assert anchor.row(opened.json["id"]).from_account == customer.account


@pytest.mark.conforms("SEP6-41", "SEP24-31")
def test_a_refund_memo_that_no_contract_can_be_sent_is_refused(
    wallet: Wallet, anchor: World
) -> None:
    for ask in (wallet.ask_withdrawal(**MEMO), on_pages(wallet, **MEMO)):
        assert ask.status_code == 400
        assert "refund_memo" in ask.json["error"]
    elsewhere = MEMO | {"account": anchor.payer.public_key}
    assert wallet.ask_withdrawal(**elsewhere).status_code == 200
    assert on_pages(wallet, **elsewhere).status_code == 200


def refused(wallet: Wallet) -> list[str]:
    answers = [wallet.ask_withdrawal(account=OTHER), on_pages(wallet, account=OTHER)]
    assert {each.status_code for each in answers} == {400}
    return [each.json["error"] for each in answers]


def test_an_issuer_that_is_paid_itself_cannot_tell_contracts_apart(
    wallet: Wallet, anchor: World
) -> None:
    """What comes to it is burnt, and a burn carries no id."""
    wallet.serve(issuer=anchor.distribution)
    sentence = "contract accounts (C…) cannot pay this asset; pay from a G… or M… account"
    assert refused(wallet) == [sentence] * 2


def test_without_an_rpc_no_contract_account_is_served(wallet: Wallet, anchor: World) -> None:
    found = anchor.app.extensions["anchor"]
    settings = replace(found.settings, rpc_url=None)
    anchor.app.extensions["anchor"] = replace(found, settings=settings)
    sentence = "contract accounts (C…) cannot pay here; pay from a G… or M… account"
    assert refused(wallet) == [sentence] * 2


def test_beside_a_custodian_who_pays_no_contract_none_is_served(
    wallet: Wallet, anchor: World
) -> None:
    """It could not be paid back."""
    found = anchor.app.extensions["anchor"]
    anchor.app.extensions["anchor"] = replace(found, custody=VaultPlugin({}))
    assert len(refused(wallet)) == 2


@pytest.mark.conforms("GEN-24")
def test_a_contract_account_sees_its_own_and_nothing_else(
    wallet: Wallet, anchor: World, customer: Customer
) -> None:
    ours, on_page = wallet.withdrawal()["id"], on_pages(wallet).json["id"]
    own = wallet.headers
    for headers in (Customer.of(anchor).log_in(wallet.client), wallet.log_in()):
        for path in (f"/sep6/transaction?id={ours}", f"/sep24/transaction?id={on_page}"):
            assert wallet.client.get(path, headers=headers).status_code == 404
        for door in ("sep6", "sep24"):
            listed = wallet.client.get(f"/{door}/transactions?asset_code=USDC", headers=headers)
            assert listed.json["transactions"] == []
        known = wallet.client.get("/kyc/customer", headers=headers)
        assert known.json.get("id") is None
        named = wallet.client.get(f"/kyc/customer?account={customer.account}", headers=headers)
        assert named.status_code == 403
    wallet.headers = own
    assert wallet.listed() == [ours]
    assert wallet.listed(account=customer.account) == [ours]
    assert wallet.customer(type="sep6")["status"] == "ACCEPTED"


def test_a_contract_account_that_pays_a_send_is_matched_like_any_other(anchor: World) -> None:
    row_id = anchor.of_kind(Kind.SEND, Status.PENDING_SENDER)
    arrive(anchor, OTHER, anchor.memo(row_id))
    assert anchor.status(row_id) == "pending_receiver"

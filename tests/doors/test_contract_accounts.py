"""Contract accounts at the doors of deposits and withdrawals: what they are told, and refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from stellar_sdk import MuxedAccount, StrKey

from anchor.ledger.records import read_payments
from anchor.lifecycle import Kind, Status
from anchor.services import networks, payments
from anchor.services.transactions import CONTRACTS_LANE
from tests.contracts import Customer, dispose, with_contracts
from tests.custodian import VaultPlugin
from tests.deposits import Bench
from tests.doors.test_sep06_quotes import ask as ask_exchange
from tests.doors.test_sep06_quotes import promised
from tests.invocations import invocation, transfer
from tests.quoted import agree
from tests.transfers import Wallet, serving
from tests.visiting import Visitor
from tests.world import ACCOUNT, World

OTHER = StrKey.encode_contract(b"\x05" * 32)
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


def on_pages(wallet: Wallet, way: str, **body: Any) -> Any:
    given = {"asset_code": "USDC", "amount": "100"} | body
    place = f"/sep24/transactions/{way}/interactive"
    return wallet.client.post(place, json=given, headers=wallet.headers)


def deposit_on_pages(wallet: Wallet, **body: Any) -> Any:
    return on_pages(wallet, "deposit", **body)


def withdraw_on_pages(wallet: Wallet, **body: Any) -> Any:
    return on_pages(wallet, "withdraw", **body)


# -- what it is paid ----------------------------------------------------------------------------


@pytest.mark.conforms("SEP6-31", "GEN-39")
def test_a_deposit_on_a_wallet_s_screens_is_paid_to_its_contract_account(
    wallet: Wallet, customer: Customer, anchor: World
) -> None:
    answer = wallet.ask_deposit(account=customer.account, claimable_balance_supported="true")
    assert answer.status_code == 200, answer.text
    row = anchor.row(answer.json["id"])
    assert (row.destination, row.destination_memo) == (customer.account, None)
    assert row.takes_claimable_balance is False
    bench = Bench(anchor)
    bench.fund(row.id)
    assert bench.sql("SELECT lane FROM jobs WHERE kind = 'pay_on_ledger'") == [(CONTRACTS_LANE,)]
    bench.wait(row.id)
    seen = wallet.seen(row.id)
    assert (seen["status"], seen["to"]) == ("completed", customer.account)
    assert "deposit_memo" not in seen


@pytest.mark.conforms("SEP6-31", "GEN-39")
def test_a_deposit_on_the_pages_is_paid_to_who_logged_in(
    wallet: Wallet, customer: Customer, anchor: World
) -> None:
    answer = deposit_on_pages(wallet)
    assert answer.status_code == 200, answer.text
    assert anchor.row(answer.json["id"]).destination == customer.account


@pytest.mark.conforms("SEP6-31", "SEP6-55", "E-22")
def test_a_deposit_in_another_asset_is_paid_to_a_contract_account(
    wallet: Wallet, customer: Customer, anchor: World
) -> None:
    quote_id = promised(wallet, "deposit")
    named = {"quote_id": quote_id, "account": customer.account}
    refused = ask_exchange(wallet, "deposit", **named, memo_type="id", memo="5")
    assert refused.status_code == 400
    assert "carries no memo" in refused.json["error"]
    answer = ask_exchange(wallet, "deposit", **named)
    assert answer.status_code == 200, answer.text
    wallet.pay_in(answer.json["id"], "542", "BRL")
    Bench(anchor).wait(answer.json["id"])
    agree()
    seen = wallet.seen(answer.json["id"])
    assert (seen["status"], seen["to"], seen["amount_out"]) == (
        "completed",
        customer.account,
        "100",
    )


@pytest.mark.conforms("GEN-39")
def test_who_logged_in_by_a_key_may_have_a_contract_account_paid(
    wallet: Wallet, anchor: World, customer: Customer
) -> None:
    wallet.log_in()
    wallet.known()
    answer = wallet.ask_deposit(account=customer.account)
    assert answer.status_code == 200, answer.text
    assert deposit_on_pages(wallet, account=customer.account).status_code == 200
    assert anchor.row(answer.json["id"]).destination == customer.account


@pytest.mark.conforms("E-22", "SEP6-31", "GEN-29", "CAP67-03")
@pytest.mark.parametrize(("kind", "memo"), [("id", "5"), ("text", "hello"), ("hash", "AA==")])
def test_no_memo_is_taken_that_cannot_travel_to_a_contract_account(
    wallet: Wallet, customer: Customer, kind: str, memo: str
) -> None:
    for answer in (
        wallet.ask_deposit(account=customer.account, memo_type=kind, memo=memo),
        deposit_on_pages(wallet, account=customer.account, memo_type=kind, memo=memo),
    ):
        assert answer.status_code == 400
        assert "carries no memo" in answer.json["error"]


@pytest.mark.conforms("E-22", "GEN-29")
def test_who_logged_in_by_a_contract_names_an_id_or_no_memo_for_another_account(
    wallet: Wallet, anchor: World
) -> None:
    there = {"account": anchor.payer.public_key}
    refused = wallet.ask_deposit(**there, memo_type="text", memo="hello")
    assert refused.status_code == 400
    assert "must be id" in refused.json["error"]
    assert wallet.ask_deposit(**there, memo_type="id", memo="5").status_code == 200


def test_a_contract_that_cannot_be_paid_is_refused_with_the_reason(
    wallet: Wallet, anchor: World
) -> None:
    asset = anchor.asset.contract_id(anchor.settings.network_passphrase)
    for account, said in (
        (OTHER, "not on the ledger"),
        (asset, "the contract of an asset"),
        (OTHER[:-1] + "A", "a Stellar address"),
    ):
        for answer in (
            wallet.ask_deposit(account=account),
            deposit_on_pages(wallet, account=account),
        ):
            assert answer.status_code == 400, account
            assert said in answer.json["error"]


def test_promise_14_while_the_rpc_is_away_no_deposit_to_a_contract_is_opened(
    wallet: Wallet, customer: Customer, anchor: World
) -> None:
    for ask in (wallet.ask_deposit, lambda **body: deposit_on_pages(wallet, **body)):
        knob = {"at": "rpc", "answer": "503", "times": 1}
        requests.post(f"{anchor.sandbox.url}/sandbox/misbehave", json=knob, timeout=5)
        assert ask(account=customer.account).status_code == 503
        assert ask(account=customer.account).status_code == 200


# -- what it pays -------------------------------------------------------------------------------


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
    opened = withdraw_on_pages(wallet).json
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
    visitor = Visitor(wallet.client, withdraw_on_pages(wallet).json["url"])
    page = visitor.fill_in(bank_account_number=ACCOUNT).text
    assert "web+stellar:" not in page
    assert "memo" not in page.lower()
    assert "exactly this address" in page
    assert "<svg" in page


def test_the_page_of_a_contract_s_owner_who_pays_from_elsewhere_is_as_ever(
    wallet: Wallet, anchor: World
) -> None:
    opened = withdraw_on_pages(wallet, account=anchor.payer.public_key).json
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
    opened = withdraw_on_pages(wallet, account=customer.account)
    assert anchor.row(opened.json["id"]).from_account == customer.account


@pytest.mark.conforms("SEP6-41", "SEP24-31")
def test_a_refund_memo_that_no_contract_can_be_sent_is_refused(
    wallet: Wallet, anchor: World
) -> None:
    for ask in (wallet.ask_withdrawal(**MEMO), withdraw_on_pages(wallet, **MEMO)):
        assert ask.status_code == 400
        assert "refund_memo" in ask.json["error"]
    elsewhere = MEMO | {"account": anchor.payer.public_key}
    assert wallet.ask_withdrawal(**elsewhere).status_code == 200
    assert withdraw_on_pages(wallet, **elsewhere).status_code == 200


def refused(wallet: Wallet) -> list[str]:
    answers = [wallet.ask_withdrawal(account=OTHER), withdraw_on_pages(wallet, account=OTHER)]
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
    ours, on_page = wallet.withdrawal()["id"], withdraw_on_pages(wallet).json["id"]
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

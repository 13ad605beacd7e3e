"""Deposits that are to be paid to a contract account: what is taken, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from stellar_sdk import StrKey

from anchor.services.transactions import CONTRACTS_LANE
from tests.contracts import Customer, dispose, with_contracts
from tests.deposits import Bench
from tests.doors.test_sep06_quotes import ask as ask_exchange
from tests.doors.test_sep06_quotes import promised
from tests.quoted import agree
from tests.transfers import Wallet, serving
from tests.world import World

OTHER = StrKey.encode_contract(b"\x05" * 32)
ON_PAGES = "/sep24/transactions/deposit/interactive"


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
    answer = on_pages(wallet)
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
    assert on_pages(wallet, account=customer.account).status_code == 200
    assert anchor.row(answer.json["id"]).destination == customer.account


@pytest.mark.conforms("E-22", "SEP6-31", "GEN-29", "CAP67-03")
@pytest.mark.parametrize(("kind", "memo"), [("id", "5"), ("text", "hello"), ("hash", "AA==")])
def test_no_memo_is_taken_that_cannot_travel_to_a_contract_account(
    wallet: Wallet, customer: Customer, kind: str, memo: str
) -> None:
    for answer in (
        wallet.ask_deposit(account=customer.account, memo_type=kind, memo=memo),
        on_pages(wallet, account=customer.account, memo_type=kind, memo=memo),
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
        for answer in (wallet.ask_deposit(account=account), on_pages(wallet, account=account)):
            assert answer.status_code == 400, account
            assert said in answer.json["error"]


def test_promise_14_while_the_rpc_is_away_no_deposit_to_a_contract_is_opened(
    wallet: Wallet, customer: Customer, anchor: World
) -> None:
    for ask in (wallet.ask_deposit, lambda **body: on_pages(wallet, **body)):
        knob = {"at": "rpc", "answer": "503", "times": 1}
        requests.post(f"{anchor.sandbox.url}/sandbox/misbehave", json=knob, timeout=5)
        assert ask(account=customer.account).status_code == 503
        assert ask(account=customer.account).status_code == 200

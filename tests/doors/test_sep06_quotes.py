"""SEP-6 on quotes: one asset comes in, another goes out, by the numbers that were promised."""

from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor.services import expiry, programmatic, sweeps
from tests.deposits import Bench
from tests.quoted import Trade, agree
from tests.transfers import Wallet

BRL = "iso4217:BRL"


@pytest.fixture
def trade(holder: Wallet) -> Trade:
    return Trade(holder.world)


def promised(holder: Wallet, way: str, **more: Any) -> str:
    """Have 542 BRL for 100 USDC promised, or 100 USDC for 490 BRL; return the quote's id."""
    usdc = f"stellar:{holder.world.policy.id}"
    sold, bought, amount = (BRL, usdc, "542") if way == "deposit" else (usdc, BRL, "100")
    body = {"sell_asset": sold, "buy_asset": bought, "sell_amount": amount, "context": "sep6"}
    answer = holder.client.post("/sep38/quote", json=body | more, headers=holder.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def ask(holder: Wallet, way: str, **query: Any) -> Any:
    """Ask for an exchange as it was promised; `query` says otherwise."""
    if way == "deposit":
        usual = {"source_asset": BRL, "destination_asset": "USDC", "amount": "542"}
        usual["account"] = holder.world.payer.public_key
    else:
        usual = {"source_asset": "USDC", "destination_asset": BRL, "amount": "100"}
    return holder.get(f"{way}-exchange", **usual | query)


@pytest.mark.conforms("SEP6-05", "SEP6-10", "SEP6-12", "E-23")
def test_info_tells_exchanges_in_the_words_of_sep_38(holder: Wallet) -> None:
    found = holder.client.get("/sep6/info").json
    served = {"enabled": True, "authentication_required": True, "funding_methods": ["bank"]}
    assert found["deposit-exchange"] == {"USDC": served}
    assert found["withdraw-exchange"] == {"USDC": served | {"min_amount": 1, "max_amount": 10000}}
    told = holder.client.get("/sep38/info").json["assets"]
    [brl] = [each for each in told if each["asset"] == BRL]
    names = [each["name"] for each in brl["sell_delivery_methods"]]
    assert names == found["deposit-exchange"]["USDC"]["funding_methods"]


@pytest.mark.conforms("SEP6-54", "SEP6-55", "SEP6-56", "SEP6-52", "SEP6-92", "E-03")
@pytest.mark.parametrize("form", ["code", "whole name"])
def test_a_deposit_in_another_asset_arrives_by_the_quotes_numbers(
    holder: Wallet, form: str
) -> None:
    holder.known()
    name = "USDC" if form == "code" else f"stellar:{holder.world.policy.id}"
    quote_id = promised(holder, "deposit")
    answer = ask(holder, "deposit", quote_id=quote_id, destination_asset=name)
    assert answer.status_code == 200, answer.text
    opened = answer.json
    assert set(opened) == {"id", "how", "instructions"}
    seen = holder.seen(opened["id"])
    assert (seen["kind"], seen["quote_id"]) == ("deposit-exchange", quote_id)
    assert (seen["amount_in"], seen["amount_in_asset"]) == ("542", BRL)
    assert (seen["amount_out"], seen["amount_out_asset"]) == (
        "100",
        f"stellar:{holder.world.policy.id}",
    )
    quote = holder.client.get(f"/sep38/quote/{quote_id}", headers=holder.headers).json
    assert seen["fee_details"] == quote["fee"]
    assert (seen["amount_fee"], seen["amount_fee_asset"]) == ("42", BRL)
    assert seen["to"] == holder.world.payer.public_key
    holder.pay_in(opened["id"], "542", "BRL")
    Bench(holder.world).wait(opened["id"])
    assert holder.seen(opened["id"])["amount_out"] == "100"
    agree()


@pytest.mark.conforms("SEP6-54", "SEP6-56", "SEP6-52", "SEP6-92")
def test_a_withdrawal_to_another_asset_is_paid_out_by_the_quotes_numbers(holder: Wallet) -> None:
    holder.known()
    answer = ask(holder, "withdraw", quote_id=promised(holder, "withdraw"), type="bank")
    assert answer.status_code == 200, answer.text
    opened = answer.json
    assert set(opened) == {"id", "account_id", "memo_type", "memo"}
    holder.pay(opened["id"])
    holder.world.work()
    done = holder.seen(opened["id"])
    assert (done["kind"], done["status"]) == ("withdrawal-exchange", "completed")
    assert (done["amount_in"], done["amount_out"], done["amount_out_asset"]) == ("100", "490", BRL)
    assert (done["amount_fee"], done["fee_details"]["total"]) == ("2", "2")
    agree()


@pytest.mark.conforms("SEP6-50", "SEP6-51", "SEP6-54")
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_what_a_quote_does_not_say_is_refused_and_does_not_use_it_up(
    holder: Wallet, trade: Trade, way: str
) -> None:
    holder.known()
    onchain, other = (
        ("destination_asset", "source_asset")
        if way == "deposit"
        else ("source_asset", "destination_asset")
    )
    quote_id = promised(holder, way)
    opposite = promised(holder, "withdraw" if way == "deposit" else "deposit")
    hosted = promised(holder, way, context="sep24")
    own = holder.headers
    holder.log_in(Keypair.random())
    foreign = promised(holder, way)
    holder.headers = own
    for query in (
        {"amount": "99"},
        {other: "iso4217:EUR"},
        {other: "BRL"},
        {other: None},
        {onchain: "NOPE"},
        {onchain: f"stellar:USDC:{Keypair.random().public_key}"},
        {onchain: None},
        {"amount": None},
        {"funding_method": "PIGEON"},
        {"account": "GBAD"},
        *({"quote_id": each} for each in (opposite, hosted, foreign, "unknown")),
    ):
        answer = ask(holder, way, **{"quote_id": quote_id} | query)
        assert answer.status_code == 400, query
        assert answer.json["error"]
    assert ask(holder, way, quote_id=quote_id).status_code == 200
    used = ask(holder, way, quote_id=quote_id)
    assert (used.status_code, used.json["error"]) == (400, "quote_id: the quote is used already")


@pytest.mark.conforms("SEP6-101", "SEP6-51")
def test_a_quote_that_runs_out_while_its_customer_is_asked_expires_with_the_transaction(
    holder: Wallet, trade: Trade
) -> None:
    opened = ask(holder, "withdraw", quote_id=promised(holder, "withdraw")).json
    assert opened["extra_info"]["message"]
    seen = holder.seen(opened["id"])
    assert seen["status"] == "pending_customer_info_update"
    trade.due(opened["id"], seconds=5)
    holder.known()
    assert holder.world.status(opened["id"]) == "pending_customer_info_update"
    sweeps.work_off([programmatic.BRING_ON])
    expiry.owe()
    sweeps.work_off([expiry.EXPIRE])
    assert holder.seen(opened["id"])["status"] == "expired"
    assert holder.world.cases() == []


def test_a_quote_is_still_good_once_its_customer_is_accepted(holder: Wallet) -> None:
    opened = ask(holder, "withdraw", quote_id=promised(holder, "withdraw")).json
    holder.known()
    ready = holder.seen(opened["id"])
    assert ready["status"] == "pending_user_transfer_start"
    holder.pay(opened["id"])
    holder.world.work()
    assert holder.seen(opened["id"])["amount_out"] == "490"
    agree()


def test_a_death_while_it_is_opened_leaves_the_quote_unused_and_nothing_open(
    holder: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder.known()
    quote_id = promised(holder, "withdraw")
    for place in ("_begin", "_ready"):
        with monkeypatch.context() as patched:

            def dies(*_: Any, **__: Any) -> Any:
                raise SystemExit

            patched.setattr(programmatic, place, dies)
            with pytest.raises(SystemExit):
                ask(holder, "withdraw", quote_id=quote_id)
        assert holder.listed() == []
    assert ask(holder, "withdraw", quote_id=quote_id).status_code == 200

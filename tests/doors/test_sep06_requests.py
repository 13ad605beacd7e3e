"""What may be asked of SEP-6, and how it is refused."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from stellar_sdk import Keypair, MuxedAccount, StrKey

from anchor.extensions import db, transaction
from anchor.models import Transaction
from anchor.money import parse_amount
from anchor.policies import DeliveryPolicy
from tests.transfers import Wallet
from tests.world import ACCOUNT

CONTRACT = StrKey.encode_contract(b"\x05" * 32)


def kept() -> int:
    with transaction():
        return db.session.execute(select(func.count()).select_from(Transaction)).scalar_one()


@pytest.mark.conforms("SEP6-02", "SEP6-03", "GEN-09", "GEN-10")
def test_everything_but_info_needs_a_token(holder: Wallet) -> None:
    assert holder.client.get("/sep6/info").status_code == 200
    one = holder.deposit()["id"]
    for method, path in (
        ("get", f"deposit?asset_code=USDC&account={holder.world.payer.public_key}"),
        ("get", "withdraw?asset_code=USDC"),
        ("get", "deposit-exchange"),
        ("get", "withdraw-exchange"),
        ("get", "transactions?asset_code=USDC"),
        ("get", f"transaction?id={one}"),
        ("patch", f"transactions/{one}"),
    ):
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = getattr(holder.client, method)(f"/sep6/{path}", headers=headers)
            assert answer.status_code == 403, path
            assert answer.json["type"] == "authentication_required"
    assert kept() == 1


@pytest.mark.conforms("SEP6-06", "GEN-02", "GEN-04")
def test_any_origin_may_read_answers_refusals_and_preflights(holder: Wallet) -> None:
    origin = {"Origin": "https://wallet.example"}
    for path, methods in (
        ("info", "GET"),
        ("deposit", "GET"),
        ("withdraw", "GET"),
        ("transactions", "GET"),
        ("transactions/abc", "PATCH"),
    ):
        asked = {"Access-Control-Request-Method": methods} | origin
        preflight = holder.client.options(f"/sep6/{path}", headers=asked)
        assert preflight.status_code == 200
        assert methods in preflight.headers["Access-Control-Allow-Methods"]
        answer = holder.client.open(f"/sep6/{path}", method=methods, headers=origin)
        assert answer.status_code in {200, 403}
        for each in (preflight, answer):
            assert each.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.conforms(
    "SEP6-01", "SEP6-10", "SEP6-11", "SEP6-13", "SEP6-14", "SEP6-15", "SEP6-120", "V-12"
)
def test_info_tells_what_is_served_in_the_keys_that_wallets_know(holder: Wallet) -> None:
    found = holder.client.get("/sep6/info?lang=es").json
    terms = {"min_amount": 1, "max_amount": 10000, "fee_fixed": 1, "fee_percent": 0.5}
    served = {"enabled": True, "authentication_required": True, "funding_methods": ["bank"]}
    assert found["deposit"] == {"USDC": served | terms}
    assert found["withdraw"] == {"USDC": served | terms | {"types": {"bank": {"fields": {}}}}}
    told = {"enabled": True, "authentication_required": True}
    assert found["transaction"] == found["transactions"] == told
    assert found["fee"]["enabled"] is False
    assert found["fee"]["description"].startswith("La comisión")
    assert found["features"] == {"account_creation": False, "claimable_balances": False}
    holder.serve(delivery=DeliveryPolicy(True, parse_amount("2"), claimable_balances=True))
    now = holder.client.get("/sep6/info").json["features"]
    assert now == {"account_creation": True, "claimable_balances": True}
    assert holder.client.get("/sep6/fee").status_code == 404


@pytest.mark.conforms("SEP6-11", "GEN-31", "SEP6-20")
def test_an_asset_without_limits_tells_none_and_one_that_is_closed_is_left_out(
    holder: Wallet,
) -> None:
    flow = holder.world.policy.deposit
    holder.serve(
        deposit=replace(flow, min_amount=None, max_amount=None),
        withdrawal=replace(flow, enabled=False),
    )
    found = holder.client.get("/sep6/info").json
    assert not {"min_amount", "max_amount"} & found["deposit"]["USDC"].keys()
    assert found["withdraw"] == {}
    answer = holder.ask_withdrawal()
    assert (answer.status_code, answer.json["error"]) == (
        400,
        "this asset cannot be withdrawn here",
    )


def refused(holder: Wallet, name: str, *values: Any, of: str = "both", **more: Any) -> None:
    """Hold that each value of a parameter is refused with a sentence, and nothing is kept."""
    ways = {"deposit": holder.ask_deposit, "withdraw": holder.ask_withdrawal}
    for way, ask in ways.items():
        for value in values if of in {way, "both"} else ():
            answer = ask(**more | {name: value})
            assert answer.status_code == 400, (way, name, value)
            assert answer.json.keys() == {"error"}, (way, name, value)
            assert answer.json["error"], (way, name, value)
    assert kept() == 0


@pytest.mark.conforms("SEP6-20", "SEP6-40", "SEP6-63")
def test_what_is_not_offered_is_refused(holder: Wallet) -> None:
    holder.known()
    refused(holder, "asset_code", None, "NOPE", "", "stellar:USDC")
    refused(holder, "funding_method", "PIGEON")
    refused(holder, "funding_method", "PIGEON", type="bank")
    refused(holder, "type", "PIGEON")


@pytest.mark.conforms("SEP6-20", "SEP6-40", "GEN-39")
def test_what_is_no_account_is_refused(holder: Wallet) -> None:
    holder.known()
    refused(holder, "account", "GBAD", "M" + "A" * 68, CONTRACT)
    refused(holder, "account", None, of="deposit")


@pytest.mark.conforms("SEP6-21")
def test_an_amount_outside_the_limits_is_refused(holder: Wallet) -> None:
    holder.known()
    refused(holder, "amount", "0.5", "10001")


@pytest.mark.conforms("GEN-32")
def test_what_is_no_amount_is_refused(holder: Wallet) -> None:
    holder.known()
    refused(holder, "amount", "0", "-5", "NaN", "Infinity", "1e2", "1.00000001")
    refused(holder, "amount", "10.001", of="deposit")


@pytest.mark.conforms("SEP6-22")
def test_a_customer_who_is_nobody_is_refused(holder: Wallet) -> None:
    holder.known()
    refused(holder, "customer_id", "nobody")


@pytest.mark.conforms("GEN-36", "GEN-37")
def test_what_is_no_memo_is_refused(holder: Wallet) -> None:
    holder.known()
    for name, way in (("memo", "deposit"), ("refund_memo", "withdraw")):
        refused(holder, name, "5", of=way)
        refused(holder, f"{name}_type", "id", of=way)
        refused(holder, name, "five", "-5", str(2**64), of=way, **{f"{name}_type": "id"})
        refused(holder, name, "x" * 29, "ä" * 15, of=way, **{f"{name}_type": "text"})
        refused(holder, name, "abcd", "ab" * 32, of=way, **{f"{name}_type": "hash"})
        refused(holder, name, "5", of=way, **{f"{name}_type": "return"})


@pytest.mark.conforms("SEP6-40")
def test_a_memo_for_a_refund_has_a_type_and_the_other_way_round(holder: Wallet) -> None:
    holder.known()
    refused(holder, "refund_memo", "5", of="withdraw")
    refused(holder, "refund_memo_type", "id", of="withdraw")


@pytest.mark.conforms("CB-08")
def test_an_address_that_is_never_told_anything_is_refused(holder: Wallet) -> None:
    holder.known()
    refused(holder, "on_change_callback", "ftp://wallet.example/told", "nonsense")


@pytest.mark.conforms("1.5/upstream down")
def test_in_doubt_whether_the_account_is_there_nothing_is_opened(holder: Wallet) -> None:
    holder.known()
    holder.world.sandbox.stop()
    answer = holder.ask_deposit()
    assert (answer.status_code, answer.json.keys()) == (503, {"error"})
    assert kept() == 0


def test_a_flag_is_true_or_false(holder: Wallet) -> None:
    holder.known()
    refused(holder, "claimable_balance_supported", "perhaps", of="deposit")


@pytest.mark.conforms("GEN-13")
def test_a_parameter_that_is_empty_was_not_given(holder: Wallet) -> None:
    holder.known()
    usual = ["memo", "memo_type", "amount", "lang", "type", "funding_method", "country_code"]
    usual += ["customer_id", "location_id", "on_change_callback", "something_else"]
    refund = ["account", "refund_memo", "refund_memo_type"]
    empty = dict.fromkeys([*usual, "claimable_balance_supported"], "")
    assert holder.ask_deposit(**empty).status_code == 200
    assert holder.ask_withdrawal(**dict.fromkeys([*usual, *refund], "")).status_code == 200
    looked = dict.fromkeys(["limit", "no_older_than", "paging_id", "kind", "account"], "")
    assert len(holder.listed(**looked)) == 2
    client, headers = holder.client, holder.headers
    for way in ("deposit", "withdraw"):
        body = dict.fromkeys([*usual, *refund, "quote_id", "asset_issuer"], "")
        path = f"/sep24/transactions/{way}/interactive"
        opened = client.post(path, data=body | {"asset_code": "USDC"}, headers=headers)
        assert opened.status_code == 200
    auth = {"account": holder.world.payer.public_key, "memo": "", "home_domain": ""}
    assert client.get("/auth", query_string=auth | {"client_domain": ""}).status_code == 200
    sale = {"sell_asset": "iso4217:BRL", "sell_amount": "542", "country_code": "", "buy_asset": ""}
    assert client.get("/sep38/prices", query_string=sale).status_code == 200
    assert "asset_code" in holder.ask_deposit(asset_code="").json["error"]


@pytest.mark.conforms("GEN-08", "GEN-40")
@pytest.mark.parametrize("code", ["US", "USAX", "U", "XXX"])
def test_a_code_of_a_country_that_is_none_is_told_of_in_words(holder: Wallet, code: str) -> None:
    answer = holder.ask_deposit(country_code=code, lang="fr")
    assert answer.status_code == 400
    assert answer.json["error"] == "country_code doit être un code de pays de 3 lettres"


@pytest.mark.conforms("GEN-40", "E-28")
def test_each_text_has_codes_of_countries_of_its_own(holder: Wallet) -> None:
    holder.known()
    for ask in (holder.ask_deposit, holder.ask_withdrawal):
        found = {code: ask(country_code=code).status_code for code in ("DEU", "DE", "ZZZ")}
        assert found == {"DEU": 200, "DE": 400, "ZZZ": 400}
    put = holder.client.put
    for name, good, bad in (
        ("address_country_code", "DEU", "DE"),
        ("birth_country_code", "DEU", "DE"),
        ("card.country_code", "DE", "DEU"),
    ):
        for code, status in ((good, 202), (bad, 400)):
            answer = put("/kyc/customer", json={name: code}, headers=holder.headers)
            assert answer.status_code == status, (name, code)
    sale = {"sell_asset": "iso4217:BRL", "sell_amount": "542"}
    found = {
        code: holder.client.get(
            "/sep38/prices", query_string=sale | {"country_code": code}
        ).status_code
        for code in ("BR", "BRA", "DE")
    }
    assert found == {"BR": 200, "BRA": 400, "DE": 400}


def test_a_contract_account_is_refused_and_told_so_where_there_is_no_rpc(holder: Wallet) -> None:
    for ask in (holder.ask_deposit, holder.ask_withdrawal):
        answer = ask(account=CONTRACT)
        assert answer.status_code == 400
        assert "contract accounts" in answer.json["error"]


@pytest.mark.conforms("SEP6-21", "V-13")
def test_of_several_ways_to_pay_one_is_named_by_its_new_name_or_its_old_one(
    holder: Wallet,
) -> None:
    holder.known()
    assert holder.world.row(holder.deposit()["id"]).rail == "bank", "the only one"
    assert holder.world.row(holder.withdrawal()["id"]).rail == "bank", "the only one"
    rails = holder.world.app.extensions["anchor"].rails
    rails["wire"] = rails["bank"]
    holder.serve(rails=("bank", "wire"))
    assert holder.client.get("/sep6/info").json["deposit"]["USDC"]["funding_methods"] == [
        "bank",
        "wire",
    ]
    for ask in (holder.ask_deposit, holder.ask_withdrawal):
        refused = ask()
        assert refused.status_code == 400
        assert "funding_method" in refused.json["error"]
        for query in ({"funding_method": "wire"}, {"type": "wire"}):
            answer = ask(**query)
            assert answer.status_code == 200, answer.text
            assert holder.world.row(answer.json["id"]).rail == "wire"


@pytest.mark.conforms("SEP6-04", "SEP6-43", "SEP6-24", "GEN-28", "V-11")
def test_answers_have_the_keys_that_wallets_know_and_no_nulls(holder: Wallet) -> None:
    """Whatever else old wallets send is taken, and counts for nothing."""
    holder.known()
    other, old = (
        Keypair.random().public_key,
        {"wallet_name": "W", "wallet_url": "https://w.example"},
    )
    more = {"email_address": "a@b.example", "dest": "DE1", "dest_extra": "x", "country_code": "deu"}
    deposit = holder.deposit(account=holder.world.payer.public_key, location_id="L1", **old, **more)
    terms = {"min_amount", "max_amount", "fee_fixed", "fee_percent"}
    assert set(deposit) == {"id", "how", "instructions"} | terms
    muxed = MuxedAccount(other, 5).account_muxed
    withdrawal = holder.withdrawal(account=muxed, **old, **more)
    assert set(withdrawal) == {"id", "account_id", "memo_type", "memo"} | terms
    assert None not in withdrawal.values()
    row = holder.world.row(withdrawal["id"])
    assert (row.from_account, row.client_domain) == (muxed, None)
    assert row.details == {"bank_account_number": ACCOUNT}
    assert holder.seen(withdrawal["id"])["from"] == muxed
    assert holder.world.row(deposit["id"]).details == {"location_id": "L1"}


@pytest.mark.conforms("SEP6-42", "SEP6-08")
def test_bank_details_in_the_query_count_for_nothing(holder: Wallet) -> None:
    opened = holder.withdrawal(dest=ACCOUNT, dest_extra="BANKCODE", bank_account_number=ACCOUNT)
    asked = holder.customer(type="sep6", transaction_id=opened["id"])
    assert "bank_account_number" in asked["fields"]
    assert holder.world.row(opened["id"]).details == {}


@pytest.mark.conforms("SEP6-04")
def test_a_deposit_goes_where_the_wallet_says_under_its_memo(holder: Wallet) -> None:
    holder.known()
    holder.log_in(memo="7")
    holder.known()
    seen = holder.seen(holder.deposit(memo="5", memo_type="id")["id"])
    assert (seen["to"], seen["deposit_memo"]) == (holder.world.payer.public_key, "5")
    plain = holder.seen(holder.deposit()["id"])
    assert "deposit_memo" not in plain


@pytest.mark.conforms("SEP6-27")
def test_an_account_that_is_not_there_is_refused_where_none_is_created(holder: Wallet) -> None:
    holder.known()
    stranger = Keypair.random().public_key
    answer = holder.ask_deposit(account=stranger)
    assert answer.status_code == 400
    assert "not on the ledger" in answer.json["error"]
    holder.serve(delivery=DeliveryPolicy(True, parse_amount("2")))
    assert holder.ask_deposit(account=stranger).status_code == 200
    ours = holder.ask_deposit(account=holder.world.distribution)
    assert ours.status_code == 400


def test_a_deposit_of_any_amount_is_told_no_amount(holder: Wallet) -> None:
    holder.known()
    opened = holder.deposit(amount=None)
    seen = holder.seen(opened["id"])
    assert not {"amount_in", "amount_out", "fee_details"} & seen.keys()
    holder.pay_in(opened["id"], "250")
    assert holder.seen(opened["id"])["amount_in"] == "250"


@pytest.mark.conforms("GEN-08", "GEN-38")
def test_a_refusal_and_the_instructions_are_said_in_the_language_asked_for(
    holder: Wallet,
) -> None:
    holder.known()
    answer = holder.ask_deposit(amount="0.5", lang="es")
    assert answer.json == {"error": "el importe mínimo es 1"}
    told = holder.deposit(lang="es")["instructions"]["external_transfer_memo"]["description"]
    assert told != holder.deposit(lang="tlh")["instructions"]["external_transfer_memo"]
    waiting = holder.get("withdraw", asset_code="USDC", amount="1", lang="es")
    assert waiting.status_code == 400

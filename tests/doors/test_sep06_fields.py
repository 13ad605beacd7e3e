"""Each row of SEP-6's tables of fields: read where it is asked with, shown where it is known."""

from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.extensions import db, transaction
from anchor.lifecycle import Event, Kind, Status
from anchor.models import Transaction
from anchor.services import refunds
from anchor.services.refunds import Order
from anchor.services.transactions import Happening, happened
from scripts.make_conformance import rows
from tests.deposits import Bench
from tests.doors.test_sep06_quotes import BRL, ask, promised
from tests.transfers import Wallet

TOLD = "https://wallet.example/told"
#: What is taken from old wallets and counts for nothing.
PASSED_OVER = {"wallet_name": "W", "wallet_url": "https://wallet.example"}


def two_ways(holder: Wallet) -> None:
    """Let there be two ways to pay."""
    rails = holder.world.app.extensions["anchor"].rails
    rails["wire"] = rails["bank"]
    holder.serve(rails=("bank", "wire"))


def held(number: str, **found: bool) -> None:
    """Hold that each row of a table was looked at, and is as it has to be."""
    assert found == dict.fromkeys(rows(number), True)


def speaks(answer: Any) -> bool:
    """Tell whether a refusal is in Spanish."""
    return (answer.status_code, answer.json["error"]) == (400, "el importe mínimo es 1")


@pytest.mark.conforms("7.2/*")
def test_an_asset_is_told_with_each_field_of_the_table(holder: Wallet) -> None:
    info = holder.client.get("/sep6/info").json
    maps = ("deposit", "deposit-exchange", "withdraw", "withdraw-exchange")
    asset = {name: info[name]["USDC"] for name in maps}
    always = {"enabled": True, "authentication_required": True, "funding_methods": ["bank"]}
    wanted = {name: dict.fromkeys(maps, value) for name, value in always.items()} | {
        "fee_fixed": {"deposit": 1, "withdraw": 1},
        "fee_percent": {"deposit": 0.5, "withdraw": 0.5},
        "min_amount": {"deposit": 1, "withdraw": 1, "withdraw-exchange": 1},
        "max_amount": {"deposit": 10000, "withdraw": 10000, "withdraw-exchange": 10000},
        "types": {"withdraw": {"bank": {"fields": {}}}},
    }
    found = {
        name: {way: asset[way][name] for way in maps if name in asset[way]}
        for name in rows("7.2/*")
    }
    assert found == wanted
    assert {name for each in asset.values() for name in each} == set(found)


@pytest.mark.conforms("7.3/*", "SEP6-04")
def test_a_deposit_reads_each_parameter(holder: Wallet) -> None:
    customer, other = holder.known(), Bench(holder.world).account().public_key
    two_ways(holder)
    given = {
        "asset_code": "USDC",
        "account": other,
        "funding_method": "wire",
        "amount": "50",
        "memo": "5",
        "memo_type": "id",
        "lang": "es",
        "country_code": "DEU",
        "claimable_balance_supported": "true",
        "customer_id": customer,
        "location_id": "L1",
        "on_change_callback": TOLD,
        "email_address": "a@b.example",
        **PASSED_OVER,
    }
    opened = holder.deposit(**given)
    row, seen = holder.world.row(opened["id"]), holder.seen(opened["id"])
    held(
        "7.3/*",
        asset_code=holder.ask_deposit(asset_code=None, funding_method="wire").status_code == 400,
        account=seen["to"] == other
        and holder.ask_deposit(account=None, funding_method="wire").status_code == 400,
        funding_method=row.rail == "wire" and holder.ask_deposit().status_code == 400,
        memo=seen["deposit_memo"] == "5",
        memo_type=seen["deposit_memo_type"] == "id",
        lang=speaks(holder.ask_deposit(**given | {"amount": "0.5"})),
        on_change_callback=row.callback_url == TOLD,
        amount=seen["amount_in"] == "50",
        country_code=holder.ask_deposit(**given | {"country_code": "DE"}).status_code == 400,
        claimable_balance_supported=row.takes_claimable_balance,
        customer_id=holder.ask_deposit(**given | {"customer_id": "x"}).status_code == 400,
        location_id=row.details == {"location_id": "L1"},
        type=holder.world.row(holder.deposit(type="wire")["id"]).rail == "wire",
        email_address="a@b.example" not in str(seen),
        wallet_name=row.client_domain is None,
        wallet_url=PASSED_OVER["wallet_url"] not in str(seen),
    )


@pytest.mark.conforms("7.3 answer/*", "7.4 answer/*")
def test_the_answer_has_each_field_where_it_is_known(holder: Wallet) -> None:
    """Before the customer is known it says why it does not say how to pay; then how."""
    deposit, withdrawal = holder.deposit(), holder.withdrawal()
    holder.known()
    for number, found in (
        ("7.3 answer/*", deposit | holder.deposit()),
        ("7.4 answer/*", withdrawal | holder.withdrawal()),
    ):
        assert set(found) == set(rows(number))
        assert all(value not in (None, "", {}) for value in found.values())
        numbers = {name: found[name] for name in found if name.startswith(("min", "max", "fee"))}
        assert numbers == {
            "min_amount": 1,
            "max_amount": 10000,
            "fee_fixed": 1,
            "fee_percent": 0.5,
        }
        assert found["extra_info"].keys() == {"message"}


@pytest.mark.conforms("7.4/*")
def test_a_withdrawal_reads_each_parameter(holder: Wallet) -> None:
    two_ways(holder)
    customer, other = holder.known(), MuxedAccount(Keypair.random().public_key, 5).account_muxed
    given = {
        "asset_code": "USDC",
        "account": other,
        "funding_method": "wire",
        "amount": "50",
        "memo": "8",
        "memo_type": "id",
        "lang": "es",
        "country_code": "DEU",
        "refund_memo": "back",
        "refund_memo_type": "text",
        "location_id": "L1",
        "customer_id": customer,
        "on_change_callback": TOLD,
        **PASSED_OVER,
        "dest": "DE89",
        "dest_extra": "BANKCODE",
    }
    opened = holder.withdrawal(**given)
    row, seen = holder.world.row(opened["id"]), holder.seen(opened["id"])
    details = set(row.details.values())
    held(
        "7.4/*",
        asset_code=holder.ask_withdrawal(asset_code=None, type="wire").status_code == 400,
        funding_method=row.rail == "wire" and holder.ask_withdrawal().status_code == 400,
        account=seen["from"] == other,
        memo=opened["memo"] != "8",
        memo_type=row.owner_subaccount is None,
        lang=speaks(holder.ask_withdrawal(**given | {"amount": "0.5"})),
        on_change_callback=row.callback_url == TOLD,
        amount=seen["amount_in"] == "50",
        country_code=holder.ask_withdrawal(**given | {"country_code": "DE"}).status_code == 400,
        customer_id=holder.ask_withdrawal(**given | {"customer_id": "x"}).status_code == 400,
        location_id=row.details.get("location_id") == "L1",
        refund_memo=row.refund_memo == "back",
        refund_memo_type=row.refund_memo_type == "text",
        type=holder.world.row(holder.withdrawal(type="wire")["id"]).rail == "wire",
        dest="DE89" not in details,
        dest_extra="BANKCODE" not in details,
        wallet_name=row.client_domain is None,
        wallet_url=PASSED_OVER["wallet_url"] not in str(seen),
    )


@pytest.mark.conforms("7.5/*")
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_an_exchange_reads_each_parameter(holder: Wallet, way: str) -> None:
    holder.known()
    other, memo = Bench(holder.world).account().public_key, {"memo": "5", "memo_type": "id"}
    quote = {"quote_id": promised(holder, way)}
    opened = ask(holder, way, account=other, funding_method="bank", **quote, **memo)
    assert opened.status_code == 200, opened.text
    seen = holder.seen(opened.json["id"])
    is_deposit, usdc = way == "deposit", f"stellar:{holder.world.policy.id}"
    source, destination = (BRL, usdc) if is_deposit else (usdc, BRL)
    spare = promised(holder, way)

    def refused(**query: Any) -> bool:
        return bool(ask(holder, way, quote_id=spare, **query).status_code == 400)

    held(
        "7.5/*",
        source_asset=seen["amount_in_asset"] == source and refused(source_asset=None),
        destination_asset=seen["amount_out_asset"] == destination
        and refused(destination_asset=None),
        amount=seen["amount_in"] == ("542" if is_deposit else "100") and refused(amount=None),
        funding_method=refused(funding_method="PIGEON"),
        account=seen["to" if is_deposit else "from"] == other
        and refused(account=None) is is_deposit,
        quote_id=seen["quote_id"] == quote["quote_id"],
        memo=seen.get("deposit_memo") == ("5" if is_deposit else None),
        memo_type=seen.get("deposit_memo_type") == ("id" if is_deposit else None),
    )


@pytest.mark.conforms("7.7/*")
def test_the_list_reads_each_parameter(holder: Wallet) -> None:
    holder.known()
    first, second, third = (
        holder.deposit()["id"],
        holder.withdrawal()["id"],
        holder.deposit()["id"],
    )
    own, began = holder.world.payer.public_key, holder.seen(second)["started_at"]
    with transaction():
        db.session.get_one(Transaction, third).message = "We cannot offer you this service."
    spanish = holder.get("transactions", asset_code="USDC", lang="es").json["transactions"][0]
    other = holder.get("transactions", asset_code="USDC", account=Keypair.random().public_key)
    held(
        "7.7/*",
        asset_code=holder.get("transactions").status_code == 400,
        account=holder.listed(account=own) == [third, second, first] and other.status_code == 403,
        no_older_than=holder.listed(no_older_than=began) == [third, second],
        limit=holder.listed(limit=1) == [third],
        kind=holder.listed(kind="withdrawal") == [second],
        paging_id=holder.listed(paging_id=second) == [first],
        lang=spanish["message"] == "No podemos ofrecerle este servicio.",
    )


@pytest.mark.conforms("7.8/*")
def test_a_transaction_is_asked_for_by_each_parameter(holder: Wallet) -> None:
    ids = {"stellar_transaction_id": "ab" * 32, "external_transaction_id": "B1"}
    message = {"message": "We cannot offer you this service."}
    row_id = holder.world.of_kind(Kind.DEPOSIT, Status.COMPLETED, **ids, **message)
    ids["id"] = row_id
    found = {
        name: holder.get("transaction", **{name: value}).json["transaction"]["id"] == row_id
        for name, value in ids.items()
    }
    said = holder.get("transaction", id=row_id, lang="es").json["transaction"]["message"]
    held("7.8/*", lang=said == "No podemos ofrecerle este servicio.", **found)


@pytest.mark.conforms("7.9/*")
def test_a_transaction_shows_each_field_where_it_is_known(holder: Wallet) -> None:
    """A deposit on a quote, one that is done, and withdrawals: sent back, and to be corrected."""
    holder.known()
    more = {"memo": "5", "memo_type": "id", "quote_id": promised(holder, "deposit")}
    begun = ask(holder, "deposit", **more).json["id"]
    ids = {"stellar_transaction_id": "ab" * 32, "external_transaction_id": "B1"}
    claimed = {"claimable_balance_id": "00000000" + "cd" * 32, "from_account": "DE89"}
    done = holder.world.of_kind(Kind.DEPOSIT, Status.COMPLETED, message="Done.", **ids, **claimed)
    wrong = {"required_info": {"bank_account_number": "no such account"}}
    asked = holder.world.of_kind(Kind.WITHDRAWAL, Status.PENDING_TRANSACTION_INFO_UPDATE, **wrong)
    back = holder.withdrawal()["id"]
    holder.pay(back)
    happened(Happening(back, Event.HELD, "a test"))
    refunds.begin(Order(refunds.of_transaction(back).cause, None, "somebody"))
    Bench(holder.world).wait(back, "refunded")
    seen = {each: holder.seen(each) for each in (begun, done, asked, back)}
    shown = {
        name
        for each in seen.values()
        for name, value in each.items()
        if value not in (None, "", {}, [])
    }
    assert shown == set(rows("7.9/*"))
    always = {"id", "kind", "status", "amount_in_asset", "amount_out_asset", "refunded"}
    assert all(always <= each.keys() for each in seen.values())
    assert seen[begun]["fee_details"]["total"] == seen[begun]["amount_fee"] == "42"
    assert seen[back]["completed_at"].endswith("Z")

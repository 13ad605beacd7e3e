"""SEP-31: what a send is opened with, and what is refused in which words."""

import json
from datetime import timedelta
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.extensions import db, transaction
from anchor.models import Transaction
from anchor.money import parse_amount
from anchor.policies import SendingAnchor
from anchor.services import sweeps
from anchor.services.callbacks import CALLBACK
from tests.doors.test_bad_input import NASTY_JSON, sound
from tests.doors.test_sep31 import paid_out
from tests.quoted import BRL, Trade, agree, books
from tests.sending import Remitter
from tests.test_callbacks import NO_CONTENT, listening
from tests.test_expiry import run
from tests.world import ACCOUNT


def refused(answer: Any) -> str:
    """Return the sentence of a refusal, which is all that it says."""
    assert answer.status_code == 400, answer.text
    assert answer.json.keys() == {"error"}
    return str(answer.json["error"])


def sends() -> int:
    with transaction():
        return db.session.query(Transaction).count()


# -- the body -----------------------------------------------------------------------------------


@pytest.mark.conforms("SEP31-25", "9.3/amount", "9.3/asset_code")
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"amount": None}, "amount: missing data for required field"),
        ({"asset_code": None}, "asset_code: missing data for required field"),
        ({"asset_code": "EUR"}, "this asset is not received here"),
        (
            {"asset_issuer": "GAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QZ6Q"},
            "this asset is not received here",
        ),
        ({"amount": "0.5"}, "the least amount is 1"),
        ({"amount": "10001"}, "the greatest amount is 10,000"),
        ({"amount": "1.00000001"}, None),
        ({"amount": "-1"}, None),
        ({"amount": "0"}, None),
        ({"amount": "1e2"}, None),
        ({"funding_method": "SEPA"}, "this way to pay is not offered"),
        ({"refund_memo": "5"}, "memo and memo_type must be given together"),
        ({"refund_memo_type": "id"}, "memo and memo_type must be given together"),
        ({"refund_memo": "x", "refund_memo_type": "id"}, None),
        ({"refund_memo": "5", "refund_memo_type": "return"}, "memo_type must be text, id or hash"),
        (
            {"destination_asset": "iso4217:BRL"},
            "to exchange one asset for another, quote_id is required",
        ),
        ({"fields": {"transaction": []}}, None),
        ({"fields": "x"}, None),
        ({"fields": {"transaction": {"a": 5}}}, "fields: must have texts only"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    remitter: Remitter, changed: dict[str, Any], error: str | None
) -> None:
    remitter.serve(asset={"send": remitter.world.policy.withdrawal})
    said = refused(remitter.post(**changed))
    assert error is None or said == error
    assert sends() == 0


@pytest.mark.conforms("SEP31-25", "9.3/lang")
def test_a_refusal_is_said_in_the_language_asked_for(remitter: Remitter) -> None:
    remitter.serve(asset={"send": remitter.world.policy.withdrawal})
    said = {
        "es": "el importe mínimo es 1",
        "pt-BR": "o valor mínimo é 1",
        "fr": "le montant minimal est de 1",
        "tlh": "the least amount is 1",
    }
    for lang, sentence in said.items():
        assert refused(remitter.post(amount="0.5", lang=lang)) == sentence


@pytest.mark.conforms("9.3/amount", "9.3/asset_issuer", "9.3/funding_method", "SEP31-05")
@pytest.mark.parametrize("raw", ["100.5", '"100.5"', "100.5000000"])
def test_an_amount_is_exact_as_a_number_and_as_text(remitter: Remitter, raw: str) -> None:
    body = json.dumps(remitter.body(amount="?", asset_issuer=remitter.world.policy.issuer))
    answer = remitter.client.post(
        "/sep31/transactions",
        data=body.replace('"?"', raw),
        headers=remitter.headers,
        content_type="application/json",
    )
    assert answer.status_code == 201, answer.text
    assert answer.mimetype == "application/json"
    assert remitter.world.row(answer.json["id"]).amount_expected == parse_amount("100.5")


@pytest.mark.conforms("SEP31-28", "9.3/funding_method")
def test_the_method_may_be_left_out_where_there_is_one(remitter: Remitter) -> None:
    opened = remitter.opened(funding_method=None)
    assert remitter.world.row(opened["id"]).rail == "bank"
    rails = remitter.world.app.extensions["anchor"].rails
    rails["cash"] = rails["bank"]
    remitter.serve(asset={"rails": ("bank", "cash")})
    said = refused(remitter.post(funding_method=None))
    assert said == "funding_method is required, for there are several ways to pay"
    assert remitter.world.row(remitter.opened(funding_method="cash")["id"]).rail == "cash"


@pytest.mark.conforms("9.3/refund_memo")
@pytest.mark.parametrize(
    ("kind", "memo", "stored"),
    [
        ("id", "18446744073709551615", "18446744073709551615"),
        ("text", "für Ada", "für Ada"),
        ("hash", "q" * 43 + "=", None),
    ],
)
def test_a_refund_memo_is_kept_as_the_ledger_has_it(
    remitter: Remitter, kind: str, memo: str, stored: str | None
) -> None:
    row = remitter.world.row(remitter.opened(refund_memo=memo, refund_memo_type=kind)["id"])
    assert row.refund_memo_type == kind
    assert row.refund_memo == stored or (stored is None and len(row.refund_memo or "") == 64)


@pytest.mark.conforms("9.3/destination_asset", "SEP31-43", "SEP31-13")
def test_without_a_quote_the_money_that_came_decides_what_goes_out(remitter: Remitter) -> None:
    row_id = remitter.opened(destination_asset="iso4217:USD")["id"]
    assert not {"amount_out", "amount_fee", "fee_details"} & remitter.seen(row_id).keys()
    assert remitter.seen(row_id)["amount_out_asset"] == "iso4217:USD"
    remitter.world.pay("100", remitter.seen(row_id)["stellar_memo"])
    remitter.world.read()
    assert remitter.seen(row_id)["amount_out"] == "100"


def test_two_sends_never_have_the_same_memo(remitter: Remitter) -> None:
    memos = {remitter.opened()["stellar_memo"] for _ in range(5)}
    assert len(memos) == 5


# -- details of the transaction ---------------------------------------------------------------


@pytest.mark.conforms("SEP31-24", "9.3/fields")
def test_details_that_no_receiver_is_asked_for_come_with_the_send(remitter: Remitter) -> None:
    remitter.serve(receiver_types=())
    answer = remitter.post(receiver_id=None)
    assert answer.status_code == 400
    asked = remitter.client.get("/sep31/info").json["receive"]["USDC"]["fields"]["transaction"]
    assert answer.json == {
        "error": "transaction_info_needed",
        "fields": {"transaction": {"bank_account_number": asked["bank_account_number"]}},
    }
    bad = remitter.post(receiver_id=None, fields={"transaction": {"bank_account_number": "no!"}})
    assert refused(bad) == "Account number is not written as it should be"
    good = {"transaction": {"bank_account_number": "GB33BUKB20201555555555"}}
    row_id = remitter.paid(receiver_id=None, fields=good)
    assert paid_out(remitter, row_id)["status"] == "completed"
    [transfer] = remitter.world.bank.transfers.values()
    assert transfer.account == "GB33BUKB20201555555555"


@pytest.mark.conforms("9.3/fields")
def test_details_may_be_left_out_where_the_receiver_gave_them(remitter: Remitter) -> None:
    assert remitter.world.row(remitter.opened()["id"]).details == {"bank_account_number": ACCOUNT}


# -- customers ----------------------------------------------------------------------------------


@pytest.mark.conforms("SEP31-27", "9.3/sender_id")
@pytest.mark.parametrize("name", ["sender_id", "receiver_id"])
def test_customers_that_nobody_or_another_anchor_registered_are_refused(
    remitter: Remitter, name: str
) -> None:
    world = remitter.world
    other = world.log_in(remitter.client, Keypair.random())
    body = {"memo": "1", "memo_type": "id", "first_name": "Eve"}
    foreign = remitter.client.put("/kyc/customer", json=body, headers=other).json["id"]
    for customer_id in (foreign, "0" * 32, "x"):
        said = refused(remitter.post(**{name: customer_id}))
        assert said == f"{name}: there is no such customer"
    remitter.serve(sender_types=(), receiver_types=())
    assert refused(remitter.post(**{name: foreign})) == f"{name}: there is no such customer"


@pytest.mark.conforms("SEP31-27", "SEP12-10", "V-07")
def test_customers_of_any_memo_of_the_account_are_its_own(remitter: Remitter) -> None:
    """Each memo registers its customer, and one of them opens a send for both (V-07)."""
    one, two = (remitter.world.log_in(remitter.client, memo=memo) for memo in "12")
    remitter.headers = one
    sender = remitter.sender()
    remitter.headers = two
    receiver = remitter.receiver()
    remitter.headers = one
    opened = remitter.opened(sender_id=sender, receiver_id=receiver)
    assert remitter.seen(opened["id"])["status"] == "pending_sender"
    for customer_id, headers, status in (
        (sender, one, 200),
        (receiver, one, 404),
        (sender, two, 404),
        (receiver, two, 200),
    ):
        found = remitter.client.get(
            "/kyc/customer", query_string={"id": customer_id}, headers=headers
        )
        assert found.status_code == status
    muxed = MuxedAccount(remitter.world.payer.public_key, 1).account_muxed
    assert remitter.world.row(opened["id"]).owner_subaccount == 1
    assert muxed.startswith("M")


@pytest.mark.conforms("SEP31-23", "9.3/sender_id")
def test_a_party_that_has_to_be_known_has_to_be_named(remitter: Remitter) -> None:
    for name, type_ in (("sender_id", "sep31-sender"), ("receiver_id", "sep31-receiver")):
        answer = remitter.post(**{name: None})
        assert answer.status_code == 400
        assert answer.json == {"error": "customer_info_needed", "type": type_}
    assert sends() == 0


# -- quotes -------------------------------------------------------------------------------------


def quote(remitter: Remitter, **more: Any) -> dict[str, Any]:
    body = {
        "sell_asset": f"stellar:{remitter.world.policy.id}",
        "buy_asset": BRL,
        "sell_amount": "100",
        "context": "sep31",
        **more,
    }
    answer = remitter.client.post("/sep38/quote", json=body, headers=remitter.headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.conforms("SEP31-42", "SEP31-26", "SEP31-41", "9.3/quote_id", "9.3/destination_asset")
@pytest.mark.parametrize("named", [True, False])
def test_a_send_on_a_quote_has_its_numbers_from_the_first(remitter: Remitter, named: bool) -> None:
    promised = quote(remitter)
    more = {"destination_asset": BRL} if named else {}
    row_id = remitter.paid(quote_id=promised["id"], **more)
    found = remitter.seen(row_id)
    assert found["amount_in"] == promised["sell_amount"] == "100"
    assert found["amount_out"] == promised["buy_amount"] == "490"
    assert (found["amount_in_asset"], found["amount_out_asset"]) == (
        promised["sell_asset"],
        promised["buy_asset"],
    )
    assert found["fee_details"] == promised["fee"]
    assert found["quote_id"] == promised["id"]
    assert paid_out(remitter, row_id)["status"] == "completed"
    assert [each.cents for each in remitter.world.bank.transfers.values()] == [49000]
    assert books()["BRL bank"] == "-490"
    agree()


@pytest.mark.conforms("GEN-08", "GEN-38", "SEP31-61")
def test_a_send_is_shown_and_told_in_the_language_of_its_opening(remitter: Remitter) -> None:
    with listening(NO_CONTENT) as sender:
        opened = remitter.opened(quote_id=quote(remitter)["id"], lang="es")
        path = f"/sep31/transactions/{opened['id']}"
        url = f"http://127.0.0.1:{sender.port}/told"
        remitter.client.put(f"{path}/callback", json={"url": url}, headers=remitter.headers)
        remitter.world.pay("100", opened["stellar_memo"])
        remitter.world.read()
        sweeps.work_off([CALLBACK])
    [(_headers, body)] = sender.requests
    french = remitter.get(opened["id"], lang="fr").json["transaction"]
    found = [json.loads(body)["transaction"], remitter.seen(opened["id"]), french]
    named = [each["fee_details"]["details"][0]["name"] for each in found]
    assert named == ["Comisión fija", "Comisión fija", "Frais fixes"]


@pytest.mark.conforms("SEP31-26", "9.3/quote_id")
def test_what_the_quote_does_not_say_is_refused(remitter: Remitter) -> None:
    promised = quote(remitter)
    for changed in (
        {"amount": "99"},
        {"destination_asset": "iso4217:USD"},
        {"quote_id": "0" * 32},
        {"quote_id": quote(remitter, context="sep6")["id"]},
    ):
        assert "quote" in refused(remitter.post(**{"quote_id": promised["id"], **changed}))
    assert sends() == 0
    remitter.opened(quote_id=promised["id"])
    said = refused(remitter.post(quote_id=promised["id"]))
    assert said == "quote_id: the quote is used already"


@pytest.mark.conforms("SEP31-26")
def test_another_anchors_quote_is_refused(remitter: Remitter) -> None:
    mine = quote(remitter)
    other = Keypair.random()
    remitter.serve(
        anchor=SendingAnchor("both", (remitter.world.payer.public_key, other.public_key)),
        sender_types=(),
        receiver_types=(),
    )
    remitter.headers = remitter.world.log_in(remitter.client, other)
    fields = {"transaction": {"bank_account_number": ACCOUNT}}
    answer = remitter.post(sender_id=None, receiver_id=None, fields=fields, quote_id=mine["id"])
    assert refused(answer) == "quote_id: there is no such quote"


@pytest.mark.conforms("SEP31-25", "SEP31-11")
def test_a_quote_is_required_where_the_asset_says_so(remitter: Remitter) -> None:
    remitter.serve(quotes_required=True)
    assert refused(remitter.post()) == "quote_id is required for this asset"
    remitter.opened(quote_id=quote(remitter)["id"])


@pytest.mark.conforms("SEP31-06")
def test_a_quote_counts_by_the_ledgers_clock(remitter: Remitter) -> None:
    """What was paid in time is credited however late it is read; what was not is a person's."""
    world = remitter.world
    trade = Trade(world)
    opened = [remitter.opened(quote_id=quote(remitter)["id"]) for _ in range(2)]
    in_time, late = (each["id"] for each in opened)
    trade.due(late, seconds=5)
    for each in opened:
        world.pay("100", each["stellar_memo"])
    trade.due(in_time, seconds=-2)
    run()
    world.read()
    assert world.verdicts() == ["credited", "late"]
    assert remitter.seen(in_time)["status"] == "pending_receiver"
    assert world.cases() == ["payment_late"]


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.conforms("SEP31-05", "SEP31-25")
def test_every_field_of_every_body_may_be_nonsense(remitter: Remitter) -> None:
    remitter.sender()
    remitter.receiver()
    names = [*remitter.body(), "destination_asset", "quote_id", "lang", "asset_issuer", "fields"]
    row_id = remitter.opened()["id"]
    as_json = {"Content-Type": "application/json"} | remitter.headers
    path = "/sep31/transactions"
    for name in [*names, "refund_memo", "refund_memo_type"]:
        for value in NASTY_JSON:
            body = json.dumps(remitter.body() | {name: value})
            sound(remitter.client.post(path, data=body, headers=as_json), allowed=(201,))
    for value in NASTY_JSON:
        for body in ({"fields": value}, {"fields": {"transaction": value}}):
            answer = remitter.client.patch(
                f"{path}/{row_id}", data=json.dumps(body), headers=as_json
            )
            sound(answer, allowed=())
        told = json.dumps({"url": value})
        sound(
            remitter.client.put(f"{path}/{row_id}/callback", data=told, headers=as_json),
            allowed=(),
        )
    for raw in (b"{", b"[]", b"\xff", b"5", b"null"):
        sound(remitter.client.post(path, data=raw, headers=as_json), allowed=())


def test_the_deadline_of_a_send_is_days_away(remitter: Remitter) -> None:
    row = remitter.world.row(remitter.opened()["id"])
    assert row.deadline_at is not None
    assert row.deadline_at - row.started_at > timedelta(days=6)

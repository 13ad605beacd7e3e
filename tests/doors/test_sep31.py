"""SEP-31: who may send, what is received, and a send from its opening to its end."""

import json
import re
import tomllib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor import web_auth
from anchor.clock import utcnow
from anchor.lifecycle import Event, Kind, Status, is_legal, statuses_of
from anchor.policies import FlowPolicy, SendingAnchor
from anchor.services import logins
from anchor.web_auth.contracts import ContractChallenge
from scripts.make_conformance import rows
from tests.puppets import due_now
from tests.quoted import agree, books
from tests.sending import Remitter
from tests.world import ACCOUNT

HEX = re.compile(r"[0-9a-f]{64}")


def paid_out(remitter: Remitter, row_id: str) -> dict[str, Any]:
    """Work until a send is at its end; return how it is shown."""
    for _ in range(3):
        due_now()
        remitter.work()
    return remitter.seen(row_id)


# -- from the opening to the end ----------------------------------------------------------------


@pytest.mark.conforms("SEP31-20", "SEP31-29", "SEP31-40", "SEP31-41", "SEP31-44", "SEP31-13")
def test_a_send_is_opened_paid_on_the_ledger_and_paid_out(remitter: Remitter) -> None:
    world = remitter.world
    opened = remitter.opened()
    assert opened.keys() == {"id", "stellar_account_id", "stellar_memo_type", "stellar_memo"}
    assert (opened["stellar_account_id"], opened["stellar_memo_type"]) == (world.distribution, "id")
    at_first = remitter.seen(opened["id"])
    assert at_first.pop("started_at").endswith("Z")
    assert at_first.pop("updated_at").endswith("Z")
    assert at_first == {
        **opened,
        "status": "pending_sender",
        "amount_in": "100",
        "amount_in_asset": f"stellar:{world.policy.id}",
        "amount_out_asset": "iso4217:USD",
        "refunded": False,
    }
    paid_in = world.pay("100", opened["stellar_memo"])
    world.read()
    assert world.verdicts() == ["credited"]
    assert remitter.seen(opened["id"])["status"] == "pending_receiver"
    found = paid_out(remitter, opened["id"])
    assert found["status"] == "completed"
    assert found["stellar_transaction_id"] == paid_in
    assert found["external_transaction_id"] == next(iter(world.bank.transfers.values())).id
    assert (found["amount_in"], found["amount_out"], found["amount_fee"]) == ("100", "100", "0")
    assert found["fee_details"] == {"total": "0", "asset": f"stellar:{world.policy.id}"}
    assert datetime.fromisoformat(found["completed_at"]).tzinfo is not None
    [transfer] = world.bank.transfers.values()
    assert (transfer.cents, transfer.account) == (10000, ACCOUNT)
    assert books() == {"USDC treasury": "100", "USDC bank": "-100"}
    agree()


@pytest.mark.conforms("SEP31-44", "SEP31-13")
def test_the_fee_of_the_day_is_kept_and_the_rest_is_paid_out_one_for_one(
    remitter: Remitter,
) -> None:
    remitter.serve(asset={"send": remitter.world.policy.withdrawal})
    row_id = remitter.paid()
    found = paid_out(remitter, row_id)
    assert (found["amount_in"], found["amount_out"], found["amount_fee"]) == ("100", "98.5", "1.5")
    assert (found["amount_in_asset"], found["amount_out_asset"]) == (
        f"stellar:{remitter.world.policy.id}",
        "iso4217:USD",
    )


@pytest.mark.conforms("SEP31-04")
def test_whoever_pays_under_the_memo_pays_the_send(remitter: Remitter) -> None:
    """The account that pays is another one than the account that logged in."""
    world = remitter.world
    opened = remitter.opened()
    world.payer = Keypair.random()
    world.pay("100", opened["stellar_memo"])
    world.read()
    assert world.verdicts() == ["credited"]
    assert remitter.seen(opened["id"])["status"] == "pending_receiver"


@pytest.mark.conforms("SEP31-04")
@pytest.mark.parametrize(
    ("paid", "verdict"),
    [
        ({"amount": "99"}, "too_small"),
        ({"amount": "101"}, "too_large"),
        ({"memo": None}, "unmatched"),
        ({"memo": "12"}, "unmatched"),
        ({"memo_type": "text"}, "unmatched"),
    ],
)
def test_what_does_not_fit_is_a_persons(
    remitter: Remitter, paid: dict[str, Any], verdict: str
) -> None:
    world = remitter.world
    opened = remitter.opened()
    memo = paid.get("memo", opened["stellar_memo"])
    memo = memo and f"{paid.get('memo_type', 'id')}:{memo}"
    world.pay(paid.get("amount", "100"), memo)
    world.read()
    assert world.verdicts() == [verdict]
    assert world.cases() == [f"payment_{verdict}"]
    assert remitter.seen(opened["id"])["status"] == "pending_sender"


def test_a_second_payment_is_never_paid_out(remitter: Remitter) -> None:
    world = remitter.world
    opened = remitter.opened()
    for _ in range(2):
        world.pay("100", opened["stellar_memo"])
    world.read()
    assert world.verdicts() == ["credited", "second"]
    paid_out(remitter, opened["id"])
    assert world.paid_by_bank() == 1


@pytest.mark.conforms("V-15", "V-16", "E-13")
def test_what_the_validator_sends_is_taken(remitter: Remitter) -> None:
    """Its own name of the method, fields that nobody asks for, and customers who are accepted."""
    rails = remitter.world.app.extensions["anchor"].rails
    rails["SEPA"] = rails["bank"]
    remitter.serve(asset={"rails": ("SEPA",)})
    fields = {"transaction": {"receiver_account_number": "x", "type": "SWIFT"}}
    for more in ({"funding_method": "SEPA"}, {"funding_method": None}):
        opened = remitter.opened(fields=fields, **more)
        assert opened.keys() == {"id", "stellar_account_id", "stellar_memo_type", "stellar_memo"}
        found = remitter.seen(opened["id"])
        assert (found["status"], found["refunded"]) == ("pending_sender", False)
        assert None not in found.values()


@pytest.mark.conforms("SEP31-52")
def test_an_error_can_happen_wherever_a_send_is_not_over() -> None:
    over = {Status.COMPLETED, Status.REFUNDED, Status.ERROR, Status.EXPIRED}
    for status in statuses_of(Kind.SEND) - over:
        assert is_legal(Kind.SEND, status, funds_in=True, event=Event.FAILED), status
    assert not is_legal(Kind.SEND, Status.COMPLETED, funds_in=True, event=Event.FAILED)


# -- GET /info --------------------------------------------------------------------------------


@pytest.mark.conforms("SEP31-10", "SEP31-11", "SEP31-12", "SEP31-14", "V-15", "E-12", "9.2/*")
def test_what_is_received_is_told_to_anybody(remitter: Remitter) -> None:
    policy = remitter.world.policy
    remitter.serve(asset={"send": policy.withdrawal})
    answer = remitter.client.get("/sep31/info")
    assert answer.status_code == 200
    assert set(answer.json["receive"]["USDC"]) == set(rows("9.2/*"))
    assert answer.json == {
        "receive": {
            "USDC": {
                "enabled": True,
                "funding_methods": ["bank"],
                "min_amount": 1,
                "max_amount": 10000,
                "fee_fixed": 1,
                "fee_percent": 0.5,
                "quotes_supported": True,
                "quotes_required": False,
                "sep12": {
                    "sender": {
                        "types": {
                            "sep31-sender": {
                                "description": "A customer of the sending anchor who sends money."
                            }
                        }
                    },
                    "receiver": {
                        "types": {
                            "sep31-receiver": {"description": "A customer who is sent money."}
                        }
                    },
                },
                "fields": {
                    "transaction": {
                        "bank_account_holder": {
                            "description": "Name of the account holder",
                            "optional": True,
                        }
                    }
                },
            }
        }
    }


@pytest.mark.conforms("SEP31-11", "SEP31-12", "SEP31-14")
def test_an_asset_that_asks_for_nobody_says_so(remitter: Remitter) -> None:
    remitter.serve(sender_types=(), receiver_types=(), quotes_required=True)
    found = remitter.client.get("/sep31/info").json["receive"]["USDC"]
    assert found["sep12"] == {"sender": {}, "receiver": {}}
    assert found["quotes_required"] is True
    assert "min_amount" not in found
    needed = found["fields"]["transaction"]["bank_account_number"]
    assert needed.keys() == {"description"}


@pytest.mark.conforms("SEP31-11")
def test_an_asset_without_sends_is_not_received(remitter: Remitter) -> None:
    remitter.serve(asset={"send": FlowPolicy(enabled=False)})
    assert remitter.client.get("/sep31/info").json == {"receive": {}}
    refused = remitter.post()
    assert refused.status_code == 400
    assert refused.json == {"error": "this asset is not received here"}


@pytest.mark.conforms("SEP31-10")
@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("es", "Un cliente al que se envía dinero."),
        ("pt", "Um cliente a quem se envia dinheiro."),
        ("fr", "Un client à qui l’on envoie de l’argent."),
        ("tlh", "A customer who is sent money."),
    ],
)
def test_descriptions_are_in_the_language_asked_for(
    remitter: Remitter, lang: str, said: str
) -> None:
    answer = remitter.client.get(f"/sep31/info?lang={lang}")
    assert answer.status_code == 200
    types = answer.json["receive"]["USDC"]["sep12"]["receiver"]["types"]
    assert types["sep31-receiver"]["description"] == said


# -- who may send -------------------------------------------------------------------------------

ENDPOINTS = [
    ("post", "/sep31/transactions"),
    ("get", "/sep31/transactions/0123"),
    ("patch", "/sep31/transactions/0123"),
    ("put", "/sep31/transactions/0123/callback"),
]


@pytest.mark.conforms("SEP31-02", "SEP31-05")
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_nobody_is_answered_without_a_good_token(
    remitter: Remitter, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Basic x"}):
        answer = getattr(remitter.client, method)(path, headers=headers)
        assert answer.status_code == 403
        assert answer.mimetype == "application/json"
        assert answer.json["error"]


@pytest.mark.conforms("SEP31-02")
def test_a_bad_token_is_refused_where_none_is_needed(remitter: Remitter) -> None:
    answer = remitter.client.get("/sep31/info", headers={"Authorization": "Bearer no"})
    assert answer.status_code == 403


@pytest.mark.conforms("SEP31-01")
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_an_account_without_an_agreement_may_do_nothing(
    remitter: Remitter, method: str, path: str
) -> None:
    stranger = remitter.world.log_in(remitter.client, Keypair.random())
    answer = getattr(remitter.client, method)(path, headers=stranger)
    assert answer.status_code == 403
    assert answer.json == {"error": "this account is not one of an anchor that may send here"}


@pytest.mark.conforms("SEP31-03")
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_a_contract_account_may_not_send(remitter: Remitter, method: str, path: str) -> None:
    """Not even one that somebody put into the list: only SEP-10 is for sending anchors."""
    contract = "CA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQGAXE"
    remitter.serve(anchor=SendingAnchor("contract", (contract,)))
    found = remitter.world.app.extensions["anchor"]
    settings = replace(found.settings, seps=found.settings.seps | {45})
    remitter.world.app.extensions["anchor"] = replace(found, settings=settings)
    soon = utcnow() + timedelta(minutes=5)
    challenge = ContractChallenge(contract, "localhost", None, "aa" * 32, soon, 1, "")
    token = web_auth.issue_contract_token(logins.policy(), challenge)
    headers = {"Authorization": f"Bearer {token}"}
    answer = getattr(remitter.client, method)(path, headers=headers)
    assert answer.status_code == 403
    assert answer.json == {"error": "this account is not one of an anchor that may send here"}


# -- GET /transactions/:id --------------------------------------------------------------------


@pytest.mark.conforms("SEP31-40")
@pytest.mark.parametrize(
    "row_id", ["0" * 32, "nothing", "%00", "..%2f..", "a" * 500, "ä", "' OR 1=1 --"]
)
def test_an_id_that_is_none_is_not_found(remitter: Remitter, row_id: str) -> None:
    for method, more in (("get", ""), ("patch", ""), ("put", "/callback")):
        path = f"/sep31/transactions/{row_id}{more}"
        answer = getattr(remitter.client, method)(path, headers=remitter.headers, json={})
        assert answer.status_code == 404, method
        assert json.loads(answer.text)["error"]


@pytest.mark.conforms("SEP31-40")
def test_what_is_another_anchors_or_no_send_is_not_found(remitter: Remitter) -> None:
    world = remitter.world
    row_id = remitter.opened()["id"]
    withdrawal = world.withdrawal()
    other = Keypair.random()
    accounts = (world.payer.public_key, other.public_key)
    remitter.serve(anchor=SendingAnchor("both", accounts))
    elsewhere = [world.log_in(remitter.client, other), world.log_in(remitter.client, memo="7")]
    for headers in elsewhere:
        path = f"/sep31/transactions/{row_id}"
        good = {"fields": {"transaction": {}}, "url": "https://sender.example/told"}
        for answer in (
            remitter.client.get(path, headers=headers),
            remitter.client.patch(path, headers=headers, json=good),
            remitter.client.put(f"{path}/callback", headers=headers, json=good),
        ):
            assert answer.status_code == 404
    assert remitter.get(row_id).status_code == 200
    assert remitter.get(withdrawal).status_code == 404
    assert remitter.patch(withdrawal).status_code == 404


# -- what all doors have in common ----------------------------------------------------------------


@pytest.mark.conforms("GEN-03", "GEN-04", "GEN-05", "GEN-07", "GEN-12", "GEN-15")
@pytest.mark.parametrize(("method", "path"), [("get", "/sep31/info"), *ENDPOINTS])
def test_any_origin_may_ask_and_read_the_answer(remitter: Remitter, method: str, path: str) -> None:
    origin = {"Origin": "https://sender.example"}
    asked = {
        "Access-Control-Request-Method": method.upper(),
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    preflight = remitter.client.options(path, headers=origin | asked)
    assert preflight.status_code == 200
    assert method.upper() in preflight.headers["Access-Control-Allow-Methods"]
    for where in (path, path + "/"):
        answer = getattr(remitter.client, method)(
            where, headers=origin | remitter.headers, json={} if method != "get" else None
        )
        assert answer.status_code in {200, 400, 404}
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.mimetype == "application/json"
        assert method == "get" or json.loads(answer.text)["error"]


@pytest.mark.conforms("GEN-14", "SEP1-12")
def test_the_door_is_in_the_stellar_toml(remitter: Remitter) -> None:
    found = tomllib.loads(remitter.client.get("/.well-known/stellar.toml").text)
    assert found["DIRECT_PAYMENT_SERVER"] == "http://localhost/sep31"
    assert found["KYC_SERVER"] == "http://localhost/kyc"
    assert found["ANCHOR_QUOTE_SERVER"] == "http://localhost/sep38"

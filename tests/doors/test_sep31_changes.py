"""SEP-31 after the opening: details corrected, changes told, money sent back."""

import json
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor.integrations.bank import SimulatedBankRail
from anchor.integrations.protocols import Done, NeedsInfo
from anchor.ledger import keys
from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.services import desk, sweeps
from anchor.services.callbacks import CALLBACK
from scripts.make_conformance import rows
from tests.doors.test_sep31 import HEX, paid_out
from tests.doors.test_sep31_opening import quote, refused
from tests.puppets import Puppet, puppet
from tests.quoted import agree
from tests.sending import Remitter
from tests.test_callbacks import DOWN, NO_CONTENT, listening
from tests.test_refunds import ME, give_back, settle, work
from tests.waiting import until
from tests.world import ACCOUNT

WRONG = NeedsInfo({"bank_account_number": "no such account"}, "Please look again.")
GIVEN = {"transaction": {"bank_account_number": ACCOUNT}}
OTHER = "GB33BUKB20201555555555"


# -- PATCH --------------------------------------------------------------------------------------


def asked(remitter: Remitter, *script: Any) -> tuple[str, Puppet]:
    """Return a send whose rail wants its details again, and that rail."""
    remitter.serve(receiver_types=())
    rail = puppet(remitter.world, script=[WRONG, *script])
    object.__setattr__(rail, "withdrawal_fields", SimulatedBankRail.withdrawal_fields)
    row_id = remitter.paid(receiver_id=None, fields=GIVEN)
    remitter.work()
    return row_id, rail


@pytest.mark.conforms("SEP31-60", "SEP31-41")
def test_details_that_the_rail_did_not_take_are_given_again(remitter: Remitter) -> None:
    row_id, rail = asked(remitter, Done())
    found = remitter.seen(row_id)
    assert found["status"] == "pending_transaction_info_update"
    assert found["required_info_message"] == "Please look again."
    assert found["required_info_updates"] == {
        "transaction": {"bank_account_number": {"description": "no such account"}}
    }
    answer = remitter.patch(row_id, bank_account_number=OTHER)
    assert answer.status_code == 200
    assert answer.json == {"transaction": remitter.seen(row_id)}
    assert answer.json["transaction"]["status"] == "pending_receiver"
    assert (
        not {"required_info_message", "required_info_updates"} & answer.json["transaction"].keys()
    )
    assert paid_out(remitter, row_id)["status"] == "completed"
    assert rail.moved == {f"{row_id}-2": 1}
    assert remitter.world.row(row_id).details == {"bank_account_number": OTHER}
    agree()


@pytest.mark.conforms("SEP31-60")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "Account number is needed"),
        ({"bank_account_number": ""}, "Account number is needed"),
        ({"bank_account_number": "no!"}, "Account number is not written as it should be"),
        ({"bank_account_holder": "Grace"}, "Account number is needed"),
        ({"bank_account_number": OTHER, "colour": "red"}, "colour is not asked for"),
    ],
)
def test_what_does_not_answer_what_is_asked_is_refused(
    remitter: Remitter, given: dict[str, str], error: str
) -> None:
    row_id, _ = asked(remitter)
    assert refused(remitter.patch(row_id, **given)) == error
    assert remitter.seen(row_id)["status"] == "pending_transaction_info_update"


@pytest.mark.conforms("SEP31-60")
def test_what_nobody_asks_for_is_refused(remitter: Remitter) -> None:
    row_id = remitter.opened()["id"]
    said = refused(remitter.patch(row_id, bank_account_number=OTHER))
    assert said == "nothing is asked of this transaction"
    for body in ({}, {"fields": {}}, {"fields": {"transaction": {}}}, {"fields": 5}):
        path = f"/sep31/transactions/{row_id}"
        answer = remitter.client.patch(path, json=body, headers=remitter.headers)
        assert answer.status_code == 400, body
    assert remitter.patch("0" * 32, bank_account_number=OTHER).status_code == 404


# -- callbacks ----------------------------------------------------------------------------------


def tell(remitter: Remitter, row_id: str, url: Any) -> Any:
    path = f"/sep31/transactions/{row_id}/callback"
    return remitter.client.put(path, json={"url": url}, headers=remitter.headers)


@pytest.mark.conforms("SEP31-62", "SEP31-61", "CB-02")
def test_each_change_after_the_first_status_is_told_and_signed(remitter: Remitter) -> None:
    world = remitter.world
    with listening(NO_CONTENT) as sender:
        opened = remitter.opened()
        answer = tell(remitter, opened["id"], f"http://127.0.0.1:{sender.port}/told")
        assert (answer.status_code, answer.data) == (204, b"")
        world.pay("100", opened["stellar_memo"])
        world.read()
        then = remitter.seen(opened["id"])
        last = paid_out(remitter, opened["id"])
        sweeps.work_off([CALLBACK])
    told = [json.loads(body) for _, body in sender.requests]
    assert [each.keys() for each in told] == [{"transaction"}] * len(told)
    assert [each["transaction"]["status"] for each in told] == ["pending_receiver", "completed"]
    assert (told[0]["transaction"], told[-1]["transaction"]) == (then, last)
    for headers, body in sender.requests:
        assert headers["Content-Type"] == "application/json"
        at, _, signature = headers["Signature"].partition(", s=")
        signed = f"{at.removeprefix('t=')}.127.0.0.1:{sender.port}.".encode() + body
        ours = keys.account_of(world.settings.signing_secret)
        Keypair.from_public_key(ours).verify(signed, b64decode(signature))


@pytest.mark.conforms("SEP31-61")
def test_the_latest_address_is_told(remitter: Remitter) -> None:
    opened = remitter.opened()
    with listening(NO_CONTENT) as first, listening(NO_CONTENT) as second:
        for each in (first, second):
            url = f"http://127.0.0.1:{each.port}/told"
            assert tell(remitter, opened["id"], url).status_code == 204
        remitter.world.pay("100", opened["stellar_memo"])
        remitter.world.read()
        sweeps.work_off([CALLBACK])
        assert (len(first.requests), len(second.requests)) == (0, 1)


@pytest.mark.conforms("SEP31-61", "SEP31-63")
def test_a_sending_anchor_that_is_down_holds_up_no_money(remitter: Remitter) -> None:
    opened = remitter.opened()
    with listening(DOWN) as sender:
        tell(remitter, opened["id"], f"http://127.0.0.1:{sender.port}/told")
        remitter.world.pay("100", opened["stellar_memo"])
        remitter.world.read()
        sweeps.work_off([CALLBACK])
        assert paid_out(remitter, opened["id"])["status"] == "completed"


@pytest.mark.conforms("SEP31-61", "CB-08")
@pytest.mark.parametrize(
    "url",
    [
        None,
        5,
        "",
        "x",
        "ftp://sender.example",
        "https://",
        "http://sender.example",
        "https://u:p@h/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/",
    ],
)
def test_an_address_that_is_none_or_is_inside_is_refused(remitter: Remitter, url: Any) -> None:
    found = remitter.world.app.extensions["anchor"]
    row_id = remitter.opened()["id"]
    production = replace(found.settings, development=False)
    remitter.world.app.extensions["anchor"] = replace(found, settings=production)
    answer = tell(remitter, row_id, url)
    assert answer.status_code == 400
    assert answer.json["error"]
    assert remitter.world.row(row_id).callback_url is None


@pytest.mark.conforms("SEP31-61")
def test_a_transaction_that_is_none_is_told_to_nobody(remitter: Remitter) -> None:
    assert tell(remitter, "0" * 32, "https://sender.example/told").status_code == 404


# -- refunds ------------------------------------------------------------------------------------


def newest(remitter: Remitter) -> dict[str, Any]:
    """Return the newest ledger transaction of the account that paid."""
    path = f"/accounts/{remitter.world.payer.public_key}/transactions"
    found = remitter.world.sandbox_get(path, order="desc")
    record: dict[str, Any] = found["_embedded"]["records"][0]
    return record


@pytest.mark.conforms("SEP31-45", "SEP31-50", "SEP31-44", "SEP31-41")
@pytest.mark.parametrize(
    "wished", [None, ("id", "77", "77"), ("text", "back", "back"), ("hash", "q" * 43 + "=", None)]
)
def test_money_goes_back_under_the_memo_that_was_wished_for_or_the_one_it_came_by(
    remitter: Remitter, wished: Any
) -> None:
    world = remitter.world
    more = {"refund_memo_type": wished[0], "refund_memo": wished[1]} if wished else {}
    row_id = remitter.paid(**more)
    desk.hold(row_id, ME)
    give_back(row_id)
    settle(world, row_id)
    found = remitter.seen(row_id)
    assert (found["status"], found["refunded"]) == ("refunded", True)
    refunds = found["refunds"]
    assert refunds["amount_refunded"] == "100"
    assert refunds["amount_fee"] == "0"
    [payment] = refunds["payments"]
    assert payment.keys() == {"id", "amount", "fee"}
    record = newest(remitter)
    assert payment["id"] == record["hash"]
    assert HEX.fullmatch(payment["id"])
    kind, memo = (wished[0], wished[2]) if wished else ("id", found["stellar_memo"])
    assert record["memo_type"] == kind
    assert memo is None or record["memo"] == memo
    assert world.paid_by_bank() == 0
    agree()


@pytest.mark.conforms("9.4/*")
def test_a_send_shows_each_field_where_it_is_known(remitter: Remitter) -> None:
    """One on a quote that was sent back, one whose details are asked for, and one that is done."""
    back = remitter.paid(quote_id=quote(remitter)["id"])
    desk.hold(back, ME)
    give_back(back)
    settle(remitter.world, back)
    done = remitter.paid()
    paid_out(remitter, done)
    wrong, _ = asked(remitter)
    seen = [remitter.seen(each) for each in (back, done, wrong)]
    assert {name for each in seen for name in each} == set(rows("9.4/*"))
    assert None not in [value for each in seen for value in each.values()]
    assert all({"id", "status", "amount_out_asset"} <= each.keys() for each in seen)


@pytest.mark.conforms("SEP31-44", "SEP31-45")
def test_what_is_sent_back_in_part_is_not_paid_out(remitter: Remitter) -> None:
    world = remitter.world
    remitter.serve(asset={"refund": RefundPolicy(fee=parse_amount("0.5"))})
    row_id = remitter.paid()
    desk.hold(row_id, ME)
    give_back(row_id, "40")
    until(lambda: (work(world), world.row(row_id).amount_refunded)[1], 30, "for the refund")
    desk.release(row_id, ME)
    found = paid_out(remitter, row_id)
    assert found["status"] == "completed"
    assert found["refunded"] is False
    assert (found["refunds"]["amount_refunded"], found["refunds"]["amount_fee"]) == ("39.5", "0.5")
    assert found["amount_out"] == "60"
    assert [each.cents for each in world.bank.transfers.values()] == [6000]
    agree()


@pytest.mark.conforms("SEP31-50")
def test_a_refund_of_a_send_on_a_quote_is_in_what_came(remitter: Remitter) -> None:
    row_id = remitter.paid(quote_id=quote(remitter)["id"])
    desk.hold(row_id, ME)
    give_back(row_id)
    settle(remitter.world, row_id)
    found = remitter.seen(row_id)
    assert found["refunds"]["amount_refunded"] == "100"
    agree()


def test_a_process_without_doors_can_tell_of_sends() -> None:
    """Workers and the stream move sends, and open no door."""
    code = (
        "import sys, anchor.composition; from anchor.services import callbacks;"
        "print(callbacks.is_declared('send'), 'anchor.blueprints' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["True", "False"]

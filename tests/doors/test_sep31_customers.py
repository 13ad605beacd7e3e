"""SEP-31: a send waits for its customers, and does not go on without them."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import text
from stellar_sdk import Keypair

from anchor import create_app
from anchor.extensions import db, transaction
from anchor.integrations.bank import SimulatedBankRail
from anchor.integrations.protocols import Done, NeedsInfo, Sent
from anchor.sandbox.bank import Bank
from anchor.sandbox.network import Sandbox
from anchor.services import customer_desk, passes
from tests import knowing
from tests.doors.test_sep31 import paid_out
from tests.doors.test_sep31_opening import quote
from tests.puppets import due_now, puppet
from tests.sending import RULES, Remitter, world_of
from tests.test_expiry import run
from tests.world import ACCOUNT, dispose, settings_for

SENDER, RECEIVER = "sep31-sender", "sep31-receiver"
WHERE = {"stellar_account_id", "stellar_memo_type", "stellar_memo"}
PNG = knowing.PNG
ROUNDS = 20


def customer(remitter: Remitter, row_id: str, customer_id: str, type_: str) -> dict[str, Any]:
    """Return what GET /customer shows on account of a send."""
    query = {"id": customer_id, "transaction_id": row_id, "type": type_}
    answer = remitter.client.get("/kyc/customer", query_string=query, headers=remitter.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def give(remitter: Remitter, customer_id: str, **given: Any) -> None:
    body = {"id": customer_id, **given}
    answer = remitter.client.put("/kyc/customer", data=body, headers=remitter.headers)
    assert answer.status_code == 202, answer.text


def refuse(customer_id: str, type_: str) -> None:
    customer_desk.reject(customer_id, type_, "we know you", knowing.BY)


# -- before it is paid --------------------------------------------------------------------------


@pytest.mark.conforms("SEP31-21", "SEP31-22", "SEP31-29")
def test_a_send_waits_until_a_person_has_accepted_its_receiver(remitter: Remitter) -> None:
    receiver = remitter.receiver(accepted=False)
    opened = remitter.opened(receiver_id=receiver)
    assert opened.keys() == {"id"}
    found = remitter.seen(opened["id"])
    assert found["status"] == "pending_receiver"
    assert not WHERE & found.keys()
    assert customer(remitter, opened["id"], receiver, RECEIVER)["status"] == "PROCESSING"
    remitter.work()
    assert remitter.seen(opened["id"])["status"] == "pending_receiver"
    remitter.accept(receiver)
    found = remitter.seen(opened["id"])
    assert found["status"] == "pending_sender"
    assert found.keys() >= WHERE
    remitter.world.pay("100", found["stellar_memo"])
    remitter.world.read()
    assert paid_out(remitter, opened["id"])["status"] == "completed"


@pytest.mark.conforms("SEP31-22", "SEP31-51", "SEP12-21", "SEP12-48")
def test_a_customer_who_has_to_give_more_for_this_amount_gives_it(remitter: Remitter) -> None:
    sender = remitter.sender()
    opened = remitter.opened(amount="1000", sender_id=sender)
    assert opened.keys() == {"id"}
    assert remitter.seen(opened["id"])["status"] == "pending_customer_info_update"
    found = customer(remitter, opened["id"], sender, SENDER)
    assert found["status"] == "NEEDS_INFO"
    assert found["fields"].keys() == {"photo_id_front"}
    assert found["provided_fields"].keys() == {"first_name"}
    photo = (BytesIO(PNG), "id.png")
    give(remitter, sender, transaction_id=opened["id"], type=SENDER, photo_id_front=photo)
    assert customer(remitter, opened["id"], sender, SENDER)["status"] == "ACCEPTED"
    assert remitter.seen(opened["id"])["status"] == "pending_sender"
    assert remitter.opened(amount="999", sender_id=sender).keys() >= WHERE


@pytest.mark.conforms("SEP31-22")
def test_what_the_receiver_gives_later_is_what_the_rail_pays(remitter: Remitter) -> None:
    receiver = remitter.customer("2", first_name="Grace")
    row_id = remitter.opened(receiver_id=receiver)["id"]
    assert remitter.seen(row_id)["status"] == "pending_customer_info_update"
    give(
        remitter,
        receiver,
        type=RECEIVER,
        transaction_id=row_id,
        bank_account_number="GB33BUKB20201555555555",
    )
    assert remitter.seen(row_id)["status"] == "pending_receiver"
    remitter.accept(receiver)
    remitter.world.pay("100", remitter.seen(row_id)["stellar_memo"])
    remitter.world.read()
    paid_out(remitter, row_id)
    [transfer] = remitter.world.bank.transfers.values()
    assert transfer.account == "GB33BUKB20201555555555"


def test_two_who_are_missing_are_both_waited_for(remitter: Remitter) -> None:
    sender = remitter.customer("1", last_name="Lovelace")
    receiver = remitter.receiver(accepted=False)
    row_id = remitter.opened(sender_id=sender, receiver_id=receiver)["id"]
    assert remitter.seen(row_id)["status"] == "pending_customer_info_update"
    remitter.accept(receiver)
    assert remitter.seen(row_id)["status"] == "pending_customer_info_update"
    give(remitter, sender, first_name="Ada", type=SENDER)
    assert remitter.seen(row_id)["status"] == "pending_sender"


def test_each_send_of_a_customer_goes_on_at_once(remitter: Remitter) -> None:
    receiver = remitter.receiver(accepted=False)
    ids = [remitter.opened(receiver_id=receiver)["id"] for _ in range(3)]
    remitter.accept(receiver)
    assert {remitter.seen(row_id)["status"] for row_id in ids} == {"pending_sender"}
    assert len({remitter.seen(row_id)["stellar_memo"] for row_id in ids}) == 3


@pytest.mark.conforms("SEP31-52")
def test_a_customer_who_is_refused_ends_what_waits_for_them(remitter: Remitter) -> None:
    receiver = remitter.receiver(accepted=False)
    row_id = remitter.opened(receiver_id=receiver)["id"]
    refuse(receiver, RECEIVER)
    found = remitter.seen(row_id)
    assert (found["status"], found["status_message"]) == ("error", "we know you")
    again = remitter.post(receiver_id=receiver)
    assert again.status_code == 400
    assert again.json == {"error": "this customer is not accepted"}


@pytest.mark.conforms("SEP31-52")
def test_one_who_was_asked_for_more_may_be_refused_too(remitter: Remitter) -> None:
    receiver = remitter.customer("2", first_name="Grace", type=RECEIVER)
    row_id = remitter.opened(receiver_id=receiver)["id"]
    assert remitter.seen(row_id)["status"] == "pending_customer_info_update"
    refuse(receiver, RECEIVER)
    assert remitter.seen(row_id)["status"] == "error"


@pytest.mark.conforms("SEP31-23")
def test_an_anchor_that_waits_for_nobody_says_who_is_missing(remitter: Remitter) -> None:
    remitter.serve(waits_for_customers=False)
    receiver = remitter.receiver(accepted=False)
    answer = remitter.post(receiver_id=receiver)
    assert answer.status_code == 400
    assert answer.json == {"error": "customer_info_needed", "type": RECEIVER}
    remitter.accept(receiver)
    assert remitter.opened(receiver_id=receiver).keys() >= WHERE


def test_a_send_whose_customers_never_come_expires(remitter: Remitter) -> None:
    receiver = remitter.receiver(accepted=False)
    row_id = remitter.opened(receiver_id=receiver)["id"]
    run()
    assert remitter.seen(row_id)["status"] == "pending_receiver"
    with transaction():
        db.session.execute(text("UPDATE transactions SET deadline_at = now() - interval '1 s'"))
    run()
    assert remitter.seen(row_id)["status"] == "expired"
    remitter.accept(receiver)
    assert remitter.seen(row_id)["status"] == "expired"
    assert not WHERE & remitter.seen(row_id).keys()


def test_a_send_on_a_quote_that_waits_ends_with_the_quote(remitter: Remitter) -> None:
    receiver = remitter.receiver(accepted=False)
    promised = quote(remitter)
    row_id = remitter.opened(receiver_id=receiver, quote_id=promised["id"])["id"]
    before = remitter.world.row(row_id).deadline_at
    remitter.accept(receiver)
    assert remitter.world.row(row_id).deadline_at == before
    assert remitter.seen(row_id)["status"] == "pending_sender"


# -- once it is paid ----------------------------------------------------------------------------


@pytest.mark.conforms("SEP31-51")
def test_money_of_somebody_who_is_asked_again_is_not_paid_out(remitter: Remitter) -> None:
    world = remitter.world
    row_id = remitter.paid()
    receiver = remitter.customers["2"]
    customer_desk.request(receiver, RECEIVER, ["first_name"], "not readable", knowing.BY)
    remitter.work()
    assert world.paid_by_bank() == 0
    assert remitter.seen(row_id)["status"] == "pending_customer_info_update"
    assert world.cases() == ["customer_info_needed"]
    found = customer(remitter, row_id, receiver, RECEIVER)
    assert found["status"] == "NEEDS_INFO"
    assert found["provided_fields"]["first_name"]["status"] == "REJECTED"
    give(remitter, receiver, first_name="Grace Hopper", type=RECEIVER)
    assert remitter.seen(row_id)["status"] == "pending_receiver"
    due_now()
    remitter.work()
    assert world.paid_by_bank() == 0
    remitter.accept(receiver)
    assert paid_out(remitter, row_id)["status"] == "completed"
    assert world.paid_by_bank() == 1


def test_money_for_somebody_who_was_refused_meanwhile_is_a_persons(remitter: Remitter) -> None:
    world = remitter.world
    row_id = remitter.paid()
    refuse(remitter.customers["2"], RECEIVER)
    remitter.work()
    assert world.paid_by_bank() == 0
    assert remitter.seen(row_id)["status"] == "error"
    assert world.cases() == ["customer_rejected"]


def test_money_for_somebody_whose_data_was_erased_is_a_persons(remitter: Remitter) -> None:
    world = remitter.world
    row_id = remitter.paid()
    path = f"/kyc/customer/{world.payer.public_key}"
    body = json.dumps({"memo": "2", "memo_type": "id"})
    erased = remitter.client.delete(
        path, data=body, headers=remitter.headers, content_type="application/json"
    )
    assert erased.status_code == 200
    remitter.work()
    assert world.paid_by_bank() == 0
    assert remitter.seen(row_id)["status"] == "pending_customer_info_update"


@pytest.mark.conforms("SEP31-51")
@pytest.mark.parametrize("at_once", [True, False])
def test_a_rail_that_cannot_use_what_the_receiver_gave_has_them_correct_it(
    remitter: Remitter, at_once: bool
) -> None:
    world = remitter.world
    wrong = NeedsInfo({"bank_account_number": "no such account"}, "Please look again.")
    rail = puppet(world, script=[wrong] if at_once else [Sent()])
    object.__setattr__(rail, "withdrawal_fields", SimulatedBankRail.withdrawal_fields)
    row_id = remitter.paid()
    if not at_once:
        object.__setattr__(
            rail, "poll_outgoing_transactions", lambda orders: {orders[0].key: wrong}
        )
        remitter.work()
        passes.owe("poll_outgoing_transactions")
    remitter.work()
    receiver = remitter.customers["2"]
    found = remitter.seen(row_id)
    assert found["status"] == "pending_customer_info_update"
    assert found["required_info_message"] == "Please look again."
    shown = customer(remitter, row_id, receiver, RECEIVER)
    assert shown["status"] == "NEEDS_INFO"
    assert shown["provided_fields"]["bank_account_number"]["error"] == "no such account"
    rail.script = [Done()]
    give(remitter, receiver, bank_account_number="GB33BUKB20201555555555", type=RECEIVER)
    remitter.accept(receiver)
    seen: list[Any] = []
    act = rail.execute_outgoing_transaction
    object.__setattr__(
        rail, "execute_outgoing_transaction", lambda order: (seen.append(order), act(order))[1]
    )
    assert paid_out(remitter, row_id)["status"] == "completed"
    assert [each.details["bank_account_number"] for each in seen] == ["GB33BUKB20201555555555"]
    assert seen[0].key == f"{row_id}-2"


def test_sends_at_once_stand_in_no_verdicts_way(
    database_url: str, sandbox: Sandbox, bank: Bank
) -> None:
    """Some find both customers accepted while others still have them judged."""
    settings = settings_for(sandbox, database_url, None)
    made = world_of(settings, sandbox, bank, Keypair.random())
    rules = knowing.policy(RULES.replace('verdict = "manual"', ""))
    found = made.app.extensions["anchor"]
    app = create_app(replace(found.settings, customers=rules))
    world = replace(made, app=app)
    with app.app_context():
        remitter = Remitter(world)
        given = {"first_name": "Ada", "bank_account_number": ACCOUNT}
        for round_ in range(ROUNDS):
            ids = [remitter.customer(str(2 * round_ + n), **given) for n in (0, 1)]
            body = remitter.body(sender_id=ids[0], receiver_id=ids[1])

            def post(_: int, body: dict[str, Any] = body) -> int:
                client = app.test_client()
                path = "/sep31/transactions"
                return client.post(path, json=body, headers=remitter.headers).status_code

            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(post, range(16))) == {201}
    dispose(made.app)
    dispose(app)

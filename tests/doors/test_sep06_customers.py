"""Transactions of SEP-6 that wait for their customer, and how they go on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update
from stellar_sdk import Keypair

from anchor import create_app
from anchor.errors import Unavailable
from anchor.extensions import db, transaction
from anchor.lifecycle import Event
from anchor.models import Memo, Transaction
from anchor.services import customer_desk, expiry, jobs, memos, programmatic, sweeps
from anchor.services.acts import By
from anchor.services.transactions import Happening, happened
from tests.knowing import PNG
from tests.transfers import PERSON, Wallet, serving
from tests.world import ACCOUNT, World, settings_for

BY = By("an operator", "because")
MANUAL = """
[types.sep6-withdrawal]
verdict = "manual"
[types.sep6-withdrawal.fields]
first_name = {}
[types.sep6.fields]
"""


@pytest.fixture
def strict(database_url: str, sandbox: Any, bank: Any) -> Iterator[Wallet]:
    """Withdrawals are for whoever a person has accepted; deposits ask for nothing at all."""
    settings = serving(settings_for(sandbox, database_url, None), MANUAL)
    made = World(create_app(settings), settings, sandbox, bank)
    with made.app.app_context():
        yield Wallet(made)
        db.session.remove()
        db.engine.dispose()


def waiting(holder: Wallet, *ids: str) -> bool:
    return {holder.world.status(each) for each in ids} == {"pending_customer_info_update"}


def start(holder: Wallet, *ids: str) -> bool:
    return {holder.world.status(each) for each in ids} == {"pending_user_transfer_start"}


@pytest.mark.conforms("SEP6-100", "SEP12-48")
def test_one_who_is_known_well_enough_for_little_is_asked_more_for_much(holder: Wallet) -> None:
    customer_id = holder.known()
    little, much = holder.withdrawal()["id"], holder.withdrawal(amount="5000")["id"]
    assert start(holder, little)
    assert waiting(holder, much)
    asked = holder.customer(type="sep6", transaction_id=much)
    assert list(asked["fields"]) == ["photo_id_front", "bank_account_holder"]
    assert asked["id"] == customer_id
    photo = (__import__("io").BytesIO(PNG), "me.png")
    answer = holder.client.put(
        "/kyc/customer",
        data={"type": "sep6", "transaction_id": much, "photo_id_front": photo},
        headers=holder.headers,
    )
    assert answer.status_code == 202, answer.text
    assert start(holder, little, much)


@pytest.mark.conforms("SEP6-100")
def test_what_is_accepted_for_one_transaction_lets_no_other_go_on_that_needs_more(
    holder: Wallet,
) -> None:
    little, much = holder.withdrawal()["id"], holder.withdrawal(amount="5000")["id"]
    assert waiting(holder, little, much)
    holder.known(transaction_id=little)
    assert start(holder, little)
    assert waiting(holder, much)


@pytest.mark.conforms("SEP6-100")
def test_a_bank_account_that_the_rail_cannot_take_is_asked_for_again(holder: Wallet) -> None:
    opened = holder.withdrawal()["id"]
    holder.known(bank_account_number="not one!")
    assert waiting(holder, opened)
    asked = holder.customer(type="sep6", transaction_id=opened)
    assert asked["status"] == "NEEDS_INFO"
    told = asked["provided_fields"]["bank_account_number"]
    assert told["status"] == "REJECTED"
    assert told["error"]
    assert holder.customer(type="sep6")["status"] == "ACCEPTED"
    holder.known()
    assert start(holder, opened)
    assert holder.world.row(opened).details == {"bank_account_number": ACCOUNT}


def test_a_detail_of_the_rail_that_is_no_standard_field_is_taken_too(holder: Wallet) -> None:
    holder.known(bank_account_holder="Ada Lovelace")
    opened = holder.withdrawal()["id"]
    details = holder.world.row(opened).details
    assert details == {"bank_account_number": ACCOUNT, "bank_account_holder": "Ada Lovelace"}


@pytest.mark.conforms("SEP6-23", "SEP6-62")
def test_where_a_person_decides_it_waits_until_they_have(strict: Wallet) -> None:
    opened = strict.withdrawal()["id"]
    body = PERSON | {"type": "sep6-withdrawal", "transaction_id": opened}
    customer_id = strict.client.put("/kyc/customer", json=body, headers=strict.headers).json["id"]
    assert strict.customer(type="sep6-withdrawal")["status"] == "PROCESSING"
    assert waiting(strict, opened)
    assert strict.seen(opened)["user_action_required_by"].endswith("Z")
    customer_desk.accept(customer_id, "sep6-withdrawal", BY)
    assert start(strict, opened)
    assert strict.world.row(opened).details == {"bank_account_number": ACCOUNT}


def test_whoever_is_asked_for_nothing_is_registered_and_goes_on_at_once(strict: Wallet) -> None:
    assert start(strict, strict.deposit()["id"])
    assert strict.customer(type="sep6")["status"] == "ACCEPTED"


def test_one_who_is_refused_ends_what_waits_and_opens_nothing_more(strict: Wallet) -> None:
    opened = strict.withdrawal()["id"]
    body = PERSON | {"type": "sep6-withdrawal", "transaction_id": opened}
    customer_id = strict.client.put("/kyc/customer", json=body, headers=strict.headers).json["id"]
    customer_desk.reject(customer_id, "sep6-withdrawal", "we cannot serve you", BY)
    seen = strict.seen(opened)
    assert (seen["status"], seen["message"]) == ("error", "we cannot serve you")
    answer = strict.ask_withdrawal()
    assert answer.status_code == 403
    assert answer.json == {"error": "this customer is not accepted"}
    assert len(strict.listed()) == 1


@pytest.mark.conforms("SEP6-22")
def test_a_customer_of_ones_own_may_be_named_and_nobody_elses(holder: Wallet) -> None:
    for memo, name in (("1", "Ada"), ("2", "Bea")):
        body = PERSON | {"type": "sep6", "memo": memo, "memo_type": "id", "first_name": name}
        answer = holder.client.put("/kyc/customer", json=body, headers=holder.headers)
        assert answer.status_code == 202
    bea = answer.json["id"]
    assert waiting(holder, holder.withdrawal()["id"])
    assert start(holder, holder.withdrawal(customer_id=bea)["id"])
    own = holder.headers
    holder.log_in(memo="1")
    refused = holder.ask_withdrawal(customer_id=bea)
    holder.log_in(Keypair.random())
    strange = holder.ask_withdrawal(customer_id=bea)
    unknown = holder.ask_withdrawal(customer_id="nobody")
    for each in (refused, strange, unknown):
        assert (each.status_code, each.json) == (
            400,
            {"error": "customer_id: there is no such customer"},
        )
    holder.headers = own


def test_one_memo_is_accepted_and_another_waits_on(holder: Wallet) -> None:
    holder.log_in(memo="1")
    first = holder.withdrawal()["id"]
    holder.log_in(memo="2")
    second = holder.withdrawal()["id"]
    holder.known()
    assert start(holder, second)
    assert waiting(holder, first)


def test_promise_12_one_that_cannot_go_on_stops_nobody_and_goes_on_later(
    holder: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    deposit, withdrawal = holder.deposit()["id"], holder.withdrawal()["id"]

    def away(_account: str, _transaction_id: str) -> Memo:
        raise Unavailable("the anchor does not follow its network yet; try again in a minute")

    with monkeypatch.context() as patched:
        patched.setattr(memos, "issue", away)
        holder.known()
        assert start(holder, deposit)
        assert waiting(holder, withdrawal)
        assert jobs.run(jobs.Address(programmatic.BRING_ON, withdrawal)) is jobs.Ran.POSTPONED
        assert waiting(holder, withdrawal)
    with transaction():
        db.session.execute(db.text("UPDATE jobs SET due_at = now()"))
    sweeps.work_off([programmatic.BRING_ON])
    assert start(holder, withdrawal)
    assert holder.world.events(withdrawal) == [
        "opened",
        "customer_info_needed",
        "customer_accepted",
    ]


def test_an_asset_that_is_closed_meanwhile_becomes_a_case(holder: Wallet) -> None:
    opened = holder.withdrawal()["id"]
    holder.serve(withdrawal=replace(holder.world.policy.withdrawal, enabled=False))
    holder.known()
    assert waiting(holder, opened)
    sweeps.work_off([programmatic.BRING_ON])
    assert holder.world.cases() == ["job_parked"]


def test_what_nobody_makes_known_in_time_expires(holder: Wallet) -> None:
    opened, other = holder.withdrawal()["id"], holder.deposit()["id"]
    expiry.owe()
    sweeps.work_off([expiry.EXPIRE])
    assert waiting(holder, opened, other)
    with transaction():
        late = db.text("now() - interval '1 hour'")
        mine = Transaction.id.in_([opened, other])
        db.session.execute(update(Transaction).where(mine).values(deadline_at=late))
    holder.known()
    assert waiting(holder, opened, other)
    expiry.owe()
    sweeps.work_off([expiry.EXPIRE])
    assert {holder.world.status(each) for each in (opened, other)} == {"expired"}
    assert "instructions" not in holder.seen(other)
    assert holder.world.cases() == []


def test_money_that_came_before_the_customer_is_asked_again_is_paid_out_once_they_are_accepted(
    holder: Wallet,
) -> None:
    holder.known()
    opened = holder.withdrawal()["id"]
    holder.pay(opened)
    happened(Happening(opened, Event.CUSTOMER_INFO_NEEDED, "a screening"))
    assert "withdraw_memo" in holder.seen(opened)
    holder.known(first_name="Ada Augusta")
    assert holder.world.status(opened) == "pending_anchor"
    holder.world.work()
    assert holder.seen(opened)["status"] == "completed"
    assert holder.world.paid_by_bank() == 1

"""What we send by another anchor: opened, paid for, agreed on, paid once, followed (ADR 026)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import Result
from sqlalchemy import select, text

from anchor.cli import group
from anchor.config.remittances import receiving_anchors
from anchor.errors import Rejected
from anchor.extensions import db, transaction
from anchor.integrations.registry import load_customers
from anchor.models import Job, Remittance
from anchor.policies import HOUSE
from anchor.services import (
    brakes,
    customer_erasure,
    desk,
    expiry,
    passes,
    pending_deposits,
    receipts,
    refunds,
    remittance_orders,
    remittances,
)
from anchor.services.acts import By
from anchor.services.refunds import Order
from tests import knowing
from tests.receiving import balances, booked
from tests.remitting import DETAILS, Pair
from tests.sending import RULES
from tests.test_commands import run

BY = By("an operator", "because")


def test_money_of_the_house_goes_to_a_customer_of_another_anchor(pair: Pair) -> None:
    row_id = pair.paid()
    pair.deliver()
    pair.until(row_id, "completed")
    assert pair.delivered() == [100_00]
    [there] = pair.received()
    assert (there.status, there.id) == ("completed", pair.known(row_id).remote_id)
    assert pair.notes() == []
    pair.agree()


def test_promise_09_what_the_house_sends_is_the_houses_in_the_books_and_no_banks(
    pair: Pair,
) -> None:
    pair.paid()
    found = {name: amount for name, amount in balances().items() if name != "network_fees"}
    assert found["house"] == 100_0000000
    assert "bank" not in found
    assert "customer" not in found


def test_promise_04_nothing_is_asked_and_nothing_leaves_before_money_by_rail_is_in(
    pair: Pair,
) -> None:
    row_id = pair.begin(rail="bank")
    pair.work()
    assert pair.mask.asked == []
    assert pair.ours.status(row_id) == "pending_user_transfer_start"
    receipts.observe("bank", [booked("B1", "100", reference=pair.ours.row(row_id).reference)])
    pair.until(row_id, "pending_external")
    pair.agree()


def test_a_rail_is_asked_whose_money_has_come_and_the_house_never_is(pair: Pair) -> None:
    pair.paid()
    row_id = pair.begin(rail="bank")
    requests.post(
        f"{pair.ours.sandbox.url}/bank/deposits",
        json={"amount": "100", "reference": pair.ours.row(row_id).reference, "payer": "A"},
        timeout=5,
    ).raise_for_status()
    passes.owe("poll_pending_deposits")
    with transaction():
        polls = select(Job.lane).where(Job.kind == pending_deposits.POLL)
        assert list(db.session.scalars(polls)) == ["bank"]
    passes.work_off("poll_pending_deposits", "bank")
    assert pair.ours.row(row_id).amount_received == 100_0000000


def test_what_nobody_pays_for_expires_and_forgets_its_parties(pair: Pair) -> None:
    row_id = pair.begin(rail="bank")
    with transaction():
        db.session.execute(text("UPDATE transactions SET deadline_at = now() - interval '9 days'"))
        db.session.execute(
            text("INSERT INTO rail_readings (rail, polled_at) VALUES ('bank', now())")
        )
    expiry.owe()
    passes.work_off("work", "expiry")
    assert pair.ours.status(row_id) == "expired"
    assert pair.known(row_id).sealed is None


def test_promise_15_parties_are_sealed_until_the_end_and_forgotten_then(pair: Pair) -> None:
    row_id = pair.paid()
    sealed = pair.known(row_id).sealed
    assert sealed is not None
    with transaction():
        both = text("SELECT t::text || r::text FROM transactions t, remittances r")
        assert "Grace" not in db.session.execute(both).scalar_one()
    pair.deliver()
    pair.until(row_id, "completed")
    assert pair.known(row_id).sealed is None


def test_promise_15_parties_are_encrypted_anew_with_the_newest_key(pair: Pair) -> None:
    row_id = pair.begin(rail="bank")
    keys = {"two": knowing.Secret("YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY="), **knowing.KEYS}
    change(pair, customer_keys=keys)
    assert customer_erasure.rotate_keys() == 1
    assert pair.known(row_id).key_id == "two"
    change(pair, customer_keys={"two": keys["two"]})
    receipts.observe("bank", [booked("B1", "100", reference=pair.ours.row(row_id).reference)])
    pair.until(row_id, "pending_external")


def change(pair: Pair, **settings: Any) -> None:
    found = pair.ours.app.extensions["anchor"]
    pair.ours.app.extensions["anchor"] = replace(
        found, settings=replace(found.settings, **settings)
    )


def test_promise_14_nothing_is_sent_to_a_domain_that_the_file_does_not_have(pair: Pair) -> None:
    wanted = replace(pair.wanted(), domain="evil.example")
    with pytest.raises(Rejected, match=r"evil.example is none of \[receiving_anchors\]"):
        remittances.begin(pair.ours.policy, wanted, "an operator")
    with pytest.raises(Rejected, match=r"evil.example is none of \[receiving_anchors\]"):
        remittance_orders.check(pair.ours.policy, wanted)
    assert pair.mask.asked == []


def test_promise_14_no_more_is_under_way_to_an_anchor_than_its_cap(pair: Pair) -> None:
    pair.begin("900")
    with pytest.raises(Rejected, match="no more than 100 USDC may go to"):
        pair.begin("101", rail="bank")
    pair.begin("100", rail="bank")


def test_promise_14_one_that_is_taken_off_the_list_is_paid_nothing_more(pair: Pair) -> None:
    row_id = pair.begin()
    change(pair, receiving_anchors={})
    pair.work()
    assert pair.ours.status(row_id) == "on_hold"
    assert [reason for reason, *_ in pair.notes()] == ["remittance_refused"]
    assert pair.mask.asked == []


def test_promise_14_a_pause_of_remittances_stops_them(pair: Pair) -> None:
    brakes.pause("kind", "remittance", "an operator", None)
    row_id = pair.begin()
    pair.work(3)
    assert pair.ours.status(row_id) == "pending_anchor"
    brakes.resume("kind", "remittance", "an operator", None)
    pair.until(row_id, "pending_external")


def test_one_that_is_held_is_not_paid_until_it_is_released(pair: Pair) -> None:
    row_id = pair.begin()
    desk.hold(row_id, BY)
    pair.work(2)
    assert pair.ours.outflows(row_id) == []
    desk.release(row_id, BY)
    pair.until(row_id, "pending_external")


def test_money_of_the_house_that_is_not_sent_goes_back_to_it(pair: Pair) -> None:
    row_id = pair.begin()
    desk.hold(row_id, BY)
    refunds.begin(Order(refunds.of_transaction(row_id).cause, None, "an operator"))
    assert pair.ours.status(row_id) == "refunded"
    assert balances().get("house") is None
    pair.agree()


def test_a_customer_that_has_to_be_accepted_first_is_waited_for(pair: Pair) -> None:
    manual(pair)
    row_id = pair.begin()
    pair.work(2)
    assert pair.ours.status(row_id) == "pending_anchor"
    assert pair.known(row_id).remote_status == "pending_receiver"
    pair.accept()
    pair.until(row_id, "pending_external")
    assert len(pair.received()) == 1


def manual(pair: Pair) -> None:
    """Let their receivers be accepted by a person."""
    found = pair.theirs.app.extensions["anchor"]
    policy = knowing.policy(RULES)
    pair.theirs.app.extensions["anchor"] = replace(
        found,
        settings=replace(found.settings, customers=policy),
        customers=load_customers(policy),
    )


def test_what_they_want_to_know_yet_is_given_by_a_person(pair: Pair) -> None:
    poor = {"sender": {}, "receiver": DETAILS["receiver"]}
    row_id = pair.begin(details=poor)
    pair.work()
    assert pair.ours.status(row_id) == "pending_customer_info_update"
    assert [reason for reason, *_ in pair.notes()] == ["remittance_needs_information"]
    remittances.amend(row_id, DETAILS, "an operator")
    pair.until(row_id, "pending_external")
    pair.deliver()
    pair.until(row_id, "completed")
    assert pair.delivered() == [100_00]


def test_a_quote_brings_what_was_wanted_or_nothing_is_sent(pair: Pair) -> None:
    brazil = {"buys": "iso4217:BRL", "funding_method": "bank"}
    row_id = pair.begin(least_out=490_0000000, **brazil)
    pair.until(row_id, "pending_external")
    assert pair.received()[0].quote_id == pair.known(row_id).remote_quote_id
    dear = pair.begin(least_out=491_0000000, **brazil)
    pair.work()
    assert pair.ours.status(dear) == "on_hold"
    [(reason, note, owed)] = pair.notes()
    assert (reason, owed) == ("remittance_refused", 100_0000000)
    assert "less than the 491" in str(note)


def test_a_quote_that_ran_out_before_it_was_paid_is_had_anew(pair: Pair) -> None:
    row_id = pair.begin(buys="iso4217:BRL", least_out=490_0000000)
    agreed_only(pair, row_id)
    first = pair.known(row_id).remote_id
    with transaction():
        db.session.execute(text("UPDATE remittances SET quote_expires_at = now()"))
    pair.until(row_id, "pending_external")
    assert pair.known(row_id).remote_id != first
    assert len(pair.received()) == 2


def agreed_only(pair: Pair, row_id: str) -> None:
    """Let it be agreed on, while the ledger does not say whether the account is there."""
    knob = f"{pair.ours.sandbox.url}/sandbox"
    place = f"/accounts/{pair.theirs.distribution}"
    body = {"get": place, "answer": "504", "times": 99}
    requests.post(f"{knob}/misbehave", json=body, timeout=5).raise_for_status()
    pair.work()
    requests.post(f"{knob}/behave", json={}, timeout=5).raise_for_status()
    assert pair.known(row_id).remote_id is not None
    assert pair.ours.outflows(row_id) == []


def test_promise_06_a_sweep_finds_what_nobody_rang_for(pair: Pair) -> None:
    row_id = pair.begin()
    with transaction():
        db.session.execute(text("DELETE FROM jobs"))
    passes.owe("work")
    pair.until(row_id, "pending_external")
    with transaction():
        db.session.execute(text("DELETE FROM jobs"))
    pair.deliver()
    passes.owe("work")
    pair.until(row_id, "completed")


def test_promise_12_each_anchor_has_a_lane_of_its_own(pair: Pair) -> None:
    pair.begin()
    with transaction():
        assert list(db.session.scalars(select(Job.lane))) == [f"remittances {pair.domain}"]


def test_promise_06_the_same_key_again_is_the_same_remittance(pair: Pair) -> None:
    first = pair.begin(key="order 17")
    assert pair.begin(key="order 17") == first
    assert pair.begin(key="order 18") != first
    with pytest.raises(Rejected, match="another remittance was begun under this key"):
        pair.begin("101", key="order 17")
    pair.until(first, "pending_external")
    assert pair.begin(key="order 17") == first


# -- by the command line ----------------------------------------------------------------------


def send(pair: Pair, tmp_path: Path, *words: str, details: Any = DETAILS) -> Result:
    file = tmp_path / "details.json"
    file.write_text(json.dumps(details))
    usual = ("--to", pair.domain, "--asset", "USDC", "--amount", "100", "--details", str(file))
    return pair.ours.app.test_cli_runner().invoke(group, ["send", *usual, *words])


def test_one_command_sends_and_waits_for_the_end(pair: Pair, tmp_path: Path) -> None:
    waits = {"done": False}

    def delivers(path: str, found: Any) -> Any:
        if (
            found.get("transaction", {}).get("status") == "pending_sender"
            and pair.mask.count("GET /sep31/transactions") > 1
        ):
            waits["done"] = True
            found["transaction"]["status"] = "completed"
        return found

    pair.answer(delivers, of="GET /sep31/transactions")
    done = send(pair, tmp_path, "--house", "--wait", "60")
    assert done.exit_code == 0, done.output
    assert "status       completed" in done.output
    assert waits["done"]


def test_a_send_by_rail_tells_how_to_pay_it_in(pair: Pair, tmp_path: Path) -> None:
    done = send(pair, tmp_path, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["status"], found["rail"]) == ("pending_user_transfer_start", "bank")
    shown = run(pair.ours, "sends", found["id"])
    assert f"by bank, under the reference {found['reference']}" in shown.output
    assert found["id"] in run(pair.ours, "sends").output
    assert "Nothing was sent." in run(pair.ours, "sends", "--status", "completed").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "evil.example"], "evil.example is none of [receiving_anchors]"),
        (["--asset", "EURC"], "EURC is not served here"),
        (["--amount", "x"], "an amount is written as a plain number"),
        (["--funding-method", "pigeon"], "pigeon is no funding_method there; there are bank"),
        (["--sender-type", "duke"], "duke is no sender_type there; there are sep31-sender"),
        (["--rail", "pigeon"], "USDC is not paid for by pigeon"),
        (["--amount", "0.001"], "by rail the amount has 2 decimals at most"),
        (["--buy", "iso4217:BRL"], "a quote needs the least that the receiver is to get"),
        (["--buy", "BRL", "--min-out", "1"], "a currency is written as iso4217:"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_one_sentence(
    pair: Pair, tmp_path: Path, words: list[str], said: str
) -> None:
    done = send(pair, tmp_path, *words)
    assert done.exit_code == 1
    assert said in done.output
    with transaction():
        assert db.session.scalars(select(Remittance)).all() == []


@pytest.mark.parametrize("details", [[], {"sender": 5}, {"other": {}}, {"sender": {"a": 1}}])
def test_details_are_texts_under_three_names(pair: Pair, tmp_path: Path, details: Any) -> None:
    done = send(pair, tmp_path, details=details)
    assert done.exit_code == 1
    assert "details" in done.output


def test_a_rail_may_not_have_the_name_of_the_house(pair: Pair) -> None:
    problems: list[str] = []
    data = {"receiving_anchors": {"a.example": {"cap": "5"}}, "assets": {"X": {"rails": [HOUSE]}}}
    found = receiving_anchors(data, problems, has_keys=False)
    assert found["a.example"].cap == 5_0000000
    assert [each.split()[0] for each in problems] == ["ANCHOR_CUSTOMER_KEYS", "house"]

"""Codes that prove a number to be its customer's: sent, tried, right, wrong, over."""

import json
import logging
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from anchor.errors import Unavailable
from anchor.extensions import db, house, transaction
from anchor.integrations.store import RuledStore
from anchor.models import CustomerCode
from anchor.services import customer_codes
from tests.knowing import Kyc, policy, ran, work
from tests.test_callbacks import listening

NUMBER = {"first_name": "Ada", "mobile_number": "+4915112345678", "type": "coded"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codes that were sent, as the customer gets them."""
    codes: list[str] = []
    monkeypatch.setattr(RuledStore, "send_code", lambda _, record, name, code: codes.append(code))
    return codes


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def column(name: str) -> Any:
    with transaction():
        return db.session.scalar(select(getattr(CustomerCode, name)))


def age(**values: Any) -> None:
    with transaction():
        db.session.execute(update(CustomerCode).values(**values))


@pytest.mark.conforms("SEP12-29", "E-14", "SEP12-24", "5.2/provided_fields", "SEP12-26")
def test_whoever_only_waits_for_a_code_needs_info_with_no_fields(kyc: Kyc, sent: list[str]) -> None:
    headers = kyc.log_in()
    kyc.registered(headers, **NUMBER)
    found = kyc.seen(headers, type="coded")
    assert found["status"] == "NEEDS_INFO"
    assert found["fields"] == {}
    assert found["provided_fields"]["mobile_number"]["status"] == "VERIFICATION_REQUIRED"
    assert work(customer_codes.SEND) == 1
    assert [len(code) for code in sent] == [6]


@pytest.mark.conforms("SEP12-44")
def test_the_right_code_makes_the_field_accepted(kyc: Kyc, sent: list[str]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **NUMBER)
    work(customer_codes.SEND)
    for code in (wrong(sent[0]), "", "x" * 2000, sent[0] + "0"):
        body = {"id": customer_id, "mobile_number_verification": code or " "}
        answer = kyc.put(headers, **body)
        assert answer.status_code == 400
        assert "mobile_number_verification" in answer.json["error"]
    assert kyc.seen(headers, type="coded")["status"] == "NEEDS_INFO"
    right = {"id": customer_id, "mobile_number_verification": sent[0]}
    assert kyc.put(headers, **right).status_code == 202
    found = kyc.seen(headers, type="coded")
    assert found["status"] == "ACCEPTED"
    assert found["provided_fields"]["mobile_number"]["status"] == "ACCEPTED"
    assert kyc.put(headers, **right).status_code == 202
    assert kyc.history(customer_id).count("verified") == 1


@pytest.mark.conforms("SEP12-55", "SEP12-31")
def test_old_clients_send_codes_to_an_endpoint_of_their_own(kyc: Kyc, sent: list[str]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **NUMBER)
    work(customer_codes.SEND)
    path = "/kyc/customer/verification"
    for body, status in (
        ({"id": "unknown", "mobile_number_verification": sent[0]}, 404),
        ({"mobile_number_verification": sent[0]}, 400),
        ({"id": customer_id}, 400),
        ({"id": customer_id, "mobile_number_verification": wrong(sent[0])}, 400),
        ({"id": customer_id, "email_address_verification": sent[0]}, 400),
    ):
        answer = kyc.client.put(path, json=body, headers=headers)
        assert answer.status_code == status, body
        assert answer.json
        assert answer.json["error"]
    body = {"id": customer_id, "mobile_number_verification": sent[0]}
    answer = kyc.client.put(path, data=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json
    assert answer.json["id"] == customer_id
    assert answer.json["status"] in {"NEEDS_INFO", "ACCEPTED", "PROCESSING"}
    found = kyc.seen(headers, type="coded")
    assert found["provided_fields"]["mobile_number"]["status"] in {"ACCEPTED", "PROCESSING"}


def test_a_code_is_tried_five_times_and_then_worthless(kyc: Kyc, sent: list[str]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **NUMBER)
    work(customer_codes.SEND)
    for _ in range(5):
        body = {"id": customer_id, "mobile_number_verification": wrong(sent[0])}
        assert kyc.put(headers, **body).status_code == 400
    assert column("tries_left") == 0
    body = {"id": customer_id, "mobile_number_verification": sent[0]}
    assert kyc.put(headers, **body).status_code == 400
    kyc.registered(headers, **NUMBER)  # the same again asks for another code
    assert work(customer_codes.SEND) == 1
    body = {"id": customer_id, "mobile_number_verification": sent[1]}
    assert kyc.put(headers, **body).status_code == 202


def test_a_code_has_its_time(kyc: Kyc, sent: list[str]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **NUMBER)
    work(customer_codes.SEND)
    kyc.registered(headers, **NUMBER)
    assert work(customer_codes.SEND) == 0, "one that is good is not sent again"
    age(expires_at=func.now())
    body = {"id": customer_id, "mobile_number_verification": sent[0]}
    assert kyc.put(headers, **body).status_code == 400


def test_nobody_gets_codes_without_end(kyc: Kyc, sent: list[str]) -> None:
    headers = kyc.log_in()
    kyc.registered(headers, **NUMBER)
    for _ in range(customer_codes.SENT_MAX + 3):
        work(customer_codes.SEND)
        age(tries_left=0)
        kyc.registered(headers, **NUMBER)
    assert len(sent) == customer_codes.SENT_MAX
    age(counted_since=func.now() - db.text("interval '25 hours'"))
    kyc.registered(headers, **NUMBER)
    assert work(customer_codes.SEND) == 1


def test_a_code_is_for_the_number_that_it_was_sent_to(kyc: Kyc, sent: list[str]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **NUMBER)
    work(customer_codes.SEND)
    other = {"mobile_number": "+4915199999999", "mobile_number_verification": sent[0]}
    assert kyc.put(headers, id=customer_id, **other).status_code == 400
    kyc.registered(headers, id=customer_id, mobile_number="+4915199999999")
    code = {"mobile_number_verification": sent[0]}
    assert kyc.put(headers, id=customer_id, **code).status_code == 400
    kyc.registered(headers, id=customer_id, type="coded")
    work(customer_codes.SEND)
    code = {"mobile_number_verification": sent[-1]}
    assert kyc.put(headers, id=customer_id, **code).status_code == 202
    kyc.registered(headers, id=customer_id, mobile_number="+4915112345678")
    assert kyc.seen(headers, type="coded")["status"] == "NEEDS_INFO"


def test_promise_15_codes_stand_nowhere_in_clear(kyc: Kyc, sent: list[str], caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    kyc.registered(kyc.log_in(), **NUMBER)
    work(customer_codes.SEND)
    mark = column("mark")
    assert len(mark) == 32
    assert sent[0].encode() not in mark
    assert sent[0] not in caplog.text


def test_a_code_that_could_not_be_sent_is_another_one_later(
    kyc: Kyc, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fail(_self: Any, _record: Any, _name: str, code: str) -> None:
        tried.append(code)
        if len(tried) == 1:
            raise Unavailable("the messages are down")

    monkeypatch.setattr(RuledStore, "send_code", fail)
    customer_id = kyc.registered(kyc.log_in(), **NUMBER)
    subject = f"{customer_id}/mobile_number"
    assert ran(customer_codes.SEND, subject).name == "POSTPONED"
    with transaction():
        db.session.execute(db.text("UPDATE jobs SET due_at = now()"))
    assert ran(customer_codes.SEND, subject).name == "DONE"
    assert len(tried) == 2


def test_the_store_posts_codes_to_the_business(kyc: Kyc) -> None:
    with listening() as here:
        rules = replace(policy(), options={"codes_url": f"http://127.0.0.1:{here.port}/code"})
        store = RuledStore("store", rules.options, rules.types)
        kyc.world.app.extensions["anchor"] = replace(house(), customers=store)
        customer_id = kyc.registered(kyc.log_in(), **NUMBER)
        assert work(customer_codes.SEND) == 1
    [(_, body)] = here.requests
    told = json.loads(body)
    assert told["customer_id"] == customer_id
    assert (told["field"], told["value"]) == ("mobile_number", "+4915112345678")
    assert re.fullmatch("[0-9]{6}", told["code"])

"""Bad input to SEP-12: every parameter and field, a 4xx with a sentence, nothing half-written."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from anchor.customers.fields import FIELDS
from anchor.extensions import db, transaction
from anchor.models import Customer, CustomerField, CustomerFile
from tests.doors.test_bad_input import NASTY, NASTY_JSON, sound
from tests.knowing import Kyc

PARAMS = ["id", "account", "memo", "memo_type", "type", "transaction_id", "lang"]


def counted() -> list[int]:
    with transaction():
        return [
            db.session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Customer, CustomerField, CustomerFile)
        ]


@pytest.mark.conforms("SEP12-31", "GEN-13")
def test_every_parameter_of_every_query(kyc: Kyc) -> None:
    headers = kyc.log_in()
    for path, names in (
        ("/kyc/customer", PARAMS),
        ("/kyc/customer/files", ["file_id", "customer_id"]),
    ):
        for name in names:
            for value in NASTY:
                try:
                    answer = kyc.client.get(path, query_string={name: value}, headers=headers)
                except UnicodeEncodeError:
                    continue
                sound(answer)
    assert counted() == [0, 0, 0]


@pytest.mark.conforms("SEP12-31", "SEP12-45", "GEN-13", "GEN-07")
def test_every_parameter_of_every_body(kyc: Kyc) -> None:
    headers = kyc.log_in() | {"Content-Type": "application/json"}
    me = kyc.world.payer.public_key
    for method, path, names in (
        ("put", "/kyc/customer", PARAMS),
        ("put", "/kyc/customer/callback", ["id", "account", "memo", "memo_type", "url"]),
        ("put", "/kyc/customer/verification", ["id", "mobile_number_verification"]),
        ("delete", f"/kyc/customer/{me}", ["memo", "memo_type"]),
    ):
        for name in names:
            for value in NASTY_JSON:
                raw = json.dumps({name: value})
                answer = getattr(kyc.client, method)(path, data=raw, headers=headers)
                sound(answer, allowed=(200, 202))


@pytest.mark.conforms("GEN-38", "SEP12-12")
@pytest.mark.parametrize("lang", ["x" * 101, "\n", "\x00", ["a"], {"a": "b"}, 5, None, "tlh", ""])
def test_no_language_is_an_error(kyc: Kyc, lang: Any) -> None:
    headers = kyc.log_in()
    put = kyc.client.put("/kyc/customer", json={"lang": lang}, headers=headers)
    assert put.status_code == 202
    if isinstance(lang, str):
        answer = kyc.client.get("/kyc/customer", query_string={"lang": lang}, headers=headers)
        assert answer.status_code == 200


@pytest.mark.conforms("SEP12-45", "GEN-13")
def test_every_field_of_a_customer(kyc: Kyc) -> None:
    headers = kyc.log_in() | {"Content-Type": "application/json"}
    endings = ("", "_file_id", "_verification")
    fields = ["shoe_size", "first_name", "birth_date", "occupation", "photo_id_front"]
    names = [name + ending for name in fields for ending in endings] + list(FIELDS)
    for number, name in enumerate(names):
        values = NASTY_JSON if name.partition("_file")[0] in fields else NASTY_JSON[number % 5 :: 5]
        for value in values:
            before = counted()
            raw = json.dumps({name: value, "last_name": f"x{number}"})
            answer = kyc.client.put("/kyc/customer", data=raw, headers=headers)
            sound(answer, allowed=(202,))
            if answer.status_code != 202:
                assert counted() == before


@pytest.mark.conforms("GEN-13", "GEN-15")
@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b'{"occupation": NaN}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (
            b"--x\r\nContent-Disposition: form-data\r\nContent-Type: image/png\r\n\r\nA\r\n"
            b"--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (
            b"--x\r\nContent-Disposition: form-data\r\n\r\nAda\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"", "multipart/form-data"),
        (b"first_name=%ff%fe", "application/x-www-form-urlencoded"),
    ],
)
def test_malformed_bodies(kyc: Kyc, raw: bytes, content_type: str) -> None:
    headers = kyc.log_in()
    for path in ("/kyc/customer", "/kyc/customer/", "/kyc/customer/callback"):
        answer = kyc.client.put(path, data=raw, content_type=content_type, headers=headers)
        sound(answer, allowed=(202,))
    posted = kyc.client.post(
        "/kyc/customer/files", data=raw, content_type=content_type, headers=headers
    )
    sound(posted, allowed=())


def test_errors_hold_no_values(kyc: Kyc) -> None:
    """SEP12-49, GEN-08: what was given stands in no error and in no log."""
    answer: Any = kyc.put(kyc.log_in(), mobile_number="my secret number", first_name="Ada")
    assert answer.status_code == 400
    assert "secret" not in answer.text


@pytest.mark.conforms("SEP12-49")
def test_promise_15_no_value_is_logged(kyc: Kyc, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    headers = kyc.log_in()
    kyc.registered(headers, first_name="Wolfeschlegelstein", email_address="a@secret.example")
    kyc.put(headers, birth_date="Wolfeschlegelstein")
    kyc.seen(headers)
    assert "Wolfeschlegel" not in caplog.text
    assert "secret.example" not in caplog.text

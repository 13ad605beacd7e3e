"""Files of customers: uploaded, referred to, listed, never somebody else's, never for ever."""

from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import func, select, update
from stellar_sdk import Keypair
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from anchor.extensions import db, transaction
from anchor.models import CustomerField, CustomerFile
from anchor.services import customer_erasure, customer_files, customers
from tests.knowing import PNG, Kyc, work

JPEG = b"\xff\xd8\xff\xe0" + b"y" * 50


def part(content: bytes) -> FileStorage:
    return FileStorage(BytesIO(content), "photo.exe", content_type="application/x-msdownload")


def upload(kyc: Kyc, headers: Any, content: bytes = PNG, name: str = "file") -> Any:
    data = {name: part(content)}
    boundary, body = encode_multipart(data)  # the client's own way spools, and leaves it open
    type_ = f"multipart/form-data; boundary={boundary}"
    return kyc.client.post("/kyc/customer/files", data=body, content_type=type_, headers=headers)


def uploaded(kyc: Kyc, headers: Any, content: bytes = PNG) -> str:
    answer = upload(kyc, headers, content)
    assert answer.status_code == 200, answer.text
    found: str = answer.json["file_id"]
    return found


def listed(kyc: Kyc, headers: Any, **query: str) -> list[dict[str, Any]]:
    answer = kyc.client.get("/kyc/customer/files", query_string=query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["files"]
    return found


def count(table: Any) -> int:
    with transaction():
        return db.session.execute(select(func.count()).select_from(table)).scalar_one()


def stored(field: str) -> bytes:
    with transaction():
        row = db.session.scalars(select(CustomerField).where(CustomerField.name == field)).one()
        return customers.content_of(db.session.get_one(CustomerFile, row.file_id))


@pytest.mark.conforms("SEP12-80", "SEP12-83", "GEN-35")
def test_a_file_is_taken_and_told_by_its_own_bytes(kyc: Kyc) -> None:
    answer = upload(kyc, kyc.log_in())
    assert answer.status_code == 200
    assert set(answer.json) == {"file_id", "content_type", "size", "expires_at", "customer_id"}
    assert answer.json["content_type"] == "image/png"
    assert answer.json["size"] == len(PNG)
    assert answer.json["customer_id"] is None
    assert answer.json["expires_at"].endswith("Z")
    assert datetime.fromisoformat(answer.json["expires_at"])


def test_the_largest_muxed_id_owns_files_as_any_other(kyc: Kyc) -> None:
    headers = kyc.log_in_muxed(2**64 - 1)
    file_id = uploaded(kyc, headers)
    assert [each["file_id"] for each in listed(kyc, headers, file_id=file_id)] == [file_id]
    customer_id = kyc.registered(headers, first_name="Ada", photo_id_front_file_id=file_id)
    assert [each["file_id"] for each in listed(kyc, headers, customer_id=customer_id)] == [file_id]


@pytest.mark.conforms("SEP12-81")
def test_a_file_that_is_too_large_is_a_413_and_any_other_error_a_400(kyc: Kyc) -> None:
    headers = kyc.log_in()
    largest = PNG + b"x" * (10_000_000 - len(PNG))
    assert upload(kyc, headers, largest).status_code == 200
    for content in (largest + b"x", largest + b"x" * 2_000_000):
        answer = upload(kyc, headers, content)
        assert answer.status_code == 413
        assert answer.json["error"]
    for answer in (
        upload(kyc, headers, b""),
        upload(kyc, headers, b"MZ no picture"),
        upload(kyc, headers, name="other"),
        kyc.client.post("/kyc/customer/files", json={"file": "x"}, headers=headers),
        kyc.client.post("/kyc/customer/files", headers=headers),
    ):
        assert answer.status_code == 400
        assert answer.json["error"]
    assert count(CustomerFile) == 1


@pytest.mark.conforms("SEP12-81")
def test_a_customer_with_a_file_that_is_too_large_is_refused_whole(kyc: Kyc) -> None:
    body = {"first_name": "Ada", "photo_id_front": part(PNG + b"x" * 10_000_000)}
    boundary, raw = encode_multipart(body)
    type_ = f"multipart/form-data; boundary={boundary}"
    headers = kyc.log_in()
    answer = kyc.client.put("/kyc/customer", data=raw, content_type=type_, headers=headers)
    assert answer.status_code == 413
    assert count(CustomerField) == count(CustomerFile) == 0


def test_the_larger_limit_is_for_files_alone(kyc: Kyc) -> None:
    body = {"first_name": "x" * 1_500_000}
    headers = kyc.log_in()
    assert kyc.put(headers, **body).status_code == 413
    assert kyc.client.put("/kyc/customer/callback", data=body, headers=headers).status_code == 413
    assert (
        kyc.client.put("/kyc/customer", data=b"x" * 31_000_000, headers=headers).status_code == 413
    )


@pytest.mark.conforms("SEP12-03", "SEP12-25")
def test_files_come_as_parts_of_a_form_in_any_order(kyc: Kyc) -> None:
    headers = kyc.log_in()
    for order in (1, -1):
        parts: list[tuple[str, Any]] = [
            ("type", "paper"),
            ("photo_id_front", (BytesIO(PNG), "a.png")),
            ("first_name", "Ada"),
        ]
        answer = kyc.client.put("/kyc/customer", data=dict(parts[::order]), headers=headers)
        assert answer.status_code == 202, answer.text
    found = kyc.seen(headers, type="paper")
    assert found["provided_fields"]["photo_id_front"]["type"] == "binary"
    assert stored("photo_id_front") == PNG


@pytest.mark.conforms("SEP12-03")
def test_a_part_that_is_no_text_is_a_file_without_a_name_too(kyc: Kyc) -> None:
    """So the wallet SDK for TypeScript sends a picture from Node."""
    photo = PNG + b"\r\n\xff\r\n"
    parts = [
        b'name="type"\r\n\r\npaper',
        b'name="first_name"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nZo\xc3\xab',
        b'name="photo_id_front"\r\nContent-Type: application/octet-stream\r\n\r\n' + photo,
    ]
    raw = b"".join(b"--x\r\nContent-Disposition: form-data; " + each + b"\r\n" for each in parts)
    type_ = "multipart/form-data; boundary=x"
    headers = kyc.log_in()
    answer = kyc.client.put(
        "/kyc/customer", data=raw + b"--x--\r\n", content_type=type_, headers=headers
    )
    assert answer.status_code == 202, answer.text
    assert stored("photo_id_front") == photo
    with transaction():
        names = set(db.session.scalars(select(CustomerField.name)))
    assert names == {"first_name", "photo_id_front"}


@pytest.mark.conforms("SEP12-46", "SEP12-82", "SEP12-41")
def test_a_field_refers_to_a_file_that_was_uploaded_before(kyc: Kyc) -> None:
    headers = kyc.log_in()
    file_id = uploaded(kyc, headers)
    body = {"type": "paper", "photo_id_front_file_id": file_id}
    customer_id = kyc.registered(headers, **body)
    assert kyc.registered(headers, **body) == customer_id
    assert kyc.history(customer_id).count("given") == 1
    assert kyc.seen(headers, type="paper")["status"] == "PROCESSING"
    [file] = listed(kyc, headers, file_id=file_id)
    assert file["customer_id"] == customer_id
    assert "expires_at" not in file
    assert listed(kyc, headers, customer_id=customer_id) == [file]


@pytest.mark.conforms("SEP12-82", "SEP12-46", "GEN-25")
def test_promise_13_files_of_others_do_not_exist(kyc: Kyc) -> None:
    five, six = kyc.log_in(memo="5"), kyc.log_in(memo="6")
    other = kyc.log_in(Keypair.random())
    file_id = uploaded(kyc, five)
    customer_id = kyc.registered(five, photo_id_front_file_id=file_id)
    for headers in (six, other):
        assert listed(kyc, headers, file_id=file_id) == []
        assert listed(kyc, headers, customer_id=customer_id) == []
        refused = kyc.put(headers, photo_id_front_file_id=file_id)
        assert refused.status_code == 400
        assert refused.json == kyc.put(headers, photo_id_front_file_id="f" * 32).json
    for headers in (five, kyc.log_in_muxed(5), kyc.log_in()):
        assert len(listed(kyc, headers, file_id=file_id)) == 1
        assert len(listed(kyc, headers, customer_id=customer_id)) == 1
    assert listed(kyc, five, file_id="unknown") == []
    nothing = kyc.client.get("/kyc/customer/files", headers=five)
    assert nothing.status_code == 400


@pytest.mark.conforms("SEP12-83")
def test_what_nothing_refers_to_is_discarded_and_the_rest_is_not(kyc: Kyc) -> None:
    headers = kyc.log_in()
    kept, left = uploaded(kyc, headers), uploaded(kyc, headers, JPEG)
    kyc.registered(headers, photo_id_front_file_id=kept)
    with transaction():
        waiting = CustomerFile.expires_at.is_not(None)
        db.session.execute(update(CustomerFile).where(waiting).values(expires_at=func.now()))
    assert listed(kyc, headers, file_id=left) == []
    assert kyc.put(headers, photo_id_back_file_id=left).status_code == 400
    customer_erasure.owe()
    assert work(customer_erasure.PURGE) == 1
    assert count(CustomerFile) == 1
    customer_erasure.owe()
    assert work(customer_erasure.PURGE) == 0


def test_a_file_that_takes_anothers_place_is_the_only_one_kept(kyc: Kyc) -> None:
    headers = kyc.log_in()
    for content in (PNG, PNG, JPEG):
        photo = {"photo_id_front": (BytesIO(content), "a.png")}
        kyc.put(headers, form=True, **photo)
    assert count(CustomerFile) == 1
    assert stored("photo_id_front") == JPEG


def test_nobody_fills_the_disk_with_files_that_wait(kyc: Kyc, monkeypatch: Any) -> None:
    monkeypatch.setattr(customer_files, "WAITING_MAX", 2)
    headers = kyc.log_in()
    assert [upload(kyc, headers).status_code for _ in range(3)] == [200, 200, 400]
    assert upload(kyc, kyc.log_in(Keypair.random())).status_code == 200


@pytest.mark.conforms("SEP12-62")
def test_erasing_takes_the_files_along(kyc: Kyc) -> None:
    headers = kyc.log_in(memo="5")
    kyc.registered(headers, photo_id_front_file_id=uploaded(kyc, headers))
    waiting = uploaded(kyc, headers, JPEG)
    others = uploaded(kyc, kyc.log_in(memo="6"))
    kyc.client.delete(f"/kyc/customer/{kyc.world.payer.public_key}", headers=headers)
    with transaction():
        assert list(db.session.scalars(select(CustomerFile.id))) == [others]
    assert listed(kyc, headers, file_id=waiting) == []

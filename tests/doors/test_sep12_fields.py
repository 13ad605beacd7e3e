"""Each row of SEP-12's tables of fields is read where it is asked with."""

from io import BytesIO
from typing import Any

import pytest

from anchor.integrations.store import RuledStore
from anchor.lifecycle import Kind, Status
from anchor.services import customer_codes
from tests.doors.test_sep06_fields import held
from tests.doors.test_sep12_changes import register
from tests.doors.test_sep12_codes import NUMBER
from tests.doors.test_sep12_files import uploaded
from tests.knowing import NAMES, PNG, Kyc, work

MEMOS = {"memo": "5", "memo_type": "id"}


@pytest.mark.conforms("5.2 query/*")
def test_asking_reads_each_parameter(kyc: Kyc) -> None:
    headers, own = kyc.log_in(), {"account": kyc.world.payer.public_key}
    mine = kyc.registered(headers, **NAMES)
    text = kyc.registered(headers, memo="five", memo_type="text", **NAMES)
    below = kyc.registered(headers, **MEMOS, **NAMES)
    large = kyc.world.of_kind(Kind.WITHDRAWAL, Status.PENDING_CUSTOMER_INFO_UPDATE, amount="1000")
    of_large = kyc.seen(headers, type="sep6", transaction_id=large)["fields"]
    plain = kyc.seen(headers, type="sep6")
    held(
        "5.2 query/*",
        id=kyc.seen(headers, id=below)["id"] == below,
        account=kyc.seen(headers, **own)["id"] == mine
        and kyc.get(headers, account=kyc.muxed(5)).status_code == 403,
        memo=kyc.seen(headers, **MEMOS)["id"] == below,
        memo_type=kyc.seen(headers, memo="five", memo_type="text")["id"] == text,
        type="id_type" in kyc.seen(headers, type="sep31-sender")["fields"],
        transaction_id="photo_id_front" in of_large
        and "photo_id_front" not in plain.get("fields", {}),
        lang=kyc.seen(headers, type="sep31-sender", lang="es")["fields"]["id_type"]["description"]
        != kyc.seen(headers, type="sep31-sender")["fields"]["id_type"]["description"],
    )


@pytest.mark.conforms("5.3/*")
def test_giving_reads_each_field(kyc: Kyc, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[str] = []
    monkeypatch.setattr(RuledStore, "send_code", lambda _, record, name, code: codes.append(code))
    headers, own = kyc.log_in(), {"account": kyc.world.payer.public_key}
    mine = kyc.registered(headers, **NAMES)
    below = kyc.registered(headers, **MEMOS, **NAMES)
    large = kyc.world.of_kind(Kind.WITHDRAWAL, Status.PENDING_CUSTOMER_INFO_UPDATE, amount="1000")
    of_large = {"type": "sep6", "transaction_id": large}
    kyc.registered(headers, **of_large, photo_id_front_file_id=uploaded(kyc, headers))
    coded = kyc.registered(headers, memo="code", memo_type="text", **NUMBER)
    work(customer_codes.SEND)
    kyc.registered(headers, id=coded, type="coded", mobile_number_verification=codes[0])
    proved = kyc.seen(headers, id=coded, type="coded")["provided_fields"]["mobile_number"]
    given = kyc.seen(headers, **of_large)
    held(
        "5.3/*",
        **{
            "id": kyc.registered(headers, id=below, first_name="Eve") == below,
            "account": kyc.registered(headers, **own) == mine
            and kyc.put(headers, account=kyc.muxed(5)).status_code == 403,
            "memo": kyc.registered(headers, memo="5", memo_type="id") == below != mine,
            "memo_type": kyc.registered(headers, memo="5", memo_type="text") not in {mine, below},
            "type": kyc.put(headers, type="nonsense").status_code == 400,
            "transaction_id": kyc.put(headers, type="sep6", transaction_id="x").status_code == 404,
            "<field>": given["provided_fields"]["first_name"]["status"] == "ACCEPTED",
            "<field>_verification": proved["status"] == "ACCEPTED",
            "<field>_file_id": given["provided_fields"]["photo_id_front"]["type"] == "binary",
        },
    )


@pytest.mark.conforms("5.6/*")
def test_registering_a_callback_reads_each_parameter(kyc: Kyc) -> None:
    """Whose changes are told where shows whom each registration was for."""
    headers, own = kyc.log_in(), {"account": kyc.world.payer.public_key}
    for memo in ({}, MEMOS, {"memo": "five", "memo_type": "text"}):
        kyc.registered(headers, **memo, **NAMES)
    below = kyc.registered(headers, **MEMOS)
    url = "https://wallet.example/told"

    def status(**body: Any) -> int:
        return int(register(kyc, headers, url, **body).status_code)

    bare = kyc.client.put("/kyc/customer/callback", json={}, headers=headers)
    held(
        "5.6/*",
        url=(bare.status_code, status()) == (400, 200),
        id=(status(id=below), status(id="x")) == (200, 404),
        account=(status(**own), status(account=kyc.muxed(5))) == (200, 403),
        memo=(status(**MEMOS), status(memo="6", memo_type="id")) == (200, 404),
        memo_type=(status(memo="five", memo_type="text"), status(memo="five", memo_type="id"))
        == (200, 400),
    )


@pytest.mark.conforms("SEP12-80", "SEP12-82")
def test_a_file_is_told_in_exactly_its_keys(kyc: Kyc) -> None:
    headers = kyc.log_in()
    part = {"file": (BytesIO(PNG), "a.png")}
    answer = kyc.client.post("/kyc/customer/files", data=part, headers=headers)
    assert answer.status_code == 200
    assert answer.json is not None
    expected = {"file_id", "content_type", "size", "expires_at", "customer_id"}
    assert set(answer.json) == expected
    assert (answer.json["size"], answer.json["customer_id"]) == (len(PNG), None)
    listed = kyc.client.get(
        f"/kyc/customer/files?file_id={answer.json['file_id']}", headers=headers
    )
    assert listed.json == {"files": [answer.json]}
    assert kyc.client.get("/kyc/customer/files", headers=headers).status_code == 400
    for query in ("file_id=x", "customer_id=x"):
        none = kyc.client.get(f"/kyc/customer/files?{query}", headers=headers)
        assert (none.status_code, none.json) == (200, {"files": []})

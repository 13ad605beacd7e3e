"""SEP-12 as a wallet and a sending anchor see it: who asks, what is asked, what is given."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from stellar_sdk import Keypair, StrKey

from anchor.blueprints import sep12
from anchor.extensions import db, transaction
from anchor.lifecycle import Kind, Status
from anchor.models import Customer, CustomerField
from anchor.services import customer_desk, known_customers
from anchor.web_auth import Principal
from tests.knowing import BY, NAMES, PNG, Kyc, app_of, policy
from tests.world import dispose

HASH = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def asking(kyc: Kyc) -> Iterator[Callable[[str], Kyc]]:
    """Make the same anchor with rules of its own, as the file has them."""
    made = []

    def make(rules: str) -> Kyc:
        world = app_of(kyc.world, replace(kyc.world.settings, customers=policy(rules)))
        made.append(world.app)
        return Kyc(world, world.app.test_client())

    yield make
    for app in made:
        dispose(app)


def count(table: Any) -> int:
    with transaction():
        return db.session.execute(select(func.count()).select_from(table)).scalar_one()


# -- the door ---------------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-01", "GEN-09", "GEN-12", "GEN-07")
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "x"}])
def test_nobody_gets_in_without_a_token(kyc: Kyc, headers: dict[str, str]) -> None:
    for method, path in (
        ("get", "/kyc/customer"),
        ("put", "/kyc/customer"),
        ("put", "/kyc/customer/callback"),
        ("put", "/kyc/customer/verification"),
        ("post", "/kyc/customer/files"),
        ("get", "/kyc/customer/files?file_id=1"),
        ("delete", f"/kyc/customer/{kyc.world.payer.public_key}"),
    ):
        answer = getattr(kyc.client, method)(path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.mimetype == "application/json"
        assert answer.json["error"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.conforms("GEN-03", "GEN-04")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_browsers_may_ask_first(kyc: Kyc, method: str) -> None:
    path = {"POST": "/kyc/customer/files", "DELETE": "/kyc/customer/G"}.get(method, "/kyc/customer")
    asked = {"Origin": "https://w.example", "Access-Control-Request-Method": method}
    asked["Access-Control-Request-Headers"] = "Authorization, Content-Type"
    answer = kyc.client.options(path, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert method in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.conforms("GEN-38")
def test_a_language_that_nobody_speaks_is_no_error(kyc: Kyc) -> None:
    headers = kyc.log_in()
    for lang in ("en", "en-US", "xx", "", "x" * 90):
        assert kyc.seen(headers, lang=lang)["fields"]["first_name"]["description"]


@pytest.mark.conforms("SEP12-12")
@pytest.mark.parametrize(
    ("lang", "name", "refused"),
    [
        ("", "Given name", "must not be empty"),
        ("en", "Given name", "must not be empty"),
        ("es", "Nombre", "no debe estar vacío"),
        ("pt", "Nome", "não deve estar vazio"),
        ("fr-CA", "Prénom", "ne doit pas être vide"),
        ("tlh", "Given name", "must not be empty"),
    ],
)
def test_what_is_asked_for_is_told_in_the_language_of_who_asks(
    kyc: Kyc, lang: str, name: str, refused: str
) -> None:
    headers = kyc.log_in()
    query = {"lang": lang} if lang else {}
    assert kyc.seen(headers, **query)["fields"]["first_name"]["description"] == name
    asked = kyc.seen(headers, type="sep31-sender", **query)["fields"]["id_type"]
    assert asked["choices"] == ["passport", "id_card"], "what is sent back is the same to all"
    answer = kyc.client.put(
        "/kyc/customer", query_string={"lang": lang}, json={"first_name": " "}, headers=headers
    )
    assert (answer.status_code, answer.json["error"]) == (400, f"first_name {refused}")


@pytest.mark.conforms("SEP12-12")
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "We cannot offer you this service."),
        ({"lang": "es"}, "No podemos ofrecerle este servicio."),
        ({"lang": "fr"}, "Nous ne pouvons pas vous proposer ce service."),
    ],
)
def test_why_a_customer_is_refused_is_told_in_the_language_of_who_asks(
    kyc: Kyc, query: dict[str, str], message: str
) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **NAMES)
    customer_desk.reject(customer_id, "plain", "We cannot offer you this service.", BY)
    found = kyc.seen(headers, **query)
    assert (found["status"], found["message"]) == ("REJECTED", message)


@pytest.mark.conforms("E-16", "GEN-14")
def test_the_toml_tells_where_customers_are_known(kyc: Kyc) -> None:
    toml = kyc.client.get("/.well-known/stellar.toml").text
    assert 'KYC_SERVER = "http://localhost/kyc"' in toml


@pytest.mark.conforms("SEP12-02", "GEN-11", "SEP12-47", "SEP9-02", "SEP12-40")
@pytest.mark.parametrize("way", ["json", "form", "multipart"])
def test_all_ways_of_writing_a_body_are_one(kyc: Kyc, way: str) -> None:
    headers = kyc.log_in()
    body = {"family_name": "Ng", "organization.name": "Ng Ltd", "type": "sep31-receiver"}
    options: dict[str, Any] = {
        "json": {"json": body},
        "form": {"data": body},
        "multipart": {"data": body, "content_type": "multipart/form-data"},
    }[way]
    answer = kyc.client.put("/kyc/customer", headers=headers, **options)
    assert answer.status_code == 202
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"id"}
    found = kyc.seen(headers, type="sep31-receiver")
    assert set(found["provided_fields"]) == {"family_name", "organization.name"}


@pytest.mark.conforms("SEP12-47", "SEP12-45", "GEN-13")
@pytest.mark.parametrize(
    "body",
    [
        {"organization.name": {"name": "x"}},
        {"first_name": ["Ada"]},
        {"first_name": {"a": "b"}},
        {"first_name": True},
        {"first_name": 5},
    ],
)
def test_a_field_is_text_and_never_an_object(kyc: Kyc, body: dict[str, Any]) -> None:
    answer = kyc.put(kyc.log_in(), **body)
    assert answer.status_code == 400
    assert next(iter(body)) in answer.json["error"]
    assert count(Customer) == 0


# -- asking -----------------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-20", "SEP12-08", "SEP12-25", "5.2/fields", "5.2/status", "5.2/id")
def test_somebody_unknown_is_told_what_is_needed(kyc: Kyc) -> None:
    found = kyc.seen(kyc.log_in())
    assert found == {
        "status": "NEEDS_INFO",
        "fields": {
            "first_name": {"type": "string", "description": "Given name"},
            "last_name": {"type": "string", "description": "Family name"},
        },
    }


@pytest.mark.conforms("SEP12-25")
def test_a_field_has_its_choices_and_says_when_it_is_optional(kyc: Kyc) -> None:
    fields = kyc.seen(kyc.log_in(), type="sep31-sender")["fields"]
    assert fields["id_type"]["choices"] == ["passport", "id_card"]
    assert fields["favourite_colour"] == {
        "type": "string",
        "description": "What they like",
        "optional": True,
    }
    for each in fields.values():
        assert each["type"] in {"string", "binary", "number", "date"}
        assert each["description"]


@pytest.mark.conforms("SEP12-23", "SEP12-31", "SEP12-22")
def test_a_type_or_a_transaction_that_is_not_known_is_refused(kyc: Kyc) -> None:
    headers = kyc.log_in()
    for query, status in (
        ({"type": "nonsense"}, 400),
        ({"transaction_id": "abc"}, 400),
        ({"type": "sep6", "transaction_id": "abc"}, 404),
        ({"id": "abc"}, 404),
    ):
        for answer in (kyc.get(headers, **query), kyc.put(headers, **query)):
            assert answer.status_code == status, query
            assert answer.json["error"]
    assert count(Customer) == 0


@pytest.mark.conforms("SEP12-21")
@pytest.mark.parametrize("type_", ["sep6", "sep31-sender", "sep31-receiver"])
def test_each_type_may_ask_for_more_on_account_of_a_transaction(
    asking: Callable[[str], Kyc], type_: str
) -> None:
    more = f"""
    [types.plain.fields]
    last_name = {{}}
    [types.{type_}.fields]
    first_name = {{}}
    photo_id_front = {{ from_amount = "1000" }}
    """
    served = asking(more)
    headers = served.log_in()
    served.registered(headers, type=type_, first_name="Ada")
    kind = Kind.WITHDRAWAL if type_ == "sep6" else Kind.SEND
    for amount, is_asked in (("999", False), ("1000", True)):
        row_id = served.world.of_kind(kind, Status.PENDING_CUSTOMER_INFO_UPDATE, amount=amount)
        found = served.seen(headers, type=type_, transaction_id=row_id)
        assert ("photo_id_front" in found.get("fields", {})) is is_asked
        assert served.get(headers, transaction_id=row_id).status_code == 400, "as what?"


@pytest.mark.conforms("SEP12-21", "SEP12-22")
def test_more_is_asked_for_a_larger_transaction(kyc: Kyc) -> None:
    headers = kyc.log_in()
    small = kyc.world.of_kind(Kind.WITHDRAWAL, Status.PENDING_CUSTOMER_INFO_UPDATE, amount="999")
    large = kyc.world.of_kind(Kind.WITHDRAWAL, Status.PENDING_CUSTOMER_INFO_UPDATE, amount="1000")
    kyc.registered(headers, type="sep6", first_name="Ada")
    assert kyc.seen(headers, type="sep6")["status"] == "ACCEPTED"
    assert kyc.seen(headers, type="sep6", transaction_id=small)["status"] == "ACCEPTED"
    found = kyc.seen(headers, type="sep6", transaction_id=large)
    assert found["status"] == "NEEDS_INFO"
    assert found["fields"]["photo_id_front"]["type"] == "binary"
    photo = {"photo_id_front": (__import__("io").BytesIO(PNG), "a.png")}
    kyc.put(headers, form=True, type="sep6", transaction_id=large, **photo)
    assert kyc.seen(headers, type="sep6", transaction_id=large)["status"] == "ACCEPTED"
    other = kyc.log_in(Keypair.random())
    assert kyc.get(other, type="sep6", transaction_id=large).status_code == 404
    below = kyc.log_in(memo="7")
    assert kyc.get(below, type="sep6", transaction_id=large).status_code == 404


@pytest.mark.conforms("SEP12-23", "SEP12-26", "SEP12-27", "5.2/provided_fields")
def test_a_customer_may_stand_differently_for_each_type(kyc: Kyc) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **NAMES, id_type="passport", type="sep31-sender")
    plain = kyc.seen(headers)
    assert (plain["id"], plain["status"]) == (customer_id, "ACCEPTED")
    assert "fields" not in plain
    assert {each["status"] for each in plain["provided_fields"].values()} == {"ACCEPTED"}
    sender = kyc.seen(headers, type="sep31-sender")
    assert sender["status"] == "PROCESSING"
    assert set(sender["fields"]) == {"favourite_colour"}
    assert sender["provided_fields"]["first_name"]["status"] == "PROCESSING"
    assert kyc.accept(customer_id, "sep31-sender") == "ACCEPTED"
    assert kyc.seen(headers, type="sep31-sender")["status"] == "ACCEPTED"


@pytest.mark.conforms("V-05", "SEP12-40")
def test_the_steps_of_the_validator(kyc: Kyc) -> None:
    headers = kyc.log_in()
    before = kyc.seen(headers)
    assert before["status"] == "NEEDS_INFO"
    assert "id" not in before
    answer = kyc.put(headers, **NAMES)
    assert answer.status_code == 202
    assert kyc.seen(headers, id=answer.json["id"])["status"] != "NEEDS_INFO"


# -- giving -----------------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-41", "SEP12-42")
def test_the_same_again_changes_nothing(kyc: Kyc) -> None:
    headers = kyc.log_in()
    first = kyc.registered(headers, **NAMES)
    history = kyc.history(first)
    assert kyc.registered(headers, **NAMES, type="plain") == first
    assert kyc.registered(headers, **NAMES, id=first) == first
    assert kyc.history(first) == history
    assert kyc.registered(headers, type="sep31-sender", id_type="passport") == first
    assert count(Customer) == 1


@pytest.mark.conforms("SEP12-30")
def test_an_accepted_customer_who_changes_is_looked_at_anew(kyc: Kyc) -> None:
    headers = kyc.log_in()
    body = {"first_name": "Ada", "id_type": "passport", "type": "sep31-sender"}
    customer_id = kyc.registered(headers, **body)
    kyc.accept(customer_id, "sep31-sender")
    kyc.registered(headers, **body | {"first_name": "Eve"})
    found = kyc.seen(headers, type="sep31-sender")
    assert found["status"] == "PROCESSING"
    assert found["provided_fields"]["first_name"]["status"] == "PROCESSING"


@pytest.mark.conforms("SEP12-45", "SEP9-01", "SEP12-49", "SEP9-06")
@pytest.mark.parametrize(
    "body",
    [
        {"birth_date": "31.12.1990"},
        {"birth_date": "1990-02-30"},
        {"birth_date": "19901231"},
        {"address_country_code": "DE"},
        {"address_country_code": "XXX"},
        {"card.country_code": "DEU"},
        {"language_code": "deu"},
        {"mobile_number": "0151 1234"},
        {"email_address": "nobody"},
        {"occupation": "12"},
        {"sex": "yes"},
        {"ip_address": "1.2.3"},
        {"card.expiration_date": "2029-11"},
        {"card.number": "4111111111111111"},
        {"card.cvc": "123"},
        {"id_type": "library card"},
        {"organization.number_of_shareholders": "many"},
        {"first_name": "A\x00da"},
        {"first_name": "\ud800"},
        {"first_name": "x" * 1001},
        {"photo_id_front": "aGVsbG8="},
        {"photo_id_front_file_id": "abc"},
        {"photo_id_front_file_id": 5},
        {"mobile_number_verification": "123456"},
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(kyc: Kyc, body: dict[str, Any]) -> None:
    name = next(iter(body))
    answer = kyc.client.put(
        "/kyc/customer",
        data=json.dumps({"last_name": "Lovelace", "type": "sep31-sender"} | body),
        content_type="application/json",
        headers=kyc.log_in(),
    )
    assert answer.status_code == 400, answer.text
    assert name.removesuffix("_verification").removesuffix("_file_id") in answer.json["error"]
    assert count(Customer) == count(CustomerField) == 0


@pytest.mark.conforms("SEP9-05")
@pytest.mark.parametrize("asked", ["external_transfer_memo", "crypto_memo"])
def test_a_memo_of_a_transfer_is_written_under_its_new_name(
    asking: Callable[[str], Kyc], asked: str
) -> None:
    served = asking(f"[types.plain.fields]\n{asked} = {{}}\n'organization.{asked}' = {{}}")
    headers, new = served.log_in(), "external_transfer_memo"
    assert served.seen(headers)["fields"].keys() == {new, f"organization.{new}"}
    served.registered(headers, crypto_memo="1", **{"organization.crypto_memo": "2"})
    found = served.seen(headers)
    assert (found["status"], found["provided_fields"].keys()) == (
        "ACCEPTED",
        {new, f"organization.{new}"},
    )


@pytest.mark.conforms("SEP9-04", "SEP9-03")
def test_names_of_one_datum_are_one(kyc: Kyc) -> None:
    headers = kyc.log_in()
    given = {"given_name": "Ada", "family_name": "Ng", "organization.crypto_memo": "1"}
    kyc.registered(headers, **given, **{"organization.bank_account_number": "DE00"})
    assert kyc.seen(headers)["status"] == "ACCEPTED"
    assert set(kyc.seen(headers, type="sep31-receiver")["provided_fields"]) == {"family_name"}
    with transaction():
        names = set(db.session.scalars(select(CustomerField.name)))
    assert names == {
        "first_name",
        "last_name",
        "organization.external_transfer_memo",
        "organization.bank_account_number",
    }
    answer = kyc.put(headers, family_name="Ng", last_name="Li")
    assert answer.status_code == 400


@pytest.mark.conforms("SEP9-07")
def test_a_mobile_number_may_be_written_otherwise(kyc: Kyc) -> None:
    headers = kyc.log_in()
    hashed = "9f86d081884c7d659a2feaa0c55ad015"
    assert kyc.put(headers, mobile_number=hashed).status_code == 400
    kyc.registered(headers, mobile_number=hashed, mobile_number_format="hash")
    kyc.registered(headers, mobile_number=hashed[::-1])
    assert kyc.put(headers, mobile_number=hashed, mobile_number_format="E.164").status_code == 400


@pytest.mark.conforms("SEP12-49")
def test_nothing_that_is_given_stands_in_the_database_in_clear(kyc: Kyc) -> None:
    kyc.registered(kyc.log_in(), first_name="Wolfeschlegelstein", email_address="a@secret.example")
    with transaction():
        tables = db.session.scalars(
            select(func.quote_ident(db.text("tablename")))
            .select_from(db.text("pg_tables"))
            .where(db.text("schemaname = 'public'"))
        ).all()
        for table in tables:
            rows = db.session.execute(db.text(f"SELECT t::text FROM {table} t")).scalars().all()
            assert rows or table != "customer_fields"
            for row in rows:
                assert "Wolfeschlegel" not in row
                assert "secret.example" not in row
                assert b"Wolfeschlegel".hex() not in row


# -- whose a customer is ----------------------------------------------------------------------


@pytest.mark.conforms("SEP12-04", "GEN-39")
def test_an_account_has_to_be_the_one_that_logged_in(kyc: Kyc) -> None:
    me, somebody = kyc.world.payer.public_key, Keypair.random().public_key
    bare, five, muxed = kyc.log_in(), kyc.log_in(memo="5"), kyc.log_in_muxed(5)
    contract = StrKey.encode_contract(bytes(32))
    for headers, account, status in (
        (bare, me, 200),
        (five, me, 200),
        (muxed, me, 200),
        (five, kyc.muxed(5), 200),
        (muxed, kyc.muxed(5), 200),
        (muxed, kyc.muxed(6), 403),
        (bare, kyc.muxed(5), 403),
        (bare, somebody, 403),
        (muxed, somebody, 403),
        (bare, contract, 403),
        (bare, me[:-1] + ("B" if me.endswith("A") else "A"), 400),
        (bare, "nobody", 400),
    ):
        answer = kyc.get(headers, account=account)
        assert answer.status_code == status, (account, answer.text)
        assert status == 200 or answer.json["error"]
        put = kyc.put(headers, account=account)
        assert put.status_code == (202 if status == 200 else status)


@pytest.mark.conforms("SEP12-05", "SEP12-07", "E-15")
def test_a_memo_has_to_be_the_one_that_logged_in(kyc: Kyc) -> None:
    for headers in (kyc.log_in(memo="5"), kyc.log_in_muxed(5)):
        for query, status in (
            ({}, 200),
            ({"memo": "5"}, 200),
            ({"memo": "5", "memo_type": "id"}, 200),
            ({"memo": "5", "memo_type": "text"}, 200),
            ({"memo": "6"}, 403),
            ({"memo": "05"}, 403),
            ({"memo": "five", "memo_type": "text"}, 403),
        ):
            assert kyc.get(headers, **query).status_code == status, query
    assert kyc.put(kyc.log_in(memo="5"), memo=5).status_code == 202


@pytest.mark.conforms("SEP12-06", "SEP12-07", "V-07")
def test_a_sending_anchor_has_a_customer_for_each_memo(kyc: Kyc) -> None:
    headers = kyc.log_in()
    memos: list[dict[str, Any]] = [
        {},
        {"memo": "1"},
        {"memo": "2", "memo_type": "id"},
        {"memo": "1", "memo_type": "text"},
        {"memo": "a user", "memo_type": "text"},
        {"memo": HASH, "memo_type": "hash"},
        {"memo": str(2**64 - 1)},
    ]
    ids = [kyc.registered(headers, first_name="Ada", **memo) for memo in memos]
    assert len(set(ids)) == len(ids)
    for memo, customer_id in zip(memos, ids, strict=True):
        assert kyc.seen(headers, **memo)["id"] == customer_id
    assert kyc.seen(kyc.log_in(memo="1"))["id"] == ids[1]
    assert kyc.seen(kyc.log_in_muxed(2))["id"] == ids[2]
    for memo in (
        {"memo": str(2**64), "memo_type": "id"},
        {"memo": "-1", "memo_type": "id"},
        {"memo": "x" * 29, "memo_type": "text"},
        {"memo": "ä" * 15, "memo_type": "text"},
        {"memo": "AAAA", "memo_type": "hash"},
        {"memo": "ab" * 32, "memo_type": "hash"},
        {"memo": "1", "memo_type": "return"},
    ):
        assert kyc.put(headers, **memo).status_code == 400, memo


@pytest.mark.conforms("SEP12-09", "SEP12-43", "GEN-24", "GEN-25", "GEN-26", "SEP12-31")
def test_promise_13_nobody_sees_or_changes_a_customer_of_others(kyc: Kyc) -> None:
    """The matrix of account, memo and muxed address, on every way to a customer."""
    askers = {
        "bare": kyc.log_in(),
        "five": kyc.log_in(memo="5"),
        "muxed five": kyc.log_in_muxed(5),
        "six": kyc.log_in(memo="6"),
        "other": kyc.log_in(Keypair.random()),
        "other five": kyc.log_in(Keypair.random(), memo="5"),
    }
    bare, five = kyc.registered(askers["bare"]), kyc.registered(askers["five"])
    assert bare != five
    sees = {(bare, "bare"), (five, "bare"), (five, "five"), (five, "muxed five")}
    url = "http://wallet.example/"
    for customer_id in (bare, five):
        for name, headers in askers.items():
            may = (customer_id, name) in sees
            tries = (
                (kyc.get(headers, id=customer_id), 200),
                (kyc.put(headers, id=customer_id, first_name=name), 202),
                (
                    kyc.client.put(
                        "/kyc/customer/callback",
                        json={"id": customer_id, "url": url},
                        headers=headers,
                    ),
                    200,
                ),
            )
            for answer, good in tries:
                assert answer.status_code == (good if may else 404), (name, answer.text)
                if not may:
                    assert answer.json == {"error": "there is no such customer"}
            code = kyc.client.put(
                "/kyc/customer/verification",
                json={"id": customer_id, "mobile_number_verification": "1"},
                headers=headers,
            )
            assert code.status_code == (400 if may else 404)
    assert kyc.get(askers["bare"], id="f" * 32).json == {"error": "there is no such customer"}


@pytest.mark.conforms("SEP12-11")
def test_an_id_and_the_account_and_memo_of_the_same_customer_agree(kyc: Kyc) -> None:
    headers, me = kyc.log_in(), kyc.world.payer.public_key
    first = kyc.registered(headers, memo="1")
    kyc.registered(headers, memo="2")
    assert kyc.seen(headers, id=first, account=me, memo="1")["id"] == first
    assert kyc.seen(headers, id=first, account=me)["id"] == first
    assert kyc.get(headers, id=first, memo="2").status_code == 400


def test_a_customer_belongs_to_the_base_account_that_registered_it(kyc: Kyc) -> None:
    customer_id = kyc.registered(kyc.log_in(memo="2"))
    with transaction():
        found = known_customers.read_all([customer_id, "unknown"])
    assert {each.id: each.account for each in found.values()} == {
        customer_id: kyc.world.payer.public_key
    }


@pytest.mark.conforms("SEP12-04", "SEP12-05", "SEP12-60", "GEN-29")
def test_a_contract_account_has_one_customer_and_no_memos(
    kyc: Kyc, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract, other = (StrKey.encode_contract(bytes([n] * 32)) for n in (1, 2))
    someone = Principal(contract, None, contract, None, "localhost", "1")
    monkeypatch.setattr(sep12, "current_principal", lambda: someone)
    customer_id = kyc.registered({}, **NAMES)
    assert kyc.seen({}, account=contract)["id"] == customer_id
    for query, status in (
        ({"account": other}, 403),
        ({"account": kyc.world.payer.public_key}, 403),
        ({"memo": "1"}, 403),
        ({"memo": "1", "memo_type": "text"}, 403),
    ):
        assert kyc.get({}, **query).status_code == status
        assert kyc.put({}, **query).status_code == status
    assert kyc.client.delete(f"/kyc/customer/{other}").status_code == 401
    assert kyc.client.delete(f"/kyc/customer/{contract}", json={"memo": "1"}).status_code == 401
    assert kyc.client.delete(f"/kyc/customer/{contract}").status_code == 200


# -- the end ----------------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-60", "SEP12-61", "SEP12-62", "E-15", "SEP12-02")
def test_a_customer_is_erased_once_and_whole(kyc: Kyc) -> None:
    headers, me = kyc.log_in(), kyc.world.payer.public_key
    path = f"/kyc/customer/{me}"
    assert kyc.client.delete(path, headers=headers).status_code == 404
    first = kyc.registered(headers, **NAMES)
    other = kyc.registered(headers, memo="9", **NAMES)
    somebody = f"/kyc/customer/{Keypair.random().public_key}"
    assert kyc.client.delete(somebody, headers=headers).status_code == 401
    assert kyc.client.delete(path, headers=headers).status_code == 200
    assert kyc.client.delete(path, headers=headers).status_code == 404
    assert kyc.get(headers, id=first).status_code == 404
    assert kyc.seen(headers)["status"] == "NEEDS_INFO"
    for options in ({"json": {"memo": "9", "memo_type": "id"}}, {"data": {"memo": "9"}}):
        answer = kyc.client.delete(path, headers=headers, **options)
        assert answer.status_code == (200 if "json" in options else 404)
    assert count(CustomerField) == 0
    assert kyc.history(first) == kyc.history(other) == ["erased"]
    assert kyc.registered(headers, **NAMES) not in {first, other}


@pytest.mark.conforms("SEP12-60")
def test_erasing_follows_the_memo_that_logged_in(kyc: Kyc) -> None:
    me, five = kyc.world.payer.public_key, kyc.log_in(memo="5")
    kyc.registered(five)
    bare = kyc.registered(kyc.log_in())
    wrong = {"json": {"memo": "6"}, "headers": five}
    assert kyc.client.delete(f"/kyc/customer/{me}", **wrong).status_code == 401
    assert kyc.client.delete(f"/kyc/customer/{kyc.muxed(6)}", headers=five).status_code == 401
    assert kyc.client.delete(f"/kyc/customer/{kyc.muxed(5)}", headers=five).status_code == 200
    assert kyc.client.delete(f"/kyc/customer/{me}", headers=five).status_code == 404
    assert kyc.seen(kyc.log_in(), id=bare)["id"] == bare

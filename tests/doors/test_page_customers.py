"""The pages ask who the customer is, hand that to the store, and go on when it is accepted."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, update
from stellar_sdk import Keypair
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from anchor import create_app
from anchor.extensions import db, transaction
from anchor.models import Callback, Customer, CustomerCode, CustomerField, CustomerFile
from anchor.sandbox.bank import Bank
from anchor.sandbox.network import Sandbox
from anchor.services import customer_codes, customer_desk, customer_uploads
from anchor.services.completions import COMPLETE
from tests.knowing import BY, PNG, knowing, policy, work
from tests.visiting import Visitor
from tests.world import ACCOUNT, World, dispose, settings_for

RULES = """
[types.sep24]
verdict = "manual"
[types.sep24.fields]
first_name = {}
family_name = {}
birth_date = {}
address_country_code = {}
address = { optional = true }
sex = { optional = true }
id_type = { choices = ["passport", "id_card"] }
photo_id_front = { from_amount = "50" }
proof_of_liveness = { from_amount = "50", optional = true }
email_address = { verify = true }
[options]
log_codes = true
"""
ANSWERS = {
    "first_name": "Ada",
    "family_name": "Lovelace",
    "birth_date": "1990-12-10",
    "address_country_code": "BRA",
    "address": "Main Street 1\r\nTown",
    "id_type": "passport",
    "email_address": "ada@example.org",
}


@pytest.fixture
def world(database_url: str, sandbox: Sandbox, bank: Bank) -> Iterator[World]:
    """An anchor that asks its customers who they are, and has people look at that."""
    settings = knowing(settings_for(sandbox, database_url, None), customers=policy(RULES))
    made = World(create_app(settings), settings, sandbox, bank)
    made.fund()
    with made.app.app_context():
        yield made
    dispose(made.app)


@pytest.fixture
def client(world: World) -> Any:
    return world.app.test_client()


def photo() -> Any:
    return io.BytesIO(PNG), "../../me.png"


def opened(world: World, client: Any, way: str = "withdraw", **body: Any) -> Any:
    answer = client.post(
        f"/sep24/transactions/{way}/interactive",
        json={"asset_code": "USDC"} | body,
        headers=world.log_in(client),
    )
    assert answer.status_code == 200, answer.text
    return answer.json


def asked(world: World, client: Any, amount: str = "100", **body: Any) -> Visitor:
    """Open a page and go on to the step that asks who the customer is."""
    visitor = Visitor(client, opened(world, client, **body)["url"])
    visitor.send(amount=amount)
    assert visitor.step == "customer", visitor.page.text
    return visitor


def verify() -> None:
    """Prove the email address to be its customer's."""
    with transaction():
        db.session.execute(update(CustomerField).values(verified_at=func.now()))


def held() -> dict[str, str]:
    with transaction():
        rows = db.session.execute(select(CustomerField.name, CustomerField.state))
        return {row.name: row.state for row in rows}


def shown(world: World, client: Any, row_id: str) -> Any:
    answer = client.get(f"/sep24/transaction?id={row_id}", headers=world.log_in(client))
    assert answer.status_code == 200
    return answer.json["transaction"]


def test_each_field_is_asked_for_by_its_type(world: World, client: Any) -> None:
    page = asked(world, client).page.text
    assert '<input type="date" id="birth_date"' in page
    assert '<input type="email" id="email_address"' in page
    assert '<textarea id="address"' in page
    assert '<input type="file" id="photo_id_front"' in page
    assert '<option value="BRA">Brazil</option>' in page
    assert '<option value="id_card">Id card</option>' in page
    assert '<option value="female">female</option>' in page
    assert 'autocomplete="family-name" required' in page
    assert 'enctype="multipart/form-data"' in page
    assert "ISO" not in page, "what a machine wants is nothing for people"


def test_fields_are_asked_in_the_language_of_the_page(world: World, client: Any) -> None:
    page = asked(world, client, lang="es").page.text
    assert '<option value="BRA">Brasil</option>' in page
    assert "Fecha de nacimiento" in page


def test_a_page_offers_to_choose_the_files_that_are_of_use(world: World, client: Any) -> None:
    visitor = asked(world, client)
    found = dict(
        re.findall(r'<input type="file" id="(\w+)"[^>]* accept="([^"]*)"', visitor.page.text)
    )
    assert found == {
        "photo_id_front": "image/*,application/pdf",
        "proof_of_liveness": "image/*,video/*,application/pdf",
    }
    assert "A photo, a video or a PDF of 10 MB at most." in visitor.page.text
    video = io.BytesIO(b"\x1aE\xdf\xa3" + bytes(100)), "me.webm"
    visitor.send(**ANSWERS, photo_id_front=photo(), proof_of_liveness=video)
    assert held()["proof_of_liveness"] == "given"


def test_what_is_asked_depends_on_the_amount(world: World, client: Any) -> None:
    assert "photo_id_front" not in asked(world, client, "49").page.text
    assert "photo_id_front" in asked(world, client, "50").page.text


def test_what_is_wrong_is_said_at_each_field_and_nothing_is_kept(world: World, client: Any) -> None:
    visitor = asked(world, client)
    page = visitor.send(
        first_name="Ada", birth_date="31.12.1990", email_address="ada", id_type="library_card"
    ).text
    assert visitor.page.status_code == 400
    for said in (
        "Family name is needed.",
        "Date of birth must be a date written as YYYY-MM-DD.",
        "Email address must be an email address.",
        "Kind of identity document is not one of the choices.",
        "Photo of the front of the identity document is needed.",
    ):
        assert said in page
    assert 'value="Ada"' in page
    assert held() == {}
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(Customer)) == 0


def test_a_good_file_is_not_asked_for_twice_because_of_another_field(
    world: World, client: Any
) -> None:
    visitor = asked(world, client)
    visitor.send(**ANSWERS | {"birth_date": "never"}, photo_id_front=photo())
    assert visitor.page.status_code == 400
    assert "We have this file." in visitor.page.text
    assert "photo_id_front_file_id" in visitor.form.values
    visitor.send(**ANSWERS)
    assert visitor.page.status_code == 200
    assert held()["photo_id_front"] == "given"
    with transaction():
        [file] = db.session.scalars(select(CustomerFile))
        assert (file.size, file.expires_at) == (len(PNG), None)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"#!/bin/sh", "must be an image, a video or a PDF document"), (b"", "is needed")],
)
def test_a_file_of_no_use_is_refused(world: World, client: Any, content: bytes, said: str) -> None:
    visitor = asked(world, client)
    visitor.send(**ANSWERS, photo_id_front=(io.BytesIO(content), "me.png"))
    assert visitor.page.status_code == 400
    assert f"Photo of the front of the identity document {said}." in visitor.page.text


@pytest.mark.conforms("1.5/file too large")
def test_a_form_that_is_too_large_says_so(
    world: World, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = asked(world, client)
    monkeypatch.setattr("anchor.blueprints.customer_form.MAX_BODY_BYTES", 1000)
    form = visitor.form
    answer = client.post(
        form.action, data=form.values | {"photo_id_front": (io.BytesIO(b"x" * 5000), "a.png")}
    )
    assert answer.status_code == 413
    assert "This is too large" in answer.text


def test_another_customer_s_file_is_not_taken(world: World, client: Any) -> None:
    visitor = asked(world, client)
    visitor.send(**ANSWERS | {"birth_date": "never"}, photo_id_front=photo())
    stolen = visitor.form.values["photo_id_front_file_id"]
    other = world.app.test_client()
    headers = world.log_in(other, memo="7")
    one = other.post(
        "/sep24/transactions/withdraw/interactive", json={"asset_code": "USDC"}, headers=headers
    ).json
    assert one is not None
    thief = Visitor(other, one["url"])
    thief.send(amount="100")
    thief.send(**ANSWERS, photo_id_front_file_id=stolen)
    assert thief.page.status_code == 400
    assert "Photo of the front of the identity document is needed." in thief.page.text


def test_a_field_that_has_to_be_proved_asks_for_its_code(world: World, client: Any) -> None:
    visitor = asked(world, client)
    visitor.send(**ANSWERS, photo_id_front=photo())
    assert visitor.step == "customer"
    assert "The code that we sent you (Email address)" in visitor.page.text
    work(customer_codes.SEND)
    visitor.send(email_address_verification="000000x")
    assert visitor.page.status_code == 400
    assert "The code that we sent you is not the code that was sent." in visitor.page.text
    with transaction():
        [code] = db.session.scalars(select(CustomerCode))
        assert code.tries_left == 4
    verify()
    visitor.go(visitor.place)
    assert "The code that we sent you" not in visitor.page.text
    visitor.send()
    assert visitor.step == "account"


def decided(world: World, client: Any, way: str = "withdraw", **body: Any) -> tuple[str, Visitor]:
    """Give all that is asked and confirm; return the transaction and its page."""
    one = opened(world, client, way, **body)
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    visitor.send(**ANSWERS, photo_id_front=photo())
    verify()
    visitor.go(visitor.place)
    visitor.fill_in(bank_account_number=ACCOUNT)
    assert visitor.step == "status", visitor.page.text
    return one["id"], visitor


@pytest.mark.conforms("SEP24-49", "SEP24-104")
@pytest.mark.parametrize("way", ["withdraw", "deposit"])
def test_who_is_looked_at_waits_and_goes_on_by_itself(world: World, client: Any, way: str) -> None:
    row_id, visitor = decided(world, client, way)
    before = shown(world, client, row_id)
    assert before["status"] == "pending_anchor"
    assert before["amount_out"] == "98.5"
    assert before.get("withdraw_memo") is None
    assert world.row(row_id).reference is None
    assert "We are checking your details" in visitor.page.text
    customer_desk.accept(customer_desk.listing()[0].customer_id, "sep24", BY)
    assert work(COMPLETE) == 1
    assert shown(world, client, row_id)["status"] == "pending_user_transfer_start"
    page = visitor.go(visitor.place).text
    assert "Now pay from your wallet" in page or "Now transfer the money" in page
    if way == "withdraw":
        world.pay("100", world.memo(row_id))
        world.read()
        world.work()
        assert world.status(row_id) == "completed"


def test_who_has_to_mend_something_is_led_to_it(world: World, client: Any) -> None:
    row_id, visitor = decided(world, client)
    customer_id = customer_desk.listing()[0].customer_id
    customer_desk.request(customer_id, "sep24", ["first_name"], "not as in the passport", BY)
    work(COMPLETE)
    assert world.status(row_id) == "incomplete"
    visitor.go(visitor.place)
    assert visitor.step == "customer"
    assert "Not as in the passport." in visitor.page.text
    assert "family_name" not in visitor.form.values
    visitor.send(first_name="Augusta Ada")
    visitor.fill_in()
    assert world.status(row_id) == "pending_anchor"


@pytest.mark.conforms("SEP24-42")
def test_who_is_refused_is_told_and_nothing_is_paid(world: World, client: Any) -> None:
    row_id, visitor = decided(world, client)
    [line] = customer_desk.listing()
    customer_desk.reject(line.customer_id, "sep24", "We cannot serve you.", BY)
    work(COMPLETE)
    assert world.status(row_id) == "error"
    assert "We cannot serve you." in visitor.go(visitor.place).text
    one = opened(world, client)
    again = Visitor(client, one["url"] + "&callback=http://127.0.0.1:9/end")
    again.send(amount="100")
    assert again.step == "status"
    assert "We cannot serve you." in again.page.text
    assert world.status(one["id"]) == "error"
    with transaction():
        [told] = db.session.scalars(select(Callback))
    assert '"status":"error"' in (told.body or "")


def test_who_is_known_is_not_asked_again(world: World, client: Any) -> None:
    decided(world, client)
    customer_desk.accept(customer_desk.listing()[0].customer_id, "sep24", BY)
    row_id = opened(world, client)["id"]
    visitor = Visitor(client, opened(world, client)["url"])
    visitor.send(amount="100")
    assert visitor.step == "account"
    visitor.send(bank_account_number=ACCOUNT)
    assert visitor.step == "review"
    visitor.send()
    assert world.status(row_id) == "incomplete"
    assert "Now pay from your wallet" in visitor.page.text


def test_a_verdict_at_the_moment_of_the_confirmation_is_not_missed(
    world: World, client: Any
) -> None:
    """The customer is locked between the look and what follows: one of both comes after."""
    row_id, _ = decided(world, client)
    customer_desk.accept(customer_desk.listing()[0].customer_id, "sep24", BY)
    work(COMPLETE)
    work(COMPLETE)
    assert world.events(row_id) == ["opened", "checks_begun", "details_given"]


@pytest.mark.conforms("SEP24-26")
def test_what_the_wallet_knows_is_in_the_store_and_not_asked_again(
    world: World, client: Any
) -> None:
    one = opened(
        world, client, first_name="Ada", email_address="no address", birth_date=5, city="Town"
    )
    assert held() == {"first_name": "given"}
    assert world.row(one["id"]).details == {}
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    assert "first_name" not in visitor.form.values
    assert "family_name" in visitor.form.values
    opened(world, client, first_name="Somebody else")
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(CustomerField)) == 1


@pytest.mark.conforms("SEP24-26")
def test_files_that_the_wallet_has_are_in_the_store_and_not_asked_again(
    world: World, client: Any
) -> None:
    headers, path = world.log_in(client), "/sep24/transactions/withdraw/interactive"

    def post(photo: bytes) -> Any:
        form = {"asset_code": "USDC", "amount": "100", "first_name": "Ada", "city": "Town"}
        files = {
            "photo_id_front": FileStorage(io.BytesIO(photo), "a.png"),
            "proof_of_liveness": FileStorage(io.BytesIO(b"no video"), "me.mp4"),
        }
        boundary, body = encode_multipart(form | files)  # the client's own way spools
        kind = f"multipart/form-data; boundary={boundary}"
        return client.post(path, data=body, content_type=kind, headers=headers)

    one = post(PNG + bytes(2_000_000))
    assert one.status_code == 200, one.text
    assert held() == {"first_name": "given", "photo_id_front": "given"}
    visitor = Visitor(client, one.json["url"])
    visitor.send(amount="100")
    assert visitor.files() == ["proof_of_liveness"]
    too_large = post(PNG + bytes(10_000_000))
    assert too_large.status_code == 413
    listed = client.get("/sep24/transactions?asset_code=USDC", headers=headers).json
    assert len(listed["transactions"]) == 1


@pytest.mark.conforms("SEP24-26", "SEP6-22")
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_a_transaction_may_be_of_another_customer_of_whoever_logged_in(
    world: World, client: Any, way: str
) -> None:
    mine, other = world.log_in(client), world.log_in(client, Keypair.random())
    path = f"/sep24/transactions/{way}/interactive"
    bea = {"type": "sep24", "memo": "77", "memo_type": "id", "first_name": "Bea"}
    bea_id = client.put("/kyc/customer", json=bea, headers=mine).json["id"]
    payer = world.payer.public_key
    body = {"asset_code": "USDC", "account": payer, "customer_id": bea_id}
    for headers, named in ((other, bea_id), (mine, "nobody"), (mine, "0" * 32)):
        refused = client.post(path, json=body | {"customer_id": named}, headers=headers)
        assert refused.status_code == 400
        assert refused.json == {"error": "customer_id: there is no such customer"}
    one = client.post(path, json=body, headers=mine).json
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    assert "first_name" not in visitor.form.values, "she is known"
    visitor.send(**ANSWERS, photo_id_front=photo())
    verify()
    visitor.fill_in(bank_account_number=ACCOUNT)
    assert world.status(one["id"]) == "pending_anchor"
    customer_desk.accept(bea_id, "sep24", BY)
    work(COMPLETE)
    assert world.status(one["id"]) == "pending_user_transfer_start"


def test_a_store_that_falls_over_leaves_what_the_wallet_knows_to_the_page(
    world: World, client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fall_over(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(customer_uploads, "put", fall_over)
        one = opened(world, client, first_name="Ada")
    assert "was not kept" in caplog.text
    assert "Ada" not in caplog.text
    visitor = Visitor(client, one["url"])
    visitor.send(amount="100")
    assert "first_name" in visitor.form.values


def test_no_step_is_passed_over(world: World, client: Any) -> None:
    visitor = asked(world, client)
    place = visitor.place.rpartition("/")[0]
    for step in ("account", "review", "status"):
        assert visitor.go(f"{place}/{step}").status_code == 200
        assert visitor.step == "customer"
    seal = visitor.form.values | {"seal": "x"}
    assert client.post(f"{place}/review", data=seal).status_code == 303
    assert world.status(place.rpartition("/")[2]) == "incomplete"

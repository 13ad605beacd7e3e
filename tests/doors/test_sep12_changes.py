"""Changes of how customers stand: by people, by plug-ins; told, followed, and final."""

import json
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from sqlalchemy import func, select
from stellar_sdk import Keypair

from anchor.customers.standing import Stand
from anchor.errors import NotFound, Rejected, Unavailable
from anchor.extensions import db, house, transaction
from anchor.integrations.customers import (
    Accepted,
    Corrections,
    CustomersTraits,
    Document,
    Refused,
    Undecided,
)
from anchor.integrations.store import RuledStore
from anchor.integrations.testing import CustomersContract
from anchor.models import Callback, Customer, CustomerCallback, CustomerStanding
from anchor.services import callbacks, customer_desk, customer_judging, customer_waits
from tests.knowing import BY, PNG, Kyc, policy, ran, work
from tests.test_callbacks import listening

SENDER = {"first_name": "Ada", "id_type": "passport", "type": "sep31-sender"}


def register(kyc: Kyc, headers: Any, url: str, **body: Any) -> Any:
    path = "/kyc/customer/callback"
    return kyc.client.put(path, json={"url": url, **body}, headers=headers)


def count(table: Any) -> int:
    with transaction():
        return db.session.execute(select(func.count()).select_from(table)).scalar_one()


# -- people -----------------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-30", "SEP12-24", "5.2/message")
def test_refused_is_final_and_says_why(kyc: Kyc) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **SENDER)
    assert customer_desk.reject(customer_id, None, "we cannot serve you", BY) == "REJECTED"
    found = kyc.seen(headers, type="sep31-sender")
    assert (found["status"], found["message"]) == ("REJECTED", "we cannot serve you")
    assert kyc.put(headers, **SENDER | {"first_name": "Eve"}).status_code == 202
    assert kyc.seen(headers, type="sep31-sender")["status"] == "REJECTED"
    with pytest.raises(Rejected, match="for good"):
        kyc.accept(customer_id, "sep31-sender")


@pytest.mark.conforms("SEP12-28", "SEP12-26", "SEP12-41", "SEP12-27")
def test_a_field_that_was_refused_can_be_given_again(kyc: Kyc) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **SENDER)
    customer_desk.request(customer_id, None, ["id_type"], "it has ended", BY)
    for _ in range(2):
        found = kyc.seen(headers, type="sep31-sender")
        assert found["status"] == "NEEDS_INFO"
        assert found["fields"].keys() == {"favourite_colour"}
        field = found["provided_fields"]["id_type"]
        assert (field["status"], field["error"]) == ("REJECTED", "it has ended")
        kyc.registered(headers, **SENDER)  # the same again changes nothing
    kyc.registered(headers, **SENDER | {"id_type": "id_card"})
    assert kyc.seen(headers, type="sep31-sender")["status"] == "PROCESSING"
    kyc.accept(customer_id)
    found = kyc.seen(headers, type="sep31-sender")
    assert found["status"] == "ACCEPTED"
    required = {name for name, each in found["fields"].items() if not each.get("optional")}
    assert required == set()


@pytest.mark.conforms("SEP12-30")
def test_people_may_ask_for_more_than_the_rules(kyc: Kyc) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, first_name="Ada", last_name="Lovelace")
    assert kyc.seen(headers)["status"] == "ACCEPTED"
    told = customer_desk.request(customer_id, "plain", ["photo_id_front"], None, BY)
    assert told == "NEEDS_INFO"
    assert kyc.seen(headers)["fields"]["photo_id_front"]["type"] == "binary"
    with pytest.raises(Rejected, match="no field"):
        customer_desk.request(customer_id, "plain", ["shoe_size"], None, BY)
    with pytest.raises(Rejected, match="no type"):
        customer_desk.accept(customer_id, "nonsense", BY)
    with pytest.raises(NotFound):
        customer_desk.accept("unknown", "plain", BY)


def test_every_act_is_kept_with_who_and_why(kyc: Kyc) -> None:
    customer_id = kyc.registered(kyc.log_in(), **SENDER)
    kyc.accept(customer_id)
    shown = customer_desk.show(customer_id, BY)
    assert "Ada" not in repr(shown)
    assert "Ada" in repr(customer_desk.show(customer_id, BY, values=True))
    history = customer_desk.show(customer_id, BY).history
    acts = {(event, who, about, note) for _, event, who, about, note in history}
    assert ("accepted", "an operator", "sep31-sender", "because") in acts
    assert ("values shown", "an operator", None, "because") in acts
    assert ("given", "customer", "first_name, id_type", None) in acts
    [line] = customer_desk.listing("ACCEPTED")
    assert (line.customer_id, line.type) == (customer_id, "sep31-sender")
    assert customer_desk.listing("PROCESSING") == []


# -- what is told -----------------------------------------------------------------------------


@pytest.mark.conforms("SEP12-72", "SEP12-73", "CB-04")
def test_each_change_is_told_as_get_answers_it_until_the_first_final_one(kyc: Kyc) -> None:
    headers = kyc.log_in()
    body = {"first_name": "Ada", "type": "sep31-sender"}
    customer_id = kyc.registered(headers, **body)
    with listening() as wallet:
        url = f"http://127.0.0.1:{wallet.port}/changed"
        assert register(kyc, headers, url).status_code == 200
        told = []
        kyc.registered(headers, **SENDER)
        told.append(kyc.seen(headers, type="sep31-sender"))
        kyc.registered(headers, **SENDER)
        customer_desk.request(customer_id, None, ["id_type"], "it has ended", BY)
        told.append(kyc.seen(headers, type="sep31-sender"))
        kyc.registered(headers, **SENDER | {"id_type": "id_card"})
        told.append(kyc.seen(headers, type="sep31-sender"))
        kyc.accept(customer_id)
        told.append(kyc.seen(headers, type="sep31-sender"))
        kyc.registered(headers, **SENDER | {"first_name": "Eve"})
        work(callbacks.CALLBACK)
        assert [json.loads(body) for _, body in wallet.requests] == told
        assert [each["status"] for each in told] == [
            *("PROCESSING", "NEEDS_INFO", "PROCESSING", "ACCEPTED"),
        ]
        assert wallet.requests[0][0]["Content-Type"] == "application/json"
        assert register(kyc, headers, url).status_code == 200
        customer_desk.reject(customer_id, "sep31-sender", "no", BY)
        work(callbacks.CALLBACK)
        assert json.loads(wallet.requests[-1][1])["status"] == "REJECTED"
    assert count(CustomerCallback) == 0


@pytest.mark.conforms("SEP12-70", "CB-08", "SEP12-02")
def test_an_address_is_registered_for_a_customer_that_is_known(kyc: Kyc) -> None:
    headers, good = kyc.log_in(), "https://wallet.example/changed"
    assert register(kyc, headers, good).status_code == 404
    kyc.registered(headers)
    for url in ("", "nonsense", "ftp://wallet.example/", "https://", "https://x\n.example/", 5):
        answer = register(kyc, headers, url)  # type: ignore[arg-type]
        assert answer.status_code == 400, url
        assert answer.json["error"]
    assert kyc.client.put("/kyc/customer/callback", headers=headers).status_code == 400
    assert register(kyc, headers, "https://wallet.example/" + "x" * 3000).status_code == 400
    form = kyc.client.put("/kyc/customer/callback", data={"url": good}, headers=headers)
    assert form.status_code == 200
    assert register(kyc, headers, good, memo="4").status_code == 404
    assert register(kyc, kyc.log_in(Keypair.random()), good).status_code == 404


@pytest.mark.conforms("SEP12-70", "CB-08")
def test_outside_of_development_only_public_https_is_registered(
    kyc: Kyc, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = kyc.log_in()
    kyc.registered(headers)
    strict = replace(house(), settings=replace(kyc.world.settings, development=False))
    kyc.world.app.extensions["anchor"] = strict
    for url, status in (
        ("http://wallet.example/", 400),
        ("https://127.0.0.1/", 400),
        ("https://10.0.0.1/", 400),
        ("https://wallet.example/", 200),
    ):
        assert register(kyc, headers, url).status_code == status


@pytest.mark.conforms("SEP12-71")
def test_a_new_address_takes_the_place_of_the_one_before(kyc: Kyc) -> None:
    headers = kyc.log_in()
    kyc.registered(headers, first_name="Ada")
    for name in ("first", "second"):
        assert register(kyc, headers, f"https://{name}.example/").status_code == 200
    kyc.registered(headers, last_name="Lovelace")
    with transaction():
        assert list(db.session.scalars(select(Callback.url))) == ["https://second.example/"]


@pytest.mark.conforms("SEP12-62")
def test_erasing_forgets_where_to_tell_and_what_was_owed(kyc: Kyc) -> None:
    headers = kyc.log_in()
    kyc.registered(headers, first_name="Ada")
    register(kyc, headers, "https://wallet.example/")
    kyc.registered(headers, last_name="Lovelace")
    assert kyc.owed()
    register(kyc, headers, "https://wallet.example/")
    kyc.client.delete(f"/kyc/customer/{kyc.world.payer.public_key}", headers=headers)
    assert count(CustomerCallback) == count(Callback) == 0
    assert work(callbacks.CALLBACK) == 0


# -- what waits -------------------------------------------------------------------------------


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Stand]]:
    """What those that wait for customers are told."""
    told: list[tuple[str, str, Stand]] = []
    monkeypatch.setattr(customer_waits, "_followers", [lambda *each: told.append(each)])
    return told


@pytest.mark.conforms("SEP12-48")
def test_whatever_waits_for_a_customer_hears_of_each_change(kyc: Kyc, followed: Any) -> None:
    customer_id = kyc.registered(kyc.log_in(), **SENDER)
    kyc.accept(customer_id)
    assert followed == [
        (customer_id, "sep31-sender", Stand.PROCESSING),
        (customer_id, "sep31-sender", Stand.ACCEPTED),
    ]


@pytest.mark.conforms("SEP12-48")
def test_the_verdict_and_what_follows_from_it_are_one_commit(
    kyc: Kyc, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, **SENDER)
    register(kyc, headers, "https://wallet.example/")

    def fail(*_each: Any) -> None:
        raise Unavailable("the transaction does not move")

    monkeypatch.setattr(customer_waits, "_followers", [])
    customer_waits.follow(fail)
    with pytest.raises(Unavailable):
        kyc.accept(customer_id)
    assert kyc.seen(headers, type="sep31-sender")["status"] == "PROCESSING"
    assert kyc.owed() == []
    assert "accepted" not in kyc.history(customer_id)


# -- plug-ins ---------------------------------------------------------------------------------


@dataclass
class Slow(RuledStore):
    """Judges by a job, as the test says."""

    traits: ClassVar[CustomersTraits] = CustomersTraits(judges_at_once=False)
    answers: ClassVar[list[Any]] = []
    seen: ClassVar[list[Any]] = []

    def judge(self, record: Any, occasion: Any) -> Any:
        """Answer the next."""
        self.seen.append(record)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


@pytest.fixture
def slow(kyc: Kyc) -> type[Slow]:
    """A plug-in that takes its time."""
    Slow.answers.clear()
    Slow.seen.clear()
    plugin = Slow("slow", {}, policy().types)
    kyc.world.app.extensions["anchor"] = replace(house(), customers=plugin)
    return Slow


def judged(customer_id: str, type_: str) -> str:
    with transaction():
        db.session.execute(db.text("UPDATE jobs SET due_at = now(), parked_at = NULL"))
    return str(ran(customer_judging.JUDGE, f"{customer_id}/{type_}").name)


def test_a_plugin_judges_by_a_job_and_is_asked_until_it_knows(kyc: Kyc, slow: type[Slow]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, first_name="Ada", last_name="Ng")
    assert kyc.seen(headers)["status"] == "PROCESSING"
    corrections = Corrections({"family_name": "it is another in the passport"})
    slow.answers[:] = [Unavailable("down"), Undecided(60, "we look into it"), corrections]
    assert judged(customer_id, "plain") == "POSTPONED"
    assert judged(customer_id, "plain") == "DONE"
    assert kyc.seen(headers)["message"] == "we look into it"
    assert judged(customer_id, "plain") == "DONE"
    found = kyc.seen(headers)
    assert found["status"] == "NEEDS_INFO"
    assert found["provided_fields"]["last_name"]["error"] == "it is another in the passport"
    kyc.registered(headers, last_name="Nguyen")
    slow.answers[:] = [Accepted()]
    assert judged(customer_id, "plain") == "DONE"
    assert kyc.seen(headers)["status"] == "ACCEPTED"
    assert slow.seen[-1].values == {"first_name": "Ada", "last_name": "Nguyen"}
    assert "Nguyen" not in repr(slow.seen)


def test_a_verdict_about_what_changed_meanwhile_does_not_count(kyc: Kyc, slow: type[Slow]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, first_name="Ada", last_name="Ng")

    def meanwhile() -> Refused:
        with kyc.world.app.app_context():
            kyc.registered(headers, last_name="Nguyen")
        return Refused("that name is on a list")

    slow.answers[:] = [meanwhile, Accepted()]
    judged(customer_id, "plain")
    assert kyc.seen(headers)["status"] == "PROCESSING"
    judged(customer_id, "plain")
    assert kyc.seen(headers)["status"] == "ACCEPTED"


def test_a_plugin_sees_files_and_a_broken_one_is_a_case(kyc: Kyc, slow: type[Slow]) -> None:
    from io import BytesIO

    headers = kyc.log_in()
    photo = {"photo_id_front": (BytesIO(PNG), "a.png")}
    customer_id = kyc.put(headers, form=True, type="paper", **photo).json["id"]
    slow.answers[:] = [ValueError("Ada Lovelace"), Accepted()]
    assert judged(customer_id, "paper") == "PARKED"
    assert kyc.world.cases() == ["job_parked"]
    assert judged(customer_id, "paper") == "DONE"
    assert slow.seen[-1].documents == {"photo_id_front": Document("image/png", PNG)}
    assert kyc.seen(headers, type="paper")["status"] == "ACCEPTED"


def test_people_come_before_plugins(kyc: Kyc, slow: type[Slow]) -> None:
    headers = kyc.log_in()
    customer_id = kyc.registered(headers, first_name="Ada", last_name="Ng")
    customer_desk.reject(customer_id, "plain", "no", BY)
    slow.answers[:] = [Accepted()]
    assert judged(customer_id, "plain") == "DONE"
    assert slow.answers, "nobody asked"
    assert kyc.seen(headers)["status"] == "REJECTED"


class TestTheStore(CustomersContract):
    """The built-in keeps what it promises."""

    def customers(self) -> RuledStore:
        return RuledStore("store", {}, policy().types)

    def record(self, type_: str) -> Any:
        from anchor.integrations.customers import CustomerRecord

        return CustomerRecord("1" * 32, "G", "none", "", {"first_name": "Ada"})


def test_a_customer_is_registered_once_however_many_ask_at_once(kyc: Kyc) -> None:
    from concurrent.futures import ThreadPoolExecutor

    headers, client = kyc.log_in(), kyc.world.app.test_client

    def put(number: int) -> Any:
        body = {"first_name": f"Ada{number % 2}", "last_name": "Ng"}
        return client().put("/kyc/customer", json=body, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert count(Customer) == count(CustomerStanding) == 1


def test_a_plugin_that_judges_at_once_may_ask_for_corrections(kyc: Kyc) -> None:
    class Strict(RuledStore):
        """Knows what it wants."""

        def judge(self, record: Any, occasion: Any) -> Any:
            """Refuse short names."""
            return Corrections({"first_name": "too short"}, "please look again")

    plugin = Strict("strict", {}, policy().types)
    kyc.world.app.extensions["anchor"] = replace(house(), customers=plugin)
    headers = kyc.log_in()
    kyc.registered(headers, first_name="A", last_name="B")
    found = kyc.seen(headers)
    assert (found["status"], found["message"]) == ("NEEDS_INFO", "please look again")
    assert customer_desk.listing("NEEDS_INFO")

"""Customers and verdicts, in the console and at the admin API."""

from io import BytesIO
from typing import Any

import pytest

from anchor.cli import group
from anchor.services import customer_desk, customer_erasure
from tests.knowing import BY, NAMES, PNG, Kyc
from tests.operating import Console, bearing
from tests.test_expiry import sql
from tests.world import World

SENDER = {"first_name": "Ada", "id_type": "passport", "type": "sep31-sender"}


@pytest.fixture
def console(kyc: Kyc) -> Console:
    return Console(kyc.world.app.test_client()).sign_in()


def waiting(kyc: Kyc, memo: str | None = None) -> str:
    """Register a customer who waits for a verdict of people."""
    return kyc.registered(kyc.log_in(memo=memo), **SENDER)


def stand(customer_id: str) -> str:
    found = customer_desk.show(customer_id, BY)
    return found.standings["sep31-sender"][0]


def path(customer_id: str, act: str, version: int = 1) -> str:
    return f"/customers/{customer_id}/{act}?version={version}&type=sep31-sender"


def version(customer_id: str) -> int:
    return customer_desk.show(customer_id, BY).version


def act(console: Console, customer_id: str, name: str, **form: Any) -> Any:
    """Open the form of a verdict, and send it."""
    console.get(path(customer_id, name, version(customer_id)))
    told = {each: console.hidden(each) for each in ("version", "type")}
    return console.send(f"/customers/{customer_id}/{name}", **told | form)


# -- what is shown ----------------------------------------------------------------------------


def test_who_waits_for_a_verdict_is_shown_first(kyc: Kyc, console: Console) -> None:
    assert "Nobody waits for a verdict." in console.get("/customers").text
    customer_id = waiting(kyc)
    other = kyc.registered(kyc.log_in(memo="7"), **NAMES)
    page = console.get("/customers").text
    assert customer_id in page
    assert other not in page
    assert other in console.get("/customers?status=ACCEPTED").text
    page = console.get("/customers?status=all").text
    assert customer_id in page
    assert other in page
    assert other not in console.get("/customers?status=all&type=sep31-sender").text
    assert "No customer fits." in console.get("/customers?type=plain").text


def test_no_page_and_no_answer_has_what_a_customer_gave(kyc: Kyc, console: Console) -> None:
    headers = kyc.log_in()
    photo = {"photo_id_front": (BytesIO(PNG), "Ada Lovelace.png")}
    customer_id = kyc.put(headers, form=True, type="paper", **NAMES, **photo).json["id"]
    page = console.get(f"/customers/{customer_id}").text
    told = kyc.client.get(f"/admin/customers/{customer_id}", headers=bearing("vera"))
    for text in (page, told.text):
        assert "Ada" not in text
        assert "Lovelace" not in text
        assert "first_name" in text
        assert "image/png" in text
    assert "108 B" in page
    assert "••••" in page
    [photo_told] = [each for each in told.json["fields"] if each["file"]]
    assert photo_told["file"] == {"content_type": "image/png", "size": len(PNG)}
    assert "values shown" not in kyc.history(customer_id)


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_the_pages_of_the_list_hold_each_customer_once(
    kyc: Kyc, console: Console, limit: int
) -> None:
    made = [waiting(kyc, memo=str(number)) for number in range(1, 4)]
    made.append(kyc.registered(kyc.log_in(memo="1"), type="sep6", **NAMES))
    sql("UPDATE customer_standings SET changed_at = '2026-01-01T00:00:00.000001Z'")
    found: list[tuple[str, str]] = []
    after: str | None = None
    for _ in range(10):
        query = {"limit": limit} | ({"after": after} if after else {})
        told: Any = kyc.client.get("/admin/customers", query_string=query, headers=bearing()).json
        found += [(each["id"], each["type"]) for each in told["customers"]]
        after = told["next"]
        if after is None:
            break
    assert len(found) == len(set(found)) == 4
    assert {customer_id for customer_id, _ in found} == set(made)
    page = console.get(f"/customers?status=all&limit={limit}").text
    assert ("Next" in page) == (limit < 4)


def test_the_command_has_the_same_pages(kyc: Kyc) -> None:
    made = {waiting(kyc, memo=str(number)) for number in range(1, 4)}
    runner, found, after = kyc.world.app.test_cli_runner(), [], []
    for _ in range(4):
        done = runner.invoke(group, ["customers", "list", "--limit", "1", *after])
        assert done.exit_code == 0, done.output
        found += [line.partition(" ")[0] for line in done.stdout.splitlines()]
        after = ["--after", done.stderr.partition("'")[2].rpartition("'")[0]]
    assert (set(found[:3]), found[3:]) == (made, ["There"])
    bad = runner.invoke(group, ["customers", "list", "--after", "x"])
    assert (bad.exit_code, "no place of this list" in bad.output) == (2, True)


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_place_at_the_end_of_time_is_one(kyc: Kyc, instant: str) -> None:
    query = {"after": f"{instant}|a|b"}
    answer = kyc.client.get("/admin/customers", query_string=query, headers=bearing())
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"status": "nobody"},
        {"limit": "201"},
        {"limit": "0"},
        {"type": "\x00"},
        {"type": "x" * 101},
        {"after": "x"},
        {"after": "2026-01-01|a|b"},
        {"after": "2026-01-01T00:00:00Z|a|\x00"},
        {"after": "2026-01-01T00:00:00Z|a|" + "x" * 300},
    ],
)
def test_a_list_that_cannot_be_asked_for_is_refused(
    kyc: Kyc, console: Console, query: dict[str, str]
) -> None:
    answer = kyc.client.get("/admin/customers", query_string=query, headers=bearing())
    assert answer.status_code == 400
    shown = console.client.get("/console/customers", query_string=query)
    assert (shown.status_code, shown.headers["Location"]) == (303, "/console/customers")


@pytest.mark.parametrize("customer_id", ["none", "%00", "x" * 101, "é"])
def test_a_customer_who_is_not_there_is_nobody(
    kyc: Kyc, console: Console, customer_id: str
) -> None:
    bodies = {"accept": {}, "reject": {"message": "no"}, "request": {"fields": ["first_name"]}}
    answer = kyc.client.get(f"/admin/customers/{customer_id}", headers=bearing())
    assert (answer.status_code, answer.json) == (404, {"error": "there is no such customer"})
    page = console.get(f"/customers/{customer_id}")
    assert (page.status_code, "There is no such customer." in page.text) == (404, True)
    for name, body in bodies.items():
        place = f"/admin/customers/{customer_id}/{name}"
        answer = kyc.client.post(place, json=body | {"version": 1}, headers=bearing())
        assert answer.status_code == 404
        assert console.get(f"/customers/{customer_id}/{name}?version=1").status_code == 404
        assert console.send(f"/customers/{customer_id}/{name}", token="x").status_code == 403


def test_what_customers_and_operators_wrote_runs_nowhere(kyc: Kyc, console: Console) -> None:
    customer_id = waiting(kyc)
    text = "<script>alert(1)</script>"
    act(console, customer_id, "request", field=["id_type"], message=text, note=text)
    page = console.get(f"/customers/{customer_id}").text
    assert page.count("&lt;script&gt;alert(1)") >= 3
    assert "<script>alert" not in page


def test_where_customers_are_not_served_there_is_nobody(world: World) -> None:
    console = Console(world.app.test_client()).sign_in()
    assert "Nobody waits for a verdict." in console.get("/customers").text
    client = world.app.test_client()
    told = client.get("/admin/customers", headers=bearing()).json
    assert told == {"customers": [], "next": None}
    body = {"version": 1, "fields": ["first_name"]}
    answer = client.post("/admin/customers/x/request", json=body, headers=bearing())
    assert answer.status_code == 404


# -- verdicts ---------------------------------------------------------------------------------


def test_a_customer_is_accepted_with_what_was_looked_at(kyc: Kyc, console: Console) -> None:
    customer_id = waiting(kyc)
    assert "Accept" in console.get(f"/customers/{customer_id}").text
    done = act(console, customer_id, "accept", note="seen in person")
    assert done.headers["Location"] == f"/console/customers/{customer_id}?done=accept"
    assert "The customer is accepted." in console.get(f"/customers/{customer_id}?done=accept").text
    assert stand(customer_id) == "ACCEPTED"
    page = console.get(f"/customers/{customer_id}").text
    assert "seen in person" in page
    assert ("accepted", "ada") in {
        (each[1], each[2]) for each in customer_desk.show(customer_id, BY).history
    }


@pytest.mark.parametrize(
    ("name", "form", "body"),
    [
        ("accept", {}, {}),
        ("reject", {"message": "no", "sure": "yes"}, {"message": "no"}),
        ("request", {"field": ["id_type"]}, {"fields": ["id_type"]}),
    ],
)
def test_a_verdict_on_what_was_changed_since_is_refused(
    kyc: Kyc, console: Console, name: str, form: dict[str, Any], body: dict[str, Any]
) -> None:
    customer_id = waiting(kyc)
    old = version(customer_id)
    console.get(path(customer_id, name, old))
    told = {each: console.hidden(each) for each in ("version", "type")}
    kyc.registered(kyc.log_in(), **SENDER | {"first_name": "Eve"})
    page = console.send(f"/customers/{customer_id}/{name}", **told | form)
    assert page.status_code == 400
    assert f"More was given since version {old}; look again." in page.text
    assert "More was given since you looked." in console.get(path(customer_id, name, old)).text
    place = f"/admin/customers/{customer_id}/{name}"
    answer: Any = kyc.client.post(place, json=body | {"version": old}, headers=bearing())
    assert answer.status_code == 400
    assert "look again" in answer.json["error"]
    assert kyc.client.post(place, json=body, headers=bearing()).status_code == 400
    assert stand(customer_id) == "PROCESSING"


def test_a_refusal_is_for_good_and_has_to_be_meant(kyc: Kyc, console: Console) -> None:
    customer_id = waiting(kyc)
    page = act(console, customer_id, "reject", message="We cannot serve you.")
    assert (page.status_code, "Say that it is for good." in page.text) == (400, True)
    assert 'value="We cannot serve you."' in page.text, "what was typed is kept"
    assert act(console, customer_id, "reject", sure="yes").status_code == 400
    assert stand(customer_id) == "PROCESSING"
    form = {"message": "We cannot serve you.", "sure": "yes"}
    assert act(console, customer_id, "reject", **form).status_code == 303
    assert stand(customer_id) == "REJECTED"
    page = console.get(f"/customers/{customer_id}").text
    assert "We cannot serve you." in page
    assert "/accept" not in page, "nothing can follow"
    again = act(console, customer_id, "accept")
    assert (again.status_code, "refused for good" in again.text) == (400, True)


def test_fields_are_asked_for_by_tick_and_by_name(kyc: Kyc, console: Console) -> None:
    customer_id = waiting(kyc)
    page = act(console, customer_id, "request")
    assert (page.status_code, "Name at least one field." in page.text) == (400, True)
    page = act(console, customer_id, "request", field=["id_type"], others="shoe_size")
    assert (page.status_code, "Shoe_size is no field of customers." in page.text) == (400, True)
    assert 'value="id_type" checked' in page.text
    form = {"field": ["id_type"], "others": "photo_id_front, birth_date", "message": "It ended."}
    assert act(console, customer_id, "request", **form).status_code == 303
    found = customer_desk.show(customer_id, BY).fields
    assert found["id_type"][0] == "rejected"
    assert (found["photo_id_front"][0], found["birth_date"][0]) == ("requested", "requested")
    assert stand(customer_id) == "NEEDS_INFO"


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("accept", {"version": "x"}, "version: not a valid integer"),
        ("accept", {"version": 0}, "version: must be"),
        ("accept", {"version": 1, "type": "nonsense"}, "nonsense is no type of customer"),
        ("accept", {"version": 1, "note": "x" * 501}, "note: length"),
        ("accept", {"version": 1, "more": 1}, "more: unknown field"),
        ("reject", {"version": 1}, "message: missing"),
        ("reject", {"version": 1, "message": "\x00"}, "message: must not have control"),
        ("reject", {"version": 1, "message": "x" * 501}, "message: length"),
        ("request", {"version": 1, "fields": []}, "fields: length must be between"),
        ("request", {"version": 1, "fields": ["a"] * 51}, "fields: length must be between"),
        ("request", {"version": 1, "fields": ["shoe_size"]}, "is no field of customers"),
        ("request", {"version": 1, "fields": "first_name"}, "fields: not a valid list"),
    ],
)
def test_a_verdict_that_is_not_right_is_refused_with_one_sentence(
    kyc: Kyc, name: str, body: dict[str, Any], said: str
) -> None:
    customer_id = waiting(kyc)
    if body["version"] == 1:
        body = body | {"version": version(customer_id)}
    place = f"/admin/customers/{customer_id}/{name}"
    answer: Any = kyc.client.post(place, json=body, headers=bearing())
    assert answer.status_code == 400
    assert said in answer.json["error"].lower()
    assert stand(customer_id) == "PROCESSING"


def test_the_api_accepts_asks_and_refuses(kyc: Kyc) -> None:
    customer_id = waiting(kyc)

    def decided(name: str, **body: Any) -> str:
        place = f"/admin/customers/{customer_id}/{name}"
        body = {"version": version(customer_id), "note": f"why {name}"} | body
        answer: Any = kyc.client.post(place, json=body, headers=bearing())
        assert answer.status_code == 200, answer.text
        assert answer.json["history"][-1]["who"] in {"ada", "anchor"}
        [standing] = answer.json["standings"]
        return str(standing["status"])

    assert decided("accept") == "ACCEPTED"
    assert decided("request", fields=["id_type"], message="It ended.") == "NEEDS_INFO"
    assert decided("reject", message="We cannot serve you.") == "REJECTED"
    notes = [each[4] for each in customer_desk.show(customer_id, BY).history if each[2] == "ada"]
    assert notes == ["why accept", "why request", "why reject"]


def test_an_erased_customer_is_shown_without_anything_and_judged_no_more(
    kyc: Kyc, console: Console
) -> None:
    customer_id = waiting(kyc)
    customer_erasure.purge([customer_id], "ann")
    page = console.get(f"/customers/{customer_id}").text
    assert "Erased" in page
    assert "/accept" not in page
    told = kyc.client.get(f"/admin/customers/{customer_id}", headers=bearing()).json
    assert told is not None
    assert (told["account"], told["fields"]) == (None, [])
    body = {"version": told["version"]}
    place = f"/admin/customers/{customer_id}/accept"
    assert kyc.client.post(place, json=body, headers=bearing()).status_code == 404
    assert customer_id not in console.get("/customers?status=all").text


def test_who_looks_only_judges_nobody(kyc: Kyc) -> None:
    customer_id = waiting(kyc)
    console = Console(kyc.world.app.test_client()).sign_in("vera")
    page = console.get(f"/customers/{customer_id}").text
    assert "/accept" not in page
    assert console.get(path(customer_id, "accept")).status_code == 403
    console.get("/customers")
    assert console.send(f"/customers/{customer_id}/accept", version="1").status_code == 403
    answer = kyc.client.post(
        f"/admin/customers/{customer_id}/accept", json={"version": 1}, headers=bearing("vera")
    )
    assert answer.status_code == 403
    assert stand(customer_id) == "PROCESSING"


def test_a_form_without_what_was_looked_at_leads_back(kyc: Kyc, console: Console) -> None:
    customer_id = waiting(kyc)
    for query in ("", "?version=x", "?version=0", "?version=1&type=" + "x" * 101):
        answer = console.get(f"/customers/{customer_id}/accept{query}")
        assert answer.headers["Location"] == f"/console/customers/{customer_id}"
    assert console.get(f"/customers/{customer_id}/delete?version=1").status_code == 404

"""How things stand, and pauses: in the console and at the admin API."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from anchor.errors import Unavailable
from anchor.extensions import db, transaction
from anchor.ledger.gateway import NodeStanding
from anchor.models import Job
from anchor.money import parse_amount
from anchor.serializers import console_overview
from anchor.services import brakes, cases, networks, overview
from tests.doors.test_admin import acts
from tests.operating import Console, bearing
from tests.test_expiry import sql
from tests.world import World


@pytest.fixture
def console(world: World) -> Console:
    return Console(world.app.test_client()).sign_in()


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def standing() -> list[tuple[str, str, str, str | None]]:
    return [(each.scope, each.subject, each.who, each.note) for each in brakes.standing()]


def open_case(reason: str, cause: str, note: str | None = None) -> None:
    with transaction():
        cases.open_case(reason, cause, note=note)


def capped(world: World, amount: str) -> None:
    """Serve the asset with a cap."""
    house = world.app.extensions["anchor"]
    policy = replace(house.settings.assets["USDC"], outflow_cap=parse_amount(amount))
    served = replace(house.settings, assets={"USDC": policy})
    world.app.extensions["anchor"] = replace(house, settings=served)


# -- what is shown ----------------------------------------------------------------------------


def test_home_leads_to_the_overview(console: Console) -> None:
    answer = console.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/overview")


def test_what_is_wrong_comes_first(world: World, console: Console) -> None:
    assert networks.lease(networks.watched()[0].id) is not None
    assert "Nothing is wrong" in console.get("/overview").text
    sql("UPDATE accounts SET stopped_reason = 'the <b>network</b> was reset'")
    found = console.get("/overview").text
    assert "This is wrong" in found
    assert "is not followed: the &lt;b&gt;network&lt;/b&gt; was reset" in found
    assert found.index("is not followed") < found.index("Cases that wait")


def test_open_cases_are_counted_by_reason_with_what_that_means(console: Console) -> None:
    for number in range(3):
        open_case("payment_unmatched", f"payment 1/{number}/0")
    open_case("a_reason_of_tomorrow", "x")
    sql("UPDATE cases SET closed_at = now() WHERE id = 1")
    found = console.get("/overview").text
    assert "A payment came without a memo that was given out." in found
    assert '<span class="number">2</span>' in found
    assert "a_reason_of_tomorrow" in found


def test_beside_the_section_stands_how_many_cases_are_open(world: World) -> None:
    assert console_overview.cases_open(overview.notice()) == ""
    sql(
        "INSERT INTO cases (reason, cause) SELECT 'payment_late', 'payment ' || n "
        "FROM generate_series(1, 1500) n"
    )
    found = overview.notice()
    assert found.cases == overview.MANY, "more are not counted with each page"
    assert console_overview.cases_open(found) == "999+"


def test_work_is_counted_by_kind_with_what_is_due_and_what_is_parked(
    world: World, console: Console, client: FlaskClient
) -> None:
    with transaction():
        db.session.add(Job(kind="callback", subject_id="a"))
        db.session.add(Job(kind="callback", subject_id="b"))
    sql("UPDATE jobs SET due_at = now() - interval '5 minutes'")
    sql("UPDATE jobs SET parked_at = now() WHERE subject_id = 'b'")
    found = console.get("/overview").text
    assert "1 due, the oldest for 5 min." in found
    assert "1 given up:" in found
    told = client.get("/admin/status", headers=bearing("vera")).json
    assert told is not None
    [work] = told["jobs"]
    assert (work["kind"], work["waiting"], work["due"], work["parked"]) == ("callback", 2, 1, 1)


def test_caps_tell_what_they_have_used_in_the_last_hour(
    world: World, console: Console, client: FlaskClient
) -> None:
    assert "Caps of what leaves" not in console.get("/overview").text
    capped(world, "150")
    world.paid_withdrawal("100")
    world.work()
    assert "98.50 of 150.00" in console.get("/overview").text
    told = client.get("/admin/status", headers=bearing()).json
    assert told is not None
    assert told["caps"] == [{"asset_code": "USDC", "cap": "150", "used": "98.5"}]
    sql("UPDATE outflows SET called_at = called_at - interval '61 minutes'")
    assert "0.00 of 150.00" in console.get("/overview").text
    capped(world, "98.5")
    sql("UPDATE outflows SET called_at = now()")
    assert "Used up" in console.get("/overview").text


def test_the_status_of_the_api_is_that_of_the_page(world: World, client: FlaskClient) -> None:
    open_case("payment_late", "payment 1/2/3")
    told = client.get("/admin/status", headers=bearing("vera")).json
    assert told is not None
    assert (told["status"], told["sources"]) == ("trouble", None)
    assert "is followed by no stream runner" in told["problems"][0]
    assert told["accounts"][0]["account"] == world.distribution
    assert [(each["reason"], each["count"]) for each in told["cases"]] == [("payment_late", 1)]


def test_sources_of_the_network_are_asked_only_where_somebody_wants_to_know(
    world: World, console: Console, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = world.app.extensions["anchor"].gateway
    nodes = [NodeStanding("one", "it is down", 5), NodeStanding("two", None, 7)]
    asked = []
    monkeypatch.setattr(gateway, "standing", lambda: asked.append(1) or nodes)
    console.get("/overview")
    client.get("/admin/status", headers=bearing())
    assert asked == []
    said = "horizon: one is not in use (it is down); two is asked instead"
    assert said in console.get("/overview?sources=true").text
    told = client.get("/admin/status?sources=true", headers=bearing()).json
    assert told is not None
    assert told["sources"] == [said]


# -- pauses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "scope", "said"),
    [
        ("all:", "all", "All money is paused"),
        ("asset:{asset}", "asset", "All USDC is paused"),
        ("asset:USDC", "asset", "All USDC is paused"),
        ("rail:bank", "rail", "All that leaves by bank is paused"),
        ("rail:stellar", "rail", "All that leaves on the ledger is paused"),
        ("kind:refund", "kind", "All of the kind refund is paused"),
    ],
)
def test_promise_14_an_operator_pauses_and_resumes_and_each_page_says_so(
    world: World, console: Console, what: str, scope: str, said: str
) -> None:
    console.get("/overview")
    paused = console.send(
        "/overview/pause", what=what.format(asset=world.policy.id), note="odd <i>"
    )
    assert (paused.status_code, paused.headers["Location"]) == (
        303,
        "/console/overview?done=pause",
    )
    assert "It is paused." in console.get("/overview?done=pause").text
    [(found, subject, who, note)] = standing()
    assert (found, who, note) == (scope, "ada", "odd <i>")
    for page in ("/overview", "/callbacks", "/remittances/none", "/books"):
        text = console.get(page).text
        assert said in text
        assert "odd &lt;i&gt;" in text
    page = console.client.get(
        "/console/overview/resume", query_string={"scope": found, "subject": subject}
    )
    console.page = page
    form = {name: console.hidden(name) for name in ("scope", "subject", "since")}
    for _ in range(2):
        console.page = page
        assert console.send("/overview/resume", **form, note="a drill").status_code == 303
    assert standing() == []
    assert [(what.partition(" ")[0], who, note) for what, who, note in acts()] == [
        ("pause", "ada", "odd <i>"),
        ("resume", "ada", "a drill"),
    ], "a resume that was sent twice is done once"
    assert "is paused" not in console.get("/callbacks").text


def test_a_pause_that_is_there_stays_as_it_was_set(console: Console) -> None:
    console.get("/overview")
    for note in ("first", "second"):
        assert console.send("/overview/pause", what="all:", note=note).status_code == 303
        console.get("/overview")
    assert standing() == [("all", "", "ada", "first")]


def test_promise_14_a_resume_ends_the_pause_that_was_looked_at_and_no_newer_one(
    console: Console, client: FlaskClient
) -> None:
    brakes.pause("all", "", "ann", "first")
    console.get("/overview/resume?scope=all")
    form = {name: console.hidden(name) for name in ("scope", "subject", "since")}
    old = client.get("/admin/pauses", headers=bearing()).json
    brakes.resume("all", "", "ann", None)
    sql("SELECT pg_sleep(0.002)")
    brakes.pause("all", "", "bob", "again")
    page = console.send("/overview/resume", **form)
    assert (page.status_code, "was paused anew since; look again" in page.text) == (400, True)
    assert old is not None
    query = {"scope": "all", "since": old["pauses"][0]["since"]}
    answer = client.delete("/admin/pauses", query_string=query, headers=bearing())
    assert answer.status_code == 400
    assert standing() == [("all", "", "bob", "again")]


def test_a_resume_that_several_send_at_once_is_done_once(world: World, console: Console) -> None:
    brakes.pause("all", "", "ann", "first")
    console.get("/overview/resume?scope=all")
    form = {name: console.hidden(name) for name in ("form_token", "scope", "subject", "since")}
    session = console.client.get_cookie("anchor_console").value

    def send(_: int) -> int:
        client = world.app.test_client()
        client.set_cookie("anchor_console", session)
        return int(client.post("/console/overview/resume", data=form).status_code)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(4))) == {303}
    assert [what for what, _, _ in acts()] == ["pause all", "resume all"]


def test_promise_14_nobody_takes_the_pause_of_a_restore_back_but_its_command(
    console: Console, client: FlaskClient
) -> None:
    brakes.pause("all", brakes.RESTORE, "ann", None)
    page = console.get("/overview").text
    assert "All money, after a restore, is paused" in page
    assert "resume-after-restore" in page
    assert "/overview/resume" not in page
    form = {"scope": "all", "subject": brakes.RESTORE}
    assert console.send("/overview/resume", **form).status_code == 400
    assert client.delete("/admin/pauses", query_string=form, headers=bearing()).status_code == 400
    console.get("/overview")
    assert console.send("/overview/pause", what="all:restore", note="x").status_code == 400
    assert standing() == [("all", brakes.RESTORE, "ann", None)]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "scope: missing data for required field"),
        ({"what": "all:"}, "note: missing data for required field"),
        ({"what": "all:", "note": "  "}, "note: missing data for required field"),
        ({"what": "all:", "note": "\x00"}, "note: must not have control characters"),
        ({"what": "all:", "note": "x" * 501}, "note: length must be between 1 and 500"),
        ({"what": "nothing:x", "note": "x"}, "scope: must be one of"),
        ({"what": "asset:", "note": "x"}, "say which asset"),
        ({"what": "asset:EURC", "note": "x"}, "there is no asset EURC"),
        ({"what": "rail:pigeon", "note": "<b>"}, "there is no rail pigeon"),
        ({"what": "kind:" + "x" * 101, "note": "x"}, "subject: length must be between 1 and 100"),
    ],
)
def test_what_cannot_be_paused_is_said_in_the_console_and_at_the_api(
    console: Console, client: FlaskClient, form: dict[str, str], said: str
) -> None:
    console.get("/overview")
    page = console.send("/overview/pause", **form)
    assert page.status_code == 400
    assert said.lower() in page.text.lower()
    assert "<b>" not in page.text
    scope, _, subject = form.get("what", "").partition(":")
    body = {"scope": scope, "subject": subject, "note": form.get("note", "").strip()}
    body = {name: value for name, value in body.items() if value}
    answer: Any = client.post("/admin/pauses", json=body, headers=bearing())
    assert answer.status_code == 400
    assert said.lower() in answer.json["error"].lower()
    assert (standing(), acts()) == ([], [])


def test_the_api_pauses_by_an_assets_code_and_resumes(world: World, client: FlaskClient) -> None:
    body = {"scope": "asset", "subject": "USDC", "note": "the bank called"}
    answer = client.post("/admin/pauses", json=body, headers=bearing())
    assert answer.json is not None
    [told] = answer.json["pauses"]
    assert (told["subject"], told["who"], told["note"]) == (
        world.policy.id,
        "ada",
        "the bank called",
    )
    assert client.get("/admin/pauses", headers=bearing("vera")).json == answer.json
    query = {"scope": "asset", "subject": "USDC", "since": told["since"], "note": "they agree"}
    done = client.delete("/admin/pauses", query_string=query, headers=bearing())
    assert (done.status_code, done.json) == (200, {"pauses": []})
    again = client.delete("/admin/pauses", query_string=query, headers=bearing())
    assert again.status_code == 404
    assert [who for _, who, _ in acts()] == ["ada", "ada"]


def test_who_looks_only_sees_pauses_and_no_way_to_change_them(world: World) -> None:
    brakes.pause("all", "", "ann", "the bank called")
    console = Console(world.app.test_client()).sign_in("vera")
    page = console.get("/overview").text
    assert "the bank called" in page
    assert "<form" not in page.partition("<main")[2]
    assert "/overview/resume" not in page
    assert console.get("/overview/resume?scope=all").status_code == 403


def test_a_pause_that_is_not_there_leads_back(console: Console) -> None:
    for path in (
        "/overview/resume",
        "/overview/resume?scope=rail&subject=%00",
        "/overview/resume?scope=x",
    ):
        answer = console.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/console/overview")
    assert console.get("/overview?sources=x").status_code == 303


def test_a_page_that_tells_of_a_database_that_is_away_is_shown_without_its_strip(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> overview.Notice:
        raise Unavailable("the database did not answer")

    monkeypatch.setattr(overview, "notice", away)
    assert console.get("/callbacks").status_code == 200

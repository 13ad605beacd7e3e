"""The console: a session of its own, forms that nobody else can send, and each act done once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from anchor import create_app
from anchor.clock import utcnow
from anchor.policies import LimitPolicy
from anchor.policies.operators import Role
from anchor.policies.pages import PagesPolicy
from anchor.services import logins
from anchor.web_auth import operators as web_auth
from tests.doors.test_admin import acts, begun
from tests.operating import OPERATORS, TOKENS, Console, bearing
from tests.remitting import Pair
from tests.test_callback_replays import paid, told_to
from tests.test_callbacks import DOWN, deliver, listening
from tests.world import ACCOUNT, World, dispose

COOKIE = "anchor_console"
PAGES = [
    "",
    "/remittances",
    "/remittances/new",
    "/remittances/x",
    "/remittances/x/amend",
    "/callbacks",
    "/overview",
    "/overview/resume",
    "/books",
    "/books/books.csv",
    "/customers",
    "/customers/x",
    "/customers/x/accept",
    "/cases",
    "/cases/1",
    "/acts/close",
    "/transactions",
    "/transactions/x",
    "/money",
    "/money/outflows",
    "/transactions/found/download",
    "/money/download",
    "/money/outflows/download",
]
FORMS = [
    "/remittances/new",
    "/remittances",
    "/remittances/x/amend",
    "/callbacks/replay",
    "/overview/pause",
    "/overview/resume",
    "/customers/x/accept",
    "/customers/x/reject",
    "/customers/x/request",
    "/acts/refund",
    "/sign-out",
]


@pytest.fixture
def console(world: World) -> Console:
    return Console(world.app.test_client())


def order(pair: Pair, **more: Any) -> dict[str, Any]:
    """Fill in an order as the page asks for it."""
    usual = {
        "domain": pair.domain,
        "asset_code": "USDC",
        "amount": "100",
        "source": "house",
        "sender_name": ["first_name", ""],
        "sender_value": ["Ada", ""],
        "receiver_name": ["first_name", "bank_account_number", "last_name"],
        "receiver_value": ["Grace", ACCOUNT, ""],
    }
    return usual | more


def reviewed(console: Console, pair: Pair, **more: Any) -> dict[str, Any]:
    """Review an order; return the form with which it is sent."""
    console.get("/remittances/new")
    page = console.send("/remittances/new", **order(pair, **more))
    assert page.status_code == 200, page.text
    return order(pair, **more) | {"key": console.hidden("key")}


# -- who is in --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_whoever_has_not_signed_in_is_led_to_where_one_does(world: World, path: str) -> None:
    client = world.app.test_client()
    for cookie in (None, "x", TOKENS["ada"]):
        if cookie:
            client.set_cookie(COOKIE, cookie)
        answer = client.get(f"/console{path}", headers=bearing())
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"/console/sign-in?to=/console{path}"


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_somebody_who_has_not_signed_in_is_refused(world: World, path: str) -> None:
    answer = world.app.test_client().post(f"/console{path}", data={"form_token": "x"})
    assert answer.status_code == 401
    assert "Your token" in answer.text


def test_promise_13_a_session_is_of_the_console_and_its_browser_alone(console: Console) -> None:
    page = console.sign_in().page
    cookie = page.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1800"):
        assert part in cookie
    assert "Secure" not in cookie, "in development mode it is served without TLS"
    assert TOKENS["ada"] not in cookie
    session = console.client.get_cookie(COOKIE).value
    as_bearer = {"Authorization": f"Bearer {session}"}
    other = console.client.application.test_client()
    assert other.get("/admin/callbacks", headers=as_bearer).status_code == 401
    assert other.get("/sep24/transactions?asset_code=USDC", headers=as_bearer).status_code == 403
    found = console.get("/remittances")
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in found.headers["Content-Security-Policy"]
    assert "script-src 'self'" in found.headers["Content-Security-Policy"]


def test_over_tls_no_other_host_can_set_the_cookie(world: World) -> None:
    app = create_app(replace(world.settings, public_url="https://anchor.example"))
    answer = app.test_client().post("/console/sign-in", data={"token": TOKENS["ada"]})
    assert answer.headers["Set-Cookie"].startswith(f"__Host-{COOKIE}=")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "Domain" not in answer.headers["Set-Cookie"]
    dispose(app)


@pytest.mark.parametrize("kind", ["sep24", "page", "unsigned"])
def test_a_token_of_another_kind_is_no_session(world: World, kind: str) -> None:
    client = world.app.test_client()
    if kind == "sep24":
        token = world.log_in(client)["Authorization"].removeprefix("Bearer ")
    elif kind == "page":
        token = web_auth.encode(logins.policy(), "page:interactive", 60, {"sub": "ada"})
    else:
        session = web_auth.begin_session(OPERATORS["ada"])
        other = replace(logins.policy(), jwt_secret="another secret of more than 32 bytes")
        token = web_auth.issue_session(other, session)
    client.set_cookie(COOKIE, token)
    assert client.get("/console/remittances").status_code == 303


@pytest.mark.parametrize("token", ["", "x", "é" * 50, "x" * 10_000])
def test_a_token_that_is_nobodys_signs_nobody_in(console: Console, token: str) -> None:
    answer = console.client.post("/console/sign-in", data={"token": token})
    assert answer.status_code == 401
    assert "This is not the token of an operator." in answer.text
    assert "Set-Cookie" not in answer.headers


def test_whoever_has_to_sign_in_is_led_back_to_what_they_asked_for(console: Console) -> None:
    asked = console.client.get("/console/acts/close?case=12")
    to = parse_qs(urlsplit(asked.headers["Location"]).query)["to"]
    assert to == ["/console/acts/close?case=12"]


@pytest.mark.parametrize(
    ("to", "there"),
    [
        ("/console/callbacks", "/console/callbacks"),
        ("/console/acts/refund?case=12&x=%C3%A9", "/console/acts/refund?case=12&x=%C3%A9"),
        ("/console?to=//evil.example", "/console"),
        ("/console?a=1\r\nSet-Cookie: x=y", "/console"),
        ("https://evil.example", "/console"),
        ("//evil.example", "/console"),
        ("/console/../sep24", "/console"),
        ("/console\\evil", "/console"),
        ("", "/console"),
    ],
)
def test_after_signing_in_one_is_led_on_and_never_away(
    console: Console, to: str, there: str
) -> None:
    data = {"token": TOKENS["ada"], "to": to}
    answer = console.client.post("/console/sign-in", data=data)
    assert (answer.status_code, answer.headers["Location"]) == (303, there)


def test_signing_out_ends_the_session_in_each_browser_that_has_it(console: Console) -> None:
    console.sign_in().get("/remittances")
    copied = console.client.get_cookie(COOKIE).value
    answer = console.send("/sign-out")
    assert answer.headers["Location"] == "/console/sign-in"
    assert console.client.get_cookie(COOKIE) is None
    assert console.get("/remittances").status_code == 303
    console.client.set_cookie(COOKIE, copied)
    assert console.get("/remittances").status_code == 303
    assert console.sign_in().get("/remittances").status_code == 200


def test_who_looks_only_may_sign_out(console: Console) -> None:
    console.sign_in("vera").get("/remittances")
    assert console.send("/sign-out").status_code == 303


@pytest.mark.parametrize("change", ["removed", "another token", "to view"])
def test_a_session_ends_with_its_operator_or_their_token(
    world: World, console: Console, change: str
) -> None:
    console.sign_in()
    ada = OPERATORS["ada"]
    operators = {
        "removed": {"vera": OPERATORS["vera"]},
        "another token": {"ada": replace(ada, token_hash=web_auth.hash_of("another"))},
        "to view": {"ada": replace(ada, role=Role.VIEW)},
    }[change]
    app = create_app(replace(world.settings, operators=operators))
    later = Console(app.test_client())
    later.client.set_cookie(COOKIE, console.client.get_cookie(COOKIE).value)
    if change == "to view":
        assert "New remittance" not in later.get("/remittances").text
        assert later.get("/remittances/new").status_code == 403
    else:
        assert later.get("/remittances").status_code == 303
    dispose(app)


def test_a_session_lasts_with_its_pages_but_not_for_ever(
    world: World, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.sign_in()
    first = console.client.get_cookie(COOKIE).value
    console.get("/remittances")
    assert console.client.get_cookie(COOKIE).max_age == 1800
    began = utcnow() - timedelta(seconds=web_auth.LONGEST_S - 60)
    old = replace(web_auth.read_session(logins.policy(), first), began_at=began)
    console.client.set_cookie(COOKIE, web_auth.issue_session(logins.policy(), old))
    assert console.get("/remittances").status_code == 200
    over = replace(old, began_at=began - timedelta(seconds=120))
    console.client.set_cookie(COOKIE, web_auth.issue_session(logins.policy(), over))
    assert console.get("/remittances").status_code == 303


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_of_a_page_of_this_very_session(console: Console, path: str) -> None:
    theirs = Console(console.client.application.test_client()).sign_in()
    theirs.get("/remittances")
    console.sign_in().get("/remittances")
    for token in ("", "x", "é", theirs.hidden("form_token")):
        answer = console.client.post(f"/console{path}", data={"form_token": token})
        assert answer.status_code == 403
        assert "This form is not from a page that is open here" in answer.text
    assert console.get("/remittances").status_code == 200


def test_no_other_site_signs_anybody_in_or_sends_a_form(console: Console) -> None:
    there = {"Sec-Fetch-Site": "cross-site"}
    data = {"token": TOKENS["ada"]}
    assert console.client.post("/console/sign-in", data=data, headers=there).status_code == 403
    console.sign_in().get("/callbacks")
    data = {"form_token": console.hidden("form_token"), "since": "2026-01-01"}
    answer = console.client.post("/console/callbacks/replay", data=data, headers=there)
    assert answer.status_code == 403
    assert acts() == []


@pytest.mark.parametrize("path", [path for path in FORMS if path != "/sign-out"])
def test_who_may_only_look_sees_no_buttons_and_sends_nothing(console: Console, path: str) -> None:
    console.sign_in("vera")
    for page in ("/remittances", "/callbacks"):
        text = console.get(page).text
        assert "looks only" in text
        assert 'action="/console/callbacks/replay"' not in text
        assert "/remittances/new" not in text
    answer = console.send(path)
    assert (answer.status_code, "Your role is to look" in answer.text) == (403, True)
    assert console.get("/remittances/new").status_code == 403


@pytest.fixture
def limited(world: World) -> Iterator[Any]:
    policy = LimitPolicy(0, 100, 100, 100, 100, 3, 100)
    app = create_app(replace(world.settings, limits=policy, broker_url=None))
    yield app.test_client()
    dispose(app)


def test_tokens_cannot_be_tried_one_after_the_other(limited: Any) -> None:
    for _ in range(3):
        assert limited.post("/console/sign-in", data={"token": "x"}).status_code == 401
    late = limited.post("/console/sign-in", data={"token": TOKENS["ada"]})
    assert (late.status_code, late.mimetype) == (429, "text/html")
    assert int(late.headers["Retry-After"]) > 0


# -- what is done -----------------------------------------------------------------------------


def test_money_is_sent_after_a_review_and_once_however_often_it_is_sent(pair: Pair) -> None:
    console = Console(pair.ours.app.test_client()).sign_in()
    form = reviewed(console, pair, note="invoice 17")
    assert "Is everything right?" in console.page.text
    assert (begun(), acts()) == (0, [])
    token, session = console.hidden("form_token"), console.client.get_cookie(COOKIE).value

    def send(_: int) -> str:
        client = pair.ours.app.test_client()
        client.set_cookie(COOKIE, session)
        answer = client.post("/console/remittances", data=form | {"form_token": token})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    with ThreadPoolExecutor(4) as pool:
        [place] = set(pool.map(send, range(4)))
    assert send(0) == place, "loaded anew, or sent again by going back"
    assert begun() == 1
    assert acts() == [("send", "ada", "invoice 17")]
    found = console.get(place.removeprefix("/console")).text
    assert "100.00 USDC to" in found
    assert "bank_account_number" in found
    assert ACCOUNT not in found


def test_another_review_is_another_order(pair: Pair) -> None:
    console = Console(pair.ours.app.test_client()).sign_in()
    for _ in range(2):
        assert console.send("/remittances", **reviewed(console, pair)).status_code == 303
    assert begun() == 2


def test_an_order_that_was_changed_after_its_review_needs_another(pair: Pair) -> None:
    console = Console(pair.ours.app.test_client()).sign_in()
    form = reviewed(console, pair)
    again = console.send("/remittances/new", **form, edit="all")
    assert 'value="Grace"' in again.text
    assert console.hidden("key") == form["key"]
    for key in ("", "order 17", "console \x00", "console " + "x" * 24):
        console.get("/remittances/new")
        assert console.send("/remittances", **form | {"key": key}).status_code == 400
    assert begun() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": ""}, "Missing data for required field."),
        ({"amount": "a lot"}, "An amount is written as a plain number with at most 7 decimals."),
        ({"amount": "5000", "source": "house"}, None),
        ({"domain": "evil.example"}, "is none of [receiving_anchors]"),
        ({"asset_code": "EURC"}, "EURC is not served here"),
        ({"source": "pigeon"}, "USDC is not paid for by pigeon"),
        ({"buy_asset": "iso4217:BRL"}, "A quote needs the least"),
        ({"sender_name": ["a", "a"], "sender_value": ["1", "2"]}, "each name once."),
        ({"sender_name": [""], "sender_value": ["1"]}, "Each detail has a name and a value"),
        ({"note": "x" * 501}, "Length must be between 1 and 500."),
        ({"sender_name": ["\x00"], "sender_value": ["1"]}, "must not have control characters"),
    ],
)
def test_an_order_that_is_not_right_is_shown_again_with_what_is_wrong(
    pair: Pair, change: dict[str, Any], said: str | None
) -> None:
    console = Console(pair.ours.app.test_client()).sign_in()
    console.get("/remittances/new")
    page = console.send("/remittances/new", **order(pair, **change))
    if said is None:  # the cap is held when it is begun
        page = console.send("/remittances", **order(pair, **change, key=console.hidden("key")))
        said = "No more than 1000 USDC may go to"
    assert page.status_code == 400
    assert said in page.text.replace("&#39;", "'")
    assert 'value="Grace"' in page.text
    assert begun() == 0


def test_rows_are_added_without_a_script(pair: Pair) -> None:
    console = Console(pair.ours.app.test_client()).sign_in()
    before = console.get("/remittances/new").text.count('name="sender_name"')
    filled = {"sender_name": ["a", "b", "c", "d"], "sender_value": ["1", "2", "3", "4"]}
    page = console.send("/remittances/new", **order(pair, **filled), edit="rows")
    assert page.text.count('name="sender_name"') > before


def test_an_anchor_that_is_down_is_named(pair: Pair) -> None:
    console = Console(pair.ours.app.test_client()).sign_in()
    console.get("/remittances/new")
    pair.mask.is_down = True
    page = console.send("/remittances/new", **order(pair))
    assert page.status_code == 503
    assert f"{pair.domain} answered 503 about its stellar.toml".capitalize() in page.text


def test_a_detail_that_is_not_typed_anew_is_kept(pair: Pair) -> None:
    row_id = pair.begin(rail="bank")
    console = Console(pair.ours.app.test_client()).sign_in()
    page = console.get(f"/remittances/{row_id}/amend")
    assert "Grace" not in page.text
    form = {
        "receiver_name": ["first_name", "bank_account_number", "last_name"],
        "receiver_value": ["Barbara", "", "Liskov"],
        "note": "a typing error",
    }
    for _ in range(2):
        console.get(f"/remittances/{row_id}/amend")
        assert console.send(f"/remittances/{row_id}/amend", **form).status_code == 303
    assert ("amend send", "ada", "a typing error") in acts()
    known = pair.details(row_id)
    assert known == {
        "receiver": {"first_name": "Barbara", "last_name": "Liskov", "bank_account_number": ACCOUNT}
    }, "who sends was taken out"


def test_a_name_without_a_value_that_is_not_known_is_no_amendment(pair: Pair) -> None:
    row_id = pair.begin(rail="bank")
    console = Console(pair.ours.app.test_client()).sign_in()
    console.get(f"/remittances/{row_id}/amend")
    form = {"sender_name": ["birth_date"], "sender_value": [""]}
    page = console.send(f"/remittances/{row_id}/amend", **form)
    assert (page.status_code, "Each detail has a name and a value" in page.text) == (400, True)


def test_what_cannot_be_amended_any_more_leads_back(pair: Pair) -> None:
    row_id = pair.paid()
    console = Console(pair.ours.app.test_client()).sign_in()
    assert "Amend the parties" not in console.get(f"/remittances/{row_id}").text
    assert console.get(f"/remittances/{row_id}/amend").status_code == 303
    console.get("/remittances")
    form = {"sender_name": ["a"], "sender_value": ["1"]}
    page = console.send(f"/remittances/{row_id}/amend", **form)
    assert (page.status_code, "nothing of it can be changed now" in page.text) == (400, True)


def test_what_is_not_there_is_said_on_a_page(console: Console) -> None:
    console.sign_in()
    for path in ("/remittances/none", "/remittances/%00", "/remittances/none/amend"):
        page = console.get(path)
        assert (page.status_code, "Not found" in page.text) == (404, True)
    for path in ("/remittances?limit=x", "/callbacks?after=x", "/callbacks?due=-1"):
        assert console.get(path).status_code == 303
    assert console.get("/nothing").status_code == 404


def test_the_stellar_transaction_of_a_remittance_leads_to_an_explorer(pair: Pair) -> None:
    row_id = pair.paid("999.5")
    house = pair.ours.app.extensions["anchor"]
    named = PagesPolicy(explorer_url="https://explorer.example/tx/{hash}")
    pair.ours.app.extensions["anchor"] = replace(
        house, settings=replace(house.settings, pages=named)
    )
    page = Console(pair.ours.app.test_client()).sign_in().get(f"/remittances/{row_id}")
    found = pair.ours.row(row_id).stellar_transaction_id
    assert f'<a href="https://explorer.example/tx/{found}" target="_blank" rel=' in page.text
    assert "999.50 USDC to" in page.text


def test_what_others_wrote_is_shown_as_it_is_and_runs_nowhere(pair: Pair) -> None:
    row_id = pair.begin(rail="bank")
    pair.remark(row_id, "<script>alert(1)</script>")
    console = Console(pair.ours.app.test_client()).sign_in()
    text = console.get(f"/remittances/{row_id}").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_callbacks_are_told_again_one_of_a_transaction_or_since(
    world: World, console: Console
) -> None:
    with listening(DOWN) as wallet:
        row_id = told_to(world, wallet)
        paid(world, row_id)
        deliver()
        page = console.sign_in().get("/callbacks")
        assert "503" in page.text
        assert "secret" not in page.text
        ways = (
            {"id": console.hidden("id")},
            {"transaction_id": row_id},
            {"since": "2020-01-01T00:00"},
        )
        for way in ways:
            console.get("/callbacks")
            answer = console.send("/callbacks/replay", **way)
            assert answer.headers["Location"] == "/console/callbacks?due=1&anew=0&gone=0"
        assert "Tried again: 1. Told anew: 0." in console.get("/callbacks?due=1&anew=0&gone=0").text
    assert [who for _, who, _ in acts()] == ["ada"] * 3


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({}, 400, "one of them"),
        ({"transaction_id": "none"}, 404, "Nobody was to be told of this transaction."),
        ({"since": "yesterday"}, 400, "must be a date and time"),
        ({"id": "x"}, 400, "must be the number of a row"),
        ({"id": "987654321"}, 404, "There is no such callback."),
    ],
)
def test_what_cannot_be_told_again_is_said(
    console: Console, form: dict[str, str], status: int, said: str
) -> None:
    console.sign_in().get("/callbacks")
    page = console.send("/callbacks/replay", **form)
    assert (page.status_code, said in page.text) == (status, True)
    assert acts() == []

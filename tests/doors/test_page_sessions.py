"""A link opens a page once; after that a browser has a session, as narrow as the link was."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from anchor import create_app, web_auth
from anchor.services import logins
from anchor.web_auth import PageSession
from tests.visiting import HOST, Visitor
from tests.world import World, dispose

PATHS = ("/customer", "/account", "/review", "/status", "/state", "/price?amount=10", "")


@pytest.fixture
def client(world: World) -> Any:
    world.fund()
    return world.app.test_client()


def opened(world: World, way: str = "withdraw", **body: Any) -> Any:
    """Open a transaction as a wallet does, in no browser."""
    wallet = world.app.test_client()
    answer = wallet.post(
        f"/sep24/transactions/{way}/interactive",
        json={"asset_code": "USDC"} | body,
        headers=world.log_in(wallet),
    )
    assert answer.status_code == 200, answer.text
    return answer.json


def place_of(one: Any) -> str:
    return str(one["url"].removeprefix(HOST).partition("?")[0])


def more_info(world: World, row_id: str) -> str:
    wallet = world.app.test_client()
    found = wallet.get(f"/sep24/transaction?id={row_id}", headers=world.log_in(wallet))
    assert found.json is not None
    return str(found.json["transaction"]["more_info_url"]).removeprefix(HOST)


@pytest.mark.conforms("SEP24-05", "SEP24-26")
def test_a_link_opens_once_and_its_token_leaves_the_address(world: World, client: Any) -> None:
    one = opened(world)
    assert one["id"] in one["url"]
    first = client.get(one["url"].removeprefix(HOST))
    assert (first.status_code, first.headers["Location"]) == (303, place_of(one))
    assert client.get(first.headers["Location"]).status_code == 200
    other_browser = world.app.test_client()
    again = other_browser.get(one["url"].removeprefix(HOST))
    assert again.status_code == 403
    assert "This link was opened before. Go back to your wallet" in again.text
    assert "Set-Cookie" not in again.headers
    same_browser = client.get(one["url"].removeprefix(HOST))
    assert same_browser.status_code == 303


@pytest.mark.conforms("SEP24-05")
def test_a_link_is_short_lived(world: World, client: Any) -> None:
    one = opened(world)
    late = replace(logins.policy(), link_s=-60)
    token = web_auth.issue_link(late, "interactive", one["id"], is_once=True)
    answer = client.get(place_of(one), query_string={"token": token})
    assert answer.status_code == 403
    assert "The token has expired." in answer.text
    assert logins.policy().link_s <= timedelta(hours=1).total_seconds()


def test_whoever_only_looks_whether_a_link_is_there_does_not_open_it(
    world: World, client: Any
) -> None:
    one = opened(world)
    assert client.head(one["url"].removeprefix(HOST)).status_code == 200
    assert Visitor(client, one["url"]).page.status_code == 200


@pytest.mark.conforms("SEP24-09", "GEN-25")
def test_promise_13_a_session_is_for_one_transaction(world: World, client: Any) -> None:
    mine, other = opened(world), opened(world)
    visitor = Visitor(client, mine["url"])
    [cookie] = client._cookies.values()
    assert cookie.path == place_of(mine)
    form = visitor.form.values
    for path in PATHS:
        where = place_of(other) + path
        client.set_cookie(cookie.key, cookie.value, path=place_of(other))
        assert client.get(where).status_code == 403, where
        assert client.post(where, data=form).status_code in {403, 405}, where
    assert client.get(place_of(mine)).status_code == 200
    assert world.status(other["id"]) == "incomplete"
    token = cookie.value
    for header in (f"Bearer {token}",):
        found = client.get(f"/sep24/transaction?id={mine['id']}", headers={"Authorization": header})
        assert found.status_code == 403


@pytest.mark.conforms("SEP24-09")
def test_the_session_of_the_page_that_shows_is_none_of_the_page_that_asks(
    world: World, client: Any
) -> None:
    one = opened(world)
    look = more_info(world, one["id"])
    assert client.get(look).status_code == 200
    [cookie] = client._cookies.values()
    client.set_cookie(cookie.key, cookie.value, path=place_of(one))
    for path in PATHS:
        assert client.get(place_of(one) + path).status_code == 403
    assert client.get(look.partition("?")[0]).status_code == 200


@pytest.mark.conforms("SEP24-08")
def test_a_form_needs_the_token_of_its_own_session(world: World, client: Any) -> None:
    one, other = opened(world), opened(world)
    visitor, second = Visitor(client, one["url"]), Visitor(client, other["url"])
    good, foreign = visitor.form.values["form_token"], second.form.values["form_token"]
    for token in ("", "x", "ä", foreign, good[:-1], good + "0"):
        for path in ("", "/customer", "/account", "/review"):
            answer = client.post(place_of(one) + path, data={"form_token": token, "amount": "10"})
            assert answer.status_code == 403, (token, path)
            assert answer.mimetype == "text/html"
    assert world.row(one["id"]).amount_expected is None
    assert client.post(place_of(one), data={"form_token": good, "amount": "10"}).status_code == 303


@pytest.mark.conforms("SEP24-08", "SEP24-48")
def test_pages_keep_to_themselves_and_may_be_framed(world: World, client: Any) -> None:
    one = opened(world)
    visitor = Visitor(client, one["url"])
    pages = [visitor.page, client.get(more_info(world, one["id"]))]
    pages.append(visitor.fill_in(amount="100", bank_account_number="DE8937040044"))
    pages.append(client.get("/interactive/withdraw/none"))
    for page in pages:
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors" not in policy
        assert "X-Frame-Options" not in page.headers
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page.text)
        assert loaded
        assert all(each.startswith("/static/") for each in loaded), loaded
        assert not re.search(r"<script(?![^>]+src=)|<style| style=|<[^>]+ on[a-z]+=", page.text)
    for path in ("/docs", "/health", "/sep24/info"):
        assert client.get(path).headers["X-Frame-Options"] == "DENY"


@pytest.fixture
def public(world: World) -> Iterator[World]:
    """The same anchor behind https."""
    app = create_app(replace(world.settings, public_url="https://anchor.example/pay"))
    with app.app_context():
        yield replace(world, app=app)
    dispose(app)


@pytest.mark.conforms("SEP24-08")
def test_the_cookie_is_secure_and_goes_along_into_a_frame(public: World) -> None:
    one = opened(public)
    url = one["url"].removeprefix("https://anchor.example/pay")
    answer = public.app.test_client().get(url)
    assert answer.status_code == 303
    cookie = answer.headers["Set-Cookie"]
    words = set(cookie.split("; "))
    assert {"HttpOnly", "Secure", "SameSite=None", "Partitioned"} <= words
    assert f"Path=/pay/interactive/withdraw/{one['id']}" in words
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "wrong", ["", "x", "a.b.c", "é", "x" * 3000], ids=["empty", "x", "dots", "é", "long"]
)
def test_a_cookie_that_is_none_of_ours_opens_nothing(world: World, client: Any, wrong: str) -> None:
    place = place_of(opened(world))
    client.set_cookie("anchor_page", wrong, path=place)
    answer = client.get(place)
    assert answer.status_code == 403
    assert "not open in this browser" in answer.text


def test_sessions_end(world: World, client: Any) -> None:
    one = opened(world)
    policy = replace(logins.policy(), page_s=-60)
    text = web_auth.issue_page_session(policy, PageSession(one["id"], "interactive"))
    client.set_cookie("anchor_page", text, path=place_of(one))
    assert client.get(place_of(one)).status_code == 403
    link = web_auth.issue_link(logins.policy(), "interactive", one["id"])
    client.set_cookie("anchor_page", link, path=place_of(one))
    assert client.get(place_of(one)).status_code == 403

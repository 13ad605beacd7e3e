"""Operators work in the console: in a desktop's and in a phone's size, and by keyboard alone."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from anchor.extensions import db, transaction
from anchor.models import Remittance
from tests.operating import TOKENS
from tests.pages.conftest import SIZES, Desk, Site
from tests.pages.tabs import Tab
from tests.remitting import Pair
from tests.test_expiry import sql
from tests.world import ACCOUNT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PARTIES = {"sender": ["Ada", "Lovelace"], "receiver": ["Grace", "Hopper", ACCOUNT]}


def sign_in(one: Tab, desk: Desk | Site, name: str = "ada") -> None:
    one.page.goto(f"{desk.url}/console/remittances")
    one.page.fill("#token", TOKENS[name])
    one.go_on()
    one.at("console/remittances")


def fill_in(page: Any) -> None:
    page.fill("#amount", "100")
    page.select_option("#source", "house")
    for part, values in PARTIES.items():
        for index, value in enumerate(values):
            page.locator(f"[name={part}_value]").nth(index).fill(value)
    page.fill("#note", "Invoice 2026-117")


def owed(pair: Pair) -> None:
    """Two callbacks that wait, one of them given up, and one that was delivered."""
    for _ in range(3):
        sql(
            "INSERT INTO callbacks (subject, host, url, body) VALUES "
            f"('withdrawal/{pair.ours.withdrawal()}', 'wallet.example', 'https://wallet.example', "
            "'{}')"
        )
    sql(
        "INSERT INTO jobs (kind, subject_id, lane, token, attempts, again, last_error, parked_at)"
        "SELECT 'callback', subject || ' ' || host, 'callback', 0, 7, false,"
        "'wallet.example answered 503', now() FROM callbacks WHERE id = 1"
    )
    sql("UPDATE callbacks SET delivered_at = now() WHERE id = 3")


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_sends_money_and_sees_how_it_goes(
    desk: Desk, tab: Callable[..., Tab], size: str
) -> None:
    pair = desk.pair
    one = tab("console", size, color_scheme="dark" if size == "phone" else "light")
    page = one.page
    page.goto(f"{desk.url}/console")
    one.look("sign-in")
    page.fill("#token", "anchor-operator-of-nobody")
    one.go_on()
    page.wait_for_selector("[role=alert]")
    one.troubles.clear()  # the browser tells of the 401
    one.look("sign-in-refused")
    sign_in(one, desk)
    one.look("nothing-sent")
    page.click("text=New remittance")
    one.at("new")
    one.look("order")
    page.fill("#amount", "a lot")
    page.click("button:text-is('Review')")
    page.wait_for_selector(".field.bad")
    one.look("order-refused")
    fill_in(page)
    page.click("button:text-is('Review')")
    page.wait_for_selector(".decide")
    one.look("review")
    page.dblclick("button:text-is('Send 100.00 USDC')")
    page.wait_for_selector(".trail")
    one.look("begun")
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(Remittance)) == 1
    found = page.url.rpartition("/")[2]
    pair.until(found, "pending_external")
    pair.deliver()
    pair.until(found, "completed")
    page.reload()
    one.look("completed")
    pair.mask.is_down = True
    page.goto(page.url.replace(found, pair.begin("250.75")))
    pair.work()
    page.reload()
    page.wait_for_selector(".said:has-text('answered 503')")
    one.look("in-trouble")


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_looks_at_all_amends_and_has_wallets_told_again(
    desk: Desk, tab: Callable[..., Tab], size: str
) -> None:
    one, pair = tab("console-all", size), desk.pair
    page = one.page
    pair.paid("12.5")
    pair.begin("250", rail="bank")
    owed(pair)
    sign_in(one, desk)
    one.look("remittances")
    page.select_option("#status", "completed")
    page.click("button:text-is('Show')")
    page.wait_for_selector(".nothing")
    one.look("none-fits")
    page.click("nav >> text=Remittances")
    page.click("tr:has-text('Waits for its money') a")
    page.click("text=Amend the parties")
    one.look("amend")
    page.locator("[name=receiver_value]").first.fill("Barbara")
    page.click("button:text-is('Amend')")
    page.wait_for_selector("text=Parties amended")
    one.look("amended")
    page.click("nav >> text=Callbacks")
    one.look("callbacks")
    page.click("tr:has-text('Given up') button")
    page.wait_for_selector("[role=status]")
    one.look("told-again")
    page.click("text=Delivered")
    page.wait_for_selector("text=Tell anew")
    one.look("delivered")
    page.click("text=Sign out")
    one.at("sign-in")


@pytest.mark.parametrize("size", SIZES)
def test_who_looks_only_is_shown_no_buttons(desk: Desk, tab: Callable[..., Tab], size: str) -> None:
    one = tab("console-view", size)
    page = one.page
    desk.pair.begin("250", rail="bank")
    owed(desk.pair)
    sign_in(one, desk, "vera")
    for section in ("Remittances", "Callbacks"):
        page.click(f"nav >> text={section}")
        one.look(section.lower())
        assert page.locator("main form[method=post]").count() == 0
    page.goto(f"{desk.url}/console/remittances/new")
    one.troubles.clear()  # the browser tells of the 403
    one.look("refused")


def test_the_keyboard_alone_does_it(desk: Desk, tab: Callable[..., Tab]) -> None:
    one = tab("console-keyboard", "desktop")
    page, keys = one.page, one.page.keyboard

    page.goto(f"{desk.url}/console")
    keys.type(TOKENS["ada"])  # the field has the focus
    keys.press("Enter")
    one.at("console/overview")
    keys.press("Tab")
    keys.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main", "what all pages have is skipped"
    page.reload()
    one.tab_to("nav a[href='/console/remittances']")
    keys.press("Enter")
    one.at("console/remittances")
    one.tab_to("a.go")
    keys.press("Enter")
    one.at("new")
    one.tab_to("#amount")
    keys.type("100")
    one.tab_to("#source")
    keys.type("The house")
    for part, values in PARTIES.items():
        for value in values:
            one.tab_to(f"[name={part}_value]")
            keys.type(value)
    keys.press("Enter")
    page.wait_for_selector(".decide")
    one.tab_to(".decide .go")
    keys.press("Enter")
    page.wait_for_selector(".trail")
    assert page.text_content(".tag") == "Being agreed on"
    one.tab_to(".copy")
    keys.press("Enter")
    page.wait_for_selector("text=Copied")

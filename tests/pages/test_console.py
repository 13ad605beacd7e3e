"""Operators work in the console: in a desktop's and in a phone's size, and by keyboard alone."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.operating import TOKENS
from tests.pages.conftest import SIZES, Desk
from tests.pages.tabs import Tab
from tests.test_expiry import sql
from tests.world import ACCOUNT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def sign_in(one: Tab, desk: Desk, name: str = "ada") -> None:
    one.page.goto(f"{desk.url}/console")
    one.page.set_default_timeout(8000)
    one.page.fill("#token", TOKENS[name])
    one.go_on()
    one.at("console/remittances")


def fill_in(page: Any) -> None:
    for part, values in {
        "sender": ["Ada", "Lovelace"],
        "receiver": ["Grace", "Hopper", ACCOUNT],
    }.items():
        for index, value in enumerate(values):
            page.locator(f"[name={part}_value]").nth(index).fill(value)


def callbacks_owed(pair: Any) -> None:
    """Two callbacks that wait, one of them given up, and one that was delivered."""
    with pair.ours.app.app_context():
        for row_id in (pair.ours.withdrawal(), pair.ours.withdrawal(), pair.ours.withdrawal()):
            sql(
                "INSERT INTO callbacks (subject, host, url, body) VALUES "
                f"('withdrawal/{row_id}', 'wallet.example', 'https://wallet.example/told', '{{}}')"
            )
        sql(
            "INSERT INTO jobs (kind, subject_id, lane, token, attempts, again,"
            " last_error, parked_at) SELECT 'callback', subject || ' ' || host, 'callback wallet.example',"
            " 0, 7, false, 'wallet.example answered 503', now() FROM callbacks WHERE id = 1"
        )
        sql("UPDATE callbacks SET delivered_at = now() WHERE id = 3")


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_sends_money_and_has_wallets_told_again(
    desk: Desk, tab: Callable[..., Tab], size: str
) -> None:
    one, pair = tab("console", size, color_scheme="dark" if size == "phone" else "light"), desk.pair
    page = one.page
    page.goto(f"{desk.url}/console")
    one.look("sign-in")
    page.fill("#token", "anchor-operator-of-nobody")
    one.go_on()
    page.wait_for_selector("[role=alert]")
    one.troubles.clear()  # the console of the browser tells of the 401
    one.look("sign-in-refused")
    sign_in(one, desk)
    one.look("nothing-sent")
    pair.begin("12.5")
    pair.begin("3", rail="bank")
    page.click("text=New remittance")
    one.at("new")
    one.look("order")
    page.fill("#amount", "a lot")
    page.click("button:text-is('Review')")
    page.wait_for_selector(".field.bad")
    one.look("order-refused")
    page.fill("#amount", "100")
    page.select_option("#source", "house")
    fill_in(page)
    page.fill("#note", "Invoice 2026-117")
    page.click("button:text-is('Review')")
    page.wait_for_selector(".decide")
    one.look("review")
    page.click(".decide .go >> nth=0")
    page.wait_for_selector(".trail")
    one.look("begun")
    found = page.url.rsplit("/", 1)[1]
    pair.until(found, "pending_external")
    pair.deliver()
    pair.until(found, "completed")
    page.reload()
    one.look("completed")
    pair.mask.is_down = True
    page.goto(page.url.replace(found, pair.begin("250.75")))
    pair.work()
    page.reload()
    one.look("in-trouble")
    pair.mask.is_down = False
    page.click("nav >> text=Remittances")
    one.at("console/remittances")
    one.look("remittances")
    page.click("tr:has-text('Waits for its money') a")
    page.click("text=Amend the parties")
    one.look("amend")
    page.locator("[name=receiver_value]").first.fill("Barbara")
    page.click("main .go")
    page.wait_for_selector("text=Parties amended")
    one.look("amended")
    callbacks_owed(pair)
    page.click("nav >> text=Callbacks")
    one.look("callbacks")
    page.click("tr:has-text('Given up') button")
    page.wait_for_selector("[role=status]")
    one.look("told-again")
    page.click("text=Delivered")
    one.look("delivered")

"""Operators look for transactions and money: on a desktop, on a phone, and by keyboard."""

from collections.abc import Callable

import pytest

from anchor.integrations.protocols import Done, RailTraits, Refused
from anchor.services import desk as services
from anchor.services.desk import By
from anchor.services.receipts import observe
from tests.operating import TOKENS
from tests.pages.conftest import SIZES, Desk
from tests.pages.tabs import Tab
from tests.puppets import puppet
from tests.receiving import booked, deposit
from tests.test_expiry import sql
from tests.test_refunds import give_back
from tests.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BY = By("ann", "The customer's bank asked us to wait until the account was looked at")


def busy(world: World) -> str:
    """Fill an anchor with what a day brings; return the id of a withdrawal that had much of it."""
    steps = ["take and fall over", Refused("the account is closed"), Done(reference="T-20261130-5")]
    puppet(world, RailTraits(), script=steps)
    for amount in ("1250", "12.34567", "80"):
        world.paid_withdrawal(amount)
        world.work()
    world.withdrawal("40")
    held = world.paid_withdrawal("5000")
    world.pay("5", world.memo(held))
    world.pay("7", "text:who is this for, please?")
    world.read()
    services.hold(held, BY)
    give_back(held, "1200.5")
    deposit(world)
    observe("bank", [booked(), booked("B-2026-11-30-0002", "3", reference="for my holidays")])
    sql(
        "UPDATE jobs SET attempts = 7, parked_at = now(),"
        f" last_error = 'the bank answered 503 Service Unavailable' WHERE subject_id = '{held}'"
    )
    return held


def sign_in(one: Tab, desk: Desk, path: str, name: str = "ada") -> None:
    one.page.goto(f"{desk.url}/console/{path}")
    one.page.fill("#token", TOKENS[name])
    one.go_on()
    one.at(f"console/{path}")


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_finds_a_transaction_and_all_its_money(
    desk: Desk, tab: Callable[..., Tab], size: str
) -> None:
    one = tab("console-money", size, color_scheme="dark" if size == "phone" else "light")
    page, world = one.page, desk.pair.ours
    sign_in(one, desk, "transactions")
    one.look("no-transactions")
    held = busy(world)
    page.reload()
    one.look("transactions")
    page.fill("#q", "nobody's")
    page.click("button:text-is('Show')")
    page.wait_for_selector(".nothing")
    one.look("none-fits")
    page.fill("#q", world.memo(held))
    page.click("button:text-is('Show')")
    page.click(".found a")
    page.wait_for_selector(".trail")
    one.look("held")
    page.goto(f"{desk.url}/console/money")
    one.look("came-on-the-ledger")
    page.click("text=Came at banks")
    one.look("came-at-banks")
    page.click(".tabs >> text=Left")
    one.look("left")
    page.select_option("#state", "unknown")
    page.click("button:text-is('Show')")
    page.click("tr:has-text('Unknown') .id a")
    page.wait_for_selector(".trail")
    one.look("unknown")
    page.goto(f"{desk.url}/console/money?after=x")
    page.wait_for_selector("[role=alert]")
    one.look("refused")


def test_the_keyboard_alone_finds_it(desk: Desk, tab: Callable[..., Tab]) -> None:
    one = tab("console-money-keyboard", "desktop")
    page, keys = one.page, one.page.keyboard
    row_id = desk.pair.ours.paid_withdrawal()
    sign_in(one, desk, "transactions", "vera")
    one.tab_to("#q")
    keys.type(row_id)
    keys.press("Enter")
    page.wait_for_selector(".found")
    one.tab_to(".found a")
    keys.press("Enter")
    page.wait_for_selector(".trail")
    one.tab_to(".copy")

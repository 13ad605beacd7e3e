"""Operators work at the desk in the console: at both sizes, in the dark, and by keyboard alone."""

from collections.abc import Callable

import pytest

from anchor.integrations.protocols import RailTraits
from anchor.serializers.console_desk import ACTS
from anchor.services import desk as desk_services
from tests.operating import TOKENS
from tests.pages.conftest import SIZES, Desk
from tests.pages.tabs import Tab
from tests.puppets import puppet
from tests.test_acts import kept, unmatched
from tests.test_refunds import again
from tests.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def sign_in(one: Tab, desk: Desk, name: str = "ada") -> None:
    one.page.goto(f"{desk.url}/console/cases")
    one.page.fill("#token", TOKENS[name])
    one.go_on()
    one.at("console/cases")


def in_trouble(world: World) -> str:
    """A withdrawal whose outcome nobody knows; return its id."""
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        again()
        world.work()
    return row_id


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_answers_cases(desk: Desk, tab: Callable[..., Tab], size: str) -> None:
    world = desk.pair.ours
    one = tab("desk", size, color_scheme="dark" if size == "phone" else "light")
    page = one.page
    sign_in(one, desk)
    one.look("nothing-waits")
    case_id, row_id = unmatched(world), world.withdrawal("25")
    in_trouble(world)
    short = world.withdrawal()
    world.pay("7.5", world.memo(short))
    world.read()
    page.reload()
    one.look("cases")
    page.click(f"td a:has-text('{case_id}')")
    page.wait_for_selector(".acts")
    one.look("case")

    page.click(".acts >> text=Credit")
    page.wait_for_selector("#to")
    one.look("credit")
    page.fill("#note", "The customer called")
    page.click("button:text-is('Review')")
    page.wait_for_selector(".field.bad")
    one.look("credit-of-nothing")
    page.fill("#to", row_id)
    page.click("button:text-is('Review')")
    page.wait_for_selector("button:text-is('Credit it')")
    one.look("credit-review")
    page.click("button:text-is('Change it')")
    page.wait_for_selector("#to")
    page.click("button:text-is('Review')")
    page.dblclick("button:text-is('Credit it')")
    page.wait_for_selector("[role=status]")
    one.look("credited")
    assert page.url.endswith(f"/cases/{case_id}"), "what was done is said once"
    assert [what for what, _ in kept()] == ["credit"]

    page.goto(f"{desk.url}/console/cases?reason=payment_too_small")
    page.click("td a")
    page.click(".acts >> text=Refund")
    page.fill("#amount", "100")
    page.click("button:text-is('Review')")
    page.wait_for_selector("[role=alert]")
    one.look("refund-of-too-much")
    page.fill("#amount", "")
    page.click("button:text-is('Review')")
    page.wait_for_selector("button:text-is('Refund it')")
    one.look("refund-review")
    page.click("button:text-is('Refund it')")
    page.wait_for_selector("[role=status]")
    one.look("sent-back")

    page.goto(f"{desk.url}/console/cases?reason=outcome_unknown")
    page.click("td a")
    page.wait_for_selector(".acts")
    one.look("unknown")
    page.click(".acts >> text=Settle")
    page.click("text=Paid: the money has left")
    page.click("button:text-is('Settle it')")
    page.wait_for_selector(".tick.bad")
    one.look("settle-unsure")
    page.check("[name=sure]")
    page.click("button:text-is('Settle it')")
    page.wait_for_selector("[role=status]")
    one.look("settled")
    page.goto(f"{desk.url}/console/cases?closed=true")
    one.look("all-cases")


@pytest.mark.parametrize("size", SIZES)
def test_who_looks_only_sees_cases_and_no_acts(
    desk: Desk, tab: Callable[..., Tab], size: str
) -> None:
    case_id = unmatched(desk.pair.ours)
    one = tab("desk-view", size)
    sign_in(one, desk, "vera")
    one.page.click(f"td a:has-text('{case_id}')")
    one.page.wait_for_selector("#means")
    one.look("case")
    assert one.page.locator("main form, main .acts").count() == 0


def test_a_case_is_closed_by_the_keyboard_alone(desk: Desk, tab: Callable[..., Tab]) -> None:
    case_id = unmatched(desk.pair.ours)
    one = tab("desk-keyboard", "desktop")
    page, keys = one.page, one.page.keyboard
    sign_in(one, desk)
    one.tab_to("td a")
    keys.press("Enter")
    one.at(f"console/cases/{case_id}")
    one.tab_to(".acts a[href*=close]")
    keys.press("Enter")
    page.wait_for_selector("#note")
    one.tab_to("#note")
    keys.type("Sent back from the treasury")
    one.tab_to("button.go")
    keys.press("Enter")
    page.wait_for_selector("[role=status]")
    assert desk_services.show(case_id).closed_at is not None


def test_each_act_fits_on_a_phone(desk: Desk, tab: Callable[..., Tab]) -> None:
    row_id = in_trouble(desk.pair.ours)
    one = tab("desk-acts", "phone")
    sign_in(one, desk)
    for act in ACTS:
        one.page.goto(f"{desk.url}/console/acts/{act}?transaction={row_id}")
        one.page.wait_for_selector("#note")
        one.look(act)

"""Operators look at how things stand, pause and resume, and see to the books and customers."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from anchor.extensions import transaction
from anchor.services import books, brakes, cases, customer_desk
from anchor.services.acts import By
from tests.knowing import NAMES, Kyc
from tests.pages.conftest import SIZES, Site
from tests.pages.tabs import Tab
from tests.pages.test_console import sign_in
from tests.test_expiry import sql

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
UNIT = 10_000_000
LONG = "The bank called at 9:40: a key may be stolen, nothing is to leave before Ann has looked."


def busy(site: Site) -> None:
    """Let much wait, and one account be stopped."""
    with transaction():
        for number in range(3):
            cases.open_case("payment_unmatched", f"payment 1/{number}/0")
        cases.open_case("outcome_unknown", "order 1", note="nobody knows")
        cases.open_case("books_differ", "paid x/2026-03-01", note="x says that 1 were paid out")
    sql("UPDATE cases SET opened_at = now() - id * interval '7 hours'")
    sql(
        "INSERT INTO jobs (kind, subject_id, lane, token, attempts, again, due_at, parked_at) "
        "SELECT kind, n, '', 0, 1, false, now() - interval '20 min', "
        "CASE WHEN n = 1 THEN now() END FROM generate_series(1, 5) n, "
        "unnest(ARRAY['pay_out', 'drive_submission', 'callback']) kind"
    )
    sql("UPDATE accounts SET stopped_reason = 'the network was reset: flask anchor adopt-network'")


def limited(site: Site) -> None:
    """Serve the asset with a cap that is used up, from two sources of the network."""
    house = site.world.app.extensions["anchor"]
    policy = replace(house.settings.assets["USDC"], outflow_cap=98 * UNIT)
    urls = (*house.settings.horizon_urls, "https://horizon.example")
    served = replace(house.settings, assets={"USDC": policy}, horizon_urls=urls)
    site.world.paid_withdrawal("100")
    site.world.work()
    site.world.app.extensions["anchor"] = replace(house, settings=served)


def customers(site: Site) -> str:
    """Let two customers be there: one waits, the other has to give more; return the first."""
    kyc = Kyc(site.world, site.world.app.test_client())
    found = kyc.registered(kyc.log_in(), type="sep24", **NAMES)
    other = kyc.registered(kyc.log_in(memo="77"), type="sep24", **NAMES)
    customer_desk.request(other, "sep24", ["first_name"], "Not as in the passport.", By("ann"))
    sql(f"UPDATE customer_standings SET stand = 'PROCESSING' WHERE customer_id = '{found}'")
    return found


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_sees_what_is_wrong_pauses_and_resumes(
    site: Site, tab: Callable[..., Tab], size: str
) -> None:
    one = tab("overview", size, color_scheme="dark" if size == "phone" else "light")
    page = one.page
    sign_in(one, site)
    page.click("nav >> text=Overview")
    one.look("calm")
    busy(site)
    limited(site)
    page.click("text=Look again")
    page.wait_for_selector("text=This is wrong")
    one.look("busy")
    page.click("text=Ask which sources")
    page.wait_for_selector("text=All are in use, or may be.")
    one.look("sources")
    page.click("summary >> text=Pause what leaves")
    page.select_option("#what", "all:")
    page.fill("#note", LONG)
    one.look("pausing")
    page.click("button:text-is('Pause')")
    page.wait_for_selector(".strip")
    brakes.pause("rail", "bank", "ann", "the bank is closed")
    page.click("nav >> text=Callbacks")
    page.wait_for_selector("h1:text-is('Callbacks')")
    one.look("elsewhere")
    page.click(".strip a")
    one.look("paused")
    page.click("li:has-text('All money') >> text=Resume")
    page.wait_for_selector("text=Let it leave again?")
    one.look("resuming")
    page.click("main form button[type=submit]")
    page.wait_for_selector("main h1:text-is('Overview')")
    assert page.locator(".strip p strong").count() == 1


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_looks_at_the_books(site: Site, tab: Callable[..., Tab], size: str) -> None:
    one = tab("books", size)
    page = one.page
    sign_in(one, site)
    page.click("nav >> text=Books")
    one.look("empty")
    busy(site)
    with transaction():
        for asset in (site.world.policy.id, "rail:BRL", "native"):
            entries = [("treasury", asset, 12_345_678 * UNIT + 5_000), ("bank", asset, -UNIT)]
            held = sum(amount for _, _, amount in entries)
            owed = [("customer", asset, -held + 7 * UNIT), ("fees", asset, -7 * UNIT)]
            books.post(f"all of {asset}", [*entries, *owed])
    page.click("nav >> text=Books")
    page.wait_for_selector("table")
    one.look("books")
    page.fill("#at", "2026-01-31")
    page.click("button:text-is('Show')")
    page.wait_for_selector("text=There were no entries by then.")
    one.look("before")


@pytest.mark.parametrize("size", SIZES)
def test_an_operator_judges_customers(site: Site, tab: Callable[..., Tab], size: str) -> None:
    one = tab("customers", size)
    page = one.page
    sign_in(one, site)
    page.click("nav >> text=Customers")
    one.look("nobody")
    found = customers(site)
    page.click("nav >> text=Customers")
    page.wait_for_selector("table")
    one.look("waiting")
    page.click(f"a[href$='{found}']")
    page.wait_for_selector(".trail")
    one.look("one")
    page.click("text=Ask for more")
    page.wait_for_selector("#others")
    one.look("asking")
    page.click("button:text-is('Ask for more')")
    page.wait_for_selector(".field.bad")
    one.look("asked-for-nothing")
    page.check("[value=first_name]")
    page.fill("#message", "Please write it as in your passport.")
    page.click("button:text-is('Ask for more')")
    page.wait_for_selector("text=Has to give more")
    one.look("asked")
    page.click("text=Refuse for good")
    page.wait_for_selector("[name=sure]")
    page.fill("#message", "We cannot serve you.")
    page.check("[name=sure]")
    one.look("refusing")
    page.click("button:text-is('Refuse for good')")
    page.wait_for_selector("text=They are told: We cannot serve you.")
    one.look("refused")
    page.goto(f"{site.url}/console/customers?status=all")
    one.look("all")

"""Chromium walks every page, in a desktop's and in a phone's size, and axe looks at each.

Screenshots are kept in `screenshots/`, which is not part of the repository.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, update

from anchor.extensions import db, transaction
from anchor.models import CustomerField
from anchor.services import customer_desk
from anchor.services.completions import COMPLETE
from tests.knowing import BY, PNG, work
from tests.pages.conftest import SIZES, Site
from tests.pages.tabs import Tab
from tests.world import ACCOUNT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def fill_in(one: Tab, tmp_path: Path) -> None:
    """Say who the customer is."""
    photo = tmp_path / "passport.png"
    photo.write_bytes(PNG)
    page = one.page
    for name, value in {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "birth_date": "1990-12-10",
        "address": "Main Street 1\nTown",
        "email_address": "ada@example.org",
    }.items():
        page.fill(f"#{name}", value)
    page.select_option("#address_country_code", "BRA")
    page.select_option("#id_type", "passport")
    page.set_input_files("#photo_id_front", photo)


def prove() -> None:
    with transaction():
        db.session.execute(update(CustomerField).values(verified_at=func.now()))


def accept() -> None:
    customer_desk.accept(customer_desk.listing()[0].customer_id, "sep24", BY)
    assert work(COMPLETE) == 1


@pytest.mark.conforms("SEP24-26")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_a_customer_goes_from_the_amount_to_the_end(
    site: Site, tab: Callable[..., Tab], tmp_path: Path, size: str, way: str
) -> None:
    one = tab(way, size, color_scheme="dark" if (way, size) == ("withdraw", "phone") else "light")
    page = one.page
    page.goto(site.opened(way))
    assert "token" not in page.url
    one.look("amount")
    page.fill("#amount", "0.5")
    page.wait_for_selector("[data-price-problem]:not([hidden])")
    one.go_on()
    page.wait_for_selector(".field.bad")
    one.look("amount-refused")
    page.fill("#amount", "250")
    page.select_option("[name=other]", label="BRL")
    page.wait_for_selector("[data-name=rate]:has-text('BRL')")
    one.look("amount-exchanged")
    page.select_option("[name=other]", index=0)
    page.wait_for_selector("[data-name=received]:has-text('247.75')")
    one.go_on()
    one.at("customer")
    one.look("customer")
    one.go_on()
    page.wait_for_selector(".field.bad")
    one.look("customer-refused")
    fill_in(one, tmp_path)
    one.go_on()
    page.wait_for_selector("#email_address_verification")
    one.look("customer-code")
    prove()
    page.goto(page.url)
    one.go_on()
    if way == "withdraw":
        one.at("account")
        one.look("account")
        page.fill("#bank_account_number", ACCOUNT)
        one.go_on()
    one.at("review")
    one.look("review")
    one.go_on()
    one.at("status")
    page.wait_for_selector("[data-live]:not([hidden])")
    one.look("status-checking")
    accept()
    page.wait_for_selector(".slip")
    assert page.is_visible("[data-live]"), "the page still follows, and says so"
    one.look("status-to-pay")
    if way == "withdraw":
        page.click("summary")
        one.look("status-code")
        site.world.pay("250", site.world.memo(page.url.split("/")[-2]))
        site.world.read()
        page.wait_for_selector("text=Being processed")
        one.look("status-under-way")
        site.world.work()
        page.wait_for_selector("h1.good")
        one.look("status-done")


@pytest.mark.parametrize("size", SIZES)
def test_what_leads_nowhere_says_so(site: Site, tab: Callable[..., Tab], size: str) -> None:
    url = site.opened("deposit")
    first = tab("refused", size)
    first.page.goto(url)
    second = tab("refused", size)
    second.page.goto(url)
    second.troubles.clear()  # the console tells of the 403
    second.look("opened-before")
    assert "opened before" in second.page.text_content("main")


def test_the_keyboard_alone_does_it(site: Site, tab: Callable[..., Tab]) -> None:
    one = tab("keyboard", "desktop")
    page, keys = one.page, one.page.keyboard
    choosers: list[Any] = []

    def chosen(chooser: Any) -> None:
        choosers.append(chooser)

    page.on("filechooser", chosen)  # asked for only while the key is pressed it may come too late
    page.goto(site.opened("withdraw", first_name="Ada", last_name="Lovelace"))

    one.tab_to("#amount")
    keys.type("250")
    keys.press("Enter")
    one.at("customer")
    keys.press("Tab")
    one.tab_to("form [type=submit]")
    keys.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    one.tab_to("#birth_date")
    keys.type("12101990")
    one.tab_to("#address_country_code")
    keys.type("Braz")
    one.tab_to("#address")
    keys.type("Main Street 1")
    one.tab_to("#email_address")
    keys.type("ada@example.org")
    one.tab_to("#id_type")
    keys.type("Pass")
    one.tab_to("#photo_id_front")
    keys.press("Enter")
    while not choosers:
        page.wait_for_timeout(50)
    choosers[0].set_files({"name": "me.png", "mimeType": "image/png", "buffer": PNG})
    one.tab_to("form [type=submit]")
    keys.press("Enter")
    page.wait_for_selector("#email_address_verification")
    prove()
    page.goto(page.url.replace("/customer", "/account"))
    one.tab_to("#bank_account_number")
    keys.type(ACCOUNT)
    keys.press("Enter")
    one.at("review")
    one.tab_to("form [type=submit]")
    keys.press("Enter")
    one.at("status")
    accept()
    page.wait_for_selector(".slip")
    one.tab_to(".copy")
    keys.press("Enter")
    page.wait_for_selector("text=Copied")
    one.tab_to("summary")
    keys.press("Enter")
    page.wait_for_selector("details[open] .qr")


@pytest.mark.conforms("SEP24-45", "SEP24-46", "SEP24-47", "CB-10")
@pytest.mark.parametrize("holder", ["popup", "frame", "noopener"])
def test_a_wallet_hears_of_it_from_its_window(
    site: Site, tab: Callable[..., Tab], holder: str
) -> None:
    """A wallet's own page, of another origin, that opens ours as a pop-up or in a frame."""
    one = tab(holder)
    wallet = one.page
    origin = site.url.replace("localhost", "127.0.0.1")
    one.home = "http://"
    url = site.opened("deposit") + "&callback=postMessage&on_change_callback=postMessage"
    wallet.goto(f"{origin}/health")
    wallet.evaluate(
        "() => { window.heard = []; addEventListener('message', e => heard.push(e.data)); }"
    )
    if holder == "frame":
        # Browsers take our cookie into a frame of another site over TLS only: here it is one site.
        wallet.goto(f"{site.url}/health")
        wallet.evaluate(
            """url => { window.heard = []; addEventListener('message', e => heard.push(e.data));
            const f = document.createElement('iframe'); f.src = url;
            document.body.append(f); }""",
            url,
        )
        page = wallet.wait_for_selector("iframe").content_frame()
    else:
        with wallet.context.expect_page() as opened:
            wallet.evaluate(
                "([url, how]) => { window.open(url, '_blank', how); }",
                [url, "noopener" if holder == "noopener" else "popup"],
            )
        page = opened.value
    page.fill("#amount", "250")
    page.click("main form button[type=submit]")
    page.wait_for_url("**/customer")
    for name in ("first_name", "last_name", "address"):
        page.fill(f"#{name}", "Ada")
    page.fill("#birth_date", "1990-12-10")
    page.fill("#email_address", "ada@example.org")
    page.select_option("#address_country_code", "BRA")
    page.select_option("#id_type", "passport")
    page.set_input_files(
        "#photo_id_front", {"name": "me.png", "mimeType": "image/png", "buffer": PNG}
    )
    page.click("main form button[type=submit]")
    page.wait_for_selector("#email_address_verification")
    prove()
    page.goto(page.url.replace("/customer", "/review"))
    page.click("main form button[type=submit]")
    page.wait_for_url("**/status")
    accept()
    page.wait_for_selector(".slip")
    if holder == "noopener":
        page.wait_for_timeout(200)
        assert wallet.evaluate("heard") == []
        assert page.is_hidden("[data-close]")
        return
    wallet.wait_for_function("() => heard.length >= 2")
    told = [each["transaction"] for each in wallet.evaluate("heard")]
    assert [each["status"] for each in told] == ["pending_anchor", "pending_user_transfer_start"]
    assert "token" not in str(told)
    page.click("[data-close]")
    wallet.wait_for_function("() => heard.length >= 3")
    assert wallet.evaluate("heard")[-1]["transaction"]["id"] == told[0]["id"]

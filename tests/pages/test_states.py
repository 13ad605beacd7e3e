"""Pages in the states that no walk goes through, with names and amounts longer than most."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anchor import languages
from anchor.integrations.protocols import Instruction
from anchor.lifecycle import Kind, Status
from anchor.policies.pages import PagesPolicy
from anchor.services import links
from tests.deposits import Bench
from tests.pages.conftest import SIZES, Site
from tests.pages.tabs import Tab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TOLD = {
    "organization.name": "Gesellschaft für grenzüberschreitenden Zahlungsverkehr mbH & Co. KG",
    "organization.bank_name": "Landwirtschaftliche Rentenbank-Girozentrale Donaudampfschifffahrt",
    "organization.bank_account_number": "MT84MALT011000012345MTLCAST001S",
    "organization.address": "Place de l’Indépendance 1,\n1000 Bruxelles",
    "note": "https://bank.example/a/very/long/address/that/has/no/place/to/break/in/it/at/all",
}
EXPLORER = "https://explorer.example/tx/"
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]


def assert_leads_outside(page: Any) -> None:
    """Follow the link of the hash: to a tab that knows nothing of the page that it came from."""
    page.context.route(f"{EXPLORER}*", lambda route: route.fulfill(body="told"))
    with page.context.expect_page() as opened:
        page.click("[target=_blank]")
    other = opened.value
    other.wait_for_url(f"{EXPLORER}*")
    assert other.evaluate("[window.opener, document.referrer]") == [None, ""]
    other.close()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_state_fits_its_page(
    site: Site, tab: Callable[..., Tab], monkeypatch: pytest.MonkeyPatch, size: str, scheme: str
) -> None:
    world = site.world
    rail = world.app.extensions["anchor"].rails["bank"]
    told = {name: Instruction(value, "so") for name, value in TOLD.items()}
    bench = Bench(world)
    house = world.app.extensions["anchor"]
    named = PagesPolicy(explorer_url=f"{EXPLORER}{{hash}}")
    world.app.extensions["anchor"] = replace(house, settings=replace(house.settings, pages=named))
    one = tab(f"states-{scheme}", size, color_scheme=scheme, timezone_id="America/New_York")
    done = bench.deposit(world.payer.public_key, "9876.5")
    bench.fund(done, "9876.5")
    bench.wait(done)
    waiting = world.deposit("1234.5")
    monkeypatch.setattr(rail, "deposit_instructions", lambda _deposit: told)
    unpaid = world.withdrawal("9876.54")
    expired = world.of_kind(Kind.WITHDRAWAL, Status.EXPIRED, amount="1234567.1234567")
    stopped = world.of_kind(Kind.DEPOSIT, Status.ERROR, message="The bank sent it back.")
    for name, row_id, lang in (
        ("to-transfer", waiting, "en"),
        ("to-transfer", waiting, "fr"),
        ("to-pay", unpaid, "es"),
        ("deposited", done, "en"),
        ("deposited", done, "pt"),
        ("expired", expired, "fr"),
        ("stopped", stopped, "en"),
    ):
        one.page.goto(links.to_more_info(row_id, lang=lang))
        one.look(f"{name}-{lang}")
        if name == "deposited":
            assert_leads_outside(one.page)


@pytest.mark.parametrize("lang", languages.LANGUAGES)
def test_the_script_writes_an_instant_as_the_server_does_and_in_the_readers_zone(
    site: Site, tab: Callable[..., Tab], lang: str
) -> None:
    url = links.to_more_info(site.world.withdrawal("100"), lang=lang)

    def told(**more: Any) -> list[str]:
        one = tab("instants", **more)
        one.page.goto(url)
        return [each.inner_text() for each in one.page.query_selector_all("time")]

    plain = told(java_script_enabled=False)
    assert plain == told(timezone_id="UTC")
    assert len(plain) >= 2
    assert all(each.endswith("\xa0UTC") for each in plain)
    local = told(timezone_id="Asia/Kathmandu")
    assert all(re.search(r"[0-9]{2}:[0-9]{2}\xa0(GMT|UTC)\+5:45$", each) for each in local), local

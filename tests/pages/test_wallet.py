"""A person clicks through a deposit and a withdrawal on the sandbox's wallet, at a real anchor."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.pages.conftest import SIZES
from tests.pages.tabs import WAIT_MS, Tab
from tests.processes.stage import Stage, staged
from tests.world import ACCOUNT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

PERSON = {"first_name": "Ada", "last_name": "Lovelace", "email_address": "ada@example.org"}


@pytest.fixture(scope="module")
def stage(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An anchor in development mode, as `flask anchor up` runs it."""
    with staged(tmp_path_factory.mktemp("anchor")) as made:
        made.up()
        yield made


def address(stage: Stage) -> str:
    """The address that `up` prints for a person."""
    said = (stage.folder / "output.log").read_text()
    found = re.search(r"^(http://localhost:\d+/wallet) is a wallet for your browser", said, re.M)
    assert found is not None
    return found[1]


def page_of_the_anchor(wallet: Any, button: str) -> Any:
    """Click, and return the window that opens."""
    with wallet.context.expect_page() as opened:
        wallet.click(button)
    page = opened.value
    page.set_default_timeout(WAIT_MS)
    page.wait_for_selector("main form")
    return page


def send(page: Any, step: str, **fields: str) -> None:
    """Fill in a step of the anchor's page, and send it."""
    page.wait_for_url(f"**/{step}")
    for name, value in fields.items():
        page.fill(f"#{name}", value)
    page.click("main form button[type=submit]")


def at(wallet: Any, status: str, count: int = 1) -> None:
    """Wait until so many transactions are shown in a status."""
    wallet.wait_for_function(
        """([status, count]) =>
            document.querySelectorAll(`[data-status=${status}]`).length === count""",
        arg=[status, count],
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_person_deposits_and_withdraws(
    stage: Stage,
    tab: Callable[..., Tab],
    size: str,
) -> None:
    one = tab("wallet", size, color_scheme="dark" if size == "phone" else "light")
    wallet = one.page
    wallet.goto(address(stage))
    wallet.wait_for_selector("#start:not([hidden])")
    one.look("start")
    wallet.click("#begin")
    wallet.wait_for_selector("#desk:not([hidden])")
    assert wallet.evaluate("document.activeElement.id") == "whose"
    one.look("new")

    page = page_of_the_anchor(wallet, "[data-open=deposit]")
    at(wallet, "incomplete")
    one.look("opened")
    page.close()
    page = page_of_the_anchor(wallet, ".deal .go")
    page.fill("#amount", "250")
    page.click("main form button[type=submit]")
    send(page, "customer", **PERSON)
    send(page, "review")
    at(wallet, "pending_user_transfer_start")
    one.look("to-transfer")
    wallet.click("text=Transfer 250.00 USD")
    at(wallet, "completed")
    one.look("deposited")
    page.close()

    page = page_of_the_anchor(wallet, "[data-open=withdraw]")
    page.fill("#amount", "100")
    page.click("main form button[type=submit]")
    send(page, "account", bank_account_number=ACCOUNT)
    send(page, "review")
    wallet.wait_for_selector("text=Pay 100.00 USDC")
    one.look("to-pay")
    wallet.click("text=Pay 100.00 USDC")
    at(wallet, "completed", 2)
    wallet.click("summary")
    one.look("withdrawn")
    assert wallet.text_content("[data-name=balance]") == "1,149.50"
    asked = wallet.text_content("#said")
    assert all(text in asked for text in ("SEP-1", "SEP-10", "SEP-24"))

    wallet.reload()
    at(wallet, "completed", 2)
    assert {each["amount"] for each in stage.bank("/transfers")} == {"98.5"}

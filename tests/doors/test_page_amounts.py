"""What a person reads of amounts and instants on the pages: in the language, and in its tense."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from anchor import config, languages
from anchor.lifecycle import Kind, Status
from anchor.policies.pages import PagesPolicy
from anchor.services import links
from tests.deposits import Bench
from tests.doors.test_page_brand import branded
from tests.doors.test_page_steps import client, id_of, price, visited
from tests.test_config import GOOD, environ
from tests.visiting import Visitor
from tests.world import ACCOUNT, World

__all__ = ["branded", "client"]
EXPLORER = "https://explorer.example/tx/{hash}?from=anchor"
SUMS = {
    "en": ("1,234.50", "1,227.32"),
    "es": ("1.234,50", "1.227,32"),
    "pt": ("1.234,50", "1.227,32"),
    "fr": ("1\u202f234,50", "1\u202f227,32"),
}


def lines(page: Any) -> dict[str, str]:
    """Return what stands beside each label of a page."""
    found = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)(?:<button.*?)?</dd>", page.text)
    return {unescape(label): unescape(value) for label, value in found}


def look(world: World, row_id: str, lang: str = "en") -> Any:
    """Open the page that tells how a transaction stands."""
    return Visitor(world.app.test_client(), links.to_more_info(row_id, lang=lang)).page


@pytest.mark.parametrize("lang", languages.LANGUAGES)
def test_what_is_shown_while_one_types_is_what_the_pages_say(
    world: World, client: Any, lang: str
) -> None:
    visitor = visited(world, client, lang=lang)
    shown = price(client, visitor, amount="1234.5", lang=lang).json
    paid, received = SUMS[lang]
    assert (shown["paid"], shown["received"]) == (f"{paid}\xa0USDC", f"{received}\xa0USD")
    visitor.send(amount="1234.5")
    visitor.send(bank_account_number=ACCOUNT)
    assert visitor.step == "review"
    told = list(lines(visitor.page).values())
    assert told[:4] == [shown["paid"], shown["fee"], shown["rate"], shown["received"]]
    visitor.send()
    assert {shown["paid"], shown["fee"], shown["received"]} <= set(lines(visitor.page).values())


def test_limits_are_said_in_the_language_and_a_field_holds_what_was_typed(
    world: World, client: Any
) -> None:
    visitor = visited(world, client, amount="1234.5", lang="es")
    assert "De 1\xa0USDC a 10.000\xa0USDC." in visitor.page.text
    assert "La comisión es de 1\xa0USDC más 0,5\xa0%." in visitor.page.text
    assert 'value="1234.5"' in visitor.page.text
    visitor.send(amount="10000.5")
    assert "El importe máximo es 10.000." in visitor.page.text
    assert 'value="10000.5"' in visitor.page.text


def test_a_customer_may_type_the_comma_of_their_keyboard(world: World, client: Any) -> None:
    visitor = visited(world, client, lang="fr")
    assert (
        price(client, visitor, amount="1234,5", lang="fr").json["paid"] == "1\u202f234,50\xa0USDC"
    )
    visitor.send(amount="1234,5")
    assert visitor.step == "account"
    assert world.row(id_of(visitor)).amount_expected == 1234_5000000


def test_what_is_copied_is_a_plain_amount(world: World, client: Any) -> None:
    page = visited(world, client, "deposit").fill_in(amount="1234.5")
    assert 'data-copy="1234.5"' in page.text
    assert "1,234.50\xa0USD" in page.text


@pytest.mark.parametrize(
    ("lang", "pay", "paid", "receive", "received"),
    [
        ("en", "You pay", "You paid", "You receive", "You received"),
        ("es", "Usted paga", "Usted pagó", "Usted recibe", "Usted recibió"),
        ("pt", "Você paga", "Você pagou", "Você recebe", "Você recebeu"),
        ("fr", "Vous payez", "Vous avez payé", "Vous recevez", "Vous avez reçu"),
    ],
)
def test_what_has_happened_is_said_as_past(
    world: World, lang: str, pay: str, paid: str, receive: str, received: str
) -> None:
    row_id = world.withdrawal("100")
    assert {pay, receive} <= lines(look(world, row_id, lang)).keys()
    world.pay("100", world.memo(row_id))
    world.read()
    under_way = lines(look(world, row_id, lang))
    assert {paid, receive} <= under_way.keys()
    assert not {pay, received} & under_way.keys()
    world.work()
    done = lines(look(world, row_id, lang))
    assert world.status(row_id) == "completed"
    assert {paid, received} <= done.keys()
    assert not {pay, receive} & done.keys()


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.ERROR, Status.TOO_SMALL])
def test_nobody_is_told_to_pay_what_is_not_awaited_any_more(world: World, status: Status) -> None:
    row_id = world.of_kind(Kind.WITHDRAWAL, status)
    told = lines(look(world, row_id))
    assert told["Amount"] == "100.00\xa0USDC"
    assert not {each for each in told if each.startswith("You ")}


def test_money_that_went_back_is_said_and_none_is_promised(world: World) -> None:
    row_id = world.paid_withdrawal("100")
    bench = Bench(world)
    bench.sql(
        "UPDATE transactions SET status = 'refunded', amount_refunded = 100_0000000 WHERE id = :id",
        id=row_id,
    )
    told = lines(look(world, row_id))
    assert (told["You paid"], told["Paid back"]) == ("100.00\xa0USDC", "100.00\xa0USDC")
    assert not {"You receive", "You received"} & told.keys()


def test_the_stellar_transaction_leads_to_an_explorer_where_one_is_named(
    branded: Callable[..., World], world: World
) -> None:
    row_id = world.paid_withdrawal("100")
    found = world.row(row_id).stellar_transaction_id
    assert lines(look(world, row_id))["Stellar transaction"] == found
    page = look(branded(PagesPolicy(explorer_url=EXPLORER)), row_id, "fr")
    [link] = re.findall(r"<a [^>]*explorer.*?</a>", page.text)
    assert f'href="https://explorer.example/tx/{found}?from=anchor"' in link
    assert 'target="_blank" rel="noopener"' in link
    assert "(s’ouvre dans un nouvel onglet)" in link
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")
    assert "explorer" not in page.headers["Content-Security-Policy"]


def test_in_development_the_explorer_is_the_network_itself_unless_one_is_named(
    tmp_path: Path,
) -> None:
    values = environ(tmp_path) | {"ANCHOR_HORIZON_URL": "http://localhost:9"}
    assert config.load(values).pages.explorer_url is None
    found = config.load(values, development=True).pages
    assert found.explorer_link("ab" * 32) == f"http://localhost:9/transactions/{'ab' * 32}"
    for told in (None, "", "VAULT-7", f"{'ab' * 32}?to=elsewhere", f"../{'ab' * 32}"):
        assert found.explorer_link(told) == "", "a custodian's own name for an order"
    named = environ(tmp_path, f'{GOOD}[pages]\nexplorer_url = "{EXPLORER}"\n')
    for development in (False, True):
        assert config.load(named, development=development).pages.explorer_url == EXPLORER


@pytest.mark.parametrize("lang", languages.LANGUAGES)
def test_each_instant_names_its_zone(world: World, lang: str) -> None:
    page = look(world, world.withdrawal("100"), lang)
    instants = re.findall(r"<time datetime=\"[^\"]+Z\">([^<]+)</time>", page.text)
    assert len(instants) >= 2
    assert all(re.search(r", [0-9]{2}:[0-9]{2}\xa0UTC$", each) for each in instants), instants

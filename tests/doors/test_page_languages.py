"""The pages speak the language of the wallet, or else of the browser."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from anchor.integrations.protocols import Instruction
from tests.visiting import Visitor
from tests.world import World


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def opened(world: World, client: FlaskClient, way: str = "withdraw", **body: Any) -> str:
    world.fund()
    path = f"/sep24/transactions/{way}/interactive"
    answer = client.post(path, json={"asset_code": "USDC"} | body, headers=world.log_in(client))
    assert answer.status_code == 200
    assert answer.json is not None
    return str(answer.json["url"].removeprefix("http://localhost"))


@pytest.mark.parametrize(
    ("lang", "title"),
    [
        *(("es-AR", "Retirar USDC"), ("pt", "Retirar USDC"), ("fr", "Retirer des USDC")),
        *(("en", "Withdraw USDC"), ("tlh", "Withdraw USDC")),
    ],
)
def test_a_page_speaks_as_the_wallet_asked(
    world: World, client: FlaskClient, lang: str, title: str
) -> None:
    url = opened(world, client, lang=lang)
    page = client.get(url, headers={"Accept-Language": "es"}, follow_redirects=True).text
    assert f'<p class="over">{title}</p>' in page
    expected = lang[:2] if lang != "tlh" else "en"
    assert f'<html lang="{expected}">' in page


def test_without_a_word_of_the_wallet_it_speaks_as_the_browser(
    world: World, client: FlaskClient
) -> None:
    url = opened(world, client)
    place = url.partition("?")[0]
    browser = {"Accept-Language": "de, pt-BR;q=0.8, en;q=0.5"}
    page = client.get(url, headers=browser, follow_redirects=True)
    assert '<html lang="pt">' in page.text
    assert "Quanto você quer" in page.text
    assert '<html lang="en">' in client.get(place).text
    assert '<html lang="fr">' in client.get(f"{place}?lang=fr").text
    assert '<html lang="fr">' in client.get(place).text, "it stays what was chosen"
    other = opened(world, client) + "&lang=es"
    assert '<html lang="es">' in client.get(other, follow_redirects=True).text


def test_what_is_wrong_in_a_form_is_said_in_its_language(world: World, client: FlaskClient) -> None:
    visitor = Visitor(client, opened(world, client, lang="es"))
    answer = visitor.send(amount="0.5")
    assert answer.status_code == 400
    assert "El importe mínimo es 1." in answer.text
    visitor.send(amount="10")
    answer = visitor.send()
    assert answer.status_code == 400
    assert "Es necesario indicar: Número de cuenta." in answer.text


def test_what_to_pay_and_until_when_is_said_in_the_language(
    world: World, client: FlaskClient
) -> None:
    page = Visitor(client, opened(world, client, "deposit", lang="fr")).fill_in(amount="10").text
    assert "Virez maintenant l’argent" in page
    assert "Nous attendons votre virement jusqu’au" in page
    assert "Référence" in page
    assert "\xa0UTC</time>." in page


def test_each_line_of_how_to_pay_has_its_own_name_in_the_language(
    world: World, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever enters the bank's name as the recipient's is paid back, or not at all."""
    named = {
        "organization.name": "Beneficiario",
        "organization.bank_name": "Banco",
        "organization.bank_account_number": "Número de cuenta",
        "organization.bank_phone_number": "Teléfono del banco",
        "organization.clabe_number": "CLABE",
        "organization.cbu_number": "CBU",
        "organization.cbu_alias": "Alias de CBU",
        "mobile_money_number": "Número de dinero móvil",
        "mobile_money_provider": "Proveedor de dinero móvil",
        "crypto_address": "Dirección cripto",
        "organization.phone": "Número de teléfono de la organización",
        "branch_of_ours": "Branch of ours",
    }
    told = {name: Instruction(f"what is {place}", "so") for place, name in enumerate(named)}
    rail = world.app.extensions["anchor"].rails["bank"]
    monkeypatch.setattr(rail, "deposit_instructions", lambda _deposit: told)
    page = Visitor(client, opened(world, client, "deposit", lang="es")).fill_in(amount="10").text
    found = dict(re.findall(r"<dt>([^<]*)</dt>\s*<dd[^>]*>(?:<[^>]*>)*(what is [0-9]+)<", page))
    assert found == {label: told[name].value for name, label in named.items()}


def test_a_link_that_leads_nowhere_says_so_in_the_language_of_the_browser(
    client: FlaskClient,
) -> None:
    answer = client.get("/interactive/deposit/x?token=y", headers={"Accept-Language": "es-MX"})
    assert answer.status_code == 403
    assert "El token no es válido. Vuelva a su billetera" in answer.text
    assert answer.mimetype == "text/html"

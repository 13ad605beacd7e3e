"""The pages speak the language of the wallet, or else of the browser."""

from typing import Any

import pytest
from flask.testing import FlaskClient

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
    page = client.get(opened(world, client, lang=lang), headers={"Accept-Language": "es"}).text
    assert f"<h1>{title}</h1>" in page
    expected = lang[:2] if lang != "tlh" else "en"
    assert f'<html lang="{expected}">' in page


def test_without_a_word_of_the_wallet_it_speaks_as_the_browser(
    world: World, client: FlaskClient
) -> None:
    url = opened(world, client)
    page = client.get(url, headers={"Accept-Language": "de, pt-BR;q=0.8, en;q=0.5"})
    assert '<html lang="pt">' in page.text
    assert "Nome do titular da conta" in page.text
    assert '<html lang="en">' in client.get(url).text
    assert '<html lang="fr">' in client.get(url + "&lang=fr").text


def test_what_is_wrong_in_a_form_is_said_in_its_language(world: World, client: FlaskClient) -> None:
    path, _, token = opened(world, client, lang="es").partition("?token=")
    answer = client.post(path, data={"token": token, "amount": "0.5"})
    assert answer.status_code == 400
    assert "El importe mínimo es 1." in answer.text
    assert "Es necesario indicar: Número de cuenta." in answer.text


def test_what_to_pay_and_until_when_is_said_in_the_language(
    world: World, client: FlaskClient
) -> None:
    path, _, token = opened(world, client, "deposit", lang="fr").partition("?token=")
    page = client.post(path, data={"token": token, "amount": "10"}).text
    assert "Virez maintenant l’argent" in page
    assert "Nous attendons votre virement jusqu’au" in page
    assert "Référence" in page
    assert " UTC." in page


def test_a_link_that_leads_nowhere_says_so_in_the_language_of_the_browser(
    client: FlaskClient,
) -> None:
    answer = client.get("/interactive/deposit/x?token=y", headers={"Accept-Language": "es-MX"})
    assert answer.status_code == 403
    assert "El token no es válido. Vuelva a su billetera" in answer.text
    assert answer.mimetype == "text/html"

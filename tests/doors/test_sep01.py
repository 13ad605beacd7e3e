"""SEP-1: what the stellar.toml says of an anchor."""

import base64
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from stellar_sdk import Keypair, TransactionEnvelope

from anchor.config import PUBLIC_PASSPHRASE, TESTNET_PASSPHRASE
from anchor.errors import Misconfigured
from anchor.policies.published import Published
from anchor.policies.web_auth import WebAuthOptions
from anchor.serializers.stellar_toml import stellar_toml
from tests.contracts import Customer, address_of, dispose, parsed, verify, with_contracts
from tests.test_callbacks import deliver, listening, owe
from tests.world import World

PATH = "/.well-known/stellar.toml"


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def written(world: World, **changes: Any) -> dict[str, Any]:
    return tomllib.loads(stellar_toml(replace(world.settings, **changes), "GKEY"))


@pytest.mark.conforms("SEP1-01", "SEP1-02", "SEP1-03", "SEP1-04", "SEP1-06", "V-02", "GEN-02")
def test_it_is_plain_text_that_anybody_may_read(client: FlaskClient) -> None:
    """SEP1-01 to 04, SEP1-06."""
    for answer in (client.get(PATH), client.head(PATH)):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "max-age" in answer.headers["Cache-Control"]
    assert 0 < len(client.get(PATH).data) < 100_000


@pytest.mark.conforms(
    "SEP1-05",
    "SEP1-10",
    "2.2/VERSION",
    "2.2/NETWORK_PASSPHRASE",
    "2.2/SIGNING_KEY",
    "2.2/ACCOUNTS",
    "2.2/WEB_AUTH_ENDPOINT",
    "2.2/TRANSFER_SERVER_SEP0024",
)
def test_it_says_what_the_anchor_is(world: World, client: FlaskClient) -> None:
    """SEP1-05, SEP1-10."""
    found = tomllib.loads(client.get(PATH).text)
    assert found["VERSION"] == "2.7.0"
    assert found["NETWORK_PASSPHRASE"] == world.settings.network_passphrase
    assert found["SIGNING_KEY"] == Keypair.from_secret(world.settings.signing_secret).public_key
    assert found["ACCOUNTS"] == [world.distribution]
    assert found["WEB_AUTH_ENDPOINT"] == "http://localhost/auth"
    assert found["TRANSFER_SERVER_SEP0024"] == "http://localhost/sep24"
    assert found["ANCHOR_QUOTE_SERVER"] == "http://localhost/sep38"


def test_no_secret_is_in_it(world: World, client: FlaskClient) -> None:
    """Promise 15."""
    text = client.get(PATH).text
    secrets = [world.settings.signing_secret, world.settings.jwt_secret]
    for secret in [*secrets, *world.settings.distribution_secrets.values()]:
        assert secret not in text


DOORS = {
    2: "FEDERATION_SERVER",
    6: "TRANSFER_SERVER",
    10: "WEB_AUTH_ENDPOINT",
    12: "KYC_SERVER",
    24: "TRANSFER_SERVER_SEP0024",
    31: "DIRECT_PAYMENT_SERVER",
    38: "ANCHOR_QUOTE_SERVER",
    45: "WEB_AUTH_FOR_CONTRACTS_ENDPOINT",
}


def shown(world: World, **changes: Any) -> dict[str, Any]:
    """What an anchor with other settings serves."""
    house = world.app.extensions["anchor"]
    options = WebAuthOptions(contract_id=world.sandbox.network.contracts.web_auth)
    settings = replace(house.settings, **{"web_auth": options} | changes)
    world.app.extensions["anchor"] = replace(house, settings=settings)
    try:
        return tomllib.loads(world.app.test_client().get(PATH).text)
    finally:
        world.app.extensions["anchor"] = house


@pytest.mark.conforms(
    *("SEP1-10", "SEP1-11", "SEP1-12", "2.2/TRANSFER_SERVER", "2.2/TRANSFER_SERVER_SEP0024"),
    *("2.2/KYC_SERVER", "2.2/WEB_AUTH_ENDPOINT", "2.2/DIRECT_PAYMENT_SERVER", "E-16"),
    *("2.2/ANCHOR_QUOTE_SERVER", "2.2/WEB_AUTH_FOR_CONTRACTS_ENDPOINT", "2.2/AUTH_SERVER"),
)
def test_an_endpoint_is_named_where_its_door_is_open_and_nowhere_else(world: World) -> None:
    for sep, key in DOORS.items():
        found = shown(world, seps=frozenset({1, sep}))
        assert {each for each in DOORS.values() if each in found} == {key}
        assert ("WEB_AUTH_CONTRACT_ID" in found) == (sep == 45)
        assert "AUTH_SERVER" not in found
    assert not set(DOORS.values()) & set(shown(world, seps=frozenset({1})))


@pytest.mark.conforms("SEP1-13", "2.2/WEB_AUTH_CONTRACT_ID")
def test_contract_accounts_are_told_all_that_they_need(world: World) -> None:
    anchor = with_contracts(world)
    found = tomllib.loads(anchor.app.test_client().get(PATH).text)
    assert found["WEB_AUTH_CONTRACT_ID"] == world.sandbox.network.contracts.web_auth
    assert found["WEB_AUTH_FOR_CONTRACTS_ENDPOINT"] == "http://localhost/sep45/auth"
    assert found["SIGNING_KEY"].startswith("G")
    dispose()


@pytest.mark.conforms("SEP1-14", "2.2/SIGNING_KEY")
def test_the_signing_key_is_that_of_challenges_entries_and_callbacks(world: World) -> None:
    anchor = with_contracts(world)
    client = anchor.app.test_client()
    key = Keypair.from_public_key(tomllib.loads(client.get(PATH).text)["SIGNING_KEY"])
    answer: Any = client.get("/auth", query_string={"account": world.payer.public_key})
    envelope = TransactionEnvelope.from_xdr(answer.json["transaction"], TESTNET_PASSPHRASE)
    key.verify(envelope.hash(), envelope.signatures[0].signature)
    entries = parsed(Customer.of(anchor).challenge(client))
    (ours,) = (entry for entry in entries if address_of(entry) == key.public_key)
    verify(ours, key)
    with listening() as wallet, anchor.app.app_context():
        owe("1", wallet.port)
        deliver()
    [(headers, body)] = wallet.requests
    at, _, made = headers["Signature"].partition(", ")
    signed = f"{at.removeprefix('t=')}.127.0.0.1:{wallet.port}.".encode() + body
    key.verify(signed, base64.b64decode(made.removeprefix("s=")))
    dispose()


@pytest.mark.conforms("SEP1-10", "GEN-14", "GEN-01", "V-02")
def test_no_address_ends_with_a_slash(world: World) -> None:
    found = shown(world, public_url="https://anchor.example", seps=frozenset({1, *DOORS}))
    addresses = [value for value in found.values() if str(value).startswith("https://")]
    assert len(addresses) == len(DOORS)
    assert not [address for address in addresses if address.endswith("/")]


@pytest.mark.conforms(
    *("SEP1-20", "SEP1-21", "SEP1-23", "SEP1-24", "SEP1-26", "SEP1-27"),
    *("2.2/FEDERATION_SERVER", "2.2/HORIZON_URL", "2.2/URI_REQUEST_SIGNING_KEY", "2.2/ACCOUNTS"),
)
def test_what_the_operator_publishes_is_there_as_written(world: World) -> None:
    key, contract = Keypair.random().public_key, world.sandbox.network.contracts.web_auth
    published = Published(
        general={
            "FEDERATION_SERVER": "https://anchor.example/federation",
            "HORIZON_URL": "https://horizon.example",
            "URI_REQUEST_SIGNING_KEY": key,
            "ACCOUNTS": [key],
        },
        principals=({"name": "Ada", "email": "ada@anchor.example"},),
        validators=({"ALIAS": "ours-1", "PUBLIC_KEY": key, "HOST": "core.example:11625"},),
        currencies=(
            {"code": "TOK", "contract": contract, "desc": "a token"},
            {"toml": "https://anchor.example/.well-known/EURC.toml"},
        ),
        assets={"USDC": {"desc": "Dollars", "anchor_asset_type": "fiat", "max_number": 5}},
    )
    found = shown(world, published=published)
    assert found["FEDERATION_SERVER"] == "https://anchor.example/federation"
    assert found["HORIZON_URL"] == "https://horizon.example"
    assert found["URI_REQUEST_SIGNING_KEY"] == key
    assert found["ACCOUNTS"] == sorted([key, world.distribution])
    assert found["PRINCIPALS"] == list(published.principals)
    assert found["VALIDATORS"] == list(published.validators)
    ours, *others = found["CURRENCIES"]
    assert others == list(published.currencies)
    assert (ours["issuer"], ours["desc"]) == (world.policy.issuer, "Dollars")
    assert (ours["anchor_asset_type"], ours["max_number"]) == ("fiat", 5)


@pytest.mark.conforms("SEP1-04")
def test_a_file_that_nobody_would_read_is_not_served(world: World) -> None:
    long = Published(principals=tuple({"name": "x" * 1000} for _ in range(100)))
    with pytest.raises(Misconfigured, match="longer"):
        written(world, published=long)


@pytest.mark.conforms("GEN-06")
def test_pages_are_for_nobody_elses_scripts(client: FlaskClient) -> None:
    origin = {"Origin": "https://wallet.example"}
    page = client.get("/interactive/withdraw/abc", headers=origin)
    assert page.status_code in {400, 403}
    assert "Access-Control-Allow-Origin" not in page.headers


@pytest.mark.conforms("GEN-15")
def test_a_slash_at_the_end_changes_nothing(world: World, client: FlaskClient) -> None:
    account = {"account": world.payer.public_key}
    assert client.get("/auth/", query_string=account).status_code == 200
    signed = world.signed_challenge(client, world.payer)
    assert client.post("/auth/", json={"transaction": signed}).status_code == 200


@pytest.mark.conforms("SEP1-20")
def test_the_organization_is_always_there(world: World) -> None:
    """SEP1-20; a wallet's SDK fails without it."""
    assert shown(world)["DOCUMENTATION"]["ORG_NAME"] == "localhost"
    given = {"ORG_NAME": 'Anchor "&" Söhne', "ORG_URL": "https://anchor.example"}
    assert shown(world, organization=given)["DOCUMENTATION"] == given


@pytest.mark.conforms("SEP1-22", "SEP1-23", "SEP1-25", "V-01")
def test_a_currency_has_what_the_validator_wants(world: World, client: FlaskClient) -> None:
    """SEP1-22 to 25."""
    assert "[[CURRENCIES]]" in client.get(PATH).text
    (currency,) = written(world)["CURRENCIES"]
    assert currency["code"] == "USDC"
    assert currency["issuer"] == world.policy.issuer
    assert "contract" not in currency
    assert currency["display_decimals"] == 2
    assert currency["desc"]
    assert currency["is_asset_anchored"] is True
    assert currency["anchor_asset_type"] == "other"
    assert currency["status"] == "test"
    public = written(world, network_passphrase=PUBLIC_PASSPHRASE)
    assert public["CURRENCIES"][0]["status"] == "live"


@pytest.mark.conforms("SEP1-23")
def test_lumens_are_no_currency_of_ours(world: World) -> None:
    """SEP1-23: they have no issuer."""
    lumens = replace(world.policy, code="native", issuer=None)
    assert "CURRENCIES" not in written(world, assets={"native": lumens})

"""SEP-1: what the stellar.toml says of an anchor."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from stellar_sdk import Keypair

from anchor.config import PUBLIC_PASSPHRASE
from anchor.serializers.stellar_toml import stellar_toml
from tests.world import World

PATH = "/.well-known/stellar.toml"


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app.test_client()


def written(world: World, **changes: Any) -> dict[str, Any]:
    return tomllib.loads(stellar_toml(replace(world.settings, **changes), "GKEY"))


def test_it_is_plain_text_that_anybody_may_read(client: FlaskClient) -> None:
    """SEP1-01 to 04, SEP1-06."""
    for answer in (client.get(PATH), client.head(PATH)):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "max-age" in answer.headers["Cache-Control"]
    assert 0 < len(client.get(PATH).data) < 100_000


def test_it_says_what_the_anchor_is(world: World, client: FlaskClient) -> None:
    """SEP1-05, SEP1-10, SEP1-14."""
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


def test_an_endpoint_is_named_where_its_door_is_open_and_nowhere_else(world: World) -> None:
    """SEP1-10."""
    only = written(world, seps=frozenset({1, 10}))
    assert "WEB_AUTH_ENDPOINT" in only
    assert not [key for key in only if "SERVER" in key]
    assert "WEB_AUTH_ENDPOINT" not in written(world, seps=frozenset({1}))


def test_no_address_ends_with_a_slash(world: World) -> None:
    """SEP1-10, GEN-14."""
    found = written(world, public_url="https://anchor.example")
    addresses = [value for value in found.values() if str(value).startswith("https://")]
    assert "https://anchor.example/sep38" in addresses
    assert not [address for address in addresses if address.endswith("/")]


def test_the_organization_is_always_there(world: World) -> None:
    """SEP1-20; a wallet's SDK fails without it."""
    assert written(world)["DOCUMENTATION"]["ORG_NAME"] == "localhost"
    given = {"ORG_NAME": 'Anchor "&" Söhne', "ORG_URL": "https://anchor.example"}
    assert written(world, organization=given)["DOCUMENTATION"] == given


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


def test_lumens_are_no_currency_of_ours(world: World) -> None:
    """SEP1-23: they have no issuer."""
    lumens = replace(world.policy, code="native", issuer=None)
    assert "CURRENCIES" not in written(world, assets={"native": lumens})

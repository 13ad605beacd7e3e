"""SEP-10: requests for a challenge that are signed by who asks, where the anchor wants it."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.clock import utcnow
from anchor.errors import Rejected
from anchor.policies.web_auth import WebAuthOptions
from anchor.web_auth.signed_requests import _claims
from tests.world import World

WALLET, OTHER = (Keypair.from_raw_ed25519_seed(letter * 32) for letter in (b"w", b"o"))
DOMAIN = "wallet.example"


def switch(world: World, mode: str, **rules: Any) -> Any:
    """Set whether requests have to be signed, and return a client."""
    house = world.app.extensions["anchor"]
    known = {"required": False, "allow": [], "deny": []} | rules
    options = WebAuthOptions(request_header=mode)
    settings = replace(world.settings, web_auth=options, client_domains=known)
    world.app.extensions["anchor"] = replace(house, settings=settings)
    house.client_keys.put((DOMAIN, True), WALLET.public_key, 60)
    return world.app.test_client()


@pytest.fixture
def client(world: World) -> Any:
    return switch(world, "required")


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(key: Keypair, claims: Any, header: Any = None) -> str:
    signed = f"{part(header or {'alg': 'EdDSA'})}.{part(claims)}"
    return f"{signed}.{part(key.sign(signed.encode()))}"


def claims_for(query: dict[str, str], **changes: Any) -> dict[str, Any]:
    now = int(utcnow().timestamp())
    made = {"iat": now, "exp": now + 300, "web_auth_endpoint": "http://localhost/auth"}
    return {k: v for k, v in (made | query | changes).items() if v is not None}


def ask(client: Any, query: dict[str, str], bearer: str | None) -> Any:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    return client.get("/auth", query_string=query, headers=headers)


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    return str(answer.json["error"])


@pytest.mark.conforms("SEP10-15", "SEP10-16")
def test_a_request_that_is_not_signed_is_a_401_where_it_must_be(world: World, client: Any) -> None:
    query = {"account": world.payer.public_key}
    assert refused(ask(client, query, None), 401)
    basic = client.get("/auth", query_string=query, headers={"Authorization": "Basic abc"})
    assert refused(basic, 401)
    for mode in ("off", "accepted"):
        assert ask(switch(world, mode), query, None).status_code == 200


@pytest.mark.conforms("SEP10-15", "SEP10-19", "SEP10-20", "E-19")
@pytest.mark.parametrize("mode", ["accepted", "required"])
def test_the_key_of_the_account_or_of_the_client_domain_signs(world: World, mode: str) -> None:
    client, payer = switch(world, mode), world.payer
    muxed = str(MuxedAccount(payer.public_key, 5).account_muxed)
    for query, key, stranger in (
        ({"account": payer.public_key}, payer, WALLET),
        ({"account": payer.public_key, "memo": "7"}, payer, OTHER),
        ({"account": payer.public_key, "home_domain": "other.example"}, payer, OTHER),
        ({"account": muxed}, payer, OTHER),
        ({"account": payer.public_key, "client_domain": DOMAIN}, WALLET, payer),
    ):
        assert ask(client, query, token(key, claims_for(query))).status_code == 200, query
        told = refused(ask(client, query, token(stranger, claims_for(query))), 400)
        assert "not signed by its key" in told


@pytest.mark.conforms("SEP10-17", "SEP10-19", "SEP10-22")
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"iat": None}, "iat"),
        ({"iat": "now"}, "iat"),
        ({"iat": True}, "iat"),
        ({"iat": 4_000_000_000}, "future"),
        ({"exp": None}, "exp"),
        ({"exp": 1}, "expired"),
        ({"web_auth_endpoint": None}, "web_auth_endpoint"),
        ({"web_auth_endpoint": "https://elsewhere.example/auth"}, "web_auth_endpoint"),
        ({"account": None}, "account"),
        ({"account": OTHER.public_key}, "account"),
        ({"memo": None}, "memo"),
        ({"memo": "8"}, "memo"),
        ({"memo": [7]}, "memo"),
        ({"home_domain": "localhost"}, "home_domain"),
        ({"client_domain": DOMAIN}, "client_domain"),
    ],
)
def test_a_token_that_says_something_else_is_a_400(
    world: World, client: Any, changes: dict[str, Any], word: str
) -> None:
    query = {"account": world.payer.public_key, "memo": "7"}
    good = claims_for(query)
    assert ask(client, query, token(world.payer, good)).status_code == 200
    assert ask(client, query, token(world.payer, good | {"memo": 7})).status_code == 200
    bad = token(world.payer, claims_for(query, **changes))
    assert word in refused(ask(client, query, bad), 400)


@pytest.mark.conforms("SEP10-17", "SEP10-19")
def test_what_is_no_token_of_eddsa_is_a_400(world: World, client: Any) -> None:
    query = {"account": world.payer.public_key}
    claims = claims_for(query)
    for bad in (
        *("x", "a.b.c", ".", "..", "a" * 5000, token(world.payer, claims)[:-4]),
        token(world.payer, claims, {"alg": "none"}),
        token(world.payer, claims, {"alg": "HS256"}),
        token(world.payer, claims, {"alg": "ES256"}),
        token(world.payer, [claims]),
        token(world.payer, b"{"),
        token(world.payer, b"\xff"),
        token(world.payer, b"[" * 2000),
    ):
        refused(ask(client, query, bad), 400)


@pytest.mark.conforms("SEP10-18", "SEP10-21")
def test_a_wallet_that_is_not_allowed_is_a_403(world: World) -> None:
    """Where nothing is signed, it only counts as absent (SEP10-07)."""
    query = {"account": world.payer.public_key, "client_domain": DOMAIN}
    signed = token(WALLET, claims_for(query))
    client = switch(world, "accepted", deny=[DOMAIN])
    refused(ask(client, query, signed), 403)
    assert ask(client, query, None).status_code == 200
    assert ask(switch(world, "off", deny=[DOMAIN]), query, signed).status_code == 200


def test_the_published_vector_of_ed25519_tokens_verifies() -> None:
    """RFC 8037, A.4: its payload is no JSON object, which is all that is wrong with it."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    key = Keypair.from_raw_ed25519_public_key(base64.urlsafe_b64decode(x)).public_key
    vector = (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    with pytest.raises(Rejected, match="not valid"):
        _claims(vector, key)
    with pytest.raises(Rejected, match="not signed by its key"):
        _claims(vector, OTHER.public_key)

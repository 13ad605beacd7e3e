"""SEP-10: who may log in, and with what."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
from sqlalchemy import select
from stellar_sdk import (
    Account,
    FeeBumpTransactionEnvelope,
    Keypair,
    MuxedAccount,
    TransactionBuilder,
    TransactionEnvelope,
)

from anchor.clock import utcnow
from anchor.config import TESTNET_PASSPHRASE
from anchor.extensions import db, transaction
from anchor.models import UsedChallenge
from anchor.services import logins, passes, sweeps
from tests.world import World


@pytest.fixture
def client(world: World) -> Any:
    return world.app.test_client()


def exchange(client: Any, envelope: str) -> Any:
    return client.post("/auth", json={"transaction": envelope})


def signed(world: World, client: Any, *keys: Keypair, **query: str) -> str:
    answer = client.get("/auth", query_string={"account": keys[0].public_key} | query)
    assert answer.status_code == 200, answer.text
    envelope = TransactionEnvelope.from_xdr(answer.json["transaction"], TESTNET_PASSPHRASE)
    for key in keys:
        envelope.sign(key)
    return envelope.to_xdr()


@pytest.mark.conforms(
    "SEP10-30",
    "SEP10-31",
    "SEP10-32",
    "SEP10-33",
    "SEP10-34",
    "SEP10-37",
    "SEP10-38",
    "V-03",
    "3.1/account",
    "3.1/memo",
)
def test_the_challenge_has_the_shape_of_the_text(world: World, client: Any) -> None:
    """SEP10-30 to 38."""
    answer = client.get("/auth", query_string={"account": world.payer.public_key, "memo": "7"})
    assert set(answer.json) == {"transaction", "network_passphrase"}
    envelope = TransactionEnvelope.from_xdr(answer.json["transaction"], TESTNET_PASSPHRASE)
    tx = envelope.transaction
    assert tx.sequence == 0
    assert tx.memo.to_xdr_object().id.uint64 == 7  # type: ignore[union-attr]
    bounds = tx.preconditions.time_bounds  # type: ignore[union-attr]
    assert bounds.max_time - bounds.min_time == 900
    assert [op.data_name for op in tx.operations] == ["localhost auth", "web_auth_domain"]  # type: ignore[union-attr]
    assert len(envelope.signatures) == 1


@pytest.mark.conforms("SEP10-05", "SEP10-70", "SEP10-71", "GEN-21")
def test_a_token_says_who_and_for_how_long(world: World, client: Any) -> None:
    """SEP10-70 to 72."""
    answer = exchange(client, signed(world, client, world.payer, memo="0"))
    claims = jwt.decode(answer.json["token"], options={"verify_signature": False})
    assert claims["sub"] == f"{world.payer.public_key}:0"
    assert claims["iss"] == "http://localhost/auth"
    assert "client_domain" not in claims
    assert claims["exp"] - claims["iat"] == 86400


@pytest.mark.conforms(
    "SEP10-01",
    "SEP10-02",
    "SEP10-03",
    "SEP10-06",
    "SEP10-09",
    "GEN-07",
    "3.1/home_domain",
    "3.1/client_domain",
)
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"account": "GBAD"},
        {"account": "C" + "A" * 55},
        {"memo": "-1"},
        {"memo": str(2**64)},
        {"memo": "text"},
        {"memo": "01"},
        {"home_domain": "elsewhere.example"},
        {"client_domain": "https://evil.example/"},
    ],
)
def test_bad_requests_for_a_challenge(world: World, client: Any, query: dict[str, str]) -> None:
    """SEP10-01 to 06, 09."""
    full = {"account": world.payer.public_key, **query} if query else {}
    answer = client.get("/auth", query_string=full)
    assert answer.status_code == 400
    assert answer.json["error"]


@pytest.mark.conforms("SEP10-04")
def test_a_memo_with_a_muxed_account_is_refused(world: World, client: Any) -> None:
    """SEP10-04."""
    muxed = MuxedAccount(world.payer.public_key, 0).account_muxed
    answer = client.get("/auth", query_string={"account": muxed, "memo": "5"})
    assert answer.status_code == 400


@pytest.mark.conforms("SEP10-06", "3.1/home_domain")
def test_each_home_domain_is_served(world: World, client: Any) -> None:
    for domain in world.settings.home_domains:
        assert (
            exchange(client, signed(world, client, world.payer, home_domain=domain)).status_code
            == 200
        )


@pytest.mark.conforms("SEP10-66")
def test_a_challenge_earns_one_token(world: World, client: Any) -> None:
    """SEP10-66."""
    envelope = signed(world, client, world.payer)
    assert exchange(client, envelope).status_code == 200
    again = exchange(client, envelope)
    assert again.status_code == 400
    assert "before" in again.json["error"]


@pytest.mark.conforms("SEP10-45", "GEN-11")
def test_a_form_body_is_read(world: World, client: Any) -> None:
    """SEP10-45."""
    envelope = signed(world, client, world.payer)
    assert client.post("/auth", data={"transaction": envelope}).status_code == 200


@pytest.mark.conforms("SEP10-57", "SEP10-63")
def test_nobody_logs_in_with_anothers_signature(world: World, client: Any) -> None:
    """SEP10-57, 63."""
    envelope = TransactionEnvelope.from_xdr(signed(world, client, world.payer), TESTNET_PASSPHRASE)
    envelope.signatures.pop()
    assert exchange(client, envelope.to_xdr()).status_code == 400
    envelope.sign(Keypair.random())
    assert exchange(client, envelope.to_xdr()).status_code == 400


@pytest.mark.conforms("SEP10-57", "SEP10-63")
def test_an_extra_signature_is_refused(world: World, client: Any) -> None:
    """SEP10-57, 63."""
    assert exchange(client, signed(world, client, world.payer, Keypair.random())).status_code == 400
    world.fund()
    assert exchange(client, signed(world, client, world.payer, Keypair.random())).status_code == 400


def thresholds(world: World, *, medium: int, master: int, signer: tuple[str, int] | None) -> None:
    world.fund()
    from stellar_sdk import Signer

    builder = world.builder(world.payer.public_key)
    extra = Signer.ed25519_public_key(*signer) if signer else None
    builder.append_set_options_op(
        med_threshold=medium, high_threshold=medium, master_weight=master, signer=extra
    )
    world.submit(builder, world.payer)


@pytest.mark.conforms("SEP10-58")
def test_the_medium_threshold_is_needed(world: World, client: Any) -> None:
    """SEP10-58, 59."""
    other = Keypair.random()
    thresholds(world, medium=2, master=1, signer=(other.public_key, 1))
    assert exchange(client, signed(world, client, world.payer)).status_code == 400
    assert exchange(client, signed(world, client, world.payer, other)).status_code == 200


@pytest.mark.conforms("SEP10-61", "SEP10-57")
def test_a_master_key_of_weight_nought_is_no_signer(world: World, client: Any) -> None:
    """SEP10-61."""
    other = Keypair.random()
    thresholds(world, medium=0, master=0, signer=(other.public_key, 1))
    assert exchange(client, signed(world, client, world.payer)).status_code == 400
    envelope = TransactionEnvelope.from_xdr(signed(world, client, world.payer), TESTNET_PASSPHRASE)
    envelope.signatures.pop()
    envelope.sign(other)
    assert exchange(client, envelope.to_xdr()).status_code == 200


@pytest.mark.conforms("SEP10-46", "SEP10-47", "V-04")
def test_a_fee_bump_or_a_transaction_of_another_is_no_challenge(world: World, client: Any) -> None:
    """SEP10-46, 47."""
    builder = TransactionBuilder(Account(world.payer.public_key, -1), TESTNET_PASSPHRASE)
    builder.append_bump_sequence_op(1).set_timeout(100)
    inner = builder.build()
    inner.sign(world.payer)
    assert exchange(client, inner.to_xdr()).status_code == 400
    bump = TransactionBuilder.build_fee_bump_transaction(
        world.payer.public_key, 200, inner, TESTNET_PASSPHRASE
    )
    assert isinstance(bump, FeeBumpTransactionEnvelope)
    bump.sign(world.payer)
    assert exchange(client, bump.to_xdr()).status_code == 400


@pytest.mark.conforms("SEP10-65", "1.5/upstream down")
def test_promise_14_no_token_while_the_ledger_cannot_be_asked(world: World, client: Any) -> None:
    """SEP10-65."""
    envelope = signed(world, client, world.payer)
    world.sandbox.stop()
    answer = exchange(client, envelope)
    assert answer.status_code == 503
    assert answer.json["error"]


@pytest.mark.conforms("GEN-22")
@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic abc", "Bearer " + "a" * 10_000, "Bearer a.b.c"],
)
def test_what_is_no_token_of_ours_opens_nothing(world: World, client: Any, header: str) -> None:
    """GEN-22."""
    answer = client.get("/sep24/transactions?asset_code=USDC", headers={"Authorization": header})
    assert answer.status_code == 403


@pytest.mark.conforms("GEN-21", "GEN-22", "GEN-23", "SEP10-73")
@pytest.mark.parametrize(
    ("change", "algorithm", "key"),
    [
        ({"exp": 1}, "HS256", None),
        ({"iat": 4_000_000_000}, "HS256", None),
        ({"iss": "https://elsewhere.example"}, "HS256", None),
        ({"aud": "link:interactive"}, "HS256", None),
        ({"home_domain": "elsewhere.example"}, "HS256", None),
        ({"sub": "GBAD"}, "HS256", None),
        ({}, "none", ""),
        ({}, "HS256", "another secret of more than thirty-two bytes"),
        ({}, "HS512", None),
    ],
)
def test_a_token_that_was_tampered_with_opens_nothing(
    world: World, client: Any, change: dict[str, Any], algorithm: str, key: str | None
) -> None:
    """GEN-22, GEN-23."""
    token = exchange(client, signed(world, client, world.payer)).json["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    secret = str(world.settings.jwt_secret) if key is None else key
    if algorithm == "HS512":
        secret = secret + secret
    forged = jwt.encode(claims | change, secret or None, algorithm=algorithm)
    headers = {"Authorization": f"Bearer {forged}"}
    assert client.get("/sep24/transactions?asset_code=USDC", headers=headers).status_code == 403


@pytest.mark.conforms("GEN-02", "GEN-04", "GEN-05")
def test_browsers_of_any_origin_may_log_in(world: World, client: Any) -> None:
    """GEN-02, GEN-04, GEN-05: good answers, errors and preflights."""
    origin = {"Origin": "https://wallet.example"}
    good = client.get(f"/auth?account={world.payer.public_key}", headers=origin)
    bad = client.post("/auth", json={}, headers=origin)
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Content-Type, Authorization",
    }
    preflight = client.options("/auth", headers=origin | asked)
    assert (good.status_code, bad.status_code, preflight.status_code) == (200, 400, 200)
    for answer in (good, bad, preflight):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed


@pytest.mark.conforms("SEP10-46", "GEN-07", "GEN-13")
@pytest.mark.parametrize(
    "body",
    [
        *({}, {"transaction": None}, {"transaction": {}}, {"transaction": 5}),
        *({"transaction": ""}, {"transaction": "x" * 20_001}, {"transaction": "AAAA"}, [], "x"),
    ],
)
def test_a_body_without_a_challenge_is_refused(client: Any, body: Any) -> None:
    """SEP10-46, GEN-07, GEN-13."""
    answer = client.post("/auth", json=body)
    assert answer.status_code == 400
    assert answer.mimetype == "application/json"
    assert isinstance(answer.json["error"], str)


@pytest.mark.conforms("SEP10-45")
def test_a_form_whose_pluses_were_not_encoded_is_refused(world: World, client: Any) -> None:
    """SEP10-45."""
    envelope = signed(world, client, world.payer)
    while "+" not in envelope:
        envelope = signed(world, client, world.payer)
    kind = "application/x-www-form-urlencoded"
    raw = client.post("/auth", data=f"transaction={envelope}", content_type=kind)
    assert raw.status_code == 400
    assert exchange(client, envelope).status_code == 200


@pytest.mark.conforms("SEP10-66")
def test_a_refused_challenge_is_not_used_up(world: World, client: Any) -> None:
    """SEP10-66: nobody spoils another's log-in by sending it in unsigned."""
    answer = client.get("/auth", query_string={"account": world.payer.public_key})
    assert exchange(client, answer.json["transaction"]).status_code == 400
    envelope = TransactionEnvelope.from_xdr(answer.json["transaction"], TESTNET_PASSPHRASE)
    envelope.sign(world.payer)
    assert exchange(client, envelope.to_xdr()).status_code == 200


@pytest.mark.conforms("SEP10-66")
def test_one_of_many_at_once_gets_the_token(world: World) -> None:
    """SEP10-66: the row decides, not what was looked up before."""
    envelope = signed(world, world.app.test_client(), world.payer)

    def once(_number: int) -> int:
        return int(exchange(world.app.test_client(), envelope).status_code)

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(once, range(8)))
    assert statuses == [200] + [400] * 7


@pytest.mark.conforms("SEP10-66")
def test_used_challenges_are_forgotten_after_their_time(world: World, client: Any) -> None:
    """SEP10-66: a row lives as long as its challenge could be taken for good, and longer."""
    with transaction():
        db.session.add(UsedChallenge(hash="old", expires_at=utcnow() - timedelta(minutes=1)))
        db.session.add(UsedChallenge(hash="young", expires_at=utcnow() + timedelta(minutes=1)))
    assert exchange(client, signed(world, client, world.payer)).status_code == 200
    passes.owe("work")
    sweeps.work_off(passes.SERVICES["work"].kinds)
    assert not logins.has_old()
    with transaction():
        rows = {row.hash: row for row in db.session.scalars(select(UsedChallenge))}
    assert "old" not in rows
    assert "young" in rows
    (ours,) = (row for row in rows.values() if row.hash not in {"old", "young"})
    assert ours.expires_at > utcnow() + timedelta(minutes=15)


@pytest.mark.conforms("GEN-20")
def test_a_bearer_is_a_bearer_in_any_case(world: World, client: Any) -> None:
    """GEN-20."""
    bearer = world.log_in(client)["Authorization"].removeprefix("Bearer ")
    for scheme, status in (("bearer", 200), ("BEARER", 200), ("Basic", 403), ("", 403)):
        headers = {"Authorization": f"{scheme} {bearer}"}
        answer = client.get("/sep24/transactions?asset_code=USDC", headers=headers)
        assert answer.status_code == status

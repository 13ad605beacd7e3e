"""SEP-10 at its door: challenges that are wrong in one way, whoever may log in, and any bytes."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stellar_sdk import (
    Account,
    HashMemo,
    Keypair,
    MuxedAccount,
    TransactionBuilder,
    TransactionEnvelope,
)
from stellar_sdk.exceptions import BadSignatureError

from anchor import create_app
from anchor.clock import utcnow
from anchor.config import PUBLIC_PASSPHRASE, TESTNET_PASSPHRASE
from tests.contracts import PATH, dispose, with_contracts
from tests.logging_in import Change, data
from tests.test_web_auth import signed
from tests.world import World
from tests.world import dispose as dispose_of

OTHER, WALLET = (Keypair.from_raw_ed25519_seed(letter * 32) for letter in (b"o", b"w"))
NONCE = base64.b64encode(b"n" * 48)
ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def client(world: World) -> Any:
    return world.app.test_client()


def server_of(world: World) -> Keypair:
    return Keypair.from_secret(world.settings.signing_secret)


def forged(
    world: World,
    *changes: Change,
    first: Change | None = None,
    source: str | None = None,
    sequence: int = -1,
    bounds: tuple[int, int] = (0, 900),
    signer: Keypair | None = None,
) -> str:
    """A challenge of this anchor that is wrong in one way, signed by both even so."""
    server = server_of(world)
    account = Account(source or server.public_key, sequence)
    builder = TransactionBuilder(account, TESTNET_PASSPHRASE, 100)
    now = int(utcnow().timestamp())
    builder.add_time_bounds(now + bounds[0], now + bounds[1] if bounds[1] else 0)
    (first or data("localhost auth", NONCE, world.payer))(builder)
    for change in changes:
        change(builder)
    envelope = builder.build()
    envelope.sign(signer or server)
    envelope.sign(world.payer)
    return envelope.to_xdr()


def refused(client: Any, envelope: str) -> str:
    answer = client.post("/auth", json={"transaction": envelope})
    assert answer.status_code == 400, answer.text
    return str(answer.json["error"]).lower()


def test_the_forger_can_make_a_good_one(world: World, client: Any) -> None:
    answer = client.post("/auth", json={"transaction": forged(world)})
    assert answer.status_code == 200, answer.text


def by_server(world: World, name: str, value: str | None) -> Change:
    return data(name, value, server_of(world))


WRONG: list[tuple[str, Callable[[World], str], str]] = [
    ("SEP10-47", lambda w: forged(w, source=OTHER.public_key), "source account"),
    ("SEP10-48", lambda w: forged(w, bounds=(0, 0)), "no end"),
    ("SEP10-48", lambda w: forged(w, bounds=(-1000, -100)), "timebounds"),
    ("SEP10-48", lambda w: forged(w, bounds=(1000, 2000)), "timebounds"),
    ("SEP10-49", lambda w: forged(w, first=lambda b: b.append_bump_sequence_op(9)), "managedata"),
    ("SEP10-49", lambda w: forged(w, first=data("localhost auth", NONCE, None)), "source account"),
    (
        "SEP10-50",
        lambda w: forged(w, first=data("evil.example auth", NONCE, w.payer)),
        "home domain",
    ),
    ("E-20", lambda w: forged(w, first=data("evil.example auth", NONCE, w.payer)), "home domain"),
    ("SEP10-50", lambda w: forged(w, first=data("localhost auth", b"n" * 63, w.payer)), "64"),
    ("SEP10-51", lambda w: forged(w, signer=OTHER), "not signed by this server"),
    ("SEP10-52", lambda w: forged(w, sequence=0), "sequence"),
    ("SEP10-53", lambda w: forged(w, lambda b: b.append_bump_sequence_op(9)), "managedata"),
    ("SEP10-53", lambda w: forged(w, data("more", "x", OTHER)), "not this server's"),
    ("SEP10-54", lambda w: forged(w, by_server(w, "web_auth_domain", "evil.example")), "web_auth"),
    ("SEP10-55", lambda w: forged(w, data("client_domain", "wallet.example", WALLET)), "client"),
    ("SEP10-56", lambda w: forged(w, lambda b: b.add_text_memo("7")), "memo"),
    ("SEP10-56", lambda w: forged(w, lambda b: b.add_memo(HashMemo("0" * 64))), "memo"),
]


@pytest.mark.conforms(
    *("SEP10-47", "SEP10-48", "SEP10-49", "SEP10-50", "SEP10-51", "SEP10-52", "SEP10-53"),
    *("SEP10-54", "SEP10-55", "SEP10-56", "E-20", "V-04"),
)
@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        pytest.param(make, reason, id=f"{number}-{at}")
        for at, (number, make, reason) in enumerate(WRONG)
    ],
)
def test_a_challenge_that_is_not_as_it_must_be_is_refused(
    world: World, client: Any, envelope: Callable[[World], str], reason: str
) -> None:
    assert reason in refused(client, envelope(world))


@pytest.mark.conforms("SEP10-36")
def test_further_data_of_the_server_in_any_order_are_no_harm(world: World, client: Any) -> None:
    envelope = forged(
        world, by_server(world, "more", "x"), by_server(world, "web_auth_domain", "localhost")
    )
    assert client.post("/auth", json={"transaction": envelope}).status_code == 200


@pytest.mark.conforms("SEP10-39")
@pytest.mark.parametrize(
    ("ours", "other"),
    [(TESTNET_PASSPHRASE, PUBLIC_PASSPHRASE), (PUBLIC_PASSPHRASE, TESTNET_PASSPHRASE)],
)
def test_a_challenge_is_signed_and_read_for_the_passphrase_of_its_network(
    world: World, ours: str, other: str
) -> None:
    app = create_app(replace(world.settings, network_passphrase=ours))
    client, server = app.test_client(), server_of(world)
    answer: Any = client.get("/auth", query_string={"account": world.payer.public_key}).json
    assert answer["network_passphrase"] == ours

    def signed_for(passphrase: str, *keys: Keypair) -> TransactionEnvelope:
        found = TransactionEnvelope.from_xdr(answer["transaction"], passphrase)
        for each in keys:
            found.sign(each)
        return found

    mark = signed_for(ours).signatures[0].signature
    server.verify(signed_for(ours).hash(), mark)
    with pytest.raises(BadSignatureError):
        server.verify(signed_for(other).hash(), mark)
    refused(client, signed_for(other, world.payer).to_xdr())
    forged_elsewhere = signed_for(other)
    forged_elsewhere.signatures.clear()
    for each in (server, world.payer):
        forged_elsewhere.sign(each)
    refused(client, forged_elsewhere.to_xdr())
    good = {"transaction": signed_for(ours, world.payer).to_xdr()}
    assert client.post("/auth", json=good).status_code == 200
    dispose_of(app)


def accounts_rules(world: World, medium: int, *signers: tuple[Keypair, int]) -> None:
    from stellar_sdk import Signer

    world.fund()
    builder = world.builder(world.payer.public_key)
    for key, weight in signers:
        builder.append_set_options_op(signer=Signer.ed25519_public_key(key.public_key, weight))
    builder.append_set_options_op(med_threshold=medium, high_threshold=medium)
    world.submit(builder, world.payer)


@pytest.mark.conforms("SEP10-57", "SEP10-59", "SEP10-60")
def test_who_signs_twice_or_for_the_server_adds_no_weight(world: World, client: Any) -> None:
    server = server_of(world)
    accounts_rules(world, 2, (OTHER, 1), (server, 5))
    answer = client.get("/auth", query_string={"account": world.payer.public_key})
    challenge = answer.json["transaction"]
    for keys in ((), (world.payer,), (world.payer, world.payer), (world.payer, server)):
        refused(client, signed(challenge, *keys))
    good = signed(challenge, world.payer, OTHER)
    assert client.post("/auth", json={"transaction": good}).status_code == 200


@pytest.mark.conforms("SEP10-62")
def test_a_signer_that_is_no_key_does_not_count(world: World, client: Any) -> None:
    from stellar_sdk import Signer

    world.fund()
    builder = world.builder(world.payer.public_key)
    builder.append_set_options_op(signer=Signer.sha256_hash(b"h" * 32, 5), med_threshold=2)
    world.submit(builder, world.payer)
    answer = client.get("/auth", query_string={"account": world.payer.public_key})
    refused(client, signed(answer.json["transaction"], world.payer))


@pytest.mark.conforms("SEP10-33", "SEP10-64", "SEP10-71", "CAP27-01", "SEP23-03")
@pytest.mark.parametrize("muxed_id", [0, 2**63, 2**64 - 1])
def test_a_muxed_account_logs_in_with_the_signers_of_its_base(
    world: World, client: Any, muxed_id: int
) -> None:
    accounts_rules(world, 2, (OTHER, 1))
    muxed = str(MuxedAccount(world.payer.public_key, muxed_id).account_muxed)
    answer = client.get("/auth", query_string={"account": muxed})
    envelope = TransactionEnvelope.from_xdr(answer.json["transaction"], TESTNET_PASSPHRASE)
    source = envelope.transaction.operations[0].source
    assert source is not None
    assert source.universal_account_id == muxed
    refused(client, signed(answer.json["transaction"], world.payer))
    good = signed(answer.json["transaction"], world.payer, OTHER)
    token = client.post("/auth", json={"transaction": good}).json["token"]
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == muxed


@pytest.mark.conforms("GEN-24", "GEN-26")
@pytest.mark.parametrize("muxed_id", [0, 7])
def test_a_muxed_account_and_the_memo_of_its_id_are_one_customer(
    world: World, client: Any, muxed_id: int
) -> None:
    muxed = str(MuxedAccount(world.payer.public_key, muxed_id).account_muxed)
    answer = client.get("/auth", query_string={"account": muxed})
    good = signed(answer.json["transaction"], world.payer)
    token = client.post("/auth", json={"transaction": good}).json["token"]
    mine = {"Authorization": f"Bearer {token}"}
    same = world.log_in(client, memo=str(muxed_id))
    path = "/sep24/transactions/withdraw/interactive"
    opened = client.post(path, json={"asset_code": "USDC"}, headers=mine).json
    seen = f"/sep24/transaction?id={opened['id']}"
    for headers in (mine, same):
        assert client.get(seen, headers=headers).status_code == 200
    assert client.get(seen, headers=world.log_in(client)).status_code == 404


@pytest.mark.conforms("GEN-24", "GEN-25")
def test_another_memo_of_the_same_account_is_another_customer(world: World, client: Any) -> None:
    mine = world.log_in(client, memo="1")
    path = "/sep24/transactions/withdraw/interactive"
    opened = client.post(path, json={"asset_code": "USDC"}, headers=mine).json
    for query in ({}, {"memo": "2"}):
        other = world.log_in(client, **query)
        assert client.get(f"/sep24/transaction?id={opened['id']}", headers=other).status_code == 404
        listed = client.get("/sep24/transactions?asset_code=USDC", headers=other).json
        assert listed["transactions"] == []


@pytest.mark.conforms("V-07")
def test_one_key_may_log_in_bare_and_with_memos(world: World, client: Any) -> None:
    """The rule against it is not built: off by default is all that there is."""
    for query in ({}, {"memo": "1"}, {"memo": "2"}, {}):
        assert world.log_in(client, **query)


# -- patterns of home domains -------------------------------------------------------------


@pytest.mark.conforms("SEP10-06", "SEP10-50", "SEP10-72")
def test_a_pattern_of_home_domains_stands_for_one_label(world: World, client: Any) -> None:
    house = world.app.extensions["anchor"]
    homes = ("localhost", "*.anchor.example")
    world.app.extensions["anchor"] = replace(
        house, settings=replace(world.settings, home_domains=homes)
    )
    headers = world.log_in(client, home_domain="pay.anchor.example")
    token = headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["home_domain"] == "pay.anchor.example"
    listed = "/sep24/transactions?asset_code=USDC"
    assert client.get(listed, headers=headers).status_code == 200
    for bad in (
        *("anchor.example", "a.b.anchor.example", "*.anchor.example", ".anchor.example"),
        *("PAY.anchor.example", "-.anchor.example", "a b.anchor.example", "pay.anchor.example."),
        "x" * 50 + ".anchor.example",
    ):
        query = {"account": world.payer.public_key, "home_domain": bad}
        assert client.get("/auth", query_string=query).status_code == 400, bad
    world.app.extensions["anchor"] = house
    assert client.get(listed, headers=headers).status_code == 403


# -- any bytes ----------------------------------------------------------------------------


@pytest.mark.conforms("SEP10-46", "SEP45-20", "GEN-13")
def test_no_bytes_make_a_500(world: World) -> None:
    anchor = with_contracts(world)
    client = anchor.app.test_client()
    good = base64.b64decode(forged(anchor))
    doors = (("/auth", "transaction"), (PATH, "authorization_entries"))

    @ANY
    @given(st.binary(max_size=400), st.integers(0, len(good)), st.booleans())
    def post_any(noise: bytes, at: int, whole: bool) -> None:
        raw = noise if whole else good[:at] + noise + good[at + len(noise) :]
        for path, name in doors:
            answer = client.post(path, json={name: base64.b64encode(raw).decode()})
            assert answer.status_code in {200, 400}, (path, raw)

    @ANY
    @given(st.text(max_size=200), st.sampled_from(["json", "data"]))
    def post_text(text: str, how: str) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            return
        for path, name in doors:
            assert client.post(path, **{how: {name: text}}).status_code == 400, (path, text)

    @ANY
    @given(st.text(max_size=80), st.sampled_from(["account", "memo", "home_domain"]))
    def ask_any(text: str, name: str) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            return
        query = {"account": anchor.payer.public_key, "home_domain": "localhost"} | {name: text}
        for path, _ in doors:
            assert client.get(path, query_string=query).status_code in {200, 400}, query

    post_any()
    post_text()
    ask_any()
    dispose()

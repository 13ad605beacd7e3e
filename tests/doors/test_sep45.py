"""SEP-45: contract accounts log in, and nobody else in their name."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from stellar_sdk import Keypair, MuxedAccount, StrKey, scval, xdr
from stellar_sdk.auth import (
    authorization_payload_hash,
    build_authorization_preimage,
    build_with_delegates_entry,
)

from anchor.clock import utcnow
from anchor.config import TESTNET_PASSPHRASE
from anchor.services import client_domains
from anchor.web_auth import contracts
from tests.contracts import (
    PATH,
    Customer,
    address_of,
    arguments,
    call_of,
    dispose,
    parsed,
    part,
    post,
    server_signs,
    verify,
    with_arguments,
    with_contracts,
    written,
)
from tests.front import Front
from tests.visiting import Visitor
from tests.world import ACCOUNT, World

WALLET = Keypair.from_raw_ed25519_seed(b"w" * 32)
DOMAIN = "wallet.example"
KINDS = xdr.SorobanCredentialsType


@pytest.fixture
def anchor(world: World) -> Iterator[World]:
    made = with_contracts(world)
    with made.app.app_context():
        yield made


@pytest.fixture(autouse=True)
def _disposed() -> Iterator[None]:
    yield
    dispose()


@pytest.fixture
def client(anchor: World) -> Any:
    return anchor.app.test_client()


@pytest.fixture
def customer(anchor: World) -> Customer:
    return Customer.of(anchor)


def server_of(world: World) -> str:
    return Keypair.from_secret(world.settings.signing_secret).public_key


def know_wallet(world: World, domain: str = DOMAIN, key: str = WALLET.public_key) -> None:
    """Let the anchor have read the stellar.toml of a wallet, whose account is on the ledger."""
    world.app.extensions["anchor"].client_keys.put((domain, True), key, 60)
    world.create(WALLET.public_key)


def refused(answer: Any, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    assert isinstance(answer.json["error"], str)
    return str(answer.json["error"])


# -- asking for a challenge ---------------------------------------------------------------


@pytest.mark.conforms(
    "SEP45-04", "SEP45-05", "SEP45-06", "SEP45-07", "SEP45-08", "SEP45-10", "E-17"
)
def test_a_challenge_is_what_the_text_says(anchor: World, client: Any, customer: Customer) -> None:
    answer = customer.ask(client)
    assert set(answer.json) == {"authorization_entries", "network_passphrase"}
    assert answer.json["network_passphrase"] == TESTNET_PASSPHRASE
    entries = parsed(answer.json["authorization_entries"])
    assert {address_of(entry) for entry in entries} == {customer.account, server_of(anchor)}
    for entry in entries:
        call = call_of(entry)
        assert not entry.root_invocation.sub_invocations
        assert xdr.SCAddress.from_xdr(call.contract_address.to_xdr()) == call.contract_address
        assert call.function_name.sc_symbol == b"web_auth_verify"
        assert len(call.args) == 1
    first, second = (arguments(entry) for entry in entries)
    assert first == second
    assert list(first) == sorted(first)
    assert first.pop("nonce")
    assert first == {
        "account": customer.account,
        "home_domain": "localhost",
        "web_auth_domain": "localhost",
        "web_auth_domain_account": server_of(anchor),
    }
    (ours,) = (entry for entry in entries if address_of(entry) == server_of(anchor))
    (theirs,) = (entry for entry in entries if entry is not ours)
    assert part(theirs).signature.type == xdr.SCValType.SCV_VOID
    assert part(theirs).signature_expiration_ledger.uint32 == 0
    until = part(ours).signature_expiration_ledger.uint32
    assert 170 < until - anchor.sandbox.network.core.sequence <= 180
    verify(ours, Keypair.from_public_key(server_of(anchor)))


@pytest.mark.conforms("SEP45-05", "SEP45-07", "SEP45-03", "4.1/client_domain")
def test_a_wallet_that_is_verified_has_an_entry_and_its_arguments(
    anchor: World, client: Any, customer: Customer
) -> None:
    know_wallet(anchor)
    entries = parsed(customer.challenge(client, client_domain=DOMAIN))
    assert len(entries) == 3
    (wallet,) = (entry for entry in entries if address_of(entry) == WALLET.public_key)
    assert part(wallet).signature.type == xdr.SCValType.SCV_VOID
    found = arguments(wallet)
    assert found["client_domain"] == DOMAIN
    assert found["client_domain_account"] == WALLET.public_key


@pytest.mark.conforms("SEP45-07")
def test_no_two_challenges_have_the_same_nonce(client: Any, customer: Customer) -> None:
    nonces = {arguments(parsed(customer.challenge(client))[0])["nonce"] for _ in range(10)}
    assert len(nonces) == 10


@pytest.mark.conforms("SEP45-01", "SEP45-02", "4.1/account", "4.1/home_domain")
@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"account": None}, "account"),
        ({"account": ""}, "account"),
        ({"account": "C" + "A" * 55}, "account"),
        ({"account": WALLET.public_key}, "SEP-10"),
        ({"account": MuxedAccount(WALLET.public_key, 5).account_muxed}, "SEP-10"),
        ({"home_domain": None}, "home_domain"),
        ({"home_domain": ""}, "home_domain"),
        ({"home_domain": "elsewhere.example"}, "home_domain"),
    ],
)
def test_a_request_that_is_wrong_gets_no_challenge(
    client: Any, customer: Customer, query: dict[str, Any], word: str
) -> None:
    assert word in refused(customer.ask(client, **query))


@pytest.mark.conforms("SEP45-03")
def test_a_client_domain_is_taken_as_in_sep_10(
    anchor: World, client: Any, customer: Customer
) -> None:
    assert "client_domain" in refused(customer.ask(client, client_domain="localhost:1"))
    assert "client_domain" in refused(customer.ask(client, client_domain="https://a.example/"))
    rules = {"required": False, "allow": [], "deny": ["evil.example"]}
    house = anchor.app.extensions["anchor"]
    settings = replace(anchor.settings, client_domains=rules)
    anchor.app.extensions["anchor"] = replace(house, settings=settings)
    assert len(parsed(customer.challenge(client, client_domain="evil.example"))) == 2


@pytest.mark.conforms("SEP45-02")
def test_each_home_domain_is_served(client: Any, customer: Customer) -> None:
    for domain in ("localhost", "other.example"):
        entries = customer.challenge(client, home_domain=domain)
        assert arguments(parsed(entries)[0])["home_domain"] == domain
        assert post(client, customer.signed(entries)).status_code == 200


# -- getting a token ----------------------------------------------------------------------


@pytest.mark.conforms("SEP45-29", "SEP45-26", "GEN-21", "GEN-29", "E-17")
def test_a_contract_account_gets_a_token(client: Any, customer: Customer) -> None:
    answer = post(client, customer.signed(customer.challenge(client)))
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"token"}
    claims = jwt.decode(answer.json["token"], options={"verify_signature": False})
    assert claims["sub"] == customer.account
    assert claims["iss"] == f"http://localhost{PATH}"
    assert claims["exp"] - claims["iat"] == 86400
    assert claims["home_domain"] == "localhost"
    assert "client_domain" not in claims
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    assert client.get("/sep24/transactions?asset_code=USDC", headers=headers).status_code == 200


@pytest.mark.conforms("SEP45-20")
def test_forms_and_json_are_equally_good(client: Any, customer: Customer) -> None:
    for how in ("data", "json"):
        entries = customer.signed(customer.challenge(client))
        assert client.post(PATH, **{how: {"authorization_entries": entries}}).status_code == 200


@pytest.mark.conforms("SEP45-12", "CAP71-01", "E-18")
@pytest.mark.parametrize("credentials", ["legacy", "address-bound"])
def test_both_forms_of_credentials_log_in(world: World, credentials: str) -> None:
    anchor = with_contracts(world, contract_credentials=credentials)
    customer, client = Customer.of(anchor), anchor.app.test_client()
    entries = customer.challenge(client)
    wanted = {
        "legacy": KINDS.SOROBAN_CREDENTIALS_ADDRESS,
        "address-bound": KINDS.SOROBAN_CREDENTIALS_ADDRESS_V2,
    }
    assert {entry.credentials.type for entry in parsed(entries)} == {wanted[credentials]}
    assert post(client, customer.signed(entries)).status_code == 200


@pytest.mark.conforms("SEP45-12", "E-18")
def test_a_wallet_may_answer_in_the_other_form(client: Any, customer: Customer) -> None:
    """Whoever signs chooses the form of the own entry; the server's stays as it was signed."""
    read = parsed(customer.challenge(client))
    for entry in read:
        if address_of(entry) == customer.account:
            kind = KINDS.SOROBAN_CREDENTIALS_ADDRESS_V2
            entry.credentials = xdr.SorobanCredentials(kind, address_v2=part(entry))
    assert post(client, customer.signed(written(read))).status_code == 200


@pytest.mark.conforms("SEP45-12")
@pytest.mark.parametrize("form", ["delegates", "source"])
def test_other_credentials_are_refused(client: Any, customer: Customer, form: str) -> None:
    read = parsed(customer.signed(customer.challenge(client)))
    for at, entry in enumerate(read):
        if address_of(entry) == customer.account and form == "delegates":
            read[at] = build_with_delegates_entry(entry, 10_000, [])
        elif address_of(entry) == customer.account:
            kind = KINDS.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
            entry.credentials = xdr.SorobanCredentials(kind)
            break
    refused(post(client, written(read)))


@pytest.mark.conforms("SEP45-23", "SEP45-29")
def test_a_challenge_earns_one_token(client: Any, customer: Customer) -> None:
    challenge = customer.challenge(client)
    entries = customer.signed(challenge)
    assert post(client, entries).status_code == 200
    assert "before" in refused(post(client, entries))
    again = customer.signed(challenge, until=customer.world.sandbox.network.core.sequence + 9)
    assert "before" in refused(post(client, again))


@pytest.mark.conforms("SEP45-23")
def test_one_of_many_at_once_gets_the_token(anchor: World, customer: Customer) -> None:
    entries = customer.signed(customer.challenge(anchor.app.test_client()))

    def once(_number: int) -> int:
        return int(post(anchor.app.test_client(), entries).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(once, range(8))) == [200] + [400] * 7


@pytest.mark.conforms("SEP45-23")
def test_a_challenge_ends_with_its_time(
    client: Any, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age_s, is_good in ((890, True), (905, False)):
        then = utcnow() - timedelta(seconds=age_s)
        monkeypatch.setattr(contracts, "utcnow", lambda then=then: then)
        entries = customer.signed(customer.challenge(client))
        monkeypatch.undo()
        if is_good:
            assert post(client, entries).status_code == 200
        else:
            assert "expired" in refused(post(client, entries))


@pytest.mark.conforms("SEP45-09", "SEP45-27", "SEP45-28")
def test_signatures_end_with_their_ledgers(anchor: World, client: Any, customer: Customer) -> None:
    """The server's own after 180 ledgers, the wallet's when the wallet said."""
    network = anchor.sandbox.network
    lasting = customer.signed(customer.challenge(client), until=network.core.sequence + 10_000)
    short = customer.signed(customer.challenge(client), until=network.core.sequence + 1)
    for _ in range(3):
        network.close_ledger()
    refused(post(client, short))
    for _ in range(180):
        network.close_ledger()
    refused(post(client, lasting))


@pytest.mark.conforms("SEP45-24", "SEP45-25", "SEP45-26")
def test_every_signature_is_needed(anchor: World, client: Any, customer: Customer) -> None:
    know_wallet(anchor)
    stranger = Customer(anchor, Keypair.random(), customer.account)
    entries = customer.challenge(client, client_domain=DOMAIN)
    for bad in (
        entries,
        customer.signed(entries),
        stranger.signed(entries, WALLET),
        Customer(anchor, customer.key, "").signed(entries, WALLET),
    ):
        refused(post(client, bad))
    answer = post(client, customer.signed(entries, WALLET))
    claims = jwt.decode(answer.json["token"], options={"verify_signature": False})
    assert claims["client_domain"] == DOMAIN


# -- what may not come back ---------------------------------------------------------------


def drop(which: int) -> Callable[[World, Customer, str], str]:
    def change(world: World, customer: Customer, entries: str) -> str:
        order = [customer.account, server_of(world), WALLET.public_key]
        return written([e for e in parsed(entries) if address_of(e) != order[which]])

    return change


def arguments_become(**changes: str | None) -> Callable[[World, Customer, str], str]:
    """Change arguments, in all entries; both parties sign it, as a thief of keys could."""

    def change(world: World, customer: Customer, entries: str) -> str:
        def act(found: dict[str, str]) -> None:
            for name, value in changes.items():
                if value is None:
                    found.pop(name)
                else:
                    found[name] = value

        return server_signs(world, customer.signed(with_arguments(entries, act), WALLET))

    return change


def call_becomes(act: Callable[[Any], object]) -> Callable[[World, Customer, str], str]:
    def change(world: World, customer: Customer, entries: str) -> str:
        read = parsed(entries)
        for entry in read:
            act(entry)
        return server_signs(world, customer.signed(written(read), WALLET))

    return change


def one_differs(world: World, customer: Customer, entries: str) -> str:
    read = parsed(entries)
    other = parsed(with_arguments(entries, lambda found: found.update(nonce="x" * 64)))
    read[0] = other[0]
    return server_signs(world, customer.signed(written(read), WALLET))


def twice(world: World, customer: Customer, entries: str) -> str:
    read = parsed(customer.signed(entries, WALLET))
    return written([*read, read[0]])


def unasked(world: World, customer: Customer, entries: str) -> str:
    extra = parsed(customer.signed(entries, WALLET))
    extra_one = parsed(entries)[0]
    part(extra_one).address = scval.to_address(Keypair.random().public_key).address
    return written([*extra, extra_one])


def not_by_the_server(world: World, customer: Customer, entries: str) -> str:
    read = parsed(customer.signed(entries, WALLET))
    for entry in read:
        if address_of(entry) == server_of(world):
            part(entry).signature = scval.to_void()
    return written(read)


def other_expiry(world: World, customer: Customer, entries: str) -> str:
    """The wallet makes the server's signature live longer than it was made for."""
    read = parsed(customer.signed(entries, WALLET))
    for entry in read:
        if address_of(entry) == server_of(world):
            part(entry).signature_expiration_ledger = xdr.Uint32(2**32 - 1)
    return written(read)


def wrong_key(world: World, customer: Customer, entries: str) -> str:
    """Somebody else signs in the server's place."""
    read = parsed(customer.signed(entries, WALLET))
    for entry in read:
        if address_of(entry) == server_of(world):
            key = Keypair.random()
            (signature,) = scval.from_vec(part(entry).signature)
            fields = scval.from_map(signature)
            until = part(entry).signature_expiration_ledger.uint32
            preimage = build_authorization_preimage(entry, until, TESTNET_PASSPHRASE)
            signed = key.sign(authorization_payload_hash(preimage))
            fields[scval.to_symbol("public_key")] = scval.to_bytes(key.raw_public_key())
            fields[scval.to_symbol("signature")] = scval.to_bytes(signed)
            part(entry).signature = scval.to_vec([scval.to_map(fields)])
    return written(read)


def new_nonce(life_s: int) -> str:
    return contracts._new_nonce(life_s)


OTHER_CONTRACT = "CALI6JC3MSNDGFRP7Z2OKUEPREHOJRRXKMJEWQDEFZPFGXALA45RAUTH"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param(drop(0), "client", marks=pytest.mark.conforms("SEP45-25")),
        pytest.param(drop(1), "server", marks=pytest.mark.conforms("SEP45-24")),
        pytest.param(drop(2), "client domain", marks=pytest.mark.conforms("SEP45-25")),
        pytest.param(twice, "two entries", marks=pytest.mark.conforms("SEP45-25")),
        pytest.param(unasked, "unrecognized", marks=pytest.mark.conforms("SEP45-25")),
        pytest.param(not_by_the_server, "", marks=pytest.mark.conforms("SEP45-24")),
        pytest.param(other_expiry, "server", marks=pytest.mark.conforms("SEP45-24", "SEP45-27")),
        pytest.param(wrong_key, "server", marks=pytest.mark.conforms("SEP45-24")),
        pytest.param(one_differs, "inconsistent", marks=pytest.mark.conforms("SEP45-21")),
        pytest.param(
            arguments_become(home_domain="evil.example"),
            "home_domain",
            marks=pytest.mark.conforms("SEP45-21"),
        ),
        pytest.param(
            arguments_become(web_auth_domain="evil.example"),
            "web_auth_domain",
            marks=pytest.mark.conforms("SEP45-21"),
        ),
        pytest.param(
            arguments_become(web_auth_domain_account=WALLET.public_key),
            "web_auth_domain_account",
            marks=pytest.mark.conforms("SEP45-21"),
        ),
        pytest.param(
            arguments_become(client_domain=None),
            "client_domain",
            marks=pytest.mark.conforms("SEP45-22"),
        ),
        pytest.param(
            arguments_become(client_domain_account=None),
            "client_domain",
            marks=pytest.mark.conforms("SEP45-22"),
        ),
        pytest.param(arguments_become(nonce=None), "", marks=pytest.mark.conforms("SEP45-23")),
        pytest.param(arguments_become(nonce="x"), "", marks=pytest.mark.conforms("SEP45-23")),
        pytest.param(
            arguments_become(nonce=base64.b64encode(b"\xff" * 48).decode()),
            "",
            marks=pytest.mark.conforms("SEP45-23"),
        ),
        pytest.param(
            arguments_become(nonce=new_nonce(-1)),
            "expired",
            marks=pytest.mark.conforms("SEP45-23"),
        ),
        pytest.param(arguments_become(more="x"), "other arguments"),
        pytest.param(
            call_becomes(
                lambda entry: setattr(
                    call_of(entry),
                    "contract_address",
                    scval.to_address(OTHER_CONTRACT).address,
                )
            ),
            "contract",
            marks=pytest.mark.conforms("SEP45-21"),
        ),
        pytest.param(
            call_becomes(
                lambda entry: setattr(
                    call_of(entry), "function_name", xdr.SCSymbol(b"web_auth_other")
                )
            ),
            "function",
            marks=pytest.mark.conforms("SEP45-21"),
        ),
        pytest.param(
            call_becomes(lambda entry: setattr(call_of(entry), "args", [])),
            "",
            marks=pytest.mark.conforms("SEP45-21"),
        ),
        pytest.param(
            call_becomes(
                lambda entry: entry.root_invocation.sub_invocations.append(
                    xdr.SorobanAuthorizedInvocation(entry.root_invocation.function, [])
                )
            ),
            "sub-invocations",
            marks=pytest.mark.conforms("SEP45-21"),
        ),
    ],
)
def test_a_challenge_that_is_not_as_it_was_is_refused(
    anchor: World,
    client: Any,
    customer: Customer,
    change: Callable[[World, Customer, str], str],
    word: str,
) -> None:
    """Each with every signature in order, as far as it can be."""
    know_wallet(anchor)
    entries = customer.challenge(client, client_domain=DOMAIN)
    assert word.lower() in refused(post(client, change(anchor, customer, entries))).lower()
    assert post(client, customer.signed(entries, WALLET)).status_code == 200


@pytest.mark.conforms("SEP45-22", "SEP45-23")
def test_what_the_server_did_not_sign_is_not_issued_by_it(
    anchor: World, client: Any, customer: Customer
) -> None:
    """Nonce, account and the key of the client domain: all as issued, or no token (ADR 024)."""
    know_wallet(anchor)
    thief = Keypair.random()
    entries = customer.challenge(client, client_domain=DOMAIN)
    for change in (
        {"nonce": new_nonce(900)},
        {"client_domain_account": thief.public_key},
        {"client_domain": "rich.example"},
        {"home_domain": "other.example"},
    ):
        changed = with_arguments(entries, lambda found, change=change: found.update(change))
        read = parsed(changed)
        for entry in read:
            if address_of(entry) == WALLET.public_key and "client_domain_account" in change:
                part(entry).address = scval.to_address(thief.public_key).address
        signed = customer.signed(written(read), WALLET, thief)
        assert "server" in refused(post(client, signed))


@pytest.mark.conforms("SEP45-20", "GEN-13")
@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "x", "AAAA", "%%%", "é", "\x00", 5, [], {}, True, ["AAAA"], "A" * 64_001),
        base64.b64encode(b"\x7f\xff\xff\xff").decode(),
        base64.b64encode(b"\x00\x00\x00\x02" + b"\x00" * 400).decode(),
        base64.b64encode(b"\x00\x00\x00\x01" * 4_000).decode(),
    ],
)
def test_what_are_no_entries_is_refused(client: Any, value: Any) -> None:
    refused(post(client, value))


@pytest.mark.conforms("SEP45-20")
def test_cut_or_bent_entries_are_refused_and_never_a_surprise(
    client: Any, customer: Customer
) -> None:
    whole = customer.signed(customer.challenge(client))
    raw = base64.b64decode(whole)
    for at in range(0, len(raw), 37):
        refused(post(client, base64.b64encode(raw[:at]).decode()))
        bent = raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]
        answer = post(client, base64.b64encode(bent).decode())
        if answer.status_code == 200:  # what the reader forgives leaves it the same challenge
            claims = jwt.decode(answer.json["token"], options={"verify_signature": False})
            assert claims["sub"] == customer.account
            whole = customer.signed(customer.challenge(client))
            raw = base64.b64decode(whole)
        else:
            refused(answer)
    assert post(client, whole).status_code == 200


# -- the ledger ---------------------------------------------------------------------------


@pytest.mark.conforms("SEP45-11", "SEP45-28", "1.5/upstream down")
def test_no_challenge_and_no_token_while_the_ledger_cannot_be_asked(world: World) -> None:
    """Promise 14: the RPC is away, for a while."""
    with Front(world.sandbox.url) as front:
        anchor = with_contracts(world, f"{front.url}/rpc")
        customer, client = Customer.of(anchor), anchor.app.test_client()
        entries = customer.signed(customer.challenge(client))
        front.off()
        refused(customer.ask(client), 503)
        refused(post(client, entries), 503)
        front.on()
        assert post(client, entries).status_code == 200


@pytest.mark.conforms("SEP45-28")
def test_a_contract_that_is_gone_takes_no_signatures(
    anchor: World, client: Any, customer: Customer
) -> None:
    entries = customer.signed(customer.challenge(client))
    anchor.sandbox.network.contracts.archived.add(anchor.settings.web_auth.contract_id or "")
    refused(post(client, entries))
    refused(customer.ask(client), 503)
    anchor.sandbox.network.contracts.archived.clear()
    assert post(client, entries).status_code == 200


@pytest.mark.conforms("SEP45-28")
def test_an_account_that_is_no_contract_on_the_ledger_gets_no_token(
    anchor: World, client: Any
) -> None:
    nobody = Customer(anchor, Keypair.random(), OTHER_CONTRACT)
    refused(post(client, nobody.signed(nobody.challenge(client))))


@pytest.mark.conforms("SEP45-40")
def test_a_contract_that_does_not_ask_for_the_server_is_told_to_the_operator(
    world: World,
) -> None:
    """Another contract than one of SEP-45 makes no challenges: 500, and no secret about it."""
    anchor = with_contracts(world, contract_id=OTHER_CONTRACT)
    refused(Customer.of(anchor).ask(anchor.app.test_client()), 503)


# -- tokens -------------------------------------------------------------------------------


@pytest.mark.conforms("GEN-21", "GEN-23")
def test_tokens_of_the_two_doors_are_not_taken_for_each_other(
    anchor: World, client: Any, customer: Customer
) -> None:
    secret = str(anchor.settings.jwt_secret)
    bearer = customer.log_in(client)["Authorization"].removeprefix("Bearer ")
    good = jwt.decode(bearer, options={"verify_signature": False})
    sep10 = {"iss": "http://localhost/auth"}
    for change in (
        sep10,
        {"sub": anchor.payer.public_key},
        {"sub": f"{customer.account}:5"},
        {"sub": MuxedAccount(anchor.payer.public_key, 5).account_muxed},
        {"iss": "http://localhost/sep45"},
    ):
        text = jwt.encode(good | change, secret, algorithm="HS256")
        headers = {"Authorization": f"Bearer {text}"}
        answer = client.get("/sep24/transactions?asset_code=USDC", headers=headers)
        assert answer.status_code == 403, change
    text = jwt.encode(good | sep10 | {"sub": anchor.payer.public_key}, secret, algorithm="HS256")
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/sep24/transactions?asset_code=USDC", headers=headers).status_code == 200


@pytest.mark.conforms("GEN-23")
def test_where_sep_45_is_off_its_tokens_are_nothing(
    world: World, client: Any, customer: Customer
) -> None:
    headers = customer.log_in(client)
    off = world.app.test_client()
    assert off.get("/sep24/transactions?asset_code=USDC", headers=headers).status_code == 403
    assert off.get(PATH).status_code == 404


@pytest.mark.conforms("GEN-24", "GEN-29", "GEN-39")
def test_a_contract_account_is_told_what_cannot_be_paid_and_may_name_who_pays(
    anchor: World, client: Any, customer: Customer
) -> None:
    headers, other = customer.log_in(client), anchor.log_in(client)
    path = "/sep24/transactions/{}/interactive"
    nowhere = {"asset_code": "USDC", "account": StrKey.encode_contract(bytes(32))}
    answer = client.post(path.format("deposit"), json=nowhere, headers=headers)
    assert "not on the ledger" in refused(answer)
    listed = client.get("/sep24/transactions?asset_code=USDC", headers=headers)
    assert listed.json["transactions"] == []
    payer = {"asset_code": "USDC", "account": anchor.payer.public_key}
    opened = client.post(path.format("withdraw"), json=payer, headers=headers)
    assert opened.status_code == 200, opened.text
    seen = f"/sep24/transaction?id={opened.json['id']}"
    assert client.get(seen, headers=headers).status_code == 200
    assert client.get(seen, headers=other).status_code == 404
    row = anchor.row(opened.json["id"])
    assert (row.owner_account, row.from_account) == (customer.account, anchor.payer.public_key)


@pytest.mark.conforms("CAP67-03")
def test_who_logged_in_by_a_contract_is_given_an_id_to_pay_under(
    anchor: World, client: Any, customer: Customer
) -> None:
    headers = customer.log_in(client)
    path = "/sep24/transactions/withdraw/interactive"
    body = {"asset_code": "USDC", "amount": "100", "account": anchor.payer.public_key}
    opened = client.post(path, json=body, headers=headers).json
    Visitor(client, opened["url"]).fill_in(bank_account_number=ACCOUNT)
    found = client.get(f"/sep24/transaction?id={opened['id']}", headers=headers).json["transaction"]
    assert found["status"] == "pending_user_transfer_start"
    assert found["withdraw_memo_type"] == "id"
    assert 0 <= int(found["withdraw_memo"]) < 2**64


@pytest.mark.conforms("SEP45-43", "GEN-02", "GEN-04", "GEN-05")
def test_browsers_of_any_origin_may_log_in(client: Any, customer: Customer) -> None:
    origin = {"Origin": "https://wallet.example"}
    query = {"account": customer.account, "home_domain": "localhost"}
    good = client.get(PATH, query_string=query, headers=origin)
    bad = client.post(PATH, json={}, headers=origin)
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Content-Type, Authorization",
    }
    preflight = client.options(PATH, headers=origin | asked)
    assert (good.status_code, bad.status_code, preflight.status_code) == (200, 400, 200)
    for answer in (good, bad, preflight):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


def test_client_domains_are_asked_once_in_five_minutes(anchor: World) -> None:
    """The lives of what is remembered are as documented."""
    assert (client_domains.KEY_S, client_domains.FAILURE_S) == (300, 10)


@pytest.mark.conforms("SEP45-13", "1.5/rate limited")
def test_too_many_challenges_are_refused_in_json(world: World) -> None:
    few = replace(world.settings.limits, costly_address_per_minute=1)
    limited = replace(world, settings=replace(world.settings, limits=few, redis_url=None))
    anchor = with_contracts(limited)
    client, customer = anchor.app.test_client(), Customer.of(anchor)
    assert customer.ask(client).status_code == 200
    answer = customer.ask(client)
    assert answer.status_code == 429
    assert answer.json["error"]
    dispose()


def test_a_domain_that_shows_our_own_key_is_no_wallet(
    anchor: World, client: Any, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever puts our SIGNING_KEY into a stellar.toml gets no challenge, and no alarm rings."""
    know_wallet(anchor, key=server_of(anchor))
    told = "the SIGNING_KEY of client_domain is this server's own"
    assert refused(customer.ask(client, client_domain=DOMAIN)) == told
    query = {"account": anchor.payer.public_key, "client_domain": DOMAIN}
    assert refused(client.get("/auth", query_string=query)) == told
    assert caplog.text == ""

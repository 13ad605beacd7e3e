"""The two contracts of the sandbox and its RPC, as the SDK's own client of SEP-45 sees them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from stellar_sdk import Account, Keypair, Network, SorobanServer, TransactionBuilder, scval, xdr
from stellar_sdk.auth import authorize_entry
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.sep.exceptions import InvalidSep45ChallengeError
from stellar_sdk.sep.stellar_soroban_web_authentication import (
    build_challenge_authorization_entries,
    verify_challenge_authorization_entries,
)

from anchor.sandbox.network import Sandbox

PASSPHRASE = Network.TESTNET_NETWORK_PASSPHRASE
SERVER, WALLET, KEY, OTHER = (Keypair.from_raw_ed25519_seed(bytes([n] * 32)) for n in range(4))


@pytest.fixture
def rpc(sandbox: Sandbox) -> Iterator[SorobanServer]:
    for key in (SERVER, WALLET):
        requests.get(f"{sandbox.url}/friendbot", params={"addr": key.public_key}, timeout=10)
    with SorobanServer(f"{sandbox.url}/rpc", RequestsClient(num_retries=0)) as made:
        yield made


def account_of(sandbox: Sandbox, key: Keypair) -> str:
    answer = requests.post(
        f"{sandbox.url}/sandbox/contract-account", data={"key": key.public_key}, timeout=10
    )
    return str(answer.json()["contract"])


def challenge(sandbox: Sandbox, rpc: SorobanServer, account: str, **options: Any) -> str:
    return build_challenge_authorization_entries(
        rpc,
        SERVER.secret,
        account,
        "anchor.example",
        "auth.example",
        sandbox.network.contracts.web_auth,
        PASSPHRASE,
        **options,
    )


def signed(entries: str, *keys: Keypair, until: int = 1000, network: str = PASSPHRASE) -> str:
    """Sign the entries that the server left void, in their order, each with the next key."""
    left = list(keys)
    read = xdr.SorobanAuthorizationEntries.from_xdr(entries).soroban_authorization_entries
    for at, entry in enumerate(read):
        by = entry.credentials.address or entry.credentials.address_v2
        assert by is not None
        if by.signature.type == xdr.SCValType.SCV_VOID and left:
            read[at] = authorize_entry(entry, left.pop(0), until, network)
    return xdr.SorobanAuthorizationEntries(read).to_xdr()


def verify(sandbox: Sandbox, rpc: SorobanServer, entries: str) -> str:
    return verify_challenge_authorization_entries(
        rpc,
        entries,
        SERVER.public_key,
        "anchor.example",
        "auth.example",
        sandbox.network.contracts.web_auth,
        PASSPHRASE,
    ).client_account_id


@pytest.mark.parametrize("upgraded", [False, True])
@pytest.mark.parametrize("with_domain", [False, True])
def test_an_account_contract_is_authenticated_by_its_key(
    sandbox: Sandbox, rpc: SorobanServer, upgraded: bool, with_domain: bool
) -> None:
    account = account_of(sandbox, KEY)
    domain = {"client_domain": "wallet.example", "client_domain_account": WALLET.public_key}
    options = domain if with_domain else {}
    entries = challenge(sandbox, rpc, account, use_upgraded_auth=upgraded, **options)
    read = xdr.SorobanAuthorizationEntries.from_xdr(entries).soroban_authorization_entries
    kinds = {entry.credentials.type.name for entry in read}
    assert kinds == {"SOROBAN_CREDENTIALS_ADDRESS" + ("_V2" if upgraded else "")}
    assert len(read) == (3 if with_domain else 2)
    keys = (KEY, WALLET) if with_domain else (KEY,)
    until = sandbox.network.core.sequence + 10
    assert verify(sandbox, rpc, signed(entries, *keys, until=until)) == account
    for wrong in ((), (OTHER,), (WALLET,) * len(keys)):
        with pytest.raises(InvalidSep45ChallengeError, match="HostError"):
            verify(sandbox, rpc, signed(entries, *wrong, until=until))
    for options in ({"until": 1}, {"until": until, "network": "Another Network"}):
        with pytest.raises(InvalidSep45ChallengeError, match="HostError"):
            verify(sandbox, rpc, signed(entries, *keys, **options))


def test_a_signature_counts_until_its_ledger_and_no_longer(
    sandbox: Sandbox, rpc: SorobanServer
) -> None:
    account = account_of(sandbox, KEY)
    now = sandbox.network.core.sequence
    entries = signed(challenge(sandbox, rpc, account, expire_in_ledgers=5), KEY, until=now + 100)
    verify(sandbox, rpc, entries)
    while sandbox.network.core.sequence < now + 6:
        sandbox.network.close_ledger()
    with pytest.raises(InvalidSep45ChallengeError, match="expired"):
        verify(sandbox, rpc, entries)


def test_credentials_of_the_other_form_do_not_fit_a_signature(
    sandbox: Sandbox, rpc: SorobanServer
) -> None:
    """CAP-71: version 2 signs its address as well."""
    entries = signed(
        challenge(sandbox, rpc, account_of(sandbox, KEY), use_upgraded_auth=False), KEY
    )
    read = xdr.SorobanAuthorizationEntries.from_xdr(entries)
    for entry in read.soroban_authorization_entries:
        kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_ADDRESS_V2
        entry.credentials = xdr.SorobanCredentials(kind, address_v2=entry.credentials.address)
    with pytest.raises(InvalidSep45ChallengeError, match="HostError"):
        verify(sandbox, rpc, read.to_xdr())


def test_an_account_that_is_not_there_authorizes_nothing(
    sandbox: Sandbox, rpc: SorobanServer
) -> None:
    missing = {"client_domain": "x.example", "client_domain_account": OTHER.public_key}
    entries = challenge(sandbox, rpc, account_of(sandbox, KEY), **missing)
    with pytest.raises(InvalidSep45ChallengeError, match="not there"):
        verify(sandbox, rpc, signed(entries, KEY, OTHER))
    entries = challenge(sandbox, rpc, sandbox.network.contracts.web_auth)
    with pytest.raises(InvalidSep45ChallengeError, match="no account contract"):
        verify(sandbox, rpc, signed(entries, KEY))


def test_a_contract_that_is_archived_cannot_be_called(sandbox: Sandbox, rpc: SorobanServer) -> None:
    contract = sandbox.network.contracts.web_auth
    assert rpc.get_contract_data(contract, scval_key()) is not None
    knob = f"{sandbox.url}/sandbox/archive"
    requests.post(knob, json={"contract": contract}, timeout=10).raise_for_status()
    assert rpc.get_contract_data(contract, scval_key()) is None
    with pytest.raises(ValueError, match="No authorization entries"):
        challenge(sandbox, rpc, account_of(sandbox, KEY))
    requests.post(knob, json={"contract": contract, "archived": False}, timeout=10)
    challenge(sandbox, rpc, account_of(sandbox, KEY))


def scval_key() -> xdr.SCVal:
    return xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)


def test_the_rpc_tells_of_its_network(sandbox: Sandbox, rpc: SorobanServer) -> None:
    assert rpc.get_health().status == "healthy"
    assert rpc.get_network().passphrase == PASSPHRASE
    latest = rpc.get_latest_ledger()
    assert latest.sequence == sandbox.network.core.sequence
    assert latest.id == sandbox.network.core.hash.hex()


def test_an_account_contract_outlives_a_restart(tmp_path: Any) -> None:
    file = tmp_path / "network.jsonl"
    with Sandbox(state_file=file) as first:
        account = account_of(first, KEY)
        assert account_of(first, KEY) == account
    with Sandbox(state_file=file) as second:
        assert second.network.contracts.keys == {account: KEY.public_key}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"method": "getHealth"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "sendTransaction"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "getLedgerEntries"}', -32602),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "getLedgerEntries", "params": {"keys": ["x"]}}',
            -32602,
        ),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "simulateTransaction", "params": {}}',
            -32602,
        ),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "getHealth", "params": [1]}', -32602),
    ],
)
def test_a_call_that_is_wrong_is_answered_with_its_code(
    sandbox: Sandbox, body: bytes, code: int
) -> None:
    answer = requests.post(f"{sandbox.url}/rpc", data=body, timeout=10)
    assert answer.status_code == 200
    assert json.loads(answer.text)["error"]["code"] == code


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        [scval.to_string("x")],
        [scval.to_map({scval.to_string("account"): scval.to_string("x")})],
        [scval.to_struct({"account": scval.to_string("x")})],
        [scval.to_struct({"account": scval.to_int32(5)})],
    ],
)
def test_arguments_of_another_shape_fail(
    sandbox: Sandbox, rpc: SorobanServer, parameters: list[xdr.SCVal]
) -> None:
    contract = sandbox.network.contracts.web_auth
    for name in ("web_auth_verify", "other"):
        builder = TransactionBuilder(Account(OTHER.public_key, 0), PASSPHRASE).add_time_bounds(0, 0)
        builder.append_invoke_contract_function_op(contract, name, parameters)
        assert "HostError" in str(rpc.simulate_transaction(builder.build()).error)

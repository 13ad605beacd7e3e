"""Payments by the contract of an asset: what moves, and what Horizon and the RPC tell of it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests
from stellar_sdk import Address, Asset, Server, scval, xdr
from stellar_sdk.client.requests_client import RequestsClient

from anchor.sandbox.network import Sandbox
from tests.sandbox.contract_world import PASSPHRASE, Place, call_of, muxed
from tests.sandbox.ledger import address, key


@pytest.fixture
def place(sandbox: Sandbox) -> Place:
    return Place.of(sandbox)


def events(place: Place, path: str, cursor: str, limit: int) -> Iterator[dict[str, Any]]:
    """The records of a stream, which ends after `limit` of them."""
    with requests.get(
        place.sandbox.url + path,
        params={"cursor": cursor, "limit": str(limit)},
        headers={"Accept": "text/event-stream"},
        stream=True,
        timeout=10,
    ) as answer:
        for line in answer.iter_lines():
            if line.startswith(b"data: {"):
                yield json.loads(line.removeprefix(b"data: "))


def test_a_contract_is_paid_and_pays_back_to_a_muxed_account(place: Place) -> None:
    paid = place.pay(address("alice"), "alice", place.carol, "30")
    assert (place.holds(place.carol), place.line("alice")) == (30, 970)
    back = place.pay(place.carol, "carol", muxed("bob", 77), "12.5", relayer="alice")
    assert (place.holds(place.carol), place.line("bob")) == (Decimal("17.5"), Decimal("12.5"))
    for name, hashes in (("alice", [paid, back]), ("bob", [back])):
        for kind in ("payments", "operations"):
            listed = place.records(f"/accounts/{address(name)}/{kind}")
            found = [each for each in listed if each["type"] == "invoke_host_function"]
            assert [each["transaction_hash"] for each in found] == hashes
        listed = place.records(f"/accounts/{address(name)}/transactions")
        assert {each["hash"] for each in listed} >= set(hashes)
    (asset,) = place.records("/assets")
    assert (asset["num_contracts"], asset["contracts_amount"]) == (1, "17.5000000")
    assert asset["balances"]["authorized"] == "982.5000000"


def test_the_record_of_a_payment_has_horizons_fields_in_their_order(place: Place) -> None:
    place.pay(address("alice"), "alice", place.carol, "30")
    back = place.pay(place.carol, "carol", muxed("bob", 77), "12.5", relayer="alice")
    (record,) = place.records(f"/transactions/{back}/payments")
    assert [*record][-5:] == [
        "function",
        "parameters",
        "address",
        "salt",
        "asset_balance_changes",
    ]
    assert (record["type"], record["type_i"]) == ("invoke_host_function", 24)
    assert record["source_account"] == address("alice")
    assert record["function"] == "HostFunctionTypeHostFunctionTypeInvokeContract"
    assert (record["address"], record["salt"]) == ("", "")
    assert [each["type"] for each in record["parameters"]] == [
        "Address",
        "Sym",
        "Address",
        "Address",
        "I128",
    ]
    assert [scval.to_native(each["value"]) for each in record["parameters"]] == [
        Address(place.usd.contract_id(PASSPHRASE)),
        "transfer",
        Address(place.carol),
        Address(muxed("bob", 77)),
        125_000_000,
    ]
    (change,) = record["asset_balance_changes"]
    assert [*change.items()] == [
        ("asset_type", "credit_alphanum4"),
        ("asset_code", "USD"),
        ("asset_issuer", address("issuer")),
        ("type", "transfer"),
        ("from", place.carol),
        ("to", address("bob")),
        ("amount", "12.5000000"),
        ("destination_muxed_id", "77"),
    ]


def test_the_sdk_reads_the_record_and_its_transaction(place: Place) -> None:
    hash_ = place.pay(address("alice"), "alice", place.carol, "30")
    with Server(place.sandbox.url, RequestsClient(num_retries=0)) as server:
        call = server.payments().for_account(address("alice")).join("transactions")
        record = call.order(desc=True).limit(1).call()["_embedded"]["records"][0]
        assert server.operations().operation(record["id"]).call()["id"] == record["id"]
    told = record["transaction"]
    assert (told["hash"], told["memo_type"], told["operation_count"]) == (hash_, "none", 1)
    result = xdr.TransactionResult.from_xdr(told["result_xdr"])
    assert str(result.fee_charged.int64) == told["fee_charged"]
    (outcome,) = result.result.results or []
    assert outcome.tr is not None
    assert outcome.tr.invoke_host_function_result is not None
    topics = [
        scval.to_symbol("transfer"),
        scval.to_address(address("alice")),
        scval.to_address(place.carol),
        scval.to_string(f"USD:{address('issuer')}"),
    ]
    event = xdr.ContractEvent(
        xdr.ExtensionPoint(0),
        Address(place.usd.contract_id(PASSPHRASE)).to_xdr_sc_address().contract_id,
        xdr.ContractEventType.CONTRACT,
        xdr.ContractEventBody(0, xdr.ContractEventV0(topics, scval.to_int128(300_000_000))),
    )
    preimage = xdr.InvokeHostFunctionSuccessPreImage(scval.to_void(), [event])
    success = outcome.tr.invoke_host_function_result.success
    assert success == xdr.Hash(sha256(preimage.to_xdr_bytes()).digest())


def test_what_the_issuer_pays_is_minted_and_what_it_gets_is_burned(place: Place) -> None:
    minted = place.pay(address("issuer"), "issuer", place.carol, "5")
    muxed_mint = place.pay(address("issuer"), "issuer", muxed("bob", 9), "3")
    burned = place.pay(place.carol, "carol", muxed("issuer", 4), "2", relayer="alice")
    asset = {
        "asset_type": "credit_alphanum4",
        "asset_code": "USD",
        "asset_issuer": address("issuer"),
    }
    told = {
        minted: {"type": "mint", "to": place.carol, "amount": "5.0000000"},
        muxed_mint: {
            "type": "mint",
            "to": address("bob"),
            "amount": "3.0000000",
            "destination_muxed_id": "9",
        },
        burned: {"type": "burn", "from": place.carol, "amount": "2.0000000"},
    }
    for hash_, change in told.items():
        (record,) = place.records(f"/transactions/{hash_}/operations")
        assert record["asset_balance_changes"] == [asset | change]
    assert place.holds(place.carol) == 3
    listed = place.records(f"/accounts/{address('issuer')}/payments")
    assert burned not in [each["transaction_hash"] for each in listed]


@pytest.mark.parametrize(
    ("sender", "to", "told"),
    [
        ("alice", "carol", [("account_debited", "alice"), ("contract_credited", "alice")]),
        ("carol", "bob", [("contract_debited", "alice"), ("account_credited", "bob")]),
        ("carol", "dave", [("contract_debited", "alice"), ("contract_credited", "alice")]),
        ("issuer", "carol", [("contract_credited", "issuer")]),
        ("carol", "issuer", [("contract_debited", "alice")]),
        ("bob", "issuer", [("account_debited", "bob")]),
    ],
)
def test_effects_are_of_accounts_and_those_of_contracts_of_the_source(
    place: Place, sender: str, to: str, told: list[tuple[str, str]]
) -> None:
    place.pay(address("alice"), "alice", place.carol, "10")
    place.pay(address("alice"), "alice", address("bob"), "10")
    who = {"carol": place.carol, "dave": place.contract("dave")}
    relayer = "alice" if sender == "carol" else None
    hash_ = place.pay(
        who.get(sender, address(sender)), sender, who.get(to, address(to)), "1", relayer=relayer
    )
    found = place.records(f"/transactions/{hash_}/effects")
    assert [(each["type"], each["account"]) for each in found] == [
        (kind, address(name)) for kind, name in told
    ]
    numbers = {"account_credited": 2, "account_debited": 3}
    numbers |= {"contract_credited": 96, "contract_debited": 97}
    for each in found:
        assert each["type_i"] == numbers[each["type"]]
        assert (each["amount"], each["asset_code"]) == ("1.0000000", "USD")
        assert each.get("contract") in ({*who.values()} if "contract_" in each["type"] else {None})


def test_the_effect_of_a_muxed_receiver_names_its_id(place: Place) -> None:
    hash_ = place.pay(address("alice"), "alice", muxed("bob", 77), "1")
    _, credited = place.records(f"/transactions/{hash_}/effects")
    assert credited["account_muxed"] == muxed("bob", 77)
    assert credited["account_muxed_id"] == "77"


def test_a_payment_is_told_on_the_streams_of_all_who_take_part(place: Place) -> None:
    cursor = place.records("/payments", order="desc")[0]["paging_token"]
    place.pay(address("alice"), "alice", place.carol, "10")
    hash_ = place.pay(place.carol, "carol", address("bob"), "1", relayer="alice")
    (told,) = events(place, f"/accounts/{address('bob')}/payments", cursor, 1)
    assert told["transaction_hash"] == hash_
    *_, last = events(place, "/payments", cursor, 2)
    assert last == told


def test_lumens_move_to_contracts_and_back(place: Place) -> None:
    native = Asset.native()
    before = place.lumens("bob")
    place.pay(address("alice"), "alice", place.carol, "100", asset=native)
    assert place.holds(place.carol, native) == 100
    hash_ = place.pay(place.carol, "carol", address("bob"), "40", asset=native, relayer="alice")
    assert place.lumens("bob") == before + 40
    (record,) = place.records(f"/transactions/{hash_}/operations")
    assert record["asset_balance_changes"] == [
        {
            "asset_type": "native",
            "type": "transfer",
            "from": place.carol,
            "to": address("bob"),
            "amount": "40.0000000",
        }
    ]


def test_an_operation_of_another_source_pays_by_the_signature_of_its_source(place: Place) -> None:
    builder = place.unsigned("bob", address("alice"), place.carol, "7", op_source=address("alice"))
    envelope = place.prepared(builder)
    (entry,) = call_of(envelope).auth or []
    assert entry.credentials.type.name == "SOROBAN_CREDENTIALS_SOURCE_ACCOUNT"
    assert place.codes(envelope, "bob") == ["op_bad_auth"]
    before = place.lumens("alice")
    assert place.codes(envelope, "alice") == ["op_success"]
    assert (place.holds(place.carol), place.lumens("alice")) == (7, before)


def test_an_account_may_leave_the_fee_to_a_relayer(place: Place) -> None:
    before = place.lumens("alice")
    place.pay(address("alice"), "alice", place.carol, "7", relayer="bob")
    assert (place.holds(place.carol), place.lumens("alice")) == (7, before)


def test_the_rpc_tells_what_a_contract_holds_and_of_which_asset(place: Place) -> None:
    contract = place.usd.contract_id(PASSPHRASE)
    with place.rpc() as rpc:
        assert rpc.get_sac_balance(place.carol, place.usd, PASSPHRASE).balance_entry is None
        place.pay(address("alice"), "alice", place.carol, "7")
        held = rpc.get_sac_balance(place.carol, place.usd, PASSPHRASE).balance_entry
        assert held is not None
        assert (held.amount, held.authorized, held.clawback) == (70_000_000, True, False)
        assert held.last_modified_ledger == place.sandbox.network.core.sequence
        key_ = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)
        found = rpc.get_contract_data(contract, key_)
    assert found is not None
    data = xdr.LedgerEntryData.from_xdr(found.xdr).contract_data
    assert data is not None
    assert data.val.instance is not None
    kind = xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET
    assert data.val.instance.executable.type == kind
    storage = data.val.instance.storage
    assert storage is not None
    metadata = {"decimal": 7, "name": f"USD:{address('issuer')}", "symbol": "USD"}
    assert scval.to_native(storage.sc_map[0].val) == metadata
    assert place.get("/sandbox/contracts")["assets"][contract] == f"USD:{address('issuer')}"


def test_an_asset_that_nobody_holds_has_a_contract_once_it_is_told_of(place: Place) -> None:
    rare = Asset("RARE", address("issuer"))
    builder = place.builder("issuer").append_invoke_contract_function_op(
        rare.contract_id(PASSPHRASE),
        "transfer",
        [
            scval.to_address(address("issuer")),
            scval.to_address(place.carol),
            scval.to_int128(5),
        ],
    )
    assert "there is no contract" in place.error(builder)
    made = requests.post(
        f"{place.sandbox.url}/sandbox/asset-contract",
        data={"asset": f"RARE:{address('issuer')}"},
        timeout=10,
    )
    assert made.json()["contract"] == rare.contract_id(PASSPHRASE)
    place.pay(address("issuer"), "issuer", place.carol, "5", asset=rare)
    assert place.holds(place.carol, rare) == 5


def test_what_contracts_hold_and_every_nonce_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "network.jsonl"
    with Sandbox(state_file=file, close_on_submit=True) as first:
        place = Place.of(first)
        dave = place.contract("dave")
        place.turn("holder", contract=dave, asset=f"USD:{address('issuer')}", authorized=False)
        place.turn("archive", contract=place.contract("erin"))
        place.pay(address("alice"), "alice", place.carol, "9")
        place.pay(place.carol, "carol", address("bob"), "4", relayer="alice")
        nonces, latest = set(first.network.state.nonces.entries), first.network.core.hash
        contracts = place.get("/sandbox/contracts")
    with Sandbox(state_file=file, close_every_s=0) as second:
        again = Place(second, place.usd, place.carol)
        assert second.network.core.hash == latest
        assert again.holds(place.carol) == 5
        assert set(second.network.state.nonces.entries) == nonces
        assert len(nonces) == 1
        assert again.get("/sandbox/contracts") == contracts
        held = second.network.state.holdings.read((dave, _usd(second)))
        assert held is not None
        assert not held.is_authorized
        assert second.network.contracts.archived == first.network.contracts.archived


def _usd(sandbox: Sandbox) -> Any:
    (found,) = {asset for _, asset in sandbox.network.state.lines.entries}
    return found


def test_horizon_that_lags_shows_what_contracts_held_before(place: Place) -> None:
    place.pay(address("alice"), "alice", place.carol, "9")
    place.turn("freeze")
    envelope = place.prepared(place.unsigned("alice", address("alice"), place.carol, "1"))
    envelope.sign(key("alice"))
    data = {"tx": envelope.to_xdr()}
    requests.post(f"{place.sandbox.url}/transactions_async", data=data, timeout=10)
    place.turn("close")
    assert place.holds(place.carol) == 9
    place.turn("thaw")
    assert place.holds(place.carol) == 10

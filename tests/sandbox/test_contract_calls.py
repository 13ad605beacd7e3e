"""What a ledger asks of a transaction that calls a contract, and how it refuses."""

import copy
from collections.abc import Callable
from decimal import Decimal

import pytest
import requests
from stellar_sdk import (
    FeeBumpTransactionEnvelope,
    IdMemo,
    MuxedAccount,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)
from stellar_sdk.exceptions import BadRequestError

from tests.sandbox.contract_world import (
    PASSPHRASE,
    Place,
    by_contract,
    call_of,
    data_of,
    muxed,
    ready,
)
from tests.sandbox.ledger import address, key

Change = Callable[[TransactionEnvelope], object]


# -- the form of the transaction ------------------------------------------------------------------


def _two_operations(envelope: TransactionEnvelope) -> None:
    envelope.transaction.operations *= 2


def _no_data(envelope: TransactionEnvelope) -> None:
    envelope.transaction.soroban_data = None


def _memo(envelope: TransactionEnvelope) -> None:
    envelope.transaction.memo = IdMemo(5)


def _muxed_source(envelope: TransactionEnvelope) -> None:
    envelope.transaction.source = MuxedAccount(address("alice"), 5)


def _muxed_operation_source(envelope: TransactionEnvelope) -> None:
    call_of(envelope).source = MuxedAccount(address("alice"), 5)


def _fee_below_resources(envelope: TransactionEnvelope) -> None:
    envelope.transaction.fee = data_of(envelope).resource_fee.int64 - 1


def _fee_without_inclusion(envelope: TransactionEnvelope) -> None:
    envelope.transaction.fee = data_of(envelope).resource_fee.int64 + 99


def _resources_not_paid(envelope: TransactionEnvelope) -> None:
    data_of(envelope).resource_fee = xdr.Int64(1_000)


def _negative_fee(envelope: TransactionEnvelope) -> None:
    data_of(envelope).resource_fee = xdr.Int64(-1)


def _key_twice(envelope: TransactionEnvelope) -> None:
    footprint = data_of(envelope).resources.footprint
    footprint.read_only.append(footprint.read_write[0])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (_two_operations, "tx_malformed"),
        (_no_data, "tx_malformed"),
        (_negative_fee, "tx_malformed"),
        (_memo, "tx_soroban_invalid"),
        (_muxed_source, "tx_soroban_invalid"),
        (_muxed_operation_source, "tx_soroban_invalid"),
        (_fee_below_resources, "tx_soroban_invalid"),
        (_resources_not_paid, "tx_soroban_invalid"),
        (_key_twice, "tx_soroban_invalid"),
        (_fee_without_inclusion, "tx_insufficient_fee"),
    ],
)
def test_a_call_has_its_own_form(place: Place, change: Change, word: str) -> None:
    good = ready(place)
    bad = copy.deepcopy(good)
    change(bad)
    assert place.codes(bad, "alice") == [word]
    assert place.codes(good, "alice") == ["op_success"]


def test_a_transaction_without_a_call_declares_no_resources(place: Place) -> None:
    builder = place.builder("alice").append_bump_sequence_op(0)
    builder.set_soroban_data(data_of(ready(place)))
    assert place.codes(builder.build(), "alice") == ["tx_malformed"]


# -- fees -----------------------------------------------------------------------------------------


def test_resources_and_the_base_fee_are_charged_whatever_was_bid(place: Place) -> None:
    envelope = ready(place)
    envelope.transaction.fee += 1_000_000
    answer = place.submit(envelope, "alice").json()
    resources = data_of(envelope).resource_fee.int64
    assert answer["fee_charged"] == str(resources + 100)
    assert answer["max_fee"] == str(resources + 100 + 1_000_000)


def test_a_call_that_fails_costs_its_fee(place: Place) -> None:
    envelope, before = ready(place), place.lumens("alice")
    data_of(envelope).resources.footprint.read_write = []
    answer = place.submit(envelope, "alice")
    assert answer.json()["extras"]["result_codes"]["operations"] == ["function_trapped"]
    record = place.get(f"/transactions/{envelope.hash_hex()}")
    assert (record["successful"], record["fee_charged"]) == (False, str(envelope.transaction.fee))
    assert before - place.lumens("alice") == Decimal(envelope.transaction.fee) / 10**7
    (told,) = place.records(f"/transactions/{envelope.hash_hex()}/operations")
    assert told["asset_balance_changes"] is None
    assert place.holds(place.carol) == 50


def bumped(inner: TransactionEnvelope, fee: int) -> FeeBumpTransactionEnvelope:
    inner.sign(key("alice"))
    made = TransactionBuilder.build_fee_bump_transaction(
        key("bob").public_key, 10_000, inner, PASSPHRASE
    )
    made.transaction.fee = fee
    made.sign(key("bob"))
    return made


def test_a_fee_bump_pays_two_units_beside_the_resources(place: Place) -> None:
    inner = ready(place)
    resources = data_of(inner).resource_fee.int64
    low = bumped(copy.deepcopy(inner), resources + 199)
    answer = requests.post(
        f"{place.sandbox.url}/transactions", data={"tx": low.to_xdr()}, timeout=10
    ).json()
    assert answer["extras"]["result_codes"]["transaction"] == "tx_insufficient_fee"
    result = xdr.TransactionResult.from_xdr(answer["extras"]["result_xdr"])
    assert result.fee_charged.int64 == resources + 200
    high = bumped(inner, resources + 500)
    answer = requests.post(
        f"{place.sandbox.url}/transactions", data={"tx": high.to_xdr()}, timeout=10
    ).json()
    assert (answer["successful"], answer["fee_charged"]) == (True, str(resources + 200))
    result = xdr.TransactionResult.from_xdr(answer["result_xdr"])
    pair = result.result.inner_result_pair
    assert pair is not None
    assert pair.result.fee_charged.int64 == resources + 100


# -- what was declared ----------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(6))
def test_a_call_touches_nothing_that_was_not_declared(place: Place, at: int) -> None:
    envelope = by_contract(place)
    footprint = data_of(envelope).resources.footprint
    keys = [*footprint.read_only, *footprint.read_write]
    assert len(keys) == len(
        ("asset's contract", "account contract", "its code", "nonce", "line", "holding")
    )
    gone = keys[at]
    footprint.read_only = [key_ for key_ in footprint.read_only if key_ != gone]
    footprint.read_write = [key_ for key_ in footprint.read_write if key_ != gone]
    assert place.codes(envelope, "alice") == ["function_trapped"]


def test_what_is_declared_to_be_read_is_not_written(place: Place) -> None:
    envelope = ready(place)
    footprint = data_of(envelope).resources.footprint
    footprint.read_only, footprint.read_write = (
        [*footprint.read_only, *footprint.read_write],
        [],
    )
    assert place.codes(envelope, "alice") == ["function_trapped"]


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("fee", "insufficient_refundable_fee"),
        ("resources", "resource_limit_exceeded"),
        ("footprint", "function_trapped"),
    ],
)
def test_a_simulation_that_says_too_little_fails_in_the_ledger_once(
    place: Place, fault: str, word: str
) -> None:
    place.turn("simulations", fault=fault)
    assert place.codes(ready(place), "alice") == [word]
    assert place.codes(ready(place), "alice") == ["op_success"]


def test_an_archived_contract_is_not_called(place: Place) -> None:
    early, contract = ready(place), place.usd.contract_id(PASSPHRASE)
    place.turn("archive", contract=contract)
    assert "there is no contract" in place.error(
        place.unsigned("alice", address("alice"), place.carol, "1")
    )
    assert place.codes(early, "alice") == ["entry_archived"]
    place.turn("archive", contract=contract, archived=False)
    assert place.codes(ready(place), "alice") == ["op_success"]


# -- what is called ------------------------------------------------------------------------------


def test_anything_but_a_transfer_is_trapped(place: Place) -> None:
    for name in ("mint", "clawback", "transfer_from"):
        envelope = ready(place)
        called = call_of(envelope).host_function.invoke_contract
        assert called is not None
        called.function_name = xdr.SCSymbol(name.encode())
        assert place.codes(envelope, "alice") == ["function_trapped"]
    envelope = ready(place)
    code = xdr.HostFunctionType.HOST_FUNCTION_TYPE_UPLOAD_CONTRACT_WASM
    call_of(envelope).host_function = xdr.HostFunction(code, wasm=b"\0asm")
    assert place.codes(envelope, "alice") == ["function_trapped"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [scval.to_void()] * 3,
        [scval.to_address(address("alice")), scval.to_address(address("bob")), scval.to_uint64(1)],
        [scval.to_address(muxed("alice", 1)), scval.to_address(address("bob")), scval.to_int128(1)],
    ],
)
def test_arguments_of_another_shape_are_trapped(place: Place, arguments: list[xdr.SCVal]) -> None:
    envelope = ready(place)
    called = call_of(envelope).host_function.invoke_contract
    assert called is not None
    called.args = arguments
    assert place.codes(envelope, "alice") == ["function_trapped"]


def test_parameters_are_named_by_the_types_that_horizon_has_for_them(place: Place) -> None:
    values = {
        "B": scval.to_bool(True),
        "": scval.to_void(),
        "U32": scval.to_uint32(1),
        "I64": scval.to_int64(1),
        "Timepoint": scval.to_timepoint(1),
        "Duration": scval.to_duration(1),
        "U128": scval.to_uint128(1),
        "I256": scval.to_int256(1),
        "Bytes": scval.to_bytes(b"x"),
        "Str": scval.to_string("x"),
        "Sym": scval.to_symbol("x"),
        "Vec": scval.to_vec([]),
        "Map": scval.to_map({}),
        "Address": scval.to_address(place.carol),
    }
    envelope = ready(place)
    called = call_of(envelope).host_function.invoke_contract
    assert called is not None
    called.args = [*values.values()]
    assert place.codes(envelope, "alice") == ["function_trapped"]
    (record,) = place.records(f"/transactions/{envelope.hash_hex()}/operations")
    assert [each["type"] for each in record["parameters"]] == ["Address", "Sym", *values]
    told = [xdr.SCVal.from_xdr(each["value"]) for each in record["parameters"]]
    assert told[2:] == [*values.values()]


# -- misbehaviour ---------------------------------------------------------------------------------


def test_the_rpc_misbehaves_as_often_as_it_was_told(place: Place) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}

    def ask() -> int:
        return requests.post(place.rpc_url, json=call, timeout=10).status_code

    place.turn("misbehave", at="rpc", answer="503", times=2)
    assert [ask(), ask(), ask()] == [503, 503, 200]
    place.turn("misbehave", at="rpc", answer="cut")
    with pytest.raises(requests.ConnectionError):
        ask()
    place.turn("misbehave", at="rpc", answer="429")
    place.turn("simulations", fault="fee", times=3)
    place.turn("behave")
    assert ask() == 200
    assert place.codes(ready(place), "alice") == ["op_success"]


def test_a_code_of_a_call_can_be_told_and_nothing_is_taken(place: Place) -> None:
    place.turn("misbehave", answer="insufficient_refundable_fee")
    envelope = ready(place)
    with pytest.raises(BadRequestError) as raised:
        place.pay(address("alice"), "alice", place.carol, "1")
    assert raised.value.extras is not None
    words = raised.value.extras["result_codes"]
    assert words == {"transaction": "tx_failed", "operations": ["insufficient_refundable_fee"]}
    assert place.codes(envelope, "alice") == ["op_success"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("simulations", {"fault": "other"}),
        ("holder", {"asset": "native", "contract": "G"}),
        ("holder", {"asset": "x"}),
        ("archive", {}),
        ("misbehave", {"at": "rpc", "answer": "504-lost"}),
    ],
)
def test_a_knob_that_is_turned_wrongly_says_so(
    place: Place, name: str, body: dict[str, object]
) -> None:
    answer = requests.post(f"{place.sandbox.url}/sandbox/{name}", json=body, timeout=10)
    assert answer.status_code == 400

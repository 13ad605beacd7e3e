"""A contract account is paid by just the call that was ordered, whatever an RPC says."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import Asset, InvokeHostFunction, Keypair, StrKey, scval, xdr

from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Rejected
from anchor.ledger import envelopes, invocations
from anchor.ledger.contract_gateway import CallFails, Prepared
from anchor.ledger.operations import contract_of
from anchor.ledger.orders import LedgerOrder, Unsigned
from anchor.money import MAX_STROOPS
from tests.ledger.test_envelopes import (
    CHANNEL,
    EVE,
    ISSUER,
    USD,
    built,
    ledger_account,
    parsed,
    signed,
)

TREASURY = ISSUER.public_key
CONTRACT = StrKey.encode_contract(bytes(range(32)))
OTHER = Keypair.from_raw_ed25519_seed(b"x" * 32).public_key


def call(amount: int = 1, asset: str = USD, destination: str = CONTRACT) -> LedgerOrder:
    return LedgerOrder("payment", destination, asset, amount)


def prepared(fee: int = 70_000, declared: int | None = None) -> Prepared:
    none = xdr.Uint32(0)
    data = xdr.SorobanTransactionData(
        xdr.SorobanTransactionDataExt(0),
        xdr.SorobanResources(xdr.LedgerFootprint([], []), none, none, none),
        xdr.Int64(fee if declared is None else declared),
    )
    return Prepared(data.to_xdr(), fee)


def complete(order: LedgerOrder, fee: int = 70_000, **more: Any) -> Unsigned:
    return invocations.with_resources(built(order, **more), prepared(fee), TESTNET_PASSPHRASE)


@given(
    amount=st.integers(1, MAX_STROOPS),
    asset=st.sampled_from(["native", f"USD:{OTHER}", f"LONGCODE1234:{OTHER}"]),
    fee=st.integers(0, 100_000_000),
)
@settings(deadline=None, max_examples=40)
def test_what_is_called_is_what_was_ordered_and_nothing_else_is_authorized(
    amount: int, asset: str, fee: int
) -> None:
    made = complete(call(amount, asset), fee)
    envelope = parsed(made.envelope_xdr)
    (operation,) = envelope.transaction.operations
    assert isinstance(operation, InvokeHostFunction)
    assert operation.source is not None
    assert operation.source.account_id == TREASURY
    called = operation.host_function.invoke_contract
    assert called is not None
    code, _, issuer = asset.partition(":")
    wrapped = Asset(code, issuer) if issuer else Asset.native()
    contract = wrapped.contract_id(TESTNET_PASSPHRASE)
    assert contract == contract_of(asset, TESTNET_PASSPHRASE)
    assert scval.from_address(xdr.SCVal.from_xdr(address_of(called))).address == contract
    assert called.function_name.sc_symbol == b"transfer"
    assert [scval.from_address(each).address for each in called.args[:2]] == [TREASURY, CONTRACT]
    assert scval.from_int128(called.args[2]) == amount
    (entry,) = operation.auth
    kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
    assert entry.credentials.type == kind
    assert entry.root_invocation.function.contract_fn == called
    assert entry.root_invocation.sub_invocations == []
    assert made.hash == envelope.hash_hex()
    assert made.fee == envelope.transaction.fee == 100 + fee
    assert set(made.sources) == {CHANNEL.public_key, TREASURY}
    assert invocations.resource_fee(made.envelope_xdr, TESTNET_PASSPHRASE) == fee


def address_of(called: xdr.InvokeContractArgs) -> str:
    return xdr.SCVal(xdr.SCValType.SCV_ADDRESS, address=called.contract_address).to_xdr()


@pytest.mark.parametrize(
    ("wanted", "options", "said"),
    [
        ([call(), call()], {}, "goes alone"),
        ([call(), LedgerOrder("payment", OTHER, "native", 1)], {}, "goes alone"),
        ([call()], {"memo_type": "id", "memo": "5"}, "without a memo"),
        ([call(0)], {}, "amount"),
        ([call(2**63)], {}, "amount"),
        ([call(destination=CONTRACT[:-1])], {}, "written as C"),
        ([call(destination=CONTRACT[:-1] + "7")], {}, "written as C"),
        ([replace(call(), authorizes=True)], {}, "goes alone"),
        ([LedgerOrder("create_account", CONTRACT, amount=1)], {}, "written as G"),
        ([LedgerOrder("establish", CONTRACT, starting_balance=1)], {}, "a destination is"),
        (
            [LedgerOrder("claimable_balance", CONTRACT, USD, 1, reclaim_at=2_000_000_000)],
            {},
            "written as G",
        ),
    ],
)
def test_what_no_contract_can_be_paid_by_is_refused_with_a_sentence(
    wanted: list[LedgerOrder], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(Rejected, match=said):
        built(*wanted, **options)


def test_the_fee_that_an_rpc_tells_is_the_one_that_is_offered_whatever_its_data_say() -> None:
    made = invocations.with_resources(built(call()), prepared(500, 4_000_000), TESTNET_PASSPHRASE)
    assert made.fee == 600
    assert invocations.resource_fee(made.envelope_xdr, TESTNET_PASSPHRASE) == 500


@pytest.mark.parametrize(
    ("order", "found", "said"),
    [
        (call(), replace(prepared(), data="AAAA"), "cannot be read"),
        (call(), replace(prepared(), data="no XDR"), "cannot be read"),
        (call(), prepared(-1), "fee"),
        (call(), prepared(2**32), "fee"),
        (LedgerOrder("payment", OTHER, "native", 1), prepared(), "envelope of a call"),
    ],
)
def test_what_an_rpc_says_that_makes_no_sense_is_refused(
    order: LedgerOrder, found: Prepared, said: str
) -> None:
    with pytest.raises(Rejected, match=said):
        invocations.with_resources(built(order), found, TESTNET_PASSPHRASE)


def test_what_a_call_takes_is_put_in_once() -> None:
    with pytest.raises(Rejected, match="once"):
        invocations.with_resources(complete(call()), prepared(), TESTNET_PASSPHRASE)


@given(bid=st.integers(1, 10_000), resources=st.integers(0, 5_000_000))
@settings(deadline=None, max_examples=30)
def test_a_bump_doubles_what_is_bid_and_not_what_the_call_takes(bid: int, resources: int) -> None:
    made = complete(call(), resources, fee_per_operation=bid)
    envelope = signed(made, CHANNEL, ISSUER)
    least = envelopes.least_bump_fee(envelope, 0, TESTNET_PASSPHRASE)
    assert least == 2 * bid + resources
    assert envelopes.least_bump_fee(envelope, 3 * bid, TESTNET_PASSPHRASE) == 6 * bid + resources
    with pytest.raises(Rejected, match="above"):
        envelopes.fee_bump(envelope, EVE.public_key, least - 1, TESTNET_PASSPHRASE)
    bump = envelopes.fee_bump(envelope, EVE.public_key, least, TESTNET_PASSPHRASE)
    assert invocations.resource_fee(bump.envelope_xdr, TESTNET_PASSPHRASE) == resources
    assert envelopes.inner_hash_of(bump.envelope_xdr, TESTNET_PASSPHRASE) == made.hash


def test_a_call_needs_the_medium_threshold_of_who_pays() -> None:
    known = {
        CHANNEL.public_key: ledger_account(CHANNEL, 2, (CHANNEL, 1)),
        TREASURY: ledger_account(ISSUER, 2, (ISSUER, 1), (EVE, 1)),
    }
    made = complete(call())
    one, both = signed(made, CHANNEL, ISSUER), signed(made, CHANNEL, ISSUER, EVE)
    assert not envelopes.is_signed_enough(one, known, TESTNET_PASSPHRASE)
    assert envelopes.is_signed_enough(both, known, TESTNET_PASSPHRASE)


def test_a_payment_that_calls_nothing_takes_no_resources() -> None:
    plain = built(LedgerOrder("payment", OTHER, "native", 1))
    assert invocations.resource_fee(plain.envelope_xdr, TESTNET_PASSPHRASE) == 0
    with pytest.raises(Rejected, match="cannot be read"):
        invocations.resource_fee("AAAA", TESTNET_PASSPHRASE)


@pytest.mark.parametrize(
    ("told", "code", "kept"),
    [
        ("HostError: Error(Contract, #10)\n\nEvent log: …", "op_underfunded", "Contract, #10"),
        ("HostError: Error(Contract, #13)", "op_src_no_trust", "Contract, #13"),
        ("HostError: Error(Contract, #6)", "op_src_no_trust", "Contract, #6"),
        ("HostError: Error(Contract, #11)", "balance_deauthorized", "Contract, #11"),
        ("HostError: Error(Contract, #12)", "function_trapped", "Contract, #12"),
        ("HostError: Error(Storage, MissingValue)", "function_trapped", "Storage, MissingValue"),
        ("something else", "function_trapped", "says no"),
    ],
)
def test_why_a_call_would_fail_is_read_from_the_word_of_the_host(
    told: str, code: str, kept: str
) -> None:
    failure = CallFails(f"{told} by {OTHER} of 12345")
    assert failure.code == code
    assert kept in str(failure)
    assert OTHER not in str(failure), "it tells neither accounts nor amounts"

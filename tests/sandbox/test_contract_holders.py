"""Who may move what by the contract of an asset: who agreed to it, and who may hold it."""

import copy
from collections.abc import Callable
from decimal import Decimal

import pytest
from stellar_sdk import (
    Asset,
    TransactionEnvelope,
    TrustLineFlags,
    scval,
    xdr,
)
from stellar_sdk.auth import authorize_entry
from stellar_sdk.exceptions import PrepareTransactionException
from stellar_sdk.operation.set_options import AuthorizationFlag

from tests.sandbox.contract_world import (
    PASSPHRASE,
    Place,
    by_contract,
    call_of,
    data_of,
)
from tests.sandbox.ledger import address, key, usd

Change = Callable[[TransactionEnvelope], object]


# -- who agreed -----------------------------------------------------------------------------------


def test_an_authorization_counts_once_for_ever(place: Place) -> None:
    first = by_contract(place)
    assert place.codes(first, "alice") == ["op_success"]
    builder = place.unsigned("alice", place.carol, address("bob"), "7")
    (call,) = builder.operations
    call.auth = call_of(first).auth  # type: ignore[attr-defined]
    assert "Error(Auth, ExistingValue)" in place.error(builder)
    again = builder.set_soroban_data(data_of(first)).build()
    again.transaction.sequence -= 1
    again.transaction.fee += data_of(first).resource_fee.int64
    assert place.codes(again, "alice") == ["function_trapped"]
    assert (place.holds(place.carol), place.line("bob")) == (43, 7)


def test_an_authorization_is_of_one_call_by_one_key_until_a_ledger(place: Place) -> None:
    def spoiled(change: Callable[[xdr.SorobanAuthorizationEntry], object]) -> list[str]:
        envelope = by_contract(place)
        (entry,) = call_of(envelope).auth or []
        made = change(copy.deepcopy(entry))
        call_of(envelope).auth = [made] if isinstance(made, xdr.SorobanAuthorizationEntry) else []
        return place.codes(envelope, "alice")

    def other_amount(entry: xdr.SorobanAuthorizationEntry) -> xdr.SorobanAuthorizationEntry:
        called = entry.root_invocation.function.contract_fn
        assert called is not None
        called.args[2] = scval.to_int128(1)
        return authorize_entry(entry, key("carol"), 1_000, PASSPHRASE)

    def by(name: str, until: int = 1_000) -> Callable[[xdr.SorobanAuthorizationEntry], object]:
        return lambda entry: authorize_entry(entry, key(name), until, PASSPHRASE)

    def as_source(entry: xdr.SorobanAuthorizationEntry) -> xdr.SorobanAuthorizationEntry:
        kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
        entry.credentials = xdr.SorobanCredentials(kind)
        return entry

    for change in (lambda _: None, other_amount, by("alice"), by("carol", 2), as_source):
        assert spoiled(change) == ["function_trapped"]
    assert spoiled(by("carol", 4_000_000)) == ["function_trapped"]
    assert spoiled(by("carol")) == ["op_success"]


def test_somebody_elses_money_is_not_paid(place: Place) -> None:
    envelope = place.prepared(place.unsigned("bob", address("alice"), place.carol, "7"), "bob")
    assert place.codes(envelope, "bob") == ["function_trapped"]
    envelope = place.prepared(place.unsigned("bob", address("alice"), place.carol, "7"), "alice")
    assert place.codes(envelope, "bob") == ["op_success"]


# -- who may hold what ----------------------------------------------------------------------------


def require_authorization(place: Place) -> None:
    flags = AuthorizationFlag.AUTHORIZATION_REQUIRED | AuthorizationFlag.AUTHORIZATION_REVOCABLE
    place.send("issuer", lambda builder: builder.append_set_options_op(set_flags=flags))


def test_a_new_contract_waits_to_be_authorized_where_the_issuer_wants_it(place: Place) -> None:
    require_authorization(place)
    dave = place.contract("dave")
    builder = place.unsigned("alice", address("alice"), dave, "1")
    assert "Error(Contract, #11)" in place.error(builder)
    assert "Error(Contract, #11)" in place.error(place.unsigned("alice", dave, address("bob"), "1"))
    place.turn("holder", contract=dave, asset=f"USD:{address('issuer')}")
    place.pay(address("alice"), "alice", dave, "1")
    assert (place.holds(dave), place.holds(place.carol)) == (1, 50)


def test_a_contract_that_is_forbidden_neither_pays_nor_is_paid(place: Place) -> None:
    early = by_contract(place)
    place.turn("holder", contract=place.carol, asset=f"USD:{address('issuer')}", authorized=False)
    with pytest.raises(PrepareTransactionException) as raised:
        place.pay(address("alice"), "alice", place.carol, "1")
    assert "Error(Contract, #11)" in str(raised.value.simulate_transaction_response.error)
    assert place.codes(early, "alice") == ["function_trapped"]
    with place.rpc() as rpc:
        held = rpc.get_sac_balance(place.carol, place.usd, PASSPHRASE).balance_entry
    assert held is not None
    assert (held.amount, held.authorized) == (500_000_000, False)


def test_clawback_is_allowed_of_what_was_first_held_when_the_issuer_allowed_it(
    place: Place,
) -> None:
    flags = (
        AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED | AuthorizationFlag.AUTHORIZATION_REVOCABLE
    )
    place.send("issuer", lambda builder: builder.append_set_options_op(set_flags=flags))
    dave = place.contract("dave")
    place.pay(address("alice"), "alice", dave, "1")
    with place.rpc() as rpc:
        found = [
            rpc.get_sac_balance(each, place.usd, PASSPHRASE).balance_entry
            for each in (place.carol, dave)
        ]
    assert [each.clawback for each in found if each] == [False, True]


@pytest.mark.parametrize(
    ("amount", "number"), [("0", None), ("50", None), ("50.0000001", 10), ("-1", 8)]
)
def test_a_contract_pays_what_it_has(place: Place, amount: str, number: int | None) -> None:
    arguments = [
        scval.to_address(place.carol),
        scval.to_address(address("bob")),
        scval.to_int128(int(Decimal(amount) * 10**7)),
    ]
    builder = place.builder("alice").append_invoke_contract_function_op(
        place.usd.contract_id(PASSPHRASE), "transfer", arguments
    )
    error = place.error(builder)
    assert (f"Error(Contract, #{number})" in error) if number else (error == "None")


def _no_line(place: Place) -> None:
    place.send("bob", lambda builder: builder.append_change_trust_op(usd(), limit="0"))


def _full_line(place: Place) -> None:
    place.send("bob", lambda builder: builder.append_change_trust_op(usd(), limit="6"))


def _closed_line(place: Place) -> None:
    require_authorization(place)
    place.send(
        "issuer",
        lambda builder: builder.append_set_trust_line_flags_op(
            address("bob"), usd(), clear_flags=TrustLineFlags.AUTHORIZED_FLAG
        ),
    )


@pytest.mark.parametrize(
    ("spoil", "number"), [(_no_line, 13), (_full_line, 10), (_closed_line, 11)]
)
def test_trust_lines_keep_their_rules(
    place: Place, spoil: Callable[[Place], object], number: int
) -> None:
    early = by_contract(place)
    spoil(place)
    error = place.error(place.unsigned("alice", place.carol, address("bob"), "7"))
    assert f"Error(Contract, #{number})" in error
    early.transaction.sequence = int(place.get(f"/accounts/{address('alice')}")["sequence"]) + 1
    assert place.codes(early, "alice") == ["function_trapped"]
    assert place.holds(place.carol) == 50


def test_an_account_keeps_its_reserve_of_lumens(place: Place) -> None:
    native = Asset.native()
    with pytest.raises(PrepareTransactionException):
        place.pay(address("alice"), "alice", place.carol, "9999", asset=native)
    with pytest.raises(PrepareTransactionException):
        place.pay(address("alice"), "alice", address("nobody"), "1", asset=native)
    place.pay(address("alice"), "alice", place.carol, "9000", asset=native)

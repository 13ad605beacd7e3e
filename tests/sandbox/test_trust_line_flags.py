"""Authorisation and clawback of trust lines on the sandbox network."""

import warnings

import pytest
from stellar_sdk import (
    AllowTrust,
    ChangeTrust,
    Clawback,
    Payment,
    SetOptions,
    SetTrustLineFlags,
    TrustLineFlags,
)
from stellar_sdk.operation import Operation
from stellar_sdk.operation.allow_trust import TrustLineEntryFlag
from stellar_sdk.operation.set_options import AuthorizationFlag

from tests.sandbox.books import check_books
from tests.sandbox.ledger import Ledger, address, usd

AUTHORIZED = TrustLineFlags.AUTHORIZED_FLAG
MAINTAIN = TrustLineFlags.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG
CLAWBACK = TrustLineFlags.TRUSTLINE_CLAWBACK_ENABLED_FLAG


def regulated(*flags: AuthorizationFlag) -> Ledger:
    """An issuer with these flags; Alice trusts its USD."""
    ledger = Ledger()
    ledger.fund("alice", "bob", "issuer")
    for flag in flags:
        ledger.send("issuer", SetOptions(set_flags=flag))
    ledger.send("alice", ChangeTrust(usd()))
    return ledger


@pytest.fixture
def ledger() -> Ledger:
    return regulated(
        AuthorizationFlag.AUTHORIZATION_REQUIRED,
        AuthorizationFlag.AUTHORIZATION_REVOCABLE,
        AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED,
    )


def flags(
    ledger: Ledger, *, on: TrustLineFlags | None = None, off: TrustLineFlags | None = None
) -> str:
    made = SetTrustLineFlags(address("alice"), usd(), clear_flags=off, set_flags=on)
    [code] = ledger.codes("issuer", made)
    return code


def pay(ledger: Ledger) -> str:
    [code] = ledger.codes("issuer", Payment(address("alice"), usd(), "10"))
    check_books(ledger.network)
    return code


def allow(state: TrustLineEntryFlag) -> Operation:
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
        return AllowTrust(address("alice"), "USD", state)


def test_a_line_opens_and_closes_as_the_issuer_says(ledger: Ledger) -> None:
    assert pay(ledger) == "op_not_authorized"
    assert flags(ledger, on=AUTHORIZED) == "op_success"
    assert pay(ledger) == "op_success"
    assert flags(ledger, on=MAINTAIN, off=AUTHORIZED) == "op_success"
    assert pay(ledger) == "op_not_authorized"
    assert flags(ledger, off=MAINTAIN) == "op_success"
    assert ledger.codes("alice", Payment(address("issuer"), usd(), "1")) == [
        "op_src_not_authorized"
    ]


def test_a_line_is_never_in_both_states(ledger: Ledger) -> None:
    assert flags(ledger, on=AUTHORIZED) == "op_success"
    assert flags(ledger, on=MAINTAIN) == "op_invalid_state"
    assert flags(ledger, on=AUTHORIZED | MAINTAIN) == "op_malformed"


def test_what_contradicts_itself_is_malformed(ledger: Ledger) -> None:
    assert flags(ledger, on=AUTHORIZED, off=AUTHORIZED) == "op_malformed"
    assert flags(ledger, on=CLAWBACK) == "op_malformed"
    another = SetTrustLineFlags(address("alice"), usd(), set_flags=AUTHORIZED)
    assert ledger.codes("bob", another) == ["op_malformed"]


def test_an_issuer_without_the_revocable_flag_cannot_take_an_authorisation_back() -> None:
    ledger = regulated(AuthorizationFlag.AUTHORIZATION_REQUIRED)
    assert flags(ledger, on=AUTHORIZED) == "op_success"
    assert flags(ledger, off=AUTHORIZED) == "op_cant_revoke"
    none = allow(TrustLineEntryFlag.UNAUTHORIZED_FLAG)
    less = allow(TrustLineEntryFlag.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG)
    assert ledger.codes("issuer", none) == ["op_cant_revoke"]
    assert ledger.codes("issuer", less) == ["op_cant_revoke"]
    assert pay(ledger) == "op_success"


def test_allow_trust_sets_the_state_as_a_whole(ledger: Ledger) -> None:
    assert ledger.codes("issuer", allow(TrustLineEntryFlag.AUTHORIZED_FLAG)) == ["op_success"]
    assert pay(ledger) == "op_success"
    less = allow(TrustLineEntryFlag.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG)
    assert ledger.codes("issuer", less) == ["op_success"]
    assert pay(ledger) == "op_not_authorized"
    assert ledger.codes("issuer", allow(TrustLineEntryFlag.AUTHORIZED_FLAG)) == ["op_success"]
    assert pay(ledger) == "op_success"


def test_a_line_that_is_not_there_has_no_flags(ledger: Ledger) -> None:
    missing = SetTrustLineFlags(address("bob"), usd(), set_flags=AUTHORIZED)
    assert ledger.codes("issuer", missing) == ["op_no_trust"]


def test_an_issuer_claws_back_from_a_closed_line_too(ledger: Ledger) -> None:
    flags(ledger, on=AUTHORIZED)
    pay(ledger)
    flags(ledger, off=AUTHORIZED)
    assert ledger.codes("issuer", Clawback(usd(), address("alice"), "4")) == ["op_success"]
    assert ledger.codes("issuer", Clawback(usd(), address("alice"), "7")) == ["op_underfunded"]
    check_books(ledger.network)


def test_an_issuer_may_give_up_the_right_to_claw_back(ledger: Ledger) -> None:
    flags(ledger, on=AUTHORIZED)
    pay(ledger)
    assert flags(ledger, off=CLAWBACK) == "op_success"
    clawback = Clawback(usd(), address("alice"), "1")
    assert ledger.codes("issuer", clawback) == ["op_not_clawback_enabled"]


def test_a_line_made_before_the_issuer_asked_for_clawback_is_free_of_it() -> None:
    ledger = regulated()
    ledger.send(
        "issuer",
        SetOptions(
            set_flags=AuthorizationFlag.AUTHORIZATION_REVOCABLE
            | AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED
        ),
    )
    pay(ledger)
    clawback = Clawback(usd(), address("alice"), "1")
    assert ledger.codes("issuer", clawback) == ["op_not_clawback_enabled"]


def test_the_holder_sees_the_change_among_its_operations(ledger: Ledger) -> None:
    flags(ledger, on=AUTHORIZED)
    shown = ledger.network.history.accounts[address("alice")].operations[-1].text(joined=False)
    assert '"set_flags_s":["authorized"]' in shown

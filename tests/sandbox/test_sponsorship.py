"""Sponsored reserves and bumped sequence numbers on the sandbox network."""

import json

import pytest
from stellar_sdk import (
    AccountMerge,
    Asset,
    BeginSponsoringFutureReserves,
    BumpSequence,
    ChangeTrust,
    CreateAccount,
    EndSponsoringFutureReserves,
    ManageData,
    Payment,
    SetOptions,
    Signer,
)
from stellar_sdk.operation import Operation

from anchor.sandbox.network.records import TransactionRecord
from tests.sandbox.books import check_books, text
from tests.sandbox.ledger import Ledger, address, usd

RESERVE = 5_000_000


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.fund("alice", "bob", "issuer")
    return ledger


def begin(sponsored: str, sponsor: str) -> Operation:
    return BeginSponsoringFutureReserves(address(sponsored), address(sponsor))


def end(sponsored: str) -> Operation:
    return EndSponsoringFutureReserves(address(sponsored))


def sponsored(ledger: Ledger, *operations: Operation, who: str = "bob") -> list[str]:
    """Let Alice bear the reserves of what these operations of another make."""
    made = [begin(who, "alice"), *operations, end(who)]
    codes = ledger.codes("alice", *made, signers=[who])
    check_books(ledger.network)
    return codes[1:-1] if len(codes) == len(made) else codes


def counts(ledger: Ledger, name: str) -> tuple[int, int]:
    account = ledger.network.state.accounts.read(address(name))
    assert account is not None
    return account.sponsoring, account.sponsored


def test_an_account_without_a_coin_lives_on_its_sponsor(ledger: Ledger) -> None:
    made = [
        CreateAccount(address("carol"), "0"),
        ChangeTrust(usd(), source=address("carol")),
    ]
    assert sponsored(ledger, *made, who="carol") == ["op_success"] * 2
    assert (counts(ledger, "alice"), counts(ledger, "carol")) == ((3, 0), (0, 3))
    assert ledger.balance("carol") == 0
    assert ledger.codes("carol", ManageData("a", "b")) == ["tx_insufficient_balance"]


@pytest.mark.parametrize(
    ("make", "unmake"),
    [
        (ChangeTrust(usd(), source=address("bob")), ChangeTrust(usd(), "0")),
        (ManageData("a", "b", source=address("bob")), ManageData("a", None)),
        (
            SetOptions(signer=Signer.ed25519_public_key(address("key"), 1), source=address("bob")),
            SetOptions(signer=Signer.ed25519_public_key(address("key"), 0)),
        ),
    ],
    ids=["trust line", "data", "signer"],
)
def test_a_sponsor_bears_the_reserve_until_the_entry_is_gone(
    ledger: Ledger, make: Operation, unmake: Operation
) -> None:
    assert sponsored(ledger, make) == ["op_success"]
    assert (counts(ledger, "alice"), counts(ledger, "bob")) == ((1, 0), (0, 1))
    spendable = ledger.balance("bob") - 2 * RESERVE - 100
    all_of_it = Payment(address("issuer"), Asset.native(), text(spendable - 100))
    assert ledger.codes("bob", all_of_it) == ["op_success"]
    ledger.send("alice", Payment(address("bob"), Asset.native(), "1"))
    assert ledger.codes("bob", unmake) == ["op_success"]
    assert (counts(ledger, "alice"), counts(ledger, "bob")) == ((0, 0), (0, 0))
    check_books(ledger.network)


def test_effects_tell_who_bears_the_reserve_and_who_did(ledger: Ledger) -> None:
    sponsored(ledger, ChangeTrust(usd(), source=address("bob")))
    ledger.send("bob", ChangeTrust(usd(), "0"))
    effects = [
        json.loads(each.text.replace("\x01", "")) for each in ledger.network.history.all.effects
    ]
    created, removed = (each for each in effects if "sponsorship" in each["type"])
    assert created["sponsor"] == removed["former_sponsor"] == address("alice")


def test_the_sponsor_sees_the_operation_among_its_own(ledger: Ledger) -> None:
    sponsored(ledger, ChangeTrust(usd(), source=address("bob")))
    operations = ledger.network.history.accounts[address("alice")].operations
    shown = [json.loads(each.text(joined=False).replace("\x01", "")) for each in operations]
    assert [each["type"] for each in shown[-3:]] == [
        "begin_sponsoring_future_reserves",
        "change_trust",
        "end_sponsoring_future_reserves",
    ]
    assert shown[-2]["sponsor"] == shown[-1]["begin_sponsor"] == address("alice")


def test_a_sponsor_without_means_is_refused(ledger: Ledger) -> None:
    spendable = ledger.balance("alice") - 2 * RESERVE - 100 - 400
    ledger.send("alice", Payment(address("bob"), Asset.native(), text(spendable)))
    trust = ChangeTrust(usd(), source=address("bob"))
    made = [begin("bob", "alice"), trust, end("bob")]
    assert ledger.codes("alice", *made, signers=["bob"])[1] == "op_low_reserve"
    check_books(ledger.network)


def test_sponsorship_that_is_not_ended_fails_the_transaction(ledger: Ledger) -> None:
    before = ledger.sequence("alice")
    assert ledger.codes("alice", begin("bob", "alice")) == ["tx_bad_sponsorship"]
    assert ledger.sequence("alice") == before + 1
    check_books(ledger.network)


def test_sponsorship_is_neither_doubled_nor_chained(ledger: Ledger) -> None:
    twice = [begin("bob", "alice"), begin("bob", "issuer"), end("bob")]
    assert ledger.codes("alice", *twice, signers=["bob", "issuer"])[1] == "op_already_sponsored"
    chain = [begin("bob", "alice"), begin("issuer", "bob"), end("issuer"), end("bob")]
    assert ledger.codes("alice", *chain, signers=["bob", "issuer"])[1] == "op_recursive"
    chain = [begin("bob", "alice"), begin("alice", "issuer"), end("alice"), end("bob")]
    assert ledger.codes("alice", *chain, signers=["bob", "issuer"])[1] == "op_recursive"
    assert ledger.codes("alice", begin("alice", "alice")) == ["op_malformed"]
    assert ledger.codes("alice", end("alice")) == ["op_not_sponsored"]


def test_a_sponsored_account_that_merges_gives_the_reserves_back(ledger: Ledger) -> None:
    sponsored(ledger, CreateAccount(address("carol"), "1"), who="carol")
    assert counts(ledger, "alice") == (2, 0)
    assert ledger.codes("alice", AccountMerge(address("bob"))) == ["op_is_sponsor"]
    assert ledger.codes("carol", AccountMerge(address("bob"))) == ["op_success"]
    assert counts(ledger, "alice") == (0, 0)
    check_books(ledger.network)


def test_a_merged_account_gives_the_reserves_of_its_signers_back(ledger: Ledger) -> None:
    signer = Signer.ed25519_public_key(address("key"), 1)
    sponsored(ledger, SetOptions(signer=signer, source=address("bob")))
    assert ledger.codes("bob", AccountMerge(address("issuer"))) == ["op_success"]
    assert counts(ledger, "alice") == (0, 0)
    check_books(ledger.network)


def test_a_sequence_number_jumps_ahead_and_never_back(ledger: Ledger) -> None:
    ahead = ledger.sequence("alice") + 1000
    assert ledger.codes("alice", BumpSequence(ahead)) == ["op_success"]
    assert ledger.sequence("alice") == ahead
    assert ledger.codes("alice", BumpSequence(1)) == ["op_success"]
    assert ledger.sequence("alice") == ahead + 1


def test_a_bump_of_another_account_is_told_as_an_effect(ledger: Ledger) -> None:
    to = ledger.sequence("bob") + 5
    record = ledger.send("alice", BumpSequence(to, source=address("bob")), signers=["bob"])
    assert isinstance(record, TransactionRecord)
    [effect] = record.operations[0].effects
    assert (effect.account, ledger.sequence("bob")) == (address("bob"), to)

"""What a transaction costs and changes on the sandbox network, and what survives a restart."""

from pathlib import Path

import pytest
from stellar_sdk import (
    Account,
    AccountMerge,
    Asset,
    ChangeTrust,
    CreateAccount,
    ManageData,
    Payment,
    SetOptions,
    Signer,
    TransactionBuilder,
    TransactionEnvelope,
)

from anchor.sandbox.network import Network
from anchor.sandbox.network.records import TransactionRecord
from tests.sandbox.books import STROOPS, check_books, held, text, totals
from tests.sandbox.ledger import START, Ledger, address, key, usd

NAMES = ("alice", "bob", "carol", "issuer")


def prepared() -> Ledger:
    """Alice and Bob hold 100 USD each, Carol none."""
    ledger = Ledger()
    ledger.fund(*NAMES)
    for name in ("alice", "bob"):
        ledger.send(name, ChangeTrust(usd()))
        ledger.send("issuer", Payment(address(name), usd(), "100"))
    return ledger


def test_a_failed_operation_takes_its_fee_and_nothing_else() -> None:
    ledger = prepared()
    before, sequence = held(ledger.network), ledger.sequence("alice")
    paid, refused = Payment(address("bob"), usd(), "1"), Payment(address("carol"), usd(), "1")
    assert ledger.codes("alice", paid, refused, paid) == ["op_success", "op_no_trust", "op_success"]
    after = held(ledger.network)
    assert after.pop((address("alice"), "native")) == (
        before.pop((address("alice"), "native")) - 300
    )
    assert after == before
    assert ledger.sequence("alice") == sequence + 1


def test_what_no_ledger_takes_costs_nothing() -> None:
    ledger = prepared()
    before, sequence = held(ledger.network), ledger.sequence("alice")
    assert ledger.codes("alice", Payment(address("bob"), usd(), "0")) == ["op_malformed"]
    assert ledger.network.waiting == []
    assert (held(ledger.network), ledger.sequence("alice")) == (before, sequence)


def test_a_fee_is_taken_only_up_to_the_base_fee_of_each_operation() -> None:
    ledger = prepared()
    before = ledger.balance("alice")
    ledger.send("alice", ManageData("a", "b"), ManageData("c", "d"), fee=5000)
    assert before - ledger.balance("alice") == 200


def test_the_reserve_of_an_account_cannot_be_spent() -> None:
    ledger = prepared()
    spendable = ledger.balance("alice") - 3 * 5_000_000 - 100
    too_much = text(spendable + 1)
    all_of_it = text(spendable - 100)
    assert ledger.codes("alice", Payment(address("bob"), Asset.native(), too_much)) == [
        "op_underfunded"
    ]
    assert ledger.codes("alice", Payment(address("bob"), Asset.native(), all_of_it)) == [
        "op_success"
    ]
    assert ledger.balance("alice") == 3 * 5_000_000


def test_a_line_is_spent_to_the_last_unit_and_not_beyond() -> None:
    ledger = prepared()
    assert ledger.codes("alice", Payment(address("bob"), usd(), "100.0000001")) == [
        "op_underfunded"
    ]
    assert ledger.codes("alice", Payment(address("bob"), usd(), "100")) == ["op_success"]


def test_a_line_is_filled_to_its_limit_and_not_beyond() -> None:
    ledger = prepared()
    assert ledger.codes("bob", ChangeTrust(usd(), "99.9999999")) == ["op_invalid_limit"]
    assert ledger.codes("bob", ChangeTrust(usd(), "150")) == ["op_success"]
    assert ledger.codes("alice", Payment(address("bob"), usd(), "50.0000001")) == ["op_line_full"]
    assert ledger.codes("alice", Payment(address("bob"), usd(), "50")) == ["op_success"]
    check_books(ledger.network)


def test_the_issuer_makes_and_takes_back_its_asset() -> None:
    ledger = prepared()
    ledger.send("alice", Payment(address("issuer"), usd(), "40"))
    assert totals(ledger.network)[f"USD:{address('issuer')}"] == 160 * STROOPS
    ledger.send("issuer", Payment(address("bob"), usd(), "1"))
    assert totals(ledger.network)[f"USD:{address('issuer')}"] == 161 * STROOPS


def test_a_merge_moves_everything_and_the_account_is_gone() -> None:
    ledger = prepared()
    carol, alice = ledger.balance("carol"), ledger.balance("alice")
    assert ledger.codes("carol", AccountMerge(address("alice"))) == ["op_success"]
    assert ledger.balance("alice") == alice + carol - 100
    assert ledger.network.state.accounts.read(address("carol")) is None


def test_a_merge_and_a_new_creation_in_one_transaction_begin_a_new_life() -> None:
    ledger = prepared()
    old = ledger.sequence("carol")
    gone = AccountMerge(address("alice"), source=address("carol"))
    back = CreateAccount(address("carol"), "5")
    record = ledger.send("alice", gone, back, signers=["carol"])
    assert isinstance(record, TransactionRecord)
    assert record.successful
    assert ledger.sequence("carol") > old
    assert ledger.balance("carol") == 5 * STROOPS


def test_one_waiting_transaction_of_a_source_keeps_a_second_one_out() -> None:
    ledger = prepared()
    first = ledger.envelope("alice", [ManageData("a", "b")])
    second = ledger.envelope("alice", [ManageData("a", "c")], ahead=2)
    assert ledger.network.submit(first).status == "pending"
    assert ledger.network.submit(first).status == "duplicate"
    assert ledger.network.submit(second).status == "try_again_later"
    ledger.close()
    assert ledger.network.submit(second).status == "pending"


def test_two_transactions_for_the_last_coins_spend_them_once() -> None:
    ledger = prepared()
    all_usd = Payment(address("issuer"), usd(), "100", source=address("alice"))
    for name in ("bob", "carol"):
        envelope = ledger.envelope(name, [all_usd], signers=["alice"])
        assert ledger.network.submit(envelope).status == "pending"
    ledger.close()
    ends = [each.successful for each in ledger.network.history.all.transactions[-2:]]
    assert sorted(ends) == [False, True]
    assert totals(ledger.network)[f"USD:{address('issuer')}"] == 100 * STROOPS


def test_a_fee_that_another_transaction_of_the_ledger_spent_is_not_taken_twice() -> None:
    ledger = Ledger()
    ledger.fund("alice", "bob")
    spare = ledger.balance("alice") - 2 * 5_000_000
    leave = text(spare - 100)
    spends = Payment(address("bob"), Asset.native(), leave, source=address("alice"))
    first = ledger.envelope("bob", [spends], signers=["alice"])
    second = ledger.envelope("alice", [ManageData("a", "b")])
    assert ledger.network.submit(first).status == "pending"
    assert ledger.network.submit(second).status == "pending"
    ledger.close()
    check_books(ledger.network)


def test_a_payer_of_two_fees_of_a_ledger_never_owes() -> None:
    ledger = Ledger()
    ledger.fund("payer", "alice", "bob")
    left = 2 * 5_000_000 + 12_000_000
    ledger.send("payer", Payment(address("bob"), Asset.native(), text(10**11 - left - 100)))
    ledger.network.set_surge_fee(6_000_000)
    for name in ("alice", "bob"):
        inner = TransactionEnvelope.from_xdr(
            ledger.envelope(name, [ManageData("a", "b")]), ledger.network.passphrase
        )
        outer = TransactionBuilder.build_fee_bump_transaction(
            address("payer"), 6_000_000, inner, ledger.network.passphrase
        )
        outer.sign(key("payer"))
        assert ledger.network.submit(outer.to_xdr()).status == "pending"
    ledger.close()
    assert ledger.balance("payer") == 0
    check_books(ledger.network)


def test_a_transaction_that_allows_a_gap_takes_its_own_sequence_number() -> None:
    ledger = prepared()
    now = ledger.sequence("alice")
    builder = TransactionBuilder(Account(address("alice"), now + 9), ledger.network.passphrase)
    builder.append_operation(ManageData("a", "b")).set_min_sequence_number(now)
    envelope = builder.add_time_bounds(0, 0).build()
    envelope.sign(key("alice"))
    assert ledger.network.submit(envelope.to_xdr()).status == "pending"
    ledger.close()
    assert ledger.sequence("alice") == now + 10


def everything(network: Network) -> list[object]:
    shelf = network.history.all
    return [
        network.core.hash,
        held(network),
        [each.text() for each in network.history.ledgers],
        [each.text for each in shelf.transactions],
        [each.text(joined=True) for each in shelf.operations],
        [each.text for each in shelf.effects],
    ]


def test_a_network_goes_on_from_its_state_file_with_the_same_ledgers(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state")
    ledger.fund("alice", "bob")
    ledger.network.set_base_fee(150)
    ledger.send("alice", Payment(address("bob"), Asset.native(), "3"), fee=200)
    ledger.send("alice", Payment(address("carol"), Asset.native(), "3"), fee=200)
    ledger.now += 60
    ledger.close()
    ledger.network.forget_before(2)
    before = everything(ledger.network)
    ledger.network.stop()
    again = Ledger(tmp_path / "state")
    assert everything(again.network) == before
    assert again.network.base_fee == 150
    again.now = START + 120
    assert again.codes("bob", Payment(address("alice"), Asset.native(), "1")) == [
        "tx_insufficient_fee"
    ]


def test_a_torn_last_line_of_the_state_file_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "state"
    ledger = Ledger(path)
    ledger.fund("alice")
    ledger.network.stop()
    before = everything(ledger.network)
    path.write_bytes(path.read_bytes() + b'{"hash":"00')
    assert everything(Ledger(path).network) == before


def test_a_state_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    Network("One", state_file=path).stop()
    with pytest.raises(ValueError, match="another passphrase"):
        Network("Two", state_file=path)


def test_a_reset_begins_again_at_the_first_ledger_also_in_the_state_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state")
    ledger.fund("alice")
    ledger.network.reset()
    assert ledger.network.core.sequence == 1
    assert ledger.network.state.accounts.read(address("alice")) is None
    ledger.network.stop()
    assert Ledger(tmp_path / "state").network.core.sequence == 1


def test_a_signature_for_another_network_counts_for_nothing() -> None:
    ledger = prepared()
    other = Ledger()
    other.network.passphrase = "Another network"
    other.network.state = ledger.network.state
    envelope = other.envelope("alice", [ManageData("a", "b")])
    outcome = ledger.network.submit(envelope).outcome
    assert outcome is not None
    assert outcome.words() == {"transaction": "tx_bad_auth"}


def test_a_pre_authorised_transaction_needs_no_signature_and_its_signer_is_used_up() -> None:
    ledger = prepared()
    envelope = TransactionEnvelope.from_xdr(
        ledger.envelope("alice", [ManageData("a", "b")], ahead=2), ledger.network.passphrase
    )
    envelope.signatures.clear()
    signer = Signer.pre_auth_tx(envelope.hash(), 1)
    assert ledger.codes("alice", SetOptions(signer=signer)) == ["op_success"]
    assert ledger.network.submit(envelope.to_xdr()).status == "pending"
    ledger.close()
    account = ledger.network.state.accounts.read(address("alice"))
    assert account is not None
    assert (account.data, account.signers) == ({"a": b"b"}, {})
    check_books(ledger.network)

"""Claimable balances on the sandbox network: who may claim, when, and who bears the reserve."""

import json
from pathlib import Path

import pytest
from stellar_sdk import (
    AccountMerge,
    Asset,
    BeginSponsoringFutureReserves,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    ClaimPredicate,
    ClawbackClaimableBalance,
    CreateClaimableBalance,
    EndSponsoringFutureReserves,
    Network,
    Payment,
    TransactionEnvelope,
    xdr,
)

from anchor.sandbox.network.records import TransactionRecord
from tests.sandbox.books import STROOPS, check_books, held
from tests.sandbox.ledger import Ledger, address, usd

NOW = ClaimPredicate.predicate_unconditional()
SOON = ClaimPredicate.predicate_before_relative_time(60)
LATER = ClaimPredicate.predicate_not(SOON)


@pytest.fixture
def ledger() -> Ledger:
    """Alice holds 100 USD, Carol trusts it, Bob does not."""
    return prepared()


def prepared(state_file: Path | None = None) -> Ledger:
    ledger = Ledger(state_file)
    ledger.fund("alice", "bob", "carol", "issuer")
    for name in ("alice", "carol"):
        ledger.send(name, ChangeTrust(usd()))
    ledger.send("issuer", Payment(address("alice"), usd(), "100"))
    return ledger


def put(ledger: Ledger, *claimants: tuple[str, ClaimPredicate], asset: Asset | None = None) -> str:
    """Let Alice put 10 aside; returns the id of the balance."""
    made = [Claimant(address(name), when) for name, when in claimants]
    record = ledger.send("alice", CreateClaimableBalance(asset or usd(), "10", made))
    assert isinstance(record, TransactionRecord)
    assert record.successful
    [identifier] = record.balances
    return identifier


def claim(ledger: Ledger, name: str, identifier: str) -> str:
    [code] = ledger.codes(name, ClaimClaimableBalance(identifier))
    check_books(ledger.network)
    return code


def test_the_id_is_the_one_that_clients_compute_and_that_the_result_names(ledger: Ledger) -> None:
    made = CreateClaimableBalance(usd(), "10", [Claimant(address("carol"), NOW)])
    record = ledger.send("alice", made, made)
    assert isinstance(record, TransactionRecord)
    envelope = TransactionEnvelope.from_xdr(record.envelope_xdr, Network.TESTNET_NETWORK_PASSPHRASE)
    computed = {envelope.transaction.get_claimable_balance_id(index) for index in (0, 1)}
    assert record.balances == computed
    results = xdr.TransactionResult.from_xdr(record.result_xdr).result.results
    assert results
    named = set()
    for result in results:
        assert result.tr
        assert result.tr.create_claimable_balance_result
        assert result.tr.create_claimable_balance_result.balance_id
        named.add(result.tr.create_claimable_balance_result.balance_id.to_xdr_bytes().hex())
    assert named == computed


def test_a_claimant_takes_the_balance_once(ledger: Ledger) -> None:
    identifier = put(ledger, ("carol", NOW))
    assert claim(ledger, "carol", identifier) == "op_success"
    assert claim(ledger, "carol", identifier) == "op_does_not_exist"
    assert held(ledger.network)[address("carol"), f"USD:{address('issuer')}"] == 10 * STROOPS


def test_another_may_not_claim(ledger: Ledger) -> None:
    assert claim(ledger, "alice", put(ledger, ("carol", NOW))) == "op_cannot_claim"


def test_a_claimant_without_a_trust_line_has_to_make_one_first(ledger: Ledger) -> None:
    identifier = put(ledger, ("bob", NOW))
    assert claim(ledger, "bob", identifier) == "op_no_trust"
    both = ledger.codes("bob", ChangeTrust(usd()), ClaimClaimableBalance(identifier))
    assert both == ["op_success", "op_success"]


@pytest.mark.parametrize(
    ("when", "after_s", "code"),
    [
        (SOON, 59, "op_success"),
        (SOON, 60, "op_cannot_claim"),
        (LATER, 59, "op_cannot_claim"),
        (LATER, 60, "op_success"),
        (ClaimPredicate.predicate_and(SOON, NOW), 59, "op_success"),
        (ClaimPredicate.predicate_and(SOON, LATER), 59, "op_cannot_claim"),
        (ClaimPredicate.predicate_or(SOON, LATER), 60, "op_success"),
        (ClaimPredicate.predicate_before_absolute_time(1), 0, "op_cannot_claim"),
        (ClaimPredicate.predicate_before_absolute_time(2**63 - 1), 0, "op_success"),
        (ClaimPredicate.predicate_before_relative_time(2**63 - 1), 10**9, "op_success"),
    ],
)
def test_a_predicate_holds_by_the_close_time(
    ledger: Ledger, when: ClaimPredicate, after_s: int, code: str
) -> None:
    identifier = put(ledger, ("carol", when))
    ledger.now += after_s
    assert claim(ledger, "carol", identifier) == code


def test_the_sender_may_take_back_what_was_not_claimed_in_time(ledger: Ledger) -> None:
    identifier = put(ledger, ("carol", SOON), ("alice", LATER))
    assert claim(ledger, "alice", identifier) == "op_cannot_claim"
    ledger.now += 60
    assert claim(ledger, "carol", identifier) == "op_cannot_claim"
    assert claim(ledger, "alice", identifier) == "op_success"


def test_each_claimant_costs_the_creator_a_reserve_until_the_claim(ledger: Ledger) -> None:
    identifier = put(ledger, ("carol", NOW), ("bob", NOW))
    alice = ledger.network.state.accounts.read(address("alice"))
    assert alice is not None
    assert alice.sponsoring == 2
    assert claim(ledger, "carol", identifier) == "op_success"
    alice = ledger.network.state.accounts.read(address("alice"))
    assert alice is not None
    assert alice.sponsoring == 0


def test_an_account_that_bears_reserves_cannot_merge(ledger: Ledger) -> None:
    put(ledger, ("carol", NOW), asset=Asset.native())
    spare = Payment(address("issuer"), usd(), "100")
    ledger.send("alice", spare, ChangeTrust(usd(), "0"))
    assert ledger.codes("alice", AccountMerge(address("bob"))) == ["op_is_sponsor"]
    check_books(ledger.network)


def test_a_sponsor_may_bear_the_reserve_of_a_balance(ledger: Ledger) -> None:
    made = CreateClaimableBalance(
        usd(), "10", [Claimant(address("carol"), NOW)], source=address("alice")
    )
    begin = BeginSponsoringFutureReserves(address("alice"), source=address("bob"))
    end = EndSponsoringFutureReserves(source=address("alice"))
    assert ledger.codes("bob", begin, made, end, signers=["alice"]) == ["op_success"] * 3
    [balance] = ledger.network.state.balances.entries.values()
    assert balance is not None
    assert balance.sponsor == address("bob")
    check_books(ledger.network)


def test_only_the_issuer_claws_back_and_only_if_the_asset_allows_it(ledger: Ledger) -> None:
    identifier = put(ledger, ("carol", NOW))
    assert ledger.codes("bob", ClawbackClaimableBalance(identifier)) == ["op_no_issuer"]
    assert ledger.codes("issuer", ClawbackClaimableBalance(identifier)) == [
        "op_not_clawback_enabled"
    ]


@pytest.mark.parametrize(
    "claimants",
    [
        [],
        [Claimant(address("carol"), NOW), Claimant(address("carol"), SOON)],
        [Claimant(address("carol"), ClaimPredicate.predicate_before_relative_time(-1))],
        [
            Claimant(
                address("carol"),
                ClaimPredicate.predicate_not(
                    ClaimPredicate.predicate_not(
                        ClaimPredicate.predicate_not(ClaimPredicate.predicate_not(NOW))
                    )
                ),
            )
        ],
    ],
)
def test_bad_claimants_are_malformed(ledger: Ledger, claimants: list[Claimant]) -> None:
    made = CreateClaimableBalance(usd(), "1", claimants)
    assert ledger.codes("alice", made) == ["op_malformed"]


def test_claimants_see_the_operation_in_their_lists_and_not_among_payments(ledger: Ledger) -> None:
    put(ledger, ("carol", NOW), ("bob", LATER))
    for name in ("alice", "bob", "carol"):
        shelf = ledger.network.history.accounts[address(name)]
        assert '"type":"create_claimable_balance"' in shelf.operations[-1].text(joined=False)
        assert shelf.transactions[-1].token + 1 == shelf.operations[-1].token
        assert all(each.token != shelf.operations[-1].token for each in shelf.payments)
        assert json.loads(shelf.effects[-1].text.replace("\x01", ""))["balance_id"]


def test_balances_survive_a_restart(tmp_path: Path) -> None:
    ledger = prepared(tmp_path / "state")
    identifier = put(ledger, ("carol", LATER))
    ledger.network.stop()
    again = Ledger(tmp_path / "state")
    again.now = ledger.now + 60
    assert claim(again, "carol", identifier) == "op_success"
    again.network.stop()

"""What a contract account paid goes back to it, once, and without a memo."""

from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.cli import group
from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Rejected, Unavailable
from anchor.lifecycle import Kind, Status
from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.sandbox import contract_accounts
from anchor.services import audits, desk, reconciliation, refunds, restore
from anchor.services.acts import By
from anchor.services.receipts import observe
from tests.contract_deposits import Contracts
from tests.receiving import balances, booked, deposit
from tests.test_policy_refunds import run
from tests.test_refunds import give_back, order, settle, work
from tests.test_restore import everything
from tests.waiting import until
from tests.world import World

ME = By("ann", "the customer asked")


class Payer:
    """Somebody with an account contract that holds the asset."""

    def __init__(self, bench: Contracts) -> None:
        self.bench, self.key = bench, Keypair.random()
        self.relayer = bench.account()
        self.account = bench.contract(self.key)
        self.transfer(bench.issuer(), self.account, bench.issuer().public_key, "1000")

    def transfer(self, key: Keypair, destination: str, sender: str, amount: str) -> None:
        contract_accounts.transfer(
            sender,
            key,
            destination,
            self.bench.world.asset,
            amount,
            relayer=self.relayer if sender.startswith("C") else None,
            horizon_url=self.bench.world.sandbox.url,
            rpc_url=f"{self.bench.world.sandbox.url}/rpc",
            passphrase=TESTNET_PASSPHRASE,
        )

    def pay(self, amount: str, memo: str | None = None) -> None:
        """Pay the anchor, under the id `memo` where there is one, and let it read the ledger."""
        ours = self.bench.world.distribution
        muxed = MuxedAccount(ours, int(memo)).account_muxed if memo else None
        self.transfer(self.key, muxed or ours, self.account, amount)
        self.bench.world.read()

    def logged_in(self, row_id: str) -> None:
        """Have a transaction be one that this account opened itself."""
        query = "UPDATE transactions SET owner_account = :account WHERE id = :id"
        self.bench.sql(query, account=self.account, id=row_id)

    @property
    def holds(self) -> int:
        return self.bench.holds(self.account)


@pytest.fixture
def bench(world: World) -> Contracts:
    return Contracts(world)


@pytest.fixture
def payer(bench: Contracts) -> Payer:
    return Payer(bench)


def paid(payer: Payer, kind: Kind = Kind.WITHDRAWAL, **more: Any) -> str:
    """A transaction that a contract paid, and that is held."""
    world = payer.bench.world
    status = Status.PENDING_SENDER if kind is Kind.SEND else Status.PENDING_USER_TRANSFER_START
    row_id = world.of_kind(kind, status, **more)
    payer.logged_in(row_id)
    payer.pay("100", world.memo(row_id))
    assert world.row(row_id).amount_received == parse_amount("100")
    desk.hold(row_id, ME)
    return row_id


def test_a_withdrawal_goes_back_to_the_contract_that_paid_it(payer: Payer) -> None:
    world = payer.bench.world
    row_id = paid(payer)
    assert payer.holds == parse_amount("900")
    begun = give_back(row_id)
    assert (begun.amount, begun.fee) == (parse_amount("100"), 0)
    settle(world, row_id)
    assert payer.holds == parse_amount("1000")
    row = world.row(row_id)
    assert (row.amount_refunded, row.amount_paid) == (row.amount_received, 0)
    [outflow] = world.outflows(row_id)
    assert (outflow.destination, outflow.memo, outflow.is_alone) == (payer.account, None, True)
    assert {name for name, amount in balances().items() if amount} <= {"treasury", "network_fees"}
    world.read()
    assert world.cases() == []
    assert audits.look() == []


def test_money_of_a_contract_that_matched_nobody_goes_back(payer: Payer) -> None:
    world = payer.bench.world
    payer.logged_in(world.of_kind(Kind.WITHDRAWAL, Status.INCOMPLETE))
    payer.pay("7")
    [cause] = [cause for (cause,) in payer.bench.sql("SELECT cause FROM cases")]
    give_back(cause)
    until(lambda: work(world) or payer.holds == parse_amount("1000"), 30, "for the refund")
    until(lambda: work(world) or desk.listing() == [], 20, "for the case to be closed")


def test_a_refund_that_needs_a_memo_is_left_to_a_person(payer: Payer) -> None:
    row_id = paid(payer, refund_memo_type="text", refund_memo="thanks")
    with pytest.raises(Rejected, match="none can travel"):
        give_back(row_id)
    sent = paid(payer, Kind.SEND)
    with pytest.raises(Rejected, match="none can travel"):
        give_back(sent)
    assert payer.bench.sql("SELECT count(*) FROM outflows") == [(0,)]
    assert payer.holds == parse_amount("800")


def test_a_contract_that_is_gone_is_paid_nothing_back_and_an_rpc_away_is_asked_later(
    payer: Payer,
) -> None:
    row_id = paid(payer)
    payer.bench.knob("archive", contract=payer.account)
    with pytest.raises(Rejected, match="archived"):
        give_back(row_id)
    payer.bench.ask("http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        give_back(row_id)
    payer.bench.settle(rpc_url=None)
    with pytest.raises(Rejected, match="no RPC is configured"):
        give_back(row_id)
    assert payer.bench.sql("SELECT count(*) FROM outflows") == [(0,)]


def test_a_refund_that_the_host_refuses_leaves_the_money_with_us(payer: Payer) -> None:
    world = payer.bench.world
    row_id = paid(payer)
    payer.bench.knob("holder", contract=payer.account, asset=world.policy.id, authorized=False)
    give_back(row_id)
    until(lambda: work(world) or world.cases(), 30, "for the case")
    assert world.cases() == ["refund_refused"]
    assert payer.bench.sql("SELECT note FROM cases") == [
        ("the ledger's host says Error(Contract, #11)",)
    ]
    assert world.row(row_id).amount_refunded == 0
    payer.bench.knob("holder", contract=payer.account, asset=world.policy.id)
    give_back(row_id)
    settle(world, row_id)
    assert payer.holds == parse_amount("1000")


def test_promise_06_a_refund_that_was_simulated_too_small_is_made_under_the_next_key(
    payer: Payer,
) -> None:
    world = payer.bench.world
    row_id = paid(payer)
    payer.bench.knob("simulations", fault="fee", times=2)
    give_back(row_id)
    settle(world, row_id)
    assert [each.state for each in world.outflows(row_id)] == ["refused", "refused", "done"]
    assert payer.holds == parse_amount("1000")
    assert world.cases() == []
    assert audits.look() == []


def by_policy(payer: Payer) -> None:
    """Let a policy send back what matches nobody."""
    automatic = RefundPolicy(automatic=frozenset({"unmatched"}))
    payer.bench.serve(replace(payer.bench.world.policy, refund=automatic))


def test_promise_14_a_policy_sends_nothing_to_a_contract_that_never_logged_in(
    payer: Payer,
) -> None:
    """It may be a pool through which a customer changed what they paid with."""
    by_policy(payer)
    payer.pay("7")
    run(payer.bench.world)
    assert payer.holds == parse_amount("993")
    [case] = desk.listing()
    assert case.closed_at is None
    assert "never logged in" in (case.note or "")
    for named in (None, payer.bench.contract(Keypair.random())):
        with pytest.raises(Rejected, match="may be a pool"):
            refunds.begin(replace(order(case.cause), to_contract=named))
    words = ["refund", str(case.id), "--by", "ann", "--to-contract", payer.account]
    done = payer.bench.world.app.test_cli_runner().invoke(group, words)
    assert done.exit_code == 0, done.output
    until(lambda: work(payer.bench.world) or payer.holds == parse_amount("1000"), 30, "by a person")


def test_promise_14_a_policy_sends_back_what_a_contract_paid_once(payer: Payer) -> None:
    by_policy(payer)
    payer.logged_in(payer.bench.world.of_kind(Kind.WITHDRAWAL, Status.INCOMPLETE))
    payer.pay("7")
    run(payer.bench.world)
    assert payer.holds == parse_amount("1000")
    payer.pay("8")
    run(payer.bench.world)
    assert payer.holds == parse_amount("992"), "it may be the answer to what we sent"


def test_a_refund_by_hand_asks_nobody(payer: Payer) -> None:
    row_id = paid(payer)
    payer.bench.settle(rpc_url=None)
    asked = order(refunds.of_transaction(row_id).cause)
    refunds.begin(replace(asked, by_hand=True))
    assert payer.bench.world.status(row_id) == "refunded"
    assert payer.holds == parse_amount("900")


def test_the_ledger_and_the_books_agree_about_contracts(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "_REST_S", 0)
    world = payer.bench.world
    assert reconciliation.run(1).differences == []
    row_id = paid(payer)
    give_back(row_id)
    settle(world, row_id)
    deposit_id = deposit(world, destination=payer.account)
    observe("bank", [booked()])
    payer.bench.wait(deposit_id)
    world.read()
    report = reconciliation.run(1)
    assert (report.differences, report.payments_missing) == ([], 0)
    assert world.cases() == []


def test_promise_06_what_a_restored_database_forgot_to_have_paid_a_contract_is_not_paid_again(
    world: World, backup: Any
) -> None:
    bench = Contracts(world)
    payer = Payer(bench)
    row_id = deposit(world, destination=payer.account)
    observe("bank", [booked()])
    refunded = paid(payer)
    begun = give_back(refunded)
    backup.take()
    bench.wait(row_id)
    settle(world, refunded)
    world.read()
    held = payer.holds
    backup.restore()
    bench = Contracts(world)
    found = restore.look("ann")
    assert (sorted(found.deposits), found.unexplained) == (sorted((f"{row_id}-1", begun.key)), [])
    restore.resume("ann")
    everything(world)
    assert [world.status(each) for each in (row_id, refunded)] == ["completed", "refunded"]
    assert payer.holds == held
    assert audits.look() == []

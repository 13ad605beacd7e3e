"""A remote custodian pays, exactly once, and is believed when a ledger shows it."""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Keypair, StrKey

from anchor.cli import group
from anchor.config import TESTNET_PASSPHRASE
from anchor.errors import Rejected, Unavailable
from anchor.extensions import gateway, transaction
from anchor.integrations.custody import CustodyTraits, Declined, Paid, Sent, Unknown
from anchor.integrations.local_keys import LocalKeys
from anchor.ledger.envelopes import hash_of
from anchor.ledger.gateway import SubmissionFailed
from anchor.ledger.orders import LedgerOrder
from anchor.policies import DeliveryPolicy
from anchor.services import (
    brakes,
    channels,
    custodian_payments,
    custody_orders,
    custody_outcomes,
    deposits,
    desk,
    jobs,
    order_ends,
    passes,
    queues,
    refunds,
    signing,
    slots,
    sweeps,
)
from anchor.services.acts import By
from anchor.services.custody_orders import CARRY
from anchor.services.departures import EXPLAIN
from anchor.services.deposit_payments import PAY_ON_LEDGER
from tests.authorizing import give_away, lumens
from tests.keeping_custody import ALL_FORMS, LOOKS_UP, NOTHING, Keep, kept
from tests.test_refunds import in_parallel
from tests.waiting import until

FOR_AN_HOUR = CustodyTraits(idempotent_for=timedelta(hours=1))
MINUTE = 60


@pytest.fixture
def keep(database_url: str, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keep]:
    with kept(database_url, broker_url, monkeypatch) as made:
        yield made


def paid_once(keep: Keep, row_id: str, account: str) -> None:
    assert keep.world.status(row_id) == "completed"
    assert keep.held(account) == "99.0000000"
    assert keep.times_paid(account) == 1
    keep.booked()


def test_a_custodian_pays_a_deposit_and_the_anchor_holds_no_secret(keep: Keep) -> None:
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    paid_once(keep, row_id, account)
    assert keep.world.events(row_id) == [
        "funds_received",
        "ledger_payment_submitted",
        "ledger_payment_confirmed",
    ]
    row = keep.world.row(row_id)
    assert row.amount_paid == 100_0000000
    [[reference]] = keep.sql("SELECT reference FROM outflows")
    assert row.stellar_transaction_id == reference
    assert keep.sql("SELECT count(*) FROM submissions") == [(0,)]
    assert keep.sql("SELECT count(*) FROM jobs") == [(0,)]
    keep.world.read()
    keep.work()
    assert keep.world.cases() == []


@pytest.mark.parametrize("knob", ["late", "lost", "dropped"])
def test_promise_06_however_a_custodian_answers_a_deposit_is_paid_once(
    keep: Keep, knob: str
) -> None:
    keep.custodian()
    setattr(keep.vault, knob, 2)
    account = keep.account().public_key
    row_id = keep.deposit(account)
    for _ in range(6):
        keep.work()
        keep.age(61)
        keep.again()
    paid_once(keep, row_id, account)
    assert keep.orders() == [(f"{row_id}-1", "done")]
    assert keep.world.cases() == []


def test_promise_06_the_key_is_stored_before_the_custodian_hears_of_it(keep: Keep) -> None:
    seen: list[Any] = []

    def look(_order: Any, outcome: Any) -> Any:
        seen.extend(keep.sql("SELECT key, state, custody, calls, called_at FROM outflows"))
        return outcome

    keep.custodian(script=[look])
    row_id = keep.deposit(keep.account().public_key)
    keep.work()
    [(key, state, custody, calls, called_at)] = seen
    assert (key, state, custody, calls) == (f"{row_id}-1", "unknown", "vault", 1)
    assert called_at is not None


def test_promise_06_who_dies_between_sending_and_recording_has_paid_once(keep: Keep) -> None:
    puppet = keep.custodian(script=["die"])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    with pytest.raises(KeyboardInterrupt):
        keep.work()
    assert keep.world.status(row_id) == "pending_stellar"
    assert keep.orders() == [(f"{row_id}-1", "unknown")]
    keep.again()
    paid_once(keep, row_id, account)
    assert (puppet.calls, puppet.look_ups) == ([f"{row_id}-1"], 1)


_WORKER = """
import pathlib, pickle, sys
from anchor import create_app
from anchor.services import sweeps
from tests.keeping_custody import KINDS
app = create_app(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()))
with app.app_context():
    sweeps.work_off(KINDS)
"""


def test_promise_06_a_process_that_is_killed_while_its_custodian_pays_has_paid_once(
    keep: Keep, tmp_path: Path
) -> None:
    installed = tmp_path / "vault-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: vault\nVersion: 1\n")
    entry = "[anchor.custody]\nvault = tests.custodian:VaultPlugin\n"
    (installed / "entry_points.txt").write_text(entry)
    (tmp_path / "settings").write_bytes(pickle.dumps(keep.world.settings))
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.vault.answers.clear()
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(tmp_path / "settings")],
        env=dict(os.environ, PYTHONPATH=f"{Path(__file__).parents[1]}:{tmp_path}"),
    )
    until(lambda: keep.times_paid(account) or worker.poll() is not None)
    worker.kill()
    worker.wait(20)
    assert keep.orders() == [(f"{row_id}-1", "unknown")]
    keep.vault.answers.set()
    keep.again()
    keep.again()
    paid_once(keep, row_id, account)
    assert len(keep.vault.orders) == 1


@pytest.mark.parametrize(
    "raised", [AttributeError("a bug"), TimeoutError(), Unknown("500"), "ok", {"status": "paid"}]
)
def test_promise_07_whatever_is_no_published_answer_is_unknown_and_looked_up(
    keep: Keep, raised: Any
) -> None:
    def take(_order: Any, _outcome: Any) -> Any:
        if isinstance(raised, Exception):
            raise raised
        return raised

    puppet = keep.custodian(script=[take])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    assert keep.orders() == [(f"{row_id}-1", "unknown")]
    keep.again()
    paid_once(keep, row_id, account)
    assert len(puppet.calls) == 1


def test_promise_07_not_found_is_repeated_only_once_it_is_final(keep: Keep) -> None:
    puppet = keep.custodian(script=[Unknown("time-out")])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    for _ in range(3):
        keep.again()
    assert (puppet.calls, puppet.look_ups) == ([f"{row_id}-1"], 2)
    keep.age(61)
    keep.again()
    assert puppet.calls == [f"{row_id}-1"] * 2
    paid_once(keep, row_id, account)


def test_promise_07_a_custodian_that_promises_nothing_is_never_repeated(keep: Keep) -> None:
    puppet = keep.custodian(CustodyTraits(), script=[TimeoutError()])
    row_id = keep.deposit(keep.account().public_key)
    for _ in range(3):
        keep.again()
        passes.owe("work")
    keep.age(10_000)
    assert puppet.calls == [f"{row_id}-1"]
    assert keep.world.cases() == ["outcome_unknown"]
    assert keep.world.status(row_id) == "pending_stellar"
    with pytest.raises(Rejected, match="on its way"):
        desk.hold(row_id, By("anna"))


def test_promise_07_a_key_is_repeated_for_as_long_as_it_is_idempotent_from_its_first_call(
    keep: Keep,
) -> None:
    steps = [Unknown("500")] * 3
    puppet = keep.custodian(FOR_AN_HOUR, script=steps)
    keep.deposit(keep.account().public_key)
    keep.work()
    for _ in range(3):
        keep.age(40 * MINUTE)
        keep.again()
    assert len(puppet.calls) == 2
    assert keep.world.cases() == ["outcome_unknown"]


def test_a_custodian_that_was_not_reached_leaves_the_order_in_its_queue(keep: Keep) -> None:
    puppet = keep.custodian(script=[Unavailable("down"), Unavailable("down")])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    [(state, custody, calls)] = keep.sql("SELECT state, custody, calls FROM outflows")
    assert (state, custody, calls) == ("prepared", None, 0)
    keep.again()
    keep.again()
    paid_once(keep, row_id, account)
    assert (puppet.calls, puppet.look_ups) == ([f"{row_id}-1"] * 3, 0)


def test_promise_07_nothing_began_says_nothing_about_an_earlier_call(keep: Keep) -> None:
    puppet = keep.custodian(FOR_AN_HOUR, script=[Unknown("500"), Unavailable("down")])
    row_id = keep.deposit(keep.account().public_key)
    keep.again()
    keep.again()
    assert keep.orders() == [(f"{row_id}-1", "unknown")]
    keep.age(2 * 3600)
    keep.again()
    assert len(puppet.calls) == 2
    assert keep.world.cases() == ["outcome_unknown"]


def test_what_was_sent_is_polled_until_it_is_paid(keep: Keep) -> None:
    keep.vault.late = 3
    puppet = keep.custodian()
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    assert keep.orders() == [(f"{row_id}-1", "sent")]
    assert keep.sql("SELECT kind FROM jobs") == [("poll_custodian",)]
    keep.again()
    keep.again()
    keep.again()
    paid_once(keep, row_id, account)
    assert len(puppet.calls) == 1
    assert keep.sql("SELECT count(*) FROM jobs") == [(0,)]


def test_a_poll_that_was_lost_is_owed_by_a_sweep(keep: Keep) -> None:
    keep.vault.late = 2
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    keep.sql("DELETE FROM jobs")
    for _ in range(3):
        for name in ("work", "poll_outgoing_transactions"):
            passes.owe(name)
        keep.again()
    paid_once(keep, row_id, account)


def test_promise_12_an_order_that_cannot_be_asked_about_stops_no_other(keep: Keep) -> None:
    keep.vault.late = 1
    puppet = keep.custodian()
    accounts = [keep.account().public_key for _ in range(3)]
    rows = [keep.deposit(account) for account in accounts]
    puppet.polled[f"{rows[1]}-1"] = RuntimeError("this one is bad")
    keep.work()
    keep.again()
    assert [keep.world.status(row) for row in rows] == [
        "completed",
        "pending_stellar",
        "completed",
    ]


def test_a_hash_that_no_ledger_shows_yet_is_asked_about_again(keep: Keep) -> None:
    keep.custodian(script=[Paid("ab" * 32)]).polled = NOTHING
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    assert keep.sql("SELECT state, told_hash FROM outflows") == [("sent", "ab" * 32)]
    paying = keep.pay_by_hand(account)
    keep.sql("UPDATE outflows SET told_hash = :hash", hash=paying)
    keep.again()
    paid_once(keep, row_id, account)


def test_a_hash_that_no_ledger_ever_shows_is_told(keep: Keep) -> None:
    keep.custodian(script=[Paid("ab" * 32)]).polled = NOTHING
    row_id = keep.deposit(keep.account().public_key)
    keep.work()
    keep.age(601)
    keep.again()
    keep.again()
    assert keep.world.cases() == ["custody_paid_unseen"]
    assert keep.world.status(row_id) == "pending_stellar"


def test_promise_06_the_hash_of_somebody_elses_transaction_completes_nothing(keep: Keep) -> None:
    stranger = keep.account().public_key
    others = keep.pay_by_hand(stranger)
    keep.custodian(script=[Paid(others)]).polled = NOTHING
    row_id = keep.deposit(keep.account().public_key)
    keep.work()
    keep.again()
    assert keep.world.status(row_id) == "pending_stellar"
    assert keep.orders() == [(f"{row_id}-1", "sent")]
    assert keep.world.cases() == ["custody_paid_otherwise"]


@pytest.mark.parametrize("which", ["memo", "amount", "source", "nonsense", "odd"])
def test_promise_06_what_differs_in_anything_completes_nothing(keep: Keep, which: str) -> None:
    account = keep.account().public_key
    told = {
        "memo": lambda: keep.pay_by_hand(account),
        "amount": lambda: keep.pay_by_hand(account, "98"),
        "source": lambda: paid_by_another(keep, account),
        "nonsense": lambda: "nonsense",
        "odd": lambda: "7" * 63 + "\0",
    }[which]()
    memo = {"destination_memo_type": "id", "destination_memo": "7"} if which == "memo" else {}
    keep.custodian(script=[Paid(told)]).polled = NOTHING
    row_id = keep.deposit(account, **memo)
    keep.work()
    assert keep.world.status(row_id) == "pending_stellar"
    assert keep.world.cases() == ["custody_paid_otherwise"]


def paid_by_another(keep: Keep, account: str) -> str:
    keep.world.fund()
    builder = keep.world.builder(keep.world.payer.public_key)
    builder.append_payment_op(account, keep.world.asset, "99")
    return keep.world.submit(builder, keep.world.payer)


def test_promise_06_a_transaction_that_failed_completes_nothing(keep: Keep) -> None:
    assert keep.vault.chain
    account = keep.account(limit="50").public_key
    order = LedgerOrder("payment", account, keep.world.policy.id, 99_0000000)
    envelope = keep.vault.chain.signed(order, source=keep.world.distribution)
    with pytest.raises(SubmissionFailed):
        keep.vault.chain.gateway.submit(envelope)
    told = hash_of(envelope, TESTNET_PASSPHRASE)
    keep.custodian(script=[Paid(told)]).polled = NOTHING
    row_id = keep.deposit(account, "40")
    keep.sql("UPDATE outflows SET amount = 990000000")
    keep.work()
    assert keep.world.status(row_id) == "pending_stellar"
    [(note,)] = keep.sql("SELECT note FROM cases")
    assert "it failed: tx_failed" in note


def test_promise_06_a_payment_from_before_the_order_completes_nothing(keep: Keep) -> None:
    account = keep.account().public_key
    puppet = keep.custodian(FOR_AN_HOUR, script=[Unknown("500"), Paid(keep.pay_by_hand(account))])
    puppet.polled = NOTHING
    row_id = keep.deposit(account)
    keep.work()
    keep.age(-10 * MINUTE)
    keep.again()
    assert keep.world.status(row_id) == "pending_stellar"
    [(note,)] = keep.sql("SELECT note FROM cases")
    assert "it closed before the order was given" in note


def test_promise_06_one_operation_counts_for_one_order(keep: Keep) -> None:
    account = keep.account().public_key
    rows = [keep.deposit(account) for _ in range(2)]
    first: list[str] = []

    def same(_order: Any, outcome: Any) -> Any:
        first.append(outcome.transaction_hash)
        return Paid(first[0])

    keep.custodian(script=[same, same]).polled = NOTHING
    keep.work()
    assert sorted(keep.world.status(row) for row in rows) == ["completed", "pending_stellar"]
    assert keep.world.cases() == ["custody_paid_otherwise"]


def test_two_orders_may_be_paid_by_one_transaction(keep: Keep) -> None:
    account = keep.account().public_key
    rows = [keep.deposit(account) for _ in range(2)]
    builder = keep.world.builder(keep.world.distribution)
    for _ in range(2):
        builder.append_payment_op(account, keep.world.asset, "99")
    both = keep.world.submit(builder, keep.treasury())
    keep.custodian(script=[Paid(both), Paid(both)])
    keep.work()
    assert [keep.world.status(row) for row in rows] == ["completed"] * 2
    places = keep.sql("SELECT operation_index FROM outflows ORDER BY 1")
    assert places == [(0,), (1,)]
    fees = keep.sql("SELECT sum(amount) FROM postings WHERE account = 'network_fees'")
    assert fees == [(200,)]
    keep.booked()


def test_a_payment_without_a_trust_line_waits_for_it_and_goes_out_under_the_next_key(
    keep: Keep,
) -> None:
    customer = keep.account()
    account = customer.public_key
    row_id = keep.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    builder = keep.builder(customer).append_change_trust_op(keep.world.asset, "0")
    keep.world.submit(builder, customer)
    keep.work()
    assert keep.world.status(row_id) == "pending_trust"
    keep.trust(customer)
    for _ in range(2):
        keep.again()
    paid_once(keep, row_id, account)
    assert keep.orders() == [(f"{row_id}-1", "refused"), (f"{row_id}-2", "done")]
    assert keep.world.events(row_id) == [
        "funds_received",
        "ledger_payment_submitted",
        "trust_missing",
        "trust_found",
        "ledger_payment_submitted",
        "ledger_payment_confirmed",
    ]


@pytest.mark.parametrize("said", [Declined("two people said no"), Rejected("no such asset here")])
def test_what_is_finally_declined_is_for_a_person(keep: Keep, said: Any) -> None:
    keep.custodian(script=[said])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.again()
    keep.again()
    assert keep.world.status(row_id) == "on_hold"
    assert keep.world.cases() == ["custody_declined"]
    keep.booked()
    desk.release(row_id, By("anna"))
    keep.again()
    paid_once(keep, row_id, account)


def test_an_account_without_enough_is_waited_for_oldest_first(keep: Keep) -> None:
    builder = keep.builder(keep.treasury())
    builder.append_payment_op(keep.issuer().public_key, keep.world.asset, "999950")
    keep.world.submit(builder, keep.treasury())
    puppet = keep.custodian()
    accounts = [keep.account().public_key for _ in range(3)]
    rows = [keep.deposit(accounts[0]), keep.deposit(accounts[1])]
    keep.work()
    keep.sql("UPDATE outflows SET not_before = now() + interval '1 hour' WHERE attempt = 2")
    rows.append(keep.deposit(accounts[2], "20"))
    keep.work()
    assert keep.world.cases() == ["waits_for_liquidity"]
    assert puppet.calls == [f"{rows[0]}-1"]
    assert keep.world.status(rows[0]) == "pending_anchor"
    issuer = keep.issuer()
    builder = keep.builder(issuer)
    builder.append_payment_op(keep.world.distribution, keep.world.asset, "1000")
    keep.world.submit(builder, issuer)
    for _ in range(4):
        keep.again()
    assert [keep.world.status(row) for row in rows] == ["completed"] * 3
    assert puppet.calls == [f"{rows[0]}-1", f"{rows[0]}-2", f"{rows[1]}-1", f"{rows[2]}-1"]
    assert keep.held(accounts[0]) == "99.0000000"
    keep.booked()


def test_two_hands_at_once_send_an_order_once(keep: Keep) -> None:
    puppet = keep.custodian(gate=threading.Event())
    account = keep.account().public_key
    row_id = keep.deposit(account)
    hands = [threading.Thread(target=_work, args=(keep,)) for _ in range(4)]
    for hand in hands:
        hand.start()
    assert puppet.entered.wait(20)
    for _ in range(20):
        passes.owe("work")
    assert puppet.gate is not None
    puppet.gate.set()
    for hand in hands:
        hand.join()
    keep.work()
    paid_once(keep, row_id, account)
    assert puppet.calls == [f"{row_id}-1"]


def test_promise_06_a_hand_that_lost_its_lease_undoes_nothing(keep: Keep) -> None:
    """The first hand hangs and says "nothing began" after the second one found it sent."""
    puppet = keep.custodian(gate=threading.Event(), script=[Unavailable("too late to say so")])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    hand = threading.Thread(target=_work, args=(keep,))
    hand.start()
    assert puppet.entered.wait(20)
    keep.vault.orders[f"{row_id}-1"] = {
        "status": "accepted",
        "waits": 100,
        "order": {"key": "k"},
    }
    until(lambda: keep.orders() == [(f"{row_id}-1", "unknown")])
    keep.again()
    assert keep.orders() == [(f"{row_id}-1", "sent")]
    assert puppet.gate is not None
    puppet.gate.set()
    hand.join()
    assert keep.orders() == [(f"{row_id}-1", "sent")]
    assert puppet.calls == [f"{row_id}-1"]


def _work(keep: Keep) -> None:
    with keep.world.app.app_context():
        keep.work()


@pytest.mark.parametrize("state", ["done", "refused"])
def test_promise_07_what_contradicts_a_final_fact_is_a_case_and_changes_nothing(
    keep: Keep, state: str
) -> None:
    account = keep.account().public_key
    first = None if state == "done" else Declined("no")
    keep.custodian(script=[first])
    row_id = keep.deposit(account)
    keep.work()
    before = keep.orders(), keep.world.status(row_id), keep.world.cases()
    late = {"done": Declined("no after all"), "refused": Paid(keep.pay_by_hand(account))}[state]
    entrusted = custody_orders.by_key(f"{row_id}-1")
    assert entrusted is not None
    for _ in range(2):
        custody_outcomes.learn(entrusted, late)
        custody_outcomes.learn(entrusted, Unknown("who knows"))
    assert keep.orders() == before[0]
    assert keep.world.status(row_id) == before[1]
    assert keep.world.cases() == [*before[2], "contradicts_final_outcome"]


def test_a_custodian_is_given_no_order_to_pay_a_contract(keep: Keep) -> None:
    puppet = keep.custodian()
    contract = StrKey.encode_contract(bytes(32))
    row_id = keep.deposit(contract)
    keep.work()
    assert keep.world.status(row_id) in {"pending_anchor", "on_hold"}
    assert keep.world.cases() == ["deposit_cannot_be_paid"]
    [(note,)] = keep.sql("SELECT note FROM cases")
    assert "pays no contract accounts" in note
    with pytest.raises(Rejected, match="cannot be paid here"):
        deposits.read_destination(contract, None, None)
    assert puppet.calls == []


def test_a_payment_to_a_contract_that_waited_for_a_custodian_is_a_person_s(keep: Keep) -> None:
    puppet = keep.custodian()
    row_id = keep.deposit(keep.account().public_key)
    brakes.pause("all", "", "ann", None)
    keep.work()
    keep.sql("UPDATE outflows SET destination = :c", c=StrKey.encode_contract(bytes(32)))
    brakes.resume("all", "", "ann", None)
    keep.sql("UPDATE jobs SET due_at = now()")
    keep.work()
    assert keep.world.cases() == ["custody_cannot"]
    assert [each.state for each in keep.world.outflows(row_id)] == ["refused"]
    assert puppet.calls == []


def test_what_a_custodian_cannot_do_is_for_a_person_before_anybody_hears_of_it(
    keep: Keep,
) -> None:
    puppet = keep.custodian(LOOKS_UP)
    row_id = keep.deposit(Keypair.random().public_key)
    keep.work()
    assert keep.world.status(row_id) == "on_hold"
    assert keep.world.cases() == ["custody_cannot"]
    assert puppet.calls == []
    [(note,)] = keep.sql("SELECT note FROM cases")
    assert note == "the custodian vault does no establish"
    keep.booked()


def test_a_custodian_that_pays_sends_lumens_for_a_line_too(keep: Keep) -> None:
    puppet = keep.custodian(LOOKS_UP)
    account = keep.account(trusts=False)
    give_away(keep, account, "1.2")
    row_id = keep.deposit(account.public_key)
    keep.wait(row_id, "pending_trust", hurry=True)
    assert lumens(keep, account.public_key) == "1.5100000"
    keep.trust(account)
    keep.wait(row_id, hurry=True)
    assert keep.held(account.public_key) == "98.5000000"
    assert puppet.calls == [f"{row_id}-1", f"{row_id}-2"]
    keep.booked()


def test_a_custodian_that_does_every_form_creates_accounts_and_claimable_balances(
    keep: Keep,
) -> None:
    keep.custodian(replace(LOOKS_UP, forms=ALL_FORMS))
    created, waiting = Keypair.random(), keep.account(trusts=False)
    rows = [
        keep.deposit(created.public_key),
        keep.deposit(waiting.public_key, takes_claimable_balance=True),
        keep.deposit(
            keep.account().public_key, destination_memo_type="text", destination_memo="für L"
        ),
    ]
    keep.again()
    assert [keep.world.status(row) for row in rows] == [
        "pending_trust",
        "completed",
        "completed",
    ]
    balance_id = keep.world.row(rows[1]).claimable_balance_id
    assert balance_id is not None
    assert keep.world.sandbox_get(f"/claimable_balances/{balance_id}")["amount"] == "99.0000000"
    keep.trust(created)
    keep.again()
    keep.again()
    assert keep.held(created.public_key) == "98.5000000"
    keep.booked()


def test_a_refund_on_the_ledger_is_paid_by_the_custodian(keep: Keep) -> None:
    keep.custodian(script=[TimeoutError(), None])
    row_id = keep.world.paid_withdrawal()
    before = keep.held(keep.world.payer.public_key)
    refunds.begin(refunds.Order(refunds.of_transaction(row_id).cause, None, "anna"))
    keep.work()
    assert keep.world.status(row_id) == "pending_stellar"
    keep.age(61)
    keep.again()
    assert keep.world.status(row_id) == "refunded"
    assert keep.held(keep.world.payer.public_key) != before
    keep.booked()


def test_promise_14_what_is_paused_is_not_sent_and_not_repeated(keep: Keep) -> None:
    puppet = keep.custodian(script=[Unknown("500")])
    run = keep.world.app.test_cli_runner().invoke
    assert run(group, ["pause"]).exit_code == 0
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.again()
    assert puppet.calls == []
    run(group, ["resume"])
    keep.again()
    run(group, ["pause"])
    keep.age(61)
    keep.again()
    assert len(puppet.calls) == 1
    run(group, ["resume"])
    keep.again()
    paid_once(keep, row_id, account)


def test_what_waits_for_a_custodian_can_still_be_sent_back(keep: Keep) -> None:
    puppet = keep.custodian(script=[Unavailable("down")] * 9)
    row_id = keep.deposit(keep.account().public_key)
    keep.work()
    keep.sql("UPDATE transactions SET is_resting = true")
    keep.again()
    assert len(puppet.calls) == 1
    with transaction():
        order_ends.withdraw([row_id], "a person said so")
    assert keep.orders() == [(f"{row_id}-1", "refused")]
    keep.booked()


def test_an_order_that_another_custodian_was_given_is_not_repeated_by_this_one(
    keep: Keep,
) -> None:
    keep.custodian(script=[Unknown("500")])
    row_id = keep.deposit(keep.account().public_key)
    keep.work()
    other = keep.custodian()
    other.name = "other"
    keep.age(10_000)
    keep.again()
    passes.owe("work")
    keep.again()
    assert (other.calls, other.look_ups) == ([], 0)
    assert keep.orders() == [(f"{row_id}-1", "unknown")]


def test_what_was_submitted_before_a_custodian_came_is_brought_to_its_end(keep: Keep) -> None:
    puppet = keep.custodian()
    keys = {keep.world.distribution: keep.treasury().secret}
    keep.put(LocalKeys("local", {}, keys))
    accounts = [keep.account().public_key for _ in range(2)]
    rows = [keep.deposit(account) for account in accounts]
    sweeps.work_off([PAY_ON_LEDGER])
    keep.sql("UPDATE outflows SET is_alone = true")
    channels.prepare(gateway(), keep.world.distribution)
    assert queues.fill(keep.world.distribution) == 1
    [slot] = slots.opened(keep.world.distribution)
    signing.complete(gateway(), slot)
    [slot] = slots.opened(keep.world.distribution)
    assert gateway().submit(slot.newest.envelope_xdr).successful
    keep.put(puppet)
    for _ in range(3):
        keep.again()
    for row_id, account in zip(rows, accounts, strict=True):
        paid_once(keep, row_id, account)
    assert puppet.calls == [f"{rows[1]}-1"]


def test_what_was_never_signed_before_a_custodian_came_is_paid_by_it(keep: Keep) -> None:
    puppet = keep.custodian()
    keep.put(LocalKeys("local", {}, {}))
    account = keep.account().public_key
    row_id = keep.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    channels.prepare(gateway(), keep.world.distribution)
    assert queues.fill(keep.world.distribution) == 1
    keep.put(puppet)
    for _ in range(3):
        keep.again()
    paid_once(keep, row_id, account)
    assert puppet.calls == [f"{row_id}-1"]


# -- the stream ---------------------------------------------------------------------------------


def test_the_stream_that_sees_a_payment_before_its_custodian_tells_raises_no_alarm(
    keep: Keep,
) -> None:
    keep.custodian(script=[lambda _order, _outcome: Unknown("answered too late")])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    keep.world.read()
    sweeps.work_off([EXPLAIN])
    assert keep.world.cases() == []
    assert keep.world.status(row_id) == "pending_stellar"
    keep.again()
    keep.again()
    paid_once(keep, row_id, account)
    assert keep.world.cases() == []
    assert keep.sql("SELECT count(*) FROM jobs") == [(0,)]


def test_promise_01_a_payment_that_no_order_explains_is_an_incident_at_once(keep: Keep) -> None:
    keep.custodian(script=[Unknown("500")])
    row_id = keep.deposit(keep.account().public_key)
    keep.work()
    keep.pay_by_hand(keep.account().public_key, "98")
    keep.world.read()
    keep.work()
    assert keep.world.cases() == ["outgoing_unknown"]
    assert keep.world.status(row_id) == "pending_stellar"


def test_promise_01_an_alarm_waits_for_an_order_no_longer_than_an_hour(keep: Keep) -> None:
    keep.custodian(script=[Unknown("500")])
    account = keep.account().public_key
    row_id = keep.deposit(account)
    keep.work()
    keep.pay_by_hand(account)
    keep.world.read()
    keep.again()
    assert keep.world.cases() == []
    keep.sql("UPDATE payments SET observed_at = observed_at - interval '61 minutes'")
    keep.again()
    assert keep.world.cases() == ["outgoing_unknown"]
    [(note,)] = keep.sql("SELECT note FROM cases")
    assert f"{row_id}-1" in note


def test_promise_01_what_else_a_custodian_did_in_the_same_transaction_is_an_incident(
    keep: Keep,
) -> None:
    account, stranger = (keep.account().public_key for _ in range(2))
    builder = keep.world.builder(keep.world.distribution)
    builder.append_payment_op(account, keep.world.asset, "99")
    builder.append_payment_op(stranger, keep.world.asset, "500")
    both = keep.world.submit(builder, keep.treasury())
    keep.custodian(script=[Paid(both)])
    keep.deposit(account)
    keep.work()
    keep.world.read()
    keep.work()
    assert keep.world.cases() == ["outgoing_unknown"]


# -- a person -----------------------------------------------------------------------------------


@pytest.mark.parametrize("paid", [True, False])
def test_a_person_says_what_became_of_an_order(keep: Keep, paid: bool) -> None:
    account = keep.account().public_key
    keep.custodian(CustodyTraits(), script=[TimeoutError()])
    row_id = keep.deposit(account)
    keep.again()
    key = f"{row_id}-1"
    run = keep.world.app.test_cli_runner().invoke
    refused = run(group, ["settle-order", key, "--paid-by", "ab" * 32])
    assert (refused.exit_code, "no ledger shows" in refused.output) == (1, True)
    assert run(group, ["settle-order", key]).exit_code == 2
    told = ["--paid-by", keep.pay_by_hand(account)] if paid else ["--not-paid", "--yes"]
    done = run(group, ["settle-order", key, *told, "--by", "anna", "--note", "asked them"])
    assert done.exit_code == 0, done.output
    assert keep.sql("SELECT what, who FROM acts") == [(f"settle {key}", "anna")]
    if paid:
        paid_once(keep, row_id, account)
    else:
        assert keep.world.status(row_id) == "on_hold"
        desk.release(row_id, By("anna"))
        keep.again()
        paid_once(keep, row_id, account)
    assert run(group, ["settle-order", key, *told]).exit_code == 1
    assert run(group, ["settle-order", "nonsense", "--not-paid", "--yes"]).exit_code == 1


def test_the_doctor_looks_at_what_a_custodian_can_do(keep: Keep) -> None:
    run = keep.world.app.test_cli_runner().invoke
    told = run(group, ["doctor"])
    assert "the assets offer what it cannot do: claimable_balance, establish" in told.output
    keep.serve(replace(keep.world.policy, delivery=DeliveryPolicy()))
    assert "a vault of the tests" in run(group, ["doctor"]).output


def test_no_more_calls_run_at_once_than_a_custodian_allows(keep: Keep) -> None:
    traits = replace(LOOKS_UP, max_in_flight=2, timeout_s=7)
    keep.custodian(traits)
    assert jobs.ceiling(CARRY, "custody vault") == 2
    assert jobs._kinds[CARRY].lease_s("custody vault") > 7
    assert jobs.ceiling(CARRY, "custody gone") == 1


def test_sent_then_a_reference_is_handed_back(keep: Keep) -> None:
    keep.custodian(script=[Sent("their own id")])
    row_id = keep.deposit(keep.account().public_key)
    keep.work()
    entrusted = custody_orders.by_key(f"{row_id}-1")
    assert entrusted is not None
    assert entrusted.order.reference == "their own id"


def test_promise_07_what_became_of_an_order_is_said_once(keep: Keep) -> None:
    keep.custodian(CustodyTraits(), script=[TimeoutError()])
    row_id = keep.deposit(keep.account().public_key)
    for _ in range(3):
        keep.again()
    [case] = desk.listing()
    assert (desk.show(case.id).acts, desk.acts_of(row_id)) == (
        ("close", "settle-order"),
        ("settle-order",),
    )
    by = By("anna", "asked them", "form 1")
    done, refusals = in_parallel(
        keep.world, lambda: custodian_payments.settle(f"{row_id}-1", None, by)
    )
    assert (len(done), refusals) == (8, [])
    assert keep.world.status(row_id) == "on_hold"
    assert keep.sql("SELECT what, key FROM acts") == [(f"settle {row_id}-1", "form 1")]
    assert "settle-order" not in desk.acts_of(row_id)


def test_promise_07_an_order_that_ended_meanwhile_is_settled_by_nobody(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep.custodian(CustodyTraits(), script=[TimeoutError()])
    row_id = keep.deposit(keep.account().public_key)
    for _ in range(3):
        keep.again()
    by_key = custody_orders.by_key

    def overtaken(key: str) -> Any:
        found = by_key(key)
        monkeypatch.setattr(custody_orders, "by_key", by_key)
        custodian_payments.settle(key, None, By("vic", "I asked them first"))
        return found

    monkeypatch.setattr(custody_orders, "by_key", overtaken)
    with pytest.raises(Rejected, match="is refused already"):
        custodian_payments.settle(f"{row_id}-1", None, By("ann", "so did I"))
    assert keep.sql("SELECT who FROM acts") == [("vic",)]

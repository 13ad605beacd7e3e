"""What an earlier anchor server was known to do wrong with money, and what is so here.

The numbers are those of the review of django-polaris 2.6 that this project began with: 4.1 its
deposits command, 5.6 the memo of a deposit, 7.1 money and state, 7.3 the death of a process,
7.4 the cost of polling, 7.7 its crash windows. The tests elsewhere: `tests/test_covered.py`.
"""

from dataclasses import replace

import pytest
from stellar_sdk import Keypair, MuxedAccount, TransactionEnvelope

from anchor.config import TESTNET_PASSPHRASE
from anchor.lifecycle import Kind, Status
from anchor.sandbox.ground import CODE
from anchor.services import sweeps
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench
from tests.test_submission_faults import knob, open_slot
from tests.world import World


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


def test_accounts_that_we_may_not_create_are_waited_for(bench: Bench) -> None:
    """4.1.3-4, 4.1.4, 7.3-1: the process died, and then took the missing account for ready."""
    offers = replace(bench.world.policy.delivery, create_accounts=False)
    bench.serve(replace(bench.world.policy, delivery=offers))
    account = Keypair.random()
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    assert bench.sql("SELECT count(*) FROM outflows") == [(0,)]
    bench.world.create(account.public_key)
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"


def test_an_account_that_goes_while_it_is_waited_for_stops_no_other(bench: Bench) -> None:
    """4.1.4: a waiting account that was gone ended the process."""
    gone, other, heir = bench.account(trusts=False), bench.account(trusts=False), bench.account()
    rows = [bench.deposit(each.public_key) for each in (gone, other)]
    for row_id in rows:
        bench.wait(row_id, "pending_trust")
    builder = bench.builder(gone).append_account_merge_op(heir.public_key)
    bench.world.submit(builder, gone)
    bench.trust(other)
    bench.wait(rows[1], hurry=True)
    assert bench.world.status(rows[0]) == "pending_trust"
    assert bench.world.cases() == []


def test_a_trust_line_that_comes_after_ten_minutes_is_found_by_the_sixth_look(bench: Bench) -> None:
    """4.1.4, 7.4: each waiting account was asked for every ten seconds, for ever."""
    account = bench.account(trusts=False)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    waited = 0
    for wait_s in (10, 20, 40, 80, 160, 320):
        bench.work()
        [(soon,)] = bench.sql("SELECT extract(epoch FROM due_at - now()) FROM jobs")
        assert wait_s - 5 < soon <= wait_s
        waited += wait_s
        if waited > 600:
            bench.trust(account)
        bench.work()
        assert bench.world.status(row_id) == "pending_trust"  # it is not due, and not looked at
        bench.sql("UPDATE jobs SET due_at = due_at - make_interval(secs => :s)", s=wait_s)
    assert waited == 630
    bench.wait(row_id)
    assert bench.held(account.public_key) == "99.0000000"


def test_a_claimable_balance_is_made_only_where_the_asset_offers_it(bench: Bench) -> None:
    """4.1.5-4c, 7.1-18: the wallet's flag alone was enough, whatever custody could do."""
    offers = replace(bench.world.policy.delivery, claimable_balances=False)
    bench.serve(replace(bench.world.policy, delivery=offers))
    row_id = bench.deposit(bench.account(trusts=False).public_key, takes_claimable_balance=True)
    bench.wait(row_id, "pending_trust")
    assert bench.sql("SELECT count(*) FROM outflows") == [(0,)]


def test_a_claimable_balance_can_be_taken_back_after_its_days(bench: Bench) -> None:
    """4.1.6, 7.1-18: its only claimant was the customer, and unclaimed money was locked."""
    row_id = bench.deposit(bench.account(trusts=False).public_key, takes_claimable_balance=True)
    bench.wait(row_id)
    balance = bench.world.row(row_id).claimable_balance_id
    found = bench.world.sandbox_get(f"/claimable_balances/{balance}")
    ours = [x for x in found["claimants"] if x["destination"] == bench.world.distribution]
    assert "not" in ours[0]["predicate"]


def test_a_muxed_address_gets_no_claimable_balance_and_waits_for_its_line(bench: Bench) -> None:
    """5.6: a claimant cannot be an M address, and the deposit ended in an error."""
    account = bench.account(trusts=False)
    muxed = MuxedAccount(account.public_key, 9).account_muxed
    row_id = bench.deposit(muxed, takes_claimable_balance=True)
    bench.wait(row_id, "pending_trust")
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"


@pytest.mark.parametrize("is_muxed", [False, True])
def test_a_memo_or_an_id_goes_with_the_payment_though_the_account_was_made_first(
    bench: Bench, is_muxed: bool
) -> None:
    """5.6: creating an account has no memo of its own; 7.1-5 for an M address."""
    account = Keypair.random()
    muxed = MuxedAccount(account.public_key, 77).account_muxed
    memo = {"destination_memo_type": "id", "destination_memo": "77"}
    row_id = bench.deposit(muxed) if is_muxed else bench.deposit(account.public_key, **memo)
    bench.wait(row_id, "pending_trust")
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    hash_ = bench.world.row(row_id).stellar_transaction_id
    found = bench.world.sandbox_get(f"/transactions/{hash_}/operations", join="transactions")
    [payment] = found["_embedded"]["records"]
    told = payment["to_muxed_id"] if is_muxed else payment["transaction"]["memo"]
    assert told == "77"


def test_an_address_that_cannot_be_read_is_one_deposit_s_trouble(bench: Bench) -> None:
    """7.1-5: one M address ended the process, and its restart ended likewise."""
    bad = bench.deposit("MNONSENSE")
    account = bench.account()
    good = bench.deposit(account.public_key)
    bench.wait(good)
    bench.work()
    assert bench.world.status(bad) == "pending_anchor"
    assert bench.world.cases() == ["job_parked"]


def test_promise_04_a_deposit_that_is_ours_to_do_without_money_pays_nothing(bench: Bench) -> None:
    """7.1-6: `pending_anchor` meant both “held” and “paid”, and was paid out, or never polled."""
    account = bench.account()
    row_id = bench.world.of_kind(
        Kind.DEPOSIT, Status.PENDING_ANCHOR, destination=account.public_key, fee_fixed=1_0000000
    )
    bench.work()
    assert bench.sql("SELECT count(*) FROM outflows") == [(0,)]
    bench.fund(row_id)
    bench.wait(row_id)
    assert bench.held(account.public_key) == "99.0000000"


def test_promise_06_each_envelope_has_an_end(bench: Bench) -> None:
    """4.1.6-3, 7.1-12: envelopes were valid for ever, and one that was lost could come back."""
    row_id = bench.deposit(bench.account().public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    open_slot(bench)
    knob(bench, "surge", stroops=700)  # so that the first is replaced
    bench.wait(row_id)
    rows = bench.sql("SELECT envelope_xdr, max_time FROM envelopes")
    assert len(rows) >= 2
    for xdr, max_time in rows:
        bounds = TransactionEnvelope.from_xdr(xdr, TESTNET_PASSPHRASE).transaction.preconditions
        assert bounds is not None
        assert bounds.time_bounds is not None
        assert bounds.time_bounds.max_time == max_time > 0


def test_two_assets_of_one_account_share_its_sequence_numbers(bench: Bench) -> None:
    """4.1.6-4, 7.1-16: whatever else used the account made a conflict and an error."""
    lumens = replace(bench.world.policy, code="native", issuer=None)
    bench.serve(lumens)
    accounts = [bench.account() for _ in range(4)]
    native = {"asset": "native", "asset_code": "native"}
    rows = [
        bench.deposit(each.public_key, "20", **(native if number % 2 else {}))
        for number, each in enumerate(accounts)
    ]
    for row_id in rows:
        bench.wait(row_id)
    assert {bench.held(each.public_key) for each in accounts} == {"19.0000000", "0.0000000"}
    assert bench.world.cases() == []


def test_the_account_that_was_made_is_paid_for_by_its_deposit(bench: Bench) -> None:
    """4.1.6-3, 7.1-11: 2.01 lumens for each account that nobody accounted for."""
    account = Keypair.random()
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    row = bench.world.row(row_id)
    assert row.amount_fee == 1_5000000
    assert (row.amount_in, row.amount_out) == (100_0000000, 98_5000000)
    sums = bench.sql("SELECT cause, asset FROM postings GROUP BY 1, 2 HAVING sum(amount) <> 0")
    assert sums == []


def test_a_deposit_that_is_queued_is_queued_once_however_often_it_is_looked_at(
    bench: Bench,
) -> None:
    """4.1.4, 7.1-8: rows that were being retried were put into the queue once more."""
    account = bench.account()
    row_id = bench.deposit(account.public_key)
    for _ in range(5):
        sweeps.work_off([PAY_ON_LEDGER])
        bench.sql(
            "INSERT INTO jobs (kind, subject_id, lane, token, attempts, again)"
            " VALUES ('pay_on_ledger', :id, 'ledger', 0, 0, false)",
            id=row_id,
        )
    sweeps.work_off([PAY_ON_LEDGER])
    assert bench.sql("SELECT count(*) FROM outflows") == [(1,)]
    bench.wait(row_id)
    assert bench.held(account.public_key) == "99.0000000"


def test_promise_04_a_withdrawal_without_its_payment_pays_nothing(world: World) -> None:
    """7.1-6: a hold for KYC was called as a payment that had come, and was paid out."""
    row_id = world.of_kind(Kind.WITHDRAWAL, Status.PENDING_ANCHOR)
    world.work()
    assert world.status(row_id) == "pending_anchor"
    assert world.paid_by_bank() == 0
    assert Bench(world).sql("SELECT count(*) FROM outflows") == [(0,)]


def test_a_withdrawal_has_its_memo_from_the_moment_it_is_asked_for(world: World) -> None:
    """7.1-7: after a hold it had neither an account nor a memo to be paid to."""
    row_id = world.withdrawal()
    assert world.memo(row_id)
    world.pay("100", world.memo(row_id))
    world.read()
    assert world.status(row_id) == "pending_anchor"


def test_an_owner_with_the_highest_id_has_its_transactions(world: World) -> None:
    """7.3-7: an id above 31 bits was an answer of 500."""
    client = world.app.test_client()
    highest = str(2**64 - 1)
    headers = world.log_in(client, memo=highest)
    asked = {"asset_code": CODE}
    opened = client.post("/sep24/transactions/withdraw/interactive", json=asked, headers=headers)
    assert opened.status_code == 200, opened.text
    found = client.get("/sep24/transactions", query_string=asked, headers=headers)
    assert [each["id"] for each in found.json["transactions"]] == [opened.json["id"]]


def test_a_slash_at_the_end_loses_neither_token_nor_body(world: World) -> None:
    """7.3-5: a wallet was sent to another address, on which its token was missing."""
    client = world.app.test_client()
    headers = world.log_in(client)
    place = "/sep24/transactions/withdraw/interactive/"
    answer = client.post(place, json={"asset_code": CODE}, headers=headers)
    assert answer.status_code == 200, answer.text

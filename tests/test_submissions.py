"""The Stellar payment of a deposit, exactly once."""

from base64 import b64encode
from dataclasses import replace

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.cli import group
from anchor.config import Secret
from anchor.services import sweeps
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench, stretch
from tests.world import World


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


def test_a_deposit_is_paid_on_the_ledger(bench: Bench) -> None:
    account = bench.account()
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id)
    row = bench.world.row(row_id)
    assert (row.amount_in, row.amount_out, row.amount_fee) == (100_0000000, 99_0000000, 1_0000000)
    assert row.amount_paid == 100_0000000
    assert bench.held(account.public_key) == "99.0000000"
    assert bench.world.events(row_id) == [
        "funds_received",
        "ledger_payment_submitted",
        "ledger_payment_confirmed",
    ]


def test_many_deposits_go_out_in_one_envelope(bench: Bench) -> None:
    accounts = [bench.account() for _ in range(5)]
    rows = [bench.deposit(account.public_key) for account in accounts]
    for row_id in rows:
        bench.wait(row_id)
    assert {bench.held(account.public_key) for account in accounts} == {"99.0000000"}
    [(submissions, fee)] = bench.sql("SELECT count(*), sum(fee_charged) FROM submissions")
    assert (submissions, fee) == (1, 500)


def test_a_deposit_to_a_muxed_address_keeps_the_id(bench: Bench) -> None:
    account = bench.account()
    muxed = MuxedAccount(account.public_key, 2**64 - 1).account_muxed
    row_id = bench.deposit(muxed)
    bench.wait(row_id)
    payment = bench.world.sandbox_get(f"/accounts/{account.public_key}/payments", order="desc")
    assert payment["_embedded"]["records"][0]["to_muxed_id"] == str(2**64 - 1)


@pytest.mark.parametrize(
    ("memo_type", "memo", "shown"),
    [
        ("id", str(2**64 - 1), str(2**64 - 1)),
        ("text", "für Ludwig", "für Ludwig"),
        ("hash", "ab" * 32, b64encode(bytes.fromhex("ab" * 32)).decode()),
    ],
)
def test_a_memo_of_each_kind_goes_with_its_payment_alone(
    bench: Bench, memo_type: str, memo: str, shown: str
) -> None:
    accounts = [bench.account(), bench.account()]
    plain = bench.deposit(accounts[0].public_key)
    row_id = bench.deposit(
        accounts[1].public_key, destination_memo_type=memo_type, destination_memo=memo
    )
    bench.wait(plain)
    bench.wait(row_id)
    hashes = {bench.world.row(each).stellar_transaction_id for each in (plain, row_id)}
    assert len(hashes) == 2
    found = bench.world.sandbox_get(
        f"/transactions/{bench.world.row(row_id).stellar_transaction_id}"
    )
    assert (found["memo_type"], found["memo"]) == (memo_type, shown)


def test_an_account_that_is_not_there_is_created_and_waits_for_its_trust_line(
    bench: Bench,
) -> None:
    account = Keypair.random()
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    assert bench.world.sandbox_get(f"/accounts/{account.public_key}")["balances"][0]["balance"] == (
        "2.0000000"
    )
    bench.trust(account)
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.wait(row_id)
    assert bench.held(account.public_key) == "98.5000000"
    assert bench.world.row(row_id).amount_fee == 1_5000000


def test_lumens_create_the_account_they_go_to(bench: Bench) -> None:
    served = bench.world.app.extensions["anchor"].settings.assets["USDC"]
    lumens = replace(served, code="native", issuer=None)
    bench.serve(lumens)
    account = Keypair.random()
    row_id = bench.deposit(account.public_key, "20", asset="native", asset_code="native")
    bench.wait(row_id)
    found = bench.world.sandbox_get(f"/accounts/{account.public_key}")
    assert found["balances"][0]["balance"] == "18.5000000"


def test_a_claimable_balance_waits_for_a_wallet_that_takes_it(bench: Bench) -> None:
    account = bench.account(trusts=False)
    row_id = bench.deposit(account.public_key, takes_claimable_balance=True)
    bench.wait(row_id)
    balance_id = bench.world.row(row_id).claimable_balance_id
    assert balance_id is not None
    bench.trust(account)
    builder = bench.builder(account).append_claim_claimable_balance_op(balance_id)
    bench.world.submit(builder, account)
    assert bench.held(account.public_key) == "99.0000000"


@pytest.mark.parametrize("which", ["unauthorized", "full", "no line"])
def test_promise_04_a_deposit_waits_until_its_account_can_take_it(bench: Bench, which: str) -> None:
    account = bench.account(trusts=which != "no line", limit="50" if which == "full" else None)
    if which == "unauthorized":
        bench.authorize(account, authorized=False)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    bench.work()
    assert bench.world.status(row_id) == "pending_trust"
    if which == "unauthorized":
        bench.authorize(account, authorized=True)
    else:
        bench.trust(account)
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.wait(row_id)
    assert bench.held(account.public_key) == "99.0000000"


def test_waiting_for_trust_backs_off_and_after_its_days_is_told(bench: Bench) -> None:
    row_id = bench.deposit(bench.account(trusts=False).public_key)
    bench.wait(row_id, "pending_trust")
    for wait_s in (10, 20, 40):
        bench.sql("UPDATE jobs SET due_at = now()")
        bench.work()
        [(waits,)] = bench.sql("SELECT extract(epoch FROM due_at - now()) FROM jobs")
        assert wait_s < waits <= 2 * wait_s
    bench.sql("UPDATE transactions SET funded_at = now() - interval '31 days'")
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.work()
    assert bench.world.status(row_id) == "pending_trust"
    assert bench.world.cases() == ["trust_is_missing"]


def test_a_memo_that_the_account_asks_for_and_nobody_gave_is_for_a_person(bench: Bench) -> None:
    account = bench.account()
    builder = bench.builder(account).append_manage_data_op("config.memo_required", "1")
    bench.world.submit(builder, account)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "on_hold")
    assert bench.world.cases() == ["deposit_cannot_be_paid"]
    assert bench.held(account.public_key) == "0.0000000"


def test_promise_12_one_that_cannot_be_paid_does_not_keep_the_others(bench: Bench) -> None:
    good = [bench.account() for _ in range(3)]
    bad = bench.account()
    rows = [bench.deposit(each.public_key) for each in (*good, bad)]
    sweeps.work_off([PAY_ON_LEDGER])
    builder = bench.builder(bad).append_change_trust_op(bench.world.asset, "0")
    bench.world.submit(builder, bad)
    for row_id in rows[:3]:
        bench.wait(row_id)
    bench.wait(rows[3], "pending_trust")
    assert {bench.held(account.public_key) for account in good} == {"99.0000000"}
    [(attempts,)] = bench.sql("SELECT max(attempt) FROM outflows WHERE state = 'done'")
    assert attempts == 1


def test_promise_09_the_books_balance_after_every_end(bench: Bench) -> None:
    rows = [bench.deposit(bench.account().public_key) for _ in range(2)]
    rows.append(bench.deposit(Keypair.random().public_key))
    for row_id, status in zip(rows, ("completed", "completed", "pending_trust"), strict=True):
        bench.wait(row_id, status)
    sums = bench.sql("SELECT cause, asset FROM postings GROUP BY 1, 2 HAVING sum(amount) <> 0")
    assert sums == []
    [(in_transit,)] = bench.sql(
        "SELECT coalesce(sum(amount), 0) FROM postings WHERE account = 'in_transit'"
    )
    assert in_transit == 0


def test_channels_let_many_envelopes_go_out_in_one_ledger(bench: Bench) -> None:
    run = bench.world.app.test_cli_runner().invoke
    made = run(group, ["channels", "--count", "4"])
    assert made.exit_code == 0, made.output
    assert "4 channel(s) made" in made.output
    again = run(group, ["channels", "--count", "4"])
    assert "0 channel(s) made, 0 topped up" in again.output
    rows = [
        bench.deposit(
            bench.account().public_key, destination_memo_type="id", destination_memo=str(number)
        )
        for number in range(8)
    ]
    for row_id in rows:
        bench.wait(row_id)
    pooled = "SELECT id FROM channels WHERE number IS NOT NULL"
    channels = bench.sql(
        "SELECT count(DISTINCT channel_id), count(*) FROM submissions"
        f" WHERE channel_id IN ({pooled})"
    )
    assert channels == [(4, 8)]


def test_a_submission_that_cannot_go_on_is_told_and_goes_on_once_it_can(bench: Bench) -> None:
    run = bench.world.app.test_cli_runner().invoke
    assert run(group, ["channels", "--count", "1"]).exit_code == 0
    account = bench.account().public_key
    row_id = bench.deposit(account)
    found = bench.world.app.extensions["anchor"]
    bench.world.app.extensions["anchor"] = replace(
        found, settings=replace(found.settings, channel_secret=Secret(""))
    )
    sweeps.work_off([PAY_ON_LEDGER])
    stretch(bench)
    assert bench.world.cases() == ["submission_failing"]
    bench.world.app.extensions["anchor"] = found
    bench.wait(row_id)
    assert bench.held(account) == "99.0000000"


def test_channels_without_their_secret_are_refused_in_one_sentence(bench: Bench) -> None:
    found = bench.world.app.extensions["anchor"]
    bench.world.app.extensions["anchor"] = replace(
        found, settings=replace(found.settings, channel_secret=Secret(""))
    )
    done = bench.world.app.test_cli_runner().invoke(group, ["channels", "--count", "1"])
    assert done.exit_code == 1
    assert "ANCHOR_CHANNEL_SECRET is not set" in done.output


def test_an_account_is_created_once_and_then_waited_for(bench: Bench) -> None:
    account, heir = Keypair.random(), bench.account()
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    builder = bench.builder(account).append_account_merge_op(heir.public_key)
    bench.world.submit(builder, account)
    for _ in range(3):
        bench.sql("UPDATE jobs SET due_at = now()")
        bench.work()
    assert bench.world.status(row_id) == "pending_trust"
    assert bench.sql("SELECT count(*) FROM outflows WHERE form = 'establish'") == [(1,)]


def test_lumens_to_a_muxed_address_that_is_not_there_are_for_a_person(bench: Bench) -> None:
    served = bench.world.app.extensions["anchor"].settings.assets["USDC"]
    bench.serve(replace(served, code="native", issuer=None))
    muxed = MuxedAccount(Keypair.random().public_key, 5).account_muxed
    row_id = bench.deposit(muxed, "20", asset="native", asset_code="native")
    bench.wait(row_id, "on_hold")
    assert bench.world.cases() == ["deposit_cannot_be_paid"]


def test_promise_01_what_we_paid_and_what_channels_got_is_no_incident(bench: Bench) -> None:
    run = bench.world.app.test_cli_runner().invoke
    assert run(group, ["channels", "--count", "1"]).exit_code == 0
    row_id = bench.deposit(bench.account().public_key)
    bench.wait(row_id)
    bench.world.read()
    directions = bench.sql("SELECT direction, count(*) FROM payments GROUP BY 1")
    assert directions == [("out", 2)]
    assert bench.world.cases() == []

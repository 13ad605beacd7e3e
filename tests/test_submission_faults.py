"""What goes wrong between us and the ledger: a deposit is paid once all the same."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import requests
from stellar_sdk import Keypair, MuxedAccount

from anchor.cli import group
from anchor.config import TESTNET_PASSPHRASE
from anchor.extensions import gateway
from anchor.sandbox.ground import establish
from anchor.services import channels, queues, settling, signing, slots, sweeps, unseen
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench, stretch
from tests.waiting import until
from tests.world import World, _keys


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


def knob(bench: Bench, name: str, **body: Any) -> None:
    answer = requests.post(f"{bench.world.sandbox.url}/sandbox/{name}", json=body, timeout=5)
    answer.raise_for_status()


def settle(bench: Bench, **changed: Any) -> None:
    found = bench.world.app.extensions["anchor"]
    bench.world.app.extensions["anchor"] = replace(
        found, settings=replace(found.settings, **changed)
    )


def distribution(bench: Bench) -> Keypair:
    return Keypair.from_secret(bench.world.settings.distribution_secrets["USDC"])


def paid_once(bench: Bench, row_id: str, account: str) -> None:
    assert bench.world.status(row_id) == "completed"
    assert bench.held(account) == "99.0000000"
    done = bench.sql(
        "SELECT count(*) FROM submissions WHERE state = 'confirmed'"
        " AND EXISTS (SELECT 1 FROM outflows WHERE submission_id = submissions.id)"
    )
    assert done == [(1,)]


@pytest.mark.parametrize(
    "answer",
    [
        "504-applied",
        "504-lost",
        "cut-applied",
        "cut-lost",
        "503",
        "429",
        "500",
        "bad-seq",
        "try-again-later",
    ],
)
def test_promise_06_whatever_the_network_answers_a_deposit_is_paid_once(
    bench: Bench, answer: str
) -> None:
    account = bench.account().public_key
    row_id = bench.deposit(account)
    knob(bench, "misbehave", answer=answer, times=2)
    bench.wait(row_id)
    paid_once(bench, row_id, account)


def test_promise_12_an_hour_without_horizon_ends_with_its_return(bench: Bench) -> None:
    account = bench.account().public_key
    row_id = bench.deposit(account)
    knob(bench, "misbehave", answer="500", times=12, get="/")
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)


def test_an_envelope_that_no_ledger_took_is_replaced_with_its_own_sequence_number(
    bench: Bench,
) -> None:
    account = bench.account().public_key
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    knob(bench, "misbehave", answer="504-lost", times=1)
    knob(bench, "freeze")
    slots_before = open_slot(bench)
    knob(bench, "clock", seconds=3600)
    knob(bench, "thaw")
    bench.world.sandbox.network.close_ledger()
    bench.wait(row_id)
    paid_once(bench, row_id, account)
    rows = bench.sql("SELECT sequence FROM submissions")
    assert rows == [(slots_before,)]


def open_slot(bench: Bench) -> int:
    """Do what the driver does until an envelope is stored, and no more."""
    source = bench.world.distribution
    channels.prepare(gateway(), source)
    assert queues.fill(source) == 1
    [slot] = slots.opened(source)
    signing.complete(gateway(), slot)
    return slot.sequence


def test_an_answer_is_noted_while_somebody_else_holds_the_submission(bench: Bench) -> None:
    """Both lock the submission before its envelopes; the other way round is a deadlock."""
    bench.deposit(bench.account().public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    open_slot(bench)
    [slot] = slots.opened(bench.world.distribution)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    url = bench.world.settings.database_url.replace("+psycopg", "")

    def note() -> None:
        with bench.world.app.app_context():
            slots.answered([(slot, "pending")])

    with ThreadPoolExecutor(1) as pool, psycopg.connect(url, autocommit=True) as looking:
        with psycopg.connect(url) as other:
            other.execute("SELECT 1 FROM submissions FOR UPDATE")
            noted = pool.submit(note)
            until(lambda: looking.execute(waits).fetchone() == (1,))
            other.execute("UPDATE envelopes SET asks = 7")
        noted.result()
        found = looking.execute("SELECT asks, answer FROM envelopes").fetchall()
    assert found == [(7, "pending")]


def test_promise_06_a_sequence_number_that_others_used_is_told_and_the_deposit_paid_once(
    bench: Bench,
) -> None:
    account = bench.account().public_key
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    open_slot(bench)
    keys = distribution(bench)
    builder = bench.builder(keys).append_bump_sequence_op(0)
    bench.world.submit(builder, keys)
    stretch(bench)
    assert bench.world.status(row_id) == "pending_stellar"
    knob(bench, "clock", seconds=120)
    bench.world.sandbox.network.close_ledger()
    stretch(bench)
    assert bench.world.status(row_id) == "pending_stellar"
    assert bench.world.cases() == ["sequence_used_by_others"]
    run = bench.world.app.test_cli_runner().invoke
    assert run(group, ["give-up-submission", "1"]).exit_code == 1
    assert run(group, ["give-up-submission", "1", "--yes"]).exit_code == 0
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)
    assert run(group, ["give-up-submission", "1", "--yes"]).exit_code == 1


def test_a_fee_that_is_too_low_is_raised_up_to_the_ceiling(bench: Bench) -> None:
    account = bench.account().public_key
    knob(bench, "surge", stroops=700)
    row_id = bench.deposit(account)
    bench.wait(row_id)
    paid_once(bench, row_id, account)


def test_a_fee_above_the_ceiling_is_waited_for(bench: Bench) -> None:
    settle(bench, base_fee_max=200)
    account = bench.account().public_key
    knob(bench, "base-fee", stroops=1000)
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    stretch(bench)
    assert bench.held(account) == "0.0000000"
    knob(bench, "base-fee", stroops=100)
    bench.world.sandbox.network.close_ledger()
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)


def test_an_empty_distribution_account_waits_for_liquidity_oldest_first(bench: Bench) -> None:
    keys = distribution(bench)
    builder = bench.builder(keys)
    builder.append_payment_op(bench.issuer().public_key, bench.world.asset, "999950")
    bench.world.submit(builder, keys)
    accounts = [bench.account().public_key for _ in range(2)]
    rows = [bench.deposit(account) for account in accounts]
    bench.work()
    until(lambda: bench.world.cases() == ["waits_for_liquidity"])
    assert {bench.world.status(row) for row in rows} <= {"pending_stellar", "pending_anchor"}
    issuer = bench.issuer()
    builder = bench.builder(issuer)
    builder.append_payment_op(bench.world.distribution, bench.world.asset, "1000")
    bench.world.submit(builder, issuer)
    bench.sql("UPDATE outflows SET not_before = now()")
    bench.sql("UPDATE jobs SET due_at = now()")
    for row_id, account in zip(rows, accounts, strict=True):
        bench.wait(row_id)
        assert bench.held(account) == "99.0000000"


def test_two_drivers_at_once_pay_once(bench: Bench) -> None:
    accounts = [bench.account().public_key for _ in range(6)]
    rows = [bench.deposit(account) for account in accounts]
    sweeps.work_off([PAY_ON_LEDGER])

    def work() -> None:
        with bench.world.app.app_context():
            stretch(bench)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.sql("UPDATE jobs SET due_at = now()")
    for row_id, account in zip(rows, accounts, strict=True):
        bench.wait(row_id)
        assert bench.held(account) == "99.0000000"


def test_a_deposit_and_its_account_that_merges_away_in_between_is_looked_at_again(
    bench: Bench,
) -> None:
    customer, heir = bench.account(), bench.account()
    row_id = bench.deposit(customer.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    builder = bench.builder(customer)
    builder.append_change_trust_op(bench.world.asset, "0")
    builder.append_account_merge_op(heir.public_key)
    bench.world.submit(builder, customer)
    bench.wait(row_id, "pending_trust")
    outcomes = bench.sql("SELECT form, state, note FROM outflows ORDER BY id")
    assert outcomes == [("payment", "refused", "op_no_destination"), ("establish", "done", None)]


def test_promise_06_a_horizon_that_lags_is_no_proof_that_a_deposit_was_not_paid(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = bench.account().public_key
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    open_slot(bench)
    [slot] = slots.opened(bench.world.distribution)
    assert gateway().submit(slot.newest.envelope_xdr).successful
    knob(bench, "clock", seconds=120)
    bench.world.sandbox.network.close_ledger()
    with monkeypatch.context() as lagging:
        lagging.setattr(gateway(), "transaction", lambda _hash: None)
        for _ in range(3):
            stretch(bench)
    assert bench.world.cases() == ["sequence_used_by_others"]
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)


def test_promise_06_a_driver_that_was_overtaken_gives_nothing_up(bench: Bench) -> None:
    account = bench.account().public_key
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    open_slot(bench)
    [stale] = slots.opened(bench.world.distribution)
    knob(bench, "clock", seconds=120)
    bench.world.sandbox.network.close_ledger()
    signing.renew(gateway(), stale)
    [fresh] = slots.opened(bench.world.distribution)
    assert len(fresh.envelopes) == 2
    settling.unusable(
        stale.id, "stale", newest_envelope_id=stale.newest.id, channel_sequence=stale.sequence - 1
    )
    settling.declined(stale.id, "stale", newest_envelope_id=stale.newest.id)
    unseen.unbuildable(stale.id, "stale")
    assert [slot.id for slot in slots.opened(bench.world.distribution)] == [stale.id]
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)


def test_promise_02_another_network_under_the_same_name_is_handed_nothing(bench: Bench) -> None:
    account = bench.account()
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    open_slot(bench)
    knob(bench, "reset")
    bench.world.create(account.public_key)
    establish(bench.world.sandbox.url, TESTNET_PASSPHRASE, _keys[bench.world.distribution])
    bench.trust(account)
    knob(bench, "clock", seconds=120)
    bench.world.sandbox.network.close_ledger()
    for _ in range(2):
        bench.sql("UPDATE jobs SET due_at = now()")
        bench.work()
    assert bench.world.status(row_id) == "pending_stellar"
    assert bench.held(account.public_key) == "0.0000000"
    assert bench.world.cases() == ["job_failing"]


def test_promise_14_what_a_person_stopped_is_not_carried(bench: Bench) -> None:
    account = bench.account().public_key
    row_id = bench.deposit(account)
    sweeps.work_off([PAY_ON_LEDGER])
    bench.sql("UPDATE transactions SET is_resting = true")
    stretch(bench)
    assert bench.sql("SELECT count(*) FROM submissions") == [(0,)]
    bench.sql("UPDATE transactions SET is_resting = false")
    bench.wait(row_id, hurry=True)
    paid_once(bench, row_id, account)


def test_an_order_that_cannot_be_built_goes_to_a_person_and_keeps_no_other(bench: Bench) -> None:
    good, bad = bench.account().public_key, bench.account().public_key
    rows = [bench.deposit(good), bench.deposit(bad)]
    sweeps.work_off([PAY_ON_LEDGER])
    muxed = MuxedAccount(bad, 7).account_muxed
    bench.sql(
        "UPDATE outflows SET form = 'claimable_balance', destination = :to"
        " WHERE transaction_id = :id",
        to=muxed,
        id=rows[1],
    )
    bench.wait(rows[0], hurry=True)
    bench.wait(rows[1], "on_hold", hurry=True)
    assert bench.world.cases() == ["cannot_be_built"]

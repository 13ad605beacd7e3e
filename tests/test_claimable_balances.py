"""Claimable balances of deposits: claimed, taken back, or clawed back, and never twice."""

import threading
from dataclasses import dataclass

import pytest
from stellar_sdk import AuthorizationFlag, Keypair

from anchor.extensions import gateway
from anchor.services import passes, reconciliation, sweeps
from anchor.services.claimable_balances import FOLLOW
from tests.deposits import Bench, stretch
from tests.test_submission_faults import knob, open_slot
from tests.waiting import until
from tests.world import World

MONTH_S = 31 * 86_400


@dataclass
class Waiting:
    """A deposit of 100 that was paid by claimable balance, and whose it is."""

    bench: Bench
    row_id: str
    keys: Keypair
    balance_id: str

    def look(self) -> None:
        """Follow it now."""
        self.bench.sql("UPDATE jobs SET due_at = now()")
        sweeps.work_off([FOLLOW])

    def work(self) -> None:
        """Do all that is due, now."""
        self.bench.sql("UPDATE jobs SET due_at = now(), attempts = 0")
        passes.owe("work")
        sweeps.work_off(passes.SERVICES["work"].kinds)

    def state(self) -> str:
        [(state,)] = self.bench.sql("SELECT state FROM claimable_balances")
        return str(state)

    def claim(self) -> None:
        """Let the user claim it."""
        builder = self.bench.builder(self.keys)
        builder.append_claim_claimable_balance_op(self.balance_id)
        self.bench.world.submit(builder, self.keys)

    def a_month_passes(self) -> None:
        knob(self.bench, "clock", seconds=MONTH_S)
        self.bench.world.sandbox.network.close_ledger()

    def books(self) -> dict[tuple[str, str], int]:
        rows = self.bench.sql(
            "SELECT account, split_part(asset, ':', 1), sum(amount) FROM postings"
            " WHERE account IN ('customer', 'reserves') GROUP BY 1, 2"
        )
        return {(account, asset): int(total) for account, asset, total in rows}


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


@pytest.fixture
def waiting(bench: Bench) -> Waiting:
    keys = bench.account(trusts=False)
    row_id = bench.deposit(keys.public_key, takes_claimable_balance=True)
    bench.wait(row_id)
    balance_id = bench.world.row(row_id).claimable_balance_id
    assert balance_id is not None
    return Waiting(bench, row_id, keys, balance_id)


def test_a_balance_is_followed_from_the_commit_that_records_it(waiting: Waiting) -> None:
    found = waiting.bench.sql("SELECT id, state, amount FROM claimable_balances")
    assert found == [(waiting.balance_id, "waiting", 99_0000000)]
    assert waiting.bench.sql("SELECT kind, subject_id FROM jobs WHERE kind = :kind", kind=FOLLOW)
    assert waiting.books() == {("customer", "USDC"): 100_0000000, ("reserves", "native"): 1_0000000}


def test_looks_come_after_a_minute_and_then_later_and_later(waiting: Waiting) -> None:
    waits = []
    for _ in range(12):
        waiting.look()
        [(wait_s,)] = waiting.bench.sql(
            "SELECT round(extract(epoch FROM due_at - now())) FROM jobs WHERE kind = :k", k=FOLLOW
        )
        waits.append(int(wait_s))
    assert waits[:3] == [60, 120, 240]
    assert waits[-1] == 6 * 3600


def test_a_sweep_finds_one_that_nobody_follows(waiting: Waiting) -> None:
    waiting.bench.sql("DELETE FROM jobs")
    passes.owe("work")
    assert waiting.bench.sql("SELECT subject_id FROM jobs WHERE kind = :k", k=FOLLOW) == [
        (waiting.balance_id,)
    ]


def test_one_that_the_user_claimed_is_over(waiting: Waiting) -> None:
    waiting.bench.trust(waiting.keys)
    waiting.claim()
    waiting.look()
    found = waiting.bench.sql("SELECT state, ended_by, transaction_hash FROM claimable_balances")
    assert found[0][:2] == ("claimed", waiting.keys.public_key)
    assert len(found[0][2]) == 64
    assert waiting.bench.world.events(waiting.row_id)[-1] == "balance_ended"
    assert waiting.bench.world.status(waiting.row_id) == "completed"
    assert waiting.books() == {("customer", "USDC"): 100_0000000, ("reserves", "native"): 0}
    assert waiting.bench.world.cases() == []
    assert waiting.bench.sql("SELECT 1 FROM jobs WHERE kind = :kind", kind=FOLLOW) == []


def test_one_that_nobody_claimed_is_taken_back_and_owed(waiting: Waiting) -> None:
    bench = waiting.bench
    before = bench.held(bench.world.distribution)
    waiting.work()
    assert waiting.state() == "waiting"
    waiting.a_month_passes()
    waiting.work()
    until(lambda: (waiting.work(), waiting.state() == "reclaimed")[1], 40)
    after = bench.held(bench.world.distribution)
    assert float(after) - float(before) == 99
    row = bench.world.row(waiting.row_id)
    assert (row.status, row.amount_paid) == ("completed", 1_0000000)
    assert bench.world.events(waiting.row_id).count("ledger_payment_confirmed") == 1
    assert bench.sql("SELECT reason, amount_owed FROM cases") == [("balance_reclaimed", 99_0000000)]
    assert waiting.books() == {("customer", "USDC"): 1_0000000, ("reserves", "native"): 0}
    assert (
        bench.sql("SELECT cause FROM postings GROUP BY cause, asset HAVING sum(amount) <> 0") == []
    )


def test_promise_01_what_was_taken_back_is_no_payment_of_anybody(waiting: Waiting) -> None:
    waiting.a_month_passes()
    until(lambda: (waiting.work(), waiting.state() == "reclaimed")[1], 40)
    waiting.bench.world.read()
    assert waiting.bench.world.payments() == []
    assert waiting.bench.world.cases() == ["balance_reclaimed"]


def test_all_agrees_after_a_balance_was_taken_back(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "_REST_S", 0)
    assert reconciliation.run(1).first_compared
    before = reconciliation.run(1).differences
    waiting.a_month_passes()
    until(lambda: (waiting.work(), waiting.state() == "reclaimed")[1], 40)
    report = reconciliation.run(1)
    assert (report.differences, report.payments_missing) == (before, 0)


def test_promise_05_two_looks_at_once_order_one_claim(waiting: Waiting) -> None:
    waiting.a_month_passes()
    waiting.bench.sql("UPDATE jobs SET due_at = now()")

    def look() -> None:
        with waiting.bench.world.app.app_context():
            sweeps.work_off([FOLLOW])

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.look()
    assert claims(waiting) == ["prepared"]


def claims(waiting: Waiting) -> list[str]:
    rows = waiting.bench.sql("SELECT state FROM outflows WHERE form = 'claim' ORDER BY id")
    return [state for (state,) in rows]


def ordered(waiting: Waiting) -> None:
    """Let a claim of ours be queued, and no more."""
    waiting.a_month_passes()
    waiting.look()
    assert claims(waiting) == ["prepared"]


def test_promise_06_our_claim_in_a_ledger_is_found_by_who_comes_next(waiting: Waiting) -> None:
    bench = waiting.bench
    ordered(waiting)
    open_slot(bench)
    [(envelope,)] = bench.sql("SELECT envelope_xdr FROM envelopes ORDER BY id DESC LIMIT 1")
    assert gateway().submit(envelope).successful
    waiting.look()
    assert waiting.state() == "waiting", "its own submission records it"
    stretch(bench)
    assert waiting.state() == "reclaimed"
    assert claims(waiting) == ["done"]
    assert bench.world.cases() == ["balance_reclaimed"]


def test_a_user_who_is_faster_than_our_claim_keeps_it(waiting: Waiting) -> None:
    bench = waiting.bench
    bench.trust(waiting.keys)
    bench.sql("UPDATE claimable_balances SET reclaim_at = 1")
    waiting.look()
    assert claims(waiting) == ["prepared"]
    waiting.claim()
    until(lambda: (waiting.work(), waiting.state() == "claimed")[1], 40)
    assert claims(waiting) == ["refused"]
    assert bench.held(waiting.keys.public_key) == "99.0000000"
    assert bench.world.status(waiting.row_id) == "completed"
    assert bench.world.cases() == []
    assert waiting.books() == {("customer", "USDC"): 100_0000000, ("reserves", "native"): 0}


def test_a_claim_before_its_time_is_tried_again_later(waiting: Waiting) -> None:
    bench = waiting.bench
    bench.sql("UPDATE claimable_balances SET reclaim_at = 1")
    until(lambda: (waiting.look(), stretch(bench), claims(waiting) == ["refused"])[2], 40)
    waiting.look()
    assert claims(waiting) == ["refused"], "it rests for an hour"
    assert bench.world.cases() == []
    bench.sql("UPDATE outflows SET settled_at = now() - interval '2 hours' WHERE form = 'claim'")
    waiting.look()
    assert claims(waiting) == ["refused", "prepared"]


def test_one_that_the_issuer_clawed_back_is_for_a_person(bench: Bench) -> None:
    issuer = bench.issuer()
    flags = AuthorizationFlag.AUTHORIZATION_REVOCABLE
    flags |= AuthorizationFlag.AUTHORIZATION_CLAWBACK_ENABLED
    bench.world.submit(bench.builder(issuer).append_set_options_op(set_flags=flags), issuer)
    fresh_line(bench)
    keys = bench.account(trusts=False)
    row_id = bench.deposit(keys.public_key, takes_claimable_balance=True)
    bench.wait(row_id)
    balance_id = bench.world.row(row_id).claimable_balance_id
    assert balance_id is not None
    waiting = Waiting(bench, row_id, keys, balance_id)
    builder = bench.builder(issuer).append_clawback_claimable_balance_op(balance_id)
    bench.world.submit(builder, issuer)
    waiting.look()
    assert waiting.state() == "clawed_back"
    assert bench.sql("SELECT reason, amount_owed FROM cases") == [("balance_clawed_back", None)]
    assert waiting.books()["reserves", "native"] == 0


def fresh_line(bench: Bench) -> None:
    """Give the distribution account a trust line that can be clawed back from."""
    keys = Keypair.from_secret(bench.world.settings.distribution_secrets["USDC"])
    issuer, asset = bench.issuer(), bench.world.asset
    builder = bench.builder(keys)
    builder.append_payment_op(issuer.public_key, asset, bench.held(keys.public_key))
    builder.append_change_trust_op(asset, "0")
    builder.append_change_trust_op(asset)
    bench.world.submit(builder, keys)
    builder = bench.builder(issuer).append_payment_op(keys.public_key, asset, "1000")
    bench.world.submit(builder, issuer)


def test_a_pause_keeps_our_claim_waiting_and_a_cap_does_not_count_it(waiting: Waiting) -> None:
    ordered(waiting)
    waiting.bench.sql("INSERT INTO pauses (scope, subject, who) VALUES ('all', '', 'A')")
    stretch(waiting.bench)
    assert claims(waiting) == ["prepared"]
    waiting.bench.sql("DELETE FROM pauses")
    until(lambda: (waiting.work(), waiting.state() == "reclaimed")[1], 40)
    [(called_at,)] = waiting.bench.sql("SELECT called_at FROM outflows WHERE form = 'claim'")
    assert called_at is None

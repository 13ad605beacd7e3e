"""Who lacks the lumens for a trust line is sent them: once for each deposit (SEP-6 7.3)."""

from dataclasses import replace

import pytest
from stellar_sdk import Asset, Keypair, MuxedAccount

from anchor.cli import group
from anchor.extensions import gateway
from anchor.ledger.destinations import lumens_for_line
from anchor.money import parse_amount
from anchor.services import sweeps
from anchor.services.transactions import PAY_ON_LEDGER
from tests.authorizing import authorizing, differences, give_away, lumens, operations
from tests.deposits import Bench
from tests.test_result_codes import give_lumens, leave_lumens
from tests.test_submission_faults import knob
from tests.world import World

RESERVE, FEES = 5_000_000, 100_000


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


def poor(bench: Bench, keep: str = "1.2") -> Keypair:
    """Make an account without a line, that has only so many lumens."""
    account = bench.account(trusts=False)
    give_away(bench, account, keep)
    return account


def orders(bench: Bench) -> list[tuple[str, str, int]]:
    return [tuple(row) for row in bench.sql("SELECT form, state, amount FROM outflows ORDER BY id")]


@pytest.mark.conforms("SEP6-29", "SEP24-28")
def test_what_a_trust_line_costs_is_sent_and_then_the_line_awaited(bench: Bench) -> None:
    account = poor(bench)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    assert lumens(bench, account.public_key) == "1.5100000"
    assert orders(bench) == [("trustline_lumens", "done", 3_100_000)]
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "98.5000000", "the fee for lumens of ours is kept"
    row = bench.world.row(row_id)
    assert (row.amount_fee, row.amount_paid) == (1_5000000, 100_0000000)
    booked = bench.sql("SELECT sum(amount) FROM postings WHERE account = 'starting_balances'")
    assert booked == [(3_100_000,)]
    assert bench.sql("SELECT sum(amount) FROM postings") == [(0,)]
    assert bench.world.cases() == []
    assert differences() == set()


def test_they_leave_only_once_the_money_is_in(bench: Bench) -> None:
    account = poor(bench)
    row_id = bench.opened(account.public_key)
    bench.work()
    assert lumens(bench, account.public_key) == "1.2000000"
    bench.fund(row_id)
    bench.wait(row_id, "pending_trust")
    assert lumens(bench, account.public_key) == "1.5100000"


def looked_at_again(bench: Bench, row_id: str) -> None:
    """Let a deposit that waits for its line be looked at as when its money came."""
    for words in (["hold", row_id, "--note", "who is that?"], ["release", row_id]):
        done = bench.world.app.test_cli_runner().invoke(group, words)
        assert done.exit_code == 0, done.output
    assert bench.world.status(row_id) == "pending_anchor"
    bench.wait(row_id, "pending_trust", hurry=True)


def test_once_for_each_deposit_whatever_becomes_of_them(bench: Bench) -> None:
    account = poor(bench)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    builder = bench.builder(account)
    builder.append_payment_op(bench.issuer().public_key, Asset.native(), "0.5")
    bench.world.submit(builder, account)
    bench.sql("UPDATE jobs SET due_at = now()")
    bench.work()
    looked_at_again(bench, row_id)
    assert [form for form, _, _ in orders(bench)] == ["trustline_lumens"]


def test_an_account_that_was_created_for_a_deposit_is_sent_no_more(bench: Bench) -> None:
    served = bench.world.app.extensions["anchor"].settings.assets["USDC"]
    least = replace(served.delivery, starting_balance=parse_amount("1"))
    bench.serve(replace(served, delivery=least))
    row_id = bench.deposit(Keypair.random().public_key)
    bench.wait(row_id, "pending_trust")
    looked_at_again(bench, row_id)
    assert orders(bench) == [("establish", "done", 1_0000000)]


def test_who_has_enough_is_sent_nothing(bench: Bench) -> None:
    account = poor(bench, "1.52")
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    assert orders(bench) == []
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    assert bench.held(account.public_key) == "99.0000000"


def test_where_no_accounts_are_created_none_is_sent_lumens(bench: Bench) -> None:
    policy = bench.world.app.extensions["anchor"].settings.assets["USDC"]
    bench.serve(replace(policy, delivery=replace(policy.delivery, create_accounts=False)))
    row_id = bench.deposit(poor(bench).public_key)
    bench.wait(row_id, "pending_trust")
    assert orders(bench) == []


def test_no_more_is_sent_than_a_new_account_would_get(bench: Bench) -> None:
    policy = bench.world.app.extensions["anchor"].settings.assets["USDC"]
    little = replace(policy.delivery, starting_balance=3_000_000)
    bench.serve(replace(policy, delivery=little))
    row_id = bench.deposit(poor(bench).public_key)
    bench.wait(row_id, "pending_trust")
    assert orders(bench) == []


def test_a_wallet_that_takes_claimable_balances_is_sent_lumens_before_its_balance(
    bench: Bench,
) -> None:
    account = poor(bench)
    row_id = bench.deposit(account.public_key, takes_claimable_balance=True)
    bench.wait(row_id)
    balance_id = bench.world.row(row_id).claimable_balance_id
    assert [each[0] for each in orders(bench)] == ["trustline_lumens", "claimable_balance"]
    bench.trust(account)
    builder = bench.builder(account).append_claim_claimable_balance_op(balance_id)
    bench.world.submit(builder, account)
    assert bench.held(account.public_key) == "98.5000000"


def test_a_muxed_address_and_a_memo_go_with_them(bench: Bench) -> None:
    account = poor(bench)
    muxed = MuxedAccount(account.public_key, 77).account_muxed
    row_id = bench.deposit(muxed, destination_memo_type="id", destination_memo="5")
    bench.wait(row_id, "pending_trust")
    assert lumens(bench, account.public_key) == "1.5100000"
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    assert operations(bench, row_id)[0]["to_muxed_id"] == "77"


def test_lumens_and_then_an_authorization(bench: Bench) -> None:
    authorizing(bench)
    account = poor(bench)
    row_id = bench.deposit(account.public_key)
    bench.wait(row_id, "pending_trust")
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    types = [each["type"] for each in operations(bench, row_id)]
    assert types == ["set_trust_line_flags", "payment"]
    assert bench.held(account.public_key) == "98.5000000"


def test_what_offers_and_sponsoring_take_up_is_counted(bench: Bench) -> None:
    account, other = bench.account(), Keypair.random()
    builder = bench.builder(account)
    builder.append_begin_sponsoring_future_reserves_op(other.public_key)
    builder.append_create_account_op(other.public_key, "0")
    builder.append_end_sponsoring_future_reserves_op(other.public_key)
    bench.world.submit(builder, account, other)
    sponsor, sponsored = (gateway().account(each.public_key) for each in (account, other))
    assert sponsor is not None
    assert sponsored is not None
    assert lumens_for_line(sponsor, RESERVE) == 0
    assert lumens_for_line(sponsored, RESERVE) == RESERVE + FEES
    needed = (2 + sponsor.subentry_count + 2 + 1) * RESERVE + FEES
    native = sponsor.balance("native")
    assert native is not None
    for held, offered, lacking in (
        (0, 0, needed),
        (needed - 1, 0, 1),
        (needed, 0, 0),
        (needed + 7, 7, 0),
        (needed + 6, 7, 1),
    ):
        line = replace(native, amount=held, selling_liabilities=offered)
        assert lumens_for_line(replace(sponsor, balances=(line,)), RESERVE) == lacking


# -- trouble -----------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["504-applied", "504-lost", "cut-applied", "cut-lost"])
def test_promise_06_whatever_the_network_answers_they_are_sent_once(
    bench: Bench, answer: str
) -> None:
    account = poor(bench)
    row_id = bench.deposit(account.public_key)
    knob(bench, "misbehave", answer=answer)
    bench.wait(row_id, "pending_trust", hurry=True)
    assert lumens(bench, account.public_key) == "1.5100000"
    assert bench.sql("SELECT state FROM submissions") == [("confirmed",)]


def test_op_no_destination_has_the_account_looked_at_again_and_made(bench: Bench) -> None:
    account, heir = poor(bench), bench.account()
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    builder = bench.builder(account).append_account_merge_op(heir.public_key)
    bench.world.submit(builder, account)
    bench.wait(row_id, "pending_trust")
    done = bench.sql("SELECT form, state, note FROM outflows ORDER BY id")
    assert done == [
        ("trustline_lumens", "refused", "op_no_destination"),
        ("establish", "done", None),
    ]


def test_without_lumens_of_ours_they_wait_and_it_is_told(bench: Bench) -> None:
    account = poor(bench)
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    leave_lumens(bench, 1_5000000 + 4000)
    bench.work()
    assert bench.world.cases() == ["waits_for_liquidity"]
    assert bench.world.status(row_id) == "pending_anchor"
    give_lumens(bench)
    bench.sql("UPDATE outflows SET not_before = now()")
    bench.wait(row_id, "pending_trust", hurry=True)
    assert lumens(bench, account.public_key) == "1.5100000"


def test_what_a_person_holds_sends_none(bench: Bench) -> None:
    account = poor(bench)
    row_id = bench.deposit(account.public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    run = bench.world.app.test_cli_runner().invoke
    assert run(group, ["hold", row_id, "--note", "who is that?"]).exit_code == 0
    bench.work()
    assert orders(bench) == [("trustline_lumens", "refused", 3_100_000)]
    assert lumens(bench, account.public_key) == "1.2000000"
    assert bench.sql("SELECT sum(amount) FROM postings") == [(None,)]
    assert run(group, ["release", row_id]).exit_code == 0
    bench.wait(row_id, "pending_trust", hurry=True)
    assert lumens(bench, account.public_key) == "1.5100000"

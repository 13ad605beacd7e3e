"""After a restore nothing goes twice, whatever way it had gone, and all can be put right."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor.cli import group
from anchor.errors import Rejected, Unavailable
from anchor.integrations.protocols import Refused
from anchor.lifecycle import Kind, Status
from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.services import arrivals, audits, brakes, desk, jobs, passes, restore, sweeps
from anchor.services.receipts import observe
from tests.authorizing import give_away, lumens
from tests.deposits import Bench
from tests.puppets import LOOKS_UP, age, puppet
from tests.receiving import booked, deposit
from tests.test_after_the_end import ME
from tests.test_refunds import again, give_back, on_hold, open_refunds, returning, settle, work
from tests.test_restore import everything, time_passes
from tests.waiting import until
from tests.world import World


def funded_deposit(world: World, number: int, amount: str = "100", **more: Any) -> str:
    code = f"REF12{number}"
    row_id = deposit(world, amount, reference=code, **more)
    observe("bank", [booked(f"B{number}", amount, reference=code)])
    return row_id


def test_promise_06_two_deposits_of_one_ledger_transaction_are_both_found(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    takers = [bench.account() for _ in range(2)]
    rows = [funded_deposit(world, n, destination=t.public_key) for n, t in enumerate(takers)]
    backup.take()
    for row_id in rows:
        bench.wait(row_id)
    world.read()
    held = [bench.held(each.public_key) for each in takers]
    assert bench.sql("SELECT count(DISTINCT submission_id) FROM outflows")[0][0] == 1
    backup.restore()
    found = restore.look("ann")
    restore.resume("ann")
    everything(world)
    until(lambda: everything(world) or not open_refunds(), 30, "for rest")
    assert [bench.held(each.public_key) for each in takers] == held, (found, held)


def test_promise_06_a_deposit_is_found_by_its_amount_too(world: World, backup: Any) -> None:
    bench = Bench(world)
    taker = bench.account()
    large = funded_deposit(world, 1, "100", destination=taker.public_key)
    small = funded_deposit(world, 2, "50", destination=taker.public_key)
    backup.take()
    bench.sql("DELETE FROM jobs WHERE subject_id = :i", i=large)  # it is not taken along
    jobs.run(jobs.Address("pay_on_ledger", small))
    until(
        lambda: sweeps.work_off(["drive_submissions"]) and world.status(small) == "completed",
        30,
        "x",
    )
    world.read()
    backup.restore()
    found = restore.look("ann")
    assert found.deposits == [f"{small}-1"], (found, world.row(large).amount_fee, large)


def test_promise_06_a_payout_after_a_refused_one_is_found(world: World, backup: Any) -> None:
    rail = puppet(world, LOOKS_UP, script=[Refused("limit of the day")])
    row_id = world.paid_withdrawal()
    backup.take()
    world.work()
    desk.release(row_id, ME)
    world.work()
    assert world.status(row_id) == "completed"
    backup.restore()
    found = restore.look("ann")
    restore.resume("ann")
    everything(world)
    assert (sum(rail.moved.values()), found.unexplained) == (1, []), (rail.moved, found)


def test_promise_06_a_withdrawal_that_is_forgotten_is_not_sent_back_by_itself(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    policy = RefundPolicy(automatic=frozenset({"unmatched"}), min_amount=1)
    bench.serve(replace(world.policy, refund=policy))
    world.fund()
    backup.take()
    row_id = world.paid_withdrawal()
    world.work()
    assert (world.status(row_id), world.paid_by_bank()) == ("completed", 1)
    before = bench.held(world.payer.public_key)
    backup.restore()
    found = restore.look("ann")
    restore.resume("ann")
    until(lambda: everything(world) or not open_refunds(), 30, "for rest")
    assert bench.held(world.payer.public_key) == before, found


def test_promise_06_a_refund_that_was_the_second_attempt_is_found(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    taker = bench.account()
    rail = returning(world, can_look_up=True)
    row_id = funded_deposit(world, 1, destination=taker.public_key)
    backup.take()
    jobs.run(jobs.Address("pay_on_ledger", row_id))
    give_back(row_id)
    until(lambda: work(world) or world.status(row_id) == "refunded", 20, "for the refund")
    backup.restore()
    found = restore.look("ann")
    restore.resume("ann")
    until(lambda: everything(world) or not open_refunds(), 30, "for rest")
    assert (len(rail.moved), bench.held(taker.public_key)) == (1, "0.0000000"), found


def test_promise_06_a_rail_that_refunds_and_cannot_be_asked_keeps_all_paused(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    taker = bench.account()
    returning(world)
    row_id = funded_deposit(world, 1, destination=taker.public_key)
    backup.take()
    give_back(row_id)
    until(lambda: work(world) or world.status(row_id) == "refunded", 20, "for the refund")
    backup.restore()
    assert restore.look("ann").unexplained != []


def test_promise_06_a_refund_by_rail_that_was_queued_is_looked_up_first(
    world: World, backup: Any
) -> None:
    rail = returning(world, can_look_up=True)
    row_id = funded_deposit(world, 1, destination=Keypair.random().public_key)
    everything(world)
    brakes.pause("all", "", "ann", None)
    give_back(row_id)
    backup.take()
    brakes.resume("all", "", "ann", None)
    work(world)
    assert rail.moved == {f"{row_id}-1": 1}
    backup.restore()
    found = restore.look("ann")
    restore.resume("ann")
    everything(world)
    assert rail.moved == {f"{row_id}-1": 1}, found


def test_promise_06_the_key_of_a_refund_never_stands_for_another_booking(
    world: World, backup: Any
) -> None:
    backup.take()
    observe("bank", [booked("B1", reference="who?", payer="DE55")])
    give_back("receipt bank/B1")
    work(world)
    backup.restore()
    restore.look("ann")
    restore.resume("ann")
    observe("bank", [booked("B2", reference="who?", payer="DE66")])
    give_back("receipt bank/B2")
    again()
    work(world)
    left = Bench(world).sql("SELECT key, state, note FROM outflows")
    paid = [each.account for each in world.bank.transfers.values()]
    assert paid == ["DE55", "DE66"], left


def test_a_payout_of_what_was_held_then_released_is_completed(world: World, backup: Any) -> None:
    row_id = on_hold(world)
    backup.take()
    desk.release(row_id, ME)
    world.work()
    assert world.status(row_id) == "completed"
    backup.restore()
    assert restore.look("ann").payouts == [f"{row_id}-1"]
    assert world.status(row_id) == "completed", world.cases()


def test_promise_06_a_refund_on_the_ledger_that_was_queued_is_not_sent_again(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    row_id = on_hold(world)
    brakes.pause("all", "", "ann", None)
    give_back(row_id)
    backup.take()
    brakes.resume("all", "", "ann", None)
    settle(world, row_id)
    world.read()
    before = bench.held(world.payer.public_key)
    backup.restore()
    found = restore.look("ann")
    restore.resume("ann")  # the person has seen that it was the refund, and says --accept
    until(lambda: everything(world) or not open_refunds(), 30, "for rest")
    assert bench.held(world.payer.public_key) == before, found


def test_promise_06_a_withdrawal_that_was_sent_back_is_not_paid_out_too(
    world: World, backup: Any
) -> None:
    row_id = world.paid_withdrawal()
    backup.take()
    desk.hold(row_id, ME)
    give_back(row_id)
    settle(world, row_id)
    world.read()
    backup.restore()
    found = restore.look("ann")
    assert world.row(row_id).is_resting, found


def test_what_a_restore_holds_can_be_released(world: World, backup: Any) -> None:
    bench = Bench(world)
    taker = bench.account()
    row_id = funded_deposit(world, 1, destination=taker.public_key, takes_claimable_balance=True)
    brakes.pause("all", "", "ann", None)
    bench.work()
    assert [each.state for each in world.outflows(row_id)] == ["prepared"]
    backup.take()
    backup.restore()
    restore.look("ann")
    restore.resume("ann")
    assert world.status(row_id) == "on_hold"
    desk.release(row_id, ME)


def test_promise_06_a_payment_again_that_was_forgotten_is_not_made_twice(
    world: World, backup: Any
) -> None:
    from anchor.integrations.protocols import Returned
    from tests.test_after_the_end import told

    rail = puppet(world, LOOKS_UP)
    row_id = world.paid_withdrawal()
    world.work()
    told(world, row_id, Returned("no such account"))
    backup.take()
    desk.pay_again(row_id, ME)
    world.work()
    backup.restore()
    found = restore.look("ann")
    restore.resume("ann")
    with pytest.raises(Rejected, match="nothing of"):
        desk.pay_again(row_id, ME)  # its case is open, and named this act
    assert rail.moved == {f"{row_id}-1": 1, f"{row_id}-2": 1}, found


def test_promise_06_a_case_that_somebody_closed_still_counts(world: World, backup: Any) -> None:
    bench = Bench(world)
    taker = bench.account()
    row_id = funded_deposit(world, 1, destination=taker.public_key)
    backup.take()
    bench.wait(row_id)
    held = bench.held(taker.public_key)
    backup.restore()
    brakes.pause("all", "", "ann", "restored")
    world.read()
    [case] = desk.listing()
    assert case.reason == "outgoing_unknown"
    desk.close(case.id, ME)
    found = restore.look("ann")
    restore.resume("ann")
    until(lambda: everything(world) or not open_refunds(), 30, "for rest")
    assert bench.held(taker.public_key) == held, found


def test_promise_06_a_send_that_was_sent_back_by_its_rail_is_no_payout(
    world: World, backup: Any
) -> None:
    returning(world, can_look_up=True)
    row_id = deposit(world, kind=Kind.SEND, status=Status.PENDING_SENDER, settlement="rail")
    observe("bank", [booked()])
    backup.take()
    give_back(row_id)
    work(world)
    assert world.status(row_id) == "refunded"
    backup.restore()
    restore.look("ann")
    row = world.row(row_id)
    assert (row.status, row.amount_paid) != ("completed", parse_amount("100"))


def test_promise_07_not_found_is_not_final_at_once(world: World, backup: Any) -> None:
    rail = puppet(world, LOOKS_UP)
    row_id = world.paid_withdrawal()
    backup.take()
    world.work()
    backup.restore()
    look_up = rail.find_outgoing_transaction
    rail.find_outgoing_transaction = lambda _order: None  # type: ignore[method-assign]
    found = restore.look("ann")  # the bank's list is behind: final only after 60 seconds
    assert "says finally" in found.waits[0]
    runner = world.app.test_cli_runner()
    done = runner.invoke(group, ["resume-after-restore", "--accept"])
    assert (done.exit_code, bool(brakes.standing())) == (1, True), "nobody can shorten that"
    rail.find_outgoing_transaction = look_up  # type: ignore[method-assign]
    time_passes()
    assert runner.invoke(group, ["resume-after-restore"]).exit_code == 0
    everything(world)
    assert rail.moved == {f"{row_id}-1": 1}


def test_a_rail_that_does_not_answer_stops_the_finding_again(world: World, backup: Any) -> None:
    from tests.receiving import teller

    bank = teller(world, lists=True)
    deposit(world, destination=Keypair.random().public_key)
    backup.take()
    backup.restore()

    def deaf(*_args: Any) -> Any:
        raise Unavailable("down")

    bank.receipts_since = deaf  # type: ignore[method-assign]
    bank.poll_pending_deposits = deaf  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        restore.look("ann")


def test_promise_14_a_pause_that_somebody_else_set_stays(world: World, backup: Any) -> None:
    brakes.pause("all", "", "bob", "a key may be stolen")
    backup.take()
    backup.restore()
    restore.look("ann")
    restore.resume("ann")
    assert [each.who for each in brakes.standing()] == ["bob"]


def test_promise_03_lumens_that_made_an_account_are_no_payment_of_a_deposit_of_lumens(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    native = replace(
        world.app.extensions["anchor"].settings.assets["USDC"],
        code="native",
        issuer=None,
        currency="XLM",
    )
    bench.serve(native)
    taker = Keypair.random()
    lumens = deposit(
        world,
        "100",
        reference="REF121",
        asset="native",
        asset_code="native",
        destination=taker.public_key,
    )
    observe("bank", [booked("B1", "100", reference="REF121", currency="XLM")])
    dollars = funded_deposit(world, 2, destination=taker.public_key)
    backup.take()
    bench.sql("DELETE FROM jobs WHERE subject_id = :i", i=lumens)
    bench.wait(dollars, "pending_trust")
    world.read()
    backup.restore()
    found = restore.look("ann")
    row = world.row(lumens)
    assert (row.status, row.amount_paid) == ("pending_anchor", 0), (found, row.amount_fee)


def test_promise_06_a_refund_of_money_that_matched_nobody_is_found(
    world: World, backup: Any
) -> None:
    rail = returning(world, can_look_up=True)
    observe("bank", [booked("B1", reference="who?", payer="DE55")])
    backup.take()
    give_back("receipt bank/B1")
    work(world)
    backup.restore()
    found = restore.look("ann")
    assert found.payouts == ["receipt-bank-B1-1"]
    restore.resume("ann")
    with pytest.raises(Rejected, match="all of"):
        give_back("receipt bank/B1")
    assert rail.moved == {"receipt-bank-B1-1": 1}


def test_promise_06_a_later_attempt_says_that_the_open_one_moved_nothing(
    world: World, backup: Any
) -> None:
    rail = puppet(world, LOOKS_UP, script=[TimeoutError(), Refused("limit of the day")])
    row_id = world.paid_withdrawal()
    world.work()
    assert [each.state for each in world.outflows(row_id)] == ["unknown"]
    backup.take()
    age(120)
    again()
    world.work()  # not found, so it is called again: refused
    desk.release(row_id, ME)
    world.work()
    assert rail.moved == {f"{row_id}-2": 1}
    backup.restore()
    assert restore.look("ann").payouts == [f"{row_id}-2"]
    restore.resume("ann")
    everything(world)
    assert [each.state for each in world.outflows(row_id)] == ["refused", "done"]
    assert (world.status(row_id), rail.moved) == ("completed", {f"{row_id}-2": 1})


def test_a_deposit_that_was_held_then_released_and_paid_is_completed(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    row_id = funded_deposit(world, 1, destination=bench.account().public_key)
    desk.hold(row_id, ME)
    backup.take()
    desk.release(row_id, ME)
    bench.wait(row_id)
    backup.restore()
    assert restore.look("ann").deposits == [f"{row_id}-1"]
    assert world.status(row_id) == "completed", world.cases()


def test_lumens_that_made_an_account_are_known_again(world: World, backup: Any) -> None:
    bench = Bench(world)
    row_id = funded_deposit(world, 1, destination=Keypair.random().public_key)
    backup.take()
    bench.wait(row_id, "pending_trust")
    backup.restore()
    found = restore.look("ann")
    assert (found.deposits, found.unexplained) == ([f"{row_id}-1"], [])
    assert [each.form for each in world.outflows(row_id)] == ["establish"]
    assert world.status(row_id) == "pending_trust"
    assert audits.look() == []


def test_promise_06_lumens_for_a_line_and_the_line_itself_are_known_again(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    account = bench.account(trusts=False)
    give_away(bench, account, "1.2")
    row_id = funded_deposit(world, 1, destination=account.public_key)
    backup.take()
    bench.wait(row_id, "pending_trust")
    bench.trust(account)
    bench.wait(row_id, hurry=True)
    backup.restore()
    found = restore.look("ann")
    assert (found.deposits, found.unexplained) == ([f"{row_id}-1", f"{row_id}-2"], [])
    assert [each.form for each in world.outflows(row_id)] == ["trustline_lumens", "payment"]
    assert world.status(row_id) == "completed"
    assert bench.sql("SELECT account_id FROM known_lines") == [(account.public_key,)]
    assert audits.look() == []


def test_promise_03_where_lumens_are_served_those_for_a_line_are_for_a_person(
    world: World, backup: Any
) -> None:
    bench = Bench(world)
    bench.serve(replace(world.policy, code="native", issuer=None))
    account = bench.account(trusts=False)
    give_away(bench, account, "1.2")
    row_id = funded_deposit(world, 1, destination=account.public_key)
    backup.take()
    bench.wait(row_id, "pending_trust")
    backup.restore()
    found = restore.look("ann")
    assert (found.deposits, len(found.unexplained)) == ([], 1)
    assert lumens(bench, account.public_key) == "1.5100000"


def test_promise_02_a_source_that_is_behind_stops_the_finding(world: World, backup: Any) -> None:
    backup.take()
    backup.restore()
    Bench(world).sql("UPDATE accounts SET known_ledger = 1000000")
    with pytest.raises(Unavailable, match="before 1000000"):
        restore.look("ann")
    assert [each.subject for each in brakes.standing()] == ["restore"]


def test_promise_14_what_a_policy_queued_meanwhile_is_taken_out(world: World, backup: Any) -> None:
    bench = Bench(world)
    bench.serve(replace(world.policy, refund=RefundPolicy(automatic=frozenset({"unmatched"}))))
    world.fund()
    backup.take()
    world.paid_withdrawal()
    backup.restore()
    brakes.pause("all", "", "ann", "a backup was restored")
    world.read()
    work(world)
    assert open_refunds(), "the stream and the workers were started before the command"
    found = restore.look("ann")
    assert "its transaction may be lost" in " ".join(found.unexplained)
    assert not open_refunds()
    work(world)
    assert not open_refunds()


@pytest.mark.parametrize(
    ("cause", "key"),
    [
        ("receipt bank/B1", "receipt-bank-B1"),
        ("payment 1/25769807873/0", "payment-1-25769807873-0"),
        ("receipt bank/2026-11/7 A", "receipt-"),
        ("receipt a-b/c", "receipt-"),
        ("receipt bank/" + "9" * 80, "receipt-"),
    ],
)
def test_promise_06_the_key_of_a_refund_comes_of_the_name_of_what_came(
    cause: str, key: str
) -> None:
    made = arrivals.key_of(cause)
    assert len(made) <= 48
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
    assert made == key or (made.startswith("receipt-") and len(made) == 40)


def test_a_poll_that_a_worker_is_about_is_waited_for(world: World, backup: Any) -> None:
    backup.take()
    backup.restore()
    funded_deposit(world, 1, destination=Keypair.random().public_key)
    address = jobs.Address("poll_pending_deposits", "bank")
    held = threading.Event()
    bank = world.app.extensions["anchor"].rails["bank"]
    answer = bank.receipts_since

    def slow(cursor: str | None) -> Any:
        held.set()
        time.sleep(2)
        return answer(cursor)

    bank.receipts_since = slow
    passes.owe("poll_pending_deposits")

    def worker() -> None:
        with world.app.app_context():
            jobs.run(address)

    other = threading.Thread(target=worker)
    other.start()
    assert held.wait(20)
    assert restore.look("ann").unexplained == []
    other.join()

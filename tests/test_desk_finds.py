"""What the desk, the brakes and the policies must not allow, and what they have to."""

from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import Keypair

from anchor.errors import AnchorError, Rejected
from anchor.integrations.protocols import NeedsInfo
from anchor.lifecycle import Kind, Status
from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.services import (
    attesting,
    audits,
    brakes,
    crediting,
    desk,
    expiry,
    jobs,
    networks,
    passes,
    payments,
    policy_refunds,
    queues,
    refund_orders,
    refunds,
    sweeps,
)
from anchor.services.receipts import observe
from tests.deposits import Bench
from tests.puppets import puppet
from tests.receiving import balances, booked, deposit
from tests.test_brakes import cap
from tests.test_policy_refunds import policy, refunds_made, run
from tests.test_refunds import ME, again, give_back, on_hold, open_refunds, returning, work
from tests.waiting import until
from tests.world import World


def test_promise_09_what_was_credited_by_hand_and_taken_back_leaves_the_books_in_order(
    world: World,
) -> None:
    row_id = deposit(world, destination=Keypair.random().public_key)
    observe("bank", [booked(reference="for my holidays")])
    [case] = desk.listing()
    crediting.credit(case.id, row_id, ME)
    observe("bank", [replace(booked(reference="for my holidays"), is_reversed=True)])
    assert audits.look() == [], balances()


def test_what_was_answered_otherwise_cannot_be_credited(world: World) -> None:
    world.pay("25")
    world.read()
    [case] = desk.listing()
    desk.close(case.id, desk.By("ann", "sent back by hand, from the treasury"))
    with pytest.raises(Rejected):
        crediting.credit(case.id, world.withdrawal("25"), ME)


def test_promise_14_a_pause_stops_what_nobody_outside_has_heard_of(world: World) -> None:
    bench = Bench(world)
    row_id = bench.deposit(bench.account().public_key)
    jobs.run(jobs.Address("pay_on_ledger", row_id))
    from anchor.extensions import gateway
    from anchor.services import channels

    channels.prepare(gateway(), world.distribution)
    assert queues.fill(world.distribution) == 1  # and here the worker dies
    brakes.pause("all", "", "ann", None)
    for _ in range(10):
        again()
        bench.work()
    assert world.status(row_id) != "completed"


def test_promise_14_what_answers_a_deposit_of_ours_is_not_sent_back_by_itself(
    world: World,
) -> None:
    bench = policy(world)
    taker = bench.account()
    bench.wait(bench.deposit(taker.public_key))
    builder = world.builder(taker.public_key)
    builder.append_payment_op(world.distribution, world.asset, "50")
    world.submit(builder, taker)
    world.read()
    run(world)
    assert refunds_made(bench) == 0


def test_promise_14_a_retired_account_of_ours_gets_nothing_back_by_itself(world: World) -> None:
    bench = policy(world)
    old = bench.account()
    bench.wait(bench.deposit(old.public_key))
    bench.sql("UPDATE outflows SET begun_at = begun_at - interval '30 days'")
    from anchor.extensions import gateway

    networks.watch(gateway(), world.network_id, [old.public_key])
    bench.sql("UPDATE accounts SET role = 'retired' WHERE account_id = :a", a=old.public_key)
    builder = world.builder(old.public_key)
    builder.append_payment_op(world.distribution, world.asset, "50")
    world.submit(builder, old)
    world.read()
    run(world)
    assert refunds_made(bench) == 0


def test_promise_14_the_policy_does_not_act_on_what_a_person_has_credited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = policy(world)
    row_id = world.withdrawal("25")
    world.pay("25", "id:12345")
    world.read()
    [case] = desk.listing()
    checked = policy_refunds._demand_room

    def slow(*args: Any) -> None:
        checked(*args)
        crediting.credit(case.id, row_id, ME)

    monkeypatch.setattr(policy_refunds, "_demand_room", slow)
    passes.owe("work")
    sweeps.work_off([policy_refunds.POLICY_REFUND])
    assert refunds_made(bench) == 0


def test_a_person_can_say_what_became_of_an_attempt_that_nobody_can_ask_about(
    world: World,
) -> None:
    from anchor.integrations.protocols import RailTraits

    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        again()
        world.work()
    [case] = desk.listing()
    assert case.reason == "outcome_unknown"
    for act in (desk.hold, desk.release, desk.fail):
        with pytest.raises(Rejected):
            act(row_id, ME)
    assert desk.show(case.id).acts == ("close", "settle")
    key = world.outflows(row_id)[0].key
    attesting.settle(key, ME, is_paid=True)
    assert (world.status(row_id), desk.listing()) == ("completed", [])
    with pytest.raises(Rejected, match="nothing to settle"):
        attesting.settle(key, ME, is_paid=False)


def test_an_attempt_that_never_paid_is_made_anew_when_a_person_releases_it(world: World) -> None:
    from anchor.integrations.protocols import RailTraits

    rail = puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        again()
        world.work()
    attesting.settle(f"{row_id}-1", ME, is_paid=False)
    desk.release(row_id, ME)
    world.work()
    assert (world.status(row_id), rail.calls) == ("completed", [f"{row_id}-1", f"{row_id}-2"])


def test_money_that_was_sent_back_outside_is_written_down(world: World) -> None:
    from tests.receiving import Teller
    from tests.test_refunds import stuck_deposit

    world.app.extensions["anchor"].rails["bank"] = Teller("bank")
    row_id = stuck_deposit(world)
    cause = refunds.of_transaction(row_id).cause
    refunds.begin(refunds.Order(cause, None, "ann", "cheque 12", by_hand=True))
    assert (world.status(row_id), audits.look()) == ("refunded", [])
    with pytest.raises(Rejected):
        refunds.begin(refunds.Order(cause, None, "ann", "again", by_hand=True))


def test_a_queued_refund_can_be_taken_back(world: World) -> None:
    brakes.pause("all", "", "ann", None)
    row_id = on_hold(world)
    begun = give_back(row_id)
    refund_orders.cancel(begun.key, ME)
    assert world.outflows(row_id)[0].state == "refused"
    with pytest.raises(Rejected, match="cannot be taken back"):
        refund_orders.cancel(begun.key, ME)
    give_back(row_id)


def test_a_deposit_that_waited_for_trust_in_vain_goes_back_by_itself(world: World) -> None:
    from tests.test_refunds import stuck_deposit

    bench = policy(world, automatic=frozenset(), after_trust_days=True)
    returning(world)
    row_id = stuck_deposit(world)
    bench.sql("UPDATE transactions SET funded_at = now() - interval '31 days'")
    bench.work()
    assert "trust_is_missing" in world.cases()
    for _ in range(2):
        passes.owe("work")
        sweeps.work_off(passes.SERVICES["work"].kinds)
        work(world)
    assert world.status(row_id) == "refunded"


def test_a_booking_that_two_assets_might_be_for_is_credited_by_hand(world: World) -> None:
    bench = Bench(world)
    bench.serve(replace(world.policy, code="USDX"))
    row_id = deposit(world, destination=Keypair.random().public_key)
    observe("bank", [booked(reference="for my holidays")])
    [case] = desk.listing()
    crediting.credit(case.id, row_id, ME)


def test_details_that_a_bank_asks_for_do_not_hold_a_withdrawal_for_ever(world: World) -> None:
    puppet(world, script=[NeedsInfo({"bank_account_number": "wrong"})])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.status(row_id) == "pending_transaction_info_update"
    refused = []
    for act in (desk.hold, desk.release, desk.fail):
        try:
            act(row_id, ME)
            break
        except Rejected as error:
            refused.append(str(error))
    assert len(refused) < 3, refused


def test_promise_12_one_refund_above_the_cap_does_not_stop_all_deposits(world: World) -> None:
    bench = cap(world, "50")
    world.pay("100", "id:12345")
    world.read()
    [case] = desk.listing()
    refunds.begin(refunds.Order(case.cause, None, "ann", case_id=case.id))
    row_id = bench.deposit(bench.account().public_key, "30")
    for _ in range(12):
        again()
        bench.work()
    assert world.status(row_id) == "completed"


def test_promise_14_a_pause_of_exchanges_stops_them_and_no_others(world: World) -> None:
    bench = Bench(world)
    brakes.pause("kind", "deposit-exchange", "ann", None)
    row_id = world.of_kind(
        Kind.DEPOSIT_EXCHANGE,
        Status.PENDING_USER_TRANSFER_START,
        destination=bench.account().public_key,
    )
    bench.fund(row_id)
    for _ in range(10):
        again()
        bench.work()
    assert world.status(row_id) != "completed"


def test_promise_11_money_that_came_in_time_and_is_unjudged_keeps_from_expiring(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(world)
    row_id = world.withdrawal("25")
    world.pay("25", world.memo(row_id))

    def broken(*_args: Any) -> Any:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(payments, "_judge", broken)
        world.read()
    bench.sql("UPDATE transactions SET deadline_at = now() - interval '20 days'")
    bench.sql("UPDATE accounts SET read_until = now()")
    expiry.owe()
    sweeps.work_off([expiry.EXPIRE])
    passes.owe("work")
    sweeps.work_off([payments.REPAIR])
    assert (world.status(row_id), world.verdicts()) == ("pending_anchor", ["credited"])


def test_a_rest_below_the_refund_fee_can_be_brought_to_an_end(world: World) -> None:
    bench = Bench(world)
    bench.serve(replace(world.policy, refund=RefundPolicy(fee=parse_amount("0.5"))))
    row_id = on_hold(world)
    give_back(row_id, "99.6")
    until(lambda: work(world) or not open_refunds(), 30, "for the refund")
    refused = []
    cause = refunds.of_transaction(row_id).cause
    try:
        give_back(row_id)
    except AnchorError as error:
        refused.append(str(error))
    refunds.begin(refunds.Order(cause, None, "ann", without_fee=True))
    until(lambda: work(world) or not open_refunds(), 30, "for the rest")
    assert (len(refused), world.status(row_id)) == (1, "refunded")


def test_a_collection_that_its_deadline_passed_is_a_person_s(world: World) -> None:
    bench = Bench(world)
    bench.serve(replace(world.policy, matching="collect"))
    row_id = world.withdrawal("100")
    world.pay("40", world.memo(row_id))
    world.read()
    assert world.row(row_id).amount_received == parse_amount("40")
    bench.sql("UPDATE transactions SET deadline_at = now() - interval '20 days'")
    bench.sql("UPDATE accounts SET read_until = now()")
    expiry.owe()
    sweeps.work_off([expiry.EXPIRE])
    assert (world.cases(), world.status(row_id)) != ([], "pending_user_transfer_start")


def test_a_collection_that_was_sent_back_is_refunded(world: World) -> None:
    bench = Bench(world)
    bench.serve(replace(world.policy, matching="collect"))
    row_id = world.withdrawal("100")
    world.pay("40", world.memo(row_id))
    world.read()
    give_back(row_id)
    until(lambda: work(world) or not open_refunds(), 30, "for the refund")
    assert world.row(row_id).amount_refunded == parse_amount("40")
    first = world.status(row_id)
    world.pay("60", world.memo(row_id))
    world.read()
    assert (first, world.status(row_id)) == ("refunded", "refunded"), world.verdicts()


def test_what_the_bank_took_back_is_not_paid_again(world: World) -> None:
    from anchor.integrations.protocols import Returned
    from tests.test_after_the_end import told

    returning(world)
    row_id = deposit(world, kind=Kind.SEND, status=Status.PENDING_SENDER, settlement="rail")
    observe("bank", [booked()])
    world.work()
    assert world.status(row_id) == "completed"
    observe("bank", [replace(booked(), is_reversed=True)])
    told(world, row_id, Returned("no such account"))
    with pytest.raises(Rejected):
        desk.pay_again(row_id, ME)


def test_a_payment_of_a_network_that_was_reset_is_not_sent_back(world: World) -> None:
    world.pay("25", "id:12345")
    world.read()
    [case] = desk.listing()
    from anchor.extensions import gateway
    from tests.world import TESTNET_PASSPHRASE

    networks.adopt(gateway(), TESTNET_PASSPHRASE)
    with pytest.raises(Rejected):
        refunds.begin(refunds.Order(case.cause, None, "ann", case_id=case.id))


def test_a_refund_is_not_repeated_once_the_bank_took_the_booking_back(world: World) -> None:
    from datetime import timedelta

    from anchor.integrations.protocols import Unknown
    from tests.test_refunds import stuck_deposit

    rail = returning(world, Unknown("time-out"), can_look_up=True, idempotent_for=timedelta(days=1))
    row_id = stuck_deposit(world)
    give_back(row_id)
    work(world)
    observe("bank", [replace(booked(), is_reversed=True)])
    again()
    work(world)
    assert rail.moved == {}


def test_a_submission_given_up_that_pays_all_the_same_is_an_incident(world: World) -> None:
    from anchor.services import settling
    from tests.deposits import stretch

    bench = Bench(world)
    taker = bench.account()
    row_id = deposit(world, destination=taker.public_key)
    observe("bank", [booked()])
    jobs.run(jobs.Address("pay_on_ledger", row_id))
    import anchor.services.submissions as submissions

    kept = submissions._Driver._conclude
    submissions._Driver._conclude = lambda *_: None  # type: ignore[method-assign]
    try:
        stretch(bench)
    finally:
        submissions._Driver._conclude = kept  # type: ignore[method-assign]
    settling.given_up(world.outflows(row_id)[0].submission_id)
    bench.wait(row_id, hurry=True)
    world.read()
    assert bench.held(taker.public_key) == "200.0000000"
    assert "outgoing_unknown" in world.cases() or audits.look() != [], world.cases()


def test_a_policy_that_is_set_now_leaves_old_cases_alone(world: World) -> None:
    bench = Bench(world)
    world.pay("25", "id:12345")
    world.read()
    bench.sql("UPDATE cases SET opened_at = now() - interval '300 days'")
    bench = policy(world)
    run(world)
    assert refunds_made(bench) == 0


def test_a_part_that_the_bank_took_back_during_its_refund_can_be_ended(world: World) -> None:
    bench = Bench(world)
    bench.serve(replace(world.policy, matching="collect"))
    returning(world)
    row_id = deposit(world, destination=Keypair.random().public_key)
    observe("bank", [booked(amount="40")])
    give_back(row_id)
    observe("bank", [replace(booked(amount="40"), is_reversed=True)])
    work(world)
    refused = []
    for act in (lambda: give_back(row_id), lambda: desk.fail(row_id, ME)):
        try:
            act()
        except AnchorError as error:
            refused.append(str(error))
    assert len(refused) < 2, refused


def test_money_is_not_credited_to_what_has_no_details_yet(world: World) -> None:
    from anchor.services import withdrawals
    from anchor.services.transactions import Owner

    rail = puppet(world)
    row_id = withdrawals.open_interactive(Owner(world.payer.public_key), world.policy)
    world.pay("25")
    world.read()
    [case] = desk.listing()
    try:
        crediting.credit(case.id, row_id, ME)
    except Rejected:
        return
    world.work()
    assert rail.calls == [], world.row(row_id).details


def test_a_payout_of_which_the_bank_has_not_heard_can_be_held(world: World) -> None:
    from anchor.integrations.protocols import Unavailable

    puppet(world, script=[Unavailable("down")])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.outflows(row_id)[0].calls == 0
    desk.hold(row_id, ME)

"""Paying out once, whatever the rail does and whoever dies."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from anchor.errors import Rejected, Unavailable
from anchor.extensions import db, transaction
from anchor.integrations.protocols import (
    Done,
    Held,
    NeedsInfo,
    Outcome,
    OutgoingTransaction,
    RailTraits,
    ReadyForPickup,
    Refused,
    Sent,
    Unknown,
)
from anchor.models import Case, Job, Outflow, Transaction
from anchor.services import jobs, passes, payouts
from anchor.services.transactions import PAY_OUT
from tests.puppets import Puppet, age, due_now, puppet
from tests.waiting import until
from tests.world import World


def test_promise_07_a_surprise_after_the_bank_took_the_money_is_looked_up(world: World) -> None:
    rail = puppet(world, script=["take and fall over"])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.outflows(row_id)[0].state == "unknown"
    assert world.status(row_id) == "pending_anchor"
    due_now()
    world.work()
    assert world.status(row_id) == "completed"
    assert rail.calls == [f"{row_id}-1"]
    assert rail.moved == {f"{row_id}-1": 1}


def test_promise_07_not_found_is_not_repeated_before_it_is_final(world: World) -> None:
    rail = puppet(world, script=[Unknown("time-out")])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        world.work()
        due_now()
    assert rail.calls == [f"{row_id}-1"]
    age(61)
    world.work()
    assert world.status(row_id) == "completed"
    assert rail.calls == [f"{row_id}-1", f"{row_id}-1"]


def test_promise_07_a_rail_that_promises_nothing_is_never_repeated(world: World) -> None:
    rail = puppet(world, RailTraits(), script=[Unknown("time-out")])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        world.work()
        due_now()
        passes.owe("execute_outgoing_transactions")
    assert len(rail.calls) == 1
    assert world.cases() == ["outcome_unknown"]
    assert world.outflows(row_id)[0].state == "unknown"


def test_an_idempotent_rail_is_asked_again_with_the_same_key(world: World) -> None:
    traits = RailTraits(idempotent_for=timedelta(hours=1))
    rail = puppet(world, traits, script=[Unknown("time-out")])
    row_id = world.paid_withdrawal()
    world.work()
    due_now()
    world.work()
    assert rail.calls == [f"{row_id}-1"] * 2
    assert world.status(row_id) == "completed"


def test_promise_07_an_idempotent_rail_is_not_asked_after_its_keys_are_forgotten(
    world: World,
) -> None:
    traits = RailTraits(idempotent_for=timedelta(hours=1))
    rail = puppet(world, traits, script=[Unknown("time-out")])
    world.paid_withdrawal()
    world.work()
    due_now()
    age(3601)
    world.work()
    assert len(rail.calls) == 1
    assert world.cases() == ["outcome_unknown"]


def test_a_rail_that_was_not_reached_is_tried_again_without_a_look_up(world: World) -> None:
    rail = puppet(world, RailTraits(), script=[Unavailable("closed"), Unavailable("closed")])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        world.work()
        due_now()
    assert world.status(row_id) == "completed"
    assert rail.calls == [f"{row_id}-1"] * 3
    assert rail.look_ups == 0


def test_unavailable_never_parks(world: World) -> None:
    puppet(world, RailTraits(), script=[Unavailable("closed")] * 40)
    world.paid_withdrawal()
    for _ in range(30):
        world.work()
        due_now()
    with transaction():
        (job,) = db.session.scalars(select(Job)).all()
    assert job.parked_at is None
    assert job.attempts == 30


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (Refused("no such account"), "pending_anchor", "payout_refused"),
        (Rejected("no such account"), "pending_anchor", "payout_refused"),
        (
            NeedsInfo({"bank_account_number": "wrong"}),
            "pending_transaction_info_update",
            "payout_needs_info",
        ),
        (Held("looks odd"), "on_hold", "held"),
    ],
)
def test_promise_06_a_final_no_is_not_tried_again_by_itself(
    world: World, outcome: Any, status: str, reason: str
) -> None:
    rail = puppet(world, script=[outcome])
    row_id = world.paid_withdrawal()
    world.work()
    for _ in range(3):
        passes.owe("execute_outgoing_transactions")
        world.work()
    assert world.status(row_id) == status
    assert world.cases() == [reason]
    assert len(rail.calls) == 1
    assert world.outflows(row_id)[0].state == "refused"


def test_an_order_that_was_sent_is_completed_by_the_poll(world: World) -> None:
    rail = puppet(world, script=[Sent("R1")])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.status(row_id) == "pending_external"
    passes.owe("poll_outgoing_transactions")
    passes.work_off("poll_outgoing_transactions", "bank")
    row = world.row(row_id)
    assert (row.status, row.external_transaction_id) == ("completed", "R1")
    assert rail.moved == {f"{row_id}-1": 1}


def test_money_that_waits_for_pick_up_is_completed_by_the_poll(world: World) -> None:
    puppet(world, script=[ReadyForPickup("R1", "Show this number.")])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.status(row_id) == "pending_user_transfer_complete"
    assert world.row(row_id).message == "Show this number."
    passes.owe("poll_outgoing_transactions")
    passes.work_off("poll_outgoing_transactions", "bank")
    assert world.status(row_id) == "completed"


def test_promise_12_one_bad_order_does_not_stop_the_poll_of_others(world: World) -> None:
    rail = puppet(world, script=[Sent("R1"), Sent("R2"), Sent("R3")])
    rows = [world.paid_withdrawal() for _ in range(3)]
    world.work()
    rail.script = ["batch fails", f"{rows[1]}-1"]
    passes.owe("poll_outgoing_transactions")
    passes.work_off("poll_outgoing_transactions", "bank")
    assert [world.status(row) for row in rows] == ["completed", "pending_external", "completed"]


def test_promise_05_two_payouts_of_one_transaction_cannot_be_open(world: World) -> None:
    puppet(world, script=[Sent("R1")])
    row_id = world.paid_withdrawal()
    world.work()
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError), transaction():
        db.session.add(
            Outflow(
                transaction_id=row_id,
                kind="refund",
                form="payment",
                attempt=2,
                key="another",
                state="prepared",
                asset="native",
                amount=1,
            )
        )


def test_a_contradiction_after_the_end_is_a_case(world: World) -> None:
    puppet(world)
    row_id = world.paid_withdrawal()
    world.work()
    attempt = payouts.outflows.sent_by("bank", 0, 10)
    assert attempt == []
    with transaction():
        outflow = db.session.scalars(select(Outflow)).one()
        row = world.row(row_id)
        known = payouts.outflows._attempt(outflow, row, None, 0, 0)
    payouts.outcomes.record(known, Refused("it came back"))
    assert world.status(row_id) == "completed"
    assert world.cases() == ["contradicts_final_outcome"]


def test_who_knows_nothing_contradicts_no_refusal(world: World) -> None:
    """Two hands were about one attempt, and the slower one only heard that the bank is down."""
    puppet(world, script=[Refused("no")])
    world.paid_withdrawal()
    world.work()
    before = world.cases()
    with transaction():
        outflow = db.session.scalars(select(Outflow)).one()
        row = db.session.get_one(Transaction, outflow.transaction_id)
        known = payouts.outflows._attempt(outflow, row, None, 0, 0)
    payouts.outcomes.record(known, Unknown("the bank is down"))
    assert world.cases() == before
    payouts.outcomes.record(known, Sent())
    assert world.cases() == [*before, "contradicts_final_outcome"]


def test_another_delivered_amount_is_recorded_beside_and_is_a_case(world: World) -> None:
    from decimal import Decimal

    puppet(world, script=[Done(delivered_amount=Decimal("98.40"))])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.row(row_id).amount_out == 98_5000000
    assert world.outflows(row_id)[0].delivered_amount == 98_4000000
    assert world.cases() == ["delivered_differs"]


def test_promise_10_a_sweep_run_a_hundred_times_while_a_worker_hangs_calls_once(
    world: World,
) -> None:
    gate = threading.Event()
    rail = puppet(world, gate=gate)
    row_id = world.paid_withdrawal()

    def hang() -> None:
        with world.app.app_context():
            jobs.run(jobs.Address(PAY_OUT, row_id))

    thread = threading.Thread(target=hang)
    thread.start()
    until(lambda: rail.calls)
    for _ in range(100):
        passes.owe("execute_outgoing_transactions")
        assert not jobs.run(jobs.Address(PAY_OUT, row_id))
    gate.set()
    thread.join()
    assert rail.calls == [f"{row_id}-1"]
    assert world.status(row_id) == "completed"


def test_promise_06_eight_workers_on_one_transaction_call_once(world: World) -> None:
    rail = puppet(world)
    row_id = world.paid_withdrawal()
    barrier = threading.Barrier(8)

    def work() -> None:
        with world.app.app_context():
            barrier.wait()
            jobs.run(jobs.Address(PAY_OUT, row_id))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rail.calls == [f"{row_id}-1"]
    assert world.status(row_id) == "completed"


def test_a_rail_is_given_no_more_jobs_than_its_ceiling(world: World) -> None:
    gate = threading.Event()
    rail = puppet(world, RailTraits(can_look_up=True, max_in_flight=2), gate=gate)
    rows = [world.paid_withdrawal() for _ in range(4)]

    def work(row_id: str) -> None:
        with world.app.app_context():
            jobs.run(jobs.Address(PAY_OUT, row_id))

    threads = [threading.Thread(target=work, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(rail.calls) == 2 and sum(t.is_alive() for t in threads) == 2)
        assert world.work() == 0
    finally:
        gate.set()
    for thread in threads:
        thread.join()
    assert len(rail.calls) == 2
    world.work()
    assert {world.status(row) for row in rows} == {"completed"}


def test_promise_08_no_database_transaction_is_open_while_the_rail_thinks(world: World) -> None:
    seen: list[bool] = []

    class Nosy(Puppet):
        def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
            seen.append(db.session().in_transaction())
            return Done()

    world.app.extensions["anchor"].rails["bank"] = Nosy("bank")
    world.paid_withdrawal()
    world.work()
    assert seen == [False]


def test_promise_08_asking_outside_inside_a_transaction_is_refused(world: World) -> None:
    from anchor.extensions import gateway

    with transaction():
        db.session.scalar(select(Case.id))
        with pytest.raises(AssertionError, match="transaction is open"):
            gateway().network()


def test_a_job_that_was_lost_writes_nothing(world: World) -> None:
    puppet(world)
    row_id = world.paid_withdrawal()
    claimed = jobs.claim(jobs.Address(PAY_OUT, row_id))
    assert claimed is not None
    due_now()
    assert jobs.claim(jobs.Address(PAY_OUT, row_id)) is not None
    with pytest.raises(jobs.Superseded):
        payouts.execute(claimed)
    assert world.outflows(row_id) == []


def test_what_is_renewed_while_it_is_held_runs_again(world: World) -> None:
    row_id = world.paid_withdrawal()
    address = jobs.Address(PAY_OUT, row_id)
    ran: list[int] = []

    def work(claimed: jobs.Claim) -> None:
        ran.append(claimed.attempts)
        if len(ran) == 1:
            with transaction():
                jobs.renew(address, "bank")

    before = jobs._kinds[PAY_OUT]
    jobs.declare(PAY_OUT, jobs.Work(work, lambda _: 60, lambda _: 4))
    try:
        assert jobs.run(address)
        assert jobs.run(address)
        assert not jobs.run(address)
    finally:
        jobs.declare(PAY_OUT, before)
    assert len(ran) == 2

"""Asking rails whose money has come: one odd answer, deposit or outage stops no other."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from anchor.errors import Unavailable
from anchor.extensions import db, transaction
from anchor.integrations.protocols import (
    Arrived,
    DepositAnswer,
    DepositFailed,
    DepositHeld,
    PendingDeposit,
    ReceiptPage,
)
from anchor.lifecycle import Kind, Status
from anchor.models import Transaction
from anchor.services import jobs, passes, pending_deposits, receipts
from anchor.services.receipts import observe
from tests.puppets import due_now
from tests.receiving import (
    POLLS,
    Teller,
    balances,
    booked,
    cases,
    deposit,
    poll,
    reading,
    teller,
    verdicts,
)
from tests.world import ACCOUNT, World

HUNDRED = 100_0000000
BEGUN = datetime(2000, 1, 1, tzinfo=UTC)


def polled_at() -> datetime | None:
    found = reading()
    return found.polled_at if found else None


def test_money_that_came_for_a_deposit_is_credited_and_the_rail_is_told_what_it_needs(
    world: World,
) -> None:
    rail = teller(world)
    row_id = deposit(world)
    rail.answers[row_id] = Arrived([booked()])
    assert poll(world).done == 1
    assert world.status(row_id) == "pending_anchor"
    (asked,) = rail.asked[0]
    assert (asked.transaction_id, asked.kind, asked.asset) == (row_id, "deposit", world.policy.id)
    assert (asked.amount, asked.reference, asked.details) == (
        Decimal(100),
        "REF123",
        {"bank_account_number": ACCOUNT},
    )
    assert asked.owner == world.payer.public_key


@pytest.mark.parametrize(
    ("kind", "status", "more", "is_asked"),
    [
        (Kind.DEPOSIT, Status.PENDING_USER_TRANSFER_START, {}, True),
        (Kind.DEPOSIT, Status.PENDING_EXTERNAL, {}, True),
        (Kind.DEPOSIT_EXCHANGE, Status.PENDING_EXTERNAL, {}, True),
        (Kind.DEPOSIT, Status.EXPIRED, {}, True),
        (Kind.DEPOSIT, Status.INCOMPLETE, {}, False),
        (Kind.DEPOSIT, Status.PENDING_ANCHOR, {}, False),
        (Kind.DEPOSIT, Status.COMPLETED, {}, False),
        (Kind.DEPOSIT, Status.ERROR, {}, False),
        (Kind.WITHDRAWAL, Status.PENDING_USER_TRANSFER_START, {}, False),
        (Kind.WITHDRAWAL, Status.EXPIRED, {}, False),
        (Kind.SEND, Status.PENDING_SENDER, {"settlement": "rail"}, True),
        (Kind.SEND, Status.PENDING_SENDER, {}, False),
        (Kind.SEND, Status.EXPIRED, {"settlement": "rail"}, True),
    ],
)
def test_a_rail_is_asked_about_those_whose_money_it_may_have_and_no_others(
    world: World, kind: Kind, status: Status, more: Mapping[str, Any], is_asked: bool
) -> None:
    rail = teller(world)
    row_id = deposit(world, kind=kind, status=status, **more)
    poll(world)
    assert rail.asked_ids == ([row_id] if is_asked else [])


def test_promise_11_a_deposit_that_expired_is_asked_about_for_the_days_of_grace(
    world: World,
) -> None:
    object.__setattr__(world.settings, "grace_days", 3)
    now = datetime.now(UTC)
    young = deposit(world, status=Status.EXPIRED, updated_at=now - timedelta(days=2))
    deposit(world, status=Status.EXPIRED, updated_at=now - timedelta(days=4), reference="old")
    rail = teller(world)
    rail.answers[young] = Arrived([booked()])
    poll(world)
    assert rail.asked_ids == [young]
    assert verdicts() == ["late"]
    assert cases() == [("receipt_late", HUNDRED)]


def test_each_that_waits_is_asked_about_once_in_batches(world: World) -> None:
    rail = teller(world)
    ids = {deposit(world, reference=f"R{n}") for n in range(130)}
    ids |= {deposit(world, reference=f"E{n}", status=Status.EXPIRED) for n in range(110)}
    poll(world)
    assert sorted(len(batch) for batch in rail.asked) == [10, 30, 100, 100]
    assert len(rail.asked_ids) == 240
    assert set(rail.asked_ids) == ids


@pytest.mark.parametrize(
    ("clause", "index"),
    [
        (pending_deposits.AWAITED, "ix_transactions_awaited"),
        (pending_deposits.EXPIRED_AWAITED, "ix_transactions_expired"),
    ],
)
def test_the_whole_table_is_never_read(world: World, clause: str, index: str) -> None:
    order = "id" if "awaited" in index else "updated_at, id"
    with transaction():
        for other_way in ("seqscan", "bitmapscan", "sort"):
            db.session.execute(text(f"SET LOCAL enable_{other_way} = off"))
        plan = db.session.scalars(
            text(
                f"EXPLAIN SELECT * FROM transactions WHERE ({clause}) AND rail = 'bank'"
                f" ORDER BY {order} LIMIT 100"
            )
        )
        told = "\n".join(plan)
    assert index in told
    assert "Sort" not in told


def test_promise_12_a_deposit_that_cannot_be_asked_about_stops_no_other_and_is_a_case(
    world: World,
) -> None:
    rail = teller(world)
    ids = [deposit(world, reference=f"R{n}") for n in range(3)]
    rail.answers = {
        ids[0]: Arrived([booked("B0", reference="R0")]),
        ids[1]: RuntimeError("a bug in the rail"),
        ids[2]: Arrived([booked("B2", reference="R2")]),
    }
    poll(world)
    assert [world.status(each) for each in ids] == [
        "pending_anchor",
        "pending_user_transfer_start",
        "pending_anchor",
    ]
    assert cases() == [("deposit_unanswered", None)]
    assert polled_at() is None


@pytest.mark.parametrize("odd", [None, "yes", 7, Arrived(None), [booked()]])  # type: ignore[arg-type]
def test_promise_12_an_answer_that_is_none_stops_no_other(world: World, odd: Any) -> None:
    rail = teller(world)
    ids = [deposit(world, reference=f"R{n}") for n in range(2)]

    def answer(deposits: Sequence[PendingDeposit]) -> Mapping[str, DepositAnswer]:
        found = {ids[0]: odd, ids[1]: Arrived([booked(reference="R1")])}
        return {each.transaction_id: found[each.transaction_id] for each in deposits}

    rail.poll_pending_deposits = answer  # type: ignore[method-assign]
    poll(world)
    assert [world.status(each) for each in ids] == ["pending_user_transfer_start", "pending_anchor"]
    assert cases() == [("deposit_unanswered", None)]


def test_a_rail_that_is_down_is_not_asked_about_each_deposit(world: World) -> None:
    rail = teller(world)
    for number in range(8):
        rail.answers[deposit(world, reference=f"R{number}")] = Unavailable("down")
    assert poll(world).postponed == 1
    assert [len(batch) for batch in rail.asked] == [8, 1, 1, 1]
    assert cases() == []
    assert polled_at() is None


def test_an_exception_of_a_rail_is_that_poll_s_alone_and_never_parks_it(world: World) -> None:
    rail = teller(world, lists=True)
    row_id = deposit(world)
    rail.receipts_since = lambda _cursor: 1 / 0  # type: ignore
    rail.answers[row_id] = Arrived([booked()])
    assert poll(world).postponed == 1
    assert world.status(row_id) == "pending_anchor"
    del rail.receipts_since  # type: ignore[attr-defined]
    due_now()
    assert poll(world).done == 1


def test_a_rail_that_does_not_know_the_call_does_no_harm(world: World) -> None:
    deposit(world)
    assert poll(world).done == 1
    assert cases() == []


def test_a_rail_that_is_not_installed_delays_its_own_deposits_alone(world: World) -> None:
    rail = teller(world)
    gone = deposit(world, rail="pigeon", reference="R1")
    row_id = deposit(world)
    rail.answers[row_id] = Arrived([booked()])
    assert sorted(passes.owe(POLLS)) == ["bank", "pigeon"]
    assert passes.work_off(POLLS, "pigeon").postponed == 1
    assert passes.work_off(POLLS, "bank").done == 1
    assert world.status(row_id) == "pending_anchor"
    assert world.status(gone) == "pending_user_transfer_start"


# -- what else a rail may say ------------------------------------------------------------------


def test_a_deposit_that_failed_is_over_and_a_case(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)
    rail.answers[row_id] = DepositFailed("the card was declined", "Your card was declined.")
    poll(world)
    row = world.row(row_id)
    assert (row.status, row.message) == ("error", "Your card was declined.")
    assert cases() == [("deposit_failed", None)]
    poll(world)
    assert len(rail.asked) == 1
    observe("bank", [booked()])
    assert verdicts() == ["late"]


def test_promise_04_a_deposit_with_funds_in_is_not_failed_by_a_rail(world: World) -> None:
    object.__setattr__(world.policy, "matching", "collect")
    rail = teller(world)
    row_id = deposit(world)
    observe("bank", [booked(amount="60")])
    rail.answers[row_id] = DepositFailed("no more will come")
    for _ in range(2):
        poll(world)
    assert world.status(row_id) == "pending_user_transfer_start"
    assert cases() == [("deposit_failed", None)]


def test_a_deposit_on_hold_goes_on_waiting_with_a_case_and_a_message(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)
    rail.answers[row_id] = DepositHeld("screening", "We look at it.")
    for _ in range(2):
        poll(world)
    row = world.row(row_id)
    assert (row.status, row.message) == ("pending_user_transfer_start", "We look at it.")
    assert cases() == [("deposit_held", None)]
    rail.answers[row_id] = Arrived([booked()])
    poll(world)
    assert world.status(row_id) == "pending_anchor"


def test_what_a_rail_says_of_a_deposit_that_expired_changes_nothing(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world, status=Status.EXPIRED)
    rail.answers[row_id] = DepositFailed("it never came")
    poll(world)
    assert world.status(row_id) == "expired"
    assert cases() == []


def test_a_deposit_that_a_person_ended_meanwhile_is_not_brought_back(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)

    def end_it_first(deposits: Sequence[PendingDeposit]) -> Mapping[str, DepositAnswer]:
        with transaction():
            row = db.session.get(Transaction, row_id)
            assert row is not None
            db.session.execute(text("UPDATE transactions SET status = 'error', version = 2"))
        return {row_id: Arrived([booked()])}

    rail.poll_pending_deposits = end_it_first  # type: ignore[method-assign]
    poll(world)
    assert world.status(row_id) == "error"
    assert verdicts() == ["late"]
    assert cases() == [("receipt_late", HUNDRED)]


def test_promise_03_money_without_a_reference_is_for_whom_the_rail_says(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world, reference=None)
    rail.answers[row_id] = Arrived([booked(reference=None)])
    poll(world)
    assert world.status(row_id) == "pending_anchor"


def test_promise_03_the_payer_s_own_reference_counts_above_the_rail_s_word(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)
    rail.answers[row_id] = Arrived([booked(reference="REF999")])
    poll(world)
    assert world.status(row_id) == "pending_user_transfer_start"
    assert verdicts() == ["unmatched"]


def test_promise_03_one_booking_that_is_told_for_two_is_for_neither(world: World) -> None:
    rail = teller(world)
    ids = [deposit(world, reference=None) for _ in range(2)]
    rail.answers = {row_id: Arrived([booked(reference=None)]) for row_id in ids}
    poll(world)
    assert {world.status(row_id) for row_id in ids} == {"pending_user_transfer_start"}
    assert verdicts() == ["unmatched"]


def test_promise_01_the_same_deposit_answered_twice_is_credited_once(world: World) -> None:
    rail = teller(world)
    row_id = deposit(world)
    rail.answers[row_id] = Arrived([booked(), booked()])
    poll(world)
    poll(world)
    assert verdicts() == ["credited"]
    assert world.events(row_id) == ["funds_received"]


# -- several at once ----------------------------------------------------------------------------


def test_promise_01_two_processes_that_poll_at_once_credit_once(world: World) -> None:
    rail = teller(world)
    ids = [deposit(world, reference=f"R{n}") for n in range(10)]
    rail.answers = {
        row_id: Arrived([booked(f"B{n}", reference=f"R{n}")]) for n, row_id in enumerate(ids)
    }
    passes.owe(POLLS)
    first = jobs.claim(jobs.Address(pending_deposits.POLL, "bank"))
    assert first is not None
    due_now()  # the first one is slow: its lease runs out while it is still at work
    second = jobs.claim(jobs.Address(pending_deposits.POLL, "bank"))
    assert second is not None
    seen: list[Exception] = []
    barrier = threading.Barrier(2)

    def work(claimed: jobs.Claim) -> None:
        with world.app.app_context():
            found = pending_deposits._ask(rail, [pending_deposits.pending(r) for r in rows])
            barrier.wait()
            try:
                pending_deposits._record("bank", found)
            except Exception as error:
                seen.append(error)

    rows = [world.row(row_id) for row_id in ids]
    threads = [threading.Thread(target=work, args=(each,)) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == []
    assert verdicts() == ["credited"] * 10
    assert all(world.events(row_id) == ["funds_received"] for row_id in ids)
    assert balances() == {"bank": 10 * HUNDRED, "customer": -10 * HUNDRED}


def test_a_poll_that_lost_its_lease_asks_no_further(world: World) -> None:
    rail = teller(world)
    deposit(world)
    passes.owe(POLLS)
    claimed = jobs.claim(jobs.Address(pending_deposits.POLL, "bank"))
    assert claimed is not None
    due_now()
    assert jobs.claim(jobs.Address(pending_deposits.POLL, "bank")) is not None
    with pytest.raises(jobs.Superseded):
        pending_deposits.poll(claimed)
    assert rail.asked == []


def test_promise_08_no_database_transaction_is_open_while_the_rail_thinks(world: World) -> None:
    seen: list[bool] = []

    class Nosy(Teller):
        def poll_pending_deposits(
            self, deposits: Sequence[PendingDeposit]
        ) -> Mapping[str, DepositAnswer]:
            seen.append(db.session().in_transaction())
            return {}

        def receipts_since(self, cursor: str | None) -> ReceiptPage:
            seen.append(db.session().in_transaction())
            return ReceiptPage([], "1", True)

    rail = teller(world, lists=True)
    world.app.extensions["anchor"].rails["bank"] = Nosy("bank", traits=rail.traits)
    deposit(world)
    poll(world)
    assert seen == [False, False]


def test_what_cannot_be_written_is_tried_again_and_stops_no_other_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail = teller(world)
    row_id = deposit(world)
    rail.answers[row_id] = Arrived([booked()])
    with monkeypatch.context() as patched:
        patched.setattr(receipts, "observe", lambda *_a, **_k: 1 / 0)
        assert poll(world).postponed == 1
    assert polled_at() is None
    due_now()
    assert poll(world).done == 1
    assert world.status(row_id) == "pending_anchor"

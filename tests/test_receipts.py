"""Money that rails report: every booking is kept, judged exactly and acted on once."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from anchor.extensions import db, transaction
from anchor.lifecycle import Kind, Status
from anchor.models import Posting
from anchor.services import passes, receipts
from anchor.services.receipts import observe
from tests.receiving import (
    CODE,
    balances,
    booked,
    cases,
    deposit,
    kept,
    reading,
    verdicts,
)
from tests.world import World

HUNDRED = 100_0000000
SIXTY = 60_0000000


def collecting(world: World) -> None:
    """Let the asset's policy be to collect."""
    object.__setattr__(world.policy, "matching", "collect")


def test_promise_01_money_that_comes_is_kept_credited_and_booked_in_one_commit(
    world: World,
) -> None:
    row_id = deposit(world)
    seen = observe("bank", [booked(payer="DE55", value_date=date(2026, 5, 1))])
    assert (seen.new, seen.credited) == (1, (row_id,))
    row = world.row(row_id)
    assert (row.status, row.amount_received) == ("pending_anchor", HUNDRED)
    assert row.funded_at is not None
    assert (row.external_transaction_id, row.from_account) == ("B1", "DE55")
    (receipt,) = kept()
    assert (receipt.verdict, receipt.transaction_id, receipt.amount) == (
        "credited",
        row_id,
        HUNDRED,
    )
    assert (receipt.payer, receipt.value_date) == ("DE55", date(2026, 5, 1))
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}
    with transaction():
        assert set(db.session.scalars(select(Posting.asset))) == {world.policy.id}
        assert set(db.session.scalars(select(Posting.cause))) == {"receipt bank/B1"}
    assert cases() == []


def test_promise_01_the_same_booking_twice_changes_nothing(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked(), booked()])
    assert observe("bank", [booked()]).new == 0
    assert observe("bank", [booked(payer="somebody else")]).new == 0
    assert world.events(row_id) == ["funds_received"]
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}
    assert verdicts() == ["credited"]


def test_promise_01_the_same_id_on_two_rails_is_two_bookings(world: World) -> None:
    deposit(world)
    observe("bank", [booked()])
    observe("pigeon", [booked()])
    assert verdicts() == ["credited", "unmatched"]


def test_promise_09_an_unknown_currency_is_booked_as_the_rail_s_own(world: World) -> None:
    observe("bank", [booked(currency="SEK", reference=None)])
    with transaction():
        assert set(db.session.scalars(select(Posting.asset))) == {"rail:SEK"}
    assert balances() == {"bank": HUNDRED, "suspense": -HUNDRED}


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"reference": "REF124"}, "unmatched"),
        ({"reference": "ref123"}, "unmatched"),
        ({"reference": None}, "unmatched"),
        ({"currency": "EUR"}, "wrong_asset"),
        ({"amount": "99.99"}, "too_small"),
        ({"amount": "100.0000001"}, "too_large"),
    ],
)
def test_promise_03_what_does_not_agree_credits_nobody_and_is_on_the_desk(
    world: World, changed: dict[str, Any], verdict: str
) -> None:
    row_id = deposit(world)
    receipt = booked(**changed)
    observe("bank", [receipt])
    assert verdicts() == [verdict]
    assert world.status(row_id) == "pending_user_transfer_start"
    amount = int(receipt.amount * 10**7)
    assert cases() == [(f"receipt_{verdict}", amount)]
    assert balances() == {"bank": amount, "suspense": -amount}


def test_promise_03_sixty_and_forty_are_two_cases_where_the_amount_is_exact(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked("B1", "60")])
    observe("bank", [booked("B2", "40")])
    assert verdicts() == ["too_small", "too_small"]
    assert world.status(row_id) == "pending_user_transfer_start"
    assert [reason for reason, _ in cases()] == ["receipt_too_small"] * 2


def test_promise_03_sixty_and_forty_are_a_hundred_where_the_policy_collects(world: World) -> None:
    collecting(world)
    row_id = deposit(world)
    observe("bank", [booked("B1", "60")])
    row = world.row(row_id)
    assert (row.status, row.amount_received) == ("pending_user_transfer_start", SIXTY)
    assert row.funded_at is None
    observe("bank", [booked("B2", "40")])
    row = world.row(row_id)
    assert (row.status, row.amount_received) == ("pending_anchor", HUNDRED)
    assert world.events(row_id) == ["credited", "funds_received"]
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}


def test_promise_03_of_one_page_the_bank_s_first_is_credited_and_the_next_is_second(
    world: World,
) -> None:
    deposit(world)
    now = datetime.now(UTC)
    page = [booked("B2", booked_at=now), booked("B1", booked_at=now - timedelta(hours=1))]
    observe("bank", page)
    assert {row.receipt_id: row.verdict for row in kept()} == {"B1": "credited", "B2": "second"}
    assert cases() == [("receipt_second", HUNDRED)]


def test_promise_11_money_after_the_expiry_is_late_and_on_the_desk(world: World) -> None:
    row_id = deposit(world, status=Status.EXPIRED)
    observe("bank", [booked()])
    assert verdicts() == ["late"]
    assert world.status(row_id) == "expired"
    assert cases() == [("receipt_late", HUNDRED)]


def test_promise_03_a_send_is_funded_by_the_source_that_was_agreed_alone(world: World) -> None:
    by_rail = deposit(
        world, kind=Kind.SEND, status=Status.PENDING_SENDER, settlement="rail", reference="S1"
    )
    on_ledger = deposit(world, kind=Kind.SEND, status=Status.PENDING_SENDER, reference="S2")
    observe("bank", [booked("B1", reference="S1"), booked("B2", reference="S2")])
    assert world.status(by_rail) == "pending_receiver"
    assert world.status(on_ledger) == "pending_sender"
    assert {row.receipt_id: row.verdict for row in kept()} == {"B1": "credited", "B2": "second"}
    with transaction():
        owed = db.session.execute(text("SELECT kind, subject_id FROM jobs")).all()
    assert [tuple(row) for row in owed] == [("execute_outgoing_transaction", by_rail)]


def test_promise_03_a_deposit_of_another_rail_is_not_credited(world: World) -> None:
    row_id = deposit(world, rail="bank")
    observe("pigeon", [booked()])
    assert verdicts() == ["unmatched"]
    assert world.status(row_id) == "pending_user_transfer_start"


def test_promise_14_what_was_booked_before_we_were_in_charge_is_history_unless_we_asked_for_it(
    world: World,
) -> None:
    deposit(world)
    long_ago = datetime.now(UTC) - timedelta(days=30)
    observe("bank", [booked("B1", booked_at=long_ago, reference="old")])
    observe("bank", [booked("B2", booked_at=long_ago)])
    assert verdicts() == ["history", "credited"]
    assert cases() == []
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}


@pytest.mark.parametrize(
    "status",
    [Status.INCOMPLETE, Status.PENDING_ANCHOR, Status.PENDING_CUSTOMER_INFO_UPDATE],
)
def test_promise_04_money_that_comes_while_nobody_is_asked_for_it_is_credited(
    world: World, status: Status
) -> None:
    row_id = deposit(world, status=status)
    observe("bank", [booked()])
    assert verdicts() == ["credited"]
    assert world.row(row_id).amount_received == HUNDRED


# -- what cannot be read, or not be judged ------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        replace(booked(), amount=Decimal("NaN")),
        replace(booked(), amount=Decimal("0")),
        replace(booked(), amount=Decimal("-5")),
        replace(booked(), amount=Decimal("0.00000001")),
        replace(booked(), amount=Decimal("1e30")),
        replace(booked(), amount=100.0),  # type: ignore[arg-type]
        replace(booked(), amount=None),  # type: ignore[arg-type]
        replace(booked(), currency=None),  # type: ignore[arg-type]
        replace(booked(), booked_at=datetime(2026, 5, 1)),  # noqa: DTZ001
        replace(booked(), booked_at="yesterday"),  # type: ignore[arg-type]
        replace(booked(), receipt_id=""),
        replace(booked(), receipt_id="B\x001"),
        replace(booked(), receipt_id="B" * 201),
        "not a receipt at all",
        None,
    ],
)
def test_promise_01_what_cannot_be_read_is_kept_and_stops_no_other(world: World, odd: Any) -> None:
    row_id = deposit(world, reference="good")
    observe("bank", [odd, booked("B9", reference="good")])
    observe("bank", [odd])
    assert sorted(verdicts()) == ["credited", "unreadable"]
    assert world.status(row_id) == "pending_anchor"
    assert cases() == [("receipt_unreadable", None)]
    assert next(row for row in kept() if row.verdict == "unreadable").note


def test_text_that_no_table_can_hold_is_left_out(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked(payer="Ann\x00e\ud800", reference=f"{CODE}\x00 ")])
    (row,) = kept()
    assert (row.payer, row.verdict, row.transaction_id) == ("Anne", "credited", row_id)


def test_promise_01_what_is_readable_the_second_time_is_judged_then(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [replace(booked(), amount=Decimal("NaN"))])
    observe("bank", [booked()])
    assert verdicts() == ["credited"]
    assert world.status(row_id) == "pending_anchor"
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}


def test_a_booking_that_is_told_otherwise_later_is_a_case_and_stays_as_it_was(world: World) -> None:
    deposit(world)
    observe("bank", [booked()])
    for _ in range(2):
        observe("bank", [booked(amount="150")])
    assert kept()[0].amount == HUNDRED
    assert cases() == [("receipt_changed", 150_0000000)]


def test_a_booking_with_two_amounts_at_once_credits_nobody(world: World) -> None:
    row_id = deposit(world)
    observe("bank", [booked(), booked(amount="99")])
    assert verdicts() == ["unreadable"]
    assert world.status(row_id) == "pending_user_transfer_start"


def test_promise_01_what_cannot_be_judged_is_kept_and_repaired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = deposit(world)
    with monkeypatch.context() as patched:
        patched.setattr(receipts, "judge_booking", lambda *_: 1 / 0)
        observe("bank", [booked(), booked("B2", reference="nobody's")], None, "7")
        assert verdicts() == ["unjudged", "unjudged"]
        assert passes.work_off("work", receipts.REPAIR).postponed == 1
    assert balances() == {}
    found = reading()
    assert found is not None
    assert found.cursor == "7"
    with transaction():
        db.session.execute(text("DELETE FROM jobs"))
    passes.owe("work")
    assert passes.work_off("work", receipts.REPAIR).done == 1
    assert verdicts() == ["credited", "unmatched"]
    assert world.status(row_id) == "pending_anchor"
    assert balances() == {"bank": 2 * HUNDRED, "customer": -HUNDRED, "suspense": -HUNDRED}


def test_promise_12_a_receipt_that_can_never_be_judged_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = deposit(world)
    judge = receipts.judge_booking

    def flaky(booking: Any, *more: Any) -> Any:
        if booking.reference == "cursed":
            raise RuntimeError("a bug of ours")
        return judge(booking, *more)

    monkeypatch.setattr(receipts, "judge_booking", flaky)
    observe("bank", [booked("B0", reference="cursed"), booked()])
    assert verdicts() == ["unjudged", "unjudged"]
    assert passes.work_off("work", receipts.REPAIR).postponed == 1
    assert {row.receipt_id: row.verdict for row in kept()} == {"B0": "unjudged", "B1": "credited"}
    assert world.status(row_id) == "pending_anchor"
    observe("bank", [booked("B2", reference="later")])
    assert {row.receipt_id: row.verdict for row in kept()}["B2"] == "unmatched"


# -- the cursor, and several at once --------------------------------------------------------------


def test_promise_02_a_page_is_kept_with_its_cursor_or_not_at_all(world: World) -> None:
    deposit(world)
    observe("bank", [booked()], None, "5")
    with pytest.raises(receipts.CursorMoved):
        observe("bank", [booked("B2")], None, "6")
    assert len(kept()) == 1
    observe("bank", [], "5", "6")
    found = reading()
    assert found is not None
    assert (found.cursor, found.polled_at) == ("6", None)


def test_promise_01_eight_at_once_with_the_same_money_credit_it_once(world: World) -> None:
    ids = [deposit(world, reference=f"R{n}") for n in range(20)]
    page = [booked(f"B{n}", reference=f"R{n}") for n in range(20)]
    barrier = threading.Barrier(8)
    errors: list[Exception] = []

    def tell(number: int) -> None:
        with world.app.app_context():
            barrier.wait()
            try:
                observe("bank", page[::-1] if number % 2 else page)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=tell, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert verdicts() == ["credited"] * 20
    assert all(world.events(row_id) == ["funds_received"] for row_id in ids)
    assert balances() == {"bank": 20 * HUNDRED, "customer": -20 * HUNDRED}


def test_a_page_of_many_takes_few_statements(world: World) -> None:
    from sqlalchemy import event

    for number in range(60):
        deposit(world, reference=f"R{number}")
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _u, s, *_: statements.append(s))
    observe("bank", [booked(f"B{n}", reference=f"R{n}") for n in range(60)])
    assert verdicts() == ["credited"] * 60
    assert len(statements) < 40

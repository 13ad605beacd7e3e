"""The ledger, the payments, the transactions and the books are compared, and every gap is named."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from anchor.cli import group
from anchor.extensions import db, transaction
from anchor.integrations.protocols import Done, Held, RailTraits, Refused, Returned, Sent, Unknown
from anchor.services import audits, desk, passes, reconciliation, sweeps
from anchor.services.acts import By
from anchor.services.receipts import observe
from tests.deposits import Bench
from tests.receiving import Teller, booked, deposit
from tests.test_refunds import again, give_back, on_hold, settle, stuck_deposit, work
from tests.world import World


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "_REST_S", 0)


def sql(statement: str, **values: Any) -> None:
    with transaction():
        db.session.execute(db.text(statement), values)


def kinds(found: list[audits.Difference]) -> list[str]:
    return sorted({each.kind for each in found})


def compared(world: World) -> reconciliation.Report:
    return reconciliation.run(1)


def test_all_agrees_after_all_kinds_of_journey(world: World) -> None:
    assert compared(world).first_compared
    bench = Bench(world)
    world.paid_withdrawal()
    world.work()
    bench.wait(bench.deposit(bench.account().public_key))
    waits = bench.deposit(bench.account(trusts=False).public_key, takes_claimable_balance=True)
    bench.wait(waits)
    row_id = on_hold(world)
    give_back(row_id, "40")
    settle(world, row_id, "on_hold")
    world.pay("7", "id:99")
    world.read()
    stuck_deposit(world)
    report = compared(world)
    wanted = ["received"] * 2  # `Bench.fund` credits what no payment and no receipt tells
    assert [each.kind for each in report.differences if each.kind != "customers"] == wanted


def test_a_payment_that_the_stream_missed_is_kept_and_acted_on(world: World) -> None:
    row_id = world.paid_withdrawal()
    sql("DELETE FROM postings WHERE cause LIKE 'payment %'")
    sql("DELETE FROM history WHERE transaction_id = :id AND event = 'funds_received'", id=row_id)
    sql("DELETE FROM payments")
    sql("DELETE FROM jobs")
    sql(
        "UPDATE transactions SET status = 'pending_user_transfer_start', amount_received = 0,"
        " funded_at = NULL WHERE id = :id",
        id=row_id,
    )
    report = compared(world)
    assert (report.payments_missing, report.differences) == (1, [])
    world.work()
    assert world.status(row_id) == "completed"
    assert compared(world).payments_missing == 0


def test_promise_02_reading_again_changes_nothing_that_is_known(world: World) -> None:
    row_id = world.paid_withdrawal()
    world.work()
    before = (world.events(row_id), world.paid_by_bank(), world.verdicts())
    for _ in range(3):
        compared(world)
    world.work()
    assert (world.events(row_id), world.paid_by_bank(), world.verdicts()) == before


def test_money_that_left_by_another_hand_is_a_difference(world: World) -> None:
    compared(world)
    sql("UPDATE openings SET amount = amount + 5")
    report = compared(world)
    assert kinds(report.differences) == ["balance"]
    assert "are accounted for" in report.differences[0].sentence
    reconciliation.begin_anew(world.distribution, world.policy.id)
    assert compared(world).first_compared
    assert compared(world).differences == []


def test_what_closes_while_it_is_compared_is_not_a_difference(world: World) -> None:
    compared(world)
    world.pay("7", "id:99")  # nobody has read it yet
    assert compared(world).differences == []
    assert world.verdicts() == ["unmatched"]
    world.read()
    assert world.verdicts() == ["unmatched"]


def today(world: World) -> reconciliation.Report:
    return reconciliation.run(1, datetime.now(UTC).date())


def test_the_bank_s_statement_agrees_with_what_was_ordered_and_booked(world: World) -> None:
    world.paid_withdrawal()
    world.work()
    row_id = deposit(world, destination=world.payer.public_key)
    booking = world.bank.bookings.book(100_00, "REF123", "DE55", "USD", "")
    report = today(world)
    assert (report.receipts_missing, report.differences) == (1, [])
    assert world.row(row_id).external_transaction_id == booking.id
    assert today(world).receipts_missing == 0


def test_what_left_the_bank_by_another_hand_is_named(world: World) -> None:
    row_id = world.paid_withdrawal()
    world.work()
    world.bank.order("somebody else's", "DE551234", 5_00)
    key = world.outflows(row_id)[0].key
    found = [each.sentence for each in today(world).differences]
    assert found == ["left with 5 by no order of ours"]
    world.bank.transfers[key].cents += 1
    assert len(today(world).differences) == 2
    del world.bank.transfers["somebody else's"], world.bank.transfers[key]
    [gap] = today(world).differences
    assert (gap.kind, "was not booked" in gap.sentence) == ("bank", True)
    sql("UPDATE outflows SET state = 'refused'")
    world.bank.order(key, "DE551234", 5_00)
    assert "left the bank, and is refused here" in [e.sentence for e in today(world).differences]


def test_promise_12_a_bank_that_does_not_answer_stops_no_comparison(world: World) -> None:
    rail = world.app.extensions["anchor"].rails["bank"]
    rail.statement = lambda _day: 1 / 0
    report = today(world)
    assert [each.sentence for each in report.differences] == ["was not read: ZeroDivisionError"]
    assert report.accounts == 1


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        ("UPDATE transactions SET amount_received = amount_received + 1", "received"),
        ("UPDATE transactions SET amount_paid = amount_paid - 1", "paid"),
        ("UPDATE transactions SET amount_received = 2000000000, amount_refunded = 1", "refunded"),
        ("UPDATE postings SET amount = amount - 1 WHERE account = 'customer'", "customers"),
        ("UPDATE postings SET amount = amount - 1 WHERE account = 'bank'", "books"),
        ("UPDATE postings SET amount = amount - 1 WHERE account = 'in_transit'", "in_transit"),
        ("DELETE FROM payments", "received"),
    ],
)
def test_promise_09_each_gap_in_the_books_is_named(world: World, spoil: str, kind: str) -> None:
    world.paid_withdrawal()
    world.work()
    assert audits.look() == []
    sql(spoil)
    assert kind in kinds(audits.look())


def test_an_outflow_that_the_ledger_does_not_show_is_named(world: World) -> None:
    row_id = on_hold(world)
    give_back(row_id)
    settle(world, row_id)
    world.read()
    world.pay("1", "id:5")
    world.read()
    assert audits.look() == []
    sql("DELETE FROM payments WHERE direction = 'out'")
    assert kinds(audits.look()) == ["unseen"]


def test_many_gaps_of_one_kind_are_counted(world: World) -> None:
    for _ in range(12):
        world.withdrawal()
    sql("UPDATE transactions SET amount_received = 5")
    found = audits.look()
    assert (len(found), found[-1].about) == (11, "2 more")


def test_promise_09_the_books_agree_after_any_series_of_outcomes(world: World) -> None:
    dice = random.Random(4)
    rail = Teller("bank", traits=RailTraits(can_look_up=True, can_refund=True))
    rail.refund = rail.execute_outgoing_transaction  # type: ignore[method-assign]
    world.app.extensions["anchor"].rails["bank"] = rail
    rows = [world.paid_withdrawal(str(dice.randint(5, 50))) for _ in range(6)]
    for place in range(4):
        row_id = deposit(world, str(10 + place), reference=f"REF{place}", destination=None)
        observe("bank", [booked(f"B{place}", str(10 + place), reference=f"REF{place}")])
        rows.append(row_id)
    words = [Done(), Sent(), Refused("no"), Held("look"), Unknown("?"), Returned("back")]
    for _ in range(60):
        rail.script = [dice.choice(words) for _ in range(5)]
        act = dice.choice(["work", "refund", "release", "told", "hold"])
        one(world, dice, act, rows, words)
        again()
        assert audits.look() == [], act


def one(world: World, dice: random.Random, act: str, rows: list[str], words: list[Any]) -> None:
    from anchor.errors import AnchorError
    from anchor.services import outcomes, outflows

    row_id = dice.choice(rows)
    try:
        if act == "work":
            work(world)
        elif act == "refund":
            give_back(row_id, str(dice.randint(1, 20)))
        elif act == "release":
            desk.release(row_id, By("ann"))
        elif act == "hold":
            desk.hold(row_id, By("ann"))
        else:
            made = [each for each in world.outflows(row_id) if each.rail]
            if made:
                attempt = outflows.by_key("bank", dice.choice(made).key)
                assert attempt is not None
                outcomes.record(attempt, dice.choice(words))
    except AnchorError:
        pass


def test_the_command_says_what_differs_and_ends_with_status_1(world: World) -> None:
    runner = world.app.test_cli_runner()
    world.paid_withdrawal()
    first = runner.invoke(group, ["reconcile"])
    assert (first.exit_code, "All agree." in first.output) == (0, True)
    assert "compared from now on" in first.output
    sql("UPDATE openings SET amount = amount + 10000000")
    second = runner.invoke(group, ["reconcile", "--json"])
    assert second.exit_code == 1
    assert json.loads(second.output)["differences"][0]["kind"] == "balance"
    third = runner.invoke(group, ["reconcile", "--begin-anew", world.distribution, "USDC"])
    assert third.exit_code == 0
    wrong = runner.invoke(group, ["reconcile", "--begin-anew", "GABC", "USDC"])
    assert (wrong.exit_code, "never compared" in wrong.output) == (1, True)


def test_the_daily_comparison_puts_differences_on_the_desk(world: World) -> None:
    passes.owe("reconcile")
    assert sweeps.work_off([reconciliation.RECONCILE]).done == 1
    assert desk.listing() == []
    sql("UPDATE openings SET amount = amount + 1")
    passes.owe("reconcile")
    sweeps.work_off([reconciliation.RECONCILE])
    assert [case.reason for case in desk.listing()] == ["books_differ"]

"""Sends whose money comes by rail, as is agreed with their sending anchor: asked about and paid."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from anchor.extensions import db, transaction
from anchor.integrations.protocols import Arrived, DepositFailed, Done, Waiting
from anchor.policies import SendingAnchor
from anchor.services import desk, passes, sweeps
from anchor.services.receipts import observe
from tests.doors.test_sep31_opening import quote
from tests.puppets import due_now
from tests.quoted import agree, books
from tests.receiving import Teller, booked, poll, teller
from tests.sending import Remitter
from tests.test_refunds import ME, give_back, work
from tests.waiting import until

EXECUTE, POLL = "execute_outgoing_transactions", "poll_outgoing_transactions"


@pytest.fixture
def settled(remitter: Remitter) -> Remitter:
    """A sending anchor with which it is agreed that it settles by rail."""
    account = remitter.world.payer.public_key
    remitter.serve(anchor=SendingAnchor("remitter", (account,), settlement="rail"))
    return remitter


def one_pass(name: str) -> None:
    due_now()
    passes.owe(name)
    sweeps.work_off(passes.SERVICES[name].kinds)


def asked(remitter: Remitter, **options: Any) -> tuple[str, str, Teller]:
    """Open a send; return its id, its reference and the rail."""
    rail = teller(remitter.world, **options)
    row_id = remitter.opened()["id"]
    return row_id, str(remitter.world.row(row_id).reference), rail


@pytest.mark.conforms("SEP31-20", "SEP31-41")
def test_the_three_pollers_bring_a_send_by_rail_to_its_end(settled: Remitter) -> None:
    """The simulated bank: booked, found by the poll, paid out, found to be settled."""
    world = settled.world
    opened = settled.opened()
    assert opened.keys() == {"id"}
    found = settled.seen(opened["id"])
    reference = world.row(opened["id"]).reference
    assert found["status"] == "pending_sender"
    assert found["status_message"] == f"Pay by bank transfer, and write {reference} on it."
    assert "stellar_memo" not in found
    one_pass("poll_pending_deposits")
    assert settled.seen(opened["id"])["status"] == "pending_sender"
    world.bank.bookings.book(10000, str(reference), "DE55", "USD", "DE02120300000000202051")
    one_pass("poll_pending_deposits")
    assert settled.seen(opened["id"])["status"] == "pending_receiver"
    one_pass(EXECUTE)
    assert settled.seen(opened["id"])["status"] in {"pending_external", "completed"}
    for _ in range(2):
        one_pass(POLL)
    found = settled.seen(opened["id"])
    assert found["status"] == "completed"
    assert (found["amount_in"], found["amount_out"]) == ("100", "100")
    assert "stellar_transaction_id" not in found
    assert books() == {}
    assert world.paid_by_bank() == 1
    agree()


def test_the_rail_is_told_what_it_needs_of_a_send(settled: Remitter) -> None:
    row_id, reference, rail = asked(settled)
    rail.answers[row_id] = Waiting()
    assert poll(settled.world).done == 1
    [[told]] = rail.asked
    assert (told.transaction_id, told.kind, told.reference) == (row_id, "send", reference)
    assert (told.amount, told.asset) == (Decimal(100), settled.world.policy.id)


def test_money_that_the_rail_names_for_a_send_is_credited_once(settled: Remitter) -> None:
    row_id, reference, rail = asked(settled)
    rail.answers[row_id] = Arrived([booked(reference=reference)])
    for _ in range(3):
        due_now()
        poll(settled.world)
    row = settled.world.row(row_id)
    assert (row.status, row.amount_received) == ("pending_receiver", 100_0000000)
    rail.script = [Done()]
    one_pass(EXECUTE)
    assert settled.world.status(row_id) == "completed"
    assert rail.moved == {f"{row_id}-1": 1}
    agree()


def test_a_send_that_waits_for_its_customers_is_not_asked_about(settled: Remitter) -> None:
    receiver = settled.receiver(accepted=False)
    rail = teller(settled.world)
    row_id = settled.opened(receiver_id=receiver)["id"]
    poll(settled.world)
    assert rail.asked == []
    settled.accept(receiver)
    poll(settled.world)
    assert rail.asked_ids == [row_id]


def test_a_send_that_is_settled_on_the_ledger_is_never_shown_to_a_rail(remitter: Remitter) -> None:
    rail = teller(remitter.world)
    remitter.opened()
    poll(remitter.world)
    assert rail.asked == []


def test_money_on_the_ledger_is_not_money_by_rail(settled: Remitter) -> None:
    """Nobody was told a memo: what comes without one is nobody's."""
    settled.opened()
    settled.world.pay("100")
    settled.world.read()
    assert settled.world.verdicts() == ["unmatched"]


def test_a_send_whose_money_never_comes_ends_in_an_error(settled: Remitter) -> None:
    row_id, _, rail = asked(settled)
    rail.answers[row_id] = DepositFailed("nobody pays", "The sender called it off.")
    poll(settled.world)
    found = settled.seen(row_id)
    assert (found["status"], found["status_message"]) == ("error", "The sender called it off.")


def test_a_send_by_rail_expires_by_the_rails_last_good_poll(settled: Remitter) -> None:
    from tests.test_expiry import run

    row_id, _, rail = asked(settled)
    rail.answers[row_id] = Waiting()
    with transaction():
        db.session.execute(text("UPDATE transactions SET deadline_at = now() - interval '2 h'"))
    run()
    assert settled.world.status(row_id) == "pending_sender"
    poll(settled.world)
    run()
    assert settled.world.status(row_id) == "expired"


@pytest.mark.parametrize(("amount", "verdict"), [("99", "too_small"), ("101", "too_large")])
def test_another_amount_is_a_persons(settled: Remitter, amount: str, verdict: str) -> None:
    row_id, reference, _ = asked(settled)
    observe("bank", [booked(amount=amount, reference=reference)])
    assert settled.world.cases() == [f"receipt_{verdict}"]
    assert settled.world.status(row_id) == "pending_sender"


def test_a_send_by_rail_on_a_quote_has_the_quotes_numbers(settled: Remitter) -> None:
    world = settled.world
    promised = quote(settled)
    row_id = settled.opened(quote_id=promised["id"])["id"]
    reference = str(world.row(row_id).reference)
    world.bank.bookings.book(10000, reference, "DE55", "USD", "DE02120300000000202051")
    one_pass("poll_pending_deposits")
    assert world.status(row_id) == "pending_receiver"
    one_pass(EXECUTE)
    for _ in range(2):
        one_pass(POLL)
    found = settled.seen(row_id)
    assert (found["status"], found["amount_out"]) == ("completed", "490")
    assert [each.cents for each in world.bank.transfers.values()] == [49000]
    agree()


@pytest.mark.conforms("SEP31-45", "SEP31-50")
def test_a_send_by_rail_is_sent_back_by_rail(settled: Remitter) -> None:
    world = settled.world
    row_id = settled.opened()["id"]
    reference = str(world.row(row_id).reference)
    world.bank.bookings.book(10000, reference, "DE55", "USD", "DE02120300000000202051")
    one_pass("poll_pending_deposits")
    give_back(row_id)

    def is_back() -> bool:
        due_now()
        work(world)
        one_pass(POLL)
        return world.status(row_id) == "refunded"

    until(is_back, 30, "for the refund")
    found = settled.seen(row_id)
    assert found["refunds"]["amount_refunded"] == "100"
    [transfer] = world.bank.transfers.values()
    assert transfer.account == "DE55"
    assert found["refunds"]["payments"][0]["id"] == transfer.id
    agree()


def test_a_send_that_is_held_is_not_paid_out_until_it_is_released(settled: Remitter) -> None:
    row_id, reference, rail = asked(settled)
    observe("bank", [booked(reference=reference)])
    desk.hold(row_id, ME)
    one_pass(EXECUTE)
    assert rail.moved == {}
    assert settled.world.status(row_id) == "pending_receiver"
    desk.release(row_id, ME)
    one_pass(EXECUTE)
    assert settled.world.status(row_id) == "completed"

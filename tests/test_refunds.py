"""Money that goes back: to who paid it, once, and never more than came."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from stellar_sdk import Keypair, MuxedAccount

from anchor.errors import AnchorError, Rejected
from anchor.extensions import db, transaction
from anchor.integrations.protocols import (
    Done,
    Outcome,
    OutgoingTransaction,
    RailTraits,
    Refused,
    Sent,
    Unavailable,
)
from anchor.lifecycle import Event
from anchor.models import Transaction
from anchor.money import parse_amount
from anchor.policies import RefundPolicy
from anchor.services import audits, crediting, desk, jobs, passes, refund_orders, refunds, sweeps
from anchor.services.acts import By
from anchor.services.receipts import observe
from anchor.services.refund_orders import Terms
from anchor.services.transactions import Happening, happened
from tests.deposits import Bench
from tests.receiving import Teller, balances, booked, cases, deposit
from tests.waiting import until
from tests.world import World

ME = By("ann", "the customer asked")


def order(cause: str, gross: str | None = None) -> refunds.Order:
    return refunds.Order(cause, parse_amount(gross) if gross else None, "ann", "asked for")


def give_back(what: str, gross: str | None = None) -> refunds.Begun:
    cause = what if " " in what else refunds.of_transaction(what).cause
    return refunds.begin(order(cause, gross))


def on_hold(world: World, amount: str = "100") -> str:
    """A withdrawal whose money is in, and which is held."""
    row_id = world.paid_withdrawal(amount)
    desk.hold(row_id, ME)
    return row_id


def work(world: World) -> None:
    for name in ("work", "execute_outgoing_transactions"):
        passes.owe(name)
        sweeps.work_off(passes.SERVICES[name].kinds)


def settle(world: World, row_id: str, status: str = "refunded") -> None:
    def there() -> bool:
        work(world)
        return world.status(row_id) == status

    until(there, 30, f"for {status}; it is {world.status(row_id)}")


def held_by(world: World, account: str) -> str:
    return Bench(world).held(account)


# -- on the ledger -----------------------------------------------------------------------------


def test_a_withdrawal_goes_back_to_who_paid_it(world: World) -> None:
    row_id = on_hold(world)
    before = held_by(world, world.payer.public_key)
    begun = give_back(row_id)
    assert (begun.amount, begun.fee) == (parse_amount("100"), 0)
    settle(world, row_id)
    row = world.row(row_id)
    assert (row.amount_refunded, row.amount_paid) == (row.amount_received, 0)
    assert float(held_by(world, world.payer.public_key)) - float(before) == 100
    assert world.paid_by_bank() == 0
    assert {name for name, amount in balances().items() if amount} <= {"treasury", "network_fees"}


def test_a_refund_in_part_lets_the_rest_be_paid_out(world: World) -> None:
    row_id = on_hold(world)
    give_back(row_id, "40")
    until(lambda: work(world) or world.row(row_id).amount_refunded, 30, "for the refund")
    assert world.status(row_id) == "on_hold"
    desk.release(row_id, ME)
    world.work()
    row = world.row(row_id)
    assert (row.status, row.amount_refunded) == ("completed", parse_amount("40"))
    assert (row.amount_in, row.amount_received) == (parse_amount("60"), parse_amount("100"))
    assert row.amount_paid + row.amount_refunded == row.amount_received
    assert balances().get("customer", 0) == 0


def test_a_refund_of_what_is_ready_stops_its_payout(world: World) -> None:
    row_id = world.paid_withdrawal()
    give_back(row_id)
    assert world.status(row_id) == "pending_stellar"
    world.work()
    settle(world, row_id)
    assert world.paid_by_bank() == 0


def test_the_fee_of_a_refund_is_kept(world: World) -> None:
    Bench(world).serve(replace(world.policy, refund=RefundPolicy(fee=parse_amount("0.5"))))
    row_id = on_hold(world)
    assert give_back(row_id).amount == parse_amount("99.5")
    settle(world, row_id)
    assert world.row(row_id).amount_refunded == parse_amount("100")
    assert balances()["fees"] == -parse_amount("0.5")


def test_a_refund_carries_the_refund_memo(world: World) -> None:
    row_id = on_hold(world)
    with transaction():
        row = db.session.get_one(Transaction, row_id)
        row.refund_memo_type, row.refund_memo = "text", "give back"
    give_back(row_id)
    settle(world, row_id)
    found = world.sandbox_get(f"/accounts/{world.payer.public_key}/transactions", order="desc")
    newest = found["_embedded"]["records"][0]
    assert (newest["memo_type"], newest["memo"]) == ("text", "give back")


def test_a_muxed_payer_is_paid_under_its_own_id(world: World) -> None:
    row_id = world.withdrawal()
    muxed = MuxedAccount(world.payer.public_key, 77)
    world.fund()
    builder = world.builder(muxed)  # type: ignore[arg-type]
    builder.append_payment_op(world.distribution, world.asset, "100", source=muxed)
    world.add_memo(builder, world.memo(row_id))
    world.submit(builder, world.payer)
    world.read()
    assert refunds.of_transaction(row_id).payer == muxed.account_muxed
    desk.hold(row_id, ME)
    give_back(row_id)
    settle(world, row_id)
    found = world.sandbox_get(f"/accounts/{world.payer.public_key}/payments", order="desc")
    assert found["_embedded"]["records"][0]["to_muxed_id"] == "77"


def test_money_that_matched_nobody_goes_back_and_its_case_is_closed(world: World) -> None:
    world.pay("25", "id:12345")
    world.read()
    [case] = desk.listing()
    assert (case.reason, desk.show(case.id).acts) == (
        "payment_unmatched",
        ("close", "credit", "refund"),
    )
    refunds.begin(refunds.Order(case.cause, None, "ann", case_id=case.id))

    def closed() -> bool:
        work(world)
        return desk.show(case.id).closed_at is not None

    until(closed, 30, "for the case to be closed")
    assert balances().get("suspense", 0) == 0
    assert [act.what for act in desk.show(case.id).done] == ["refund"]


def test_promise_05_eight_hands_send_no_more_back_than_came(world: World) -> None:
    world.pay("25", "id:12345")
    world.read()
    [case] = desk.listing()
    keys, refusals = in_parallel(world, lambda: refunds.begin(order(case.cause, "10")).key)
    assert (len(keys), len(set(keys)), len(refusals)) == (2, 2, 6)
    until(lambda: work(world) or not open_refunds(), 30, "for both")
    assert balances()["suspense"] == -parse_amount("5")


def test_promise_05_a_refund_and_a_payout_are_never_under_way_together(world: World) -> None:
    row_id = world.paid_withdrawal()
    acts: list[Any] = [lambda: give_back(row_id), world.work] * 4
    in_parallel(world, *acts)
    until(lambda: work(world) or not open_refunds(), 30, "for the end")
    row = world.row(row_id)
    assert row.amount_paid + row.amount_refunded == row.amount_received
    assert 0 in {row.amount_paid, row.amount_refunded}


def test_promise_05_a_payout_that_is_under_way_is_not_sent_back(world: World) -> None:
    puppet = Teller("bank", script=[Sent()])
    world.app.extensions["anchor"].rails["bank"] = puppet
    row_id = world.paid_withdrawal()
    world.work()
    with pytest.raises(Rejected, match="is on its way"):
        give_back(row_id)
    with pytest.raises(Rejected, match="is on its way"):
        desk.hold(row_id, ME)


def test_a_refund_that_the_ledger_refuses_leaves_the_money_with_us(world: World) -> None:
    bench = Bench(world)
    row_id = on_hold(world)
    begun = give_back(row_id)
    bench.authorize(world.payer, authorized=False)
    until(lambda: work(world) or not open_refunds(), 40, "for the refusal")
    assert ("refund_refused", begun.amount) in cases()
    assert world.status(row_id) == "on_hold"
    assert world.row(row_id).amount_refunded == 0
    assert balances()["customer"] == -parse_amount("100")
    bench.authorize(world.payer, authorized=True)
    give_back(row_id)
    settle(world, row_id)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("gone", "cannot take it back now"),
        ("memo", "asks for a memo"),
        ("too much", "no more than 100"),
        ("nothing", "no more than 100"),
        ("ours", "an account of ours"),
    ],
)
def test_a_refund_that_cannot_be_made_says_why_and_writes_nothing(
    world: World, spoil: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_id = on_hold(world)
    gross = None
    if spoil == "gone":
        builder = world.builder(world.payer.public_key)
        rest = held_by(world, world.payer.public_key)
        issuer = world.policy.issuer or ""
        builder.append_payment_op(issuer, world.asset, rest)
        builder.append_change_trust_op(world.asset, "0")
        world.submit(builder, world.payer)
    elif spoil == "memo":
        builder = world.builder(world.payer.public_key)
        world.submit(builder.append_manage_data_op("config.memo_required", "1"), world.payer)
    elif spoil == "ours":
        monkeypatch.setattr(refunds, "is_ours", lambda _account: True)
    else:
        gross = "100.0000001" if spoil == "too much" else None
    if spoil == "nothing":
        cause = refunds.of_transaction(row_id).cause
        with pytest.raises(Rejected, match=reason):
            refunds.begin(refunds.Order(cause, -5, "ann"))
    else:
        with pytest.raises(Rejected, match=reason):
            give_back(row_id, gross)
    assert (world.outflows(row_id), world.status(row_id)) == ([], "on_hold")


def test_what_never_came_cannot_be_sent_back(world: World) -> None:
    with pytest.raises(AnchorError, match="nothing was credited"):
        give_back(world.withdrawal())
    for name in ("payment 1/2/3", "receipt bank/B9", "payment ", "receipt x"):
        with pytest.raises(AnchorError, match="there is no"):
            refunds.begin(order(name))


# -- by rail -----------------------------------------------------------------------------------


class Returning(Teller):
    """A rail that sends money back as its script says."""

    def refund(self, transaction: OutgoingTransaction) -> Outcome:
        self.refunds = [*getattr(self, "refunds", []), transaction]
        return self.execute_outgoing_transaction(transaction)


def returning(world: World, *script: Any, **traits: Any) -> Returning:
    made = Returning("bank", traits=RailTraits(can_refund=True, **traits), script=list(script))
    world.app.extensions["anchor"].rails["bank"] = made
    return made


def stuck_deposit(world: World, bookings: tuple[Any, ...] = ()) -> str:
    """A deposit whose money is in and whose account has no trust line."""
    row_id = deposit(world, destination=Keypair.random().public_key)
    observe("bank", list(bookings) or [booked()])
    happened(Happening(row_id, Event.TRUST_MISSING, "look 1"))
    return row_id


def test_a_deposit_goes_back_by_its_rail(world: World) -> None:
    rail = returning(world)
    row_id = stuck_deposit(world)
    begun = give_back(row_id)
    assert world.status(row_id) == "pending_external"
    work(world)
    assert world.status(row_id) == "refunded"
    [told] = rail.refunds
    assert (told.key, told.refund_of, told.payer) == (begun.key, "B1", "DE55")
    assert balances() == {}
    assert not [name for name, amount in balances().items() if amount]


def test_a_deposit_that_waits_in_the_queue_is_taken_out_of_it(world: World) -> None:
    bench = Bench(world)
    returning(world)
    row_id = deposit(world, destination=bench.account().public_key)
    observe("bank", [booked()])
    jobs.run(jobs.Address("pay_on_ledger", row_id))
    assert [each.state for each in world.outflows(row_id)] == ["prepared"]
    give_back(row_id)
    until(lambda: work(world) or world.status(row_id) == "refunded", 20, "for the refund")
    assert [each.state for each in world.outflows(row_id)] == ["refused", "done"]


def test_promise_07_a_refund_whose_outcome_is_unknown_is_looked_up(world: World) -> None:
    rail = returning(world, "take and fall over", can_look_up=True)
    row_id = stuck_deposit(world)
    begun = give_back(row_id)
    work(world)
    assert world.outflows(row_id)[0].state == "unknown"
    with pytest.raises(Rejected, match="on its way"):
        give_back(row_id)
    again()
    work(world)
    assert world.status(row_id) == "refunded"
    assert rail.moved == {begun.key: 1}


def test_promise_07_a_refund_nobody_can_ask_about_waits_for_a_person(world: World) -> None:
    rail = returning(world, "take and fall over")
    row_id = stuck_deposit(world)
    give_back(row_id)
    for _ in range(3):
        again()
        work(world)
    assert len(rail.refunds) == 1
    assert "outcome_unknown" in [reason for reason, _ in cases()]


def test_a_refund_whose_bank_cannot_be_reached_is_made_later(world: World) -> None:
    rail = returning(world, Unavailable("down"), Unavailable("down"))
    row_id = stuck_deposit(world)
    give_back(row_id)
    for _ in range(3):
        again()
        work(world)
    assert (world.status(row_id), len(rail.moved)) == ("refunded", 1)


def test_a_refund_that_the_bank_refuses_waits_for_a_person(world: World) -> None:
    returning(world, Refused("the account is closed"))
    row_id = stuck_deposit(world)
    give_back(row_id)
    work(world)
    assert world.status(row_id) == "pending_anchor"
    assert world.row(row_id).is_resting
    assert ("refund_refused", parse_amount("100")) in cases()
    assert balances()["customer"] == -parse_amount("100")


def test_a_refused_refund_of_nobody_s_money_is_ordered_again_from_its_case(world: World) -> None:
    rail = returning(world, Refused("the account is closed"))
    observe("bank", [booked(reference="for my holidays")])
    [came] = desk.listing()
    refund_orders.begin(str(came.id), ME, Terms())
    work(world)
    assert [each.reason for each in desk.listing()] == ["receipt_unmatched", "refund_refused"]
    refused = desk.listing()[-1]
    assert set(desk.show(refused.id).acts) == {"close", "credit", "refund"}
    begun = refund_orders.begin(str(refused.id), ME, Terms())
    work(world)
    assert [told.key for told in rail.refunds][-1] == begun.key
    assert balances() == {}
    assert desk.show(refused.id).acts == ("close",)


def test_a_refund_that_the_bank_confirms_later_is_polled(world: World) -> None:
    rail = returning(world, Sent(reference="R1"))
    row_id = stuck_deposit(world)
    begun = give_back(row_id)
    work(world)
    assert world.status(row_id) == "pending_external"
    rail.poll_outgoing_transactions = lambda _batch: {begun.key: Done()}  # type: ignore[method-assign]
    passes.owe("poll_outgoing_transactions")
    sweeps.work_off(["poll_outgoing_transactions"])
    assert world.status(row_id) == "refunded"


def test_a_booking_that_the_bank_took_back_is_not_sent_back_too(world: World) -> None:
    rail = returning(world)
    row_id = stuck_deposit(world)
    give_back(row_id)
    observe("bank", [replace(booked(), is_reversed=True)])
    work(world)
    assert not hasattr(rail, "refunds")
    assert world.outflows(row_id)[0].state == "refused"
    with pytest.raises(Rejected, match="took"):
        give_back(row_id)


def test_a_rail_that_sends_nothing_back_says_so(world: World) -> None:
    world.app.extensions["anchor"].rails["bank"] = Teller("bank")
    row_id = stuck_deposit(world)
    with pytest.raises(Rejected, match="sends nothing back"):
        give_back(row_id)


def test_the_simulated_bank_pays_a_refund_to_who_paid(world: World) -> None:
    row_id = stuck_deposit(world)
    give_back(row_id)
    work(world)
    assert [each.account for each in world.bank.transfers.values()] == ["DE55"]
    assert world.status(row_id) == "refunded"


# -- credited by hand --------------------------------------------------------------------------


def test_money_without_a_name_is_credited_by_hand_and_paid_out(world: World) -> None:
    row_id = world.withdrawal("25")
    world.pay("25")
    world.read()
    [case] = desk.listing()
    crediting.credit(case.id, row_id, ME)
    world.work()
    assert world.status(row_id) == "completed"
    assert world.verdicts() == ["credited"]
    assert desk.show(case.id).closed_at is not None
    with pytest.raises(Rejected, match="is closed"):
        crediting.credit(case.id, row_id, ME)
    assert balances().get("suspense", 0) == 0


def test_a_booking_without_a_reference_is_credited_by_hand(world: World) -> None:
    row_id = deposit(world, destination=Keypair.random().public_key)
    observe("bank", [booked(reference="for my holidays")])
    [case] = desk.listing()
    crediting.credit(case.id, row_id, ME)
    assert (world.status(row_id), world.row(row_id).amount_received) == (
        "pending_anchor",
        parse_amount("100"),
    )


def test_late_money_is_credited_to_what_expired(world: World) -> None:
    row_id = world.withdrawal("25")
    happened(Happening(row_id, Event.EXPIRED, "deadline"))
    world.pay("25", world.memo(row_id))
    world.read()
    [case] = desk.listing()
    assert case.reason == "payment_late"
    crediting.credit(case.id, row_id, ME)
    world.work()
    assert world.status(row_id) == "completed"


def test_money_is_not_credited_where_it_does_not_belong(world: World) -> None:
    done = world.paid_withdrawal("30")
    world.work()
    world.pay("25")
    world.read()
    [case] = desk.listing()
    with pytest.raises(Rejected, match="takes no money any more"):
        crediting.credit(case.id, done, ME)
    other = deposit(world, asset="native", asset_code="native")
    with pytest.raises(Rejected, match="is about native"):
        crediting.credit(case.id, other, ME)
    refunds.begin(order(case.cause, "5"))
    with pytest.raises(Rejected, match="were sent back"):
        crediting.credit(case.id, world.withdrawal("25"), ME)


def test_promise_05_money_that_is_credited_at_this_moment_is_not_sent_back_too(
    world: World,
) -> None:
    row_id = world.withdrawal("25")
    world.pay("25")
    world.read()
    [case] = desk.listing()
    acts: list[Any] = [
        lambda: crediting.credit(case.id, row_id, ME),
        lambda: refunds.begin(order(case.cause)),
    ]
    in_parallel(world, *acts)
    until(lambda: work(world) or not open_refunds(), 30, "for the end")
    again()
    world.work()
    row = world.row(row_id)
    assert audits.look() == []
    assert row.amount_paid == 0 or row.amount_refunded == 0
    assert (row.status, row.amount_received > 0) in {
        ("completed", True),  # credited first, and paid out
        ("refunded", True),  # credited first, and sent back then
        ("pending_user_transfer_start", False),  # sent back first
    }


def test_what_the_bank_took_back_is_neither_released_nor_topped_up(world: World) -> None:
    row_id = stuck_deposit(world)
    observe("bank", [replace(booked(), is_reversed=True)])
    assert world.status(row_id) == "on_hold"
    with pytest.raises(Rejected, match="took 100 of"):
        desk.release(row_id, ME)
    observe("bank", [booked("B2")])
    case = desk.listing()[-1]
    assert case.reason == "receipt_second"
    with pytest.raises(Rejected, match="took 100 of"):
        crediting.credit(case.id, row_id, ME)
    desk.fail(row_id, ME)
    assert (world.status(row_id), world.row(row_id).message) == ("error", ME.note)


def test_nothing_fails_while_its_customer_s_money_is_with_us(world: World) -> None:
    row_id = on_hold(world)
    with pytest.raises(Rejected, match="100 of it are with us"):
        desk.fail(row_id, ME)
    unpaid = world.withdrawal()
    desk.fail(unpaid, By("ann"))
    assert world.status(unpaid) == "error"
    with pytest.raises(Rejected, match="and over"):
        desk.fail(unpaid, ME)


# -- helpers -----------------------------------------------------------------------------------


def again() -> None:
    with transaction():
        db.session.execute(db.text("UPDATE jobs SET due_at = now(), parked_at = NULL"))


def open_refunds() -> int:
    with transaction():
        query = db.text(
            "SELECT count(*) FROM outflows WHERE state IN ('prepared', 'sent', 'unknown')"
        )
        return int(db.session.execute(query).scalar_one())


def in_parallel(world: World, *acts: Any) -> tuple[list[Any], list[AnchorError]]:
    """Run eight hands at once, each with its own connection."""
    hands = list(acts) if len(acts) > 1 else [acts[0]] * 8
    results: list[Any] = []
    refusals: list[AnchorError] = []
    gate = threading.Barrier(len(hands))

    def run(act: Any) -> None:
        with world.app.app_context():
            gate.wait(10)
            try:
                results.append(act())
            except AnchorError as error:
                refusals.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results, refusals

"""What happens after the end: payouts that come back, refunds that come back, money owed again."""

from decimal import Decimal

import pytest

from anchor.errors import Rejected
from anchor.extensions import transaction
from anchor.integrations.protocols import Done, Outcome, Refused, Returned
from anchor.money import parse_amount
from anchor.services import desk, outcomes, outflows, refunds
from anchor.services.acts import By
from tests.puppets import Puppet
from tests.receiving import balances, cases
from tests.test_refunds import again, give_back, on_hold, returning, settle, stuck_deposit, work
from tests.world import World

ME = By("ann", "the bank's letter")


def paid(world: World) -> str:
    world.app.extensions["anchor"].rails["bank"] = Puppet("bank", script=[Done()])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.status(row_id) == "completed"
    return row_id


def told(world: World, row_id: str, outcome: Outcome, place: int = 0) -> None:
    outflow = world.outflows(row_id)[place]
    attempt = outflows.by_key("bank", outflow.key)
    assert attempt is not None
    outcomes.record(attempt, outcome)


def test_a_payout_that_comes_back_is_owed_again(world: World) -> None:
    row_id = paid(world)
    sent = world.outflows(row_id)[0].amount
    for _ in range(2):
        told(world, row_id, Returned("no such account"))
    row = world.row(row_id)
    assert (row.status, row.amount_paid) == ("completed", row.amount_received - sent)
    assert cases() == [("payout_returned", sent)]
    assert balances()["customer"] == -sent
    assert balances().get("bank", 0) == 0


def test_what_the_way_back_cost_is_our_loss(world: World) -> None:
    row_id = paid(world)
    sent = world.outflows(row_id)[0].amount
    fees = -balances()["fees"]
    told(world, row_id, Returned("no such account", Decimal("90")))
    assert balances()["customer"] == -sent
    assert -balances()["fees"] == fees - (sent - parse_amount("90"))


def test_what_came_back_is_refunded(world: World) -> None:
    row_id = paid(world)
    told(world, row_id, Returned("no such account"))
    [case] = desk.listing()
    assert desk.show(case.id).acts == ("close", "pay-again", "refund")
    sent = world.outflows(row_id)[0].amount
    with pytest.raises(Rejected, match="no more than"):
        give_back(row_id, "100")
    give_back(row_id)
    from tests.waiting import until

    until(lambda: work(world) or world.row(row_id).amount_refunded == sent, 30, "for the refund")
    row = world.row(row_id)
    assert (row.status, row.amount_paid + row.amount_refunded) == ("completed", row.amount_received)
    assert balances().get("customer", 0) == 0
    with pytest.raises(Rejected, match="nothing"):
        desk.pay_again(row_id, ME)


def test_what_came_back_is_paid_again_once(world: World) -> None:
    row_id = paid(world)
    told(world, row_id, Returned("no such account"))
    key = desk.pay_again(row_id, ME)
    with pytest.raises(Rejected, match="on its way"):
        desk.pay_again(row_id, ME)
    world.work()
    row = world.row(row_id)
    assert (row.status, row.amount_paid) == ("completed", row.amount_received)
    assert [each.key for each in world.outflows(row_id)][-1] == key
    assert "no_such_move" not in world.cases()
    assert balances().get("customer", 0) == 0


def test_what_is_paid_again_may_be_refused_and_come_back_again(world: World) -> None:
    row_id = paid(world)
    told(world, row_id, Returned("no such account"))
    puppet = world.app.extensions["anchor"].rails["bank"]
    puppet.script = [Refused("still no such account")]
    desk.pay_again(row_id, ME)
    world.work()
    assert world.cases() == ["payout_returned", "payout_refused"]
    desk.pay_again(row_id, ME)
    world.work()
    told(world, row_id, Returned("again"), place=2)
    assert world.row(row_id).amount_paid == world.outflows(row_id)[0].amount_fee


def test_nothing_is_paid_again_that_did_not_come_back(world: World) -> None:
    row_id = paid(world)
    with pytest.raises(Rejected, match="nothing"):
        desk.pay_again(row_id, ME)


def test_a_payout_under_way_that_comes_back_waits_for_a_person(world: World) -> None:
    from anchor.integrations.protocols import Sent

    world.app.extensions["anchor"].rails["bank"] = Puppet("bank", script=[Sent()])
    row_id = world.paid_withdrawal()
    world.work()
    told(world, row_id, Returned("no such account"))
    assert (world.status(row_id), world.cases()) == ("pending_anchor", ["payout_returned"])
    desk.release(row_id, ME)
    world.work()
    assert world.status(row_id) == "completed"


def test_a_refund_by_rail_that_comes_back_is_owed_again(world: World) -> None:
    rail = returning(world)
    row_id = stuck_deposit(world)
    give_back(row_id)
    work(world)
    told(world, row_id, Returned("the account is closed"))
    assert world.row(row_id).amount_refunded == 0
    assert balances()["customer"] == -parse_amount("100")
    assert ("refund_returned", parse_amount("100")) in cases()
    give_back(row_id)
    again()
    work(world)
    assert world.row(row_id).amount_refunded == parse_amount("100")
    assert len(rail.refunds) == 2


def test_a_refund_shows_in_sep_24(world: World) -> None:
    from dataclasses import replace

    from anchor.policies import RefundPolicy
    from tests.deposits import Bench

    Bench(world).serve(replace(world.policy, refund=RefundPolicy(fee=parse_amount("0.5"))))
    row_id = on_hold(world)
    give_back(row_id)
    settle(world, row_id)
    client = world.app.test_client()
    headers = world.log_in(client)
    answer = client.get("/sep24/transaction", query_string={"id": row_id}, headers=headers)
    shown = answer.json["transaction"]
    [payment] = shown["refunds"]["payments"]
    assert (shown["status"], shown["amount_in"]) == ("refunded", "100")
    assert {name: shown["refunds"][name] for name in ("amount_refunded", "amount_fee")} == {
        "amount_refunded": "99.5",
        "amount_fee": "0.5",
    }
    assert (payment["id_type"], payment["amount"], payment["fee"]) == ("stellar", "99.5", "0.5")
    assert len(payment["id"]) == 64
    assert refunds.of_transaction(row_id).left == 0
    with transaction():
        pass

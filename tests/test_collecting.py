"""Several payments to one transaction, where the asset's policy collects them."""

from dataclasses import replace
from typing import Any

import pytest

from anchor.integrations.protocols import Done, Held, RailTraits, Refused, Sent
from anchor.lifecycle import Event, Kind, Status
from anchor.sandbox.ground import CODE
from anchor.services import passes
from anchor.services.transactions import Happening, happened
from tests.puppets import puppet
from tests.world import World


@pytest.fixture(autouse=True)
def collecting(world: World) -> None:
    found = world.app.extensions["anchor"]
    policy = replace(world.policy, matching="collect")
    world.app.extensions["anchor"] = replace(
        found, settings=replace(found.settings, assets={CODE: policy})
    )


def pay(world: World, row_id: str, amount: str) -> None:
    world.pay(amount, world.memo(row_id))
    world.read()
    passes.owe("execute_outgoing_transactions")
    world.work()


@pytest.mark.parametrize(
    ("kind", "status", "after"),
    [
        (Kind.WITHDRAWAL, Status.PENDING_USER_TRANSFER_START, "pending_user_transfer_start"),
        (Kind.WITHDRAWAL, Status.PENDING_ANCHOR, "pending_anchor"),
        (Kind.SEND, Status.PENDING_SENDER, "pending_sender"),
        (Kind.SEND, Status.PENDING_RECEIVER, "pending_receiver"),
    ],
)
def test_promise_04_a_part_is_credited_and_not_paid_out_until_the_rest_is_there(
    world: World, kind: Kind, status: Status, after: str
) -> None:
    row_id = world.of_kind(kind, status)
    pay(world, row_id, "40")
    assert (world.status(row_id), world.row(row_id).amount_received) == (after, 40_0000000)
    assert world.paid_by_bank() == 0
    pay(world, row_id, "60")
    assert world.status(row_id) == "completed"
    assert world.row(row_id).amount_paid == 100_0000000
    assert world.paid_by_bank() == 1


def test_promise_03_what_comes_after_enough_is_for_the_desk(world: World) -> None:
    puppet(world, script=[Sent("R1")])
    row_id = world.of_kind(Kind.WITHDRAWAL, Status.PENDING_USER_TRANSFER_START, amount=None)
    pay(world, row_id, "40")
    pay(world, row_id, "60")
    assert world.verdicts() == ["credited", "second"]
    assert world.cases() == ["payment_second"]
    assert world.row(row_id).amount_received == 40_0000000


@pytest.mark.parametrize("outcome", [Held("sanctions"), Refused("no such account")])
def test_promise_14_what_rests_is_not_paid_out_because_more_money_came(
    world: World, outcome: Any
) -> None:
    rail = puppet(world, RailTraits(), script=[outcome, Done()])
    row_id = world.of_kind(Kind.SEND, Status.PENDING_SENDER)
    pay(world, row_id, "100")
    happened(Happening(row_id, None, "a later receipt", received=1))
    pay(world, row_id, "1")
    assert rail.calls == [f"{row_id}-1"]
    happened(Happening(row_id, Event.RELEASED, "an operator"))
    passes.owe("execute_outgoing_transactions")
    world.work()
    assert rail.calls == [f"{row_id}-1", f"{row_id}-2"]

"""What nobody knows the outcome of is not paid twice, however often it is looked at."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from anchor.errors import Unavailable
from anchor.integrations.protocols import Done, RailTraits, Unknown
from tests.puppets import LOOKS_UP, age, due_now, puppet
from tests.world import World

FOR_AN_HOUR = RailTraits(idempotent_for=timedelta(hours=1))
MINUTE = 60


def test_promise_07_a_key_ages_from_its_first_call_and_not_from_the_latest(world: World) -> None:
    script: list[Any] = ["take and fall over", Unknown("500"), Unknown("500"), Done()]
    rail = puppet(world, FOR_AN_HOUR, script=script)
    row_id = world.paid_withdrawal()
    world.work()
    for _ in range(3):
        age(50 * MINUTE)
        due_now()
        world.work()
    assert rail.calls == [f"{row_id}-1"] * 2
    assert world.cases() == ["outcome_unknown"]


def test_promise_07_a_rail_that_was_not_reached_again_has_not_forgotten_the_first_call(
    world: World,
) -> None:
    rail = puppet(world, FOR_AN_HOUR, script=["take and fall over", Unavailable("down"), Done()])
    row_id = world.paid_withdrawal()
    world.work()
    due_now()
    world.work()
    age(120 * MINUTE)
    due_now()
    world.work()
    assert rail.calls == [f"{row_id}-1"] * 2
    assert rail.moved == {f"{row_id}-1": 1}
    assert world.cases() == ["outcome_unknown"]


def test_a_rail_that_was_never_reached_is_asked_for_as_long_as_it_takes(world: World) -> None:
    rail = puppet(world, RailTraits(), script=[Unavailable("down")] * 3)
    row_id = world.paid_withdrawal()
    for _ in range(4):
        world.work()
        age(120 * MINUTE)
        due_now()
    assert rail.calls == [f"{row_id}-1"] * 4
    assert world.status(row_id) == "completed"


@pytest.mark.parametrize("answer", [None, "ok", {"status": "done"}])
def test_promise_07_an_answer_that_is_no_outcome_is_unknown_and_looked_up(
    world: World, answer: Any
) -> None:
    rail = puppet(world, LOOKS_UP)
    ordinary = rail.execute_outgoing_transaction

    def odd(transaction: Any) -> Any:
        ordinary(transaction)
        return answer

    rail.execute_outgoing_transaction = odd  # type: ignore[method-assign]
    row_id = world.paid_withdrawal()
    world.work()
    assert world.outflows(row_id)[0].state == "unknown"
    due_now()
    world.work()
    assert rail.moved == {f"{row_id}-1": 1}
    assert world.status(row_id) == "completed"


@pytest.mark.parametrize(
    "done",
    [
        Done(delivered_amount=Decimal("98.500000001")),
        Done(delivered_amount=Decimal("NaN")),
        Done(delivered_amount="98.5"),  # type: ignore[arg-type]
        Done(reference="R\0" + "1" * 5000),
    ],
)
def test_promise_06_what_is_done_is_recorded_whatever_is_odd_about_it(
    world: World, done: Done
) -> None:
    puppet(world, script=[done])
    row_id = world.paid_withdrawal()
    world.work()
    assert world.status(row_id) == "completed"
    assert world.outflows(row_id)[0].state == "done"
    assert "job_parked" not in world.cases()

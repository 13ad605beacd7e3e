"""Acts of operators beside the hands of workers and of others: in one order, and as offered."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from anchor.errors import Rejected
from anchor.extensions import transaction
from anchor.integrations.protocols import RailTraits
from anchor.money import parse_amount
from anchor.services import attesting, brakes, crediting, desk, refund_orders, refunds, sweeps
from anchor.services.acts import By
from anchor.services.cases import open_case
from anchor.services.refund_orders import Terms
from anchor.services.transactions import PAY_ON_LEDGER
from tests.deposits import Bench
from tests.puppets import puppet
from tests.test_acts import kept, unmatched
from tests.test_after_the_end import paid
from tests.test_refunds import again, on_hold
from tests.waiting import until
from tests.world import World

ANN = By("ann", "asked them")
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Meanwhile:
    """Somebody else's transaction of the database, and an act that has to wait for it."""

    def __init__(self, world: World, pool: ThreadPoolExecutor, other: Any, looking: Any) -> None:
        self._world, self._pool, self.other, self._looking = world, pool, other, looking

    def begin(self, act: Any) -> Future[Any]:
        """Begin an act, which waits."""

        def run() -> Any:
            with self._world.app.app_context():
                return act()

        found = self._pool.submit(run)
        until(lambda: self._looking.execute(_WAITING).fetchone() == (1,))
        return found


@contextmanager
def meanwhile(world: World) -> Iterator[Meanwhile]:
    url = world.settings.database_url.replace("+psycopg", "")
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(url, autocommit=True) as looking,
        psycopg.connect(url) as other,
    ):
        yield Meanwhile(world, pool, other, looking)


def test_taking_a_refund_back_locks_its_transaction_before_it(world: World) -> None:
    """So does the custodian's worker that carries it out; the other way round is a deadlock."""
    brakes.pause("all", "", "ann", None)
    key = refund_orders.begin(on_hold(world), ANN, Terms()).key
    with meanwhile(world) as there:
        there.other.execute("SELECT 1 FROM transactions FOR UPDATE")
        found = there.begin(lambda: refund_orders.cancel(key, ANN))
        there.other.execute("SELECT 1 FROM outflows FOR UPDATE NOWAIT")
        there.other.rollback()
        found.result(10)
    assert [what for what, _ in kept()][-2:] == ["refund", "cancel refund"]


def test_a_refund_that_somebody_carries_at_this_moment_is_not_waited_for(world: World) -> None:
    """What a rail said of it is written with its row locked before its transaction's."""
    brakes.pause("all", "", "ann", None)
    key = refund_orders.begin(on_hold(world), ANN, Terms()).key
    with meanwhile(world) as there:
        there.other.execute("SELECT 1 FROM outflows FOR UPDATE")
        with pytest.raises(Rejected, match="at this moment"):
            refund_orders.cancel(key, ANN)
    refund_orders.cancel(key, ANN)


def test_crediting_locks_the_case_after_the_money(world: World) -> None:
    """So does a refund of it; the other way round is a deadlock."""
    case_id, row_id = unmatched(world), world.withdrawal("25")
    with meanwhile(world) as there:
        there.other.execute("SELECT 1 FROM payments FOR UPDATE")
        found = there.begin(lambda: crediting.credit(case_id, row_id, ANN))
        there.other.execute("SELECT 1 FROM cases FOR UPDATE NOWAIT")
        there.other.rollback()
        found.result(10)
    assert world.status(row_id) == "pending_anchor"


def test_a_look_at_a_case_waits_for_nobody(world: World) -> None:
    case_id = unmatched(world)
    with meanwhile(world) as there:
        there.other.execute("SELECT 1 FROM cases FOR UPDATE")
        with ThreadPoolExecutor(1) as pool:

            def look() -> Any:
                with world.app.app_context():
                    return desk.show(case_id)

            try:
                assert pool.submit(look).result(5).id == case_id
            finally:
                there.other.rollback()


def test_promise_07_an_order_that_ended_meanwhile_is_settled_by_nobody(world: World) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    row_id = world.paid_withdrawal()
    for _ in range(3):
        again()
        world.work()
    with meanwhile(world) as there:
        there.other.execute(
            "UPDATE outflows SET state = 'done', settled_at = now() WHERE state = 'unknown'"
        )
        found = there.begin(lambda: attesting.settle(f"{row_id}-1", ANN, is_paid=False))
        there.other.commit()
        with pytest.raises(Rejected, match="is done: there is nothing to settle"):
            found.result(10)
    assert (kept(), world.cases()) == ([], ["outcome_unknown"])


# -- what is offered is what is done -----------------------------------------------------------


def test_what_would_be_refused_is_not_offered(world: World) -> None:
    """Of money that was sent back in part nothing is credited; what was paid out is not sent."""
    brakes.pause("all", "", "ann", None)
    case_id, row_id = unmatched(world), world.withdrawal("25")
    assert {"credit", "refund"} <= set(desk.show(case_id).acts)
    refund_orders.begin(str(case_id), ANN, Terms(parse_amount("5")))
    acts = set(desk.show(case_id).acts)
    assert ("credit" in acts, "refund" in acts) == (False, True)
    with pytest.raises(Rejected, match="were sent back"):
        crediting.credit(case_id, row_id, ANN)


def test_money_that_was_paid_out_is_not_offered_to_be_sent_back(world: World) -> None:
    row_id = paid(world)
    cause = refunds.of_transaction(row_id).cause
    with transaction():
        open_case("payment_late", cause)
    case = desk.listing()[-1]
    assert desk.show(case.id).acts == ("close",)
    with pytest.raises(Rejected, match="no more than 0"):
        refund_orders.begin(str(case.id), ANN, Terms())


def test_what_waits_in_a_queue_is_offered_to_be_held_or_sent_back(world: World) -> None:
    """Nobody outside has heard of it: either takes it out of the queue first."""
    bench = Bench(world)
    row_id = bench.deposit(bench.account().public_key)
    sweeps.work_off([PAY_ON_LEDGER])
    assert [each.state for each in world.outflows(row_id)] == ["prepared"]
    assert {"hold", "refund"} <= set(desk.acts_of(row_id))
    assert "release" not in desk.acts_of(row_id)
    desk.hold(row_id, ANN)
    assert world.status(row_id) == "on_hold"
    assert [each.state for each in world.outflows(row_id)] == ["refused"]


def test_promise_05_what_one_case_says_was_answered_moves_by_no_other(
    world: World,
) -> None:
    brakes.pause("all", "", "ann", None)
    case_id = unmatched(world)
    key = refund_orders.begin(str(case_id), ANN, Terms()).key
    refund_orders.cancel(key, ANN)
    [refused] = desk.listing(reason="refund_refused")
    desk.close(case_id, By("vic", "I sent it by hand"))
    with pytest.raises(Rejected, match="closed as answered otherwise"):
        refund_orders.begin(str(refused.id), ANN, Terms())
    with pytest.raises(Rejected, match="closed as answered otherwise"):
        crediting.credit(refused.id, world.withdrawal("25"), ANN)

"""Sweeps over a lot of work: nothing is left out, and no lane floods the queue."""

from typing import Any

import pytest
from sqlalchemy import event, text

from anchor.extensions import db, transaction
from anchor.services import jobs, passes, payments, sweeps
from anchor.services.transactions import PAY_OUT
from tests.puppets import due_now, puppet
from tests.world import World

PAYOUTS = "execute_outgoing_transactions"


def many_ready(world: World, count: int) -> None:
    """Copy a paid withdrawal many times, without jobs."""
    row_id = world.paid_withdrawal()
    with transaction():
        db.session.execute(text("DELETE FROM jobs"))
        names = db.session.scalars(
            text(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
                " WHERE table_name = 'transactions' AND column_name <> 'id'"
            )
        ).one()
        db.session.execute(
            text(
                f"INSERT INTO transactions (id, {names}) SELECT 'copy-' || n, {names}"
                " FROM transactions, generate_series(1, :count) n WHERE id = :id"
            ),
            {"count": count, "id": row_id},
        )


def test_promise_10_a_backlog_beyond_the_limit_of_parameters_is_owed_in_one_pass(
    world: World,
) -> None:
    many_ready(world, 30_000)
    assert passes.owe(PAYOUTS) == ["bank"]
    with transaction():
        assert db.session.scalar(text("SELECT count(*) FROM jobs")) == 30_001


def test_what_is_owed_is_chosen_whole_before_the_first_of_it_is_written(world: World) -> None:
    """Else each row may look at all those that the statement wrote before, whatever the plan."""
    asked: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("INSERT INTO jobs") and "transactions" in statement:
            asked.append((statement, values))

    many_ready(world, 10)
    event.listen(db.engine, "before_cursor_execute", note)
    passes.owe(PAYOUTS)
    event.remove(db.engine, "before_cursor_execute", note)
    with transaction():
        for statement, values in asked:
            told = db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", values)
            plan = "\n".join(line for (line,) in told)
            assert "Aggregate" in plan.partition("transactions")[0], plan
    assert asked


def test_a_lane_is_rung_for_as_many_jobs_as_may_run_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[Any] = []
    monkeypatch.setattr(jobs, "ring", rung.extend)
    ceiling = puppet(world).traits.max_in_flight
    many_ready(world, 50)
    passes.owe(PAYOUTS)
    with transaction():
        db.session.execute(text("UPDATE jobs SET rung_at = NULL"))
    rung.clear()
    assert sweeps.ring_due([PAY_OUT]) == ceiling
    assert len(rung) == ceiling
    first = rung[0]
    rung.clear()
    assert jobs.run(first) is jobs.Ran.DONE
    assert len(rung) == 1


def test_promise_01_a_repair_that_fails_is_tried_again_and_stops_no_later_payment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [world.withdrawal(), world.withdrawal()]
    with monkeypatch.context() as patched:
        patched.setattr(payments, "judge", lambda *_: 1 / 0)
        for row in rows:
            world.pay("100", world.memo(row))
            world.read()
            passes.owe("work")
            assert passes.work_off("work", payments.REPAIR).postponed == 1
            due_now()
    assert world.verdicts() == ["unjudged", "unjudged"]
    with transaction():
        db.session.execute(text("DELETE FROM jobs"))
    passes.owe("work")
    assert passes.work_off("work", payments.REPAIR).done == 1
    assert world.verdicts() == ["credited", "credited"]

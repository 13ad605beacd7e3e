"""What is measured is what the rows say, on every process, and it costs little."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from anchor import create_app
from anchor.cli import group
from anchor.extensions import db, transaction
from anchor.integrations.protocols import RailTraits
from anchor.lifecycle import FINAL, Kind, Status
from anchor.money import parse_amount
from anchor.serializers import metrics
from anchor.services import brakes, measures, networks
from anchor.services.measures import Pile
from anchor.services.transactions import PAY_OUT
from tests.puppets import puppet
from tests.test_expiry import sql
from tests.world import World, dispose

Samples = dict[tuple[str, ...], float]


def look(world: World) -> dict[str, Samples]:
    """Return what is written, by metric and the values of its labels in order of their names."""
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(metrics.written(measures.look())):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_an_anchor_at_rest_says_what_runs_and_that_nothing_waits(world: World) -> None:
    found = look(world)
    [(schema, version)] = found["anchor_build_info"]
    assert schema >= "0021"
    assert version.count(".") == 2
    assert found["anchor_callbacks_waiting"] == {(): 0}
    assert found["anchor_callbacks_waiting_oldest_seconds"] == {(): 0}
    for name in ("anchor_transactions_open", "anchor_cases_open", "anchor_jobs", "anchor_paused"):
        assert name not in found


def test_transactions_are_counted_until_they_are_over(world: World) -> None:
    for status in (Status.PENDING_ANCHOR, Status.PENDING_ANCHOR, *FINAL, Status.EXPIRED):
        world.of_kind(Kind.WITHDRAWAL, status)
    waits = world.of_kind(Kind.DEPOSIT, Status.PENDING_TRUST)
    sql(f"UPDATE transactions SET updated_at = now() - interval '1 hour' WHERE id = '{waits}'")
    found = look(world)
    assert found["anchor_transactions_open"] == {
        ("withdrawal", "pending_anchor"): 2,
        ("deposit", "pending_trust"): 1,
    }
    unmoved = found["anchor_transactions_open_unmoved_seconds"]
    assert unmoved["deposit", "pending_trust"] == pytest.approx(3600, abs=60)
    assert unmoved["withdrawal", "pending_anchor"] < 60


def test_cases_are_counted_by_their_reason_until_they_are_closed(world: World) -> None:
    sql(
        "INSERT INTO cases (reason, cause, opened_at, closed_at) VALUES "
        "('books_differ', 'a', now() - interval '2 days', NULL), "
        "('books_differ', 'b', now(), NULL), "
        "('job_parked', 'c', now(), now())"
    )
    found = look(world)
    assert found["anchor_cases_open"] == {("books_differ",): 2}
    oldest = found["anchor_cases_open_oldest_seconds"]["books_differ",]
    assert oldest == pytest.approx(2 * 86400, abs=60)


@pytest.mark.parametrize(
    ("columns", "state", "oldest"),
    [
        ("due_at = now() - interval '20 minutes'", "due", "anchor_jobs_due_oldest_seconds"),
        ("due_at = now() + interval '20 minutes'", "waiting", None),
        ("leased_until = now() + interval '1 minute'", "leased", None),
        (
            "leased_until = now() - interval '1 s', due_at = now() - interval '20 minutes'",
            "due",
            "anchor_jobs_due_oldest_seconds",
        ),
        (
            "parked_at = now() - interval '20 minutes'",
            "parked",
            "anchor_jobs_parked_oldest_seconds",
        ),
    ],
)
def test_a_job_is_counted_once_as_it_stands(
    world: World, columns: str, state: str, oldest: str | None
) -> None:
    world.paid_withdrawal()
    sql(f"UPDATE jobs SET {columns}")
    found = look(world)
    assert found["anchor_jobs"] == {(PAY_OUT, state): 1}
    ages = {name: each for name, each in found.items() if name.startswith("anchor_jobs_")}
    assert set(ages) == ({oldest} if oldest else set())
    if oldest is not None:
        assert ages[oldest][PAY_OUT,] == pytest.approx(1200, abs=60)


def test_an_unknown_outflow_is_as_old_as_its_first_call(world: World) -> None:
    puppet(world, RailTraits(), script=["take and fall over"])
    world.paid_withdrawal()
    world.work()
    sql("UPDATE outflows SET first_called_at = now() - interval '11 minutes', called_at = now()")
    found = look(world)
    assert found["anchor_outflows_open"] == {("payout", "unknown"): 1}
    oldest = found["anchor_outflows_open_oldest_seconds"]["payout", "unknown"]
    assert oldest == pytest.approx(660, abs=60)


def test_an_outflow_that_is_done_is_counted_no_more(world: World) -> None:
    world.paid_withdrawal()
    world.work()
    world.work()
    sql("UPDATE outflows SET state = 'done'")
    assert "anchor_outflows_open" not in look(world)


def test_callbacks_wait_until_they_are_delivered(world: World) -> None:
    sql(
        "INSERT INTO callbacks (subject, host, url, owed_at, delivered_at) VALUES "
        "('transaction/x', 'h', 'u', now() - interval '1 hour', NULL),"
        "('transaction/x', 'h', 'u', now() - interval '2 hours', now())"
    )
    found = look(world)
    assert found["anchor_callbacks_waiting"] == {(): 1}
    assert found["anchor_callbacks_waiting_oldest_seconds"][()] == pytest.approx(3600, abs=60)


def test_a_callback_that_was_given_up_waits_no_more(world: World) -> None:
    sql(
        "INSERT INTO callbacks (subject, host, url, owed_at) VALUES "
        "('transaction/x', 'h', 'u', now() - interval '4 days'),"
        "('transaction/x', 'i', 'u', now() - interval '1 hour')"
    )
    sql(
        "INSERT INTO jobs (kind, subject_id, lane, token, attempts, again, parked_at) VALUES "
        "('callback', 'transaction/x h', 'callback h', 0, 1, false, now()),"
        "('callback', 'transaction/x i', 'callback i', 0, 1, false, NULL)"
    )
    found = look(world)
    assert found["anchor_callbacks_waiting"] == {(): 1}
    assert found["anchor_callbacks_waiting_oldest_seconds"][()] == pytest.approx(3600, abs=60)


def test_an_account_is_followed_while_somebody_reads_it(world: World) -> None:
    account = (world.distribution,)
    assert look(world)["anchor_account_followed"] == {account: 0}
    assert networks.lease(networks.watched()[0].id) is not None
    sql("UPDATE accounts SET read_until = now() - interval '5 minutes'")
    found = look(world)
    assert found["anchor_account_followed"] == {account: 1}
    assert found["anchor_account_read_age_seconds"][account] == pytest.approx(300, abs=60)
    sql("UPDATE accounts SET stopped_reason = 'the network was reset'")
    assert look(world)["anchor_account_followed"] == {account: 0}


def test_an_account_that_nobody_could_begin_with_is_not_followed(world: World) -> None:
    sql("DELETE FROM accounts")
    found = look(world)
    assert found["anchor_account_followed"] == {(world.distribution,): 0}
    assert "anchor_account_read_age_seconds" not in found


def test_a_rail_that_is_asked_has_the_age_of_its_last_good_poll(world: World) -> None:
    puppet(world, RailTraits())
    sql("INSERT INTO rail_readings (rail, polled_at) VALUES ('bank', now() - interval '1 minute')")
    assert "anchor_rail_polled_age_seconds" not in look(world)
    world.deposit()
    found = look(world)["anchor_rail_polled_age_seconds"]
    assert found == {("bank",): pytest.approx(60, abs=30)}


def test_a_rail_that_was_never_polled_well_is_as_old_as_can_be(world: World) -> None:
    world.deposit()
    assert look(world)["anchor_rail_polled_age_seconds"] == {("bank",): math.inf}


def test_a_tick_has_an_age_once_there_was_one(world: World) -> None:
    with rung(world):
        assert "anchor_schedule_tick_age_seconds" not in look(world)
        sql(
            "INSERT INTO ticks (service, minute) VALUES ('work', now() - interval '3 minutes'), "
            "('work', now() - interval '2 minutes')"
        )
        found = look(world)
    assert found["anchor_schedule_tick_age_seconds"] == {("work",): pytest.approx(120, abs=30)}


def test_what_no_scheduler_rings_any_more_has_no_tick(world: World) -> None:
    sql(
        "INSERT INTO ticks (service, minute) VALUES ('reconcile', now() - interval '9 days'), "
        "('work', now() - interval '9 days'), ('a_service_of_old', now() - interval '9 days')"
    )
    with rung(world, reconcile="off"):
        assert set(look(world)["anchor_schedule_tick_age_seconds"]) == {("work",)}
    with rung(world, broker_url=None):  # the services run in loops
        assert "anchor_schedule_tick_age_seconds" not in look(world)


@contextmanager
def rung(
    world: World, broker_url: str | None = "redis://localhost:1/0", **schedule: str
) -> Iterator[None]:
    """Have a scheduler ring the services, as far as settings go."""
    app = create_app(replace(world.settings, broker_url=broker_url, schedule=schedule))
    with app.app_context():
        yield
    dispose(app)


def test_pauses_and_what_is_used_of_a_cap_are_told(world: World) -> None:
    policy = replace(world.policy, outflow_cap=parse_amount("250.5"))
    app = create_app(replace(world.settings, assets={policy.code: policy}))
    with app.app_context():
        brakes.pause("kind", "withdrawal", "ada", "a drill of mine")
        asset = (policy.id,)
        assert look(world)["anchor_outflow_cap_used"] == {asset: 0}
        row_id = world.withdrawal()
        sql(
            "INSERT INTO outflows (transaction_id, kind, attempt, key, rail, state, asset, amount,"
            f" amount_fee, calls, called_at) VALUES ('{row_id}', 'payout', 1, 'k', 'bank', 'sent',"
            f" '{policy.id}', 100.25 * 10000000, 0, 1, now())"
        )
        found = look(world)
    assert found["anchor_paused"] == {("kind", "withdrawal"): 1}
    assert found["anchor_outflow_cap"] == {asset: 250.5}
    assert found["anchor_outflow_cap_used"] == {asset: 100.25}
    dispose(app)


def test_each_sort_is_told_with_its_count_and_its_oldest(world: World) -> None:
    world.of_kind(Kind.SEND, Status.PENDING_SENDER)
    [pile] = measures.look().transactions
    assert isinstance(pile, Pile)
    assert (pile.sort, pile.count) == (("send", "pending_sender"), 1)


def test_the_command_prints_what_the_door_says(world: World) -> None:
    world.of_kind(Kind.SEND, Status.PENDING_SENDER)
    done = world.app.test_cli_runner().invoke(group, ["metrics"])
    assert done.exit_code == 0
    assert 'anchor_transactions_open{kind="send",status="pending_sender"} 1.0' in done.output


def test_transactions_that_are_over_are_not_read(world: World) -> None:
    """With many rows a look reads the index of those that are not over, and no table."""
    row_id = world.of_kind(Kind.WITHDRAWAL, Status.COMPLETED)
    with transaction():
        columns = _columns("transactions", "id", "reference")
        db.session.execute(
            text(
                f"INSERT INTO transactions (id, {columns}) SELECT 'many' || n, {columns} "
                f"FROM transactions, generate_series(1, 20000) n WHERE id = '{row_id}'"
            )
        )
    sql("ANALYZE transactions")
    with transaction():
        plan = "\n".join(
            db.session.scalars(
                text(
                    "EXPLAIN SELECT kind, status, count(*), min(updated_at) FROM transactions "
                    "WHERE status NOT IN ('completed', 'refunded', 'expired', 'error') "
                    "GROUP BY kind, status"
                )
            )
        )
    assert "ix_transactions_not_over" in plan


def _columns(table: str, *without: str) -> str:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = :table"
    names: Any = db.session.scalars(text(query), {"table": table})
    return ", ".join(f'"{name}"' for name in names if name not in without)

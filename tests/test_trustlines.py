"""Many deposits that wait for trust: few requests, and each is looked at in its turn."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import literal

from anchor.errors import Unavailable
from anchor.extensions import gateway
from anchor.services import budgets, sweeps, trustlines
from anchor.services.deposit_payments import PAY_ON_LEDGER
from anchor.services.transactions import CHECK_TRUST
from tests.deposits import Bench
from tests.world import World


@pytest.fixture
def bench(world: World, monkeypatch: pytest.MonkeyPatch) -> Bench:
    minute(monkeypatch, 0)
    return Bench(world)


@pytest.fixture
def asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that Horizon is asked for."""
    paths: list[str] = []
    fetch = gateway()._fetch  # type: ignore[attr-defined]

    def note(path: str, *args: Any) -> Any:
        paths.append(path)
        return fetch(path, *args)

    monkeypatch.setattr(gateway(), "_fetch", note)
    return paths


def minute(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let it be a certain minute for the budget."""
    instant = datetime(2026, 1, 1, 0, number, tzinfo=UTC)
    monkeypatch.setattr(budgets, "_MINUTE", literal(instant))


def allow(bench: Bench, per_minute: int) -> None:
    house = bench.world.app.extensions["anchor"]
    settings = replace(house.settings, trust_requests_per_minute=per_minute)
    bench.world.app.extensions["anchor"] = replace(house, settings=settings)


def waiting(bench: Bench, *destinations: str) -> list[str]:
    """Deposits that wait for trust, all of them due, the first for the longest."""
    rows = [bench.deposit(each) for each in destinations]
    sweeps.work_off([PAY_ON_LEDGER])
    for place, row_id in enumerate(rows):
        assert bench.world.status(row_id) == "pending_trust"
        bench.sql(
            "UPDATE jobs SET due_at = now() - make_interval(mins => :ago) WHERE subject_id = :id",
            ago=len(rows) - place,
            id=row_id,
        )
    return rows


def attempts(bench: Bench, rows: list[str]) -> list[int]:
    found = dict(bench.sql("SELECT subject_id, attempts FROM jobs WHERE kind = :k", k=CHECK_TRUST))
    return [found.get(row_id, 0) for row_id in rows]


def test_an_account_is_asked_once_for_all_its_deposits(bench: Bench, asked: list[str]) -> None:
    keys = bench.account(trusts=False)
    rows = waiting(bench, *[keys.public_key] * 4)
    bench.trust(keys)
    asked.clear()
    sweeps.work_off([CHECK_TRUST])
    assert asked == [f"/accounts/{keys.public_key}"]
    assert {bench.world.status(row_id) for row_id in rows} == {"pending_anchor"}


def test_looks_keep_to_the_budget_of_a_minute_the_longest_due_first(
    bench: Bench, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(bench, 3)
    rows = waiting(bench, *(bench.account(trusts=False).public_key for _ in range(8)))
    before = bench.sql("SELECT due_at FROM jobs WHERE subject_id = :id", id=rows[3])
    asked.clear()
    for _ in range(3):
        sweeps.work_off([CHECK_TRUST])
    assert len(asked) == 3
    assert attempts(bench, rows) == [1, 1, 1, 0, 0, 0, 0, 0]
    assert bench.sql("SELECT due_at FROM jobs WHERE subject_id = :id", id=rows[3]) == before
    minute(monkeypatch, 1)
    sweeps.work_off([CHECK_TRUST])
    assert attempts(bench, rows) == [1, 1, 1, 1, 1, 1, 0, 0]


def test_a_budget_that_is_used_up_keeps_no_payment(bench: Bench) -> None:
    allow(bench, 1)
    waiting(bench, *(bench.account(trusts=False).public_key for _ in range(3)))
    sweeps.work_off([CHECK_TRUST])
    row_id = bench.deposit(bench.account().public_key)
    bench.wait(row_id)


def test_where_many_wait_the_holders_of_the_asset_are_read(bench: Bench, asked: list[str]) -> None:
    keys = [bench.account(trusts=False) for _ in range(12)]
    rows = waiting(bench, *(each.public_key for each in keys))
    for each in keys[:2]:
        bench.trust(each)
    asked.clear()
    sweeps.work_off([CHECK_TRUST])
    assert asked == ["/assets", "/accounts"]
    assert [bench.world.status(row_id) for row_id in rows[:3]] == [
        "pending_anchor",
        "pending_anchor",
        "pending_trust",
    ]
    assert attempts(bench, rows[2:]) == [1] * 10


def test_a_list_that_ends_with_the_budget_tells_about_whom_it_showed(
    bench: Bench, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(bench, 2)
    monkeypatch.setattr(trustlines, "_PAGE", 1)
    keys = sorted((bench.account(trusts=False) for _ in range(10)), key=lambda k: k.public_key)
    rows = waiting(bench, *(each.public_key for each in keys))
    for each in (keys[2], keys[6]):
        bench.trust(each)
    asked.clear()
    sweeps.work_off([CHECK_TRUST])
    assert asked == ["/assets", "/accounts"]
    ids, holders = [each.public_key for each in keys], {keys[2].public_key, keys[6].public_key}
    shown = min(holders | {bench.world.distribution})
    looked_at = [int(each <= shown and each not in holders) for each in ids]
    assert attempts(bench, rows) == looked_at
    moved = [row_id for row_id in rows if bench.world.status(row_id) == "pending_anchor"]
    assert len(moved) == sum(each <= shown for each in holders)


@pytest.mark.parametrize("which", ["holders", "accounts_with"])
def test_without_the_list_the_accounts_are_asked_one_by_one(
    bench: Bench, asked: list[str], monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    def refuse(*_args: Any) -> Any:
        raise Unavailable("this source has no such door")

    monkeypatch.setattr(gateway(), which, refuse)
    rows = waiting(bench, *(bench.account(trusts=False).public_key for _ in range(10)))
    asked.clear()
    sweeps.work_off([CHECK_TRUST])
    assert len([path for path in asked if path.startswith("/accounts/")]) == 10
    assert attempts(bench, rows) == [1] * 10


def test_processes_share_the_budget(bench: Bench) -> None:
    assert budgets.take("x", 3, 5) == 3
    assert budgets.left("x", 5) == 2
    assert budgets.take("x", 3, 5) == 2
    assert budgets.take("x", 3, 5) == 0
    assert budgets.take("y", 3, 5) == 3

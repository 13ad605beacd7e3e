"""The chaos journey in short, on servers of its own; ``scripts/chaos`` runs it for longer."""

from pathlib import Path

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.plan import STORIES, plan
from tests.chaos.run import journey

SEED = 20_261_125


def test_a_seed_makes_the_same_plan_again() -> None:
    kinds = sorted(KINDS)
    assert plan(SEED, 60, 100, kinds) == plan(SEED, 60, 100, kinds)
    assert plan(SEED, 60, 100, kinds) != plan(SEED + 1, 60, 100, kinds)


def test_every_plan_has_every_story_and_every_fault() -> None:
    for seed in range(20):
        made = plan(seed, 45, 200, sorted(KINDS))
        assert {order.story for order in made.orders} == set(STORIES)
        assert {strike.kind for strike in made.strikes} == set(KINDS)
        assert len({order.cents for order in made.orders}) == len(made.orders)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_books_agree_to_the_last_stroop_after_everything_has_failed(tmp_path: Path) -> None:
    report = journey(tmp_path, SEED, 45, 200, print)
    assert report.problems == [], str(report)
    assert {kind: report.faults[kind] for kind in KINDS if not report.faults[kind]} == {}

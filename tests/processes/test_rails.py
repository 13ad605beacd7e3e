"""A rail that hangs is alone with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor.sandbox.ground import CODE
from tests.installing import install_example_rail
from tests.processes.stage import FLASK, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAP_S = 25


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """An anchor with two rails: the bank, and a pigeon that rests for long."""
    target = install_example_rail(tmp_path)
    with staged(tmp_path, PYTHONPATH=str(target)) as made:
        file = made.data / "anchor.toml"
        text = file.read_text().replace('rails = ["bank"]', 'rails = ["bank", "pigeon"]')
        file.write_text(f"{text}\n[rails.pigeon]\nnaps_s = {NAP_S}\n")
        made.web()
        yield made


@pytest.mark.parametrize("with_workers", [True, False])
def test_promise_12_a_rail_that_hangs_leaves_the_others_at_their_speed(
    stage: Stage, with_workers: bool
) -> None:
    wallet = stage.wallet()
    if with_workers:
        stage.stream("-x", "--use-dramatiq")
        stage.workers(threads=6)
    else:
        stage.stream()
        stage.start(*FLASK, "execute-outgoing-transactions", "--loop", "--interval", "1")
    by_pigeon = [stage.ask(wallet, rail="pigeon") for _ in range(6)]
    by_bank = [stage.ask(wallet) for _ in range(3)]
    for one in by_pigeon:
        wallet.pay(one, CODE)
    for one in by_bank:
        wallet.pay(one, CODE)
        until(lambda row=one: stage.status(row["id"]) == "completed", 20)  # type: ignore[misc]
    assert {stage.status(one["id"]) for one in by_pigeon} == {"pending_anchor"}

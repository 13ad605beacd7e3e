"""A sandbox that stops and starts again from its state file gives the same answers."""

from pathlib import Path

from tests.sandbox.recording import Answer, Replay, load

PATHS = [each["path"] for each in load("gets") if "path" in each and each["path"] != "/"]


def answers(replay: Replay) -> dict[str, Answer]:
    return {path: replay.get(path) for path in PATHS}


def test_every_recorded_request_is_answered_the_same_after_a_restart(tmp_path: Path) -> None:
    with Replay(tmp_path / "state") as replay:
        replay.play_all()
        replay.close_until(1252)
        before = answers(replay)
    with Replay(tmp_path / "state") as again:
        assert again.ledger == 1252
        assert answers(again) == before


def test_knobs_of_the_fees_outlive_a_restart_and_misbehaviour_does_not(tmp_path: Path) -> None:
    with Replay(tmp_path / "state") as replay:
        replay.sandbox.network.set_base_fee(200)
        replay.sandbox.network.set_surge_fee(700)
        replay.sandbox.api.faults.add_gets("/", "503", 1)
        replay.close_until(replay.ledger + 1)
    with Replay(tmp_path / "state") as again:
        stats = again.get("/fee_stats").body
        assert stats["last_ledger_base_fee"] == "200"
        assert stats["fee_charged"]["mode"] == "700"

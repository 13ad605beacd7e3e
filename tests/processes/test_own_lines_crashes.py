"""Commands of an account's own killed between handing in and knowing: none races a payment."""

import os
import signal
from pathlib import Path

import pytest

from tests.processes.stage import FLASK, Stage, followed
from tests.processes.test_deposit_crashes import book, finish, knob, opened
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CODE = "EURC"
_ASSET = """
[assets.EURC]
issuer = "{issuer}"
distribution = "{account_id}"
rails = ["bank"]
currency = "EUR"

[assets.EURC.withdrawal]
min_amount = "1"
max_amount = "100"
"""
_OPEN = "SELECT 1 FROM submissions WHERE state IN ('prepared', 'submitted')"


def serve_another(stage: Stage) -> None:
    """Serve an asset that the distribution account has no line for."""
    [(account_id,)] = stage.sql("SELECT account_id FROM accounts")
    file = stage.data / "anchor.toml"
    text = file.read_text()
    issuer = text.partition('issuer = "')[2].partition('"')[0]
    file.write_text(text + _ASSET.format(issuer=issuer, account_id=account_id))


def count(stage: Stage, table: str) -> int:
    return int(stage.sql(f"SELECT count(*) FROM {table}")[0][0])


@pytest.mark.parametrize("words", [("trust", "--asset", CODE), ("channels", "--count", "1")])
def test_promise_06_what_a_command_that_was_killed_left_open_is_ended_by_the_account_s_job(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with followed(tmp_path) as stage:
        wallet, first, reference = opened(stage)
        book(stage, reference)
        finish(stage, wallet, first)  # the account's number is known now
        wallet, row_id, reference = opened(stage)
        serve_another(stage)
        knob(stage, "freeze")
        victim = stage.start(*FLASK, *words)
        until(lambda: stage.sql(_OPEN), 60, "for the command to store its envelope")
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        book(stage, reference)
        for others in (["poll-pending-deposits"], ["work"]):
            assert stage.command(*others).returncode == 0
        assert count(stage, "outflows WHERE state = 'prepared'") == 1
        assert count(stage, "submissions") == 2, "its payment waits for the number"
        knob(stage, "thaw")
        stage.sql("UPDATE jobs SET leased_until = now()")  # as the two minutes would
        finish(stage, wallet, row_id)
        assert count(stage, "submissions WHERE state = 'confirmed' AND fee_charged = 100") == 3
        assert count(stage, "envelopes") == 3
        done = stage.command(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert count(stage, "envelopes") <= 4, "a channel that paid for a payment is topped up"
        assert count(stage, "cases") == 0

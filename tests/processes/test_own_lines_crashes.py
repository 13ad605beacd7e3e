"""`flask anchor trust` killed between handing in and knowing: no payment is bid for twice."""

import json
import os
import signal
from pathlib import Path
from time import sleep

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
_FORGOTTEN = "SELECT 1 FROM channels WHERE number IS NULL AND sequence IS NULL"


def serve_another(stage: Stage) -> None:
    """Serve an asset that the distribution account has no line for."""
    [(account_id,)] = stage.sql("SELECT account_id FROM accounts")
    file = stage.data / "anchor.toml"
    text = file.read_text()
    issuer = text.partition('issuer = "')[2].partition('"')[0]
    file.write_text(text + _ASSET.format(issuer=issuer, account_id=account_id))


def count(stage: Stage, table: str) -> int:
    return int(stage.sql(f"SELECT count(*) FROM {table}")[0][0])


def test_promise_06_a_command_that_was_killed_holds_payments_back_until_its_envelope_is_over(
    tmp_path: Path,
) -> None:
    with followed(tmp_path) as stage:
        wallet, first, reference = opened(stage)
        book(stage, reference)
        finish(stage, wallet, first)  # the account's number is known now
        wallet, row_id, reference = opened(stage)
        serve_another(stage)
        knob(stage, "freeze")
        victim = stage.start(*FLASK, "trust", "--asset", CODE)
        until(lambda: stage.sql(_FORGOTTEN), 60, "for the command to hold the queue")
        sleep(2)  # and to have its envelope handed in: nothing shows that now
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        book(stage, reference)
        for words in (["poll-pending-deposits"], ["work"]):
            assert stage.command(*words).returncode == 0
        assert count(stage, "outflows WHERE state = 'prepared'") == 1
        assert count(stage, "submissions") == 1, "its payment waits for the lease"
        knob(stage, "thaw")
        done = stage.command("trust", "--asset", CODE, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)[0]["state"] == "open"
        stage.sql("UPDATE jobs SET leased_until = now()")  # as the two minutes would
        finish(stage, wallet, row_id)
        assert count(stage, "envelopes") == 2
        assert count(stage, "cases") == 0

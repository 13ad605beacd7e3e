"""The tutorial does what it says, on a live anchor."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.stage import FLASK, Stage
from tests.test_docs import blocks
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_code_of_the_tutorial_withdraws(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ANCHOR_DATA_DIR=str(tmp_path / ".anchor"))
    stage.start(*FLASK, "up")
    folder = tmp_path / ".anchor"
    until(lambda: (folder / "web.port").exists() and stage.command("status").returncode == 0, 90)
    code = "\n".join(body for page, body in blocks("live") if page.parent.name == "tutorial")
    assert "wallet.pay" in code
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=stage.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    stage.end()
    assert done.returncode == 0, done.stderr
    assert "98.5 T" in done.stdout

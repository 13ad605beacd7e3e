"""Each process alone, in an empty folder, with nothing configured; and two anchors at once."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import requests

from tests.processes.stage import FLASK, SCRIPTS, Stage
from tests.processes.test_up import alive
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]


def said(stage: Stage) -> str:
    return (stage.folder / "output.log").read_text()


def ended(stage: Stage) -> None:
    """End the stage's processes; what they used must end too."""
    stage.end()
    until(lambda: not alive(stage), 15, "for everything to end")


def test_flask_run_alone_serves_on_development_defaults(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    process = subprocess.Popen(
        [str(SCRIPTS / "flask"), "run", "--port", "5077"],
        cwd=ROOT,
        env=stage.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    stage.running.append(process)
    until(lambda: (stage.data / "web.port").exists() and stage._answers(), 60)
    toml = tomllib.loads(requests.get(f"{stage.url}/.well-known/stellar.toml", timeout=5).text)
    assert toml["WEB_AUTH_ENDPOINT"] == "http://localhost:5077/auth"
    stage.wallet()
    ended(stage)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((str(SCRIPTS / "dramatiq"), "anchor.actors", "-p", "1"), "ready for action"),
        ((str(SCRIPTS / "periodiq"), "anchor.actors"), "Scheduling"),
        ((*FLASK, "watch-transactions"), "following G"),
    ],
)
def test_each_other_process_alone_works_on_development_defaults(
    argv: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path)
    process = stage.start(*argv)
    until(lambda: says in said(stage), 60, f"for {says}")
    assert process.poll() is None, said(stage)
    ended(stage)


def test_two_anchors_started_at_once_do_not_meet(tmp_path: Path) -> None:
    stages = [Stage(tmp_path / name) for name in ("one", "two")]
    for stage in stages:
        (stage.data / "web.port").write_text("8000")  # both have kept it from an earlier time
    for stage in stages:
        stage.start(*FLASK, "up")
    for stage in stages:
        until(lambda one=stage: (one.data / "secrets.json").exists() and one._answers(), 90)  # type: ignore[misc]
    assert stages[0].port != stages[1].port
    keys = [
        tomllib.loads(requests.get(f"{stage.url}/.well-known/stellar.toml", timeout=5).text)
        for stage in stages
    ]
    assert keys[0]["SIGNING_KEY"] != keys[1]["SIGNING_KEY"]
    for stage in stages:
        ended(stage)

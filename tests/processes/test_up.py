"""`flask anchor up` and the keeper: everything starts, is restarted, and ends together."""

import os
import shutil
import signal
import site
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.processes.stage import FLASK, Stage
from tests.waiting import until

ROOT = Path(__file__).parents[2]
NOBODY = 65534

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def alive(stage: Stage) -> list[int]:
    """Processes that belong to the stage's folder, or serve it."""
    mark = str(stage.folder)
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                line = Path(f"/proc/{name}/cmdline").read_bytes().decode("utf-8", "replace")
                environ = Path(f"/proc/{name}/environ").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            if mark in line or mark in environ:
                found.append(int(name))
    return found


def children(process: subprocess.Popen[bytes]) -> dict[str, int]:
    names = ("gunicorn", "dramatiq", "periodiq", "watch-transactions")
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parent = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
                line = Path(f"/proc/{name}/cmdline").read_bytes().decode()
            except OSError:
                continue
            for kind in names:
                if parent == process.pid and kind in line:
                    found[kind] = int(name)
    return found


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def started(stage: Stage) -> subprocess.Popen[bytes]:
    process = stage.start(*FLASK, "up")
    until(lambda: (stage.data / "web.port").exists() and stage._answers(), 90, "for up")
    until(lambda: len(children(process)) == 4, 30)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_ends_all_on_a_signal(stage: Stage, number: signal.Signals) -> None:
    process = started(stage)
    process.send_signal(number)
    assert process.wait(30) == 0
    until(lambda: not alive(stage), 15, "for everything to end")


def keepers(stage: Stage) -> dict[int, str]:
    """The keepers of the stage's folder."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in alive(stage)}
    return {pid: line for pid, line in lines.items() if ".keeper\0" in line}


def test_up_restarts_its_children_and_leaves_nothing_when_it_is_killed(stage: Stage) -> None:
    process = started(stage)
    before, kept = children(process), keepers(stage)
    assert len(kept) == 2
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(
        lambda: all(children(process).get(kind) not in {None, before[kind]} for kind in before),
        30,
        "for restarts",
    )
    until(stage._answers, 30, "for the web")
    assert keepers(stage) == kept, "the servers stayed, though up alone used them for a while"
    process.kill()
    process.wait()
    began = monotonic()
    until(lambda: not alive(stage), 20, "for everything to end")
    assert monotonic() - began < 20


def test_six_processes_at_once_share_one_keeper(stage: Stage) -> None:
    shots = [stage.start(*FLASK, "migrate") for _ in range(6)]
    assert [shot.wait(90) for shot in shots] == [0] * 6
    until(lambda: not alive(stage), 15)


def test_a_keeper_that_was_killed_does_not_break_the_next_start(stage: Stage) -> None:
    holder = stage.start(*FLASK, "migrate")
    assert holder.wait(90) == 0
    user = stage.start(*FLASK, "watch-transactions")
    until((stage.data / "servers" / "ready.json").exists, 60)
    for pid in alive(stage):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        if "anchor.embedded.keeper" in line:
            os.kill(pid, signal.SIGKILL)
    sleep(1)
    stage.kill(user)
    assert stage.command("migrate").returncode == 0
    until(lambda: not alive(stage), 15)


def _as_user(*argv: str) -> "subprocess.CompletedProcess[str]":
    """Run as an ordinary user, from a folder that anybody may read."""
    path = os.pathsep.join([str(ROOT), *site.getsitepackages()])
    return subprocess.run(
        argv,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env={"PATH": os.defpath, "PYTHONPATH": path},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _interpreter() -> str:
    """A Python that an ordinary user may run: root's own may lie in a closed folder."""
    for name in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError):
            if _as_user(name, "-c", "import anchor.embedded.keeper").returncode == 0:
                return name
    pytest.skip("no Python here that an ordinary user may run")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_servers_run_for_an_ordinary_user_too() -> None:
    folder = Path("/tmp") / f"anchor-user-{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    code = (
        "from pathlib import Path\n"
        "from anchor import embedded\n"
        f"print(embedded.use(Path({str(folder)!r}) / 'servers', durable=False).folder)\n"
    )
    try:
        done = _as_user(_interpreter(), "-c", code)
        assert done.returncode == 0, done.stderr
    finally:
        shutil.rmtree(folder, ignore_errors=True)

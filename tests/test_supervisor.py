"""Processes that are kept running, whatever they leave behind."""

import io
import os
import signal
import sys

from anchor.supervisor import Child, Supervisor
from tests.waiting import until

#: Begins a child that keeps its output open, says both of their ids, and waits.
_PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


def test_a_process_that_is_killed_is_begun_again_though_a_child_of_it_lives() -> None:
    """As the workers' master: its children hold the output open, and would never end it."""
    output = io.StringIO()
    supervisor = Supervisor([Child("master", [sys.executable, "-c", _PARENT])], output=output)

    def said() -> list[str]:
        return [line.partition("| ")[2] for line in output.getvalue().splitlines()]

    supervisor.start()
    try:
        until(lambda: len(said()) == 1)
        parent, child = map(int, said()[0].split())
        os.kill(parent, signal.SIGKILL)
        until(lambda: len(said()) == 3)
        assert said()[1] == "ended with signal 9; again in 0.5 s"
        assert not _is_alive(child)
        again = int(said()[2].split()[0])
        assert again != parent
    finally:
        supervisor.end()
    assert not _is_alive(again)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

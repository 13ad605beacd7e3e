"""Several processes under one terminal: prefixed output, restarts with back-off, one end.

Each child leads a process group of its own. A guard process holds the other end of a pipe:
when this process ends without a word, SIGKILLed even, the guard ends all the groups.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TextIO

_BACKOFF_MS = 500
_BACKOFF_MAX_MS = 30_000
_HEALTHY_S = 30
_COLOURS = (36, 33, 35, 32, 34, 31)

_GUARD = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    sign, group = line[0], int(line[1:])
    groups.add(group) if sign == "+" else groups.discard(group)
for number in (signal.SIGTERM, signal.SIGKILL):
    for group in groups:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            pass
    time.sleep(3 if groups and number == signal.SIGTERM else 0)
"""


@dataclass(frozen=True)
class Child:
    """A process to keep running; `env` None inherits this process' environment.

    It inherits the descriptors `fds` too, under their numbers here.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    fds: tuple[int, ...] = ()


class Supervisor:
    """Starts children, restarts those that die, and ends all of them together."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        output: TextIO = sys.stdout,
        grace_s: int = 10,
        write: Callable[[str, str], str] | None = None,
    ) -> None:
        self.stop = threading.Event()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._children = children
        self._output = output
        self._grace_s = grace_s
        self._write = write
        self._width = max(len(child.name) for child in children)
        self._lock = threading.Lock()
        self._guard: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the guard and all children, each looked after by a thread."""
        self._guard = subprocess.Popen(  # noqa: S603
            [sys.executable, "-S", "-E", "-c", _GUARD],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        for number, child in enumerate(self._children):
            thread = threading.Thread(target=self._look_after, args=(child, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """End all children: gently, then firmly; and the guard."""
        self.stop.set()
        for process in list(self.processes.values()):
            process.terminate()  # the leader alone: it knows how to end its own
        deadline = monotonic() + self._grace_s
        for thread in self._threads:
            thread.join(timeout=max(0, deadline - monotonic()))
        for process in list(self.processes.values()):
            _signal(process, signal.SIGKILL)
        for thread in self._threads:
            thread.join(timeout=5)
        if self._guard is not None:
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            self._guard.wait(timeout=10)

    def run(self) -> None:
        """Run until SIGINT or SIGTERM; a second one ends everything at once."""

        def on_signal(*_: object) -> None:
            if self.stop.is_set():
                self._grace_s = 0
            self.stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        self.start()
        try:
            self.stop.wait()
        finally:
            self.end()

    def say(self, name: str, line: str, number: int = 0) -> None:
        """Print a line with its sender's name in front, or as `write` makes one of both."""
        if self._write is not None:
            self._print(self._write(name, line))
            return
        prefix = f"{name:{self._width}} |"
        if self._output.isatty():
            prefix = f"\x1b[{_COLOURS[number % len(_COLOURS)]}m{prefix}\x1b[0m"
        self._print(f"{prefix} {line}")

    def _print(self, line: str) -> None:
        with self._lock:
            self._output.write(f"{line}\n")
            self._output.flush()

    def _look_after(self, child: Child, number: int) -> None:
        pause_ms = _BACKOFF_MS
        while not self.stop.is_set():
            started_at = monotonic()
            status = self._run_once(child, number)
            if self.stop.is_set():
                return
            if monotonic() - started_at > _HEALTHY_S:
                pause_ms = _BACKOFF_MS
            self.say(child.name, f"ended with {status}; again in {pause_ms / 1000:g} s", number)
            self.stop.wait(pause_ms / 1000)
            pause_ms = min(2 * pause_ms, _BACKOFF_MAX_MS)

    def _run_once(self, child: Child, number: int) -> str:
        process = subprocess.Popen(  # noqa: S603
            child.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=None if child.env is None else dict(child.env),
            cwd=child.cwd,
            pass_fds=child.fds,
            start_new_session=True,
        )
        self.processes[child.name] = process
        self._tell_guard(f"+{process.pid}")
        if self.stop.is_set():
            process.terminate()
        copying = threading.Thread(target=self._copy, args=(child.name, process, number))
        copying.start()
        code = process.wait()
        _signal(process, signal.SIGKILL)  # what is left of its group holds the pipe open
        copying.join()
        self._tell_guard(f"-{process.pid}")
        return f"signal {-code}" if code < 0 else f"status {code}"

    def _copy(self, name: str, process: subprocess.Popen[bytes], number: int) -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            for line in pipe:
                self.say(name, line.decode("utf-8", "replace").rstrip(), number)

    def _tell_guard(self, line: str) -> None:
        assert self._guard is not None
        assert self._guard.stdin is not None
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)

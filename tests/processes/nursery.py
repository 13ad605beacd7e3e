"""Processes that are born with everything imported.

A process of the anchor imports for more than a second of CPU before it does anything, and these
tests start many hundred. So there is one that has imported everything and does nothing else; each
process of a test is forked of it, with arguments, environment, folder and output of its own, and
is from there on what its command makes of it.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import weakref
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

ROOT = Path(__file__).parents[2]
_ENDS_S = 20
#: Commands that are run here; all others are what they are.
_SCRIPTS = frozenset({"flask", "gunicorn", "dramatiq", "periodiq"})
#: Not `anchor.actors`: to import it is to choose a broker, by the environment.
_IMPORTED = (
    "dramatiq.brokers.redis",
    "dramatiq.cli",
    "flask.cli",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread",
    "anchor.blueprints",
    "anchor.cli",
    "anchor.composition",
    "anchor.schema",
    "anchor.streams.runner",
)


class Born:
    """A process of the nursery's, with what the tests use of `subprocess.Popen`."""

    def __init__(self, line: socket.socket, argv: list[str]) -> None:
        self.args = argv
        self._line = line
        self._said = b""
        self.returncode: int | None = None
        weakref.finalize(self, line.close)
        line.settimeout(_ENDS_S)
        self.pid = int(self._read())

    def poll(self) -> int | None:
        """Return how it ended, or None."""
        return self._end(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` as usual."""
        found = self._end(timeout)
        if found is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return found

    def send_signal(self, number: int) -> None:
        """Send a signal, to this process alone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL, this process alone."""
        self.send_signal(signal.SIGKILL)

    def _end(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int(self._read())
            except (BlockingIOError, TimeoutError):
                return None
        return self.returncode

    def _read(self) -> bytes:
        while b"\n" not in self._said:
            found = self._line.recv(64)
            assert found, "the nursery has ended"
            self._said += found
        first, _, self._said = self._said.partition(b"\n")
        return first


class Nursery:
    """The parent of processes; one for each process of pytest, begun when it is needed."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", __spec__.name, str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._ours = ours
        atexit.register(self.end)

    def end(self) -> None:
        """End the parent; its children are left to whoever started them."""
        self._ours.close()
        self._parent.wait(_ENDS_S)

    def start(
        self, argv: list[str], cwd: Path, env: dict[str, str], out: Path, err: Path | None = None
    ) -> Born:
        """Start a script of ours in a group of its own; what it says is appended to files."""
        line, theirs = socket.socketpair()
        asked = {"argv": argv, "cwd": str(cwd), "env": env, "out": str(out), "err": str(err or out)}
        with theirs:
            socket.send_fds(self._ours, [json.dumps(asked).encode()], [theirs.fileno()])
        return Born(line, argv)


# -- in the nursery --------------------------------------------------------------------------


def _serve(orders: socket.socket) -> dict[str, Any]:
    """Start what is ordered, and tell how it ends; return in each new process, with its order."""
    ready = DefaultSelector()
    ready.register(orders, EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is orders:
                raw, fds, _, _ = socket.recv_fds(orders, 1_000_000, 1)
                if not raw:
                    sys.exit()
                line = socket.socket(fileno=fds[0])
                pid = os.fork()
                if pid == 0:
                    found: dict[str, Any] = json.loads(raw)
                    return found
                line.sendall(b"%d\n" % pid)
                ready.register(os.pidfd_open(pid), EVENT_READ, (pid, line))
            else:
                pid, line = key.data
                ready.unregister(key.fileobj)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with line, suppress(OSError):
                    line.sendall(b"%d\n" % code)


def _become(order: dict[str, Any]) -> str:
    """Make this process what its order says, and return the script to run."""
    os.setsid()
    os.closerange(3, 4096)
    for target, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        flags = os.O_RDONLY if target == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(name, flags, 0o600), target)
    os.closerange(3, 4096)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = order["argv"]
    if Path(sys.argv[0]).name not in _SCRIPTS:
        os.execvp(sys.argv[0], sys.argv)
    return sys.argv[0]


if __name__ == "__main__":
    for name in _IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()
    runpy.run_path(_become(_serve(socket.socket(fileno=int(sys.argv[1])))), run_name="__main__")

"""Servers that live as long as anyone uses them: shared locks, and a detached keeper.

Every user of a folder holds a shared lock on it for life. The keeper, which alone owns the
servers, ends them and itself once it gets that lock alone: nothing stays for long after the
last user, however that one ended.
"""

import fcntl
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from anchor.errors import AnchorError, Unavailable

_USERS, _STARTING, _KEEPER = "users.lock", "starting.lock", "keeper.lock"
_READY, _FAILED, _LOG = "ready.json", "failed.txt", "keeper.log"
_TICK_MS = 20
_MOMENT_S = 1

#: Locks of this process; they are let go by its end, or by `let_go`.
_held: dict[Path, int] = {}


def use(folder: Path, module: str, *arguments: str, timeout_s: int = 60) -> dict[str, Any]:
    """Find what `module` keeps in `folder`, or start it; it stays for the life of this process.

    Returns what the keeper published. Raises `Unavailable` with the keeper's reason, or
    when it is not ready in time.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = monotonic() + timeout_s
    _hold(folder)
    starting = _lock(folder / _STARTING, deadline)
    try:
        return _wait(folder, deadline, module, arguments)
    finally:
        os.close(starting)


def pass_on() -> None:
    """Let the program that this process becomes by exec hold its locks."""
    for descriptor in _held.values():
        os.set_inheritable(descriptor, True)


def let_go(folder: Path) -> None:
    """Stop using what is kept in `folder`, before this process ends."""
    descriptor = _held.pop(folder.resolve(), None)
    if descriptor is not None:
        os.close(descriptor)


def wait_for_end(folder: Path, timeout_s: int) -> None:
    """Wait until what is kept in `folder` has ended, or somebody else still uses it."""
    deadline = monotonic() + timeout_s
    while monotonic() < deadline and _has_keeper(folder.resolve()):
        sleep(_TICK_MS / 1000)


class Post:
    """The keeper's side of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._alone: int | None = None

    def take(self) -> bool:
        """Become the keeper; False where there is one."""
        try:
            # Held until this process ends. Whoever looks for a keeper holds it for a moment.
            _lock(self.folder / _KEEPER, monotonic() + _MOMENT_S)
        except Unavailable:
            return False
        return True

    def publish(self, ready: dict[str, Any]) -> None:
        """Tell the users what they wait for."""
        write_private(self.folder / _READY, json.dumps(ready))

    def keep(self, run: Callable[[], None]) -> None:
        """Run, and tell the users where that fails."""
        try:
            run()
        except (AnchorError, OSError) as error:
            write_private(self.folder / _FAILED, str(error))
            raise
        finally:
            (self.folder / _READY).unlink(missing_ok=True)

    def is_alone(self) -> bool:
        """Tell whether nobody uses the folder; from then on nobody can until this process ends."""
        descriptor = os.open(self.folder / _USERS, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._alone = descriptor
        return True


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    part.rename(path)


def last_line(output: bytes) -> str:
    """Return the last line of what a process said before it failed."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _hold(folder: Path) -> None:
    if folder not in _held:
        descriptor = os.open(folder / _USERS, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _held[folder] = descriptor


def _lock(path: Path, deadline: float) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > deadline:
                os.close(descriptor)
                raise Unavailable(f"{path.parent} is being started for too long") from None
            sleep(_TICK_MS / 1000)
        else:
            return descriptor


def _has_keeper(folder: Path) -> bool:
    descriptor = os.open(folder / _KEEPER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _start(folder: Path, module: str, arguments: tuple[str, ...]) -> int:
    for name in (_READY, _FAILED):
        (folder / name).unlink(missing_ok=True)
    log = os.open(folder / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # Not a Popen: the keeper outlives whoever started it, and nobody waits for it.
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", module, str(folder), *arguments],
            {"PATH": os.defpath, "PYTHONPATH": _import_path(), "TZ": "UTC"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)


def _import_path() -> str:
    """Let the keeper import from where this process does, whatever its own environment says."""
    return os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])


def _wait(folder: Path, deadline: float, module: str, arguments: tuple[str, ...]) -> dict[str, Any]:
    """Wait for what the keeper publishes, and start one as soon as there is none.

    A keeper that is about to end may let its locks go one after the other: one that was
    seen is no promise.
    """
    started: int | None = None
    while monotonic() < deadline:
        if started is None and not _has_keeper(folder):
            started = _start(folder, module, arguments)
        ended = started is not None and _has_ended(started)
        if (folder / _FAILED).exists():
            raise Unavailable((folder / _FAILED).read_text(encoding="utf-8").strip())
        if (folder / _READY).exists():
            ready: dict[str, Any] = json.loads((folder / _READY).read_text(encoding="utf-8"))
            return ready
        if ended:
            said = last_line((folder / _LOG).read_bytes())
            raise Unavailable(f"what is kept in {folder} did not start: {said}")
        sleep(_TICK_MS / 1000)
    raise Unavailable(f"what is kept in {folder} did not start in time; see its {_LOG}")


def _has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG) != (0, 0)
    except ChildProcessError:  # somebody in this process collects all children
        return False

"""Embedded servers: a real PostgreSQL and a real Valkey, owned by a keeper process.

Every user of a folder holds a shared lock on it for life; the keeper, which alone owns the
servers, ends them and itself once it gets that lock alone. So nothing stays for long after
the last user, however that one ended.
"""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from anchor.errors import Unavailable

USERS, STARTING, KEEPER = "users.lock", "starting.lock", "keeper.lock"
READY, FAILED, LOG = "ready.json", "failed.txt", "keeper.log"

#: Locks of this process; they are let go by its end and by nothing else.
_held: dict[Path, int] = {}


@dataclass(frozen=True)
class Servers:
    """The servers of a folder, as they run now."""

    folder: Path
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)


def use(folder: Path, *, durable: bool = True, timeout_s: int = 60) -> Servers:
    """Find the servers of `folder`, or start them, and keep them for the life of this process.

    `durable=False` trades safety against a power failure for speed, for tests. Raises
    `Misconfigured` where the binaries are missing and `Unavailable` where a server does
    not start in time, each with the reason.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _hold(folder)
    deadline = monotonic() + timeout_s
    with _locked(folder / STARTING, deadline):
        if not _has_keeper(folder):
            _start_keeper(folder, durable=durable)
        return _wait(folder, deadline)


def _hold(folder: Path) -> None:
    if folder not in _held:
        descriptor = os.open(folder / USERS, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _held[folder] = descriptor


class _locked:  # noqa: N801 - reads as a verb in a with statement
    """An exclusive lock on a file, waited for until a deadline."""

    def __init__(self, path: Path, deadline: float) -> None:
        self._path = path
        self._deadline = deadline

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if monotonic() > self._deadline:
                    os.close(self._descriptor)
                    raise Unavailable("the embedded servers are being started for too long") from None
                sleep(0.02)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _has_keeper(folder: Path) -> bool:
    descriptor = os.open(folder / KEEPER, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _start_keeper(folder: Path, *, durable: bool) -> None:
    for name in (READY, FAILED):
        (folder / name).unlink(missing_ok=True)
    with (folder / LOG).open("ab") as log:
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "anchor.embedded.keeper", str(folder), str(int(durable))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2]), "TZ": "UTC"},
            start_new_session=True,
        )


def _wait(folder: Path, deadline: float) -> Servers:
    while monotonic() < deadline:
        if (folder / FAILED).exists():
            raise Unavailable((folder / FAILED).read_text(encoding="utf-8").strip())
        if (folder / READY).exists():
            ready = json.loads((folder / READY).read_text(encoding="utf-8"))
            return Servers(folder, ready["database_url"], ready["broker_url"])
        sleep(0.02)
    raise Unavailable(f"the embedded servers did not start in time; see {folder / LOG}")

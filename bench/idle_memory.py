"""How much memory an anchor takes that has nothing to do.

Starts `flask anchor up` in a folder of its own, lets it settle, and adds up what its
processes hold by kind: RSS counts a page that several share in each of them, PSS shares it
out. PostgreSQL is told apart, for it is sized by its own settings. Everything that was
started has ended before the command does.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import ground
import requests

SCRIPTS = Path(sys.executable).parent
UP = [str(SCRIPTS / "flask"), "--app", "anchor:create_app()", "anchor", "up"]
#: What a kind of process is known by, the first that fits.
KINDS = (
    ("postgres", "PostgreSQL"),
    ("valkey", "Valkey"),
    ("anchor.embedded.keeper", "keeper of the servers"),
    ("anchor.sandbox.keeper", "sandbox network and bank"),
    ("watch-transactions", "stream runner"),
    ("gunicorn", "web"),
    ("dramatiq", "workers"),
    ("periodiq", "scheduler"),
    ("anchor.processes", "up, the supervisor"),
    ("multiprocessing", "workers"),
    ("import os, signal", "guard of the process groups"),
)


@dataclass(frozen=True)
class Process:
    """One process as it stands; memory in kB."""

    pid: int
    kind: str
    rss_kb: int
    pss_kb: int
    threads: int


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--settle-s", type=int, default=10, help="seconds to wait before measuring (%(default)s)")
    add("--each", action="store_true", help="also print each process")
    return parser.parse_args()


@contextmanager
def up(folder: Path) -> Iterator[int]:
    """Run an anchor below `folder` until it serves; yield its process id; end it all."""
    env = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "ANCHOR_DATA_DIR": str(folder / "data"),
    }
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(
            UP, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_for_web(folder, process)
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for name in ("servers", "sandbox"):
            ground.wait_for_end(folder / "data" / name)


def _wait_for_web(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + 120
    while monotonic() < deadline and process.poll() is None:
        with suppress(OSError, requests.RequestException):
            port = int((folder / "data" / "web.port").read_text(encoding="utf-8"))
            if requests.get(f"http://127.0.0.1:{port}/ready", timeout=5).ok:
                return
        sleep(0.2)
    output = (folder / "output.log").read_text(encoding="utf-8", errors="replace")
    raise SystemExit(f"the anchor did not start:\n{output[-3000:]}")


def family(root: int, folder: Path) -> list[Process]:
    """Return `root`, the keepers that name `folder`, and all that descend from them."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                commands[int(entry.name)] = command.decode("utf-8", "replace")
    ours = {pid for pid, command in commands.items() if str(folder) in command} | {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in ours}
        grown = not more <= ours
        ours |= more
    found = [_measure(pid, commands.get(pid, "")) for pid in sorted(ours)]
    return [process for process in found if process is not None]


def _measure(pid: int, command: str) -> Process | None:
    kind = next((kind for mark, kind in KINDS if mark in command), command[:60].strip())
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return None
    lines = (line.partition(":") for line in rollup.splitlines()[1:])
    sizes = {name: int(rest.split()[0]) for name, _, rest in lines}
    return Process(pid, kind, sizes["Rss"], sizes["Pss"], threads)


def tell(processes: list[Process], *, each: bool) -> None:
    """Print the memory by kind, the costliest first."""
    kinds: dict[str, list[Process]] = {}
    for process in processes:
        kinds.setdefault(process.kind, []).append(process)
    print(f"{'kind':28}{'processes':>10}{'threads':>9}{'RSS MB':>9}{'PSS MB':>9}")
    for kind, members in sorted(kinds.items(), key=lambda item: -_mb(item[1], "pss_kb")):
        _line(kind, members)
        for process in members if each else ():
            _line(f"  pid {process.pid}", [process])
    _line("all but PostgreSQL", [p for p in processes if p.kind != "PostgreSQL"])
    _line("all", processes)


def _line(name: str, members: list[Process]) -> None:
    threads = sum(process.threads for process in members)
    rss, pss = _mb(members, "rss_kb"), _mb(members, "pss_kb")
    print(f"{name:28}{len(members):>10}{threads:>9}{rss:>9.0f}{pss:>9.0f}")


def _mb(members: list[Process], size: str) -> float:
    return sum(getattr(process, size) for process in members) / 1000


def main() -> int:
    """Run the benchmark; return 1 where a process outlived it."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ground.folder() as folder:
        with up(folder) as root:
            sleep(options.settle_s)
            processes = family(root, folder)
            tell(processes, each=options.each)
        left = _still_there(processes)
    for process in left:
        print(f"WRONG: {process.kind} (pid {process.pid}) did not end", file=sys.stderr)
    return 1 if left else 0


def _still_there(processes: list[Process]) -> list[Process]:
    deadline = monotonic() + 10
    while monotonic() < deadline:
        left = [process for process in processes if Path(f"/proc/{process.pid}").exists()]
        if not left:
            break
        sleep(0.1)
    return left


if __name__ == "__main__":
    sys.exit(main())

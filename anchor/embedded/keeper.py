"""The keeper: a detached process that owns the servers of a folder while anyone uses them."""

import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from anchor.embedded import bases, binaries
from anchor.embedded.binaries import Binaries
from anchor.errors import Unavailable
from anchor.keeping import Post, last_line, write_private

NOBODY = 65534
_START_S = 50
_STATE = "state.json"
_STATE_LINE = 8
_PR_SET_PDEATHSIG = 1
_LOOK_S = 0.3


class Keeper:
    """Starts both servers, says when they are ready, and stops them after their last user."""

    def __init__(self, post: Post, *, durable: bool) -> None:
        self.post = post
        self.folder = post.folder
        self.durable = durable
        self.lock = -1
        self.state = self._load()
        self.base = self._base()
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self) -> None:
        """Own the servers until nobody uses them, one of them dies, or a signal comes."""
        try:
            self._start()
            if self.base.parent != self.folder:
                bases.sweep(self.base.parent)
            while not self.post.is_alone() and all(p.poll() is None for p in self.processes):
                sleep(_LOOK_S)
        finally:
            self._stop()

    def _load(self) -> dict[str, Any]:
        path = self.folder / _STATE
        if path.exists():
            known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if self._hold(Path(known["base"])):
                return known
        return {}

    def _hold(self, base: Path) -> bool:
        """Lock where data live, for as long as this process or a server runs."""
        lock = bases.hold(base)
        self.lock = -1 if lock is None else lock
        return lock is not None

    def _base(self) -> Path:
        """Return where data live: in the folder, or where an unprivileged user can read."""
        if "base" not in self.state:
            base = self.folder / "data"
            if os.geteuid() == 0:
                # The folder is root's alone, and so may be those above it; none is touched.
                base = bases.make(_roomy())
            base.mkdir(exist_ok=True)
            self._hold(base)
            self.state = {
                "base": str(base),
                "password": secrets.token_urlsafe(24),
                "postgres_port": 0,
                "valkey_port": 0,
            }
        for name in ("postgres_port", "valkey_port"):
            self.state[name] = _free_port(self.state[name])
        base = Path(self.state["base"])
        if base.parent != self.folder:
            bases.claim(base, self.folder)
        write_private(self.folder / _STATE, json.dumps(self.state))
        return base

    def _start(self) -> None:
        found = binaries.find()
        if os.geteuid() == 0:
            found = binaries.copy_to(found, self.base)
        valkey = self._start_valkey(found)
        postgres = self._start_postgres(found)
        self._wait_for("valkey", valkey, self._valkey_answers)
        self._wait_for("postgres", postgres, lambda: self._postgres_is_ready(postgres.pid))
        self.post.publish(
            {"database_url": self._database_url("anchor"), "broker_url": self._broker_url()}
        )

    def _start_valkey(self, found: Binaries) -> subprocess.Popen[bytes]:
        data = self._own(self.base / "valkey")
        config = data / "valkey.conf"
        lines = [
            "bind 127.0.0.1",
            f"port {self.state['valkey_port']}",
            f"requirepass {self.state['password']}",
            f"dir {data}",
            f"appendonly {'yes' if self.durable else 'no'}",
            'save ""',
            "maxmemory-policy noeviction",
            "databases 64",
        ]
        write_private(config, "\n".join(lines) + "\n")
        self._give(config)
        return self._spawn("valkey", [str(found.valkey), str(config)], signal.SIGTERM)

    def _start_postgres(self, found: Binaries) -> subprocess.Popen[bytes]:
        data = self.base / "postgres"
        if not (data / "PG_VERSION").exists():
            self._make_cluster(found, data)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.state["postgres_port"],
            "unix_socket_directories": "",
            "max_connections": 120,
            "shared_buffers": "32MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        argv = [str(found.postgres / "postgres"), "-D", str(data), *options]
        return self._spawn("postgres", argv, signal.SIGINT)

    def _make_cluster(self, found: Binaries, data: Path) -> None:
        """Make PostgreSQL's folder with the database in it, whole or not at all."""
        part = data.with_name("postgres.part")
        shutil.rmtree(part, ignore_errors=True)
        self._own(part)
        password = self.base / "password"
        write_private(password, self.state["password"])
        self._give(password)
        try:
            self._once(
                str(found.postgres / "initdb"),
                f"--pgdata={part}",
                "--username=anchor",
                "--auth=scram-sha-256",
                # Nobody guesses 192 random bits; more rounds would cost each connection 2 ms.
                "-c",
                "scram_iterations=1",
                f"--pwfile={password}",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            )
        finally:
            password.unlink()
        self._once(
            *(str(found.postgres / "postgres"), "--single", "-D", str(part)),
            *("-c", "exit_on_error=on", "-c", "log_min_messages=fatal", "postgres"),
            stdin=b"CREATE DATABASE anchor\n",
        )
        part.rename(data)

    def _once(self, *argv: str, stdin: bytes = b"") -> None:
        """Run one of PostgreSQL's programs to its end."""
        done = subprocess.run(  # noqa: S603
            argv,
            check=False,
            capture_output=True,
            input=stdin,
            cwd="/",
            env={"PATH": os.defpath, "TZ": "UTC"},
            timeout=_START_S,
            pass_fds=(self.lock,),
            **self._identity(),
        )
        if done.returncode:
            name = Path(argv[0]).name
            raise Unavailable(f"PostgreSQL's {name} failed: {last_line(done.stderr)}")

    def _spawn(
        self, name: str, argv: list[str], on_death: signal.Signals
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.defpath, "TZ": "UTC"},
                preexec_fn=_dies_with_parent(on_death),  # noqa: PLW1509 - no threads here
                pass_fds=(self.lock,),
                **self._identity(),
            )
        self.processes.append(process)
        return process

    def _wait_for(
        self, name: str, process: subprocess.Popen[bytes], is_ready: Callable[[], bool]
    ) -> None:
        deadline = monotonic() + _START_S
        while not is_ready():
            if process.poll() is not None or monotonic() > deadline:
                log = (self.folder / f"{name}.log").read_bytes()
                raise Unavailable(f"{name} did not start: {last_line(log)}")
            sleep(0.03)

    def _valkey_answers(self) -> bool:
        """Ask over a bare socket: a client library would stay in memory for this alone."""
        address = ("127.0.0.1", self.state["valkey_port"])
        try:
            with socket.create_connection(address, timeout=5) as connection:
                connection.sendall(f"AUTH {self.state['password']}\r\nPING\r\nQUIT\r\n".encode())
                return b"+PONG" in connection.makefile("rb").read()
        except OSError:
            return False

    def _postgres_is_ready(self, pid: int) -> bool:
        """Look where `pg_ctl` looks: PostgreSQL writes its state behind its process id."""
        try:
            lines = (self.base / "postgres" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) == _STATE_LINE and lines[0] == str(pid) and lines[-1].strip() == "ready"

    def _database_url(self, name: str) -> str:
        password, port = self.state["password"], self.state["postgres_port"]
        return f"postgresql+psycopg://anchor:{password}@127.0.0.1:{port}/{name}"

    def _broker_url(self) -> str:
        return f"redis://:{self.state['password']}@127.0.0.1:{self.state['valkey_port']}/0"

    def _identity(self) -> dict[str, Any]:
        """Say as whom a server runs: PostgreSQL refuses root."""
        if os.geteuid() != 0:
            return {}
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def _own(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True, mode=0o700)
        self._give(folder)
        return folder

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)

    def _stop(self) -> None:
        for process, gently in zip(self.processes, (signal.SIGTERM, signal.SIGINT), strict=False):
            if process.poll() is None:
                process.send_signal(gently)
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _dies_with_parent(on_death: signal.Signals) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(on_death))

    return prepare


def _roomy() -> Path:
    return Path("/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir())  # noqa: S108


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Unavailable("no port is free on this machine")


def main() -> None:
    """Keep the servers of the folder that the command line names."""
    post = Post(Path(sys.argv[1]))
    if not post.take():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    post.keep(lambda: Keeper(post, durable=sys.argv[2] == "1").run())


if __name__ == "__main__":
    main()

"""Real processes of one anchor in a folder of its own, as an operator runs them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import requests
from stellar_sdk import Keypair

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.nursery import Born as Process
from tests.processes.nursery import Nursery
from tests.waiting import free_port, until

SCRIPTS = Path(sys.executable).parent
#: This checkout, whatever the scripts were installed from.
ROOT = Path(__file__).parents[2]
FLASK = [str(SCRIPTS / "flask"), "--app", "anchor:create_app()", "anchor"]


@cache
def nursery() -> Nursery:
    """Return the parent of all processes that this one starts."""
    return Nursery()


class Stage:
    """A folder in development mode; `start` runs a process on it, `end` ends them all."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "ANCHOR_DATA_DIR": str(folder / "data"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(ROOT),
            **env,
        }
        self.running: list[Process] = []
        # two stages that start at once must not both find port 8000 free
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.data / "web.port").write_text(str(free_port()))

    def start(self, *argv: str, **env: str) -> Process:
        """Start a process in a group of its own, its output in a file."""
        log = self.folder / "output.log"
        log.touch()
        process = nursery().start(list(argv), self.folder, self.env | env, log)
        self.running.append(process)
        return process

    def command(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a `flask anchor` command to its end."""
        argv = [*FLASK, *words]
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            process = nursery().start(argv, self.folder, self.env | env, out, err)
            try:
                code = process.wait(100)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            return subprocess.CompletedProcess(argv, code, out.read_text(), err.read_text())

    def kill(self, process: Process, number: int = signal.SIGKILL) -> None:
        """End a process with its group."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        process.wait(timeout=20)
        if process in self.running:
            self.running.remove(process)

    def end(self) -> None:
        """End everything."""
        for process in list(self.running):
            self.kill(process)

    # -- the kinds of process --------------------------------------------------------------

    def web(self) -> Process:
        port = self.port
        return self.start(
            *(str(SCRIPTS / "gunicorn"), "anchor:create_app()", "--bind", f"127.0.0.1:{port}"),
            *("--threads", "8", "--no-control-socket"),
        )

    def workers(self, processes: int = 1, threads: int = 4) -> Process:
        return self.start(
            *(str(SCRIPTS / "dramatiq"), "anchor.actors", "-p", str(processes)),
            *("-t", str(threads)),
        )

    def stream(self, *flags: str) -> Process:
        return self.start(*FLASK, "watch-transactions", *flags)

    def up(self) -> Process:
        """Start everything, and wait until it answers and follows the ledger."""
        process = self.start(*FLASK, "up")
        until(self._answers, 90, "for the web")
        until(lambda: self.sql("SELECT 1 FROM accounts"), 60, "for the stream runner")
        return process

    # -- what is known ---------------------------------------------------------------------

    @property
    def data(self) -> Path:
        return Path(self.env["ANCHOR_DATA_DIR"])

    @property
    def port(self) -> int:
        return int((self.data / "web.port").read_text())

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def network(self) -> str:
        return str(json.loads((self.data / "sandbox" / "ready.json").read_text())["url"])

    @property
    def servers(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data / "servers" / "ready.json").read_text())
        return found

    def sql(self, query: str, *values: Any) -> list[Any]:
        url = self.servers["database_url"].replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(query, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def status(self, row_id: str) -> str:
        return str(self.sql("SELECT status FROM transactions WHERE id = %s", row_id)[0][0])

    def wallet(self, keys: Keypair | None = None) -> Wallet:
        """A wallet with money that is logged in."""
        secrets = json.loads((self.data / "secrets.json").read_text())
        made = Wallet(self.url, self.network)
        made.keys = keys or made.keys
        until(self._answers, 60, "for the web")
        made.discover()
        made.fund(CODE, "10000", secrets["issuer"])
        made.log_in()
        return made

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def bank(self, path: str, **body: Any) -> Any:
        """Ask the bank, or tell it something."""
        url = f"{self.network}/bank{path}"
        answer = requests.post(url, json=body, timeout=5) if body else requests.get(url, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def ask(
        self, wallet: Wallet, account: str = "DE89370400440532013000", rail: str = "bank"
    ) -> dict[str, Any]:
        """Open a withdrawal of 100 and fill in its page; return it as the wallet sees it."""
        until(lambda: self.sql("SELECT 1 FROM accounts"), 30, "for a stream runner")
        return wallet.transaction(wallet.ask_to_withdraw(CODE, "100", account, rail))

    def paid_once(self, row_id: str) -> bool:
        """Tell whether the bank made exactly one transfer for a withdrawal."""
        found = [t for t in self.bank("/transfers") if t["key"].startswith(row_id)]
        return [t["status"] for t in found] == ["settled"]


@contextmanager
def staged(folder: Path, **env: str) -> Iterator[Stage]:
    """A stage that is prepared: servers run and the schema is at head."""
    stage = Stage(folder, **env)
    holder = stage.start(*FLASK, "sandbox")
    try:
        done = stage.command("migrate")
        assert done.returncode == 0, done.stderr
        yield stage
    finally:
        stage.end()
    assert holder.poll() is not None


@contextmanager
def followed(folder: Path) -> Iterator[Stage]:
    """A stage whose web is open, and whose accounts are followed."""
    with staged(folder) as made:
        made.web()
        made.stream()
        made.wallet()
        until(lambda: made.sql("SELECT 1 FROM accounts"), 30)
        yield made

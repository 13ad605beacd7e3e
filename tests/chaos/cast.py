"""The processes of the journey: an anchor on a stage, its servers, and who restarts what dies."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import redis
import requests

from anchor import keeping
from anchor.embedded import binaries
from anchor.errors import AnchorError
from anchor.sandbox.ground import CODE
from tests.processes.stage import FLASK, SCRIPTS, Stage
from tests.waiting import free_port, until

ROOT = Path(__file__).parents[2]
#: What development mode writes, made quicker: short answers, short bounds, small batches.
_QUICKER = (
    ("[rails.bank]\n", "[rails.bank]\ntimeout_s = 2\nmax_in_flight = 8\n"),
    ("[network]\n", "[network]\ntime_bound_s = 20\nbatch_max = 8\n"),
)
_START_S = 90


class Broker:
    """A Valkey that keeps nothing: whoever kills it loses all messages."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.client = redis.Redis.from_url(self.url, socket_timeout=5)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "")
        folder = ("--appendonly", "no", "--dir", str(self._stage.folder))
        self.process = self._stage.start(str(binaries.find().valkey), *options, *folder)
        until(self._answers, _START_S, "for the broker")

    def kill(self) -> None:
        """Kill it."""
        if self.process is not None:
            self._stage.kill(self.process)
            self.process = None

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class Inside:
    """A process of `inside` that is asked one thing at a time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, act: str, **what: str) -> dict[str, Any]:
        """Let it act: what came of it, or `refused`, or `error` where that is not known."""
        with self._lock:
            try:
                process = self._running()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps({"act": act} | what) + "\n")
                process.stdin.flush()
                answer: dict[str, Any] = json.loads(process.stdout.readline())
            except (OSError, ValueError) as error:
                self.end()
                return {"error": f"{type(error).__name__} of the process inside"}
            return answer

    def end(self) -> None:
        """End it."""
        if self._process is not None:
            with self._process:
                self._process.kill()
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            with (self._stage.folder / "inside.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.chaos.inside"],
                    cwd=self._stage.folder,
                    env=self._stage.env | {"PYTHONPATH": str(ROOT)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            assert self._process.stdout is not None
            json.loads(self._process.stdout.readline())
        return self._process


class Cast:
    """All that plays: start, pause and kill it by name. Whatever dies is started again.

    `absent` are those that were killed or paused on purpose, for now.
    """

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.broker = Broker(self.stage)
        self.stage.env["ANCHOR_BROKER_URL"] = self.broker.url
        self.inside = Inside(self.stage)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.absent: set[str] = set()
        self.deaths: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._starts: dict[str, Callable[[], subprocess.Popen[bytes]]] = {
            "web": self.stage.web,
            "worker 1": lambda: self.stage.workers(threads=8),
            "worker 2": lambda: self.stage.workers(threads=8),
            "stream 1": lambda: self.stage.stream("-x", "--use-dramatiq"),
            "stream 2": lambda: self.stage.stream("-x", "--use-dramatiq"),
            "scheduler": lambda: self.stage.start(str(SCRIPTS / "periodiq"), "anchor.actors"),
            "bell": lambda: self.stage.start(
                *(sys.executable, "-m", "tests.chaos.inside", "bell"), PYTHONPATH=str(ROOT)
            ),
        }

    @property
    def names(self) -> list[str]:
        """Return the kinds of process."""
        return list(self._starts)

    # -- the whole -------------------------------------------------------------------------

    def begin(self) -> None:
        """Set the stage: servers, network, bank, schema, a quicker configuration; start all."""
        self.broker.start()
        self.stage.start(*FLASK, "sandbox")
        self.revive_database()
        self.must("migrate")
        file = self.stage.data / "anchor.toml"
        text = file.read_text()
        for old, new in _QUICKER:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)
        for name in self._starts:
            self.start(name)
        until(lambda: self.stage.sql("SELECT 1 FROM accounts"), _START_S, "for a stream")
        until(self.web_answers, _START_S, "for the web")
        self._listen_to_bank(file.read_text())
        answer = self.inside.ask("prepare")
        assert "ready" in answer, answer

    def end(self) -> None:
        """End everything, and leave nothing running."""
        self.inside.end()
        for process in list(self.stage.running):
            process.send_signal(signal.SIGCONT)
        self.stage.end()
        places = [self.stage.data / "servers", self.stage.data / "sandbox"]
        for place in places:
            keeping.let_go(place)
        for place in places:
            keeping.wait_for_end(place, 20)

    def must(self, *words: str) -> str:
        """Run a command that has to go well."""
        done = self.stage.command(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def web_answers(self) -> bool:
        """Tell whether the web does."""
        try:
            return requests.get(f"{self.stage.url}/health", timeout=2).status_code == 200
        except (requests.RequestException, OSError):
            return False

    def _listen_to_bank(self, configuration: str) -> None:
        """Let the bank tell the anchor of all that moves, as a real one's webhook does."""
        secret = configuration.partition('webhook_secret = "')[2].partition('"')[0]
        url = f"{self.stage.url}/rails/bank/webhook"
        self.stage.bank("/webhook", url=url, secret=secret)

    # -- one by one ------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a process."""
        with self._lock:
            self.absent.discard(name)
            self.processes[name] = self._starts[name]()

    def kill(self, name: str) -> None:
        """Kill a process; it stays away until `start`."""
        with self._lock:
            self.absent.add(name)
            self.stage.kill(self.processes[name])

    def pause(self, name: str) -> None:
        """Stop a process with its children in the middle of whatever it does."""
        with self._lock:
            self.absent.add(name)
            self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let it go on."""
        with self._lock:
            self._signal(name, signal.SIGCONT)
            self.absent.discard(name)

    def _signal(self, name: str, number: int) -> None:
        try:
            os.killpg(self.processes[name].pid, number)
        except ProcessLookupError:
            self.start(name)

    def look_after(self) -> None:
        """Start again what has died by itself, as a process manager does."""
        with self._lock:
            for name, process in self.processes.items():
                if name not in self.absent and process.poll() is not None:
                    self.deaths[name] += 1
                    self.start(name)

    # -- the database ----------------------------------------------------------------------

    def kill_database(self) -> None:
        """Kill PostgreSQL as a crash of the machine would: no word, nothing flushed."""
        state = json.loads((self.stage.data / "servers" / "state.json").read_text())
        pid_file = Path(state["base"]) / "postgres" / "postmaster.pid"
        os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)

    def revive_database(self) -> None:
        """Start it again, and wait until it answers on the same address."""
        before = self._url() if self.processes else None
        deadline = monotonic() + _START_S
        while not self._database_answers():
            assert monotonic() < deadline, "the database does not come back"
            try:
                keeping.use(self.stage.data / "servers", "anchor.embedded.keeper", "1")
            except AnchorError:
                sleep(0.3)
            sleep(0.1)
        keeping.use(self.stage.data / "servers", "anchor.embedded.keeper", "1")
        assert before in {None, self._url()}, "the database came back elsewhere"

    def _url(self) -> str:
        state = json.loads((self.stage.data / "servers" / "state.json").read_text())
        return str(state["postgres_port"])

    def _database_answers(self) -> bool:
        try:
            self.stage.sql("SELECT 1")
        except (psycopg.Error, OSError, ValueError):
            return False
        return True


def account_of_treasury(stage: Stage) -> str:
    """Return the one distribution account."""
    return str(stage.sql("SELECT account_id FROM accounts")[0][0])


def issuer(stage: Stage) -> str:
    """Return the secret key of the issuer of `CODE`."""
    return str(json.loads((stage.data / "secrets.json").read_text())["issuer"])


def asset_code() -> str:
    """Return the code of the one asset."""
    return CODE

"""Brokers as operators run them: RabbitMQ, and Redis behind Sentinels; all end with the test."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from anchor import brokers
from anchor.embedded import binaries
from anchor.errors import Unavailable
from tests.waiting import free_port, until

_RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Servers:
    """Some servers of a test's own; a context manager that ends what is left of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def spawn(self, name: str, *argv: str, **env: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                argv,
                cwd=self.folder,
                env={"PATH": os.defpath, "HOME": str(self.folder), **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End one by SIGKILL, with its group."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for name in list(self.running):
            self.kill(name)

    def answers(self, url: str) -> bool:
        try:
            brokers.ask(url)
        except Unavailable:
            return False
        return True


class Rabbit(Servers):
    """RabbitMQ on ports of its own; it keeps its queues over `stop` and `start`."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("pika", reason="the extra [rabbitmq] is not installed")
        epmd = shutil.which("epmd")
        if not _RABBIT.exists() or epmd is None:
            pytest.skip(
                "rabbitmq-server is not installed: `apt-get install rabbitmq-server`, "
                "or `scripts/test --all --install` as root"
            )
        super().__init__(folder)
        self.port, self.dist, self.names = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}"
        (folder / "plugins").write_text("[].\n")
        # in the foreground: the one that RabbitMQ starts itself outlives it
        self.spawn("epmd", epmd, "-port", str(self.names), "-address", "127.0.0.1")

    def start(self) -> None:
        own = str(self.folder)
        self.spawn(
            *("rabbit", str(_RABBIT)),
            RABBITMQ_NODE_PORT=str(self.port),
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_DIST_PORT=str(self.dist),
            RABBITMQ_NODENAME=f"anchor{self.port}@localhost",
            RABBITMQ_MNESIA_BASE=own,
            RABBITMQ_LOG_BASE=own,
            RABBITMQ_ENABLED_PLUGINS_FILE=f"{own}/plugins",
            RABBITMQ_CONFIG_FILE=f"{own}/none",
            ERL_EPMD_PORT=str(self.names),
            LANG="C.UTF-8",
        )
        until(lambda: self.answers(self.url), 150, "for RabbitMQ")

    def stop(self) -> None:
        """Kill it, as a power cut does."""
        self.kill("rabbit")


class Redis(Servers):
    """A Redis, perhaps several with Sentinels over them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.binary = str(binaries.find().valkey)
        self.ports: dict[str, int] = {}

    def server(self, name: str, *, replica_of: str | None = None) -> str:
        """Start a server, anew on its old port and data where it was killed; return its URL."""
        port = self.ports.setdefault(name, free_port())
        data = self.folder / name
        data.mkdir(exist_ok=True)
        follows = ["--replicaof", "127.0.0.1", str(self.ports[replica_of])] if replica_of else []
        self.spawn(
            *(name, self.binary, "--port", str(port), "--dir", str(data), "--bind", "127.0.0.1"),
            *("--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0", *follows),
        )
        url = f"redis://127.0.0.1:{port}/0"
        until(lambda: self.answers(url), 20, "for Redis")
        return url

    def sentinels(self, master: str, count: int = 3) -> str:
        """Start sentinels over a server; return the URL of their master."""
        ports = [free_port() for _ in range(count)]
        for number, port in enumerate(ports):
            file = self.folder / f"sentinel{number}.conf"
            file.write_text(
                f"port {port}\nbind 127.0.0.1\n"
                f"sentinel monitor anchor 127.0.0.1 {self.ports[master]} 2\n"
                "sentinel down-after-milliseconds anchor 1000\n"
                "sentinel failover-timeout anchor 5000\n"
            )
            self.spawn(f"sentinel{number}", self.binary, str(file), "--sentinel")
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        url = f"redis+sentinel://{hosts}/0?master=anchor"
        until(lambda: self.answers(url), 20, "for the sentinels")
        return url

"""The README's way to run it, and what is said of the accounts: as written, in an empty folder."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import requests
from stellar_sdk import Keypair

from anchor import embedded
from tests.processes.servers import Servers
from tests.processes.stage import SCRIPTS
from tests.test_docs import ROOT, text_of
from tests.waiting import free_port, until
from tests.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
#: The scripts of this environment, and this checkout.
_ENV = {"PATH": f"{SCRIPTS}:{os.defpath}", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def empty_database_url(servers: embedded.Servers) -> Iterator[str]:
    url = servers.database_url.replace("+psycopg", "")
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        # the tests' server trades it for speed
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
        yield f"{url.rpartition('/')[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _lines() -> list[str]:
    """Return the commands of the README below "Run it", after those that install."""
    part = text_of(ROOT / "README.md").partition("## Run it")[2].partition("## Read on")[0]
    found = re.findall(r"^\$ (.*?)(?: {2,}#.*)?$", part, re.MULTILINE)
    return found[2:]


def _shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env={**_ENV, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def _fill_in(folder: Path, world: World, database_url: str, broker_url: str) -> None:
    """Fill in what only the operator knows: the asset, its account, the bank, the addresses."""
    keys = (folder / "keys.env").read_text()
    distribution = Keypair.from_secret(keys.partition("_USDC=")[2].strip()).public_key
    world.create(distribution)
    changes = {
        "anchor.toml": {
            'issuer = "G…"': f'issuer = "{world.policy.issuer}"',
            'distribution = "G…"': f'distribution = "{distribution}"',
            "https://horizon-testnet.stellar.org": world.sandbox.url,
            "https://bank.example/api": f"{world.sandbox.url}/bank",
        },
        "anchor.env": {
            "DATABASE_URL=": f"DATABASE_URL={database_url}",
            "BROKER_URL=": f"BROKER_URL={broker_url}",
        },
    }
    for name, replaced in changes.items():
        text = (folder / name).read_text()
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        (folder / name).write_text(text)


def test_the_readme_runs_an_anchor(
    tmp_path: Path, world: World, empty_database_url: str, broker_url: str
) -> None:
    init, keys, env, migrate, doctor, *processes = _lines()
    done = _shell(tmp_path, f"{init}\n{keys}")
    assert done.returncode == 0, done.stderr
    _fill_in(tmp_path, world, empty_database_url, broker_url)
    done = _shell(tmp_path, f"{env}\n{migrate}")
    assert done.returncode == 0, done.stderr
    said = _shell(tmp_path, f"{env}\n{doctor}")
    assert "has no trust line" in said.stdout
    done = _shell(tmp_path, f"{env}\nflask anchor trust")
    assert done.returncode == 0, done.stdout + done.stderr
    done = _shell(tmp_path, f"{env}\n{doctor}")
    assert done.returncode == 0, done.stdout
    _run(tmp_path, env, processes)
    done = _shell(tmp_path, f"{env}\nflask anchor channels --count 1")
    assert "1 channel(s) made" in done.stdout, done.stderr


def _run(folder: Path, env: str, processes: list[str]) -> None:
    """Run the four kinds of process; the web and the scheduler without what moves money."""
    assert len(processes) == 4
    less = env.replace(". ./keys.env; ", "")
    assert less != env
    url = f"127.0.0.1:{free_port()}"
    with Servers(folder) as running:
        for number, line in enumerate(processes):
            own = less if line.startswith(("gunicorn", "TZ=UTC periodiq")) else env
            running.spawn(
                str(number),
                *("sh", "-c", f"{own}\n{line}"),
                **_ENV,
                GUNICORN_CMD_ARGS=f"--bind {url} --no-control-socket",
            )

        def is_ready() -> bool:
            with suppress(requests.RequestException):
                return requests.get(f"http://{url}/ready", timeout=5).status_code == 200
            return False

        until(is_ready, 60, "for the web to be ready")
        assert all(process.poll() is None for process in running.running.values())

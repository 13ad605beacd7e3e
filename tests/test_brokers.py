"""Brokers by their address alone: what is refused, and how long whoever rings waits."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from anchor import brokers
from anchor.addresses import broker_problem, names, sentinels
from anchor.errors import Unavailable
from tests.processes.servers import Redis
from tests.waiting import free_port, until


def test_sentinels_are_named_with_their_master() -> None:
    found = sentinels("redis+sentinel://me:s%40fe@one:26380,two,[::1]:3/2?master=anchor")
    assert found.hosts == (("one", 26380), ("two", 26379), ("::1", 3))
    assert (found.master, found.db, found.username, found.password) == ("anchor", 2, "me", "s@fe")
    assert not found.is_tls
    assert sentinels("rediss+sentinel://one/?master=m").is_tls
    assert "s@fe" not in repr(found)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://one", "must begin with redis://"),
        ("redis+sentinel://one/0", "must name the master"),
        ("redis+sentinel://one/first?master=m", "number of a database"),
        ("redis+sentinel:///0?master=m", "host:port"),
        ("redis+sentinel://one:x/0?master=m", "host:port"),
        ("redis+sentinel://one/0?master=m&quorum=2", "quorum"),
    ],
)
def test_an_address_that_is_wrong_is_refused_in_words(url: str, reason: str) -> None:
    assert reason in str(broker_problem(url))
    secret = url.replace("://", "://me:hush@")
    assert "hush" not in str(broker_problem(secret))


def test_a_name_for_a_log_has_no_password_and_no_path() -> None:
    assert names(["https://me:hush@one/KEY", "https://two:8000"]) == ["one", "two:8000"]
    assert names(["https://one/a", "https://one/b"]) == ["one (1)", "one (2)"]


def test_promise_10_the_next_master_is_found_when_the_first_one_is_killed(tmp_path: Path) -> None:
    with Redis(tmp_path) as servers:
        first = servers.server("one")
        servers.server("two", replica_of="one")
        url = servers.sentinels("one")
        assert str(servers.ports["one"]) in brokers.ask(url)
        knows_replica = _client_of(first)
        until(lambda: b"state=online" in knows_replica(), 20, "for the replica")
        servers.kill("one")
        until(lambda: _asked(url, servers.ports["two"]), 60, "for the next master")


def _client_of(url: str) -> Callable[[], bytes]:
    import redis

    client = redis.Redis.from_url(url)

    def replicas() -> bytes:
        return str(client.info("replication")).encode().replace(b"'state': '", b"state=")

    return replicas


def _asked(url: str, port: int) -> bool:
    try:
        return str(port) in brokers.ask(url)
    except Unavailable:
        return False


@pytest.mark.parametrize("kind", ["redis", "redis+sentinel", "amqp"])
def test_promise_10_ringing_a_broker_that_is_away_is_quick_and_raises_nothing(
    kind: str, tmp_path: Path
) -> None:
    if kind == "amqp":
        pytest.importorskip("pika")
    url = f"{kind}://127.0.0.1:{free_port()}/{'0?master=m' if 'sentinel' in kind else ''}"
    said = _ring(url, tmp_path)
    print(f"{kind}: {said} s")


@pytest.mark.parametrize("kind", ["redis", "redis+sentinel", "amqp"])
def test_promise_10_ringing_a_broker_that_says_nothing_raises_nothing(
    kind: str, tmp_path: Path
) -> None:
    import socket

    if kind == "amqp":
        pytest.importorskip("pika")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        url = f"{kind}://127.0.0.1:{port}/{'0?master=m' if 'sentinel' in kind else ''}"
        said = _ring(url, tmp_path)
    print(f"{kind}: {said} s")


def _ring(url: str, folder: Path) -> str:
    """Ring in a process of its own, as a web process does; return what it says."""
    code = (
        "from time import monotonic\n"
        "from types import SimpleNamespace\n"
        "from anchor.actors import doorbell, setup\n"
        "from anchor.services.jobs import Address\n"
        "from anchor.services.transactions import PAY_OUT\n"
        f"found = SimpleNamespace(settings=SimpleNamespace(broker_url={url!r}))\n"
        "setup.use(SimpleNamespace(extensions={'anchor': found}))\n"
        "began = monotonic()\n"
        "doorbell.ring([Address(PAY_OUT, str(n)) for n in range(20)])\n"
        "doorbell.ring_later(Address(PAY_OUT, 'x'), 5)\n"
        "assert doorbell._silent_until\n"
        "print(monotonic() - began)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "ANCHOR_BROKER_URL": url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(
        r"not rung \((TimeoutError|ConnectionError|MasterNotFoundError)\)", done.stderr
    )
    return done.stdout.strip()


def test_the_doctor_asks_each_kind_of_broker(tmp_path: Path) -> None:
    for url in (
        f"redis://127.0.0.1:{free_port()}/0",
        f"redis+sentinel://127.0.0.1:{free_port()}/0?master=m",
    ):
        with pytest.raises(Unavailable, match="did not answer"):
            brokers.ask(url)
    pytest.importorskip("pika")
    with pytest.raises(Unavailable, match="did not answer"):
        brokers.ask(f"amqp://127.0.0.1:{free_port()}")

"""Callbacks: signed for each attempt, in order, to nobody inside, waiting for nobody."""

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, update
from stellar_sdk import Keypair

from anchor import outgoing
from anchor.errors import Rejected, Unavailable
from anchor.extensions import db, transaction
from anchor.models import Callback, Job
from anchor.services import callbacks, jobs, retries, sweeps
from anchor.services.callbacks import CALLBACK
from tests.test_outgoing import Host, names
from tests.waiting import until
from tests.world import World

SEED = "SAAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6NKI"
BODY = b'{"transaction":{"id":"82fhs729f63dh0v4","status":"completed"}}'
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
DOWN = b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"
#: A kind of subject that only these tests have.
KIND = "parrot"
callbacks.declare(KIND, json.dumps)


class Listener(Host):
    """A host that keeps each request whole, and answers the next of its lines."""

    def __init__(self, *lines: bytes, hang: threading.Event | None = None) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.hang = hang
        super().__init__(lines, 0)

    def answer(self, connected: Any) -> None:
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += connected.recv(65536)
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        while len(body) < int(headers.get("Content-Length", 0)):
            body += connected.recv(65536)
        if self.hang is not None:
            self.hang.wait(20)
            return
        self.requests.append(({"": lines[0]} | headers, body))
        connected.sendall(self.lines[min(len(self.requests), len(self.lines)) - 1])


@contextmanager
def listening(*lines: bytes, hang: threading.Event | None = None) -> Iterator[Listener]:
    import socket

    made = Listener(*(lines or (NO_CONTENT,)), hang=hang)
    made.thread.start()
    try:
        yield made
    finally:
        if hang is not None:
            hang.set()
        made.listener.shutdown(socket.SHUT_RDWR)
        made.listener.close()
        made.thread.join()


def owe(subject: str, port: int, view: Any = "hello", host: str = "127.0.0.1") -> None:
    with transaction():
        callbacks.owe(KIND, subject, f"http://{host}:{port}/told?a=b", view)


def due_now() -> None:
    with transaction():
        db.session.execute(update(Job).values(due_at=func.now()))


def in_hands(lane: str) -> int:
    with transaction():
        held = select(func.count()).where(Job.lane == lane, Job.leased_until > func.now())
        return db.session.execute(held).scalar_one()


def deliver() -> sweeps.Tally:
    return sweeps.work_off([CALLBACK])


def only_job() -> Any:
    with transaction():
        query = select(Job).execution_options(populate_existing=True)
        return db.session.scalars(query.where(Job.kind == CALLBACK)).one()


@pytest.mark.conforms("CB-07", "CB-01", "CB-02")
def test_the_signature_is_that_of_the_vector() -> None:
    assert callbacks.signature(SEED, 1700000000, "wallet.example.com", BODY) == (
        "t=1700000000, s=rvYXbQtNT9FRz+69NT/dZpw0bTphSYBXfI1+RBewAIeszKGPHG4ZEDXcvuRaBA9o"
        "FszCAeRMErRj63KRJcQADg=="
    )


@pytest.mark.conforms("CB-03", "E-27")
@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://wallet.example", "wallet.example"),
        ("https://wallet.example:443/a?b", "wallet.example"),
        ("https://wallet.example:8443/", "wallet.example:8443"),
        ("https://Wallet.Example/", "Wallet.Example"),
    ],
)
def test_the_host_that_is_signed_has_its_port_unless_it_is_the_default(url: str, host: str) -> None:
    assert outgoing.check_address(url) == host


@pytest.mark.conforms("CB-08")
@pytest.mark.parametrize(
    "url",
    [
        *("http://wallet.example/", "ftp://wallet.example/", "wallet.example", "", "https://"),
        *("https://user:secret@wallet.example/", "https://127.0.0.1/", "https://10.0.0.1/"),
        *("https://169.254.169.254/latest", "https://[::1]/", "https://wallet.example:0/"),
        *("https://wallet.example:99999/", "https://wallet.example/\r\nX: y", "https://ä.example/"),
        *("https://0.0.0.0/", "https://192.168.1.1:443/", "https://100.64.0.1/"),
    ],
)
def test_an_address_that_is_never_told_anything_is_refused_at_once(url: str) -> None:
    with pytest.raises(Rejected):
        outgoing.check_address(url)


@pytest.mark.conforms("CB-08")
@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_inside_is_told_nothing(
    inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, "1.1.1.1", inside)
    with pytest.raises(Rejected, match="public"):
        outgoing.post("https://wallet.example/", b"{}", {}, timeout_s=2)


@pytest.mark.conforms("CB-01", "CB-02", "CB-04", "CB-06")
def test_what_is_owed_is_posted_and_signed_by_the_key_of_the_toml(quiet_world: World) -> None:
    with listening() as wallet:
        owe("1", wallet.port, {"a": "ä"})
        assert deliver().done == 1
    [(headers, body)] = wallet.requests
    assert headers[""] == "POST /told?a=b HTTP/1.1"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"a": "ä"}
    at, _, made = headers["Signature"].partition(", ")
    key = Keypair.from_secret(quiet_world.settings.signing_secret)
    signed = f"{at.removeprefix('t=')}.127.0.0.1:{wallet.port}.".encode() + body
    key.verify(signed, base64.b64decode(made.removeprefix("s=")))
    with transaction():
        row = db.session.scalars(select(Callback)).one()
        assert (row.body, row.delivered_at is None) == (None, False)


@pytest.mark.conforms("CB-06", "CB-09")
def test_a_retry_has_a_signature_of_its_own(
    quiet_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(1_700_000_000, 1_700_001_000, 100))
    real = callbacks.utcnow

    class Clock:
        """A host's clock that is read once for each signature."""

        @staticmethod
        def timestamp() -> int:
            return next(times)

        def __sub__(self, other: Any) -> Any:
            return real() - other

    monkeypatch.setattr(callbacks, "utcnow", Clock)
    with listening(DOWN, NO_CONTENT) as wallet:
        owe("1", wallet.port)
        deliver()
        assert only_job().attempts == 1
        due_now()
        deliver()
    first, second = wallet.requests
    assert first[1] == second[1]
    assert first[0]["Signature"] != second[0]["Signature"]


def test_what_is_told_of_one_subject_comes_in_order(quiet_world: World) -> None:
    with listening(DOWN, NO_CONTENT) as wallet:
        for number in range(3):
            owe("1", wallet.port, number)
        deliver()
        assert [body for _, body in wallet.requests] == [b"0"]
        owe("1", wallet.port, 3)
        deliver()
    assert [body for _, body in wallet.requests] == [b"0", b"0", b"1", b"2", b"3"]


@pytest.mark.conforms("CB-09", "CB-08")
def test_promise_12_a_host_that_hangs_delays_no_other(quiet_world: World) -> None:
    hang = threading.Event()
    with listening(hang=hang) as bad, listening() as good:
        for number in range(6):
            owe(f"bad{number}", bad.port)
        owe("good", good.port, host="localhost")
        app = quiet_world.app

        def run(subject: str) -> None:
            with app.app_context():
                jobs.run(jobs.Address(CALLBACK, subject))

        with ThreadPoolExecutor(8) as pool:
            subjects = [f"{KIND}/bad{number} 127.0.0.1:{bad.port}" for number in range(6)]
            hanging = [pool.submit(run, subject) for subject in subjects]
            pool.submit(run, f"{KIND}/good localhost:{good.port}").result(timeout=30)
            assert len(good.requests) == 1
            until(lambda: sum(not each.done() for each in hanging) <= callbacks.PER_HOST)
            assert in_hands(f"callback 127.0.0.1:{bad.port}") <= callbacks.PER_HOST
            hang.set()


@pytest.mark.parametrize(
    ("many", "attempts"), [(callbacks.RETRIES_AT_ONCE, 1), (callbacks.AT_ONCE, 0)]
)
def test_promise_12_hosts_that_hang_share_a_few_hands_whatever_their_names(
    quiet_world: World, many: int, attempts: int
) -> None:
    """Who waits for a turn has not failed: the pause after the next failure grows by none."""
    mine = Job.subject_id == f"{KIND}/1 127.0.0.1:9"
    owe("1", 9)
    with transaction():
        for number in range(many):
            hanging = Job(kind=CALLBACK, subject_id=f"x {number}", lane=f"l{number}")
            hanging.attempts = attempts + 1
            db.session.add(hanging)
            db.session.flush()
        db.session.execute(
            update(Job)
            .where(Job.lane.startswith("l"))
            .values(leased_until=func.now() + db.text("interval '1 minute'"))
        )
        db.session.execute(update(Job).where(mine).values(attempts=attempts))
    for _ in range(3):
        due_now()
        assert jobs.run(jobs.Address(CALLBACK, f"{KIND}/1 127.0.0.1:9")) is jobs.Ran.NOTHING
    with transaction():
        found = select(Job.last_error, Job.attempts, Job.due_at > func.now()).where(mine)
        assert tuple(db.session.execute(found).one()) == (None, attempts, True)


@pytest.mark.conforms("CB-09")
def test_after_days_a_person_is_asked_and_may_try_again(quiet_world: World) -> None:
    with listening(DOWN, DOWN, NO_CONTENT) as wallet:
        owe("1", wallet.port)
        deliver()
        assert quiet_world.cases() == []
        job = only_job()
        assert job.parked_at is None
        with transaction():
            db.session.execute(
                update(Callback).values(owed_at=func.now() - db.text("interval '4 days'"))
            )
        due_now()
        deliver()
        assert quiet_world.cases() == ["callback_undelivered"]
        assert only_job().parked_at is not None
        assert retries.retry(jobs.Address(CALLBACK, job.subject_id))
        assert deliver().done == 1


def test_pauses_grow_and_are_bounded(quiet_world: World) -> None:
    pauses = []
    for attempts in (1, 2, 5, 40):
        claimed = jobs.Claim(CALLBACK, "a b", "lane", attempts, 1)
        one = Callback(id=1, host="b", owed_at=callbacks.utcnow())
        with pytest.raises(jobs.Later) as caught:
            callbacks._failed(claimed, one, Unavailable("no"))
        pauses.append(caught.value.seconds)
    assert pauses == [10, 20, 160, 6 * 3600]


def test_what_is_forgotten_is_told_nobody(quiet_world: World) -> None:
    with listening() as wallet:
        owe("1", wallet.port)
        owe("12", wallet.port, "stays")
        with transaction():
            callbacks.forget(KIND, "1")
        deliver()
    assert [body for _, body in wallet.requests] == [b'"stays"']

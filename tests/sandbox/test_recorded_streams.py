"""Event streams and asynchronous submissions answer as those of the real Horizon did."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.sandbox.recording import Answer, Replay, Vector, load, objects, places, read
from tests.sandbox.test_vectors import check, without_its_own

STREAMS: list[Vector] = load("sse")
LIVE = [each["name"] for each in STREAMS if "events" in each and "cursor=now" in each["path"]]
LIVE.remove("account_payments_last_event_id")
ASYNC: list[Vector] = load("async")
TIMED_OUT: Vector = load("timeout504")[0]
SYNC: Vector = load("async_sync")[0]
BEFORE_STREAMS = 1253


@dataclass
class Stream:
    """One open stream and all that came of it."""

    replay: Replay
    vector: Vector
    opened: threading.Event = field(default_factory=threading.Event)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self) -> None:
        headers = {"Accept": "text/event-stream"} | self.vector.get("request_headers", {})
        url = self.replay.sandbox.url
        with self.replay.http.get(
            url + self.vector["path"], headers=headers, stream=True, timeout=10
        ) as response:
            self.status = response.status_code
            self.headers = Answer.of(response, url).headers if response.status_code != 200 else {}
            self.headers = self.headers or dict(response.headers)
            for piece in response.iter_content(None):
                self.text += piece.decode().replace(url, "http://horizon")
                self.opened.set()
        self.opened.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        *blocks, rest = self.text.split("\n\n")
        assert rest == ""
        found = []
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            found.append(fields | {"data": json.loads(fields["data"])})
        return found


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Any]]:
    """All streams opened at the recorded ledger; then what was sent while they were open."""
    with Replay() as replay:
        replay.play_all()
        replay.close_until(BEFORE_STREAMS)
        replay.sandbox.close_on_submit = False
        replay.sandbox.network.takes_chains = True  # as the recorded core did
        found: dict[str, Any] = {each["name"]: Stream(replay, each) for each in STREAMS}
        for stream in found.values():
            assert stream.opened.wait(5)
        found |= _play_on(replay)
        replay.sandbox.api.streams.end()
        found |= _time_out(replay)
        for each in found.values():
            if isinstance(each, Stream):
                each.thread.join(10)
        yield found


def _play_on(replay: Replay) -> dict[str, Any]:
    """Send what was recorded while the streams were open, into the recorded ledgers."""
    found: dict[str, Any] = {}
    told = _told()
    for vector in ASYNC:
        if vector["name"] == "async:after_applied":
            replay.close_until(1255)
        if vector["name"] == "async:no_sig":
            _play_told(replay, told, 1259)
        tx = vector.get("tx") or ""
        replay.go_to(read(tx)[0] if len(tx) > 8 else "", vector["at"])
        found[vector["name"]] = replay.post(vector.get("tx"), "/transactions_async")
    _play_told(replay, told, 1260, SYNC["tx"])
    waiting = threading.Thread(target=lambda: found.update(sync=replay.post(SYNC["tx"])))
    waiting.start()
    while len(replay.sandbox.network.waiting) < 3:
        time.sleep(0.01)
    _play_told(replay, told, 1261)
    _play_told(replay, told, 1262)
    replay.close_until(1262)
    waiting.join()
    return found


def _time_out(replay: Replay) -> dict[str, Answer]:
    """Submit while ingestion stands still, then look for the transaction."""
    replay.go_to("", TIMED_OUT["at"])
    replay.sandbox.close_on_submit = True
    replay.sandbox.api.submitting.timeout_s = 0.1
    replay.sandbox.network.freeze()
    answer = replay.post(TIMED_OUT["tx"])
    replay.sandbox.network.thaw()
    hash_, _ = read(TIMED_OUT["tx"])
    return {"timeout": answer, "after timeout": replay.get(f"/transactions/{hash_}")}


def _told() -> dict[str, tuple[int, int]]:
    """The envelopes that the streams tell of, with ledger and position."""
    events = objects([vector["events"] for vector in STREAMS if "events" in vector])
    sent = {each["envelope_xdr"] for each in events if "envelope_xdr" in each}
    return {tx: places()[read(tx)[0]] for tx in sent}


def _play_told(
    replay: Replay, told: dict[str, tuple[int, int]], ledger: int, *left_out: str
) -> None:
    replay.close_until(ledger - 1)
    for tx in sorted(told, key=lambda tx: told[tx]):
        if told[tx][0] == ledger and tx not in left_out:
            assert replay.post(tx, "/transactions_async").status in (201, 409)


def named(vectors: list[Vector], *, live: bool) -> list[Any]:
    wanted = [each for each in vectors if "events" in each and (each["name"] in LIVE) is live]
    return [pytest.param(each, id=each["name"]) for each in wanted]


@pytest.mark.parametrize("vector", named(STREAMS, live=False))
def test_a_stream_of_what_is_there_is_the_recorded_one(
    vector: Vector, answers: dict[str, Any]
) -> None:
    stream: Stream = answers[vector["name"]]
    assert (stream.status, stream.events) == (200, vector["events"])


@pytest.mark.parametrize("vector", named(STREAMS, live=True))
def test_a_stream_of_what_comes_tells_the_recorded_things_in_the_recorded_order(
    vector: Vector, answers: dict[str, Any]
) -> None:
    stream: Stream = answers[vector["name"]]
    assert without_its_own(stream.events) == without_its_own(vector["events"])


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in STREAMS])
def test_the_head_of_a_stream_is_the_recorded_one(vector: Vector, answers: dict[str, Any]) -> None:
    stream: Stream = answers[vector["name"]]
    assert stream.status == vector["status"]
    assert {k: stream.headers.get(k) for k in vector["headers"]} == vector["headers"]
    if "body" in vector:
        assert json.loads(stream.text) == vector["body"]


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in ASYNC])
def test_an_asynchronous_submission_is_answered_as_it_was_recorded(
    vector: Vector, answers: dict[str, Any]
) -> None:
    answer: Answer = answers[vector["name"]]
    vector = json.loads(json.dumps(vector))
    vector["body"].pop("errorResultXdr", None)  # left by Horizon 23
    check(answer, vector)


def test_a_second_submission_of_one_source_is_answered_as_it_was_recorded(
    answers: dict[str, Any],
) -> None:
    check(answers["sync"], SYNC)


def test_a_submission_that_was_not_ingested_in_time_is_answered_as_it_was_recorded(
    answers: dict[str, Any],
) -> None:
    check(answers["timeout"], TIMED_OUT)
    assert answers["after timeout"].body["successful"] is True

"""Several Horizons: one that fails, lags, or is of another network does no harm."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from anchor import create_app
from anchor.cli import group
from anchor.clock import utcnow
from anchor.errors import Misconfigured, Unavailable
from anchor.extensions import db, gateway
from anchor.ledger import failover
from anchor.ledger.failover import FailoverGateway
from anchor.sandbox.bank import Bank, application
from anchor.sandbox.network import Sandbox
from anchor.services import networks
from anchor.streams import follower
from anchor.streams.runner import Runner
from tests.deposits import Bench
from tests.front import Front
from tests.waiting import until
from tests.world import World, settings_for


@dataclass
class Pair:
    """An anchor with two sources of one network: a front of the sandbox, and the sandbox."""

    world: World
    front: Front
    journal: Path
    ends: ExitStack
    strangers: int = 0

    @property
    def gateway(self) -> FailoverGateway:
        found = gateway()
        assert isinstance(found, FailoverGateway)
        return found

    def awake(self) -> None:
        """Let the rest of every node be over."""
        for node in self.gateway.nodes:
            node.health.rests_until = 0
            node.health.vetted_until = 0

    def behind(self, into: Path) -> Sandbox:
        """Start another node of this network that has what closed until now, and no more."""
        with self.world.sandbox.network.lock:
            shutil.copy(self.journal, into)
        return self.ends.enter_context(Sandbox(state_file=into, close_every_s=0))

    def stranger(self) -> Sandbox:
        """Start a node of another network under the same name."""
        self.strangers += 1
        ahead_s = 10 * self.strangers  # else two that began in one second would be the same
        return self.ends.enter_context(
            Sandbox(close_every_s=0.05, clock=lambda: time.time() + ahead_s)
        )

    def use(self, *urls: str) -> None:
        """Let the anchor ask other sources from now on."""
        settings = replace(self.world.settings, horizon_urls=urls)
        app = create_app(settings)
        self.ends.callback(_dispose, app)
        self.world.app.extensions["anchor"] = app.extensions["anchor"]

    def latest(self) -> int:
        return self.world.sandbox.network.history.latest.sequence


@pytest.fixture
def pair(database_url: str, broker_url: str, bank: Bank, tmp_path: Path) -> Iterator[Pair]:
    journal = tmp_path / "journal"
    with ExitStack() as ends:
        mounts = {"/bank": application(bank)}
        sandbox = ends.enter_context(
            Sandbox(close_every_s=1, close_on_submit=True, mounts=mounts, state_file=journal)
        )
        front = ends.enter_context(Front(sandbox.url))
        settings = settings_for(sandbox, database_url, broker_url)
        settings = replace(settings, horizon_urls=(front.url, sandbox.url))
        app = create_app(settings)
        made = World(app, settings, sandbox, bank)
        with app.app_context():
            yield Pair(made, front, journal, ends)
            db.session.remove()
            db.engine.dispose()


def _dispose(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_the_first_source_is_asked_and_the_next_one_when_it_fails(pair: Pair) -> None:
    asked = len(pair.front.asked)
    assert gateway().account(pair.world.distribution) is not None
    assert len(pair.front.asked) > asked
    pair.front.off()
    assert gateway().account(pair.world.distribution) is not None
    assert pair.gateway.nodes[0].rests()


def test_the_first_source_is_used_again_after_its_rest(pair: Pair) -> None:
    pair.front.off()
    gateway().fee_stats()
    pair.front.on()
    asked = len(pair.front.asked)
    gateway().fee_stats()
    assert len(pair.front.asked) == asked
    pair.gateway.nodes[0].health.rests_until = 0
    gateway().fee_stats()
    assert len(pair.front.asked) > asked
    assert not pair.gateway.nodes[0].health.trouble


def test_a_source_that_fails_again_rests_longer(pair: Pair) -> None:
    node = pair.gateway.nodes[0]
    pauses = []
    pair.front.off()
    for _ in range(8):
        node.health.rests_until = 0
        before = follower.monotonic()
        gateway().fee_stats()
        pauses.append(round(node.health.rests_until - before))
    assert pauses[:3] == [5, 10, 20]
    assert pauses[-1] == 300


def test_where_all_rest_all_are_asked(pair: Pair) -> None:
    for node in pair.gateway.nodes:
        node.failed("it was unwell")
    assert gateway().fee_stats().base_fee == 100


def test_promise_14_no_source_is_no_answer(pair: Pair, tmp_path: Path) -> None:
    other = pair.ends.enter_context(Front(pair.world.sandbox.url))
    pair.use(pair.front.url, other.url)
    pair.front.off()
    other.off()
    with pytest.raises(Unavailable) as told:
        gateway().account(pair.world.distribution)
    assert pair.front.name in str(told.value)
    assert other.name in str(told.value)


def test_promise_02_a_source_of_another_network_under_the_same_name_is_never_used(
    pair: Pair,
) -> None:
    stranger = pair.stranger()
    pair.use(pair.front.url, stranger.url)
    pair.front.off()
    until(lambda: stranger.network.history.latest.sequence > pair.latest(), 30)
    with pytest.raises(Unavailable, match="adopt-network"):
        gateway().account(pair.world.distribution)
    pair.front.on()
    pair.awake()
    assert gateway().account(pair.world.distribution) is not None


def test_promise_02_a_source_that_moves_to_another_network_is_found_out(pair: Pair) -> None:
    assert gateway().account(pair.world.distribution) is not None
    pair.front.target = pair.stranger().url
    pair.front.cut()
    pair.awake()
    assert gateway().account(pair.world.distribution) is not None
    assert "adopt-network" in str(pair.gateway.nodes[0].health.trouble)


def test_promise_02_where_every_source_is_of_another_network_the_follower_stops(
    pair: Pair,
) -> None:
    pair.use(pair.stranger().url, pair.stranger().url)
    with pytest.raises(Misconfigured, match="adopt-network"):
        gateway().network()
    with pytest.raises(Misconfigured, match="adopt-network"):
        networks.stamp(gateway(), pair.world.settings.network_passphrase)
    networks.adopt(gateway(), pair.world.settings.network_passphrase)
    pair.awake()
    first, second = gateway().standing()
    assert first.trouble is None
    assert "adopt-network" in str(second.trouble)


def test_promise_06_what_a_node_that_is_behind_does_not_hold_is_not_missing(
    pair: Pair, tmp_path: Path
) -> None:
    behind = pair.behind(tmp_path / "behind")
    pair.use(pair.front.url, behind.url)
    hash_ = pair.world.pay("1")
    found = gateway().transaction(hash_)
    assert found is not None
    pair.front.off()
    with pytest.raises(Unavailable, match="was seen"):
        gateway().transaction(hash_)
    with pytest.raises(Unavailable):
        gateway().transaction("0" * 64)


def test_promise_06_the_silence_of_a_node_counts_once_it_has_caught_up(
    pair: Pair, tmp_path: Path
) -> None:
    """It was in order when it was vetted, and the other one has shown more since then."""
    behind = pair.behind(tmp_path / "behind")
    pair.use(behind.url, pair.front.url)
    first, second = pair.gateway.nodes
    gateway().fee_stats()
    hash_ = pair.world.pay("1")
    found = second.transaction(hash_)
    assert found is not None
    assert first.is_vetted()
    again = gateway().transaction(hash_)
    assert again is not None
    assert again.ledger == found.ledger
    assert first.transaction(hash_) is None


def test_promise_02_a_follower_waits_for_a_source_that_is_behind_and_is_not_stopped(
    pair: Pair, tmp_path: Path
) -> None:
    behind = pair.behind(tmp_path / "behind")
    row_id = pair.world.withdrawal()
    pair.world.pay("100", pair.world.memo(row_id))
    pair.world.read()
    pair.use(behind.url, pair.front.url)
    pair.front.off()
    [watch] = networks.watched()
    with pytest.raises(Unavailable):
        gateway().one(lambda node: networks.check(node, watch))
    with pytest.raises(Unavailable, match="before"):
        networks.check(gateway().every()[0], watch)
    pair.front.on()
    pair.awake()
    assert gateway().one(lambda node: networks.check(node, watch)) is pair.gateway.nodes[1]


def test_promise_02_the_next_source_is_followed_where_the_first_lacks_history(
    pair: Pair, tmp_path: Path
) -> None:
    for _ in range(3):
        pair.world.sandbox.network.close_ledger()
    short = pair.behind(tmp_path / "short")
    short.network.forget_before(short.network.history.latest.sequence)
    pair.use(short.url, pair.world.sandbox.url)
    [watch] = networks.watched()
    assert gateway().one(lambda node: networks.check(node, watch)) is pair.gateway.nodes[1]


def test_promise_06_a_submission_without_an_answer_is_not_handed_to_the_next_source(
    pair: Pair,
) -> None:
    other = pair.ends.enter_context(Front(pair.world.sandbox.url))
    pair.use(pair.front.url, other.url)
    pair.front.swallowed = 1
    gateway().fee_stats()
    with pytest.raises(Unavailable, match="look the hash up"):
        gateway().submit_async("AAAA")
    assert (pair.front.posts(), other.posts()) == (1, 0)


def test_promise_06_a_deposit_is_paid_once_when_its_source_dies_while_it_is_handed_in(
    pair: Pair,
) -> None:
    bench = Bench(pair.world)
    account = bench.account().public_key
    row_id = bench.deposit(account)
    pair.front.swallowed = 1
    bench.wait(row_id, hurry=True)
    assert pair.front.swallowed == 0
    assert bench.held(account) == "99.0000000"
    assert bench.sql("SELECT count(*) FROM submissions WHERE state = 'confirmed'") == [(1,)]
    assert bench.sql("SELECT count(*) FROM envelopes") == [(1,)]


def test_promise_02_a_stream_goes_on_with_the_next_source(pair: Pair) -> None:
    credited: list[str] = []
    runner = Runner(pair.world.app, credited.extend)
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    try:
        first = pair.world.withdrawal()
        pair.world.pay("100", pair.world.memo(first))
        until(lambda: first in credited, 60)
        second = pair.world.withdrawal()
        pair.front.off()
        pair.world.pay("100", pair.world.memo(second))
        until(lambda: second in credited, 60)
        pair.front.on()
        third = pair.world.withdrawal()
        pair.world.sandbox.api.streams.end()
        pair.world.pay("100", pair.world.memo(third))
        until(lambda: third in credited, 60)
    finally:
        runner.stop.set()
        thread.join()
    assert pair.world.verdicts() == ["credited"] * 3


def test_the_doctor_and_the_status_name_each_source(pair: Pair) -> None:
    def said(*words: str) -> Any:
        return pair.world.app.test_cli_runner().invoke(group, list(words))

    assert f"ok      horizon {pair.front.name}" in said("doctor").output
    pair.front.off()
    found = said("doctor")
    assert f"FAILED  horizon {pair.front.name}" in found.output
    assert found.exit_code == 1
    told = said("status").output
    assert f"{pair.front.name} is not in use" in told
    assert f"{pair.world.sandbox.url.removeprefix('http://')} is asked instead" in told


def test_threads_without_an_application_ask_too(pair: Pair) -> None:
    source = gateway()
    pair.awake()
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(source.fee_stats()))
    thread.start()
    thread.join()
    assert len(found) == 1


def test_many_threads_do_not_wait_for_a_source_that_one_of_them_tries(pair: Pair) -> None:
    gateway().fee_stats()
    pair.front.off()
    gateway().fee_stats()
    pair.gateway.nodes[0].health.rests_until = 0
    with pair.gateway.nodes[0].health.vetting:
        assert gateway().fee_stats().base_fee == 100


def test_a_source_whose_ledgers_have_stopped_is_asked_only_where_no_other_is_better(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = pair.behind(tmp_path / "stopped")
    pair.use(stopped.url, pair.front.url)
    monkeypatch.setattr(failover, "utcnow", lambda: utcnow() + timedelta(hours=1))
    pair.world.sandbox.network.set_clock_ahead(3600)
    pair.world.sandbox.network.close_ledger()
    newest = stopped.network.history.latest.sequence
    assert gateway().network().latest_ledger > newest
    assert pair.gateway.nodes[0].health.is_stale
    assert gateway().standing()[0].trouble is not None


def test_where_all_ledgers_have_stopped_the_first_source_is_asked(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "utcnow", lambda: utcnow() + timedelta(hours=1))
    asked = len(pair.front.asked)
    assert gateway().fee_stats().base_fee == 100
    assert len(pair.front.asked) > asked

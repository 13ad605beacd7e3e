"""What goes wrong: each kind of fault is an act that is drawn from the seed, with its undo."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import sleep

import psycopg
import redis
import requests

from tests.chaos.cast import Cast
from tests.chaos.plan import Strike

_SURGE = 2_000


class Faults:
    """Strikes a cast. `counts` says how often each kind was done to the end.

    One fault of a target at a time: whoever is away already is not killed once more.
    """

    def __init__(self, cast: Cast, log: Callable[[str], None]) -> None:
        self.cast = cast
        self.counts: Counter[str] = Counter()
        self._log = log
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def strike(self, strike: Strike) -> None:
        """Do one fault with its undo; it takes as long as the fault lasts."""
        dice = random.Random(strike.dice)
        self._log(f"fault: {strike.kind} for {strike.lasts_s} s")
        try:
            KINDS[strike.kind](self, strike.lasts_s, dice)
        except (requests.RequestException, psycopg.Error, redis.RedisError, OSError) as error:
            self._log(f"fault: {strike.kind} could not be done: {error!r}")
            return
        self.counts[strike.kind] += 1

    def insist(self, act: str, scope: str, subject: str) -> None:
        """Pause or resume, until that is certain."""
        while "error" in self.cast.inside.ask(act, scope=scope, subject=subject):
            sleep(0.5)

    def all_is_well(self) -> None:
        """Undo what may be left over: nothing is wrong from now on."""
        for name in self.cast.names:
            if name in self.cast.absent:
                self.cast.resume(name)
        self._network("thaw")
        self._network("surge", stroops=100)
        self._network("streams", fault="stall", seconds=0)
        for at in ("transfers", "deposits", "webhook"):
            self._bank(at=at)

    def _alone(self, target: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(target, threading.Lock())

    def _network(self, knob: str, **body: object) -> None:
        url = f"{self.cast.stage.network}/sandbox/{knob}"
        requests.post(url, json=body, timeout=10).raise_for_status()

    def _bank(self, **body: object) -> None:
        url = f"{self.cast.stage.network}/bank/misbehave"
        requests.post(url, json=body, timeout=10).raise_for_status()


Act = Callable[[Faults, float, random.Random], None]
KINDS: dict[str, Act] = {}


def _kind(name: str) -> Callable[[Act], Act]:
    def keep(act: Act) -> Act:
        KINDS[name] = act
        return act

    return keep


# -- processes -----------------------------------------------------------------------------


def _killed(*names: str) -> Act:
    def act(faults: Faults, lasts_s: float, dice: random.Random) -> None:
        name = dice.choice(names)
        with faults._alone(name):
            faults.cast.kill(name)
            sleep(lasts_s / 3)
            faults.cast.start(name)

    return act


def _paused(*names: str) -> Act:
    def act(faults: Faults, lasts_s: float, dice: random.Random) -> None:
        name = dice.choice(names)
        with faults._alone(name):
            faults.cast.pause(name)
            sleep(lasts_s * dice.choice((1, 1, 3)))  # at times beyond a lease of 15 seconds
            faults.cast.resume(name)

    return act


for _name, _targets in {
    "stream": ("stream 1", "stream 2"),
    "worker": ("worker 1", "worker 2"),
    "scheduler": ("scheduler", "bell"),
}.items():
    KINDS[f"{_name} killed"] = _killed(*_targets)
    KINDS[f"{_name} paused"] = _paused(*_targets)
KINDS["web killed"] = _killed("web")


@_kind("all workers killed at once")
def _all_workers(faults: Faults, _lasts_s: float, _dice: random.Random) -> None:
    names = ("worker 1", "worker 2")
    with faults._alone(names[0]), faults._alone(names[1]):
        for name in names:
            faults.cast.kill(name)
        for name in names:
            faults.cast.start(name)


@_kind("outflow paused by a person")
def _brake(faults: Faults, lasts_s: float, dice: random.Random) -> None:
    scope, subject = dice.choice((("all", ""), ("rail", "bank"), ("rail", "stellar")))
    with faults._alone("brake"):
        faults.insist("pause", scope, subject)
        sleep(lasts_s / 2)
        faults.insist("resume", scope, subject)


# -- servers -------------------------------------------------------------------------------


@_kind("PostgreSQL killed")
def _database(faults: Faults, _lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("database"):
        faults.cast.kill_database()
        faults.cast.revive_database()


@_kind("connections to PostgreSQL cut")
def _cut(faults: Faults, _lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("database"):
        faults.cast.stage.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


@_kind("leases run out in their holders' hands")
def _leases(faults: Faults, _lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("database"):
        faults.cast.stage.sql("UPDATE jobs SET leased_until = now() WHERE leased_until > now()")


@_kind("broker killed")
def _broker(faults: Faults, lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("broker"):
        faults.cast.broker.kill()
        sleep(lasts_s / 3)
        faults.cast.broker.start()


@_kind("broker flushed")
def _flushed(faults: Faults, _lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("broker"):
        faults.cast.broker.client.flushall()


@_kind("broker paused")
def _broker_paused(faults: Faults, lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("broker"), suppress(redis.TimeoutError):
        faults.cast.broker.client.execute_command("CLIENT", "PAUSE", int(lasts_s * 1000), "ALL")


# -- the network ---------------------------------------------------------------------------


def _posts(*answers: str) -> Act:
    def act(faults: Faults, _lasts_s: float, dice: random.Random) -> None:
        faults._network("misbehave", answer=dice.choice(answers), times=dice.randint(2, 6))

    return act


for _name, _answers in {
    "submission applied, answered by 504": ("504-applied",),
    "submission lost, answered by 504": ("504-lost",),
    "submission applied, connection cut": ("cut-applied",),
    "submission lost, connection cut": ("cut-lost",),
    "submission answered by tx_bad_seq": ("bad-seq",),
    "submission turned away": ("try-again-later", "503", "503-stale", "429", "500"),
}.items():
    KINDS[_name] = _posts(*_answers)


@_kind("network answers nothing but errors")
def _down(faults: Faults, lasts_s: float, dice: random.Random) -> None:
    for _ in range(max(2, int(lasts_s))):
        answer = dice.choice(("500", "503", "504", "cut", "503-stale", "429"))
        path = dice.choice(("/", "/accounts", "/transactions", "/fee_stats"))
        faults._network("misbehave", get=path, answer=answer, times=6)
        faults._network("misbehave", answer=dice.choice(("500", "503")), times=2)
        sleep(0.5)


@_kind("fees raised")
def _fees(faults: Faults, lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("fees"):
        faults._network("surge", stroops=_SURGE)
        sleep(lasts_s)
        faults._network("surge", stroops=100)


@_kind("ledgers not shown for a while")
def _frozen(faults: Faults, lasts_s: float, _dice: random.Random) -> None:
    with faults._alone("freeze"):
        faults._network("freeze")
        sleep(lasts_s)
        faults._network("thaw")


@_kind("event stream stalled")
def _stalled(faults: Faults, lasts_s: float, _dice: random.Random) -> None:
    faults._network("streams", fault="stall", seconds=int(lasts_s) + 1)


@_kind("event stream closed")
def _closed(faults: Faults, _lasts_s: float, dice: random.Random) -> None:
    faults._network(dice.choice(("end-streams", "drop-streams")))


@_kind("events repeated")
def _repeated(faults: Faults, _lasts_s: float, dice: random.Random) -> None:
    faults._network("streams", fault="repeat", times=dice.randint(2, 9))


@_kind("events out of order")
def _reordered(faults: Faults, _lasts_s: float, dice: random.Random) -> None:
    faults._network("streams", fault=dice.choice(("reorder", "error")), times=dice.randint(1, 4))


# -- the bank ------------------------------------------------------------------------------


def _bank(at: str, mode: str, seconds: int = 0) -> Act:
    def act(faults: Faults, _lasts_s: float, dice: random.Random) -> None:
        faults._bank(at=at, mode=mode, seconds=seconds, times=dice.randint(2, 5))

    return act


for _name, (_at, _mode, _seconds) in {
    "bank takes the money and answers too late": ("transfers", "slow", 4),
    "bank hangs before it takes the money": ("transfers", "hang", 4),
    "bank slow": ("transfers", "slow", 1),
    "bank answers 500": ("transfers", "fail-before", 0),
    "bank takes the money and falls over": ("transfers", "die-after", 0),
    "bank's list answers 500": ("deposits", "fail-before", 0),
    "bank's list too slow": ("deposits", "slow", 4),
    "webhook lost": ("webhook", "lost", 0),
    "webhook twice": ("webhook", "twice", 0),
    "webhook late": ("webhook", "slow", 3),
}.items():
    KINDS[_name] = _bank(_at, _mode, _seconds)

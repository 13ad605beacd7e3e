"""Several sources of one network, used in order: the first healthy one answers.

What is promised here:

- **One answer, one node.** Each method is answered by one node, whole. Who draws a conclusion
  from two answers asks for a node by `one`, and asks it both (money rules 12 and 13).
- **Never another network, never the past.** A node is vetted before it is used, and again once
  a minute: same passphrase, same hash of a stored ledger, newest ledger not behind what the
  database has seen. “It is not there” counts only from a node that is not behind what any node
  has shown to this process.
- **Nothing is handed in twice.** A submission without an answer is *unknown*: it is told as
  such and not repeated here. The next look-up, or the next time the same bytes are handed in,
  goes to the next node.
- A node that fails rests: 5 seconds, then twice as long each time, up to 5 minutes. One caller
  tries it again; the others go on meanwhile. Those that rest are asked where no other answers.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from anchor.clock import utcnow
from anchor.errors import Misconfigured, Unavailable
from anchor.ledger import outside
from anchor.ledger.gateway import (
    Gateway,
    LedgerAccount,
    LedgerMark,
    LedgerTransaction,
    NetworkState,
    NodeStanding,
    PaymentPage,
    SubmitAnswer,
)
from anchor.ledger.landmarks import Landmarks
from anchor.ledger.passing import Passing

log = logging.getLogger(__name__)

T = TypeVar("T")

_VETTED_S = 60
_REST_S = 5
_REST_MAX_S = 300
#: A node that is behind by a ledger or two will not be for long.
_BEHIND_S = 1
#: A node whose newest ledger is older than this is used only where no other is better.
_STALE = timedelta(seconds=60)


class Behind(Unavailable):
    """The node knows less than was seen elsewhere; it will catch up."""


@dataclass
class _Health:
    """What is known of one node; `newest` is the newest ledger that it has shown."""

    name: str
    newest: int = 0
    failures: int = 0
    rests_until: float = 0
    vetted_until: float = 0
    is_stale: bool = False
    trouble: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    vetting: threading.Lock = field(default_factory=threading.Lock)


class Node(Passing):
    """One node, and its health: what it answers itself, and nothing of any other."""

    def __init__(self, name: str, source: Gateway) -> None:
        self.source = source
        self.health = _Health(name)

    def one(self, suits: Callable[[Gateway], object] | None = None) -> Gateway:
        """See `Gateway.one`."""
        if suits is not None:
            suits(self)
        return self

    def every(self) -> Sequence[Gateway]:
        """See `Gateway.every`."""
        return (self.source,)

    def standing(self) -> Sequence[NodeStanding]:
        """See `Gateway.standing`."""
        return ()

    def _ask(self, act: Callable[[Gateway], T]) -> T:
        try:
            answer = act(self.source)
        except Unavailable as error:
            self.failed(str(error))
            raise
        self._saw(answer)
        return answer

    def _follow(self, act: Callable[[Gateway], Iterator[PaymentPage]]) -> Iterator[PaymentPage]:
        try:
            for page in act(self.source):
                self._saw(page)
                yield page
        except Unavailable as error:
            self.failed(str(error))
            raise

    def _saw(self, answer: object) -> None:
        health = self.health
        with health.lock:
            health.newest = max(health.newest, _ledger_of(answer))

    def failed(self, why: str, rest_s: int | None = None) -> None:
        """Let it rest: for `rest_s`, or longer each time it fails in a row."""
        health = self.health
        with health.lock:
            health.vetted_until = 0
            health.trouble = why
            if monotonic() < health.rests_until:
                return  # another caller's failure, and the same one
            if rest_s is None:
                health.failures += 1
                rest_s = min(_REST_MAX_S, _REST_S << min(health.failures - 1, 10))
            health.rests_until = monotonic() + rest_s
        log.warning("the network by %s: %s; it rests for %d s", health.name, why, rest_s)

    def rests(self) -> bool:
        """Tell whether it failed lately."""
        return monotonic() < self.health.rests_until

    def is_vetted(self) -> bool:
        """Tell whether it was looked at lately, and was in order."""
        return monotonic() < self.health.vetted_until

    def passed(self, state: NetworkState) -> None:
        """Note that it is of our network and up to date."""
        health = self.health
        is_stale = utcnow() - state.latest_closed_at > _STALE
        with health.lock:
            if health.trouble or is_stale != health.is_stale:
                log.info("the network by %s: %s", health.name, "stale" if is_stale else "in order")
            health.newest = max(health.newest, state.latest_ledger)
            health.is_stale = is_stale
            health.failures, health.rests_until, health.trouble = 0, 0, None
            health.vetted_until = monotonic() + _VETTED_S


class FailoverGateway(Passing):
    """Asks the first of several nodes that is healthy and of our network; thread-safe.

    `landmarks` tells what the database knows of the network. `Misconfigured` is raised only
    where every node answered and none is of our network; else `Unavailable`.
    """

    def __init__(
        self,
        sources: Sequence[tuple[str, Gateway]],
        landmarks: Callable[[], Landmarks],
    ) -> None:
        self.nodes = tuple(Node(name, source) for name, source in sources)
        self._landmarks = landmarks

    def one(self, suits: Callable[[Gateway], object] | None = None) -> Gateway:
        """See `Gateway.one`."""

        def chosen(node: Node) -> Gateway:
            return node.one(suits)

        return self._first(chosen)

    def every(self) -> Sequence[Gateway]:
        """See `Gateway.every`."""
        return tuple(node.source for node in self.nodes)

    def standing(self) -> Sequence[NodeStanding]:
        """See `Gateway.standing`."""
        outside.check()
        found = []
        for node in self.nodes:
            trouble = None
            try:
                self._vet(node, self._landmarks())
            except (Unavailable, Misconfigured) as error:
                trouble = str(error)
            stale = "its newest ledger is old" if node.health.is_stale else None
            found.append(NodeStanding(node.health.name, trouble or stale, node.health.newest))
        return found

    def submit(self, envelope_xdr: str) -> LedgerTransaction:
        """See `Gateway.submit`: by one node, once."""
        return self.one().submit(envelope_xdr)

    def submit_async(self, envelope_xdr: str) -> SubmitAnswer:
        """See `Gateway.submit_async`: by one node, once."""
        return self.one().submit_async(envelope_xdr)

    def _ask(self, act: Callable[[Gateway], T]) -> T:
        return self._first(lambda node: self._answer(node, act))

    def _follow(self, act: Callable[[Gateway], Iterator[PaymentPage]]) -> Iterator[PaymentPage]:
        yield from act(self.one())

    def _answer(self, node: Node, act: Callable[[Gateway], T]) -> T:
        answer = act(node)
        if answer is None:
            newest = max(each.health.newest for each in self.nodes)
            if node.health.newest < newest:
                self._catches_up(node, newest)
                answer = act(node)  # only now does its silence say something
        return answer

    @staticmethod
    def _catches_up(node: Node, newest: int) -> None:
        latest = node.network().latest_ledger
        if latest < newest:
            raise Behind(f"it ends at ledger {latest}, and ledger {newest} was seen")

    def _first(self, act: Callable[[Node], T]) -> T:
        """Return what the first suitable node makes of `act`: those that rest come last."""
        outside.check()
        problems: dict[str, Exception] = {}
        stale: list[Node] = []
        for node in sorted(self.nodes, key=Node.rests):
            try:
                self._make_sure(node)
                if not node.health.is_stale:
                    return act(node)
                stale.append(node)
            except (Unavailable, Misconfigured) as error:
                problems[node.health.name] = error
        for node in stale:
            try:
                return act(node)
            except (Unavailable, Misconfigured) as error:
                problems[node.health.name] = error
        raise self._no_answer(problems)

    def _no_answer(self, problems: dict[str, Exception]) -> Exception:
        told = "; ".join(f"{name}: {error}" for name, error in problems.items())
        everywhere = len(problems) == len(self.nodes)
        if everywhere and all(isinstance(error, Misconfigured) for error in problems.values()):
            return Misconfigured(str(next(iter(problems.values()))))
        return Unavailable(told or "no source of the network answers")

    def _make_sure(self, node: Node) -> None:
        """Vet a node whose time has come; one caller does, the others do not wait for a bad one."""
        health = node.health
        if node.is_vetted():
            return
        failures, is_known = health.failures, bool(health.vetted_until or health.trouble)
        if not health.vetting.acquire(blocking=not is_known or node.rests()):
            if health.trouble is None:
                return
            raise Unavailable("somebody else tries whether it is back")
        try:
            if health.failures > failures:
                raise Unavailable(health.trouble or "it failed")
            if not node.is_vetted():
                self._vet(node, self._landmarks())
        finally:
            health.vetting.release()

    def _vet(self, node: Node, known: Landmarks) -> None:
        """Raise where a node is not to be used: of another network, behind, or silent."""
        try:
            state = self._vetted(node, known)
        except Behind as error:
            node.failed(str(error), _BEHIND_S)
            raise
        except Misconfigured as error:
            node.failed(str(error))
            raise
        node.passed(state)

    def _vetted(self, node: Node, known: Landmarks) -> NetworkState:
        source = node.source
        try:
            state = source.network()
            known.compare(state, source.ledger)
        except Unavailable as error:
            node.failed(str(error))
            raise
        newest = max(known.newest, *(each.health.newest for each in self.nodes))
        if state.latest_ledger < newest:
            raise Behind(f"it ends at ledger {state.latest_ledger}, and ledger {newest} was seen")
        return state


def _ledger_of(answer: object) -> int:
    """Return the newest ledger that an answer shows; 0 where it shows none."""
    if isinstance(answer, NetworkState):
        return answer.latest_ledger
    if isinstance(answer, LedgerMark):
        return answer.sequence
    if isinstance(answer, LedgerAccount):
        return answer.ledger or 0
    if isinstance(answer, LedgerTransaction):
        return answer.ledger
    if isinstance(answer, PaymentPage):
        return answer.payments[-1].ledger if answer.payments else 0
    return 0

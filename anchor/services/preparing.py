"""Asking the RPC what calls of contracts take, while all other work goes on.

A call that has no envelope yet waits for the answer; nothing else does (promise 12). An answer is
good for a few seconds and for the submission that it was asked for: whoever builds another
envelope later asks anew.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic

from anchor.errors import Unavailable
from anchor.extensions import house, settings
from anchor.ledger.contract_gateway import ContractGateway, Prepared

#: An answer is asked for anew when it is that old: longer than a slow RPC takes to give it.
_FRESH_S = 30
_HANDS = 4


class BeingAsked(Unavailable):
    """The RPC is being asked: come again in a moment."""


class TooDear(Unavailable):
    """The RPC has told what the call takes, and that costs more than we pay."""


class Untold(Unavailable):
    """What the call takes is not known now, or is too dear: the reason is its text."""


@dataclass(frozen=True)
class _Asked:
    answer: "Future[Prepared]"
    at: float


class Preparing:
    """What one stretch of work has asked the RPC, and been told. Not thread-safe itself."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_HANDS, thread_name_prefix="preparing")
        self._asked: dict[int, _Asked] = {}

    def of(self, submission_id: int, envelope_xdr: str, within_s: int = _FRESH_S) -> Prepared:
        """Return what the call of a submission takes, asked for `within_s` seconds before now.

        Raises `BeingAsked` until that was found out, `TooDear`, `Unavailable` where the RPC gave
        no answer, and `CallFails` where the call would fail; the next one who asks asks anew then.
        """
        asked, oldest = self._asked.get(submission_id), monotonic() - min(within_s, _FRESH_S)
        if asked is None or (asked.answer.done() and asked.at < oldest):
            answer = self._pool.submit(_rpc().prepare, envelope_xdr)
            asked = self._asked[submission_id] = _Asked(answer, monotonic())
        if not asked.answer.done():
            raise BeingAsked("the RPC is being asked what the call takes")
        if asked.answer.exception() is not None:
            del self._asked[submission_id]
        return affordable(asked.answer.result())

    def close(self) -> None:
        """Wait for nobody: what the RPC says from now on nobody hears."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def ask(envelope_xdr: str) -> Prepared:
    """Ask the RPC what a call takes, and wait for that; raises as `Preparing.of` does."""
    return affordable(_rpc().prepare(envelope_xdr))


def _rpc() -> ContractGateway:
    found = house().contracts
    if found is None:  # no longer: what was queued waits until there is one again
        raise Unavailable("no RPC is configured, and a contract account waits to be paid")
    return found


def affordable(prepared: Prepared) -> Prepared:
    """Return what was found, or raise `TooDear` where it costs more than we pay."""
    ceiling = settings().resource_fee_max
    if prepared.resource_fee > ceiling:
        raise TooDear(
            f"the resources of the call cost {prepared.resource_fee} stroops, above "
            f"resource_fee_max ({ceiling})"
        )
    return prepared

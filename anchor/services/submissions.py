"""Bringing what is queued for a source account to the ledger, exactly once.

Money leaves in *submissions*: one sequence number of one channel, and the operations that it
carries. Every envelope of a submission has that number, so the ledger takes one of them at
most; a submission is given up only with proof that it can take none (promise 6).

The crash windows, and what the next holder of the job finds:

1. before the submission is committed: outflows in the queue;
2. after it, before an envelope is stored: a submission without one; it is built and stored.
   Nobody outside has seen any. What pays a contract is simulated before that (the RPC is told
   what would be called, with no sequence number that counts and unsigned): simulated again, or,
   where the RPC does not answer, put back into the queue, so that it keeps no channel;
3. after that, before all have signed: a stored envelope that lacks signatures; custody is
   asked about that same one again, people find it in the list (`anchor.services.signing`);
4. after that, before or while it is handed in: a stored envelope; the same bytes are handed in
   again, or its hash is found in a ledger;
5. after it is in a ledger, before our record: the look-up by hash finds it.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from time import monotonic, sleep
from typing import Any, TypeVar, cast

from anchor.errors import AnchorError, Unavailable
from anchor.extensions import gateway, settings, transaction
from anchor.ledger.gateway import Gateway, LedgerTransaction, SubmitAnswer
from anchor.ledger.orders import places
from anchor.services import (
    batches,
    channels,
    custodian_payments,
    custodians,
    jobs,
    networks,
    queues,
    settling,
    slots,
    unseen,
)
from anchor.services.deposit_payments import DRIVE, lane_of
from anchor.services.preparing import BeingAsked, Preparing
from anchor.services.queues import Standing
from anchor.services.signers import Signers
from anchor.services.slots import Slot

log = logging.getLogger(__name__)

T = TypeVar("T")

_LEASE_S = 120
#: The lease is taken anew that often at most.
_EXTEND_S = 5
#: What was handed in is looked up that often at least.
_LOOK_S = 5
_STRETCH_S = 45
_REST_MS = 150
_RETRY_S = 5
_SIGNATURES_S = 60
_POOL = 8


def drive(claimed: jobs.Claim) -> None:
    """Work off the queue of one source account until it is empty; the job `DRIVE`.

    Where a custodian pays, it is given what is queued, each order by a job of its own; what
    was submitted before is brought to its end here. Raises `jobs.Later` where something waits:
    for liquidity, signatures, or a ledger; `Misconfigured` where the source is of another
    network than what is queued was meant for.
    """
    source = claimed.subject_id
    networks.verify(gateway(), settings().network_passphrase)
    if custodians.current() is not None and not queues.standing(source).open:
        custodian_payments.owe(source)
        return
    channels.prepare(gateway(), source)
    with (
        ThreadPoolExecutor(_POOL, thread_name_prefix="submissions") as pool,
        closing(Preparing()) as calls,
    ):
        extend = _now_and_then(lambda: jobs.extend(claimed))
        driver = _Driver(source, gateway(), pool, extend, Signers(gateway(), calls))
        until = monotonic() + _STRETCH_S
        while monotonic() < until:
            moved = driver.round()
            standing = queues.standing(source)
            if not standing.open and custodians.current() is not None:
                custodian_payments.owe(source)
                return
            if not standing.open and not (moved and standing.queued_now):
                if standing.queued_later:
                    raise jobs.Later(_RETRY_S, "what is queued waits")
                if not standing.queued_now:
                    return
                raise jobs.Later(1, "no channel is free")
            if standing.open and standing.waits_for_signatures == standing.open:
                raise jobs.Later(_signatures_in_s(standing), "envelopes wait for signatures")
            if not moved:
                sleep(_REST_MS / 1000)
    raise jobs.Later(0, "there is more to do")


def bring_to_end(claimed: jobs.Claim, submission_id: int, timeout_s: int) -> bool:
    """Bring one submission of an account to its end, and begin no other; False: it is open still.

    Its envelope is stored. `claimed` is the account's job; raises `jobs.Superseded` where that
    was lost.
    """
    source, deadline = claimed.subject_id, monotonic() + timeout_s
    with (
        ThreadPoolExecutor(1, thread_name_prefix="submissions") as pool,
        closing(Preparing()) as calls,
    ):
        extend = _now_and_then(lambda: jobs.extend(claimed))
        driver = _Driver(source, gateway(), pool, extend, Signers(gateway(), calls))
        while monotonic() < deadline:
            opened = [slot for slot in slots.opened(source) if slot.id == submission_id]
            if not opened:
                return True
            extend()
            driver.see_to(cast("Gateway", _Round(gateway())), opened)
            sleep(_REST_MS / 1000)
    return False


def _signatures_in_s(standing: Standing) -> int:
    """Return how long to leave envelopes alone that lack signatures; an import wakes us."""
    if standing.queued_now or standing.queued_later:
        return _RETRY_S
    soonest = _SIGNATURES_S if standing.ask_in_s is None else standing.ask_in_s
    return max(1, min(_SIGNATURES_S, soonest))


def _now_and_then(extend: Callable[[], None]) -> Callable[[], None]:
    """Make of what takes the lease anew what does so once in a while, but at first at once."""
    last = [monotonic() - _LEASE_S]

    def now_and_then() -> None:
        if monotonic() - last[0] > _EXTEND_S:
            extend()
            last[0] = monotonic()

    return now_and_then


class _Round:
    """The ledger's source for one round: what holds for all submissions is asked for once."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.network = cache(gateway.network)
        self.fee_stats = cache(gateway.fee_stats)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)


@dataclass
class _Driver:
    """One stretch of work on the submissions of a source account.

    `ledger` is the newest one when what was handed in was looked up last, at `looked_at`: it
    is not looked up again before there is another, or some seconds have passed.
    """

    source: str
    gateway: Gateway
    pool: ThreadPoolExecutor
    extend: Callable[[], None]
    signers: Signers
    ledger: int = 0
    looked_at: float = 0

    def round(self) -> bool:
        """Fill free channels, hand in what is new, and look up what was handed in.

        Tell whether a submission has ended, so that its channel is free at once.
        """
        from anchor.services import signing  # it brings stellar_sdk, a third of the memory

        self.extend()
        gateway = cast("Gateway", _Round(self.gateway))
        we_sign = custodians.current() is None
        if we_sign:
            queues.fill(self.source, self.signers.room(self.source))
        else:
            unseen.give_up_all(self.source)
        opened = slots.opened(self.source)
        fresh = [slot for slot in opened if not slot.is_ready and we_sign]
        self._each(lambda slot: signing.complete(gateway, slot, self.signers), fresh)
        if fresh:
            opened = slots.opened(self.source)
        return self.see_to(gateway, opened)

    def see_to(self, gateway: Gateway, opened: Sequence[Slot]) -> bool:
        """Hand in what is new of some, and look up what was; tell whether any has ended so."""
        taken = self._submit([slot for slot in opened if slot.is_ready and not slot.is_submitted])
        handed_in = [slot for slot in opened if slot.envelopes and slot.id not in taken]
        if handed_in and self._is_time_to_look(gateway):
            return self._conclude(gateway, [slot for slot in handed_in if self._is_live(slot)])
        return False

    def _is_live(self, slot: Slot) -> bool:
        """Whether to look it up: what lacks signatures may be handed in by others, so seldom."""
        return slot.is_ready or self.signers.is_new(("looked up", slot.id))

    def _is_time_to_look(self, gateway: Gateway) -> bool:
        """Tell whether there is a ledger that was not there when we looked last."""
        try:
            latest = gateway.network().latest_ledger
        except Unavailable:
            latest = self.ledger
        if latest <= self.ledger and monotonic() - self.looked_at < _LOOK_S:
            return False
        self.ledger, self.looked_at = latest, monotonic()
        return True

    def _each(self, act: Callable[[Slot], None], chosen: Sequence[Slot]) -> None:
        """Do something for each slot; one that fails stops no other (promise 12)."""
        for slot in chosen:
            self.extend()
            try:
                act(slot)
            except BeingAsked:
                pass  # it has its turn again in a moment
            except Unavailable as error:
                log.warning("submission %s: %s", slot.id, error)
            except Exception as error:
                _in_trouble(slot.id, error)

    def _asked(
        self, ask: Callable[[Slot], T | None], chosen: Sequence[Slot]
    ) -> list[tuple[Slot, T]]:
        """Ask the ledger about several slots at once; leave out those without an answer."""

        def guarded(slot: Slot) -> T | None:
            try:
                return ask(slot)
            except AnchorError as error:
                log.warning("submission %s: %s", slot.id, error)
                return None

        answers = zip(chosen, self.pool.map(guarded, chosen), strict=True)
        return [(slot, answer) for slot, answer in answers if answer is not None]

    def _submit(self, chosen: Sequence[Slot]) -> set[int]:
        """Hand in; return those that were taken, and that no ledger can hold yet."""
        answers = [(slot, _told(answer)) for slot, answer in self._asked(self._hand_in, chosen)]
        if answers:
            slots.answered(answers)
        return {slot.id for slot, told in answers if told == "pending"}

    def _hand_in(self, slot: Slot) -> SubmitAnswer:
        """Hand the newest envelope in. Whatever the answer, only a ledger decides."""
        return self.gateway.submit_async(slot.newest.envelope_xdr)

    def _conclude(self, gateway: Gateway, chosen: Sequence[Slot]) -> bool:
        """Settle what a ledger holds and look after the rest; tell whether any was paid."""
        from anchor.services import signing

        found = {slot.id: holder for slot, holder in self._asked(self._look_up, chosen)}
        there = [slot for slot in chosen if slot.id in found]
        self.extend()
        paid = [slot for slot in there if found[slot.id].successful]

        def settle(some: Sequence[Slot]) -> None:
            settling.confirmed(*(_confirmed(slot, found[slot.id]) for slot in some))

        failures = batches.in_halves(paid, settle)
        for slot, error in failures.items():
            _in_trouble(slot.id, error)
        self._each(
            lambda slot: settling.failed(slot.id, found[slot.id]),
            [slot for slot in there if slot not in paid],
        )
        rest = [slot for slot in chosen if slot.id not in found]
        self._each(
            lambda slot: signing.renew(gateway, slot, self.signers),
            [slot for slot in rest if slot.wants_a_look],
        )
        return len(paid) > len(failures)

    def _look_up(self, slot: Slot) -> LedgerTransaction | None:
        """Find whichever envelope of the submission a ledger holds."""
        for envelope in slot.envelopes:
            found = self.gateway.transaction(envelope.hash)
            if found is not None:
                return found
        return None


def _in_trouble(submission_id: int, error: Exception) -> None:
    """Say so: it would be like that for ever, and nobody would know."""
    log.error("submission %s", submission_id, exc_info=error)
    settling.in_trouble(submission_id, type(error).__name__)


def _confirmed(slot: Slot, found: LedgerTransaction) -> settling.Confirmed:
    from anchor.ledger import envelopes

    holder = next(each for each in slot.envelopes if found.hash in {each.hash, each.inner_hash})
    at = places(order.operations for order in slot.orders)
    balance_ids = {
        place: envelopes.claimable_balance_id(holder.envelope_xdr, place, slot.passphrase)
        for place, order in zip(at, slot.orders, strict=True)
        if order.form == "claimable_balance"
    }
    return settling.Confirmed(slot.id, found, balance_ids)


def _told(answer: SubmitAnswer) -> str:
    if answer.verdict is None:
        return answer.status
    codes = (answer.verdict.code, *answer.verdict.operation_codes)
    return " ".join((answer.status, *codes))


def owe_drives() -> None:
    """Owe the work of each source account that something is queued or open for."""
    with transaction():
        jobs.ensure((jobs.Address(DRIVE, source), lane_of(source)) for source in queues.busy())


jobs.declare(DRIVE, jobs.Work(drive, lambda _lane: _LEASE_S, lambda _lane: 1, parks=False))

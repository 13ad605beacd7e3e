"""Bringing what is queued for a source account to the ledger, exactly once.

Money leaves in *submissions*: one sequence number of one channel, and the operations that it
carries. Every envelope of a submission has that number, so the ledger takes one of them at
most; a submission is given up only with proof that it can take none (promise 6).

The crash windows, and what the next holder of the job finds:

1. before the submission is committed: outflows in the queue;
2. after it, before an envelope is stored: a submission without one; it is built and stored.
   Nobody outside has seen any;
3. after that, before or while it is handed in: a stored envelope; the same bytes are handed in
   again, or its hash is found in a ledger;
4. after it is in a ledger, before our record: the look-up by hash finds it.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TypeVar

from anchor.errors import AnchorError, Unavailable
from anchor.extensions import gateway, transaction
from anchor.ledger.gateway import Gateway, LedgerTransaction, SubmitAnswer
from anchor.services import channels, custodian_payments, custodians, jobs, settling, slots
from anchor.services.deposit_payments import DRIVE, lane_of
from anchor.services.slots import Slot

log = logging.getLogger(__name__)

T = TypeVar("T")

_LEASE_S = 120
_STRETCH_S = 45
_REST_MS = 250
_RETRY_S = 5
_POOL = 8


def drive(claimed: jobs.Claim) -> None:
    """Work off the queue of one source account until it is empty; the job `DRIVE`.

    Where a custodian pays, it is given what is queued, each order by a job of its own; what
    was submitted before is brought to its end here. Raises `jobs.Later` where something waits:
    for liquidity, signatures, or a ledger.
    """
    source = claimed.subject_id
    if custodians.current() is not None and not slots.standing(source).open:
        custodian_payments.owe(source)
        return
    channels.prepare(gateway(), source)
    with ThreadPoolExecutor(_POOL, thread_name_prefix="submissions") as pool:
        driver = _Driver(source, gateway(), pool, lambda: jobs.extend(claimed))
        until = monotonic() + _STRETCH_S
        while monotonic() < until:
            jobs.extend(claimed)
            driver.round()
            standing = slots.standing(source)
            if not standing.open:
                if custodians.current() is not None:
                    custodian_payments.owe(source)
                    return
                if standing.queued_later:
                    raise jobs.Later(_RETRY_S, "what is queued waits")
                if not standing.queued_now:
                    return
                raise jobs.Later(1, "no channel is free")
            if standing.waits_for_signatures == standing.open:
                raise jobs.Later(_RETRY_S, "envelopes wait for signatures")
            sleep(_REST_MS / 1000)
    raise jobs.Later(0, "there is more to do")


@dataclass(frozen=True)
class _Driver:
    """One stretch of work on the submissions of a source account."""

    source: str
    gateway: Gateway
    pool: ThreadPoolExecutor
    extend: Callable[[], None]

    def round(self) -> None:
        """Fill free channels, hand in what is new, and look up what was handed in."""
        from anchor.services import signing  # it brings stellar_sdk, a third of the memory

        if custodians.current() is None:
            slots.fill(self.source)
        else:
            settling.unsigned_given_up(self.source)
        opened = slots.opened(self.source)
        self._each(signing.complete, [slot for slot in opened if not slot.is_ready])
        opened = slots.opened(self.source)
        self._submit([slot for slot in opened if slot.is_ready and not slot.is_submitted])
        self._conclude([slot for slot in opened if slot.envelopes])

    def _each(self, act: Callable[[Gateway, Slot], None], chosen: Sequence[Slot]) -> None:
        """Do something for each slot; one that fails stops no other (promise 12)."""
        for slot in chosen:
            self.extend()
            try:
                act(self.gateway, slot)
            except Unavailable as error:
                log.warning("submission %s: %s", slot.id, error)
            except Exception as error:  # it would be so for ever, and nobody would know
                log.exception("submission %s", slot.id)
                settling.in_trouble(slot.id, type(error).__name__)

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

    def _submit(self, chosen: Sequence[Slot]) -> None:
        for slot, answer in self._asked(self._hand_in, chosen):
            slots.answered(slot, _told(answer))

    def _hand_in(self, slot: Slot) -> SubmitAnswer:
        """Hand the newest envelope in. Whatever the answer, only a ledger decides."""
        return self.gateway.submit_async(slot.newest.envelope_xdr)

    def _conclude(self, chosen: Sequence[Slot]) -> None:
        from anchor.services import signing

        found = {slot.id: holder for slot, holder in self._asked(self._look_up, chosen)}

        def settle(_gateway: Gateway, slot: Slot) -> None:
            _settle(slot, found[slot.id])

        self._each(settle, [slot for slot in chosen if slot.id in found])
        rest = [slot for slot in chosen if slot.id not in found]
        self._each(signing.renew, [slot for slot in rest if slot.wants_a_look])

    def _look_up(self, slot: Slot) -> LedgerTransaction | None:
        """Find whichever envelope of the submission a ledger holds."""
        for envelope in slot.envelopes:
            found = self.gateway.transaction(envelope.hash)
            if found is not None:
                return found
        return None


def _settle(slot: Slot, found: LedgerTransaction) -> None:
    if not found.successful:
        settling.failed(slot.id, found)
        return
    from anchor.ledger import envelopes

    holder = next(each for each in slot.envelopes if found.hash in {each.hash, each.inner_hash})
    balance_ids = {
        place: envelopes.claimable_balance_id(holder.envelope_xdr, place, slot.passphrase)
        for place, order in enumerate(slot.orders)
        if order.form == "claimable_balance"
    }
    settling.confirmed(slot.id, found, balance_ids)


def _told(answer: SubmitAnswer) -> str:
    if answer.verdict is None:
        return answer.status
    codes = (answer.verdict.code, *answer.verdict.operation_codes)
    return " ".join((answer.status, *codes))


def owe_drives() -> None:
    """Owe the work of each source account that something is queued or open for."""
    with transaction():
        jobs.ensure((jobs.Address(DRIVE, source), lane_of(source)) for source in slots.busy())


jobs.declare(DRIVE, jobs.Work(drive, lambda _lane: _LEASE_S, lambda _lane: 1, parks=False))

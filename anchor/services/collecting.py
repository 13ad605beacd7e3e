"""Signatures that an envelope still lacks: collected from custody and from people.

An envelope waits in state ``pending_signatures``. Whoever brings signatures, they are added
to the stored envelope in one commit under the lock of its submission, so no two hands
overwrite each other, and the same ones twice change nothing. As soon as every threshold is
reached the envelope is ready, in that same commit, and the driver is rung.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum

from sqlalchemy import func, select, update

from anchor.extensions import atomic, db
from anchor.ledger import envelopes
from anchor.ledger.gateway import LedgerAccount, Signature
from anchor.models import SUBMISSION_OPEN, Envelope, Submission
from anchor.services import jobs
from anchor.services.deposit_payments import DRIVE, lane_of
from anchor.services.slots import Slot

#: From the first wait on each is twice the one before.
_FIRST_WAIT_S = 5
_LAST_WAIT_S = 300


class Progress(Enum):
    """What became of signatures that were brought."""

    ENOUGH = "enough"
    SHORT = "short"
    GONE = "gone"


@atomic
def collect(
    slot: Slot,
    signatures: Iterable[Signature],
    accounts: Mapping[str, LedgerAccount],
    *,
    by_custody: bool = False,
) -> Progress:
    """Add signatures to the newest envelope of a submission; ready once they are enough.

    `accounts` are those that have to sign, as the ledger has them. `by_custody` is its last
    word. `Progress.GONE` where another envelope took the place of `slot.newest`, or nothing
    waits any more: nothing is written then. Raises `Rejected` for a signature that is none
    of this envelope.
    """
    row = _waiting(slot)
    if row is None:
        return Progress.GONE
    signed = envelopes.add_signatures(row.envelope_xdr, signatures, slot.passphrase)
    row.ask_at = None if by_custody else row.ask_at
    if not _is_enough(slot, signed, accounts):
        row.envelope_xdr = signed
        return Progress.SHORT
    if accounts.keys() >= set(slot.accounts):
        signed = envelopes.without_surplus(signed, accounts, slot.passphrase)
    row.envelope_xdr, row.ask_at, row.answer = signed, None, None
    _state(slot, "prepared")
    if not by_custody:  # the driver itself asks custody
        jobs.renew(jobs.Address(DRIVE, slot.source), lane_of(slot.source))
    return Progress.ENOUGH


def _is_enough(slot: Slot, envelope_xdr: str, accounts: Mapping[str, LedgerAccount]) -> bool:
    """Weigh the signatures; of an account that is not there the ledger will tell."""
    gone = set(slot.accounts) - accounts.keys()
    return bool(gone) or envelopes.is_signed_enough(envelope_xdr, accounts, slot.passphrase)


@atomic
def ask_later(slot: Slot) -> None:
    """Note that custody was asked, and when it is asked again: each wait is twice the last."""
    row = _waiting(slot)
    if row is not None:
        wait_s = min(_LAST_WAIT_S, _FIRST_WAIT_S << min(row.asks, 10))
        row.asks += 1
        row.ask_at = func.now() + timedelta(seconds=wait_s)


@atomic
def reopen(slot: Slot) -> None:
    """Let the newest envelope, which the network found unsigned, wait for people."""
    newest = select(func.max(Envelope.id)).where(Envelope.submission_id == slot.id)
    if _locked_state(slot.id) in SUBMISSION_OPEN and db.session.scalar(newest) == slot.newest.id:
        db.session.execute(
            update(Envelope)
            .where(Envelope.id == slot.newest.id)
            .values(answer=None, submitted_at=None, ask_at=None)
        )
        _state(slot, "pending_signatures")


def _waiting(slot: Slot) -> Envelope | None:
    """Lock the submission and return its newest envelope, if it is that of `slot` and waits."""
    if _locked_state(slot.id) != "pending_signatures":
        return None
    row = db.session.scalar(
        select(Envelope)
        .where(Envelope.submission_id == slot.id)
        .order_by(Envelope.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return row if row is not None and row.id == slot.newest.id else None


def _locked_state(submission_id: int) -> str | None:
    return db.session.scalar(
        select(Submission.state).where(Submission.id == submission_id).with_for_update()
    )


def _state(slot: Slot, state: str) -> None:
    db.session.execute(update(Submission).where(Submission.id == slot.id).values(state=state))

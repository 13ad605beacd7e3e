"""Asking custody for its signatures of an envelope that is stored already.

The same envelope is asked about with the same key until custody has said its last word or
the envelope's time is over; each wait is twice the one before. What can die in between finds
the stored envelope and asks for that one again: a signer is never shown two envelopes under
one key.
"""

import logging
from datetime import UTC, datetime

from anchor.errors import Rejected, Unavailable
from anchor.extensions import house
from anchor.integrations.custody import (
    Declined,
    Later,
    Signature,
    Signed,
    Signer,
    SigningAnswer,
    SigningRequest,
)
from anchor.ledger import keys
from anchor.ledger.gateway import Gateway
from anchor.services import collecting, settling
from anchor.services.collecting import Progress
from anchor.services.signers import Signers, keys_of
from anchor.services.slots import Slot

log = logging.getLogger(__name__)


def ask(gateway: Gateway, slot: Slot, signers: Signers) -> Progress:
    """Ask custody to sign the newest envelope, and keep what it gives.

    `Progress.SHORT` where it has given all that it gives, and more is needed. Anything but
    a signature or a final no is asked again later.
    """
    accounts = signers.of(slot)
    answer = _answer(slot)
    if isinstance(answer, Declined):
        _declined(gateway, slot, answer.reason)
        return Progress.GONE
    if isinstance(answer, Later):
        log.info("custody signs submission %s later: %s", slot.id, answer.message)
        collecting.ask_later(slot)
        return Progress.GONE
    allowed = keys_of(accounts) if accounts.keys() >= set(slot.accounts) else None
    good = _checked(slot, answer.signatures, allowed)
    if good is None:
        collecting.ask_later(slot)
        return Progress.GONE
    progress = collecting.collect(slot, good, accounts, by_custody=True)
    if progress is Progress.ENOUGH:
        signers.suffices(slot)
    return progress


def _answer(slot: Slot) -> SigningAnswer:
    custody, newest = house().custody, slot.newest
    assert isinstance(custody, Signer)
    request = SigningRequest(
        key=f"submission-{slot.id}-{len(slot.envelopes)}",
        transaction_id=f"submission {slot.id}",
        envelope_xdr=newest.envelope_xdr,
        hash=newest.hash,
        network_passphrase=slot.passphrase,
        accounts=slot.accounts,
        valid_until=datetime.fromtimestamp(newest.max_time, UTC),
    )
    try:
        answer = custody.sign(request)
    except Rejected as refusal:
        return Declined(str(refusal))
    except Unavailable as error:
        return Later(message=str(error))
    except Exception as error:
        log.exception("custody about submission %s", slot.id)
        settling.in_trouble(slot.id, f"custody: {type(error).__name__}")
        return Later(message=type(error).__name__)
    if isinstance(answer, Signed | Later | Declined):
        return answer
    settling.in_trouble(slot.id, f"custody: an answer of type {type(answer).__name__}")
    return Later(message="no answer of a custody")


def _checked(
    slot: Slot, signatures: tuple[Signature, ...], allowed: set[str] | None
) -> list[Signature] | None:
    """Return those that sign this envelope, by keys that may; None where some do not sign it."""
    payload = bytes.fromhex(slot.newest.hash)
    if not all(keys.is_signed(each, payload) for each in signatures):
        settling.in_trouble(slot.id, "custody: a signature of something else")
        return None
    return [each for each in signatures if allowed is None or each.key in allowed]


def _declined(gateway: Gateway, slot: Slot, reason: str) -> None:
    """End what custody will not sign, unless an older envelope may still enter a ledger."""
    older = slot.envelopes[:-1]
    sequence = None
    if older:
        account = gateway.account(slot.channel, dated=True)
        last = max(each.max_time for each in older)
        if account is None or not account.has_let_pass(slot.sequence, last):
            collecting.ask_later(slot)
            return
        sequence = account.sequence
    settling.declined(slot.id, reason, newest_envelope_id=slot.newest.id, channel_sequence=sequence)

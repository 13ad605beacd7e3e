"""Signatures by people: what waits for them, and taking those that they bring.

A person exports an envelope, signs it wherever the key is, and imports it; several people
do so one after the other or at once. Only valid signatures of the very same transaction, by
keys that may sign now, are kept. It is as safe to repeat as `collecting.collect` is.
"""

import re
from base64 import b64decode
from binascii import Error as NoBase64
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.ledger import envelopes, keys
from anchor.ledger.gateway import Gateway, LedgerAccount, Signature
from anchor.models import SUBMISSION_OPEN, Channel, Submission
from anchor.services import collecting, slots
from anchor.services.signers import Signers, keys_of
from anchor.services.slots import Slot

_BARE = re.compile(r"(G[A-Z2-7]{55})[\s:,]+(\S+)")


# -- what people see of it --------------------------------------------------------------------


@dataclass(frozen=True)
class Signed:
    """How far one account has signed: the weight of each key that did, and what is needed."""

    account: str
    weights: Mapping[str, int]
    needed: int


@dataclass(frozen=True)
class Waiting:
    """A submission that lacks signatures. `pays` are sums in stroops, by asset."""

    submission: int
    source: str
    hash: str
    envelope_xdr: str
    network_passphrase: str
    valid_until: datetime
    count: int
    pays: Mapping[str, int]
    signed: tuple[Signed, ...]
    by_custody: bool


def waiting(gateway: Gateway) -> list[Waiting]:
    """Return the submissions that wait for signatures, oldest first.

    Raises `Unavailable` where the ledger does not tell who may sign.
    """
    signers = Signers(gateway)
    signers.look_closely()
    return [_shown(slot, signers) for slot in _slots()]


def one(gateway: Gateway, submission: int) -> Waiting:
    """Return a submission that waits for people; `Rejected` with a sentence where none does."""
    signers = Signers(gateway)
    signers.look_closely()
    return _shown(_for_people(submission), signers)


def _shown(slot: Slot, signers: Signers) -> Waiting:
    pays: Counter[str] = Counter()
    for order in slot.orders:
        if order.form != "claim":
            pays[order.asset] += order.amount or order.starting_balance
    newest = slot.newest
    accounts = signers.of(slot)
    return Waiting(
        submission=slot.id,
        source=slot.source,
        hash=newest.hash,
        envelope_xdr=newest.envelope_xdr,
        network_passphrase=slot.passphrase,
        valid_until=datetime.fromtimestamp(newest.max_time, UTC),
        count=len(slot.orders),
        pays=dict(pays),
        signed=tuple(_signed(slot, account) for account in accounts.values()),
        by_custody=newest.ask_in_s is not None,
    )


def _signed(slot: Slot, account: LedgerAccount) -> Signed:
    weights = {each.key: each.weight for each in account.signers if each.weight}
    found = envelopes.signatures_in(slot.newest.envelope_xdr, weights, slot.passphrase)
    is_light = account.account_id != slot.source or all(o.form == "claim" for o in slot.orders)
    needed = account.low_threshold if is_light else account.med_threshold
    return Signed(account.account_id, {s.key: weights[s.key] for s in found}, max(1, needed))


# -- what people bring ------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """What an import came to: how many signatures are new, and whether they are enough now."""

    new: int
    is_enough: bool


def take(gateway: Gateway, submission: int, text: str) -> Taken:
    """Take signatures for a submission out of a signed envelope, or out of bare lines.

    `text` is the envelope as base-64 XDR, or lines of a key (``G…``) and its signature in
    base 64 or hex. Safe to repeat. Raises `Rejected` or `NotFound` with a sentence for
    another transaction, one whose time is over, keys that may not sign, and a submission
    that waits for nobody.
    """
    slot = _for_people(submission, is_done_too=True)
    signers = Signers(gateway)
    signers.look_closely()
    accounts = signers.of(slot)
    brought = _brought(slot, text, keys_of(accounts))
    if slot.state != "pending_signatures":
        return Taken(0, is_enough=True)
    _refuse_the_late(gateway, slot)
    known = set(envelopes.signatures_in(slot.newest.envelope_xdr, _keys(brought), slot.passphrase))
    new = [each for each in brought if each not in known]
    progress = collecting.collect(slot, brought, accounts)
    if progress is collecting.Progress.GONE:
        return take(gateway, submission, text)  # it moved on meanwhile
    return Taken(len(new), progress is collecting.Progress.ENOUGH)


def _brought(slot: Slot, text: str, allowed: set[str]) -> list[Signature]:
    bare = [_BARE.fullmatch(line.strip()) for line in text.splitlines() if line.strip()]
    if bare and all(bare):
        return [_bare(slot, match[1], match[2], allowed) for match in bare if match]
    envelope_xdr = "".join(text.split())
    found = envelopes.hash_of(envelope_xdr, slot.passphrase)
    if found in {each.hash for each in slot.envelopes[:-1]}:
        raise Rejected("That envelope was replaced by a newer one; export it and sign that one.")
    if found != slot.newest.hash:
        raise Rejected(
            f"That is another transaction (hash {found}), "
            f"not the one of submission {slot.id} (hash {slot.newest.hash})."
        )
    signatures = envelopes.signatures_in(envelope_xdr, allowed, slot.passphrase)
    if not signatures:
        raise Rejected(f"No signer of {slot.source} has signed that envelope.")
    return list(signatures)


def _bare(slot: Slot, key: str, written: str, allowed: set[str]) -> Signature:
    if key not in allowed:
        raise Rejected(f"{key} is no signer of {slot.source}.")
    signature = Signature(key, _bytes(written))
    if not keys.is_signed(signature, bytes.fromhex(slot.newest.hash)):
        raise Rejected(f"The signature by {key} is not one of this transaction.")
    return signature


def _bytes(written: str) -> bytes:
    try:
        return bytes.fromhex(written)
    except ValueError:
        pass
    try:
        return b64decode(written, validate=True)
    except NoBase64:
        raise Rejected("A signature is written in base 64 or hex.") from None


def _keys(signatures: Iterable[Signature]) -> list[str]:
    return list(dict.fromkeys(each.key for each in signatures))


def _refuse_the_late(gateway: Gateway, slot: Slot) -> None:
    if gateway.network().latest_closed_at.timestamp() > slot.newest.max_time:
        until = datetime.fromtimestamp(slot.newest.max_time, UTC)
        raise Rejected(
            f"That envelope was valid until {until:%Y-%m-%d %H:%M} UTC; "
            "another one takes its place: look at the list again."
        )


def _for_people(submission: int, *, is_done_too: bool = False) -> Slot:
    state = _state_of(submission)
    if state is None:
        raise NotFound(f"There is no submission {submission}.")
    if state not in SUBMISSION_OPEN:
        raise Rejected(f"Submission {submission} has ended: it is {state}.")
    slot = next((each for each in _slots(submission)), None)
    if slot is None or not slot.envelopes:
        raise Rejected(f"Submission {submission} does not wait for signatures.")
    if state == "pending_signatures" and not slot.waits_for_people:
        raise Rejected(f"Submission {submission} waits for custody; people sign after it.")
    if state != "pending_signatures" and not is_done_too:
        raise Rejected(f"Submission {submission} does not wait for signatures.")
    return slot


@atomic
def _state_of(submission: int) -> str | None:
    return db.session.scalar(select(Submission.state).where(Submission.id == submission))


@atomic
def _slots(submission: int | None = None) -> list[Slot]:
    chosen = (
        Submission.state == "pending_signatures"
        if submission is None
        else (Submission.id == submission) & Submission.state.in_(SUBMISSION_OPEN)
    )
    rows = db.session.execute(
        select(Submission, Channel)
        .join(Channel, Channel.id == Submission.channel_id)
        .where(chosen)
        .order_by(Submission.id)
        .execution_options(populate_existing=True)
    )
    return [slots.as_slot(*row) for row in rows.all()]

"""Building, signing and replacing the envelopes of submissions."""

import logging
from datetime import UTC, datetime

from anchor.errors import Rejected, Unavailable
from anchor.extensions import atomic, house, settings
from anchor.integrations.custody import Declined, Later, Signature, Signer, SigningRequest
from anchor.ledger import envelopes, keys
from anchor.ledger.gateway import Gateway
from anchor.ledger.orders import Unsigned
from anchor.services import cases, channels, settling, slots
from anchor.services.slots import Slot

log = logging.getLogger(__name__)

#: How long an envelope that waits for people's signatures is good for.
_PATIENCE_S = 7 * 86_400
#: What core asks of a transaction that takes another one's place in its queue.
_BUMP = 10
_CODES_THAT_PASS = frozenset({"tx_bad_seq", "tx_too_late", "tx_insufficient_fee", "tx_failed"})


def complete(gateway: Gateway, slot: Slot) -> None:
    """Give a submission that has no signed envelope one, and store it."""
    if slot.state == "pending_signatures":
        return
    try:
        _replace(gateway, slot)
    except Rejected as refusal:
        settling.unbuildable(slot.id, str(refusal))


def renew(gateway: Gateway, slot: Slot) -> None:
    """Look after a submission that no ledger holds: replace its envelope, or give it up.

    A replacement has the same channel and sequence number and is safe at any time. Giving
    up needs the proof of one answer about the channel, of a ledger that closed after the
    last time bound. All that is asked here is asked of one node.
    """
    gateway = gateway.one()
    account = gateway.account(slot.channel, dated=True)
    if account is None:
        raise Unavailable(f"the channel {slot.channel} is not on the ledger")
    if slot.codes and slot.codes[0] == "tx_bad_auth" and slot.state != "pending_signatures":
        _await_signatures(gateway, slot)
    elif account.has_let_pass(slot.sequence, slot.last_max_time):
        _after_the_bounds(gateway, slot, account.sequence)
    elif account.sequence >= slot.sequence:
        closed = account.ledger_closed_at
        gone = closed is not None and closed.timestamp() > slot.last_max_time
        if gone and not any(gateway.transaction(each.hash) for each in slot.envelopes):
            settling.used_by_others(slot.id)
    else:
        _within_the_bounds(gateway, slot)


def _after_the_bounds(gateway: Gateway, slot: Slot, sequence: int) -> None:
    """No envelope can enter a ledger any more, and the sequence number is unused."""
    operation_codes = slot.codes[1:]
    culprits = {place: code for place, code in enumerate(operation_codes) if code != "op_success"}
    if sequence == slot.sequence - 1 and not culprits:
        _replace(gateway, slot)
        return
    settling.unusable(
        slot.id,
        " ".join(slot.codes),
        newest_envelope_id=slot.newest.id,
        channel_sequence=sequence,
        codes=culprits,
    )


def _within_the_bounds(gateway: Gateway, slot: Slot) -> None:
    code = slot.codes[0] if slot.codes else None
    if code is None:
        _bump(gateway, slot)
    elif code == "tx_insufficient_fee":
        if _fee(gateway, slot) * len(slot.orders) > slot.newest.fee:
            _replace(gateway, slot)
        else:
            slots.hand_in_again(slot)  # it bids all that it may: the network has to calm down
    elif code == "tx_bad_seq":
        slots.hand_in_again(slot)
    elif code not in _CODES_THAT_PASS:
        _tell(slot, code)


@atomic
def _tell(slot: Slot, code: str) -> None:
    cases.open_case(
        "submission_refused",
        f"submission {slot.id}/{code}",
        note=f"{slot.channel} cannot carry it: {code}; it is tried again",
    )


def _fee(gateway: Gateway, slot: Slot) -> int:
    """Return what to bid for an operation, in stroops; `Unavailable` above the ceiling."""
    stats, ceiling = gateway.fee_stats(), settings().base_fee_max
    wanted = max(stats.base_fee, stats.charged.p70 if stats.capacity_percent > 50 else 0)
    if slot.codes and slot.codes[0] == "tx_insufficient_fee":
        wanted = max(wanted, stats.charged.p90, 2 * slot.newest.fee // max(1, len(slot.orders)))
    if stats.base_fee > ceiling:
        raise Unavailable(f"the base fee is {stats.base_fee} stroops, above base_fee_max")
    return min(wanted, ceiling)


def _replace(gateway: Gateway, slot: Slot) -> None:
    """Build, sign and store an envelope for the submission's channel and sequence number."""
    max_time = _ledger_time(gateway) + settings().time_bound_s
    unsigned = _build(slot, _fee(gateway, slot), max_time)
    signatures = _signatures(slot, unsigned, max_time)
    if signatures is not None:
        signed = envelopes.add_signatures(unsigned.envelope_xdr, signatures, slot.passphrase)
        slots.store(slot, signed, unsigned.hash, max_time=max_time, fee=unsigned.fee)


def _await_signatures(gateway: Gateway, slot: Slot) -> None:
    """Store an envelope with long bounds that people sign: our keys do not suffice."""
    max_time = _ledger_time(gateway) + _PATIENCE_S
    unsigned = _build(slot, _fee(gateway, slot), max_time)
    signatures = _signatures(slot, unsigned, max_time) or ()
    envelope = envelopes.add_signatures(unsigned.envelope_xdr, signatures, slot.passphrase)
    slots.store(slot, envelope, unsigned.hash, max_time=max_time, fee=unsigned.fee, is_signed=False)
    _tell(slot, "its source account asks for more signatures than custody gives")


def _bump(gateway: Gateway, slot: Slot) -> None:
    """Raise the fee of an envelope that waits while others are preferred."""
    inner = slot.newest
    per_operation = _fee(gateway, slot)
    count = len(slot.orders)
    if inner.inner_hash is not None or per_operation * count <= inner.fee:
        return
    offered = min(settings().base_fee_max, max(per_operation, _BUMP * inner.fee // count))
    fee = envelopes.least_bump_fee(inner.envelope_xdr, offered, slot.passphrase)
    unsigned = envelopes.fee_bump(inner.envelope_xdr, slot.source, fee, slot.passphrase)
    signatures = _signatures(slot, unsigned, inner.max_time)
    if signatures is not None:
        slots.store(
            slot,
            envelopes.add_signatures(unsigned.envelope_xdr, signatures, slot.passphrase),
            unsigned.hash,
            inner_hash=inner.hash,
            max_time=inner.max_time,
            fee=unsigned.fee,
        )


def _build(slot: Slot, fee_per_operation: int, max_time: int) -> Unsigned:
    return envelopes.build(
        slot.channel,
        slot.sequence,
        slot.source,
        slot.orders,
        memo_type=slot.memo_type,
        memo=slot.memo,
        fee_per_operation=fee_per_operation,
        max_time=max_time,
        passphrase=slot.passphrase,
    )


def _ledger_time(gateway: Gateway) -> int:
    return int(gateway.network().latest_closed_at.timestamp())


def _signatures(slot: Slot, unsigned: Unsigned, max_time: int) -> tuple[Signature, ...] | None:
    """Sign for the channel ourselves, and let custody sign for its accounts; None: not now."""
    ours: tuple[Signature, ...] = ()
    theirs = tuple(account for account in unsigned.sources if account != slot.channel)
    if slot.channel_number is None:
        theirs = unsigned.sources
    elif slot.channel in unsigned.sources:
        secret = channels.keys_of(slot.channel_number).secret
        ours = (keys.sign(secret, bytes.fromhex(unsigned.hash)),)
    if not theirs:
        return ours
    custody = house().custody
    assert isinstance(custody, Signer)
    answer = custody.sign(
        SigningRequest(
            key=f"submission-{slot.id}-{len(slot.envelopes) + 1}",
            transaction_id=f"submission {slot.id}",
            envelope_xdr=unsigned.envelope_xdr,
            hash=unsigned.hash,
            network_passphrase=slot.passphrase,
            accounts=theirs,
            valid_until=datetime.fromtimestamp(max_time, UTC),
        )
    )
    if isinstance(answer, Declined):
        settling.declined(slot.id, answer.reason)
        _tell(slot, f"custody declined: {answer.reason}")
        return None
    if isinstance(answer, Later):
        log.info("custody signs submission %s later", slot.id)
        return None
    return ours + answer.signatures

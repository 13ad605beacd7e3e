"""Building, signing and replacing the envelopes of submissions.

An envelope is stored before custody is asked to sign it, and is asked about until its time is
over; only then another takes its place. Where custody's signatures do not suffice, by the
signers and thresholds that the ledger shows, one that people have days to sign is stored.

What pays a contract is simulated by the RPC before each envelope, with no transaction open. While
the RPC does not answer, or asks for too much, a call goes back into its queue, so that it keeps no
channel: at once where it has no envelope, else as soon as none of its envelopes can enter a ledger.
A call that would fail ends by what the simulation says of it: where our own account lacks
something it waits, else a person decides.
"""

from datetime import timedelta

from anchor.errors import Rejected, Unavailable
from anchor.extensions import atomic, house, settings
from anchor.ledger import envelopes, invocations, keys
from anchor.ledger.contract_gateway import CallFails, Prepared
from anchor.ledger.gateway import Gateway
from anchor.ledger.orders import Unsigned
from anchor.services import (
    bids,
    cases,
    channels,
    collecting,
    custodians,
    queues,
    settling,
    signature_requests,
    slots,
    unseen,
)
from anchor.services.collecting import Progress
from anchor.services.preparing import BeingAsked, TooDear, Untold
from anchor.services.signers import Signers
from anchor.services.slots import Slot

#: How long an envelope that waits for people's signatures is good for, and how much of that
#: has to be left to wait for them with this one.
_PATIENCE_S = 7 * 86_400
_LEAST_S = 86_400
#: What core asks of a transaction that takes another one's place in its queue.
_BUMP = 10
#: What a call bids while it is only simulated: neither fee nor time change what it takes.
_TRIAL = {"fee_per_operation": 100, "max_time": 1}
#: So many envelopes of a call are built anew where the network finds its resources wrong.
_SIMULATIONS = 3
_WRONG_RESOURCES = "tx_soroban_invalid"
_CODES_THAT_PASS = frozenset({"tx_bad_seq", "tx_too_late", "tx_insufficient_fee", "tx_failed"})
#: What the same bytes may get over while their time lasts.
_PASSING = frozenset({"tx_bad_seq", "tx_insufficient_fee"})
#: What the network says where the channel, or the source account, has not signed enough.
_UNSIGNED_CODES = frozenset({"tx_bad_auth", "op_bad_auth"})
_SHORT = "an account of it asks for more signatures than custody gives"
_LATE = "the signatures did not come in time, and a new envelope waits for them"


def complete(gateway: Gateway, slot: Slot, signers: Signers | None = None) -> None:
    """Bring a submission that has no signed envelope nearer to one."""
    signers = signers or Signers(gateway)
    if slot.envelopes:
        _go_on(gateway, slot, signers)
        return
    if queues.is_paused(slot.id):
        unseen.give_up(slot.id, "it is paused, and nobody has heard of it")
        return
    try:
        stored = _store(gateway, slot, signers)
    except CallFails as failure:
        unseen.would_fail(slot.id, _code_of(failure, slot, signers), str(failure))
        return
    except Rejected as refusal:
        unseen.unbuildable(slot.id, str(refusal))
        return
    _have_signed(gateway, stored, signers)


def _go_on(gateway: Gateway, slot: Slot, signers: Signers) -> None:
    """Look after an envelope that is stored and lacks signatures."""
    ask_in_s = slot.newest.ask_in_s
    if ask_in_s is None:
        signers.falls_short(slot)
    if signers.ledger_time() > slot.last_max_time:
        renew(gateway, slot, signers)
    elif ask_in_s is not None:
        if ask_in_s <= 0:
            _have_signed(gateway, slot, signers)
    elif signers.is_new(("weighed", slot.newest.id)):
        collecting.collect(slot, (), signers.of(slot))  # the thresholds may be others by now


def _have_signed(gateway: Gateway, slot: Slot, signers: Signers) -> None:
    """Ask custody about the stored envelope; people get one that they have time to sign."""
    progress = signature_requests.ask(gateway, slot, signers)
    if progress is Progress.SHORT:
        signers.falls_short(slot)
        if _is_patient(slot, signers):
            settling.lacks_signatures(slot.id, _SHORT)
        else:
            _replace(gateway, slot, signers)


def _replace(gateway: Gateway, slot: Slot, signers: Signers) -> None:
    """Put another envelope in the place of one that a ledger may still take.

    A call that would fail now is not given up while one of its envelopes may still be taken.
    """
    try:
        stored = _store(gateway, slot, signers)
    except CallFails as failure:
        raise Unavailable(f"no other envelope now: {failure}") from failure
    _have_signed(gateway, stored, signers)


def _is_patient(slot: Slot, signers: Signers) -> bool:
    return slot.newest.max_time - signers.ledger_time() >= _LEAST_S


def renew(gateway: Gateway, slot: Slot, signers: Signers | None = None) -> None:
    """Look after a submission that no ledger holds: replace its envelope, or give it up.

    A replacement has the same channel and sequence number and is safe at any time. Giving
    up needs the proof of one answer about the channel, of a ledger that closed after the
    last time bound. All that is asked here is asked of one node.
    """
    gateway = gateway.one()
    signers = signers or Signers(gateway)
    account = gateway.account(slot.channel, dated=True)
    if account is None:
        if slot.codes[:1] == ("tx_no_source_account",):
            _tell(slot, slot.codes[0])
        raise Unavailable(f"the channel {slot.channel} is not on the ledger")
    may_build = _may_build(slot)
    unsigned = bool(_UNSIGNED_CODES.intersection(slot.codes)) and may_build
    if unsigned and not _is_authorized(slot, signers):
        _await_signatures(gateway, slot, signers)
    elif account.has_let_pass(slot.sequence, slot.last_max_time):
        _after_the_bounds(gateway, slot, account.sequence, signers)
    elif account.sequence >= slot.sequence:
        closed = account.ledger_closed_at
        gone = closed is not None and closed.timestamp() > slot.last_max_time
        if gone and not any(gateway.transaction(each.hash) for each in slot.envelopes):
            _used_by_others(slot)
    elif slot.is_ready and may_build:
        _within_the_bounds(gateway, slot, signers)
    elif not slot.orders and _PASSING.intersection(slot.codes[:1]):
        slots.hand_in_again(slot)


def _used_by_others(slot: Slot) -> None:
    """What pays is for a person; what pays nobody keeps the number of no payment for that."""
    if slot.orders:
        settling.used_by_others(slot.id)
    else:
        settling.given_up(slot.id, "its number was used by others")


def _may_build(slot: Slot) -> bool:
    """Tell whether another envelope may follow: not where a custodian pays, nor for nobody."""
    return custodians.current() is None and bool(slot.orders)


def _is_authorized(slot: Slot, signers: Signers) -> bool:
    """Weigh what the network refused once more, by what the ledger shows of each account."""
    signers.look_closely()
    accounts = signers.of(slot)
    return envelopes.is_signed_enough(slot.newest.envelope_xdr, accounts, slot.passphrase)


def _await_signatures(gateway: Gateway, slot: Slot, signers: Signers) -> None:
    """Let people sign: what custody gave does not suffice."""
    signers.falls_short(slot)
    if _is_patient(slot, signers):
        collecting.reopen(slot)
        settling.lacks_signatures(slot.id, _SHORT)
    else:
        _replace(gateway, slot, signers)


def _was_asked(slot: Slot) -> bool:
    """Tell whether anybody was: who died before that leaves nobody to be told."""
    return slot.newest.asks > 0 or slot.newest.ask_in_s is None


def _after_the_bounds(gateway: Gateway, slot: Slot, sequence: int, signers: Signers) -> None:
    """No envelope can enter a ledger any more, and the sequence number is unused."""
    operation_codes = slot.codes[1:]
    blameless = ("op_success", "op_bad_auth")  # signatures are ours: no order is to blame
    culprits = {place: code for place, code in enumerate(operation_codes) if code not in blameless}
    if slot.codes[:1] == (_WRONG_RESOURCES,) and len(slot.envelopes) > _SIMULATIONS:
        culprits = {0: _WRONG_RESOURCES}
    why = " ".join(slot.codes)
    may_go_on = _may_build(slot) and not queues.is_paused(slot.id)
    if sequence == slot.sequence - 1 and not culprits and may_go_on:
        if not slot.is_ready and _was_asked(slot):
            settling.lacks_signatures(slot.id, _LATE)
        try:
            stored = _store(gateway, slot, signers)
        except CallFails as failure:
            culprits, why = {0: _code_of(failure, slot, signers)}, str(failure)
        except Untold as silence:  # back into the queue: meanwhile it keeps no channel
            why = str(silence)
        else:
            _have_signed(gateway, stored, signers)
            return
    settling.unusable(
        slot.id,
        why,
        newest_envelope_id=slot.newest.id,
        channel_sequence=sequence,
        codes=culprits,
    )


def _within_the_bounds(gateway: Gateway, slot: Slot, signers: Signers) -> None:
    code = slot.codes[0] if slot.codes else None
    if code is None:
        _bump(gateway, slot, signers)
    elif code == "tx_insufficient_fee":
        if _fee(gateway, slot) * slot.operations > _bid(slot):
            _replace(gateway, slot, signers)
        else:
            slots.hand_in_again(slot)  # it bids all that it may: the network has to calm down
    elif code == _WRONG_RESOURCES and len(slot.envelopes) <= _SIMULATIONS:
        _replace(gateway, slot, signers)
    elif code == "tx_bad_seq":
        slots.hand_in_again(slot)
    elif code not in _CODES_THAT_PASS:
        _tell(slot, code)
    elif "op_bad_auth" in slot.codes:
        _tell(slot, "op_bad_auth")


@atomic
def _tell(slot: Slot, code: str) -> None:
    cases.open_case(
        "submission_refused",
        f"submission {slot.id}/{code}",
        note=f"{slot.channel} cannot carry it: {code}; it is tried again",
    )


def _fee(gateway: Gateway, slot: Slot) -> int:
    """Return what to bid for an operation, in stroops; `Unavailable` above the ceiling."""
    was_too_low = slot.codes[:1] == ("tx_insufficient_fee",)
    return bids.per_operation(
        gateway, 2 * _bid(slot) // max(1, slot.operations) if was_too_low else None
    )


def _bid(slot: Slot) -> int:
    """Return what the newest envelope bids to be taken, without the resources of a call."""
    newest = slot.newest
    if not slot.calls_contract:
        return newest.fee
    return newest.fee - invocations.resource_fee(newest.envelope_xdr, slot.passphrase)


def _prepared(slot: Slot, signers: Signers) -> Prepared | None:
    """Ask what the call of a contract takes; None where none is called.

    Raises `CallFails`, `BeingAsked`, and `Untold` while nobody tells.
    """
    if not slot.calls_contract:
        return None
    try:
        return signers.prepared(slot, _build(slot, **_TRIAL).envelope_xdr)
    except BeingAsked:
        raise
    except Unavailable as error:
        if not slot.envelopes and isinstance(error, TooDear):
            unseen.too_dear(slot.id, str(error))
        elif not slot.envelopes:
            unseen.calls_wait(slot.id, slot.source, str(error))
        raise Untold(str(error)) from error


def _code_of(failure: CallFails, slot: Slot, signers: Signers) -> str:
    """Return what a call would fail for; the ledger tells on which side a balance is closed."""
    if failure.code == "balance_deauthorized":
        ours = signers.of(slot).get(slot.source)
        line = ours.balance(slot.orders[0].asset) if ours else None
        if line is not None and not line.is_authorized:
            return "op_src_not_authorized"
    return failure.code


def _store(gateway: Gateway, slot: Slot, signers: Signers) -> Slot:
    """Build and store an envelope for the submission's channel and sequence number.

    The channel has signed it, custody is to be asked. One that is valid for long bids all
    that it may, for it cannot be replaced as fees rise; the network takes what it needs.
    """
    prepared = _prepared(slot, signers)
    seconds = _bounds_s(slot, signers)
    fee = _fee(gateway, slot)
    if seconds > settings().time_bound_s:
        fee = settings().base_fee_max
    max_time = _ledger_time(gateway) + seconds
    unsigned = _build(slot, fee, max_time)
    if prepared is not None:
        unsigned = invocations.with_resources(unsigned, prepared, slot.passphrase)
    if unsigned.hash in {each.hash for each in slot.envelopes}:
        raise Unavailable("nothing has changed since the envelope before")
    envelope_xdr = _signed_by_channel(slot, unsigned)
    slots.store(slot, envelope_xdr, unsigned.hash, max_time=max_time, fee=unsigned.fee, ask=True)
    return slots.again(slot)


def _bounds_s(slot: Slot, signers: Signers) -> int:
    """Return for how long the next envelope is to be valid, in seconds.

    One that nobody signed in its time is followed by one that is valid ten times as long.
    """
    if signers.is_short(slot):
        return _PATIENCE_S
    custody = house().custody
    within = custody.traits.signs_within if custody else None
    seconds = max(settings().time_bound_s, (within or timedelta()) // timedelta(seconds=1))
    if slot.state == "pending_signatures":
        seconds *= 10 ** min(len(slot.envelopes), 6)
    return min(seconds, _PATIENCE_S)


def _bump(gateway: Gateway, slot: Slot, signers: Signers) -> None:
    """Raise the fee of an envelope that waits while others are preferred.

    A channel of the pool pays for that itself, so that custody need not be asked.
    """
    inner = slot.newest
    per_operation = _fee(gateway, slot)
    count = slot.operations
    if inner.inner_hash is not None or per_operation * count <= _bid(slot):
        return
    offered = min(settings().base_fee_max, max(per_operation, _BUMP * _bid(slot) // count))
    fee = envelopes.least_bump_fee(inner.envelope_xdr, offered, slot.passphrase)
    unsigned = envelopes.fee_bump(inner.envelope_xdr, slot.channel, fee, slot.passphrase)
    is_ours = slot.channel_number is not None
    slots.store(
        slot,
        _signed_by_channel(slot, unsigned),
        unsigned.hash,
        inner_hash=inner.hash,
        max_time=inner.max_time,
        fee=unsigned.fee,
        ask=not is_ours,
    )
    if not is_ours:
        _have_signed(gateway, slots.again(slot), signers)


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


def _signed_by_channel(slot: Slot, unsigned: Unsigned) -> str:
    """Return the envelope with the signature of a channel of the pool, whose key is here."""
    if slot.channel_number is None:
        return unsigned.envelope_xdr
    secret = channels.keys_of(slot.channel_number).secret
    signature = keys.sign(secret, bytes.fromhex(unsigned.hash))
    return envelopes.add_signatures(unsigned.envelope_xdr, [signature], slot.passphrase)

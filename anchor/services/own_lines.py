"""Trust lines of our own distribution accounts, opened by the keys that are here.

No asset moves, but a sequence number of the account is used up, and where there is no pool of
channels the account's own payments go by those numbers, too. So it is done with the account's
queue in hand: the job that `submissions.drive` has else, so that nothing is submitted meanwhile.
A submission that is open on the account itself is waited for by whoever asks: nothing is done.

The crash windows, and what there is after each:

1. with the queue in hand, before the envelope is handed in: nothing has happened. The queue goes
   on when the lease is over, after two minutes at most;
2. after that, before the outcome is known: the lease was taken anew just before, and outlasts the
   time bound of the envelope, so that the queue goes on when no ledger can take it any more. What
   the account's number was believed to be was forgotten before: it is asked for. The same again
   finds the line, or opens it;
3. after it is in a ledger, before anybody was told: the same again finds the line.

A lease is told by the database's clock and a time bound by the ledger's: where the network stands
still for longer than the lease, and the command was killed in window 2, one number may be bid for
twice. A ledger takes one of the two. Where that is the line, the submission pays nothing, and a
case (``sequence_used_by_others``) says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

from anchor.errors import AnchorError, Rejected, Unavailable
from anchor.extensions import gateway, house, settings, transaction
from anchor.ledger import destinations
from anchor.ledger.gateway import Gateway, LedgerAccount, LedgerTransaction, SubmissionFailed
from anchor.ledger.orders import LedgerOrder
from anchor.money import format_amount
from anchor.policies import AssetPolicy
from anchor.services import bids, channels, jobs, networks, queues
from anchor.services import submissions as _declared  # noqa: F401 - its job is the queue
from anchor.services.deposit_payments import DRIVE, lane_of

_BASE_RESERVE = 5_000_000
#: An envelope is good for so long at most: less than the queue is leased for.
_BOUND_S = 60
#: So long it is waited for the queue, and then for what became of the envelope.
_QUEUE_S, _OUTCOME_S = 60, 120
_LOOK_MS = 500


@dataclass(frozen=True)
class Line:
    """How a distribution account stands to its asset; `state` is one of

    - ``not_needed``: no line is needed, for lumens and for the issuer's own account;
    - ``open``: there was one. Its `balance` is in stroops;
    - ``opened``: there is one now, by the transaction `hash`;
    - ``missing``: there is none, and the sentence says what to do.
    """

    asset: str
    account: str
    state: str
    sentence: str
    balance: int | None = None
    is_authorized: bool | None = None
    hash: str | None = None


class _Undecided(Unavailable):
    """An envelope was handed in, and nobody can tell what became of it: the queue has to wait."""


@dataclass(frozen=True)
class _Signed:
    """An envelope that is ready to be handed in; the first ledger that cannot take it any more
    closes after `max_time` (unix seconds).
    """

    account: str
    sequence: int
    max_time: int
    envelope_xdr: str
    hash: str


def look_after(policy: AssetPolicy) -> Line:
    """Tell of the trust line of an asset's distribution account, or open it with its key.

    May be repeated at any time. What stands in the way is told in the line, never raised.
    """
    try:
        return _line(policy)
    except AnchorError as error:
        return Line(policy.code, policy.distribution, "missing", str(error))


def _line(policy: AssetPolicy) -> Line:
    account_id = policy.distribution
    if policy.issuer in {None, account_id}:
        why = "lumens need no trust line" if policy.issuer is None else "it is the issuer itself"
        return Line(policy.code, account_id, "not_needed", why)
    found = _told(policy, gateway().account(account_id))
    if found is not None:
        return found
    _demand_key(policy)
    networks.verify(gateway(), settings().network_passphrase)
    with _queue(account_id) as claimed:
        return _open(policy, claimed)


def _told(
    policy: AssetPolicy, account: LedgerAccount | None, new: str | None = None
) -> Line | None:
    """Tell of a line as the ledger has it, None where there is none; `new` is what opened it."""
    line = account.balance(policy.id) if account else None
    if line is None:
        return None
    sentence = f"opened by {new}" if new else f"open, with {format_amount(line.amount)}"
    if not line.is_authorized:
        sentence += "; its issuer has to authorize it yet"
    return Line(
        *(policy.code, policy.distribution, "opened" if new else "open", sentence),
        *(line.amount, line.is_authorized, new),
    )


def _demand_key(policy: AssetPolicy) -> None:
    if policy.distribution in settings().keys:
        return
    custody = house().custody
    if settings().custody != "local" and custody is not None:
        raise Rejected(
            f"its key is with the custody {custody.name}: have a change_trust for {policy.id} "
            "signed and submitted there"
        )
    raise Rejected(
        f"its key is not here: set ANCHOR_DISTRIBUTION_SECRET_{policy.code}, or have who holds "
        f"the key submit a change_trust for {policy.id}"
    )


# -- the queue ------------------------------------------------------------------------------


@contextmanager
def _queue(source: str) -> Iterator[jobs.Claim]:
    """Have an account's queue in hand, so that nothing is submitted from it meanwhile.

    Let go of at the end, but not where something unexpected ended it: then the lease runs out.
    """
    claimed = _claimed(source)
    try:
        yield claimed
    except _Undecided:
        raise
    except AnchorError:
        _let_go(claimed, source)
        raise
    _let_go(claimed, source)


def _claimed(source: str) -> jobs.Claim:
    address, deadline = jobs.Address(DRIVE, source), monotonic() + _QUEUE_S
    while monotonic() < deadline:
        _demand_no_submission(source)
        with transaction():
            jobs.renew(address, lane_of(source))
        claimed = jobs.claim(address)
        if claimed is not None:
            return claimed
        sleep(_LOOK_MS / 1000)
    raise Unavailable("payments from it are being made: run the command again in a minute")


def _let_go(claimed: jobs.Claim, source: str) -> None:
    with transaction():
        if source in queues.busy():
            jobs.renew(jobs.Address(DRIVE, source), lane_of(source))
    jobs.done(claimed)


def _demand_no_submission(source: str) -> None:
    found = channels.open_on(source) if networks.current() else None
    if found is not None:
        raise Rejected(
            f"submission {found} is open on the account's own sequence number: run the command "
            "again when it has ended"
        )


# -- the envelope ---------------------------------------------------------------------------


def _open(policy: AssetPolicy, claimed: jobs.Claim) -> Line:
    """Open a line that is missing, with the account's queue in hand."""
    source = policy.distribution
    _demand_no_submission(source)
    if networks.current():
        channels.correct(source, None)
    signed = _signed(policy, gateway().one())
    try:
        jobs.extend(claimed)
    except jobs.Superseded:
        raise Unavailable("its payments are in other hands: run the command again") from None
    held = _outcome(signed, claimed)
    if networks.current():
        channels.correct(source, signed.sequence)
    if not held.successful:
        codes = (held.verdict.code, *held.verdict.operation_codes)
        raise Rejected(f"the ledger refused it: {' '.join(codes)}")
    line = _told(policy, gateway().account(source), held.hash)
    return line or Line(
        policy.code, source, "opened", f"opened by {held.hash}", balance=0, hash=held.hash
    )


def _signed(policy: AssetPolicy, node: Gateway) -> _Signed:
    """Build and sign what opens the line, or raise `Rejected` with what is missing for it."""
    from anchor.ledger import envelopes  # only who signs needs stellar_sdk
    from anchor.ledger.keys import sign

    source, passphrase = policy.distribution, settings().network_passphrase
    account = node.account(source)
    _demand_lumens(source, account)
    if account is None or node.account(policy.issuer or "") is None:
        raise Rejected(f"its issuer {policy.issuer} does not exist on the ledger")
    bound_s = min(settings().time_bound_s, _BOUND_S)
    max_time = int(node.network().latest_closed_at.timestamp()) + bound_s
    unsigned = envelopes.build(
        *(source, account.sequence + 1, source, [LedgerOrder("trust", asset=policy.id)]),
        fee_per_operation=bids.per_operation(node),
        max_time=max_time,
        passphrase=passphrase,
    )
    signature = sign(settings().keys[source], bytes.fromhex(unsigned.hash))
    signed = envelopes.add_signatures(unsigned.envelope_xdr, [signature], passphrase)
    if not envelopes.is_signed_enough(signed, {source: account}, passphrase):
        raise Rejected(
            "its key here does not suffice for its thresholds: have a change_trust for "
            f"{policy.id} signed by its signers"
        )
    return _Signed(source, account.sequence + 1, max_time, signed, unsigned.hash)


def _demand_lumens(source: str, account: LedgerAccount | None) -> None:
    held = account or LedgerAccount(source, 0, (), (), 0, 0, 0, 0)
    lacks = destinations.lumens_for_line(held, _BASE_RESERVE)
    if account is None:
        raise Rejected(
            f"the account does not exist: send it {format_amount(lacks)} lumens or more first"
        )
    if lacks:
        raise Rejected(
            f"it has too few lumens for a trust line: send it {format_amount(lacks)} or more first"
        )


def _outcome(signed: _Signed, claimed: jobs.Claim) -> LedgerTransaction:
    """Hand an envelope in and return it as a ledger took it; on any doubt look its hash up.

    Raises `Rejected` where no ledger took it and none can, `_Undecided` where that stays unknown.
    """
    refusal: SubmissionFailed | None = None
    try:
        return gateway().submit(signed.envelope_xdr)
    except SubmissionFailed as failed:
        refusal = failed
    except Unavailable:
        pass
    deadline = monotonic() + _OUTCOME_S
    while monotonic() < deadline:
        try:
            found = _looked_up(signed, refusal)
            if found is not None:
                return found
            jobs.extend(claimed)
        except (Unavailable, jobs.Superseded):
            pass  # it is asked again, and what was handed in stays handed in
        sleep(_LOOK_MS / 1000)
    raise _Undecided(
        f"it is not known what became of the transaction {signed.hash}: run the command again "
        "in a few minutes, it looks first"
    )


def _looked_up(signed: _Signed, refusal: SubmissionFailed | None) -> LedgerTransaction | None:
    node = gateway().one()
    found = node.transaction(signed.hash)
    if found is not None:
        return found
    if refusal is not None and refusal.verdict.code != "tx_failed":  # that is in a ledger
        raise Rejected(f"the network refused it: {refusal}; run the command again")
    account = node.account(signed.account, dated=True)
    if account is not None and account.has_let_pass(signed.sequence, signed.max_time):
        raise Rejected("no ledger took it in time: run the command again")
    return None

"""What an account of ours does on the ledger for itself: a submission that pays nobody.

Trust lines are opened so, and channel accounts are made. It is a submission like any other (see
`anchor.services.submissions`), on the account's own sequence number, with an envelope and nothing
of anybody's in it. So a payment on that number has to wait until it has ended, its end is what a
ledger says, and its fee gets into the books as every fee does. It is built, signed and stored with
the account's queue in hand, the job that `submissions.drive` has else.

The crash windows, and what there is after each:

1. with the queue in hand, before the submission is stored with its signed envelope, in one commit:
   nothing has happened. The queue goes on when the lease is over, after two minutes at most;
2. after that, before or while it is handed in: an open submission. The account's job, or the next
   command for that account, hands the same bytes in again, finds their hash in a ledger, or gives
   it up with the proof that no ledger can take it. It is never built anew: who wants it says so;
3. after it is in a ledger, before our record: the look-up by hash finds it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

from sqlalchemy import select

from anchor.errors import Rejected, Unavailable
from anchor.extensions import atomic, db, gateway, settings, transaction
from anchor.ledger.gateway import Gateway, LedgerAccount, Signature
from anchor.ledger.orders import LedgerOrder, Unsigned
from anchor.models import Envelope, Submission
from anchor.services import bids, channels, jobs, networks, queues, slots, submissions
from anchor.services.deposit_payments import DRIVE, lane_of

#: An envelope is good for so long at most: somebody waits for it.
_BOUND_S = 60
#: So long it is waited for the queue, and then for what became of the envelope.
_QUEUE_S, _OUTCOME_S = 60, 120
_LOOK_MS = 500

#: What is to be done, by the account as one node has it now (None: it is not there).
Wanted = Callable[[Gateway, LedgerAccount | None], Sequence[LedgerOrder]]
#: Signs an envelope that is good until an instant (unix seconds).
Sign = Callable[[Unsigned, int], Iterable[Signature]]


@dataclass(frozen=True)
class _Signed:
    """A signed envelope for the account's next number; `unsigned` has its hash and its fee."""

    account: LedgerAccount
    unsigned: Unsigned
    envelope_xdr: str
    max_time: int


def carry_out(source: str, wanted: Wanted, sign: Sign) -> str | None:
    """Do what is `wanted` in one envelope; return its hash, or None where that is nothing.

    `wanted` is asked with the account's queue in hand, so that who runs this twice, or twice at
    once, does it once. Raises `Rejected` where it was not done, with what to do, and `Unavailable`
    where that is not known yet, or other hands are at the account: the same again looks first.
    """
    networks.stamp(gateway(), settings().network_passphrase)
    with _queue(source) as claimed:
        left = _left_open(source)
        if left is not None:
            _end(claimed, left)
        node = gateway().one()
        account = node.account(source)
        orders = wanted(node, account)
        if not orders:
            return None
        if account is None:
            raise Rejected(f"{source} does not exist on the ledger")
        return _end(claimed, _store(claimed, _signed(node, account, orders, sign)), ours=True)


# -- the queue ------------------------------------------------------------------------------


@contextmanager
def _queue(source: str) -> Iterator[jobs.Claim]:
    """Have an account's queue in hand; what is left open at the end is owed to its job."""
    claimed = _claimed(source)
    try:
        yield claimed
    except jobs.Superseded:
        raise Unavailable("its payments are in other hands: run the command again") from None
    finally:
        with transaction():
            if source in queues.busy():
                jobs.renew(jobs.Address(DRIVE, source), lane_of(source))
        jobs.done(claimed)


def _claimed(source: str) -> jobs.Claim:
    address, deadline = jobs.Address(DRIVE, source), monotonic() + _QUEUE_S
    while monotonic() < deadline:
        _left_open(source)
        with transaction():
            jobs.renew(address, lane_of(source))
        claimed = jobs.claim(address)
        if claimed is not None:
            return claimed
        sleep(_LOOK_MS / 1000)
    raise Unavailable("payments from it are being made: run the command again in a minute")


def _left_open(source: str) -> int | None:
    """Return the submission of this kind that is open; `Rejected` where one of payments is."""
    found = next((each for each in slots.opened(source) if each.channel == source), None)
    if found is not None and found.orders:
        raise Rejected(
            f"submission {found.id} is open on the account's own sequence number: run the command "
            "again when it has ended"
        )
    return found.id if found else None


# -- the envelope ---------------------------------------------------------------------------


def _signed(
    node: Gateway, account: LedgerAccount, orders: Sequence[LedgerOrder], sign: Sign
) -> _Signed:
    from anchor.ledger import envelopes  # only who signs needs stellar_sdk

    source, passphrase = account.account_id, settings().network_passphrase
    bound_s = min(settings().time_bound_s, _BOUND_S)
    max_time = int(node.network().latest_closed_at.timestamp()) + bound_s
    unsigned = envelopes.build(
        *(source, account.sequence + 1, source, orders),
        fee_per_operation=bids.per_operation(node),
        max_time=max_time,
        passphrase=passphrase,
    )
    signatures = sign(unsigned, max_time)
    signed = envelopes.add_signatures(unsigned.envelope_xdr, signatures, passphrase)
    accounts = {source: account}
    if not envelopes.is_signed_enough(signed, accounts, passphrase):
        raise Rejected(
            "its key here does not suffice for its thresholds: have its signers do that "
            "with their own tools"
        )
    signed = envelopes.without_surplus(signed, accounts, passphrase)
    return _Signed(account, unsigned, signed, max_time)


@atomic
def _store(claimed: jobs.Claim, signed: _Signed) -> int:
    """Open the submission with its envelope, while the queue is still in our hands.

    Raises `Unavailable` where a node is behind what we know: the number is used up then.
    """
    jobs.hold(claimed)
    source, used = signed.account.account_id, signed.account.sequence
    channel = channels.own(source)
    if channel.sequence is not None and channel.sequence > used:
        raise Unavailable(f"the network's source is behind about {source}: run the command again")
    channel.sequence = used
    opened = Submission(channel_id=channel.id, source=source, sequence=used + 1, state="prepared")
    db.session.add(opened)
    db.session.flush()
    db.session.add(
        Envelope(
            submission_id=opened.id,
            hash=signed.unsigned.hash,
            envelope_xdr=signed.envelope_xdr,
            max_time=signed.max_time,
            fee=signed.unsigned.fee,
        )
    )
    return opened.id


def _end(claimed: jobs.Claim, submission_id: int, *, ours: bool = False) -> str | None:
    """Bring a submission to its end; return the hash of what is in a ledger, and successful.

    One that a command before left open may end as it likes: what is wanted is asked after it.
    """
    if not submissions.bring_to_end(claimed, submission_id, _OUTCOME_S):
        raise Unavailable(
            f"it is not known yet what became of submission {submission_id}: run the command "
            "again in a few minutes, it looks first"
        )
    state, codes, hash_, ledger = _outcome(submission_id)
    if state == "confirmed" or not ours:
        return hash_
    if ledger is not None:
        raise Rejected(f"the ledger refused it: {codes}")
    raise Rejected(
        f"no ledger took it in time{f' ({codes})' if codes else ''}: run the command again"
    )


@atomic
def _outcome(submission_id: int) -> tuple[str, str | None, str | None, int | None]:
    query = select(Submission.state, Submission.codes, Submission.hash, Submission.ledger)
    state, codes, hash_, ledger = db.session.execute(
        query.where(Submission.id == submission_id)
    ).one()
    return state, codes, hash_, ledger

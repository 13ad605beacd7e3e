"""Channel accounts: whose sequence numbers carry our submissions, made and looked after."""

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from anchor.errors import Misconfigured
from anchor.extensions import atomic, db, settings
from anchor.ledger.gateway import Gateway
from anchor.models import SUBMISSION_OPEN, Channel, Submission
from anchor.services import networks

if TYPE_CHECKING:
    from anchor.ledger.keys import Keys


def keys_of(number: int) -> "Keys":
    """Return the keys of a channel; `Misconfigured` without the secret they come from."""
    secret = settings().channel_secret
    if not secret:
        raise Misconfigured("ANCHOR_CHANNEL_SECRET is not set, and channel accounts need it.")
    from anchor.ledger.keys import channel_keys  # it brings stellar_sdk

    return channel_keys(settings().opened(secret), number)


def prepare(gateway: Gateway, source: str) -> None:
    """Make sure that a source account can submit: each free channel's number is known.

    Without a pool of channels the account is its own channel, one submission at a time.
    """
    _offer(source)
    for account_id in _unknown(source):
        account = gateway.account(account_id)
        if account is not None:
            correct(account_id, account.sequence)


@atomic
def _offer(source: str) -> None:
    db.session.execute(
        insert(Channel)
        .values(network_id=networks.current_id(), account_id=source)
        .on_conflict_do_nothing()
    )


def own(source: str) -> Channel:
    """Lock and return a source account as its own channel. Needs an open transaction."""
    _offer(source)
    query = select(Channel).where(
        Channel.network_id == networks.current_id(), Channel.account_id == source
    )
    locked = query.with_for_update().execution_options(populate_existing=True)
    return db.session.execute(locked).scalar_one()


@atomic
def _unknown(source: str) -> list[str]:
    own = (Channel.account_id == source) | Channel.number.is_not(None)
    query = select(Channel.account_id).where(
        Channel.network_id == networks.current_id(),
        Channel.sequence.is_(None),
        Channel.retired_at.is_(None),
        own,
    )
    return list(db.session.scalars(query))


@atomic
def correct(account_id: str, sequence: int | None) -> None:
    """Take a channel's sequence number from the ledger, unless a submission of it is open.

    With None it is asked for before the next submission.
    """
    open_ones = select(Submission.id).where(
        Submission.channel_id == Channel.id, Submission.state.in_(SUBMISSION_OPEN)
    )
    db.session.execute(
        update(Channel)
        .where(
            Channel.account_id == account_id,
            Channel.network_id == networks.current_id(),
            ~open_ones.exists(),
        )
        .values(sequence=sequence)
        .execution_options(synchronize_session=False)
    )


def left_for(source: str, at_most: int | None) -> int | None:
    """Return how many channels a source account may take, `at_most` so many; None: any number.

    One that people sign for leaves half of the pool to others. Needs an open transaction.
    """
    waiting = select(func.count(), func.count().filter(Submission.source == source)).where(
        Submission.state == "pending_signatures"
    )
    everybody, its_own = db.session.execute(waiting).one()
    if not its_own:
        return at_most
    pooled = select(func.count()).where(
        Channel.network_id == networks.current_id(),
        Channel.number.is_not(None),
        Channel.retired_at.is_(None),
    )
    left = max(0, db.session.execute(pooled).scalar_one() // 2 - int(everybody))
    return left if at_most is None else min(left, at_most)

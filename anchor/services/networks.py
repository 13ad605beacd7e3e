"""Which network this database lives on, which accounts it watches, and who reads them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, func, or_, select, text, update

from anchor.errors import Misconfigured, NotFound, Unavailable
from anchor.extensions import atomic, db
from anchor.ledger.gateway import Gateway, LedgerMark, NetworkState
from anchor.ledger.landmarks import RESET, Landmarks
from anchor.models import Account, Network

LEASE_S = 15
RENEW_S = 5


@dataclass(frozen=True)
class Watch:
    """An account to follow: where its reading stands, and the token of whoever reads it."""

    id: int
    network_id: int
    account_id: str
    cursor: int
    known_ledger: int
    known_hash: str
    in_charge_since: datetime
    token: int = 0
    first_cursor: int = 0


def stamp(gateway: Gateway, passphrase: str) -> int:
    """Return the id of the network this database lives on, stamping it at first sight.

    Raises `Misconfigured` where the source is of another network, by its passphrase or by
    the hash of the ledger that was stored, and says what to run (promise 2).
    """
    node = gateway.one()
    known = verify(node, passphrase)
    if known is None:
        return _stamp(passphrase, _mark(node, node.network().latest_ledger))
    return known.id


def verify(gateway: Gateway, passphrase: str) -> Network | None:
    """Return the network that was stamped, None where none was; raise as `stamp` does."""
    gateway = gateway.one()
    state = gateway.network()
    if state.passphrase != passphrase:
        raise Misconfigured(
            f"the source is of the network “{state.passphrase}”, not of “{passphrase}”."
        )
    known = current()
    if known is None:
        return None
    if known.passphrase != passphrase:
        raise Misconfigured(
            f"this database lives on the network “{known.passphrase}”; use another database."
        )
    if known.ledger > state.latest_ledger or (
        known.ledger >= state.oldest_ledger
        and _mark(gateway, known.ledger).hash != known.ledger_hash
    ):
        raise Misconfigured(RESET)
    return known


def check(gateway: Gateway, watch: Watch) -> NetworkState:
    """Make sure that reading an account can go on from its cursor without a hole.

    Raises `Misconfigured` with the command to run where the source's history begins after
    what was read, ends before it, or is another one under the same name (promise 2);
    `Unavailable` where it is this network's, and behind what was read. `gateway` is one node.
    """
    state = gateway.network()
    read = max(watch.known_ledger, watch.cursor >> 32)
    if read > state.latest_ledger:
        if _is_the_same(gateway, state):
            raise Unavailable(f"the source ends at ledger {state.latest_ledger}, before {read}")
        raise Misconfigured(
            f"the source ends at ledger {state.latest_ledger}, before what was read: {RESET}"
        )
    if watch.known_ledger < state.oldest_ledger:
        raise Misconfigured(
            f"the source begins at ledger {state.oldest_ledger}, and {watch.account_id} was "
            f"read up to {watch.known_ledger} only: name a source that holds the ledgers "
            f"between in ANCHOR_HORIZON_URL, or give them up by `flask anchor rewind "
            f"{watch.account_id} --from-ledger {state.oldest_ledger}`."
        )
    if _mark(gateway, watch.known_ledger).hash != watch.known_hash:
        raise Misconfigured(RESET)
    return state


def _is_the_same(gateway: Gateway, state: NetworkState) -> bool:
    """Tell whether the source holds the ledger that this database was stamped with."""
    known = current()
    return (
        known is not None
        and state.oldest_ledger <= known.ledger <= state.latest_ledger
        and _mark(gateway, known.ledger).hash == known.ledger_hash
    )


@atomic
def landmarks(passphrase: str) -> Landmarks:
    """Return by what the present network is known: its stamp, and how far accounts were read."""
    known = db.session.scalar(select(Network).where(Network.is_current))
    if known is None:
        return Landmarks(passphrase)
    rows = db.session.execute(
        select(Account.known_ledger, Account.known_hash, Account.cursor).where(_of_current())
    ).all()
    return Landmarks(
        known.passphrase,
        ((known.ledger, known.ledger_hash), *((row[0], row[1]) for row in rows)),
        max([known.ledger, *(max(row[0], row[2] >> 32) for row in rows)]),
    )


def _mark(gateway: Gateway, sequence: int) -> LedgerMark:
    mark = gateway.ledger(sequence)
    if mark is None:
        raise Unavailable(f"the source does not hold ledger {sequence}")
    return mark


def note_up_to_date(gateway: Gateway, watch: Watch, sequence: int) -> None:
    """Store the ledger up to which the source was seen to hold nothing new."""
    _know(watch, _mark(gateway, sequence))


@atomic
def _know(watch: Watch, mark: LedgerMark) -> None:
    db.session.execute(
        update(Account)
        .where(Account.id == watch.id, Account.lease_token == watch.token)
        .values(
            known_ledger=mark.sequence,
            known_hash=mark.hash,
            read_until=func.greatest(Account.read_until, mark.closed_at),
        )
    )


@atomic
def current() -> Network | None:
    """Return the network in use, or None where none was stamped yet."""
    return db.session.scalar(select(Network).where(Network.is_current))


@atomic
def current_id() -> int:
    """Return the id of the network in use; `Unavailable` where none was stamped yet."""
    found = db.session.scalar(select(Network.id).where(Network.is_current))
    if found is None:
        raise Unavailable("no stream runner has stamped the network yet")
    return found


def adopt(gateway: Gateway, passphrase: str) -> int:
    """Begin anew on a network that was reset: old rows stay with the old network's id.

    The first node that answers is believed; the others are held against its ledger then.
    """
    return _adopt(passphrase, _first(gateway, lambda node: _newest(node, passphrase)))


def _newest(node: Gateway, passphrase: str) -> LedgerMark:
    state = node.network()
    if state.passphrase != passphrase:
        raise Misconfigured(f"the source is of the network “{state.passphrase}”.")
    return _mark(node, state.latest_ledger)


def _first(gateway: Gateway, act: Callable[[Gateway], LedgerMark]) -> LedgerMark:
    """Return what the first node that answers says, whatever is known of the network."""
    silent = Unavailable("no source of the network answers")
    for node in gateway.every():
        try:
            return act(node)
        except Unavailable as error:
            silent = error
    raise silent


@atomic
def _adopt(passphrase: str, mark: LedgerMark) -> int:
    db.session.execute(update(Network).values(is_current=False))
    return _stamp(passphrase, mark)


@atomic
def _stamp(passphrase: str, mark: LedgerMark) -> int:
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('anchor.network'))"))
    known = db.session.scalar(select(Network).where(Network.is_current))
    if known is None:
        known = Network(passphrase=passphrase, ledger=mark.sequence, ledger_hash=mark.hash)
        db.session.add(known)
        db.session.flush()
    return known.id


def watch(gateway: Gateway, network_id: int, account_ids: Iterable[str]) -> None:
    """Begin to watch these accounts, each from its newest payment on.

    The cursor is stored before the account is offered to anyone, so no payment to it can
    be missed; what is older is history. Accounts that are watched already are left alone.
    """
    for account_id in account_ids:
        if is_watched(network_id, account_id):
            continue
        node = gateway.one()
        mark = _mark(node, node.network().latest_ledger)
        newest = int(node.newest_cursor(account_id))
        _watch(network_id, account_id, max(newest, mark.sequence << 32), mark)


#: The present network, where `account_id` is followed on it.
WATCHED = (
    select(Network.id)
    .join(Account, Account.network_id == Network.id)
    .where(Network.is_current, Account.account_id == bindparam("account_id"))
)


def receiving(account_id: str) -> int:
    """Return the network on which an account is paid to; `Unavailable` until it is followed.

    Needs an open transaction.
    """
    found = db.session.scalar(WATCHED, {"account_id": account_id})
    if found is None:
        raise Unavailable("the anchor does not follow its network yet; try again in a minute")
    return found


@atomic
def is_watched(network_id: int, account_id: str) -> bool:
    """Tell whether payments to an account are read: before that it is offered to nobody."""
    return (
        db.session.scalar(
            select(Account.id).where(
                Account.network_id == network_id, Account.account_id == account_id
            )
        )
        is not None
    )


@atomic
def _watch(network_id: int, account_id: str, cursor: int, mark: LedgerMark) -> None:
    db.session.add(
        Account(
            network_id=network_id,
            account_id=account_id,
            role="distribution",
            cursor=cursor,
            first_cursor=cursor,
            known_ledger=mark.sequence,
            known_hash=mark.hash,
            read_until=mark.closed_at,
            in_charge_since=mark.closed_at,
        )
    )


def rewind(gateway: Gateway, account_id: str, sequence: int) -> None:
    """Read an account again from the beginning of a ledger; what is kept already stays.

    Payments that closed before `in_charge_since` stay history. Raises `NotFound` where
    the account is not watched.
    """
    _rewind(account_id, _first(gateway, lambda node: _mark(node, sequence)))


@atomic
def _rewind(account_id: str, mark: LedgerMark) -> None:
    found = db.session.execute(
        update(Account)
        .where(Account.account_id == account_id, _of_current())
        .values(
            cursor=mark.sequence << 32,
            known_ledger=mark.sequence,
            known_hash=mark.hash,
            stopped_reason=None,
            lease_token=Account.lease_token + 1,
            leased_until=None,
        )
        .returning(Account.id)
    )
    if found.one_or_none() is None:
        raise NotFound(f"{account_id} is not watched")


@atomic
def watched() -> list[Watch]:
    """Return all accounts of the present network that are watched."""
    return [_as_watch(row) for row in db.session.scalars(select(Account).where(_of_current()))]


@atomic
def standing() -> list[Account]:
    """Return the watched accounts as rows, for an operator's eyes."""
    return list(db.session.scalars(select(Account).where(_of_current()).order_by(Account.id)))


@atomic
def lease(watch_id: int) -> Watch | None:
    """Take the reading of an account for `LEASE_S`; None while somebody else reads it."""
    row = db.session.scalars(
        update(Account)
        .where(
            Account.id == watch_id,
            or_(Account.leased_until.is_(None), Account.leased_until < func.now()),
        )
        .values(
            leased_until=func.now() + timedelta(seconds=LEASE_S),
            lease_token=Account.lease_token + 1,
        )
        .returning(Account)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return _as_watch(row) if row else None


@atomic
def renew(watch: Watch) -> bool:
    """Keep the lease for another `LEASE_S`; False where it was lost."""
    return _update_lease(watch, func.now() + timedelta(seconds=LEASE_S))


@atomic
def let_go(watch: Watch) -> None:
    """Give the lease back, so that another runner need not wait for its end."""
    _update_lease(watch, None)


@atomic
def stop(watch: Watch, reason: str) -> None:
    """Note that an account is not followed any more, and why (promise 2).

    Nothing is noted where the lease is another's: that one follows it.
    """
    db.session.execute(
        update(Account)
        .where(Account.id == watch.id, Account.lease_token == watch.token)
        .values(stopped_reason=reason)
    )


@atomic
def stop_all(reason: str) -> None:
    """Note that nothing of the present network can be followed, and why."""
    db.session.execute(update(Account).where(_of_current()).values(stopped_reason=reason))


@atomic
def go_on(watch: Watch) -> None:
    """Note that an account is followed."""
    db.session.execute(
        update(Account)
        .where(Account.id == watch.id, Account.stopped_reason.is_not(None))
        .values(stopped_reason=None)
    )


def _update_lease(watch: Watch, until: object) -> bool:
    kept = db.session.execute(
        update(Account)
        .where(Account.id == watch.id, Account.lease_token == watch.token)
        .values(leased_until=until)
        .returning(Account.id)
    )
    return kept.one_or_none() is not None


def _of_current() -> ColumnElement[bool]:
    return Account.network_id == select(Network.id).where(Network.is_current).scalar_subquery()


def _as_watch(row: Account) -> Watch:
    return Watch(
        row.id,
        row.network_id,
        row.account_id,
        row.cursor,
        row.known_ledger,
        row.known_hash,
        row.in_charge_since,
        row.lease_token,
        row.first_cursor,
    )

"""After a backup was restored: nothing leaves until what the database forgot is found again.

Attempts and envelopes that were made after the backup are gone from the database and not from
the world. Keys are derived, so a rail or a custodian is asked for the next keys of each
transaction; outgoing payments of the ledger that no envelope explains are held against deposits
and refunds that are to be paid (promises 5, 6 and 7, money rule 14). What was lost may still be
on its way: only when every bank's "not found" is final, and no lost envelope can enter a ledger
any more, has everything been seen.

Each step can be repeated: what was found is recorded under its own key and is not found again.
"""

from datetime import timedelta
from time import sleep

from sqlalchemy import func, select, update

from anchor.errors import Unavailable
from anchor.extensions import atomic, db, gateway, house, settings
from anchor.integrations.custody import Signer
from anchor.ledger.gateway import Gateway
from anchor.lifecycle import FINAL
from anchor.models import Channel, Job, Pause, Transaction
from anchor.services import (
    brakes,
    channels,
    custodians,
    jobs,
    networks,
    pending_deposits,
    restored,
    restored_arrivals,
    restored_orders,
    restored_payments,
    restored_payouts,
    restored_remittances,
)
from anchor.services.reconciliation import read_on
from anchor.services.restored import Found
from anchor.services.restored_payouts import PAID_ON_LEDGER

#: So long we wait for a worker that polls a rail.
_PATIENCE_S = 60
#: No envelope is valid for longer (`anchor.services.signing`).
_SIGNED_WITHIN = timedelta(days=7)
__all__ = ["Found", "look", "resume"]


def look(who: str, note: str | None = None) -> Found:
    """Stop all outflow, and find again what the database forgot.

    Raises `Unavailable` where the ledger or a rail does not answer, and `Misconfigured` where
    the source's history does not go on from what was read: it stays paused, and the same again
    goes on.
    """
    pause = _begin(who, note)
    found = Found()
    _read_all()
    restored_payouts.look_up_first(pause)
    for account_id in _free_channels():
        account = gateway().account(account_id)
        if account is not None:
            channels.correct(account_id, account.sequence)
    is_open = Transaction.status.not_in(FINAL)
    is_deposit = Transaction.kind.in_(PAID_ON_LEDGER)
    for transaction_id in restored.ids(is_open | restored.returned_or_left()):
        restored_payouts.ask(transaction_id, found, pause)
    for transaction_id in restored.ids(is_deposit, is_open, Transaction.funded_at.is_not(None)):
        restored_orders.ask(transaction_id, found, pause)
        restored_payments.find(transaction_id, found)
    restored_remittances.hold_unpaid()
    restored_payouts.ask_for_refunds_of_nobody(found, pause)
    restored_payments.explain_the_rest(found)
    restored_arrivals.leave_to_a_person(found, pause)
    _wait_for_envelopes(found, pause)
    return found


def resume(who: str) -> None:
    """Take back the pause of the restore; what somebody else paused stays paused."""
    brakes.resume("all", brakes.RESTORE, who, restored.NOTE)


def _begin(who: str, note: str | None) -> restored.Pause:
    brakes.pause("all", brakes.RESTORE, who, note or restored.NOTE)
    closed_at = gateway().network().latest_closed_at
    return _paused(closed_at)


@atomic
def _paused(closed_at: object) -> restored.Pause:
    own = Pause.scope == "all", Pause.subject == brakes.RESTORE
    db.session.execute(
        update(Pause)
        .where(*own, Pause.ledger_closed_at.is_(None))
        .values(ledger_closed_at=closed_at)
    )
    eldest = select(func.min(Pause.since)).where(Pause.scope == "all").scalar_subquery()
    row = db.session.execute(
        select(Pause.since, eldest, restored.age_s(Pause.since), Pause.ledger_closed_at).where(*own)
    ).one()
    return restored.Pause(row[0], row[1], int(row[2]), row[3])


def _read_all() -> None:
    """Read each account to its end, and ask each rail whose money has come."""
    for watch in networks.watched():
        read_on(watch, _source(watch))
    for rail in _owe_polls():
        _poll(jobs.Address(pending_deposits.POLL, rail))


def _source(watch: networks.Watch) -> Gateway:
    """Return one source that holds all from an account's cursor on; raise as `check` does."""
    return gateway().one(lambda node: networks.check(node, watch))


def _poll(address: jobs.Address) -> None:
    """See to it that a poll that begins now is done to its end, by us or by a worker."""
    for _ in range(_PATIENCE_S):
        ran = jobs.run(address)
        if ran is jobs.Ran.DONE or (ran is jobs.Ran.NOTHING and not _is_owed(address)):
            return
        if ran is not jobs.Ran.NOTHING:
            break
        sleep(1)  # somebody else is about it
    raise Unavailable(f"the rail {address.subject_id} did not say what came: run this again")


@atomic
def _is_owed(address: jobs.Address) -> bool:
    return (
        db.session.get(Job, (address.kind, address.subject_id), populate_existing=True) is not None
    )


@atomic
def _owe_polls() -> list[str]:
    """Make the poll of each rail due, also one that waits after a failure."""
    pending_deposits.owe_polls()
    polls = list(db.session.scalars(select(Job.lane).where(Job.kind == pending_deposits.POLL)))
    for rail in polls:
        jobs.renew(jobs.Address(pending_deposits.POLL, rail), rail)
    return polls


@atomic
def _free_channels() -> list[str]:
    query = select(Channel.account_id).where(
        Channel.network_id == networks.current_id(), Channel.retired_at.is_(None)
    )
    return list(db.session.scalars(query.order_by(Channel.id)))


def _wait_for_envelopes(found: Found, pause: restored.Pause) -> None:
    """Note how long a lost envelope may still enter a ledger, by the ledger's own clock."""
    if custodians.current() is not None:
        return  # its orders are asked for by key
    passed = gateway().network().latest_closed_at - pause.ledger_closed_at
    bound = timedelta(seconds=settings().time_bound_s)
    if passed <= bound:
        left_s = int((bound - passed).total_seconds()) + 1
        found.waits.append(f"the ledger may take an envelope that is lost for {left_s} s more")
    if passed <= _SIGNED_WITHIN and _is_signed_later():
        until = pause.ledger_closed_at + _SIGNED_WITHIN
        found.unexplained.append(
            "an envelope that waited for signatures may be lost, and can be signed and sent "
            f"until {until:%Y-%m-%d %H:%M} UTC: make sure that nobody does"
        )


def _is_signed_later() -> bool:
    """Tell whether envelopes of an account wait for people, who have days to sign them."""
    custody = house().custody
    if isinstance(custody, Signer) and custody.traits.signs_within is not None:
        return True
    for account_id in settings().distribution_accounts:
        account = gateway().account(account_id)
        heaviest = max((each.weight for each in account.signers), default=0) if account else 0
        if account is not None and heaviest < account.med_threshold:
            return True
    return False

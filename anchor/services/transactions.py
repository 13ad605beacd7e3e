"""What happens to transactions: the one function that moves their status."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Table,
    Text,
    Update,
    any_,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.types import TypeEngine

from anchor import lifecycle
from anchor.assets import is_contracts
from anchor.extensions import atomic, db
from anchor.lifecycle import Event, Kind, NoSuchMove, Status
from anchor.models import History, Remittance, Transaction
from anchor.services import cases, jobs

PAY_OUT = "execute_outgoing_transaction"
PAY_ON_LEDGER = "pay_on_ledger"
CHECK_TRUST = "check_trustline"
#: Agree on a remittance with the other anchor, and pay it; then ask how it goes.
REMIT = "bring_on_remittance"
FOLLOW_REMITTANCE = "follow_remittance"
#: The lane of jobs that ask the ledger; those that ask a rail are in that rail's.
LEDGER_LANE = "ledger"
#: Deposits to contract accounts, about which the RPC is asked, keep no others.
CONTRACTS_LANE = "contracts"
#: Looks at trust lines have a budget: what waits for it keeps no payment.
TRUST_LANE = "trust lines"
#: One that hangs keeps nothing but what goes to it.
REMITTANCE_LANE = "remittances "
_LANES = {PAY_ON_LEDGER: LEDGER_LANE, CHECK_TRUST: TRUST_LANE}

#: The job that a transaction calls for as soon as it stands in a status with funds in.
_NEXT_JOB: Mapping[tuple[Kind, Status], str] = {
    (Kind.WITHDRAWAL, Status.PENDING_ANCHOR): PAY_OUT,
    (Kind.WITHDRAWAL_EXCHANGE, Status.PENDING_ANCHOR): PAY_OUT,
    (Kind.SEND, Status.PENDING_RECEIVER): PAY_OUT,
    (Kind.DEPOSIT, Status.PENDING_ANCHOR): PAY_ON_LEDGER,
    (Kind.DEPOSIT_EXCHANGE, Status.PENDING_ANCHOR): PAY_ON_LEDGER,
    (Kind.DEPOSIT, Status.PENDING_TRUST): CHECK_TRUST,
    (Kind.DEPOSIT_EXCHANGE, Status.PENDING_TRUST): CHECK_TRUST,
    (Kind.REMITTANCE, Status.PENDING_ANCHOR): REMIT,
    (Kind.REMITTANCE, Status.PENDING_CUSTOMER_INFO_UPDATE): FOLLOW_REMITTANCE,
    (Kind.REMITTANCE, Status.PENDING_EXTERNAL): FOLLOW_REMITTANCE,
}
#: Events after which a transaction is not paid out until a person or a customer acts, …
_RESTS_AFTER = frozenset(
    {
        Event.HELD,
        Event.PAYOUT_NEEDS_INFO,
        Event.PAYOUT_REFUSED,
        Event.PAYOUT_RETURNED,
        Event.REFUND_SENT,
    }
)
#: … which one of these says. Nothing else ends the rest, money that arrives least of all.
_RESTS_UNTIL = frozenset(
    {
        Event.CUSTOMER_ACCEPTED,
        Event.CUSTOMER_INFO_GIVEN,
        Event.RECOVERED,
        Event.RELEASED,
        Event.TRANSACTION_INFO_GIVEN,
        Event.USER_ACTED,
    }
)
#: Columns that are set to the database's clock.
INSTANTS = frozenset({"updated_at", "completed_at", "funded_at", "agreed_at"})
_ENDS = frozenset({Status.COMPLETED, Status.REFUNDED})


@dataclass(frozen=True)
class Moved:
    """A transaction whose status changed: as what it stands now, and where that is told."""

    id: str
    status: Status
    callback_url: str | None


#: Told of transactions whose status changed, inside the commit that changes them.
_followers: list[Callable[[Sequence[Moved]], None]] = []


def follow(follower: Callable[[Sequence[Moved]], None]) -> None:
    """Have `follower` told of every change of status, inside the transaction that makes it."""
    _followers.append(follower)


@dataclass(frozen=True)
class Owner:
    """Whose a transaction is: a base account with, perhaps, an id below it.

    ``G…:5`` and its ``M…`` address are one owner (promise 13).
    """

    account_id: str
    subaccount_id: int | None = None

    def __str__(self) -> str:
        below = "" if self.subaccount_id is None else f":{self.subaccount_id}"
        return self.account_id + below


def owner_of(row: Transaction) -> Owner:
    """Return whose a transaction is."""
    return Owner(row.owner_account, row.owner_subaccount)


@dataclass(frozen=True)
class Happening:
    """Something that happened to a transaction.

    `event` None only credits `received` stroops and leaves the status alone; the history
    calls it `told_as`. `cause` is
    the id of what caused it: the same cause twice changes nothing. `columns` are written
    in the same commit.
    """

    transaction_id: str
    event: Event | None
    cause: str
    received: int = 0
    columns: Mapping[str, Any] = field(default_factory=dict)
    told_as: str = "credited"


@atomic
def happened(*happenings: Happening) -> None:
    """Record what happened and move the statuses: the only writer of status and version.

    Swaps by version under row locks taken in one order, writes the history, owes the next
    job, all in one commit. A cause that was recorded before changes nothing. An event
    that the table has no row for is refused and becomes a case (promise 4).
    """
    if not happenings:
        return
    rows = _locked({happening.transaction_id for happening in happenings})
    known = _known(happenings)
    changes: dict[str, _Change] = {key: _Change(row) for key, row in rows.items()}
    for happening in happenings:
        if (happening.transaction_id, _name(happening), happening.cause) not in known:
            changes[happening.transaction_id].add(happening)
    written = [change for change in changes.values() if change.history]
    moved = _write(written)
    for change in written:
        db.session.expire(change.row)
    _tell(moved)


def goes_on(row: Transaction, happening: Happening) -> None:
    """Record what happens to a transaction in the very commit that opened it, as `happened` does.

    Nobody else has seen it: there is no lock to wait for, and no cause that was recorded before.
    """
    change = _Change(row)
    change.add(happening)
    values, moved = change.values(), _write([change])
    for name, value in values.items():
        if name in INSTANTS:
            db.session.expire(row, [name])
        else:
            set_committed_value(row, name, value)
    _tell(moved)


def _name(happening: Happening) -> str:
    return happening.event or happening.told_as


class _Change:
    """What several happenings make of one transaction, before it is written."""

    def __init__(self, row: Transaction) -> None:
        self.row = row
        self.to_status = Status(row.status)
        self.version = row.version
        self.received = row.amount_received
        self.columns: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.is_resting = row.is_resting
        self.is_funded = row.funded_at is not None

    def add(self, happening: Happening) -> None:
        target = self.to_status
        if happening.event is not None:
            try:
                target = lifecycle.next_status(
                    Kind(self.row.kind),
                    self.to_status,
                    funds_in=self.received > 0,
                    event=happening.event,
                )
            except NoSuchMove as refusal:
                cases.open_case(
                    "no_such_move",
                    f"{self.row.id}/{happening.event}/{happening.cause}",
                    note=str(refusal),
                    transaction_id=self.row.id,
                )
                return
        if happening.event in _RESTS_AFTER | _RESTS_UNTIL:
            self.is_resting = happening.event in _RESTS_AFTER
        self.is_funded = self.is_funded or self._funds(happening.event)
        self.to_status = target
        self.version += 1
        self.received += happening.received
        self.columns.update(happening.columns)
        self.history.append(
            {
                "transaction_id": self.row.id,
                "version": self.version,
                "event": _name(happening),
                "cause": happening.cause,
                "status": target,
            }
        )

    def _funds(self, event: Event | None) -> bool:
        """Tell whether there is enough from now on: a person says so by recovering it."""
        has_funds = self.received > 0
        return event is Event.FUNDS_RECEIVED or (event is Event.RECOVERED and has_funds)

    def values(self) -> dict[str, Any]:
        values = dict(self.columns, status=self.to_status, version=self.version)
        values |= {"amount_received": self.received, "is_resting": self.is_resting}
        if self.is_funded and self.row.funded_at is None:
            values["funded_at"] = func.now()
        if self.to_status != self.row.status:
            values["updated_at"] = func.now()
        if self.to_status in _ENDS and self.row.completed_at is None:
            values["completed_at"] = func.now()
        return values

    def moved(self) -> Moved:
        told_at = self.columns.get("callback_url", self.row.callback_url)
        return Moved(self.row.id, self.to_status, told_at)

    def next_job(self) -> tuple[jobs.Address, str] | None:
        kind = _NEXT_JOB.get((Kind(self.row.kind), self.to_status))
        if kind is None or not self.is_funded or self.is_resting:
            return None
        return jobs.Address(kind, self.row.id), lane_of(self.row, kind)


def lane_of(row: Transaction, job_kind: str) -> str:
    """Return the lane of a transaction's job: a remittance's is that of the anchor it goes to.

    That of a deposit to a contract account is its own. Needs an open transaction.
    """
    if job_kind in {REMIT, FOLLOW_REMITTANCE}:
        query = select(Remittance.domain).where(Remittance.transaction_id == row.id)
        return f"{REMITTANCE_LANE}{db.session.scalar(query)}"
    if job_kind == PAY_ON_LEDGER and is_contracts(row.destination):
        return CONTRACTS_LANE
    return _LANES.get(job_kind, row.rail)


def can_have(row: Transaction, event: Event) -> bool:
    """Tell whether the table has a row for `event` where a locked transaction stands now."""
    funds_in = row.amount_received > 0
    return lifecycle.is_legal(Kind(row.kind), Status(row.status), funds_in=funds_in, event=event)


def next_job_kind(row: Transaction) -> str | None:
    """Return the kind of job that a transaction calls for as it stands.

    None where it waits for funds, for a person or for the customer.
    """
    if row.funded_at is None or row.is_resting:
        return None
    return _NEXT_JOB.get((Kind(row.kind), Status(row.status)))


def _locked(ids: Iterable[str]) -> dict[str, Transaction]:
    rows = db.session.scalars(_LOCK, {"ids": list(ids)})
    return {row.id: row for row in rows}


def any_of(values: Iterable[Any], kind: TypeEngine[Any] | None = None) -> ColumnElement[bool]:
    """Compare with any of some texts (or values of `kind`) that are one parameter together.

    The statement is the same for one and for hundreds, so it is built and planned once.
    """
    return any_(literal(list(values), ARRAY(kind or Text())))


# Built once: SQLAlchemy takes longer to recognise a new one than PostgreSQL takes to run it.
_LOCK = (
    select(Transaction)
    .where(Transaction.id == any_(bindparam("ids", type_=ARRAY(Text()))))
    .order_by(Transaction.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)
_KNOWN = select(History.transaction_id, History.event, History.cause).where(
    History.transaction_id == any_(bindparam("ids", type_=ARRAY(Text()))),
    History.cause == any_(bindparam("causes", type_=ARRAY(Text()))),
)
_TABLE = cast(Table, Transaction.__table__)
_HISTORY = cast(Table, History.__table__)
_REMEMBER = insert(_HISTORY)


@cache
def _swap(columns: tuple[str, ...]) -> Update:
    """Return the statement that writes columns of a transaction which has the version still."""
    assignments: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    assignments |= {name: func.now() for name in INSTANTS & assignments.keys()}
    return (
        update(_TABLE)
        .where(_TABLE.c.id == bindparam("the_id"), _TABLE.c.version == bindparam("the_version"))
        .values(assignments)
    )


def _known(happenings: Sequence[Happening]) -> set[tuple[str, str, str]]:
    ids = list({happening.transaction_id for happening in happenings})
    causes = list({happening.cause for happening in happenings})
    found = db.session.execute(_KNOWN, {"ids": ids, "causes": causes})
    return {(row[0], row[1], row[2]) for row in found}


def _write(changes: Sequence[_Change]) -> list[Moved]:
    """Write what changed, and the jobs that it calls for; return whose status is another now."""
    for columns, group in _by_columns(changes).items():
        rows = [_bound(change, columns) for change in group]
        done = db.session.connection().execute(_swap(columns), rows)
        assert done.rowcount in {-1, len(rows)}, "a version moved under its lock"
    history = [row for change in changes for row in change.history]
    if history:
        db.session.execute(_REMEMBER, history)
    owed = [job for change in changes if (job := change.next_job())]
    jobs.ensure(owed)
    return [change.moved() for change in changes if change.to_status != change.row.status]


def _tell(moved: Sequence[Moved]) -> None:
    for follower in _followers if moved else ():
        follower(moved)


def _by_columns(changes: Sequence[_Change]) -> dict[tuple[str, ...], list[_Change]]:
    groups: dict[tuple[str, ...], list[_Change]] = {}
    for change in changes:
        groups.setdefault(tuple(sorted(change.values())), []).append(change)
    return groups


def _bound(change: _Change, columns: Iterable[str]) -> dict[str, Any]:
    values = change.values()
    bound = {f"new_{name}": values[name] for name in columns if name not in INSTANTS}
    return bound | {"the_id": change.row.id, "the_version": change.row.version}

"""What keeps money from leaving: pauses that people set, and caps of outflow in an hour.

Checked in the claim of every outflow, before anybody outside hears of it (promise 14). What is
on its way already goes on: it is looked up, and never repeated while it is paused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from anchor.assets import StellarAsset
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, settings
from anchor.lifecycle import Kind
from anchor.models import PAUSE_SCOPES, Act, Outflow, Pause
from anchor.money import format_amount
from anchor.services import cases

#: The subject of the pause that a restore sets for itself: nobody else takes it back.
RESTORE = "restore"
#: The rail of what leaves on the ledger, and the kind of what goes back to its payer.
STELLAR, REFUND = "stellar", "refund"
#: After so many seconds an outflow that a brake stopped is tried again.
RETRY_S = 30
#: A pause of a kind is one of its transactions on quotes, too.
_ON_A_QUOTE = "-exchange"
#: Instants are told in milliseconds.
_TOLD = timedelta(milliseconds=1)
KINDS = (*(kind.value for kind in Kind), REFUND)


@dataclass(frozen=True)
class Leaving:
    """Money that is about to leave, as a brake looks at it: `amount` stroops of `asset`."""

    kind: str
    asset: str
    rail: str
    amount: int


@dataclass(frozen=True)
class Cap:
    """What of an asset may leave in an hour, and what of that did in the last one; in stroops."""

    asset: str
    cap: int
    used: int

    @property
    def code(self) -> str:
        """The asset's code."""
        return StellarAsset.parse(self.asset).code


@dataclass(frozen=True)
class Standing:
    """A pause that is set, since an instant."""

    scope: str
    subject: str
    who: str
    note: str | None
    since: datetime


def named(scope: str, name: str) -> str:
    """Return the subject of a pause that people speak of: an asset is named by its code.

    `Rejected` where it lacks, and for the pause of a restore, which is nobody's to take back.
    """
    if scope == "all" and name:
        raise Rejected("a pause of all has no subject; resume-after-restore ends that of a restore")
    if scope != "all" and not name:
        raise Rejected(f"say which {scope}")
    policy = settings().asset(name) if scope == "asset" else None
    return policy.id if policy else name


@atomic
def pause(scope: str, subject: str, who: str, note: str | None) -> None:
    """Stop what is about to leave: ``all``, or of an asset, a rail or a kind of transaction.

    Each pause of ``all`` stops all, whatever its subject, until it is taken back itself.
    """
    _demand_known(scope, subject)
    statement = insert(Pause).values(scope=scope, subject=subject, who=who, note=note)
    db.session.execute(statement.on_conflict_do_nothing())
    db.session.add(Act(what=f"pause {scope} {subject}".strip(), who=who, note=note))


@atomic
def resume(
    scope: str, subject: str, who: str, note: str | None, *, since: datetime | None = None
) -> None:
    """Take a pause back; `NotFound` where there is none.

    `Rejected` where it is another than the one that was looked at, which was set at `since`: a
    resume that is sent again must not end what was paused anew.
    """
    mine = Pause.scope == scope, Pause.subject == subject
    gone = db.session.scalar(delete(Pause).where(*mine).returning(Pause.since))
    if gone is None:
        raise NotFound(f"{scope} {subject}".strip() + " is not paused")
    if since is not None and abs(gone - since) >= _TOLD:
        raise Rejected(f"{scope} {subject}".strip() + " was paused anew since; look again")
    db.session.add(Act(what=f"resume {scope} {subject}".strip(), who=who, note=note))


def scopes() -> Mapping[str, Sequence[str]]:
    """Return what may be paused: by scope, the subjects that there are."""
    rails = dict.fromkeys(rail for policy in settings().assets.values() for rail in policy.rails)
    return {
        "all": ["", RESTORE],
        "asset": [policy.id for policy in settings().assets.values()],
        "rail": [STELLAR, *rails],
        "kind": KINDS,
    }


def _demand_known(scope: str, subject: str) -> None:
    known = scopes()[scope]
    if subject not in known:
        raise Rejected(f"there is no {scope} {subject}; known are {', '.join(known)}")


@atomic
def standing() -> list[Standing]:
    """Return the pauses that are set."""
    rows = db.session.scalars(select(Pause).order_by(Pause.scope, Pause.subject))
    return [Standing(row.scope, row.subject, row.who, row.note, row.since) for row in rows]


@atomic
def caps() -> list[Cap]:
    """Return the caps that are set, and what is used of each; this keeps nobody waiting."""
    return [
        Cap(policy.id, policy.outflow_cap, _used(policy.id))
        for policy in settings().assets.values()
        if policy.outflow_cap is not None
    ]


def why_not(leaving: Leaving) -> str | None:
    """Return why something must not leave now, or None where it may.

    Needs an open transaction, which keeps others from using the same room under a cap until
    it ends: the caller writes that the money leaves.
    """
    if (paused := why_paused(leaving)) is not None:
        return paused
    return None if _fits(leaving, _room(leaving.asset)) else _capped(leaving)


def why_paused(leaving: Leaving) -> str | None:
    """Do the same without the cap, for what counts under it already."""
    return "it is paused" if _stops(_paused(), leaving) else None


def may_leave(queue: Sequence[tuple[Outflow, Leaving]]) -> list[Outflow]:
    """Return those of a queue that may leave now, the oldest first. Needs an open transaction.

    Where a cap is reached all that come later in that asset wait, too; what is above the cap
    itself keeps nobody.
    """
    assets = sorted({one.asset for _, one in queue})  # one order, as all take these locks
    held, room = _paused(), {asset: _room(asset) for asset in assets}
    found = []
    for outflow, leaving in queue:
        left = room[leaving.asset]
        if _stops(held, leaving):
            continue
        if not _fits(leaving, left):
            _capped(leaving)
            if not _is_beyond(leaving):
                room[leaving.asset] = 0
            continue
        if left is not None:
            room[leaving.asset] = left - leaving.amount
        found.append(outflow)
    return found


def _paused() -> set[tuple[str, str]]:
    return {(row.scope, row.subject) for row in db.session.scalars(select(Pause))}


def _stops(held: set[tuple[str, str]], leaving: Leaving) -> bool:
    every, *some = PAUSE_SCOPES
    subjects = (leaving.asset, leaving.rail, leaving.kind)
    stops = {*zip(some, subjects, strict=True), ("kind", leaving.kind.removesuffix(_ON_A_QUOTE))}
    return any(scope == every for scope, _ in held) or not held.isdisjoint(stops)


def _fits(leaving: Leaving, room: int | None) -> bool:
    return room is None or leaving.amount <= room


def _room(asset: str) -> int | None:
    """Return how many stroops may still leave in this hour, None where there is no cap."""
    policy = settings().asset_by_id(asset)
    if policy is None or policy.outflow_cap is None:
        return None
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('anchor.cap'), hashtext(:asset))"),
        {"asset": asset},
    )
    return policy.outflow_cap - _used(asset)


def _used(asset: str) -> int:
    """Return how many stroops left in the last hour, or may have."""
    used = case((Outflow.sold_asset == asset, Outflow.sold - Outflow.amount_fee))
    gone = select(func.coalesce(func.sum(func.coalesce(used, Outflow.amount)), 0)).where(
        or_(Outflow.asset == asset, Outflow.sold_asset == asset),
        Outflow.called_at > func.now() - timedelta(hours=1),
        or_(Outflow.state.in_(("sent", "unknown", "done")), Outflow.rail.is_not(None)),
        Outflow.state != "refused",
    )
    return int(db.session.scalar(gone) or 0)


def _is_beyond(leaving: Leaving) -> bool:
    policy = settings().asset_by_id(leaving.asset)
    return bool(policy and policy.outflow_cap and leaving.amount > policy.outflow_cap)


def _capped(leaving: Leaving) -> str:
    """Open this hour's case, and return the reason."""
    hour = db.session.execute(select(func.date_trunc("hour", func.now()))).scalar_one()
    policy = settings().asset_by_id(leaving.asset)
    cap = policy.outflow_cap if policy else None
    note = f"{format_amount(cap or 0)} in an hour are reached; what is queued waits"
    if _is_beyond(leaving):
        note = f"one of {format_amount(leaving.amount)} is above the cap itself, and waits for ever"
    cases.open_case(
        "outflow_cap_reached",
        f"{leaving.asset}/{hour:%Y-%m-%dT%H}",
        note=note,
        asset=leaving.asset,
    )
    return "the cap of this hour is reached"

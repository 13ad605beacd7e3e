"""How things stand, for health checks and operators: no names, no amounts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from anchor.errors import AnchorError
from anchor.extensions import atomic, db, gateway, settings
from anchor.models import Account, Case, Job
from anchor.services import brakes, networks

#: A ledger closes every five seconds; what is not read for so long is behind.
_LAG = timedelta(minutes=2)
_UNFOLLOWED = timedelta(minutes=1)
_OVERDUE = timedelta(minutes=15)


@atomic
def look() -> dict[str, Any]:
    """Return how each account is followed, what waits, and each problem as a sentence.

    `status` is ``ok`` where there is no problem.
    """
    now: datetime = db.session.execute(select(func.now())).scalar_one()
    accounts = networks.standing()
    due = select(func.count(), func.min(Job.due_at)).where(
        Job.due_at <= func.now(), Job.parked_at.is_(None)
    )
    jobs_due, oldest = db.session.execute(due).one()
    parked = select(func.count()).select_from(Job).where(Job.parked_at.is_not(None))
    cases = select(func.count()).select_from(Case).where(Case.closed_at.is_(None))
    problems = [*_unwatched(accounts), *_behind(accounts, now)]
    if oldest is not None and now - oldest > _OVERDUE:
        since = f"{oldest.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
        problems.append(f"{jobs_due} job(s) are due, the oldest since {since}.")
    return {
        "status": "trouble" if problems else "ok",
        "problems": problems,
        "accounts": [
            {
                "account": row.account_id,
                "read_until": row.read_until.isoformat(),
                "stopped": row.stopped_reason,
            }
            for row in accounts
        ],
        "paused": [f"{each.scope} {each.subject}".strip() for each in brakes.standing()],
        "jobs_due": jobs_due,
        "jobs_parked": db.session.scalar(parked),
        "cases_open": db.session.scalar(cases),
    }


def sources() -> list[str]:
    """Say which of several sources of the network are not in use; no problem while one is.

    Asks each of them, so that it may take as long as they take.
    """
    try:
        nodes = gateway().standing()
    except AnchorError as error:
        return [f"The sources of the network could not be looked at: {error}"]
    used = next((node.name for node in nodes if node.trouble is None), "none")
    return [
        f"horizon: {node.name} is not in use ({node.trouble}); {used} is asked instead"
        for node in nodes
        if node.trouble is not None
    ]


def unwatched(accounts: list[Account]) -> list[str]:
    """Return the accounts that customers pay to and no stream runner could begin with."""
    watched = {row.account_id for row in accounts}
    return [each for each in settings().distribution_accounts if each not in watched]


def is_followed(row: Account, now: datetime) -> bool:
    """Tell whether a stream runner is at work on an account, by the database's `now`."""
    is_leased = row.leased_until is not None and now - row.leased_until <= _UNFOLLOWED
    return is_leased and row.stopped_reason is None


def _unwatched(accounts: list[Account]) -> Iterator[str]:
    for account_id in unwatched(accounts):
        yield f"{account_id} is not watched: no stream runner could begin with it."


def _behind(accounts: list[Account], now: datetime) -> Iterator[str]:
    for row in accounts:
        if row.stopped_reason:
            yield f"{row.account_id} is not followed: {row.stopped_reason}"
        elif not is_followed(row, now):
            yield f"{row.account_id} is followed by no stream runner."
        elif now - row.read_until > _LAG:
            until = row.read_until.isoformat(timespec="seconds")
            yield f"{row.account_id} was read until {until} only."

"""How things stand, for health checks and operators: no names, no amounts."""

from typing import Any

from sqlalchemy import func, select

from anchor.extensions import atomic, db
from anchor.models import Case, Job
from anchor.services import networks


@atomic
def look() -> dict[str, Any]:
    """Return the state of each watched account, and how many jobs and cases are open."""
    accounts = networks.standing()
    stopped = [row for row in accounts if row.stopped_reason]
    overdue = select(func.count()).select_from(Job).where(Job.due_at <= func.now())
    parked = select(func.count()).select_from(Job).where(Job.parked_at.is_not(None))
    cases = select(func.count()).select_from(Case).where(Case.closed_at.is_(None))
    return {
        "status": "stopped" if stopped else "ok",
        "accounts": [
            {
                "account": row.account_id,
                "read_until": row.read_until.isoformat(),
                "stopped": row.stopped_reason,
            }
            for row in accounts
        ],
        "jobs_due": db.session.scalar(overdue),
        "jobs_parked": db.session.scalar(parked),
        "cases_open": db.session.scalar(cases),
    }

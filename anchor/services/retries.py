"""Running again what was parked, as an operator asks: one job, or all that have one reason."""

from sqlalchemy import func, select

from anchor.extensions import atomic, db
from anchor.models import Job
from anchor.services.jobs import Address, renew

#: How many jobs are made due in one commit.
_AT_ONCE = 500


@atomic
def retry(address: Address) -> bool:
    """Make a parked or postponed job due; False where there is none."""
    at = Job.kind == address.kind, Job.subject_id == address.subject_id
    lane = db.session.scalar(select(Job.lane).where(*at))
    if lane is not None:
        renew(address, lane)
    return lane is not None


def retry_parked(kind: str, because: str = "") -> int:
    """Make due every parked job of a kind whose last error has the words `because` in it.

    Returns how many they were. What parks again meanwhile is not done twice.
    """
    count, last = 0, ""
    while batch := _renew_parked(kind, because, last):
        count, last = count + len(batch), batch[-1]
    return count


@atomic
def _renew_parked(kind: str, because: str, after: str) -> list[str]:
    query = (
        select(Job.subject_id, Job.lane)
        .where(Job.kind == kind, Job.parked_at.is_not(None), Job.subject_id > after)
        .where(func.coalesce(Job.last_error, "").contains(because, autoescape=True))
        .order_by(Job.subject_id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = list(db.session.execute(query))
    for subject_id, lane in found:
        renew(Address(kind, subject_id), lane)
    return [subject_id for subject_id, _ in found]

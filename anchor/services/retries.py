"""Running again what was parked, as an operator asks: one job, or all that have one reason."""

from sqlalchemy import func, literal, select

from anchor.errors import NotFound
from anchor.extensions import atomic, db
from anchor.models import Job
from anchor.services import acts
from anchor.services.acts import By
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


@atomic
def ask(address: Address, by: By) -> None:
    """Run a job again because somebody says so; `NotFound` where there is none."""
    meant = acts.meaning("retry", kind=address.kind, subject=address.subject_id)
    if acts.done_before(by, meant):
        return
    if not retry(address):
        raise NotFound(f"there is no job {address.kind} of {address.subject_id}")
    acts.write(f"retry {address.kind} {address.subject_id}", by, meant)


@atomic
def of_case(cause: str) -> Address | None:
    """Return the job that a case is about by its cause, ``kind/subject/…``; None once it is done.

    Subjects and what follows them may have slashes of their own: jobs that wait tell them apart.
    """
    kind, _, rest = cause.partition("/")
    query = (
        select(Job.subject_id)
        .where(Job.kind == kind, literal(rest).startswith(Job.subject_id + "/"))
        .order_by(func.length(Job.subject_id).desc())
    )
    subject_id = db.session.scalar(query.limit(1))
    return None if subject_id is None else Address(kind, subject_id)


def ask_parked(kind: str, because: str, by: By) -> int:
    """Run every parked job of a kind again whose last error has the words `because` in it.

    Returns how many they were; that somebody asked is kept first, under a key once.
    """
    _keep(f"retry parked {kind}" + (f": {because}" if because else ""), by)
    return retry_parked(kind, because)


@atomic
def _keep(what: str, by: By) -> None:
    meant = acts.meaning(what)
    if acts.done_before(by, meant) is None:
        acts.write(what, by, meant)


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

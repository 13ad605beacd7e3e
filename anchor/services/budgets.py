"""How often somebody outside may be asked in a minute, by all processes together."""

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from anchor.extensions import atomic, db
from anchor.models import Budget

_MINUTE = func.date_trunc("minute", func.now())


@atomic
def take(name: str, wanted: int, per_minute: int) -> int:
    """Take `wanted` requests of this minute, or as many as are left; return how many.

    They count as used, whether or not they are made. The minute is the database's.
    """
    new = insert(Budget).values(name=name, minute=_MINUTE, used=0)
    db.session.execute(new.on_conflict_do_nothing())
    db.session.execute(select(Budget.name).where(Budget.name == name).with_for_update())
    granted = min(wanted, left(name, per_minute))
    if granted:
        this_minute = Budget.minute == _MINUTE
        used = update(Budget).where(Budget.name == name)
        if db.session.scalar(select(this_minute).where(Budget.name == name)):
            used = used.values(used=Budget.used + granted)
        else:
            used = used.values(minute=_MINUTE, used=granted)
        db.session.execute(used.execution_options(synchronize_session=False))
    return granted


@atomic
def left(name: str, per_minute: int) -> int:
    """Return how many requests of this minute are left."""
    query = select(Budget.used).where(Budget.name == name, Budget.minute == _MINUTE)
    return max(0, per_minute - (db.session.scalar(query) or 0))

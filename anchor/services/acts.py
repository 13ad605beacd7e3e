"""What people do, on record: who did what, and why; and once, where they name a key.

An act is written in the commit that does it. A key is the asker's, of a form or of a request.
The same again under it is told of the first act and does nothing; anything else under it is
refused. Who asks and their note are not part of that: the first ones stay on record.

The crash windows, and what is found afterwards:

1. before the commit: neither the act nor what it does; asked again, it is done;
2. after the commit, before the answer: the act under its key; asked again, it is told of;
3. two at once under one key: the second waits at the key until the first one has ended.

What was refused leaves no key behind, and may be asked for again under the same.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select, text

from anchor.errors import Rejected
from anchor.extensions import atomic, db
from anchor.models import Act

T = TypeVar("T")

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('anchor.act key'), hashtext(:key))")


@dataclass(frozen=True)
class By:
    """Who acts, and why; under a `key` it is done once."""

    who: str
    note: str | None = None
    key: str | None = None


def meaning(act: str, **terms: object) -> str:
    """Return what an act under a key is held to: which it is, about what, and on what terms."""
    given = {name: term for name, term in terms.items() if term is not None and term is not False}
    return json.dumps({"act": act, **given}, sort_keys=True, ensure_ascii=False)


@atomic
def done_before(by: By, meant: str) -> Act | None:
    """Return the act that was done under the key; others are held off until the commit.

    Raises `Rejected` where that one meant something else.
    """
    if by.key is None:
        return None
    db.session.execute(_LOCK, {"key": by.key})
    found = db.session.scalar(select(Act).where(Act.key == by.key))
    if found is not None and found.meaning != meant:
        raise Rejected(f"another act was done under this key: {found.what}, by {found.who}")
    return found


def once(by: By, meant: str, do: Callable[[], T], tell: Callable[[Act], T]) -> T:
    """Return what `do` comes to, or what `tell` says of the act that was done under the key.

    For acts that ask somebody outside before they begin, so that no transaction may be open. What
    `do` begins asks `done_before` again, in its own transaction.
    """
    if (known := done_before(by, meant)) is not None:
        return tell(known)
    try:
        return do()
    except Rejected:  # as it would be where somebody did the very same meanwhile
        if (known := done_before(by, meant)) is not None:
            return tell(known)
        raise


def write(
    what: str,
    by: By,
    meant: str,
    *,
    case_id: int | None = None,
    transaction_id: str | None = None,
    outflow_id: int | None = None,
) -> int:
    """Keep an act and return its number. Needs the open transaction that does it."""
    act = Act(
        what=what,
        who=by.who,
        note=by.note,
        key=by.key,
        meaning=None if by.key is None else meant,
        case_id=case_id,
        transaction_id=transaction_id,
        outflow_id=outflow_id,
    )
    db.session.add(act)
    db.session.flush()
    return act.id

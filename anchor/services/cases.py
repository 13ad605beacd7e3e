"""The operator's desk: everything that has no row in a table of rules ends here."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert

from anchor.extensions import db
from anchor.models import Case


def open_case(
    reason: str,
    cause: str,
    *,
    note: str | None = None,
    transaction_id: str | None = None,
    asset: str | None = None,
    amount_owed: int | None = None,
) -> None:
    """Open a case once for each (reason, cause). Needs an open transaction.

    `reason` is one of `anchor.reasons`. A test holds that: no money waits for a name.
    """
    open_cases(
        [
            {
                "reason": reason,
                "cause": cause,
                "note": note,
                "transaction_id": transaction_id,
                "asset": asset,
                "amount_owed": amount_owed,
            }
        ]
    )


def open_cases(rows: Sequence[dict[str, object]]) -> None:
    """Open several cases, all with the same columns. Needs an open transaction."""
    if rows:
        table = cast(Table, Case.__table__)
        db.session.execute(insert(table).on_conflict_do_nothing(), list(rows))

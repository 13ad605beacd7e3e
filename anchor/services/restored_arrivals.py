"""Money that came for transactions which the backup does not have: nobody sends it back alone.

Its customer may have been paid, and the key that could be asked for died with the transaction.
So whatever came for nobody since all was paused is left to a person, and what a policy began
to send back meanwhile is taken out of its queue (promise 14).
"""

from datetime import datetime

from sqlalchemy import func, select

from anchor.extensions import atomic, db
from anchor.matching import FOR_THE_DESK
from anchor.models import Act, Case, Outflow, Payment, Receipt
from anchor.services import order_ends
from anchor.services.policy_refunds import POLICY
from anchor.services.restored import Found, Pause

_NOTE = "its transaction may be lost with the backup, and its customer paid: ask the bank first"


def leave_to_a_person(found: Found, pause: Pause) -> None:
    """Name what came for nobody since the pause, and keep the policy of refunds from it."""
    _stop_the_policy(pause.all_since)
    found.unexplained += [f"{cause}: {_NOTE}" for cause in _unmatched(pause.all_since)]


@atomic
def _unmatched(since: datetime) -> list[str]:
    payments = select(
        func.concat("payment ", Payment.network_id, "/", Payment.operation_id, "/", Payment.index)
    ).where(
        Payment.direction == "in",
        Payment.verdict.in_(FOR_THE_DESK),
        Payment.observed_at >= since,
    )
    receipts = select(func.concat("receipt ", Receipt.rail, "/", Receipt.receipt_id)).where(
        Receipt.verdict.in_(FOR_THE_DESK), Receipt.observed_at >= since
    )
    causes = [*db.session.scalars(payments), *db.session.scalars(receipts)]
    cases = db.session.scalars(
        select(Case)
        .where(Case.cause.in_(causes), Case.closed_at.is_(None))
        .order_by(Case.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for case in cases:
        case.looked_at = case.looked_at or func.now()
        case.note = case.note if _NOTE in (case.note or "") else _joined(case.note)
    return list(dict.fromkeys(case.cause for case in cases))


def _joined(note: str | None) -> str:
    return f"{note}; {_NOTE}" if note else _NOTE


@atomic
def _stop_the_policy(since: datetime) -> None:
    """Refuse what the policy queued since all is paused: nobody heard of it yet."""
    queued = db.session.scalars(
        select(Outflow)
        .join(Act, Act.outflow_id == Outflow.id)
        .where(
            Act.who == POLICY,
            Outflow.kind == "refund",
            Outflow.state == "prepared",
            Outflow.form.is_not(None),
            Outflow.transaction_id.is_(None),
            Outflow.begun_at >= since,
        )
        .with_for_update(of=Outflow)
        .execution_options(populate_existing=True)
    ).all()
    for outflow in queued:
        order_ends.refuse(outflow, "a backup was restored: a person decides")

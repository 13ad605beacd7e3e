"""The end of an order by rail on a person's word, where nobody else can tell it any more."""

from sqlalchemy import func, select, update

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.integrations.protocols import Done, Refused
from anchor.models import OUTFLOW_OPEN, Case, Outflow
from anchor.services import (
    acts,
    custodian_payments,
    custody_orders,
    jobs,
    outcomes,
    outflows,
    retries,
)
from anchor.services.acts import By
from anchor.services.payouts import REFUND
from anchor.services.transactions import PAY_OUT


@atomic
def settle(key: str, by: By, *, is_paid: bool) -> None:
    """Say what became of an attempt by rail that nobody can ask about: it paid, or never will.

    Raises `NotFound`, or `Rejected` where its end is known already or nobody was told of it.
    """
    meant = acts.meaning("settle", outflow=key, is_paid=is_paid)
    if acts.done_before(by, meant):
        return
    outflow = db.session.scalar(
        select(Outflow)
        .where(Outflow.key == key, Outflow.rail.is_not(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if outflow is None or outflow.rail is None:
        raise NotFound(f"no rail was given an order {key}")
    attempt = outflows.by_key(outflow.rail, key)
    if attempt is None or outflow.state not in OUTFLOW_OPEN or not outflow.calls:
        raise Rejected(f"{key} is {outflow.state}: there is nothing to settle")
    reason = by.note or "a person said so"
    outcomes.record(attempt, Done() if is_paid else Refused(reason))
    acts.write(
        "settled as paid" if is_paid else "settled as not paid",
        by,
        meant,
        transaction_id=outflow.transaction_id,
        outflow_id=outflow.id,
    )
    job = (PAY_OUT, outflow.transaction_id) if outflow.kind == "payout" else (REFUND, outflow.id)
    retries.retry(jobs.Address(job[0], str(job[1])))
    db.session.execute(
        update(Case)
        .where(Case.reason == "outcome_unknown", Case.cause == key, Case.closed_at.is_(None))
        .values(closed_at=func.now())
    )


def settle_any(key: str, by: By, *, is_paid: bool, paid_by: str | None = None) -> None:
    """Say what became of an order, whoever had it: a rail, or a custodian.

    What a custodian paid a ledger has to show: `paid_by` is that transaction. Raises `NotFound`,
    `Rejected`, and `Unavailable` where the ledger cannot be asked.
    """
    if custody_orders.by_key(key) is None:
        if paid_by is not None:
            raise Rejected(f"{key} is no custodian's: no transaction on the ledger paid it")
        settle(key, by, is_paid=is_paid)
        return
    if is_paid and paid_by is None:
        raise Rejected("name the transaction that paid it: a ledger has to show that")
    custodian_payments.settle(key, paid_by if is_paid else None, by)

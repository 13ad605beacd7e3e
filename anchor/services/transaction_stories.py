"""One transaction as a person sees it who operates the anchor: all that is known, and no secret.

What its customer gave is told by name, and no value of it. All amounts are stroops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from anchor.errors import NotFound
from anchor.extensions import atomic, db
from anchor.models import Case, Job, Memo, Remittance, Transaction
from anchor.services import (
    arrival_views,
    callback_replays,
    desk,
    jobs,
    outflow_views,
    remittances,
    trails,
    transaction_search,
)
from anchor.services.arrival_views import Came
from anchor.services.callbacks import CALLBACK
from anchor.services.custody_orders import CARRY
from anchor.services.outflow_views import Left
from anchor.services.payouts import REFUND
from anchor.services.trails import Entry
from anchor.services.transaction_search import Found
from anchor.web_auth import is_account, is_contract

#: Work for one outflow: its job names that by the number of its row.
_OF_OUTFLOWS = (REFUND, CARRY)


@dataclass(frozen=True)
class Facts:
    """What stands in the row of a transaction. Each amount is in the asset named beside it.

    What `came`, what was `paid` and `refunded`, and the fee are in `in_asset`; `amount_out` is in
    `out_asset`. `memo` is what its payer was told to write, `to` the account that it pays, and
    `payer` the one that paid on the ledger: whom a bank names is not told.
    """

    expected: int | None
    came: int
    paid: int
    refunded: int
    amount_in: int | None
    amount_out: int | None
    amount_fee: int | None
    in_asset: str
    out_asset: str
    settlement: str
    account: str | None
    memo_type: str | None
    memo: str | None
    reference: str | None
    payer: str | None
    to: str | None
    to_memo_type: str | None
    to_memo: str | None
    stellar_transaction_id: str | None
    external_transaction_id: str | None
    client_domain: str | None
    quote_id: str | None
    message: str | None
    deadline_at: datetime | None
    funded_at: datetime | None
    updated_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True)
class CaseOf:
    """A case about a transaction, open while it was not `closed_at` some time."""

    id: int
    reason: str
    note: str | None
    amount_owed: int | None
    asset: str | None
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """Work that waits: parked, or due at an instant, perhaps `trouble` being why it is not done."""

    kind: str
    subject: str
    due_at: datetime
    attempts: int
    trouble: str | None
    is_parked: bool


@dataclass(frozen=True)
class Story:
    """All that is told of one transaction; what happened the oldest first.

    `details` are the names of what its customer, or of each party, gave. `customers` are the ids of
    those it is about, by what they are in it. `is_remittance` says that more is told of it as one.
    `told` and `untold` count callbacks.
    """

    shown: Found
    facts: Facts
    details: dict[str, list[str]]
    customers: dict[str, str]
    came: Sequence[Came]
    left: Sequence[Left]
    cases: Sequence[CaseOf]
    waits: Sequence[Waiting]
    entries: Sequence[Entry]
    told: int
    untold: int
    is_remittance: bool
    acts: tuple[str, ...]


@atomic
def tell(transaction_id: str) -> Story:
    """Return all that is told of a transaction; `NotFound` where there is none."""
    query = select(Transaction, Memo).outerjoin(Memo, Memo.transaction_id == Transaction.id)
    mine = query.where(Transaction.id == transaction_id)
    found = db.session.execute(mine.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound(f"there is no transaction {transaction_id}")
    row, memo = found
    left = outflow_views.of_transaction(row.id)
    untold, told = callback_replays.counted(row.id)
    sent = db.session.get(Remittance, row.id)
    return Story(
        shown=transaction_search.found(row),
        facts=_facts(row, memo),
        details=_details(row) if sent is None else remittances.names_of(sent),
        customers=_customers(row),
        came=arrival_views.of_transaction(row.id),
        left=left,
        cases=_cases(row.id),
        waits=_waiting(row.id, [each.id for each in left]),
        entries=trails.of_transaction(row.id),
        told=told,
        untold=untold,
        is_remittance=sent is not None,
        acts=desk.acts_of(row.id),
    )


def _facts(row: Transaction, memo: Memo | None) -> Facts:
    return Facts(
        expected=row.amount_expected,
        came=row.amount_received,
        paid=row.amount_paid,
        refunded=row.amount_refunded,
        amount_in=row.amount_in,
        amount_out=row.amount_out,
        amount_fee=row.amount_fee,
        in_asset=row.received_as,
        out_asset=row.paid_as,
        settlement=row.settlement,
        account=memo.account_id if memo else None,
        memo_type=memo.memo_type if memo else None,
        memo=memo.memo if memo else None,
        reference=row.reference,
        payer=_on_ledger(row.from_account),
        to=row.destination,
        to_memo_type=row.destination_memo_type,
        to_memo=row.destination_memo,
        stellar_transaction_id=row.stellar_transaction_id,
        external_transaction_id=row.external_transaction_id,
        client_domain=row.client_domain,
        quote_id=row.quote_id,
        message=row.message,
        deadline_at=row.deadline_at,
        funded_at=row.funded_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
    )


def _on_ledger(payer: str | None) -> str | None:
    return payer if payer is not None and (is_account(payer) or is_contract(payer)) else None


def _details(row: Transaction) -> dict[str, list[str]]:
    return {"customer": sorted(row.details)} if row.details else {}


def _customers(row: Transaction) -> dict[str, str]:
    known = {"customer": row.customer_id, "sender": row.sender_id, "receiver": row.receiver_id}
    return {part: customer_id for part, customer_id in known.items() if customer_id}


def _cases(transaction_id: str) -> list[CaseOf]:
    query = select(Case).where(Case.transaction_id == transaction_id).order_by(Case.id)
    rows = db.session.scalars(query.execution_options(populate_existing=True))
    return [
        CaseOf(
            each.id,
            each.reason,
            each.note,
            each.amount_owed,
            each.asset,
            each.opened_at,
            each.closed_at,
        )
        for each in rows
    ]


def _waiting(transaction_id: str, outflow_ids: Sequence[int]) -> list[Waiting]:
    """Return the jobs of a transaction and its outflows; what tells wallets is counted apart."""
    kinds = [kind for kind in jobs.kinds() if kind != CALLBACK]
    own = Job.kind.in_(kinds) & (Job.subject_id == transaction_id)
    numbers = [str(each) for each in outflow_ids]
    theirs = Job.kind.in_(_OF_OUTFLOWS) & Job.subject_id.in_(numbers)
    rows = db.session.scalars(
        select(Job)
        .where(or_(own, theirs))
        .order_by(Job.due_at, Job.kind)
        .execution_options(populate_existing=True)
    )
    return [
        Waiting(
            each.kind,
            each.subject_id,
            each.due_at,
            each.attempts,
            each.last_error,
            each.parked_at is not None,
        )
        for each in rows
    ]

"""The end of personal data: erased when asked, purged when its time is over, sealed anew.

Of whoever was erased only the row is left that says so, without account or memo.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Select, delete, func, select, update

from anchor.customers.identity import Identity
from anchor.errors import NotFound
from anchor.extensions import atomic, db, settings
from anchor.models import (
    Customer,
    CustomerCallback,
    CustomerCode,
    CustomerField,
    CustomerFile,
    CustomerHistory,
    CustomerStanding,
    Job,
    Remittance,
)
from anchor.services import callbacks, customer_files, customers, jobs, remittances
from anchor.services.customers import CUSTOMER, Target
from anchor.vault import Sealed

PURGE = "purge_customers"
_SUBJECT, _LANE, _LEASE_S = "all", "customers", 60
_BATCH = 100


@atomic
def erase(target: Target) -> None:
    """Erase all that is held of a customer; `NotFound` where that is nothing (SEP12-61, -62)."""
    customer = customers.hold(target)
    if customer is not None:
        _erase(customer, CUSTOMER)
    elif not _discard_unreferred(target.identity):
        raise NotFound("nothing is known of this customer")


def _erase(customer: Customer, who: str) -> None:
    """Erase a locked customer. The callbacks that were owed go too."""
    mine = customer.id
    db.session.execute(delete(CustomerField).where(CustomerField.customer_id == mine))
    for table in (CustomerCode, CustomerCallback, CustomerStanding, CustomerHistory):
        db.session.execute(delete(table).where(table.customer_id == mine))
    db.session.execute(delete(CustomerFile).where(CustomerFile.customer_id == mine))
    _discard_unreferred(Identity(customer.owner_account or "", customer.memo_type, customer.memo))
    callbacks.forget("customer", mine)
    db.session.execute(delete(Job).where(Job.subject_id.startswith(f"{mine}/")))
    db.session.execute(
        update(Customer)
        .where(Customer.id == mine)
        .values(owner_account=None, memo_type="none", memo="", erased_at=func.now())
    )
    customers.note(mine, "erased", who)


def _discard_unreferred(who: Identity) -> bool:
    """Take away the files that a log-in uploaded and nothing refers to; False where none are.

    Nobody logs in with a memo of another type than id: what their account uploaded for them
    may be anybody's of that account.
    """
    if who.memo_type not in {"none", "id"}:
        return False
    column = CustomerFile.owner_subaccount
    gone = delete(CustomerFile).where(
        CustomerFile.owner_account == who.account_id,
        CustomerFile.customer_id.is_(None),
        column == int(who.memo) if who.memo_type == "id" else column.is_(None),
    )
    return bool(db.session.execute(gone.returning(CustomerFile.id)).all())


def purge(customer_ids: Sequence[str], who: str) -> int:
    """Erase these customers, as an operator asks; return how many there were."""
    return sum(_purge(customer_id, who) for customer_id in customer_ids)


@atomic
def _purge(customer_id: str, who: str) -> bool:
    query = select(Customer).where(Customer.id == customer_id, Customer.erased_at.is_(None))
    found = db.session.scalar(query.with_for_update(**customers.LOCK))
    if found is not None:
        _erase(found, who)
    return found is not None


def purge_over(claimed: jobs.Claim | None = None) -> int:
    """Erase whoever was not seen for the days that the configuration says; the job `PURGE`.

    Returns how many. Files that nothing referred to in time go as well.
    """
    with_files = atomic(customer_files.discard_over)
    with_files()
    total = 0
    while ids := _over():
        if claimed is not None:
            jobs.extend(claimed)
        total += purge(ids, "retention")
    return total


@atomic
def _over() -> Sequence[str]:
    query = _too_old()
    return [] if query is None else db.session.scalars(query.limit(_BATCH)).all()


def _too_old() -> Select[str] | None:
    days = settings().customers.retention_days
    if days is None:
        return None
    is_old = Customer.seen_at < func.now() - timedelta(days=days)
    return select(Customer.id).where(Customer.erased_at.is_(None), is_old)


@atomic
def owe() -> None:
    """Owe the job where something's time is over: a sweep's first half."""
    query = _too_old()
    is_over = query is not None and db.session.scalar(query.limit(1)) is not None
    files = select(CustomerFile.id).where(CustomerFile.expires_at <= func.now()).limit(1)
    if is_over or db.session.scalar(files) is not None:
        jobs.ensure([(jobs.Address(PURGE, _SUBJECT), _LANE)])


def rotate_keys() -> int:
    """Seal everything anew with the first key; return how many values there were.

    In batches, each its own commit: it can be run again, and beside everything else.
    """
    total = 0
    for batch in (_rotate_fields, _rotate_files, _rotate_remittances):
        while done := batch():
            total += done
    return total


@atomic
def _rotate_fields() -> int:
    vault = customers.vault()
    query = select(CustomerField).where(CustomerField.key_id != vault.newest)
    rows = db.session.scalars(query.limit(_BATCH).with_for_update()).all()
    for row in rows:
        place = customers.place_of(row.customer_id, row.name)
        sealed = vault.seal(vault.open(Sealed(row.key_id or "", row.sealed or b""), place), place)
        row.key_id, row.sealed = sealed.key_id, sealed.value
    return len(rows)


@atomic
def _rotate_files() -> int:
    vault = customers.vault()
    query = select(CustomerFile).where(CustomerFile.key_id != vault.newest)
    row = db.session.scalar(query.limit(1).with_for_update())
    if row is None:
        return 0
    place = customers.place_of_file(row.id)
    sealed = vault.seal(vault.open(Sealed(row.key_id, row.sealed), place), place)
    row.key_id, row.sealed = sealed.key_id, sealed.value
    return 1


@atomic
def _rotate_remittances() -> int:
    vault = customers.vault()
    query = select(Remittance).where(Remittance.key_id != vault.newest)
    rows = db.session.scalars(query.limit(_BATCH).with_for_update()).all()
    for row in rows:
        sealed = remittances.seal(row.transaction_id, remittances.unseal(row))
        row.key_id, row.sealed = sealed.key_id, sealed.value
    return len(rows)


def _purge_job(claimed: jobs.Claim) -> None:
    purge_over(claimed)


jobs.declare(PURGE, jobs.Work(_purge_job, lambda _lane: _LEASE_S, lambda _lane: 1, parks=False))

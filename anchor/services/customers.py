"""Customers: who is meant, whose they are, and what is kept of them, sealed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from anchor.customers.identity import Identity, identify
from anchor.errors import Misconfigured, NotFound, Rejected
from anchor.extensions import db, house, settings
from anchor.integrations.customers import CustomerRecord, CustomersIntegration, Document
from anchor.models import Customer, CustomerField, CustomerFile, CustomerHistory, new_id
from anchor.services.transactions import Owner
from anchor.vault import Sealed, Vault

#: Who did what customers do themselves, in their history.
CUSTOMER = "customer"
#: How customers are locked. They keep their keys: what refers to them, and so holds on to their
#: keys, stands in no verdict's way, nor a verdict in its.
LOCK: dict[str, Any] = {"key_share": True}


@dataclass(frozen=True)
class Target:
    """Which customer is meant, and who asks: by its id, or as the `identity` of a request.

    `is_named`: account or memo stood in the request, so that an id has to agree with them.
    """

    owner: Owner
    identity: Identity
    customer_id: str | None = None
    is_named: bool = False


def plugin() -> CustomersIntegration:
    """Return what asks and judges customers; `Misconfigured` where customers are not served."""
    found = house().customers
    if found is None:
        raise Misconfigured("SEP-12 is not on")
    return found


def vault() -> Vault:
    """Return what seals and opens the values of customers."""
    return Vault(settings().customer_keys)


def visible_to(owner: Owner) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a customer is one of whoever asks.

    A log-in with an id below its account has its own customer; one without speaks for all of
    its account (SEP12-06). Everybody else's do not exist (SEP12-09).
    """
    terms = (Customer.owner_account == owner.account_id,)
    if owner.subaccount_id is None:
        return terms
    return *terms, Customer.memo_type == "id", Customer.memo == str(owner.subaccount_id)


def find(target: Target) -> Customer | None:
    """Return the customer, or None where nobody is registered as that. Needs a transaction.

    An id that is unknown or somebody else's is `NotFound` (SEP12-09); one of another customer
    than account and memo name is `Rejected`.
    """
    return _find(target, is_locked=False)


def hold(target: Target) -> Customer | None:
    """Do what `find` does, and lock the customer for this transaction."""
    return _find(target, is_locked=True)


def hold_or_make(target: Target) -> Customer:
    """Lock the customer, registered now where nobody was (SEP12-42)."""
    # Whoever is erased while we wait for the lock is nobody again.
    while (found := hold(target)) is None:
        made = insert(Customer).values(
            id=new_id(),
            owner_account=target.identity.account_id,
            memo_type=target.identity.memo_type,
            memo=target.identity.memo,
            version=1,
        )
        db.session.execute(made.on_conflict_do_nothing())
    return found


def target_of(owner: Owner, customer_id: str | None) -> Target:
    """Return whom a transaction of an owner's is about: themselves, or a customer that it names."""
    identity = identify(owner.account_id, owner.subaccount_id, None, None)
    return Target(owner, identity, customer_id)


def hold_named(owner: Owner, customer_id: str | None) -> Customer | None:
    """Lock the customer of a transaction; None where nobody is registered as that yet.

    Raises `Rejected` for an id that is none of the owner's customers (SEP6-22).
    """
    try:
        return hold(target_of(owner, customer_id))
    except NotFound as error:
        raise Rejected("customer_id: there is no such customer") from error


@cache
def _identified(*, is_locked: bool) -> Select[Customer]:
    query = select(Customer).where(
        Customer.owner_account == bindparam("account_id"),
        Customer.memo_type == bindparam("memo_type"),
        Customer.memo == bindparam("memo"),
    )
    return _fresh(query, is_locked=is_locked)


def _fresh(query: Select[Customer], *, is_locked: bool) -> Select[Customer]:
    query = query.execution_options(populate_existing=True)
    return query.with_for_update(**LOCK) if is_locked else query


def _find(target: Target, *, is_locked: bool) -> Customer | None:
    named = target.identity
    if target.customer_id is None:
        return db.session.scalar(_identified(is_locked=is_locked), asdict(named))
    mine = *visible_to(target.owner), Customer.id == target.customer_id
    found = db.session.scalar(_fresh(select(Customer).where(*mine), is_locked=is_locked))
    if found is None:
        raise NotFound("there is no such customer")
    if target.is_named and (found.memo_type, found.memo) != (named.memo_type, named.memo):
        raise Rejected("id and memo are of different customers")
    return found


def note(
    customer_id: str, event: str, who: str, *, about: str | None = None, why: str | None = None
) -> None:
    """Write one line of a customer's history. Needs an open transaction."""
    db.session.add(
        CustomerHistory(customer_id=customer_id, event=event, who=who, about=about, note=why)
    )


def touch(customer: Customer) -> None:
    """Note that something was given: verdicts about what was before do not count any more."""
    db.session.execute(
        update(Customer)
        .where(Customer.id == customer.id)
        .values(version=Customer.version + 1, seen_at=func.now())
    )


_FIELDS = (
    select(CustomerField)
    .where(CustomerField.customer_id == bindparam("customer_id"))
    .execution_options(populate_existing=True)
)


def rows_of(customer_id: str) -> dict[str, CustomerField]:
    """Return what is held of a customer, by canonical names. Needs an open transaction."""
    found = db.session.scalars(_FIELDS, {"customer_id": customer_id})
    return {row.name: row for row in found}


def place_of(customer_id: str, name: str) -> str:
    """Name the place that a value is sealed for."""
    return f"customer/{customer_id}/{name}"


def place_of_file(file_id: str) -> str:
    """Name the place that a file is sealed for."""
    return f"file/{file_id}"


def text_of(row: CustomerField) -> str | None:
    """Open the text of a field; None for a file and for what was only asked for."""
    if row.sealed is None or row.key_id is None:
        return None
    place = place_of(row.customer_id, row.name)
    return vault().open(Sealed(row.key_id, row.sealed), place).decode()


def content_of(row: CustomerFile) -> bytes:
    """Open a file."""
    return vault().open(Sealed(row.key_id, row.sealed), place_of_file(row.id))


def record_of(customer: Customer, *, documents: bool) -> CustomerRecord:
    """Return a customer as a plug-in sees it, with its `documents` or without."""
    rows = rows_of(customer.id)
    texts = {name: text for name, row in rows.items() if (text := text_of(row)) is not None}
    found: Mapping[str, Document] = _documents(rows) if documents else {}
    return CustomerRecord(
        customer.id, customer.owner_account or "", customer.memo_type, customer.memo, texts, found
    )


def _documents(rows: Mapping[str, CustomerField]) -> dict[str, Document]:
    found = {}
    for name, row in rows.items():
        if row.file_id is not None:
            file = db.session.get_one(CustomerFile, row.file_id)
            found[name] = Document(file.content_type, content_of(file))
    return found

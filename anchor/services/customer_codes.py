"""Codes that prove a field to be its customer's: sent by a job, kept as a mark, few tries."""

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from anchor.customers import standing
from anchor.customers.fields import canonical
from anchor.extensions import atomic, db, settings
from anchor.integrations.customers import CustomerRecord
from anchor.models import Customer, CustomerCode, CustomerField
from anchor.services import customer_standings, customers, jobs
from anchor.services.customer_standings import CustomerView
from anchor.vault import Sealed

SEND = "send_customer_code"
_DIGITS = 6
#: So many codes are sent for one field in a day: whoever guesses gets no further.
SENT_MAX = 10
_COUNTED_FOR = timedelta(days=1)
_LEASE_MARGIN_S = 30


def owe(view: CustomerView) -> None:
    """Owe a code for each field that waits for one and has none that is good. In a transaction."""
    for need, held, _ in view.provided:
        name = canonical(need.name)
        if standing.waits_for_code(need, held) and not _has_code(str(view.customer_id), name):
            address = jobs.Address(SEND, f"{view.customer_id}/{name}")
            jobs.ensure([(address, customer_standings.lane())])


def _has_code(customer_id: str, name: str) -> bool:
    """Tell whether a code is good still, or no more may be sent today."""
    is_good = CustomerCode.tries_left > 0, CustomerCode.expires_at > func.now()
    return _one(customer_id, name, *is_good) or _is_over(customer_id, name)


def _is_over(customer_id: str, name: str) -> bool:
    since = CustomerCode.counted_since > func.now() - _COUNTED_FOR
    return _one(customer_id, name, CustomerCode.sent >= SENT_MAX, since)


def _one(customer_id: str, name: str, *terms: ColumnElement[bool]) -> bool:
    mine = CustomerCode.customer_id == customer_id, CustomerCode.name == name
    return db.session.scalar(select(CustomerCode.name).where(*mine, *terms)) is not None


def send(claimed: jobs.Claim) -> None:
    """Make a code, keep its mark, and have the plug-in send it; the job `SEND`."""
    customer_id, _, name = claimed.subject_id.partition("/")
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
    record = _keep(customer_id, name, code)
    if record is not None:
        customers.plugin().send_code(record, name, code)


@atomic
def _keep(customer_id: str, name: str, code: str) -> CustomerRecord | None:
    """Keep the mark of a new code; None where none is waited for any more."""
    customer = db.session.get(
        Customer, customer_id, populate_existing=True, with_for_update=customers.LOCK
    )
    field = db.session.get(CustomerField, (customer_id, name), populate_existing=True)
    if customer is None or customer.erased_at or field is None or field.verified_at is not None:
        return None
    if field.sealed is None or _is_over(customer_id, name):
        return None
    mark = customers.vault().mark(code, customers.place_of(customer_id, name))
    rules = settings().customers
    new = {
        "key_id": mark.key_id,
        "mark": mark.value,
        "tries_left": rules.code_tries,
        "expires_at": func.now() + timedelta(minutes=rules.code_minutes),
    }
    is_new_day = CustomerCode.counted_since <= func.now() - _COUNTED_FOR
    counted = {
        "sent": case((is_new_day, 1), else_=CustomerCode.sent + 1),
        "counted_since": case((is_new_day, func.now()), else_=CustomerCode.counted_since),
    }
    statement = insert(CustomerCode).values(customer_id=customer_id, name=name, sent=1, **new)
    db.session.execute(
        statement.on_conflict_do_update(index_elements=["customer_id", "name"], set_=new | counted)
    )
    return customers.record_of(customer, documents=False)


@atomic
def is_right(customer_id: str, name: str, code: str) -> bool:
    """Tell whether `code` is the one that was sent; a wrong one uses up a try for good."""
    found = db.session.scalar(
        select(CustomerCode)
        .where(
            CustomerCode.customer_id == customer_id,
            CustomerCode.name == name,
            CustomerCode.tries_left > 0,
            CustomerCode.expires_at > func.now(),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        return False
    mark = Sealed(found.key_id, found.mark)
    if customers.vault().is_marked(code, customers.place_of(customer_id, name), mark):
        return True
    found.tries_left -= 1
    return False


def use_up(customer_id: str, name: str) -> None:
    """Take a code that was right away, and note that the field is verified. In a transaction."""
    mine = CustomerCode.customer_id == customer_id, CustomerCode.name == name
    db.session.execute(update(CustomerCode).where(*mine).values(tries_left=0))
    field = CustomerField.customer_id == customer_id, CustomerField.name == name
    db.session.execute(update(CustomerField).where(*field).values(verified_at=func.now()))
    customers.note(customer_id, "verified", customers.CUSTOMER, about=name)


def spoil(customer_id: str, name: str) -> None:
    """Make a code worthless: what it was sent for has changed. Needs an open transaction."""
    mine = CustomerCode.customer_id == customer_id, CustomerCode.name == name
    db.session.execute(update(CustomerCode).where(*mine).values(tries_left=0))


def _lease_s(_lane: str) -> int:
    return customers.plugin().traits.timeout_s + _LEASE_MARGIN_S


def _ceiling(_lane: str) -> int:
    return customers.plugin().traits.max_in_flight


jobs.declare(SEND, jobs.Work(send, _lease_s, _ceiling))

"""Files of customers: kept encrypted apart from whoever refers to them, and not for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, update

from anchor.customers import file_types
from anchor.errors import Rejected
from anchor.extensions import atomic, db, settings
from anchor.models import Customer, CustomerFile, new_id
from anchor.services import customers
from anchor.services.transactions import Owner
from anchor.vault import Sealed

#: So many files of one account may wait for something to refer to them.
WAITING_MAX = 20


@dataclass(frozen=True)
class FileView:
    """A file as its owner sees it: not what is in it."""

    id: str
    content_type: str
    size: int
    expires_at: datetime | None
    customer_id: str | None


@dataclass(frozen=True)
class NewFile:
    """A file that was checked and sealed, ready to be kept."""

    id: str
    content_type: str
    size: int
    sealed: Sealed


def prepare(name: str, content: bytes) -> NewFile:
    """Check and seal what was uploaded as `name`; `Rejected` names it (SEP12-45)."""
    content_type = file_types.sniff(name, content)
    file_id = new_id()
    sealed = customers.vault().seal(content, customers.place_of_file(file_id))
    return NewFile(file_id, content_type, len(content), sealed)


def upload(owner: Owner, name: str, content: bytes) -> FileView:
    """Keep a file until something refers to it, or its time is over (SEP12-80)."""
    return _upload(owner, prepare(name, content))


@atomic
def _upload(owner: Owner, new: NewFile) -> FileView:
    waiting = select(func.count()).where(
        CustomerFile.owner_account == owner.account_id, CustomerFile.expires_at > func.now()
    )
    if db.session.execute(waiting).scalar_one() >= WAITING_MAX:
        raise Rejected("too many files wait for a customer to refer to them")
    hours = timedelta(hours=settings().customers.file_hours)
    row = keep(owner, new)
    db.session.execute(
        update(CustomerFile).where(CustomerFile.id == row.id).values(expires_at=func.now() + hours)
    )
    return _views(CustomerFile.id == row.id)[0]


def keep(owner: Owner, new: NewFile, customer_id: str | None = None) -> CustomerFile:
    """Keep a file, of this customer where one is named. Needs an open transaction."""
    row = CustomerFile(
        id=new.id,
        owner_account=owner.account_id,
        owner_subaccount=owner.subaccount_id,
        customer_id=customer_id,
        content_type=new.content_type,
        size=new.size,
        key_id=new.sealed.key_id,
        sealed=new.sealed.value,
    )
    db.session.add(row)
    db.session.flush()
    return row


def hold(owner: Owner, customer_id: str, name: str, file_id: str) -> CustomerFile:
    """Lock a file that `name` of a customer is to refer to. Needs an open transaction.

    Unknown, another account's, another customer's and over are one: `Rejected` (SEP12-46). A
    file that two customers shared could be erased with neither.
    """
    is_free = CustomerFile.customer_id.is_(None) | (CustomerFile.customer_id == customer_id)
    found = db.session.scalar(
        select(CustomerFile)
        .where(*_visible_to(owner), CustomerFile.id == file_id, is_free)
        .with_for_update()
    )
    if found is None:
        raise Rejected("{field} is of no file that was uploaded here", field=f"{name}_file_id")
    return found


@atomic
def listing(
    owner: Owner, file_id: str | None = None, customer_id: str | None = None
) -> Sequence[FileView]:
    """Return a file, or those of a customer; nothing where they are another's (SEP12-82)."""
    if file_id is None and customer_id is None:
        raise Rejected("one of file_id and customer_id is required")
    terms = list(_visible_to(owner))
    if file_id is not None:
        terms.append(CustomerFile.id == file_id)
    if customer_id is not None:
        mine = select(Customer.id).where(*customers.visible_to(owner), Customer.id == customer_id)
        terms.append(CustomerFile.customer_id.in_(mine))
    return _views(*terms)


def _visible_to(owner: Owner) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for a file of whoever asks; one without an id sees all of its own."""
    is_alive = (CustomerFile.expires_at.is_(None)) | (CustomerFile.expires_at > func.now())
    terms = (CustomerFile.owner_account == owner.account_id, is_alive)
    if owner.subaccount_id is None:
        return terms
    return *terms, CustomerFile.owner_subaccount == owner.subaccount_id


def _views(*terms: ColumnElement[bool]) -> list[FileView]:
    file = CustomerFile
    query = select(file.id, file.content_type, file.size, file.expires_at, file.customer_id)
    rows = db.session.execute(query.where(*terms).order_by(file.created_at, file.id))
    return [FileView(*row) for row in rows]


def is_same(row: CustomerFile, new: NewFile, content: bytes) -> bool:
    """Tell whether a file that is kept is the very one that was uploaded again (SEP12-41)."""
    alike = (row.size, row.content_type) == (new.size, new.content_type)
    return alike and customers.content_of(row) == content


def discard(file_id: str) -> None:
    """Take a file away that nothing refers to any more. Needs an open transaction."""
    db.session.execute(delete(CustomerFile).where(CustomerFile.id == file_id))


def discard_over() -> int:
    """Take away what nothing referred to in time; return how many. Needs a transaction."""
    gone = delete(CustomerFile).where(CustomerFile.expires_at <= func.now())
    return len(db.session.execute(gone.returning(CustomerFile.id)).all())

"""What an operator sees of customers and decides about them; every act is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_

from anchor.customers.fields import FIELDS, canonical
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.integrations.customers import Accepted, Corrections, Occasion, Refused, Verdict
from anchor.languages import mark as _
from anchor.models import Customer, CustomerFile, CustomerHistory, CustomerStanding
from anchor.services import customer_standings, customers, known_customers
from anchor.services.acts import By

MAX_PAGE = 200
_ORDER = (CustomerStanding.changed_at, CustomerStanding.customer_id, CustomerStanding.type)


@dataclass(frozen=True)
class Line:
    """A customer in a list, for one type."""

    customer_id: str
    account: str | None
    memo: str
    type: str
    stand: str
    changed_at: datetime

    @property
    def place(self) -> "Place":
        """Where it stands in the list: the next page begins after it."""
        return Place(self.changed_at, self.customer_id, self.type)


@dataclass(frozen=True)
class Place:
    """A place in the list of customers, which is ordered by these."""

    changed_at: datetime
    customer_id: str
    type: str


@dataclass(frozen=True)
class File:
    """What is known of a file without opening it; `size` in bytes."""

    content_type: str
    size: int


@dataclass(frozen=True)
class Dossier:
    """All that is known of a customer. Values are masked unless they were asked for.

    `version` counts what was given: a verdict can be held against it.
    """

    customer_id: str
    version: int
    account: str | None
    memo_type: str
    memo: str
    created_at: datetime
    erased_at: datetime | None
    fields: Mapping[str, tuple[str, str, str | None]]
    standings: Mapping[str, tuple[str, str | None]]
    history: Sequence[tuple[datetime, str, str, str | None, str | None]]
    files: Mapping[str, File]


@atomic
def listing(
    stand: str | None = None,
    type_: str | None = None,
    *,
    after: Place | None = None,
    limit: int = MAX_PAGE,
) -> list[Line]:
    """Return the customers that stand so, the longest first, behind the place `after`."""
    query = (
        select(
            Customer.id,
            Customer.owner_account,
            Customer.memo,
            CustomerStanding.type,
            CustomerStanding.stand,
            CustomerStanding.changed_at,
        )
        .join(CustomerStanding, CustomerStanding.customer_id == Customer.id)
        .where(Customer.erased_at.is_(None))
        .order_by(*_ORDER)
        .limit(min(limit, MAX_PAGE))
    )
    if after is not None:
        query = query.where(
            tuple_(*_ORDER) > tuple_(after.changed_at, after.customer_id, after.type)
        )
    if stand is not None:
        query = query.where(CustomerStanding.stand == stand)
    if type_ is not None:
        query = query.where(CustomerStanding.type == type_)
    return [Line(*row) for row in db.session.execute(query)]


@atomic
def show(customer_id: str, by: By, *, values: bool = False) -> Dossier:
    """Return what is known of a customer; looking at values is recorded as an act."""
    customer = _get(customer_id)
    if values:
        customers.note(customer_id, "values shown", by.who, why=by.note)
    fields, files = {}, {}
    known = _files(customer_id)
    for name, row in sorted(customers.rows_of(customer_id).items()):
        text = customers.text_of(row)
        shown = f"file {row.file_id}" if row.file_id else text if values else _masked(text)
        fields[name] = (row.state, shown or "", row.error)
        if row.file_id in known:
            files[name] = known[row.file_id]
    standings = select(CustomerStanding).where(CustomerStanding.customer_id == customer_id)
    history = select(CustomerHistory).where(CustomerHistory.customer_id == customer_id)
    return Dossier(
        customer.id,
        customer.version,
        customer.owner_account,
        customer.memo_type,
        customer.memo,
        customer.created_at,
        customer.erased_at,
        fields,
        {row.type: (row.stand, row.message) for row in db.session.scalars(standings)},
        [
            (row.happened_at, row.event, row.who, row.about, row.note)
            for row in db.session.scalars(history.order_by(CustomerHistory.id))
        ],
        files,
    )


def _files(customer_id: str) -> dict[str | None, File]:
    query = select(CustomerFile.id, CustomerFile.content_type, CustomerFile.size).where(
        CustomerFile.customer_id == customer_id
    )
    return {row[0]: File(row[1], row[2]) for row in db.session.execute(query)}


def _masked(text: str | None) -> str | None:
    return None if text is None else "•" * min(8, max(4, len(text)))


def accept(customer_id: str, type_: str | None, by: By, *, version: int | None = None) -> str:
    """Accept a customer with all that is given now; return how they stand then.

    Whoever has not given everything is accepted for what there is, and asked for the rest.
    `Rejected` where that is not the `version` any more that somebody looked at.
    """
    return _decide(customer_id, type_, Accepted(), by, version)


def reject(
    customer_id: str, type_: str | None, message: str, by: By, *, version: int | None = None
) -> str:
    """Refuse a customer for good; `message` is what they are told. `version` is as in `accept`."""
    return _decide(customer_id, type_, Refused(message), by, version)


@atomic
def request(
    customer_id: str,
    type_: str | None,
    fields: Sequence[str],
    message: str | None,
    by: By,
    *,
    version: int | None = None,
) -> str:
    """Ask for fields, or for others instead of those that were given; return the new status.

    `version` is as in `accept`.
    """
    _get(customer_id)
    for name in fields:
        if canonical(name) not in FIELDS and name not in _own_fields():
            raise Rejected("{field} is no field of customers", field=name)
    error = message or _("please give this again")
    told = Corrections(dict.fromkeys(fields, error), message)
    return _decide(customer_id, type_, told, by, version)


def _own_fields() -> set[str]:
    rules = customers.plugin().rules.values()
    return {rule.need.name for each in rules for rule in each.fields}


@atomic
def _decide(
    customer_id: str, type_: str | None, verdict: Verdict, by: By, version: int | None = None
) -> str:
    customer = _get(customer_id, lock=True)
    if customer.erased_at is not None:
        raise NotFound("the data of this customer was erased")
    if version not in (None, customer.version):
        raise Rejected("more was given since version {version}; look again", version=version)
    named = type_ or _only_type(customer_id)
    if named not in customers.plugin().types():
        raise Rejected("{type} is no type of customer", type=named)
    last = known_customers.read(customer_id).standings.get(named)
    about = customer_standings.occasion_of(last) if last else Occasion(named)
    view = customer_standings.decide(customer, about, verdict, by.who, by_hand=True, why=by.note)
    return str(view.stand)


def _only_type(customer_id: str) -> str:
    query = select(CustomerStanding.type).where(CustomerStanding.customer_id == customer_id)
    found = db.session.scalars(query).all()
    if len(found) != 1:
        raise Rejected("say for which type: this customer has {count}", count=len(found))
    return found[0]


def _get(customer_id: str, *, lock: bool = False) -> Customer:
    found = db.session.get(
        Customer,
        customer_id,
        populate_existing=True,
        with_for_update=customers.LOCK if lock else None,
    )
    if found is None:
        raise NotFound("there is no such customer")
    return found

"""How customers stand for each type, and every change of it: history, callback, what waits.

A change is one commit: the new standing, the line of history, what the wallet is to be told,
and whatever waited for the customer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, update

from anchor.customers import standing
from anchor.customers.fields import FIELDS, canonical
from anchor.customers.rules import Need
from anchor.customers.standing import Held, Stand, State
from anchor.errors import NotFound, Rejected
from anchor.extensions import db, settings
from anchor.integrations.customers import (
    Accepted,
    Corrections,
    Occasion,
    Refused,
    Undecided,
    Verdict,
)
from anchor.integrations.protocols import Field
from anchor.models import (
    Customer,
    CustomerCallback,
    CustomerField,
    CustomerStanding,
    Transaction,
)
from anchor.money import to_decimal
from anchor.services import (
    callbacks,
    customer_waits,
    customers,
    jobs,
    known_customers,
    rail_needs,
)
from anchor.services.known_customers import Known, Standing
from anchor.services.transactions import Owner

JUDGE = "judge_customer"
#: The subject of what wallets are told about customers.
SUBJECT = "customer"
_FINAL = (Stand.ACCEPTED, Stand.REJECTED)


@dataclass(frozen=True)
class CustomerView:
    """A customer as a wallet sees it: what is missing, what was given, and how it stands.

    `provided` are (need, how it is held, its status). Nobody registered has no `customer_id`.
    """

    customer_id: str | None
    stand: Stand
    missing: tuple[Need, ...]
    provided: tuple[tuple[Need, Held, str], ...] = ()
    message: str | None = None


def occasion(owner: Owner, type_: str | None, transaction_id: str | None) -> Occasion:
    """Return what a customer is asked for. Needs an open transaction.

    Raises `Rejected` for a type that is not known (SEP12-23) and for a transaction without a
    type, and `NotFound` for a transaction that is unknown or somebody else's (SEP12-22).
    """
    known = customers.plugin().types()
    if type_ is None and transaction_id is not None:
        raise Rejected("type is required with transaction_id")
    found = type_ or settings().customers.default_type or known[0]
    if found not in known:
        raise Rejected("type is not one that is known here")
    if transaction_id is None:
        return Occasion(found)
    row = db.session.get(Transaction, transaction_id)
    if row is None or not _is_of(row, owner):
        raise NotFound("there is no such transaction")
    return occasion_on(found, row)


def _is_of(row: Transaction, owner: Owner) -> bool:
    below = owner.subaccount_id
    return row.owner_account == owner.account_id and below in (None, row.owner_subaccount)


def occasion_on(type_: str, row: Transaction) -> Occasion:
    """Return the occasion that a transaction is for its customer, whoever that is."""
    amount = row.amount_received or row.amount_expected
    if row.received_as != row.asset:  # a quote sells another currency for it
        amount = row.amount_out
    units = None if amount is None else to_decimal(amount)
    return Occasion(type_, row.id, row.kind, row.asset, units)


def look(customer_id: str | None, about: Occasion) -> CustomerView:
    """Return how somebody stands on an occasion, and change nothing."""
    known = None if customer_id is None else known_customers.read(customer_id)
    return view_of(known, about, rail_needs.asked_on(about))


def view_of(known: Known | None, about: Occasion, asked: Sequence[Field] = ()) -> CustomerView:
    """Return how somebody stands on an occasion, of whom the rail has `asked` for this besides."""
    needs = list(customers.plugin().needs(about))
    needs += rail_needs.needs(asked, needs)
    if known is None:
        return CustomerView(None, Stand.NEEDS_INFO, tuple(needs))
    held = rail_needs.held_for(asked, known)
    needs += _asked_by_people(needs, held)
    last = known.standings.get(about.type)
    stand = standing.stands(needs, held, last.verdict if last else None)
    given = [(need, held[canonical(need.name)]) for need in needs if standing.is_given(need, held)]
    return CustomerView(
        known.id,
        stand,
        tuple(standing.missing(needs, held)),
        tuple((need, each, standing.shown(need, each, stand)) for need, each in given),
        last.message if last else None,
    )


def _asked_by_people(needs: Sequence[Need], held: Mapping[str, Held]) -> list[Need]:
    """Return what a person asked for, or refused, beyond the rules."""
    known = {canonical(need.name) for need in needs}
    open_ = (State.REQUESTED, State.REJECTED)
    return [
        Need(name, FIELDS[name].type, FIELDS[name].description)
        for name, each in held.items()
        if each.state in open_ and name not in known and name in FIELDS
    ]


def settle(
    customer: Customer, about: Occasion, known: Known | None = None, *, is_new: bool = False
) -> CustomerView:
    """Find out how a locked customer stands now, judging where that is called for.

    Whoever gave everything is judged: at once, or by a job. `known` was read under the lock, and
    `is_new` says that something was given just now. Needs an open transaction.
    """
    known = known or known_customers.read(customer.id)
    view = view_of(known, about, rail_needs.asked_on(about))
    last = known.standings.get(about.type)
    if view.stand is Stand.PROCESSING and not (last and last.is_by_hand):
        traits = customers.plugin().traits
        if traits.judges_at_once:
            record = customers.record_of(customer, documents=traits.reads_documents)
            return decide(customer, about, customers.plugin().judge(record, about), "rules")
        jobs.renew(jobs.Address(JUDGE, f"{customer.id}/{about.type}"), lane())
    _record(about, view, last, last.stand if last else None, tells=is_new)
    return view


def lane() -> str:
    """Return the lane of jobs that ask the customers plug-in."""
    return f"customers {customers.plugin().name}"


def settle_all(customer: Customer, about: Occasion) -> list[CustomerView]:
    """Settle what was given for its occasion, and for every type that was asked about before."""
    known = known_customers.read(customer.id)
    types = (known.standings.keys() & set(customers.plugin().types())) - {about.type}
    if not types:
        return [settle(customer, about, known, is_new=True)]
    occasions = [*(occasion_of(known.standings[type_]) for type_ in sorted(types)), about]
    return [settle(customer, each, is_new=True) for each in occasions]


def occasion_of(last: Standing) -> Occasion:
    """Return the occasion on which a customer last gave something for a type."""
    if last.transaction_id is None:
        return Occasion(last.type)
    return occasion_on(last.type, db.session.get_one(Transaction, last.transaction_id))


def decide(
    customer: Customer,
    about: Occasion,
    verdict: Verdict,
    who: str,
    *,
    by_hand: bool = False,
    why: str | None = None,
) -> CustomerView:
    """Record a verdict on a locked customer, and all that follows. Needs a transaction.

    REJECTED is final: no other verdict comes after it, that is `Rejected` (SEP12-30).
    """
    last = known_customers.read(customer.id).standings.get(about.type)
    if last is not None and last.verdict is Stand.REJECTED:
        raise Rejected("this customer was refused for good")
    before = last.stand if last else Stand.NEEDS_INFO
    columns: dict[str, Any] = {"is_by_hand": by_hand or bool(last and last.is_by_hand)}
    if isinstance(verdict, Accepted):
        _accept_fields(customer.id)
        columns |= {"verdict": Stand.ACCEPTED, "message": None}
    elif isinstance(verdict, Refused):
        columns |= {"verdict": Stand.REJECTED, "message": verdict.message}
    else:
        columns["message"] = verdict.message
    if isinstance(verdict, Corrections):
        _refuse_fields(customer.id, verdict.fields)
    if not isinstance(verdict, Undecided):
        customers.note(customer.id, type(verdict).__name__.lower(), who, about=about.type, why=why)
    stand = Stand.REJECTED if isinstance(verdict, Refused) else before
    _write(customer.id, about, last, stand, columns)
    known = known_customers.read(customer.id)
    view = view_of(known, about, rail_needs.asked_on(about))
    told = not isinstance(verdict, Undecided)
    _record(about, view, known.standings[about.type], before, tells=told)
    return view


def _accept_fields(customer_id: str) -> None:
    given = CustomerField.customer_id == customer_id, CustomerField.state == State.GIVEN
    db.session.execute(update(CustomerField).where(*given).values(state=State.ACCEPTED, error=None))


def _refuse_fields(customer_id: str, fields: Mapping[str, str]) -> None:
    """Refuse what was given, each field with its error; ask for what was not."""
    held = customers.rows_of(customer_id)
    for written, error in fields.items():
        name = canonical(written)
        row = held.get(name)
        if row is None:
            row = CustomerField(customer_id=customer_id, name=name, state=State.REQUESTED)
            db.session.add(row)
        elif row.state != State.REQUESTED:
            row.state = State.REJECTED
        row.error = error
    db.session.flush()


def _record(
    about: Occasion, view: CustomerView, last: Standing | None, before: Stand | None, *, tells: bool
) -> None:
    """Write down how a customer stands, and tell whoever has to know where that is new.

    `last` is what is stored, and `before` what was told. What waits for the customer is told in
    any case where `tells`: something was given or judged, and a transaction may ask for more, or
    less, than the type in general.
    """
    assert view.customer_id is not None, "nobody stands nowhere"
    _write(view.customer_id, about, last, view.stand, {})
    is_new = view.stand is not (before or Stand.NEEDS_INFO)
    if is_new:
        note = f"stands {view.stand}"
        customers.note(view.customer_id, note, "anchor", about=about.type)
        _tell(view.customer_id, view)
    if tells or is_new:
        customer_waits.customer_stands(view.customer_id, about.type, view.stand)


def _write(
    customer_id: str,
    about: Occasion,
    last: Standing | None,
    stand: Stand,
    columns: Mapping[str, Any],
) -> None:
    values = dict(columns)
    if about.transaction_id is not None:
        values["transaction_id"] = about.transaction_id
    if last is None or last.stand is not stand:
        values |= {"stand": stand, "changed_at": func.now()}
    if last is None:
        db.session.add(CustomerStanding(customer_id=customer_id, type=about.type, **values))
        db.session.flush()
    elif values:
        mine = CustomerStanding.customer_id == customer_id, CustomerStanding.type == about.type
        db.session.execute(update(CustomerStanding).where(*mine).values(values))


def _tell(customer_id: str, view: CustomerView) -> None:
    """Owe the callback of a change; after a final status no more are owed (SEP12-72, -73)."""
    told = db.session.get(CustomerCallback, customer_id, populate_existing=True)
    if told is None:
        return
    callbacks.owe(SUBJECT, customer_id, told.url, view)
    if view.stand in _FINAL:
        db.session.execute(
            delete(CustomerCallback).where(CustomerCallback.customer_id == customer_id)
        )

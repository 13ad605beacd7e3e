"""What rails have to know of customers who are asked by the endpoints of customers, not on a page.

A transaction without a page of its own gets the details of its rail from its customer: they
are asked for beside whatever the rules ask, on the occasion of that transaction alone.
"""

from collections.abc import Mapping, Sequence

from anchor.customers.fields import FIELDS, canonical
from anchor.customers.rules import Need
from anchor.customers.standing import Held, State
from anchor.extensions import db, house
from anchor.integrations.customers import Occasion
from anchor.integrations.protocols import Field
from anchor.languages import mark as _
from anchor.models import Customer, Transaction
from anchor.services import customers, details

#: The flow of transactions that have no page.
FLOW = "programmatic"
_MISFIT = _("it is not written as this way to pay needs it")


def needs(about: Occasion, known: Sequence[Need]) -> list[Need]:
    """Return what the rail of the transaction asks for besides. Needs an open transaction."""
    named = {canonical(need.name) for need in known}
    return [_need(each) for each in _asked(about) if canonical(each.name) not in named]


def own_needs() -> dict[str, Need]:
    """Return the details of all rails that are no standard fields, by canonical names."""
    found = {}
    for rail in house().rails.values():
        for each in (*rail.deposit_fields, *rail.withdrawal_fields):
            if each.name not in FIELDS:
                found[canonical(each.name)] = _need(each)
    return found


def _need(field: Field) -> Need:
    standard = FIELDS.get(field.name)
    told = field.description or field.label
    return Need(field.name, standard.type if standard else "string", told, field.optional)


def held_for(about: Occasion, customer_id: str, held: Mapping[str, Held]) -> dict[str, Held]:
    """Return how fields are held, those that the rail cannot take as refused on this occasion."""
    found, texts = dict(held), None
    for each in _asked(about):
        name = canonical(each.name)
        if name not in held or held[name].state in (State.REQUESTED, State.REJECTED):
            continue
        texts = texts if texts is not None else _texts(customer_id)
        if details.read([each], {each.name: texts.get(name, "")})[1]:
            found[name] = Held(State.REJECTED, _MISFIT, held[name].is_verified)
    return found


def given(row: Transaction, customer: Customer | None) -> dict[str, str]:
    """Return the details for a transaction's rail that its customer gave and that fit."""
    if customer is None:
        return {}
    texts = _texts(customer.id)
    asked = details.asked(house().rails[row.rail], row.kind)
    return details.read(asked, {each.name: texts.get(canonical(each.name), "") for each in asked})[
        0
    ]


def _texts(customer_id: str) -> dict[str, str]:
    rows = customers.rows_of(customer_id)
    return {name: text for name, row in rows.items() if (text := customers.text_of(row))}


def _asked(about: Occasion) -> Sequence[Field]:
    if about.transaction_id is None:
        return ()
    row = db.session.get(Transaction, about.transaction_id)
    rail = house().rails.get(row.rail) if row is not None and row.flow == FLOW else None
    if row is None or rail is None:
        return ()
    return [each for each in details.asked(rail, row.kind) if not row.details.get(each.name)]

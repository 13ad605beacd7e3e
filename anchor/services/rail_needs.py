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
from anchor.models import Transaction
from anchor.services import details
from anchor.services.known_customers import Known

#: The flow of transactions that have no page.
FLOW = "programmatic"
_MISFIT = _("it is not written as this way to pay needs it")


def asked_on(about: Occasion) -> Sequence[Field]:
    """Return what the rail of the transaction wants of its customer. Needs a transaction."""
    if about.transaction_id is None:
        return ()
    row = db.session.get(Transaction, about.transaction_id)
    return asked_for(row) if row is not None else ()


def asked_for(row: Transaction) -> Sequence[Field]:
    """Return what the rail of a transaction without a page wants to know yet; else nothing."""
    rail = house().rails.get(row.rail) if row.flow == FLOW else None
    if rail is None:
        return ()
    return [each for each in details.asked(rail, row.kind) if not row.details.get(each.name)]


def needs(asked: Sequence[Field], ruled: Sequence[Need]) -> list[Need]:
    """Return the needs of a rail that the rules do not have."""
    named = {canonical(need.name) for need in ruled}
    return [_need(each) for each in asked if canonical(each.name) not in named]


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


def held_for(asked: Sequence[Field], known: Known) -> Mapping[str, Held]:
    """Return how fields are held, those that the rail cannot take as refused on this occasion."""
    found = dict(known.held)
    for each in asked:
        name = canonical(each.name)
        held = known.held.get(name)
        if held is None or held.state in (State.REQUESTED, State.REJECTED):
            continue
        if details.read([each], {each.name: known.text(name) or ""})[1]:
            found[name] = Held(State.REJECTED, _MISFIT, held.is_verified)
    return found


def given(row: Transaction, known: Known | None) -> dict[str, str]:
    """Return the details for a transaction's rail that its customer gave and that fit."""
    if known is None:
        return {}
    asked = details.asked(house().rails[row.rail], row.kind)
    texts = {each.name: known.text(canonical(each.name)) or "" for each in asked}
    return details.read(asked, texts)[0]

"""The customers of a send: whether they are known well enough for it to go on.

A send is from a customer of the sending anchor to another one. Each has to be accepted as one
of the types that the asset asks for, on the occasion of this very send. Whoever locks a
customer and a transaction locks the customer first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, inspect, or_, select

from anchor.customers.fields import canonical
from anchor.customers.standing import Stand
from anchor.errors import Rejected
from anchor.extensions import db, house, settings
from anchor.integrations.customers import Corrections, Occasion
from anchor.integrations.protocols import Field
from anchor.lifecycle import Kind
from anchor.models import Customer, Transaction
from anchor.money import to_decimal
from anchor.policies import AssetPolicy
from anchor.services import customer_standings, customers, details, known_customers
from anchor.services.customer_standings import CustomerView
from anchor.services.known_customers import Known

#: The better, the earlier.
_ORDER = (Stand.ACCEPTED, Stand.PROCESSING, Stand.NEEDS_INFO, Stand.REJECTED)


class CustomerInfoNeeded(Rejected):
    """A customer has to be made known first, as one of `type` (SEP31-23)."""

    def __init__(self, type_: str) -> None:
        super().__init__("customer_info_needed")
        self.type = type_


@dataclass(frozen=True)
class Party:
    """One of the two, and the types as one of which it has to be accepted."""

    customer_id: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """How a party stands for a send, as which type, and what it was told."""

    stand: Stand
    type: str
    message: str | None = None


def required(policy: AssetPolicy, sender_id: str | None, receiver_id: str | None) -> list[Party]:
    """Return who has to be accepted. Raises `CustomerInfoNeeded` where one is not named."""
    found = []
    wanted = ((sender_id, policy.sends.sender_types), (receiver_id, policy.sends.receiver_types))
    for customer_id, types in wanted:
        if types and customer_id is None:
            raise CustomerInfoNeeded(types[0])
        if types and customer_id is not None:
            found.append(Party(customer_id, types))
    return found


def known(account_id: str, customer_ids: Mapping[str, str | None]) -> Mapping[str, Known]:
    """Return what is known of the customers of a send that is being opened, by their ids.

    `customer_ids` are by the name of the field that holds them. `Rejected` for one that another
    sending anchor registered, or nobody (SEP31-27). Needs an open transaction.
    """
    named = {name: each for name, each in customer_ids.items() if each is not None}
    found = known_customers.read_all(named.values()) if named else {}
    for name, customer_id in named.items():
        if customer_id not in found or found[customer_id].account != account_id:
            raise Rejected("{field}: there is no such customer", field=name)
    return found


def parties(row: Transaction) -> list[Party]:
    """Return who of a send has to be accepted, as the policy says now."""
    policy = settings().asset_by_id(row.asset)
    if policy is None:
        return []
    both = (
        (row.sender_id, policy.sends.sender_types),
        (row.receiver_id, policy.sends.receiver_types),
    )
    return [Party(each, types) for each, types in both if each is not None and types]


def judged(row: Transaction, wanted: Sequence[Party], known: Mapping[str, Known]) -> list[Found]:
    """Find out how the parties of a send that is being opened stand, who are `known`.

    Whoever is not accepted yet is locked, and judged where that is called for. Once the row is
    stored, it is what they are asked on account of. Needs the transaction that opens the send.
    """
    found = [_looked(row, party, known[party.customer_id]) for party in wanted]
    if worst(found) is None:
        return found
    locked = select(Customer).where(Customer.id.in_({each.customer_id for each in wanted}))
    query = locked.order_by(Customer.id).with_for_update(**customers.LOCK)
    rows = db.session.scalars(query.execution_options(populate_existing=True))
    by_id = {customer.id: customer for customer in rows}
    return [
        _best(
            {
                type_: customer_standings.settle(by_id[each.customer_id], occasion(row, type_))
                for type_ in each.types
            }
        )
        for each in wanted
    ]


def look(row: Transaction) -> list[Found]:
    """Return how the parties of a send stand, and change nothing. Needs an open transaction."""
    wanted = parties(row)
    known = known_customers.read_all({party.customer_id for party in wanted})
    return [_looked(row, party, known[party.customer_id]) for party in wanted]


def _looked(row: Transaction, party: Party, known: Known) -> Found:
    return _best(
        {type_: customer_standings.view_of(known, occasion(row, type_)) for type_ in party.types}
    )


def worst(found: Iterable[Found]) -> Found | None:
    """Return whoever keeps a send from going on, or None where all are accepted."""
    waiting = [each for each in found if each.stand is not Stand.ACCEPTED]
    return max(waiting, key=lambda each: _ORDER.index(each.stand), default=None)


def _best(views: Mapping[str, CustomerView]) -> Found:
    found = [Found(view.stand, type_, view.message) for type_, view in views.items()]
    return min(found, key=lambda each: _ORDER.index(each.stand))


def occasion(row: Transaction, type_: str) -> Occasion:
    """Return what a customer is asked for on account of a send."""
    amount = row.amount_received or row.amount_expected
    units = None if amount is None else to_decimal(amount)
    stored_id = row.id if inspect(row).persistent else None
    return Occasion(type_, stored_id, row.kind, row.asset, units)


def sends_of(customer_id: str) -> list[Transaction]:
    """Lock the sends from or to a customer that wait for somebody to be known."""
    return list(db.session.scalars(_SENDS, {"customer_id": customer_id}))


_SENDS = (
    select(Transaction)
    .where(
        or_(
            Transaction.sender_id == bindparam("customer_id"),
            Transaction.receiver_id == bindparam("customer_id"),
        ),
        Transaction.kind == Kind.SEND,
        Transaction.status.in_(("pending_receiver", "pending_customer_info_update")),
    )
    .order_by(Transaction.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)


# -- what the rail needs to know, which the receiver may have given -------------------------


def details_of(rail: str, given: Mapping[str, str], receiver: Known | None) -> dict[str, str]:
    """Return the details that a rail needs, from what was given and what the receiver gave.

    What the receiver gave counts before the rest: for that they were accepted. Those that nobody
    gave are left out. Raises `Rejected` for one that is not written as the rail wants it.
    """
    asked = details.asked(house().rails[rail], Kind.SEND)
    texts = dict(given) | _given_by(receiver, asked)
    values, problems = details.read(asked, texts)
    for name, problem in problems.items():
        if texts.get(name, "").strip():
            raise problem
    return values


def _given_by(receiver: Known | None, asked: Iterable[Field]) -> dict[str, str]:
    """Return what a receiver gave of what is asked, by the names in which it is asked."""
    if receiver is None or house().customers is None:
        return {}
    texts = {field.name: receiver.text(canonical(field.name)) for field in asked}
    return {name: text for name, text in texts.items() if text is not None}


def asked_of_sender(policy: AssetPolicy, rail: str) -> list[Field]:
    """Return the details that a rail needs and no receiver is asked for (SEP31-24)."""
    from_receiver = _asked_of_receivers(policy)
    asked = details.asked(house().rails[rail], Kind.SEND)
    return [field for field in asked if canonical(field.name) not in from_receiver]


def _asked_of_receivers(policy: AssetPolicy) -> set[str]:
    plugin = house().customers
    if plugin is None:
        return set()
    return {
        canonical(need.name)
        for type_ in policy.sends.receiver_types
        for need in plugin.needs(Occasion(type_, None, Kind.SEND, policy.id))
    }


def hold_receiver(transaction_id: str) -> Customer | None:
    """Lock the receiver of a send, before its transaction is; None where it has none."""
    query = (
        select(Customer)
        .join(Transaction, Transaction.receiver_id == Customer.id)
        .where(Transaction.id == transaction_id, Customer.erased_at.is_(None))
        .with_for_update(of=Customer, **customers.LOCK)
    )
    return db.session.scalar(query)


def held_by(customer: Customer, names: Iterable[str]) -> set[str]:
    """Return which of these details a receiver gave, and so can correct."""
    held = known_customers.read(customer.id).held
    return {name for name in names if canonical(name) in held}


def correct(customer: Customer, row: Transaction, fields: Mapping[str, str]) -> bool:
    """Ask a locked receiver for details again; False where nobody is asked (SEP31-51).

    Needs an open transaction.
    """
    types = [party.types for party in parties(row) if party.customer_id == customer.id]
    standings = known_customers.read(customer.id).standings
    asked = [type_ for each in types for type_ in each if type_ in standings]
    if not asked:
        return False
    try:
        customer_standings.decide(customer, occasion(row, asked[0]), Corrections(fields), "rail")
    except Rejected:
        return False
    return True

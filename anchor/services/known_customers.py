"""What is known of customers, read at once: whose they are, what they gave, how they stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import ARRAY, Table, Text, any_, bindparam, select

from anchor.customers.standing import Held, Stand, State
from anchor.extensions import db
from anchor.models import Customer, CustomerField, CustomerStanding
from anchor.services import customers
from anchor.vault import Sealed


@dataclass(frozen=True)
class Standing:
    """How a customer was last found to stand for a type, as `CustomerStanding` says it."""

    type: str
    stand: Stand
    verdict: Stand | None = None
    message: str | None = None
    is_by_hand: bool = False
    transaction_id: str | None = None


@dataclass(frozen=True)
class Known:
    """A customer as they are stored: fields by canonical names, and standings by type.

    `account` registered them; None once they are erased.
    """

    id: str
    account: str | None
    held: dict[str, Held] = field(default_factory=dict)
    sealed: dict[str, Sealed] = field(default_factory=dict, repr=False)
    standings: dict[str, Standing] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """Open the text of a field; None for a file and for what was not given."""
        found = self.sealed.get(name)
        if found is None:
            return None
        return customers.vault().open(found, customers.place_of(self.id, name)).decode()


def read(customer_id: str) -> Known:
    """Return what is known of one customer, who is there. Needs an open transaction."""
    return read_all([customer_id])[customer_id]


def read_all(customer_ids: Iterable[str]) -> Mapping[str, Known]:
    """Return what is known of customers, by their ids; nobody else is left out without a word.

    Needs an open transaction.
    """
    found: dict[str, Known] = {}
    rows = db.session.execute(_KNOWN, {"ids": list(customer_ids)}).all()
    for customer_id, account, name, state, error, verified_at, key_id, sealed, *stands in rows:
        if customer_id not in found:
            found[customer_id] = Known(customer_id, account)
        known = found[customer_id]
        if name is not None and name not in known.held:
            known.held[name] = Held(State(state), error, verified_at is not None)
            if sealed is not None:
                known.sealed[name] = Sealed(key_id, sealed)
        if stands[0] is not None and stands[0] not in known.standings:
            known.standings[stands[0]] = _standing(*stands)
    return found


def _standing(type_: str, stand: str, verdict: str | None, *more: Any) -> Standing:
    return Standing(type_, Stand(stand), Stand(verdict) if verdict else None, *more)


_CUSTOMERS = cast(Table, Customer.__table__).c
_FIELDS = cast(Table, CustomerField.__table__)
_STANDINGS = cast(Table, CustomerStanding.__table__)
#: Each field beside each standing: there are few of either.
_KNOWN = (
    select(
        _CUSTOMERS.id,
        _CUSTOMERS.owner_account,
        _FIELDS.c.name,
        _FIELDS.c.state,
        _FIELDS.c.error,
        _FIELDS.c.verified_at,
        _FIELDS.c.key_id,
        _FIELDS.c.sealed,
        _STANDINGS.c.type,
        _STANDINGS.c.stand,
        _STANDINGS.c.verdict,
        _STANDINGS.c.message,
        _STANDINGS.c.is_by_hand,
        _STANDINGS.c.transaction_id,
    )
    .outerjoin(_FIELDS, _FIELDS.c.customer_id == _CUSTOMERS.id)
    .outerjoin(_STANDINGS, _STANDINGS.c.customer_id == _CUSTOMERS.id)
    .where(_CUSTOMERS.id == any_(bindparam("ids", type_=ARRAY(Text()))))
)

"""A refund as a person orders it: by a name that they know, looked at first, once, taken back."""

from dataclasses import dataclass, replace

from sqlalchemy import select

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.fees import Split
from anchor.models import Outflow, Transaction
from anchor.services import acts, desk, order_ends, refund_ends, refunds
from anchor.services.acts import By
from anchor.services.arrivals import Arrival
from anchor.services.arrivals import find as find_arrival
from anchor.services.refunds import Begun, Order

#: So many digits are the number of a row at most.
_DIGITS = 18


@dataclass(frozen=True)
class Terms:
    """How much goes back of what came, in stroops (None: all that is left), and how.

    The rest is that of `anchor.services.refunds.Order`.
    """

    gross: int | None = None
    without_fee: bool = False
    by_hand: bool = False
    to_contract: str | None = None


@dataclass(frozen=True)
class Review:
    """What a refund comes to: `gross` stroops of an arrival, in what goes back and what is kept."""

    arrival: Arrival
    gross: int
    parts: Split


def begin(what: str, by: By, terms: Terms) -> Begun:
    """Send money back that is named by a case's number, a transaction's id, or its own name.

    Under a key it is done once. Raises as `refunds.begin` does, and `Rejected` where the name is
    that of several payments.
    """
    meant = acts.meaning("refund", about=what, **vars(terms))

    def order() -> Begun:
        cause, case_id = _named(what)
        wanted = Order(cause, who=by.who, note=by.note, case_id=case_id, **vars(terms))
        return refunds.begin(replace(wanted, key=by.key, meant=meant))

    return acts.once(by, meant, order, refunds.begun_by)


@atomic
def review(what: str, terms: Terms) -> Review:
    """Return what a refund would come to as things stand; raises `Rejected` where it is none."""
    cause, _ = _named(what)
    arrival = find_arrival(cause)
    most = arrival.left
    if arrival.transaction_id is not None:
        row = db.session.get_one(Transaction, arrival.transaction_id, populate_existing=True)
        most = min(most, row.amount_received - row.amount_paid - row.amount_refunded)
    gross = refunds.part_of(most, terms.gross)
    parts = refunds.parts_of(arrival, gross, without_fee=terms.without_fee or terms.by_hand)
    return Review(arrival, gross, parts)


@atomic
def cancel(key: str, by: By) -> None:
    """Take back a refund of which nobody outside has heard; its money is owed as before.

    Raises `NotFound`, or `Rejected` where it is on its way or over.
    """
    meant = acts.meaning("cancel refund", outflow=key)
    if acts.done_before(by, meant):
        return
    outflow = _held(key)
    if outflow.state != "prepared" or outflow.calls:
        raise Rejected(f"{key} is {outflow.state}: it cannot be taken back any more")
    order_ends.refuse(outflow, by.note or "taken back by a person")
    refund_ends.failed(outflow)
    acts.write(
        "cancel refund",
        by,
        meant,
        transaction_id=outflow.transaction_id,
        outflow_id=outflow.id,
    )


def _held(key: str) -> Outflow:
    """Lock a refund, after its transaction, so that nobody carries it out meanwhile.

    Whoever carries it may hold it, and want its transaction next: they are not waited for.
    """
    mine = Outflow.key == key, Outflow.kind == "refund"
    found = db.session.execute(select(Outflow.transaction_id).where(*mine)).one_or_none()
    if found is None:
        raise NotFound(f"there is no refund {key}")
    if found.transaction_id is not None:
        desk.locked(found.transaction_id)
    outflow = db.session.scalar(
        select(Outflow)
        .where(*mine)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if outflow is None:
        raise Rejected(f"{key} is looked at by somebody at this moment; try again")
    return outflow


@atomic
def _named(what: str) -> tuple[str, int | None]:
    """Return the name of what came, and the case where one was named."""
    if what.startswith(("payment ", "receipt ")):
        return what, None
    if not (what.isascii() and what.isdigit() and len(what) <= _DIGITS):
        return refunds.of_transaction(what).cause, None
    case = desk.case_of(int(what))
    if (arrival := desk.arrival_of(case)) is not None:
        return arrival.cause, case.id  # whatever the case calls it: others are about it, too
    if case.transaction_id is None:
        raise Rejected(f"case {case.id} is about no money that came")
    return refunds.of_transaction(case.transaction_id).cause, case.id

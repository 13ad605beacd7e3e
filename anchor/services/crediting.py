"""Crediting by hand what came and matched nobody: a person knows whose it is (promise 3)."""

from sqlalchemy import func, update

from anchor.assets import StellarAsset
from anchor.errors import Rejected
from anchor.extensions import atomic, db, settings
from anchor.lifecycle import Event, Status
from anchor.matching import Verdict
from anchor.models import Case, Payment, Receipt, Transaction
from anchor.money import format_amount
from anchor.services import acts, arrivals, bookings, conversions, desk, networks, refunds
from anchor.services.acts import By
from anchor.services.arrivals import Arrival
from anchor.services.transactions import Happening, can_have, happened


@atomic
def credit(case_id: int, transaction_id: str, by: By) -> None:
    """Credit money that matched nobody to a transaction, and let that go on.

    Raises `Rejected` where it is not the transaction's asset, where some of it was sent back,
    or where the transaction takes no money any more.
    """
    meant = acts.meaning("credit", case=case_id, transaction=transaction_id)
    if acts.done_before(by, meant):
        return
    case, arrival, row = _locked(case_id, transaction_id)
    event = _demand_creditable(arrival, row)
    _credited(arrival, row.id)
    case.closed_at = func.now()
    act_id = acts.write("credit", by, meant, case_id=case_id, transaction_id=row.id)
    bookings.credited_by_hand(arrival, row.id, row.received_as)
    cause = f"act {act_id}"
    if event is None:
        happened(Happening(row.id, Event.FUNDS_RECEIVED, cause, received=arrival.amount))
    else:
        happened(
            Happening(row.id, None, cause, received=arrival.amount),
            Happening(row.id, event, cause),
        )


@atomic
def check(case_id: int, transaction_id: str) -> None:
    """Raise `Rejected` where `credit` would, and change nothing."""
    _, arrival, row = _locked(case_id, transaction_id)
    _demand_creditable(arrival, row)


def _locked(case_id: int, transaction_id: str) -> tuple[Case, Arrival, Transaction]:
    """Lock the transaction, then the money, and the case last, as a refund does."""
    named = desk.case_of(case_id)
    row = desk.locked(transaction_id)
    arrival = None if desk.arrival_of(named) is None else arrivals.lock(named.cause)
    case = desk.locked_case(case_id)
    if case.closed_at is not None:
        raise Rejected(f"case {case_id} is closed")
    if arrival is None:
        raise Rejected(f"case {case_id} is about no money that came")
    refunds.demand_unanswered(arrival.cause)
    return case, arrival, row


def _demand_creditable(arrival: Arrival, row: Transaction) -> Event | None:
    """Return the event by which an ended transaction takes it; None where it is as usual."""
    if arrival.verdict not in desk.CREDITABLE or arrival.is_gone or not arrival.amount:
        raise Rejected(f"{arrival.cause} is {arrival.verdict} and cannot be credited")
    if arrival.network_id is not None and arrival.network_id != networks.current_id():
        raise Rejected(f"{arrival.cause} came on a network that is gone")
    if arrival.left != arrival.amount:
        raise Rejected(f"{format_amount(arrival.amount - arrival.left)} of it were sent back")
    if not _is_for(arrival, row):
        wanted = _code(row.received_as)
        raise Rejected(f"it is {_code(arrival.asset)}, and {row.id} is about {wanted}")
    if row.status == Status.INCOMPLETE:
        raise Rejected(f"{row.id} is incomplete: nobody has said where its money is to go")
    event = Event.RECOVERED if row.status in {Status.EXPIRED, Status.ERROR} else None
    if event is None and not can_have(row, Event.FUNDS_RECEIVED):
        raise Rejected(f"{row.id} is {row.status} and takes no money any more")
    desk.demand_not_gone(row)
    conversions.demand_exact(row, arrival.amount)
    return event


def _is_for(arrival: Arrival, row: Transaction) -> bool:
    """Tell whether money is of a transaction's asset, or of the currency its rail books for it."""
    policy = settings().asset_by_id(row.asset)
    is_by_rail = policy is not None and arrival.rail in policy.rails
    if row.quote_id is not None and is_by_rail:
        booked = settings().asset_by_id(arrival.asset)
        return row.received_as in {arrival.asset, f"rail:{booked.booked_in if booked else None}"}
    currency = policy.booked_in if policy and is_by_rail else None
    return arrival.asset in {row.received_as, f"rail:{currency}"}


def _credited(arrival: Arrival, transaction_id: str) -> None:
    table = Payment if arrival.rail is None else Receipt
    db.session.execute(
        update(table)
        .where(table.id == arrival.row_id)
        .values(verdict=Verdict.CREDITED, transaction_id=transaction_id, note="credited by hand")
    )


def _code(asset: str) -> str:
    return StellarAsset.parse(asset).code if not asset.startswith("rail:") else asset[5:]

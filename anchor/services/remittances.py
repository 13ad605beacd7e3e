"""Remittances: sending money to a customer of another anchor, as its sender of SEP-31 (ADR 026).

One is opened by a person, and paid for like a deposit: by rail under a reference, or from the
house's own money, which is booked in the commit that opens it. Nothing leaves before. Then its
job (`anchor.services.remitting`) agrees with the other anchor and pays, and another one
(`anchor.services.following`) asks how it goes.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from sqlalchemy import ColumnElement, exists, func, literal, select, text, update

from anchor.clock import utcnow
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, settings
from anchor.integrations.protocols import Receipt
from anchor.lifecycle import Event, Kind, Status
from anchor.models import Act, Job, Remittance, Transaction, new_id
from anchor.money import format_amount, to_decimal
from anchor.policies import HOUSE, AssetPolicy, ReceivingAnchor
from anchor.services import (
    beginnings,
    customers,
    jobs,
    memos,
    outflows,
    receipts,
    references,
    remittance_orders,
    transactions,
)
from anchor.services.remittance_orders import PARTS, Details, Wanted, read_details
from anchor.services.transactions import REMITTANCE_LANE, Happening, Moved, any_of, happened
from anchor.vault import Sealed

FLOW = "remittance"
ENDS = (Status.COMPLETED, Status.REFUNDED, Status.EXPIRED, Status.ERROR)
#: In these nobody is bringing it on: what is known of its parties may be changed.
_WAITING = (Status.PENDING_CUSTOMER_INFO_UPDATE, Status.ON_HOLD)
#: What a remittance keeps of what was wanted, as it was said.
_KEPT = ("domain", "funding_method", "sender_type", "receiver_type", "buys", "least_out")


def send(policy: AssetPolicy, wanted: Wanted, who: str, note: str | None = None) -> str:
    """Begin a remittance that the other anchor would take, and return its id.

    Under a key that was used before it is the one of then, and nobody is asked. Raises what
    `check` and `begin` do.
    """
    begun = find_begun(policy, wanted)
    if begun is not None:
        return begun
    remittance_orders.check(policy, wanted)
    return begin(policy, wanted, who, note)


@atomic
def begin(policy: AssetPolicy, wanted: Wanted, who: str, note: str | None = None) -> str:
    """Open a remittance and return its id; the house's own money is booked for it at once.

    Under a key that was used before it is the one of then, and nothing new is opened. Raises
    `Rejected` for what cannot be sent, and `Unavailable` while the anchor does not follow its
    network yet.
    """
    known = remittance_orders.partner(wanted.domain)
    if (begun := find_begun(policy, wanted)) is not None:
        return begun
    remittance_orders.demand_payable(policy, wanted)
    details = read_details(wanted.details)
    demand_room(known, policy, wanted.amount)
    row = _row(policy, wanted)
    beginnings.opened(row)
    sealed = seal(row.id, details)
    db.session.add(
        Remittance(
            transaction_id=row.id,
            key=wanted.key,
            key_id=sealed.key_id,
            sealed=sealed.value,
            **{name: getattr(wanted, name) for name in _KEPT},
        )
    )
    db.session.add(Act(what="send", who=who, note=note, transaction_id=row.id))
    db.session.flush()
    memos.issue(policy.distribution, row.id)
    reference = references.issue(row)
    if wanted.rail == HOUSE:
        _book_own_money(policy, row.id, wanted.amount, reference, who)
    return row.id


@atomic
def find_begun(policy: AssetPolicy, wanted: Wanted) -> str | None:
    """Return the remittance that was begun under a key; others are held off until the commit.

    Raises `Rejected` where that one is about something else.
    """
    if wanted.key is None:
        return None
    lock = text("SELECT pg_advisory_xact_lock(hashtext('anchor.remittance key'), hashtext(:key))")
    db.session.execute(lock, {"key": wanted.key})
    query = select(Transaction, Remittance).join(
        Remittance, Remittance.transaction_id == Transaction.id
    )
    found = db.session.execute(query.where(Remittance.key == wanted.key)).one_or_none()
    if found is None:
        return None
    row, known = found
    if not _is_same(policy, wanted, row, known):
        raise Rejected(f"another remittance was begun under this key: {row.id}")
    return str(row.id)


def _is_same(policy: AssetPolicy, wanted: Wanted, row: Transaction, known: Remittance) -> bool:
    """Tell whether a remittance is what is wanted; of its parties as long as they are known."""
    kept = (row.asset, row.amount_expected, row.rail)
    if kept != (policy.id, wanted.amount, wanted.rail):
        return False
    if any(getattr(known, name) != getattr(wanted, name) for name in _KEPT):
        return False
    return known.sealed is None or unseal(known) == wanted.details


def demand_room(
    known: ReceivingAnchor, policy: AssetPolicy, amount: int, besides: str = ""
) -> None:
    """Raise `Rejected` where more would be under way to an anchor than may be (promise 14).

    Whoever asks holds off all others until its transaction ends. `besides` is not counted.
    """
    lock = text("SELECT pg_advisory_xact_lock(hashtext('anchor.remittances'), hashtext(:domain))")
    db.session.execute(lock, {"domain": known.domain})
    going = (
        select(func.coalesce(func.sum(Transaction.amount_expected), 0))
        .join(Remittance, Remittance.transaction_id == Transaction.id)
        .where(
            Remittance.domain == known.domain,
            Transaction.asset == policy.id,
            Transaction.status.not_in(ENDS),
            Transaction.id != besides,
        )
    )
    left = known.cap - int(db.session.scalar(going) or 0)
    if amount > left:
        raise Rejected(
            f"no more than {format_amount(max(left, 0))} {policy.code} may go to "
            f"{known.domain} now: its cap is {format_amount(known.cap)}"
        )


def _row(policy: AssetPolicy, wanted: Wanted) -> Transaction:
    return Transaction(
        id=new_id(),
        kind=Kind.REMITTANCE,
        flow=FLOW,
        status=Status.PENDING_USER_TRANSFER_START,
        owner_account=policy.distribution,
        asset=policy.id,
        asset_code=policy.code,
        rail=wanted.rail,
        amount_expected=wanted.amount,
        amount_in=wanted.amount,
        amount_out=wanted.amount,
        amount_fee=0,
        decimals=policy.decimals,
        deadline_at=utcnow() + timedelta(days=settings().transfer_days),
    )


def _book_own_money(
    policy: AssetPolicy, transaction_id: str, amount: int, reference: str, who: str
) -> None:
    """Credit the house's own money: a receipt like any other, once for each remittance."""
    receipt = Receipt(
        receipt_id=transaction_id,
        amount=to_decimal(amount),
        currency=policy.booked_in,
        booked_at=utcnow(),
        reference=reference,
        payer=who,
    )
    receipts.observe(HOUSE, [receipt])


# -- what is known of the parties -------------------------------------------------------------


def place_of(transaction_id: str) -> str:
    """Return what the details of a remittance are sealed for."""
    return f"remittance {transaction_id}"


def seal(transaction_id: str, details: Details) -> Sealed:
    """Encrypt the details of a remittance."""
    text_ = json.dumps({name: dict(fields) for name, fields in details.items()})
    return customers.vault().seal(text_.encode(), place_of(transaction_id))


def unseal(row: Remittance) -> Details:
    """Decrypt the details of a remittance; `Rejected` where they were forgotten."""
    if row.sealed is None or row.key_id is None:
        raise Rejected("sender and receiver were forgotten at its end: send anew")
    place = place_of(row.transaction_id)
    found: Details = json.loads(customers.vault().open(Sealed(row.key_id, row.sealed), place))
    return found


def _forget_ended(moved: Sequence[Moved]) -> None:
    """Forget the parties of remittances that ended. Needs the transaction that ends them."""
    ended = [each.id for each in moved if each.status in ENDS]
    if ended and settings().receiving_anchors:
        db.session.execute(
            update(Remittance)
            .where(Remittance.transaction_id == any_of(ended), Remittance.sealed.is_not(None))
            .values(sealed=None, key_id=None)
            .execution_options(synchronize_session=False)
        )


transactions.follow(_forget_ended)


def may_be_amended(row: Transaction) -> bool:
    """Tell whether a remittance waits, unpaid. Needs an open transaction."""
    waits = row.is_resting or row.funded_at is None or row.status in _WAITING
    is_over = row.status in ENDS
    return waits and not is_over and not row.amount_paid and not outflows.has_open(row.id)


@atomic
def amend(
    transaction_id: str,
    details: Details,
    who: str,
    note: str | None = None,
    *,
    kept: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """Replace what is known of the parties of a remittance that waits, and have it agreed anew.

    `kept` are the names, by part, of what stays as it is beside that. One that is held goes on when
    it is released; one that was brought on with just these details already is left alone. Raises
    `NotFound`, or `Rejected` where it is paid, on its way, over, or being brought on.
    """
    row, known = locked(transaction_id)
    old = None if known.sealed is None else unseal(known)
    details = _merged(old or {}, read_details(details), kept)
    if not may_be_amended(row):
        if details == old:
            return
        raise Rejected(f"{transaction_id} is {row.status}: nothing of it can be changed now")
    sealed = seal(row.id, read_details(details))
    known.key_id, known.sealed = sealed.key_id, sealed.value
    forget_agreement(row, known)
    act = Act(what="amend send", who=who, note=note, transaction_id=row.id)
    db.session.add(act)
    db.session.flush()
    if row.status == Status.PENDING_CUSTOMER_INFO_UPDATE:
        happened(Happening(row.id, Event.CUSTOMER_INFO_GIVEN, f"act {act.id}"))


def _merged(old: Details, new: Details, kept: Mapping[str, Collection[str]]) -> Details:
    """Return new details with those of the old ones that are kept."""
    return {
        part: {name: old[part][name] for name in kept.get(part, ()) if name in old.get(part, {})}
        | dict(new.get(part, {}))
        for part in PARTS
        if part in new or part in kept
    }


def names_of(known: Remittance) -> dict[str, list[str]]:
    """Return which details are known of a remittance, by part; none once they were forgotten."""
    if known.sealed is None:
        return {}
    return {part: list(fields) for part, fields in unseal(known).items()}


def forget_agreement(row: Transaction, known: Remittance) -> None:
    """Forget what was agreed and never paid: the other anchor's transaction ends by itself.

    Needs an open transaction that holds both rows, of which nothing is paid or on its way.
    """
    row.destination = row.destination_memo_type = row.destination_memo = None
    known.remote_id = known.remote_status = known.remote_quote_id = None
    known.agreed = known.quote_expires_at = known.asked_at = None


def locked(transaction_id: str) -> tuple[Transaction, Remittance]:
    """Lock a remittance and return its rows as they are now; `NotFound` where there is none."""
    row = db.session.get(Transaction, transaction_id, with_for_update=True, populate_existing=True)
    known = db.session.get(Remittance, transaction_id, populate_existing=True)
    if row is None or known is None:
        raise NotFound(f"there is no remittance {transaction_id}")
    return row, known


def owe_each(job_kind: str, *terms: ColumnElement[bool]) -> None:
    """Owe a job for each remittance that some conditions choose, in its lane.

    Needs an open transaction; what is owed already is left alone.
    """
    owed = exists().where(Job.kind == job_kind, Job.subject_id == Transaction.id)
    lane = literal(REMITTANCE_LANE).op("||")(Remittance.domain)
    query = select(Transaction.id, lane)
    query = query.join(Remittance, Remittance.transaction_id == Transaction.id)
    jobs.ensure_each(job_kind, query.where(*terms, ~owed))

"""Remittances: sending money to a customer of another anchor, as its sender of SEP-31 (ADR 026).

One is opened by a person, and paid for like a deposit: by rail under a reference, or from the
house's own money, which is booked in the commit that opens it. Nothing leaves before. Then its
job (`anchor.services.remitting`) agrees with the other anchor and pays, and another one
(`anchor.services.following`) asks how it goes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal, select, text, update

from anchor.assets import Currency, StellarAsset
from anchor.clock import utcnow
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, settings
from anchor.integrations.protocols import Receipt
from anchor.lifecycle import Event, Kind, Status
from anchor.models import Act, Job, Remittance, Transaction, new_id
from anchor.money import format_amount, round_down, to_decimal
from anchor.policies import HOUSE, AssetPolicy, ReceivingAnchor
from anchor.services import (
    customers,
    jobs,
    memos,
    other_anchors,
    outflows,
    receipts,
    references,
    transactions,
)
from anchor.services.other_anchors import Terms
from anchor.services.transactions import REMITTANCE_LANE, Happening, Moved, any_of, happened
from anchor.vault import Sealed

FLOW = "remittance"
#: What may be given: of the two parties, and of the transaction itself.
PARTS = ("sender", "receiver", "transaction")
_MAX_FIELDS = 100
ENDS = (Status.COMPLETED, Status.REFUNDED, Status.EXPIRED, Status.ERROR)
#: In these nobody is bringing it on: what is known of its parties may be changed.
_WAITING = (Status.PENDING_CUSTOMER_INFO_UPDATE, Status.ON_HOLD)
Details = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Wanted:
    """What is to be sent: `amount` stroops of the asset to a customer of the anchor at `domain`.

    Its money comes by `rail`, or is the `HOUSE`'s. `details` are the fields of each of `PARTS`, by
    SEP-9's names; they are kept encrypted and show themselves nowhere. With `buys`, named as
    SEP-38 does, it goes on a quote which brings `least_out` stroops of that at least. `key` is
    whatever the asker tells this one from others by.
    """

    domain: str
    amount: int
    rail: str
    details: Details = field(repr=False)
    funding_method: str | None = None
    sender_type: str | None = None
    receiver_type: str | None = None
    buys: str | None = None
    least_out: int | None = None
    key: str | None = None


def check(policy: AssetPolicy, wanted: Wanted) -> None:
    """Ask the other anchor whether it would take this; `Rejected` with the reason where not.

    Nothing is given to it. Raises `Unavailable` where it does not answer.
    """
    partner(wanted.domain)
    client = other_anchors.Client(other_anchors.find(wanted.domain, policy))
    choose(client.terms(policy.code), policy, wanted)


@dataclass(frozen=True)
class Chosen:
    """By which method the receiver is paid, and as which types both are known; "" is as none."""

    method: str
    sender_type: str
    receiver_type: str


def choose(terms: Terms, policy: AssetPolicy, wanted: Wanted) -> Chosen:
    """Choose among what the other anchor takes: what `wanted` names, or the only one there is.

    Raises `Rejected` for what it says that it does not take.
    """
    if terms.quotes_required and wanted.buys is None:
        raise Rejected("it takes this asset on quotes alone: say what the receiver is to get")
    if terms.min_amount is not None and wanted.amount < terms.min_amount:
        raise Rejected(f"it takes no less than {format_amount(terms.min_amount)} {policy.code}")
    if terms.max_amount is not None and wanted.amount > terms.max_amount:
        raise Rejected(f"it takes no more than {format_amount(terms.max_amount)} {policy.code}")
    method = wanted.funding_method or ""
    if terms.funding_methods:  # some do not list them
        method = _one_of("funding_method", terms.funding_methods, wanted.funding_method)
    return Chosen(
        method,
        _one_of("sender_type", terms.sender_types, wanted.sender_type),
        _one_of("receiver_type", terms.receiver_types, wanted.receiver_type),
    )


def _one_of(name: str, offered: Sequence[str], wanted: str | None) -> str:
    """Return the one that is meant: it has to be named where there are several."""
    if wanted is None and len(offered) > 1:
        raise Rejected(f"name a {name}: {', '.join(offered)}")
    if wanted is not None and wanted not in offered:
        raise Rejected(f"{wanted} is no {name} there; there are {', '.join(offered) or 'none'}")
    return wanted or next(iter(offered), "")


def partner(domain: str) -> ReceivingAnchor:
    """Return an anchor that we send to; `Rejected` for any other domain."""
    found = settings().receiving_anchors.get(domain)
    if found is None:
        raise Rejected(f"{domain} is none of [receiving_anchors]: nothing is sent there")
    return found


@atomic
def begin(policy: AssetPolicy, wanted: Wanted, who: str, note: str | None = None) -> str:
    """Open a remittance and return its id; the house's own money is booked for it at once.

    Under a key that was used before it is the one of then, and nothing new is opened. Raises
    `Rejected` for what cannot be sent, and `Unavailable` while the anchor does not follow its
    network yet.
    """
    known = partner(wanted.domain)
    if (begun := _begun(policy, wanted)) is not None:
        return begun
    _demand_payable(policy, wanted)
    details = read_details(wanted.details)
    demand_room(known, policy, wanted.amount)
    row = _row(policy, wanted)
    transactions.opened(row)
    sealed = seal(row.id, details)
    db.session.add(
        Remittance(
            transaction_id=row.id,
            domain=wanted.domain,
            key=wanted.key,
            key_id=sealed.key_id,
            sealed=sealed.value,
            funding_method=wanted.funding_method,
            sender_type=wanted.sender_type,
            receiver_type=wanted.receiver_type,
            buys=wanted.buys,
            least_out=wanted.least_out,
        )
    )
    db.session.add(Act(what="send", who=who, note=note, transaction_id=row.id))
    db.session.flush()
    memos.issue(policy.distribution, row.id)
    reference = references.issue(row)
    if wanted.rail == HOUSE:
        _book_own_money(policy, row.id, wanted.amount, reference, who)
    return row.id


def _begun(policy: AssetPolicy, wanted: Wanted) -> str | None:
    """Return the remittance that was begun under a key; others are held off until we commit.

    Raises `Rejected` where that one is about something else. Needs an open transaction.
    """
    if wanted.key is None:
        return None
    lock = text("SELECT pg_advisory_xact_lock(hashtext('anchor.remittance key'), hashtext(:key))")
    db.session.execute(lock, {"key": wanted.key})
    query = select(Transaction, Remittance.domain).join(
        Remittance, Remittance.transaction_id == Transaction.id
    )
    found = db.session.execute(query.where(Remittance.key == wanted.key)).one_or_none()
    if found is None:
        return None
    row, domain = found
    if (domain, row.asset, row.amount_expected) != (wanted.domain, policy.id, wanted.amount):
        raise Rejected(f"another remittance was begun under this key: {row.id}")
    return str(row.id)


def _demand_payable(policy: AssetPolicy, wanted: Wanted) -> None:
    if settings().custody == "local" and policy.code not in settings().distribution_secrets:
        raise Rejected(f"{policy.code} cannot be paid: there is no key of its account")
    if wanted.rail != HOUSE:
        if wanted.rail not in policy.rails:
            raise Rejected(f"{policy.code} is not paid for by {wanted.rail}")
        if round_down(wanted.amount, policy.decimals) != wanted.amount:
            raise Rejected(f"by rail the amount has {policy.decimals} decimals at most")
    if (wanted.buys is None) != (wanted.least_out is None):
        raise Rejected("a quote needs the least that the receiver is to get, and what of")
    if wanted.buys is not None:
        named = StellarAsset if wanted.buys.startswith("stellar:") else Currency
        named.parse(wanted.buys)


def read_details(given: Any) -> Details:
    """Return what is given of the parties; `Rejected` where that are no texts under `PARTS`."""
    if not isinstance(given, Mapping) or not set(given) <= set(PARTS):
        raise Rejected(f"the details are an object of {', '.join(PARTS)}")
    for name, fields in given.items():
        if not isinstance(fields, Mapping) or len(fields) > _MAX_FIELDS:
            raise Rejected(f"{name} of the details is an object of fields")
        if not all(isinstance(each, str) for each in (*fields, *fields.values())):
            raise Rejected(f"{name} of the details has texts alone")
    return given


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


@atomic
def amend(transaction_id: str, details: Details, who: str, note: str | None = None) -> None:
    """Replace what is known of the parties of a remittance that waits, and have it agreed anew.

    One that is held goes on when it is released. Raises `NotFound`, or `Rejected` where it is
    paid, on its way, over, or being brought on.
    """
    row, known = locked(transaction_id)
    waits = row.is_resting or row.funded_at is None or row.status in _WAITING
    if row.status in ENDS or not waits or row.amount_paid or outflows.has_open(row.id):
        raise Rejected(f"{transaction_id} is {row.status}: nothing of it can be changed now")
    sealed = seal(row.id, read_details(details))
    known.key_id, known.sealed = sealed.key_id, sealed.value
    forget_agreement(row, known)
    act = Act(what="amend send", who=who, note=note, transaction_id=row.id)
    db.session.add(act)
    db.session.flush()
    if row.status == Status.PENDING_CUSTOMER_INFO_UPDATE:
        happened(Happening(row.id, Event.CUSTOMER_INFO_GIVEN, f"act {act.id}"))


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

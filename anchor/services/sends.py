"""Sends: another anchor's customer pays one of ours, as its anchor asks (SEP-31).

A send is opened by the sending anchor. Where its customers are not accepted yet it waits for
them, without a memo: nobody is told where to pay. Once they are, it is paid on the ledger
under its memo, or by rail under its reference, as is agreed with that anchor; from then on it
lives as a withdrawal does, and the rail pays it out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from anchor.clock import utcnow
from anchor.customers.standing import Stand
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, house, settings
from anchor.integrations.rates import Way
from anchor.lifecycle import Event, Kind, Status
from anchor.models import Memo, Quote, Transaction, new_id
from anchor.policies import AssetPolicy, SendingAnchor
from anchor.services import (
    cases,
    conversions,
    customer_waits,
    details,
    known_customers,
    memos,
    networks,
    opening,
    quotes,
    references,
    send_customers,
    views,
)
from anchor.services.beginnings import opened
from anchor.services.known_customers import Known
from anchor.services.quotes import Use
from anchor.services.send_customers import CustomerInfoNeeded, Found, Party
from anchor.services.transactions import Happening, Owner, happened, owner_of
from anchor.services.views import View

FLOW = "send"
_WAITING = (Status.PENDING_RECEIVER, Status.PENDING_CUSTOMER_INFO_UPDATE)


class TransactionInfoNeeded(Rejected):
    """The rail needs these details, by name, each with its description (SEP31-24)."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("transaction_info_needed")
        self.fields = dict(fields)


@dataclass(frozen=True)
class Wanted:
    """What a sending anchor asks for: `amount` stroops of the asset, paid out by `rail`.

    None is left out. `details` are those of the rail, `other_asset` is what the receiver gets.
    """

    amount: int
    rail: str | None = None
    quote_id: str | None = None
    other_asset: str | None = None
    sender_id: str | None = None
    receiver_id: str | None = None
    refund_memo_type: str | None = None
    refund_memo: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


def partner(account_id: str) -> SendingAnchor | None:
    """Return the sending anchor that an account is of; in development mode everybody is one."""
    known = settings().sending_anchors
    if not known and settings().development:
        return SendingAnchor("development", (account_id,))
    return known.get(account_id)


@atomic
def open_send(
    sender: SendingAnchor, owner: Owner, policy: AssetPolicy, wanted: Wanted, **columns: Any
) -> tuple[str, Memo | None]:
    """Open a send; nothing is kept where it is refused (SEP31-20 to 29).

    Returns its id, and the memo that it is paid under, once there is one. It is
    `pending_sender`, or waits for its customers in `pending_receiver`; where something has to be
    given first, in `pending_customer_info_update`. Raises `CustomerInfoNeeded` and
    `TransactionInfoNeeded` for what is missing, `Rejected` for whatever cannot be, and
    `Unavailable` while the anchor does not follow its network yet.
    """
    rail = _rail(policy, wanted.rail)
    quote = _quote(owner, policy, wanted, rail)
    parties = {"sender_id": wanted.sender_id, "receiver_id": wanted.receiver_id}
    known = send_customers.known(owner.account_id, parties)
    needed = send_customers.required(policy, wanted.sender_id, wanted.receiver_id)
    memo_type, memo = memos.read(wanted.refund_memo_type, wanted.refund_memo)
    row = Transaction(
        id=new_id(),
        kind=Kind.SEND,
        flow=FLOW,
        owner_account=owner.account_id,
        owner_subaccount=owner.subaccount_id,
        asset=policy.id,
        asset_code=policy.code,
        settlement=sender.settlement,
        refund_memo_type=memo_type,
        refund_memo=memo,
        decimals=policy.decimals,
        **parties,
        **columns,
        **(conversions.columns(quote) if quote else {}),
    )
    given = _details(policy, rail, wanted, known)
    _set(row, opening.completed(row, policy, wanted.amount, rail, given))
    worst = send_customers.worst(send_customers.judged(row, needed, known))
    _set(row, {"status": Status.PENDING_RECEIVER if worst else Status.PENDING_SENDER})
    on_ledger = worst is None and row.settlement == "stellar"
    paid_under = opened(row, policy.distribution if on_ledger else None)
    if worst is None:
        return row.id, paid_under or _tell_where(row)
    _wait(row, policy, needed, known)
    return row.id, views.get(row.id).memo


def _set(row: Transaction, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)


def _rail(policy: AssetPolicy, wanted: str | None) -> str:
    """Return the way to pay that is meant: one may be left out where there is one (SEP31-28)."""
    if wanted is None and len(policy.rails) == 1:
        return policy.rails[0]
    if wanted is None:
        raise Rejected(
            "{name} is required, for there are several ways to pay", name="funding_method"
        )
    if wanted not in policy.rails:
        raise Rejected("this way to pay is not offered")
    return wanted


def _quote(owner: Owner, policy: AssetPolicy, wanted: Wanted, rail: str) -> Quote | None:
    if wanted.quote_id is None:
        if policy.sends.quotes_required:
            raise Rejected("quote_id is required for this asset")
        if wanted.other_asset not in {None, paid_out_as(policy)}:
            raise Rejected("to exchange one asset for another, quote_id is required")
        return None
    use = Use(
        wanted.quote_id,
        owner,
        FLOW,
        Way.WITHDRAWAL,
        f"stellar:{policy.id}",
        wanted.other_asset,
        wanted.amount,
        rail,
    )
    return quotes.take(use)


def paid_out_as(policy: AssetPolicy) -> str:
    """Return what one of the asset is paid out as where no quote says otherwise (SEP31-13)."""
    is_currency = len(policy.booked_in) == 3 and policy.booked_in.isupper()
    return f"iso4217:{policy.booked_in}" if is_currency else f"stellar:{policy.id}"


def _details(
    policy: AssetPolicy, rail: str, wanted: Wanted, customers: Mapping[str, Known]
) -> dict[str, str]:
    """Return what the rail has to know; whatever the receiver is asked for may come later."""
    receiver = customers[wanted.receiver_id] if wanted.receiver_id is not None else None
    known = send_customers.details_of(rail, wanted.details, receiver)
    missing = {
        each.name: each.description or each.label
        for each in send_customers.asked_of_sender(policy, rail)
        if not each.optional and each.name not in known
    }
    if missing:
        raise TransactionInfoNeeded(missing)
    return known


def _tell_where(row: Transaction) -> Memo | None:
    """Give a send what its payer pays under: a memo on the ledger, or a reference by rail."""
    if row.settlement == "rail":
        references.issue(row)
        return None
    policy = settings().asset_by_id(row.asset)
    if policy is None:
        raise Rejected("this asset is not offered any more")
    return memos.issue(policy.distribution, row.id)


def _wait(
    row: Transaction, policy: AssetPolicy, needed: Sequence[Party], known: Mapping[str, Known]
) -> None:
    """Let a send wait until its customers are accepted, or refuse it as the policy says."""
    networks.receiving(policy.distribution)  # nobody waits for what cannot be told
    worst = send_customers.worst(send_customers.judged(row, needed, known))
    assert worst is not None, "they were judged just now"
    if worst.stand is Stand.REJECTED:
        raise Rejected("this customer is not accepted")
    if not policy.sends.waits_for_customers:
        raise CustomerInfoNeeded(worst.type)
    _go_on(row, worst, "opened")


# -- what customers do ----------------------------------------------------------------------


def _customer_stands(customer_id: str, _type: str, _stand: Stand) -> None:
    """Let the sends of a customer who stands otherwise go on, or not at all (SEP12-48)."""
    for row in send_customers.sends_of(customer_id):
        _go_on(row, send_customers.worst(send_customers.look(row)), "customer")


def _go_on(row: Transaction, worst: Found | None, what: str) -> None:
    """Move a locked send that waits as its customers stand now; `worst` None: all accepted."""
    is_asked = row.status == Status.PENDING_CUSTOMER_INFO_UPDATE
    is_told = _is_told(row)
    stand = worst.stand if worst else Stand.ACCEPTED
    event: Event | None = None
    columns: dict[str, Any] = {}
    if stand is Stand.REJECTED:
        event = Event.CUSTOMER_REJECTED if is_asked else None if is_told else Event.FAILED
        columns = {"message": worst.message if worst else None}
    elif stand is Stand.NEEDS_INFO:
        event = None if is_asked or is_told else Event.CUSTOMER_INFO_NEEDED
    elif stand is Stand.PROCESSING:
        event = Event.CUSTOMER_INFO_GIVEN if is_asked else None
    elif is_asked or not is_told:
        event = Event.CUSTOMER_ACCEPTED if is_asked else Event.DETAILS_GIVEN
        columns = _accepted(row)
    if event is not None:
        happened(Happening(row.id, event, f"{what} {row.version}", columns=columns))
        if event is Event.CUSTOMER_REJECTED and row.amount_received:
            _tell_desk(row, "customer_rejected")


def _is_told(row: Transaction) -> bool:
    """Tell whether a send was given what it is paid under: then money may be on its way."""
    memo = select(Memo.id).where(Memo.transaction_id == row.id)
    return row.reference is not None or db.session.scalar(memo) is not None


def _accepted(row: Transaction) -> dict[str, Any]:
    """Return the columns of a send whose customers are accepted: it may be paid from now on."""
    policy = settings().asset_by_id(row.asset)
    if policy is None:
        return {}
    columns: dict[str, Any] = {"message": None}
    if not _is_told(row):
        _tell_where(row)
        if row.quote_id is None:
            columns["deadline_at"] = utcnow() + timedelta(days=settings().transfer_days)
    return columns


def _tell_desk(row: Transaction, reason: str) -> None:
    cases.open_case(
        reason,
        f"{row.id}/{row.version}",
        note="its money is in, and a customer of it is not accepted",
        transaction_id=row.id,
        asset=row.received_as,
        amount_owed=row.amount_received - row.amount_paid - row.amount_refunded,
    )


def before_payout(row: Transaction) -> Stand:
    """Return whether a locked transaction may be paid out now: only where it is ACCEPTED.

    What is no send always may. A send whose customers are not accepted any more asks for them
    again. One that may go is paid as its receiver says by now; raises `Rejected` where that is
    not written as the rail wants it. Needs an open transaction.
    """
    if row.kind != Kind.SEND:
        return Stand.ACCEPTED
    worst = send_customers.worst(send_customers.look(row))
    if worst is None:
        receiver = known_customers.read(row.receiver_id) if row.receiver_id else None
        known = send_customers.details_of(row.rail, row.details, receiver)
        row.details = dict(row.details) | known
        return Stand.ACCEPTED
    if worst.stand is not Stand.PROCESSING:
        happened(Happening(row.id, Event.CUSTOMER_INFO_NEEDED, f"payout {row.version}"))
        if worst.stand is Stand.REJECTED:
            _go_on(row, worst, "payout")
        else:
            _tell_desk(row, "customer_info_needed")
    return worst.stand


customer_waits.follow(_customer_stands)


# -- what the sending anchor does afterwards ------------------------------------------------


def find(owner: Owner, transaction_id: str) -> View:
    """Return the owner's send; `NotFound` for what is unknown, another's, or no send."""
    return views.find(owner, FLOW, transaction_id=transaction_id)


@atomic
def give_info(owner: Owner, transaction_id: str, given: Mapping[str, str]) -> None:
    """Correct the details that the rail asked for again (SEP31-60).

    Raises `NotFound`, or `Rejected` where nothing is asked, or something is missing or wrong.
    """
    row = _hold(owner, transaction_id)
    if row.status != Status.PENDING_TRANSACTION_INFO_UPDATE:
        raise Rejected("nothing is asked of this transaction")
    asked = {each.name: each for each in details.asked(house().rails[row.rail], Kind.SEND)}
    wanted = [asked[name] for name in row.required_info or {} if name in asked]
    unknown = sorted(given.keys() - asked.keys())
    if unknown:
        raise Rejected("{field} is not asked for", field=unknown[0])
    named = {each.name: each for each in wanted} | {name: asked[name] for name in given}
    values, problems = details.read(list(named.values()), given)
    if problems:
        raise next(iter(problems.values()))
    columns = {"details": dict(row.details) | values, "required_info": None, "message": None}
    cause = f"patch {row.version}"
    happened(Happening(row.id, Event.TRANSACTION_INFO_GIVEN, cause, columns=columns))


@atomic
def call_back(owner: Owner, transaction_id: str, url: str) -> None:
    """Have each change of status told at `url`, which was checked, from now on (SEP31-61)."""
    _hold(owner, transaction_id).callback_url = url


def _hold(owner: Owner, transaction_id: str) -> Transaction:
    row = db.session.get(Transaction, transaction_id, with_for_update=True, populate_existing=True)
    if row is None or row.kind != Kind.SEND or owner_of(row) != owner:
        raise NotFound("there is no such transaction")
    return row

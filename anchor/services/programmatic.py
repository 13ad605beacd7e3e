"""Deposits and withdrawals without a page: opened in one request, as complete as their customer.

One that knows all it needs waits for its money at once; another waits for its customer first,
and goes on by itself in the commit in which the customer is accepted. From then on it lives as
one that was opened on a page: with the same memos, references, quotes, payouts and refunds.

The crash windows, and what is found afterwards:

1. before the commit of opening: nothing was opened, and no quote is used up;
2. after it, before the answer: the transaction stands in its owner's list, with its memo or
   reference, or waiting for its customer. Asked again a second one is opened (on a quote:
   refused), and the one that nobody pays expires;
3. a customer is accepted and their transactions go on in one commit, or neither; one that
   cannot at that moment has a job in the same commit, which tries again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from anchor.clock import utcnow
from anchor.config.customers import transfer_types
from anchor.customers.rules import Need
from anchor.customers.standing import Stand
from anchor.errors import Forbidden, Rejected, Unavailable
from anchor.extensions import atomic, db, settings
from anchor.integrations.rates import Way
from anchor.lifecycle import DEPOSITS, WITHDRAWALS, Event, Status
from anchor.models import Customer, Memo, Transaction
from anchor.policies import AssetPolicy
from anchor.services import (
    cases,
    customer_standings,
    customer_waits,
    customers,
    deposits,
    jobs,
    known_customers,
    memos,
    opening,
    quotes,
    rail_needs,
    references,
    withdrawals,
)
from anchor.services.customer_standings import CustomerView
from anchor.services.deposits import Destination
from anchor.services.known_customers import Known
from anchor.services.quotes import Use
from anchor.services.rail_needs import FLOW
from anchor.services.transactions import Happening, Owner, goes_on, happened, owner_of
from anchor.services.views import View

BRING_ON = "bring_on_transaction"
_LANE, _LEASE_S, _CEILING = "customers", 60, 4
_moving: ContextVar[bool] = ContextVar("moving", default=False)


@dataclass(frozen=True)
class Wanted:
    """What a wallet asks for: `amount` stroops of what its customer pays, by `rail`.

    None is left out. `other_asset` is the one outside the ledger, where it is another one.
    `customer_id` names another customer of the owner's, `details` are known beside the
    customer's own, and `columns` are whatever else is kept of the transaction.
    """

    rail: str
    amount: int | None = None
    quote_id: str | None = None
    other_asset: str | None = None
    customer_id: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)


def open_deposit(
    owner: Owner, policy: AssetPolicy, target: Destination, wanted: Wanted, *, balances: bool
) -> View:
    """Open a deposit to `target` and return it; `balances`: claimable ones are taken.

    Raises `Rejected` for whatever cannot be (SEP6-20, SEP6-21, SEP6-50, SEP6-51), `Forbidden`
    for a customer who was refused, and `Unavailable` where the ledger does not say whether the
    account is there.
    """
    deposits.check_is_payable(policy, target, takes_claimable_balance=balances)
    columns = {
        "destination": target.address,
        "destination_memo_type": target.memo_type,
        "destination_memo": target.memo,
        "takes_claimable_balance": balances and not target.is_contract,
    }
    return _open(Way.DEPOSIT, owner, policy, wanted, columns)


def open_withdrawal(owner: Owner, policy: AssetPolicy, from_account: str, wanted: Wanted) -> View:
    """Open a withdrawal that `from_account` means to pay, and return it.

    Raises as `open_deposit` does; `Unavailable` while the anchor does not follow its network.
    """
    withdrawals.check_payer(policy, from_account, wanted.columns.get("refund_memo"))
    return _open(Way.WITHDRAWAL, owner, policy, wanted, {"from_account": from_account})


@atomic
def _open(
    way: Way, owner: Owner, policy: AssetPolicy, wanted: Wanted, columns: Mapping[str, Any]
) -> View:
    customer = customers.hold_named(owner, wanted.customer_id)
    quote = None
    if wanted.quote_id is not None:
        asset = f"stellar:{policy.id}"
        quote = quotes.take(
            Use(
                wanted.quote_id,
                owner,
                FLOW,
                way,
                asset,
                wanted.other_asset,
                wanted.amount,
                wanted.rail,
            )
        )
    plain, exchange = DEPOSITS if way is Way.DEPOSIT else WITHDRAWALS
    row = opening.begin(
        exchange if quote else plain,
        owner,
        policy,
        flow=FLOW,
        rail=wanted.rail,
        amount=wanted.amount,
        quote=quote,
        customer_id=wanted.customer_id,
        details=dict(wanted.details),
        **columns,
        **wanted.columns,
    )
    return View(row, _begin(row, customer), quote=quote)


def _begin(row: Transaction, customer: Customer | None) -> Memo | None:
    """Let a transaction that was stored just now wait for its money, or for its customer.

    Returns the memo that it is to be paid under.
    """
    known = _known(customer)
    view = _standing(row, customer, known)
    if view.stand is Stand.REJECTED:
        raise Forbidden("this customer is not accepted")
    cause = f"request {row.id}"
    if view.stand is Stand.ACCEPTED:
        ready, memo = _ready(row, known)
        goes_on(row, Happening(row.id, Event.DETAILS_GIVEN, cause, columns=ready))
        return memo
    columns = {}
    if row.quote_id is None:
        columns["deadline_at"] = utcnow() + timedelta(days=settings().transfer_days)
    goes_on(row, Happening(row.id, Event.CUSTOMER_INFO_NEEDED, cause, columns=columns))
    return None


def _ready(row: Transaction, known: Known | None) -> tuple[dict[str, Any], Memo | None]:
    """Give a locked transaction what it is paid under; return its columns from now on, its memo.

    Raises `Rejected` where it is not offered any more or its quote has run out.
    """
    policy = settings().asset_by_id(row.asset)
    if policy is None or not opening.flow_of(policy, row.kind).enabled:
        raise Rejected("this asset is not offered any more")
    if row.rail not in policy.rails:
        raise Rejected("this way to pay is not offered")
    details = dict(row.details) | rail_needs.given(row, known)
    columns = opening.completed(row, policy, row.amount_expected, row.rail, details)
    if row.kind in DEPOSITS:
        references.issue(row)
        return columns, None
    return columns, memos.issue(policy.distribution, row.id)


# -- whose it is, and how they stand ---------------------------------------------------------


def type_of(kind: str) -> str:
    """Return the type of customer that transactions of a kind ask for (SEP12-21)."""
    known = customers.plugin().types()
    for name in transfer_types(kind):
        if name in known:
            return name
    return settings().customers.default_type or known[0]


def _known(customer: Customer | None) -> Known | None:
    return known_customers.read(customer.id) if customer else None


def _standing(row: Transaction, customer: Customer | None, known: Known | None) -> CustomerView:
    """Return how a locked customer stands for a transaction, judged where that can be done now."""
    about = customer_standings.occasion_on(type_of(row.kind), row)
    view = customer_standings.view_of(known, about, rail_needs.asked_for(row))
    if customer is None and not _is_wanted(view.missing):
        customer = customers.hold_or_make(customers.target_of(owner_of(row), row.customer_id))
        view = customer_standings.look(customer.id, about)
    if customer is not None and view.stand is Stand.PROCESSING:
        return customer_standings.settle(customer, about)
    return view


def _is_wanted(missing: tuple[Need, ...]) -> bool:
    return any(not need.optional for need in missing)


@contextmanager
def _moved() -> Iterator[None]:
    """Keep what is told meanwhile from moving anything: whoever began this does it."""
    token = _moving.set(True)
    try:
        yield
    finally:
        _moving.reset(token)


# -- going on --------------------------------------------------------------------------------


def _customer_stands(customer_id: str, _type: str, _stand: Stand) -> None:
    """Let what waits for a locked customer go on, each as they stand for it (SEP12-48).

    How they stand in general is not asked: each transaction may need more, or less.
    """
    if _moving.get():
        return
    customer = db.session.get(Customer, customer_id)
    if customer is None or customer.owner_account is None:
        return
    with _moved():
        for row in _waiting(customer):
            try:
                _bring_on(row, customer)
            except (Rejected, Unavailable):
                jobs.ensure([(jobs.Address(BRING_ON, row.id), _LANE)])


def _waiting(customer: Customer) -> list[Transaction]:
    rows = db.session.scalars(_WAITING, {"account": customer.owner_account})
    return [row for row in rows if _is_of(row, customer)]


_WAITING = (
    select(Transaction)
    .where(
        Transaction.status == Status.PENDING_CUSTOMER_INFO_UPDATE,
        Transaction.flow == FLOW,
        Transaction.owner_account == bindparam("account"),
    )
    .order_by(Transaction.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)


def _is_of(row: Transaction, customer: Customer) -> bool:
    if row.customer_id is not None:
        return row.customer_id == customer.id
    own = customers.target_of(owner_of(row), None).identity
    return (own.memo_type, own.memo) == (customer.memo_type, customer.memo)


def _bring_on(row: Transaction, customer: Customer | None) -> None:
    """Move a locked transaction that waits for its customer, as they stand now.

    Raises as `_ready` does, having changed nothing.
    """
    known = _known(customer)
    view = _standing(row, customer, known)
    cause = f"customer {row.version}"
    if view.stand is Stand.REJECTED:
        columns = {"message": view.message}
        happened(Happening(row.id, Event.CUSTOMER_REJECTED, cause, columns=columns))
        _tell_desk(row)
    elif view.stand is Stand.ACCEPTED and not _is_over(row):
        ready = {} if row.amount_received else _ready(row, known)[0]
        happened(Happening(row.id, Event.CUSTOMER_ACCEPTED, cause, columns=ready))


def _is_over(row: Transaction) -> bool:
    """Tell whether its time is over: then it expires, and nobody is told to pay it."""
    now = db.session.execute(select(func.clock_timestamp())).scalar_one()
    return not row.amount_received and row.deadline_at is not None and row.deadline_at <= now


def _tell_desk(row: Transaction) -> None:
    """Open a case where the money of somebody who was refused is in."""
    if row.amount_received:
        cases.open_case(
            "customer_rejected",
            f"{row.id}/{row.version}",
            note="its money is in, and its customer was refused",
            transaction_id=row.id,
            asset=row.received_as,
            amount_owed=row.amount_received - row.amount_paid - row.amount_refunded,
        )


def bring_on(claimed: jobs.Claim) -> None:
    """Let one transaction go on that could not when its customer was accepted; the job `BRING_ON`.

    Raises `Unavailable` to be tried again, and `Rejected` where a person has to look.
    """
    _try_again(claimed)


@atomic
def _try_again(claimed: jobs.Claim) -> None:
    jobs.hold(claimed)
    seen = db.session.get(Transaction, claimed.subject_id, populate_existing=True)
    if seen is None:
        return
    # Whoever locks both locks the customer first.
    customer = customers.hold_named(owner_of(seen), seen.customer_id)
    row = db.session.get_one(Transaction, seen.id, with_for_update=True, populate_existing=True)
    if row.status == Status.PENDING_CUSTOMER_INFO_UPDATE:
        with _moved():
            _bring_on(row, customer)


customer_waits.follow(_customer_stands)
jobs.declare(
    BRING_ON,
    jobs.Work(bring_on, lambda _lane: _LEASE_S, lambda _lane: _CEILING, is_of_transaction=True),
)

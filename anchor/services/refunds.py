"""Sending money back to who paid it: once, and never more than came (promises 5 and 14).

A refund is an outflow like any other. On the ledger it travels in a submission, at a bank the
rail carries it out; its end is in `anchor.services.refund_ends`. A contract that paid is paid
back by a call of the asset's contract, without a memo: where one would have to travel, a person
decides.

The crash windows, and what is found afterwards:

1. before the outflow is committed: nothing happened; whoever asked asks again;
2. after it: an open outflow with its key and the job that brings it on, owed in the same
   commit. From there on the windows are those of a submission or of a payout. Whoever asks
   again under the key of the act (`anchor.services.acts`) is told of that very refund.
"""

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, select

from anchor.errors import Rejected
from anchor.extensions import atomic, contracts, db, gateway, settings
from anchor.fees import FeeSchedule, Split, split
from anchor.ledger import destinations
from anchor.lifecycle import Event, Kind
from anchor.matching import Verdict
from anchor.models import OUTFLOW_OPEN, Act, Case, Memo, Outflow, Payment, Transaction
from anchor.models.columns import MEMO_TYPES
from anchor.money import format_amount
from anchor.policies import HOUSE, AssetPolicy
from anchor.services import (
    acts,
    arrivals,
    bookings,
    custodians,
    jobs,
    networks,
    order_ends,
    own_accounts,
    rails,
    refund_ends,
)
from anchor.services.acts import By
from anchor.services.arrivals import Arrival
from anchor.services.deposit_payments import DRIVE, lane_of
from anchor.services.payouts import REFUND
from anchor.services.transactions import Happening, can_have, happened

_UNBOOKED = frozenset({Verdict.HISTORY, Verdict.UNREADABLE, Verdict.UNJUDGED})


@dataclass(frozen=True)
class Order:
    """What somebody decided: send back `gross` stroops of what came (None: all that is left).

    `who` decided it, and `note` says why; `case_id` is the case that it answers, which has to
    be open, and `verdict` the one that it is about where that counts. `without_fee` keeps
    nothing of it; `by_hand` says that it was sent outside, and only writes it down. Under a `key`
    it is done once; it is then held to `meant` (`anchor.services.acts`).
    """

    cause: str
    gross: int | None
    who: str
    note: str | None = None
    case_id: int | None = None
    verdict: str | None = None
    without_fee: bool = False
    by_hand: bool = False
    to_contract: str | None = None
    key: str | None = None
    meant: str = ""

    @property
    def by(self) -> By:
        """Who acts."""
        return By(self.who, self.note, self.key)


@dataclass(frozen=True)
class Begun:
    """A refund that is on its way: `amount` stroops to the payer, and the fee that was kept."""

    key: str
    amount: int
    fee: int


def begin(order: Order) -> Begun:
    """Send money back, or raise `Rejected` with the reason why not; then nothing was written.

    Raises `Unavailable` where the ledger cannot be asked whether the payer can take it.
    """
    arrival = arrivals.find(order.cause)
    _demand_refundable(arrival)
    if order.by_hand or arrival.rail == HOUSE:  # what was the house's own never left it
        return _open(replace(order, by_hand=True))
    if arrival.is_from_contract:
        _demand_contract(arrival.payer or "", order.to_contract, has_memo=_has_memo(arrival))
    elif arrival.rail is None:
        _demand_taker(arrival, order.gross or arrival.left, _has_memo(arrival))
    elif not rails.find(arrival.rail).traits.can_refund:
        raise Rejected(f"the rail {arrival.rail} sends nothing back by itself")
    return _open(order)


@atomic
def begun_by(act: Act) -> Begun:
    """Return the refund that an act began."""
    outflow = db.session.get_one(Outflow, act.outflow_id)
    return Begun(outflow.key, outflow.amount, outflow.amount_fee)


def of_transaction(transaction_id: str) -> Arrival:
    """Return the one arrival that credited a transaction.

    Raises `Rejected` where it was none or several: then one of them is to be named.
    """
    found = arrivals.of_transaction(transaction_id)
    if not found:
        raise Rejected(f"nothing was credited to {transaction_id}")
    if len(found) > 1:
        names = "; ".join(f"{each.cause} ({format_amount(each.left)} left)" for each in found)
        raise Rejected(f"several payments were credited, so name one: {names}")
    return found[0]


def _demand_refundable(arrival: Arrival) -> None:
    if arrival.verdict in _UNBOOKED:
        raise Rejected(f"{arrival.cause} is {arrival.verdict}: it stands in no book of ours")
    if arrival.verdict == Verdict.RETURNED:
        raise Rejected(f"{arrival.cause} came back to us: refund what paid for the remittance")
    if arrival.is_gone:
        raise Rejected(f"the bank took {arrival.cause} back itself")
    if arrival.left <= 0:
        raise Rejected(f"all of {arrival.cause} was sent back, or is on its way")
    if arrival.network_id is not None and arrival.network_id != networks.current_id():
        raise Rejected(f"{arrival.cause} came on a network that is gone")


def _demand_unanswered(order: Order) -> None:
    """Refuse what a person has answered otherwise. Needs an open transaction."""
    if order.case_id is not None:
        case = db.session.get(Case, order.case_id, with_for_update=True, populate_existing=True)
        if case is None or case.closed_at is not None:
            raise Rejected(f"case {order.case_id} is closed")
    demand_unanswered(order.cause)


def demand_unanswered(cause: str) -> None:
    """Refuse to move money of which a person closed a case: it was answered otherwise.

    Needs an open transaction.
    """
    closed = (
        select(Case.id)
        .join(Act, Act.case_id == Case.id)
        .where(Case.cause == cause, Act.what == "close")
    )
    answered = db.session.scalar(closed.limit(1))
    if answered is not None:
        raise Rejected(f"case {answered} about it was closed as answered otherwise")


def _demand_taker(arrival: Arrival, gross: int, has_memo: bool) -> None:
    """Make sure that the payer is a customer's account which can take the money now."""
    if arrival.payer is None:
        raise Rejected(f"the ledger does not say who paid {arrival.cause}")
    account_id = destinations.base_account(arrival.payer)
    if is_ours(account_id):
        raise Rejected(f"{account_id} is an account of ours")
    account = gateway().account(account_id)
    room = destinations.room_for(account, arrival.asset, gross)
    if account is None or room != destinations.READY:
        raise Rejected(f"{account_id} cannot take it back now ({destinations.CODES[room]})")
    muxed = arrival.payer.startswith("M")
    if destinations.memo_required(account) and not has_memo and not muxed:
        raise Rejected(f"{account_id} asks for a memo (SEP-29), and we were given none")


def _demand_contract(contract_id: str, named: str | None, *, has_memo: bool) -> None:
    """Make sure that the contract which paid is somebody's, and that no memo has to reach it.

    The ledger says which contract gave the money. That may be a pool through which a customer
    changed it on its way, or a vault: what is paid back to such a one may be lost for ever.
    """
    why_not = custodians.why_no_contract()
    if why_not is not None:
        raise Rejected(why_not)
    if has_memo:
        raise Rejected(
            f"the refund is to carry a memo, and to the contract {contract_id} none can travel"
        )
    if contract_id != named and not _has_logged_in(contract_id):
        raise Rejected(
            f"{contract_id} paid it, a contract that never logged in here and may be a pool: where "
            f"you know that it is the payer's own account, say --to-contract {contract_id}"
        )
    if contracts().instance(contract_id) is None:
        raise Rejected(f"the contract {contract_id} is not on the ledger, or it is archived")


@atomic
def _has_logged_in(contract_id: str) -> bool:
    """Tell whether a contract account is a customer's that opened something here (SEP-45)."""
    query = select(Transaction.id).where(Transaction.owner_account == contract_id).limit(1)
    return db.session.scalar(query) is not None


@atomic
def is_ours(account_id: str) -> bool:
    """Tell whether an account is the anchor's: to it nothing is ever sent back."""
    return account_id in own_accounts.known()


@atomic
def _has_memo(arrival: Arrival) -> bool:
    if arrival.transaction_id is None:
        return False
    row = db.session.get_one(Transaction, arrival.transaction_id)
    return row.refund_memo is not None or row.kind == Kind.SEND


@atomic
def _open(order: Order) -> Begun:
    """Open the outflow under the locks of the transaction and of what came."""
    if (known := acts.done_before(order.by, order.meant)) is not None:
        return begun_by(known)
    row = _locked_transaction(arrivals.find(order.cause).transaction_id)
    arrival = arrivals.lock(order.cause)
    if arrival.transaction_id != (row.id if row else None):
        raise Rejected(f"{order.cause} was credited at this moment; look at it again")
    if order.verdict not in {None, arrival.verdict}:
        raise Rejected(f"{order.cause} is {arrival.verdict} by now")
    _demand_unanswered(order)
    _demand_refundable(arrival)
    most = arrival.left
    if row is not None:
        order_ends.withdraw([row.id], "it is sent back instead")
        _demand_nothing_open(row)
        most = min(most, row.amount_received - row.amount_paid - row.amount_refunded)
    gross = part_of(most, order.gross)
    parts = parts_of(arrival, gross, without_fee=order.without_fee or order.by_hand)
    outflow = _outflow(arrival, row, parts)
    db.session.add(outflow)
    db.session.flush()
    bookings.outflow_opened(outflow)
    if row is not None:
        _stop(row, outflow)
    if order.by_hand:
        _done_by_hand(outflow, order)
    else:
        _owe(outflow)
    acts.write(
        "refund by hand" if order.by_hand else "refund",
        order.by,
        order.meant,
        case_id=order.case_id,
        transaction_id=outflow.transaction_id,
        outflow_id=outflow.id,
    )
    return Begun(outflow.key, outflow.amount, outflow.amount_fee)


def _locked_transaction(transaction_id: str | None) -> Transaction | None:
    if transaction_id is None:
        return None
    return db.session.scalars(
        select(Transaction)
        .where(Transaction.id == transaction_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _demand_nothing_open(row: Transaction) -> None:
    going = select(Outflow.key).where(
        Outflow.transaction_id == row.id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    key = db.session.scalar(going)
    if key is not None:
        raise Rejected(f"{key} is on its way, and nothing else goes out until its end is known")


def _done_by_hand(refund: Outflow, order: Order) -> None:
    """Write down that it was sent outside: no rail and no ledger is asked."""
    refund.state, refund.settled_at = "done", func.now()
    refund.reference = order.note
    if refund.rail is None:
        bookings.ledger_payment_done(refund)
    else:
        bookings.rail_payment_done(refund)
    refund_ends.done([refund])


def part_of(most: int, gross: int | None) -> int:
    """Return how much of `most` stroops goes back, fee included; all of it for None."""
    wanted = most if gross is None else gross
    if not 0 < wanted <= most:
        raise Rejected(f"no more than {format_amount(most)} can be sent back")
    return wanted


def parts_of(arrival: Arrival, gross: int, *, without_fee: bool = False) -> Split:
    """Return what a refund of `gross` stroops comes to, with the fee that the policy keeps.

    Raises `Rejected` where the fee leaves nothing to send back.
    """
    policy = settings().asset_by_id(arrival.asset)
    fee = policy.refund.fee if policy and not without_fee else 0
    decimals = 7 if arrival.rail is None or without_fee else _decimals(policy, arrival)
    return split(gross, FeeSchedule(fee), decimals)


def _decimals(policy: AssetPolicy | None, arrival: Arrival) -> int:
    """Return what the rail can pay; of a currency of several assets, what the finest has."""
    if policy is not None:
        return policy.decimals
    served = settings().assets.values()
    currency = arrival.asset.removeprefix("rail:")
    offchain = settings().quotes.offchain.get(f"iso4217:{currency}")
    finest = [each.decimals for each in served if each.booked_in == currency]
    return max([*finest, *([offchain.decimals] if offchain else [])], default=2)


def _outflow(arrival: Arrival, row: Transaction | None, parts: Split) -> Outflow:
    outflow = Outflow(
        kind="refund",
        state="prepared",
        asset=arrival.asset,
        amount=parts.amount_out,
        amount_fee=parts.amount_fee,
        transaction_id=row.id if row else None,
    )
    what: ColumnElement[bool]
    if arrival.rail is None:
        outflow.payment_id, outflow.form = arrival.row_id, "payment"
        outflow.source, outflow.destination = arrival.account, arrival.payer
        if row is not None and (arrival.payer or "").startswith("G"):
            outflow.memo_type, outflow.memo = _memo_for(row, arrival)
        outflow.is_alone = outflow.memo is not None or outflow.calls_contract
        what = Outflow.payment_id == arrival.row_id
    else:
        outflow.receipt_id, outflow.rail = arrival.row_id, arrival.rail
        what = Outflow.receipt_id == arrival.row_id
    if row is not None:
        what = Outflow.transaction_id == row.id
    latest = db.session.scalar(select(func.max(Outflow.attempt)).where(what))
    outflow.attempt = 1 + (latest or 0)
    name = row.id if row else arrivals.key_of(arrival.cause)
    outflow.key = f"{name}-{outflow.attempt}"
    return outflow


def _memo_for(row: Transaction, arrival: Arrival) -> tuple[str | None, str | None]:
    """Return the memo of a refund: the one that was asked for, else that of the payment itself.

    So SEP6-41 and SEP24-31 have it; what asks for memos is not content with our own (SEP-29).
    A sending anchor tells its customers' refunds apart by the one that we issued (SEP31-45).
    """
    if row.refund_memo is not None:
        return row.refund_memo_type, row.refund_memo
    if row.kind == Kind.SEND:
        issued = select(Memo.memo_type, Memo.memo).where(Memo.transaction_id == row.id)
        found = db.session.execute(issued).one_or_none()
        return (found[0], found[1]) if found else (None, None)
    paid = db.session.get_one(Payment, arrival.row_id)
    return (paid.memo_type, paid.memo) if paid.memo_type in MEMO_TYPES else (None, None)


def _stop(row: Transaction, refund: Outflow) -> None:
    """Let nothing else go out for the transaction until a person says so."""
    by_rail = refund.rail is not None
    event = Event.HELD if by_rail and row.kind == Kind.SEND else Event.REFUND_SENT
    if can_have(row, event):
        happened(Happening(row.id, event, refund.key))


def _owe(refund: Outflow) -> None:
    if refund.rail is None:
        assert refund.source is not None
        jobs.renew(jobs.Address(DRIVE, refund.source), lane_of(refund.source))
    else:
        jobs.ensure([(jobs.Address(REFUND, str(refund.id)), refund.rail)])


@atomic
def owe_refunds() -> None:
    """Owe the job of each refund by rail that is not finally known: a sweep's first half."""
    query = select(Outflow.id, Outflow.rail).where(
        Outflow.kind == "refund",
        Outflow.rail.is_not(None),
        Outflow.state.in_(("prepared", "unknown")),
    )
    found = db.session.execute(query).all()
    jobs.ensure((jobs.Address(REFUND, str(each.id)), each.rail or "") for each in found)

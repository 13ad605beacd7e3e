"""Bringing a remittance on: agreeing with the other anchor, then paying it (ADR 026).

The crash windows, and what the next claim of the job finds:

1. before the transaction there is asked for: customers may stand there; they are given again under
   the same memos, which changes nothing;
2. after the other anchor made the transaction, before our commit: nothing is stored of it. A new
   one is asked for, and the forgotten one ends unpaid, for only a stored one is ever paid;
3. after that commit, before the outflow's: account and memo are stored. It is asked once more
   whether that transaction still waits for just this payment; then the outflow is opened;
4. from the outflow's commit on: the windows of a submission (`anchor.services.submissions`).
   A remittance with an open outflow, or one that is paid, is left alone.

What the other anchor refuses, or tells otherwise than what was stored, is a person's.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select

from anchor.assets import is_contracts
from anchor.clock import utcnow
from anchor.errors import AnchorError, Rejected, Unavailable
from anchor.extensions import atomic, db, gateway, settings
from anchor.ledger import destinations
from anchor.ledger.destinations import base_account
from anchor.lifecycle import Event, Status
from anchor.models import OUTFLOW_OPEN, Memo, Outflow, Remittance, Transaction
from anchor.money import format_amount
from anchor.policies import AssetPolicy
from anchor.services import (
    cases,
    deposit_payments,
    deposits,
    jobs,
    other_anchors,
    outflows,
    own_accounts,
    remittance_orders,
    remittances,
)
from anchor.services.delivering import Plan
from anchor.services.deposit_payments import Decided
from anchor.services.other_anchors import Client, Promise, Told
from anchor.services.remittance_orders import Wanted
from anchor.services.transactions import (
    REMIT,
    Happening,
    happened,
    next_job_kind,
)

#: Outlives one question to the other anchor, or to the ledger, and what is written after it.
LEASE_S = other_anchors.TIMEOUT_S + 50
#: So many hands ask one anchor at once.
CEILING = 2
#: A payment may take so much longer than its time bound: a quote has to hold that long.
_SLACK_S = 30
#: What another anchor says of a transaction that waits for our payment, …
WAITS = "pending_sender"
#: … that waits for what we have to tell, …
ASKS = frozenset({"pending_customer_info_update", "pending_transaction_info_update"})
#: … and that comes to nothing.
OVER = frozenset({"completed", "refunded", "expired", "error"})
_LONGEST_S = 6 * 3600
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Task:
    """A remittance that is to be brought on, as it stood when its job was claimed.

    `amount` is what is with us for it, in stroops; `remote_id` and what follows is what was
    agreed and stored.
    """

    id: str
    version: int
    policy: AssetPolicy
    amount: int
    wanted: Wanted = field(repr=False)
    refund_memo: str = ""
    funded_at: datetime | None = None
    remote_id: str | None = None
    agreed: int | None = None
    destination: tuple[str | None, str | None, str | None] = (None, None, None)
    quote_expires_at: datetime | None = None


def bring_on(claimed: jobs.Claim) -> None:
    """Agree on a remittance, or pay what was agreed; the job `REMIT`.

    Raises `Unavailable` and `jobs.Later` where it has to wait; what is refused is held.
    """
    task = _read(claimed)
    if task is None:
        return
    try:
        client = greet(claimed, task.wanted.domain, task.policy)
        if task.remote_id is None:
            task = _agree(claimed, task, client)
        _pay(claimed, task, client)
    except (Unavailable, jobs.Later) as error:
        _tell_of_long_one(task, str(error))
        raise
    except AnchorError as refusal:
        _hold(claimed, task, str(refusal))


@atomic
def _read(claimed: jobs.Claim) -> Task | None:
    jobs.hold(claimed)
    row, known = remittances.locked(claimed.subject_id)
    if next_job_kind(row) != REMIT or outflows.has_open(row.id):
        return None
    policy = deposit_payments.policy_of(row.asset)
    amount = row.amount_received - row.amount_refunded
    try:
        if row.amount_paid:
            raise Rejected("a part of it is with the other anchor; refund what came back")
        remittances.demand_room(remittance_orders.partner(known.domain), policy, amount, row.id)
        details = remittances.unseal(known)
    except Rejected as refusal:
        _rest(row, known, str(refusal))
        return None
    memo = select(Memo.memo).where(Memo.transaction_id == row.id)
    return Task(
        id=row.id,
        version=row.version,
        policy=policy,
        amount=amount,
        wanted=Wanted(
            domain=known.domain,
            amount=amount,
            rail=row.rail,
            details=details,
            funding_method=known.funding_method,
            sender_type=known.sender_type,
            receiver_type=known.receiver_type,
            buys=known.buys,
            least_out=known.least_out,
        ),
        refund_memo=db.session.scalars(memo).one(),
        funded_at=row.funded_at,
        remote_id=known.remote_id,
        agreed=known.agreed,
        destination=(row.destination, row.destination_memo_type, row.destination_memo),
        quote_expires_at=known.quote_expires_at,
    )


def greet(claimed: jobs.Claim, domain: str, policy: AssetPolicy) -> Client:
    """Return a client that is logged in at an anchor that we send to; it keeps the lease."""
    remittance_orders.partner(domain)
    jobs.extend(claimed)
    client = Client(other_anchors.find(domain, policy), before=lambda: jobs.extend(claimed))
    client.log_in()
    return client


# -- agreeing ---------------------------------------------------------------------------------


def _agree(claimed: jobs.Claim, task: Task, client: Client) -> Task:
    """Make both parties known, have a price promised, and ask for the transaction there."""
    wanted, policy = task.wanted, task.policy
    chosen = remittance_orders.choose(client.terms(policy.code), policy, wanted)
    details = wanted.details
    parties = {}
    for role, type_ in (("sender", chosen.sender_type), ("receiver", chosen.receiver_type)):
        if type_:
            fields = details.get(role, {})
            parties[f"{role}_id"] = client.put_customer(memo_of(task.id, role), type_, fields)
    promise = _promise(task, client, chosen.method)
    more = details.get("transaction", {})
    body = {
        "amount": format_amount(task.amount),
        "asset_code": policy.code,
        "refund_memo_type": "id",
        "refund_memo": task.refund_memo,
        **parties,
        **({"asset_issuer": policy.issuer} if policy.issuer else {}),
        **({"funding_method": chosen.method} if chosen.method else {}),
        **({"destination_asset": wanted.buys} if wanted.buys else {}),
        **({"quote_id": promise.id} if promise else {}),
        **({"fields": {"transaction": dict(more)}} if more else {}),
    }
    told = client.open(body, more)
    _agreed(claimed, task, told, promise)
    again = _read(claimed)
    if again is None:
        raise jobs.Superseded(f"{task.id} was changed while it was agreed on")
    return again


def memo_of(transaction_id: str, role: str) -> str:
    """Return the memo under which a party is made known there: the same whenever it is asked."""
    mark = hashlib.sha256(f"{role} {transaction_id}".encode()).digest()
    return str(int.from_bytes(mark[:8]) >> 1)


def _promise(task: Task, client: Client, method: str) -> Promise | None:
    wanted = task.wanted
    if wanted.buys is None:
        return None
    found = client.quote(task.policy, task.amount, wanted.buys, method or None)
    if found.buy_amount < (wanted.least_out or 0):
        raise Rejected(
            f"for {format_amount(task.amount)} it gives {format_amount(found.buy_amount)} of "
            f"{wanted.buys}, less than the {format_amount(wanted.least_out or 0)} that were wanted"
        )
    if not _holds(found.expires_at):
        raise Rejected("its quotes run out before a payment can be sure to arrive")
    return found


def _holds(expires_at: datetime | None) -> bool:
    soon = utcnow() + timedelta(seconds=settings().time_bound_s + _SLACK_S)
    return expires_at is None or expires_at > soon


@atomic
def _agreed(claimed: jobs.Claim, task: Task, told: Told, promise: Promise | None) -> None:
    """Store what was agreed, before anything of it is paid."""
    row, known = _unchanged(claimed, task)
    known.remote_id, known.agreed = told.id, task.amount
    known.asked_at = func.now()
    if promise is not None:
        known.remote_quote_id, known.quote_expires_at = promise.id, promise.expires_at
    if told.account is not None:
        row.destination, row.destination_memo_type, row.destination_memo = _where(told)


def _where(told: Told) -> tuple[str, str | None, str | None]:
    """Return where it is to be paid: never to an account of ours, never without a memo.

    So never to a contract, which no memo reaches.
    """
    if is_contracts(told.account):
        raise Rejected("it names a contract account, and a remittance is paid to none")
    target = deposits.read_destination(told.account or "", told.memo_type, told.memo)
    if target.account_id in own_accounts.known():
        raise Rejected("it names an account of ours to pay to")
    if target.memo is None and target.address == target.account_id:
        raise Rejected("it names no memo to pay under")
    return target.address, target.memo_type, target.memo


# -- paying -----------------------------------------------------------------------------------


def _pay(claimed: jobs.Claim, task: Task, client: Client) -> None:
    """Queue the payment, once the transaction there waits for just that."""
    assert task.remote_id is not None
    told = client.look(task.remote_id)
    if not _may_be_paid(claimed, task, told):
        return
    address = _stored(claimed, task, told)
    if task.agreed != task.amount or not _holds(task.quote_expires_at):
        _forget(claimed, task)
        raise _later(claimed, "what was agreed does not hold any more: it is agreed anew")
    jobs.extend(claimed)
    account = gateway().account(base_account(address))
    room = destinations.room_for(account, task.policy.id, task.amount)
    plan = Plan("payment")
    if room != destinations.READY:
        why = destinations.CODES[room]
        plan = Plan(held_because=f"the account that the other anchor named cannot take it: {why}")
    decided = Decided(claimed, plan, task.policy, task.version)
    for lost in deposit_payments.carry_out([decided]).values():
        raise lost


def _may_be_paid(claimed: jobs.Claim, task: Task, told: Told) -> bool:
    """Write down how the transaction there stands, and tell whether it waits for our payment."""
    asset = f"stellar:{task.policy.id}"
    if told.asset not in {None, asset} or told.amount not in {None, task.agreed}:
        raise Rejected("it asks for another asset or amount than was agreed")
    if told.status == "expired":
        _forget(claimed, task)
        raise _later(claimed, "the transaction there ran out: it is agreed anew")
    if told.status in OVER:
        raise Rejected(f"its transaction is {told.status}, and was never paid")
    if told.status in ASKS:
        _asked(claimed, task, told)
        return False
    _note(claimed, task, told)
    if told.status != WAITS or told.account is None:
        raise _later(claimed, f"its transaction is {told.status}")
    return True


def _later(claimed: jobs.Claim, why: str) -> jobs.Later:
    return jobs.Later(min(_LONGEST_S, 1 << min(claimed.attempts, 15)), why, counts=True)


def _unchanged(claimed: jobs.Claim, task: Task) -> tuple[Transaction, Remittance]:
    """Lock both rows, or raise `Unavailable` where they are not as they were when it was claimed.

    Needs an open transaction.
    """
    jobs.hold(claimed)
    row, known = remittances.locked(task.id)
    if row.version != task.version or known.remote_id != task.remote_id:
        raise Unavailable(f"{task.id} was changed meanwhile")
    return row, known


@atomic
def _note(claimed: jobs.Claim, task: Task, told: Told) -> None:
    _row, known = _unchanged(claimed, task)
    known.remote_status, known.asked_at = told.status, func.now()


@atomic
def _stored(claimed: jobs.Claim, task: Task, told: Told) -> str:
    """Return the address to pay: the one that is stored, or is now; told otherwise is refused."""
    row, _known = _unchanged(claimed, task)
    where = _where(told)
    if row.destination is None:
        row.destination, row.destination_memo_type, row.destination_memo = where
    elif where != task.destination:
        raise Rejected("it names another account or memo than it did before")
    return where[0]


@atomic
def _asked(claimed: jobs.Claim, task: Task, told: Told) -> None:
    """Let a person give what the other anchor wants to know; meanwhile it is followed."""
    row, known = _unchanged(claimed, task)
    known.remote_status, known.asked_at = told.status, func.now()
    cases.open_case(
        "remittance_needs_information",
        f"{task.id}/{row.version}",
        note="the other anchor asks for more: `flask anchor amend-send`",
        transaction_id=task.id,
        asset=row.asset,
        amount_owed=task.amount,
    )
    happened(Happening(task.id, Event.CUSTOMER_INFO_NEEDED, f"look {row.version}"))


@atomic
def _forget(claimed: jobs.Claim, task: Task) -> None:
    """Forget an agreement of which nothing is paid and nothing is on its way."""
    remittances.forget_agreement(*_unchanged(claimed, task))


@atomic
def _hold(claimed: jobs.Claim, task: Task, reason: str) -> None:
    jobs.hold(claimed)
    row, known = remittances.locked(task.id)
    if next_job_kind(row) == REMIT and not outflows.has_open(row.id):
        _rest(row, known, reason)


def _rest(row: Transaction, known: Remittance, reason: str) -> None:
    """Let a locked remittance, unpaid, rest until a person has looked; then it is agreed anew.

    Needs an open transaction.
    """
    remittances.forget_agreement(row, known)
    cases.open_case(
        "remittance_refused",
        f"{row.id}/{row.version}",
        note=f"{reason}; mend it and `flask anchor release` it, or refund it"[:500],
        transaction_id=row.id,
        asset=row.received_as,
        amount_owed=row.amount_received - row.amount_paid - row.amount_refunded,
    )
    happened(Happening(row.id, Event.HELD, f"refused {row.version}"))


@atomic
def _tell_of_long_one(task: Task, why: str) -> None:
    if task.funded_at is not None and task.funded_at < utcnow() - _PATIENCE:
        cases.open_case(
            "remittance_waits",
            task.id,
            note=f"{why}; it is tried again by itself, or refund it"[:500],
            transaction_id=task.id,
            asset=task.policy.id,
            amount_owed=task.amount,
        )


@atomic
def owe() -> None:
    """Owe the job of each remittance that is to be agreed on or paid: a sweep's first half."""
    going = exists().where(
        Outflow.transaction_id == Transaction.id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    remittances.owe_each(
        REMIT,
        Transaction.status == Status.PENDING_ANCHOR,
        Transaction.funded_at.is_not(None),
        Transaction.is_resting.is_(False),
        ~going,
    )


jobs.declare(
    REMIT, jobs.Work(bring_on, lambda _lane: LEASE_S, lambda _lane: CEILING, is_of_transaction=True)
)

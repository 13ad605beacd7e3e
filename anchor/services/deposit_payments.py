"""Deciding how a deposit reaches its account on the ledger, and queueing its payment.

Many are decided together: their accounts are looked at, then one commit queues them. Whether a
contract account is there is asked of the RPC, by jobs in a lane of their own, so that an RPC that
hangs keeps no other deposit. The crash windows, and what the next claim of each job finds:

1. before that commit: nothing happened; the accounts are looked at anew;
2. after it, before the jobs are let go of: open outflows in the queue of their source account,
   which the job of that queue, owed in the same commit, brings to the ledger
   (`anchor.services.submissions`). A deposit with an open outflow is left alone;
3. after what only prepares the account is in a ledger, in the commit that records it: the deposit
   is looked at anew, by a job owed in that commit and by sweeps. Who was prepared once is not
   again.

A trust line is authorized by the envelope that pays it, never by one of its own: there is no
window between the two.

What cannot be committed is committed in halves: each half is a commit with the same windows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, case, exists, func, select

from anchor.assets import NATIVE, is_contracts
from anchor.errors import Misconfigured, Rejected, Unavailable
from anchor.extensions import atomic, contracts, db, gateway, settings
from anchor.fees import Split, split
from anchor.ledger.destinations import base_account
from anchor.lifecycle import DEPOSITS, Event, Kind, Status
from anchor.models import OUTFLOW_OPEN, PREPARING_FORMS, Job, Outflow, Transaction
from anchor.money import DECIMALS
from anchor.policies import AssetPolicy
from anchor.services import (
    accounts,
    batches,
    bookings,
    cases,
    conversions,
    custodians,
    jobs,
    known_lines,
)
from anchor.services.delivering import Plan, Wanted, choose, choose_for_contract
from anchor.services.transactions import (
    CONTRACTS_LANE,
    LEDGER_LANE,
    PAY_ON_LEDGER,
    Happening,
    any_of,
    happened,
    next_job_kind,
)

#: The job that brings what is queued for one source account to the ledger.
DRIVE = "drive_submissions"
_LEASE_S = 90
_CEILING = 8
#: An RPC that hangs takes half of one process' hands at most.
_CONTRACTS_CEILING = 4
#: So many deposits are decided in one commit.
_TOGETHER = 100


def pay(claims: Sequence[jobs.Claim]) -> Mapping[jobs.Claim, Exception]:
    """Bring deposits that have their funds on their way to the ledger; the job `PAY_ON_LEDGER`.

    Their accounts are looked at with no transaction open, and then one commit queues them
    all. One that cannot be queued is left out of it; how it ends is returned.
    """
    wanted, ends = of_claims(claims)
    plans = _plans(wanted.values())
    decided: list[Decided] = []
    for claim, want in wanted.items():
        plan = plans[want]
        if isinstance(plan, Exception):
            ends[claim] = plan
        else:
            decided.append(Decided(claim, plan, policy_of(want.asset)))

    def act(chunk: Sequence[Decided]) -> None:
        ends.update(carry_out(chunk))

    return ends | {each.claim: end for each, end in batches.in_halves(decided, act).items()}


def _plans(wanted: Collection[Wanted]) -> dict[Wanted, Plan | Exception]:
    """Say what is to become of each deposit as its account stands, or why nobody can say."""
    plain = [each for each in wanted if not each.is_to_contract]
    there = accounts.look(gateway(), {each.account_id for each in plain})
    found = ((each, there[each.account_id]) for each in plain)
    plans: dict[Wanted, Plan | Exception] = {
        each: account
        if isinstance(account, Exception)
        else choose(each, account, policy_of(each.asset))
        for each, account in found
    }
    return plans | _plans_for_contracts([each for each in wanted if each.is_to_contract])


def _plans_for_contracts(wanted: Collection[Wanted]) -> dict[Wanted, Plan | Exception]:
    if not wanted:
        return {}
    why_not = custodians.why_no_contract()
    if why_not is not None:
        return dict.fromkeys(wanted, Plan(held_because=why_not))
    there = accounts.look_at_contracts(contracts(), {each.account_id for each in wanted})
    found = ((each, there[each.account_id]) for each in wanted)
    return {
        each: contract if isinstance(contract, Exception) else choose_for_contract(each, contract)
        for each, contract in found
    }


def policy_of(asset: str) -> AssetPolicy:
    """Return the policy of an asset; `Misconfigured` where it is served no more."""
    policy = settings().asset_by_id(asset)
    if policy is None:
        raise Misconfigured(f"{asset} is not in the configuration any more.")
    return policy


def of_claims(
    claims: Sequence[jobs.Claim],
) -> tuple[dict[jobs.Claim, Wanted], dict[jobs.Claim, Exception]]:
    """Return what the deposits of some jobs want, and of which that cannot be said.

    Left out is a deposit that does not call for that kind of job any more.
    """
    wanted, ends = {}, {}
    found = _read({claim.subject_id for claim in claims}, claims[0].kind)
    for claim in claims:
        want = found.get(claim.subject_id)
        if isinstance(want, Exception):
            ends[claim] = want
        elif want is not None:
            wanted[claim] = want
    return wanted, ends


@atomic
def _read(ids: Collection[str], job_kind: str) -> dict[str, Wanted | Exception]:
    rows = db.session.scalars(
        select(Transaction)
        .where(Transaction.id == any_of(ids))
        .execution_options(populate_existing=True)
    ).all()
    found: dict[str, Wanted | Exception] = {}
    before = _attempts(ids)
    for row in rows:
        if next_job_kind(row) == job_kind and not before[row.id].is_open:
            try:
                found[row.id] = _wanted(row, was_prepared=before[row.id].was_prepared)
            except Exception as error:  # whatever is wrong with one keeps no other (promise 12)
                found[row.id] = error
    return _with_known_lines(found)


def _with_known_lines(found: dict[str, Wanted | Exception]) -> dict[str, Wanted | Exception]:
    lines = {
        each.transaction_id: (each.asset, each.account_id)
        for each in found.values()
        if isinstance(each, Wanted)
        and policy_of(each.asset).delivery.authorize_trustlines
        and not each.is_to_contract
    }
    known = known_lines.among(set(lines.values()))
    return {
        name: replace(each, line_is_known=lines.get(name) in known)
        if isinstance(each, Wanted)
        else each
        for name, each in found.items()
    }


def _wanted(row: Transaction, *, was_prepared: bool) -> Wanted:
    if row.destination is None:
        raise Rejected(f"{row.id} has no destination")
    policy_of(row.asset)
    try:
        amount = parts_of(row, with_creation=was_prepared).amount_out
    except Rejected:
        amount = 1  # the fee eats all: found again, and told, where it is to be paid
    return Wanted(
        transaction_id=row.id,
        version=row.version,
        asset=row.asset,
        amount=amount,
        destination=row.destination,
        account_id=base_account(row.destination),
        has_memo=row.destination_memo is not None or row.destination.startswith("M"),
        takes_claimable_balance=row.takes_claimable_balance,
        was_prepared=was_prepared,
    )


@dataclass(frozen=True)
class _Attempts:
    """What was begun for a deposit before now."""

    last: int = 0
    is_open: bool = False
    was_prepared: bool = False


def _attempts(ids: Collection[str]) -> Mapping[str, _Attempts]:
    prepared = Outflow.form.in_(PREPARING_FORMS) & (Outflow.state == "done")
    query = (
        select(
            Outflow.transaction_id,
            func.max(Outflow.attempt),
            func.bool_or(Outflow.state.in_(OUTFLOW_OPEN)),
            func.coalesce(func.bool_or(prepared), False),
        )
        .where(Outflow.transaction_id == any_of(ids))
        .group_by(Outflow.transaction_id)
    )
    found = {row[0]: _Attempts(*row[1:]) for row in db.session.execute(query)}
    return {each: found.get(each, _Attempts()) for each in ids}


def parts_of(row: Transaction, *, with_creation: bool) -> Split:
    """Return what a deposit comes to, with the fee for lumens of ours in its account, if any.

    On a quote its numbers count, and that fee is none of them.
    Raises `Rejected` where the fee leaves nothing to pay.
    """
    if row.quote_id is not None:
        return conversions.parts(row)
    policy = policy_of(row.asset)
    creation = policy.delivery.creation_fee if with_creation else 0
    left = row.amount_received - row.amount_refunded
    return split(left, row.fee_schedule, DECIMALS, creation)


@dataclass(frozen=True)
class Decided:
    """A deposit, or a remittance, with what is to become of it.

    Where a `version` is given, it is of that one alone.
    """

    claim: jobs.Claim
    plan: Plan
    policy: AssetPolicy
    version: int | None = None


@atomic
def carry_out(chunk: Sequence[Decided]) -> dict[jobs.Claim, Exception]:
    """Do in one commit what was decided for each; return the claims that were lost."""
    lost = batches.hold([each.claim for each in chunk])
    ids = [each.claim.subject_id for each in chunk if each.claim not in lost]
    rows = {row.id: row for row in db.session.scalars(_locked(ids))}
    before = _attempts(ids)
    queued: list[Outflow] = []
    moves: list[Happening] = []
    for each in chunk:
        row = rows.get(each.claim.subject_id)
        if row is None or next_job_kind(row) != each.claim.kind or before[row.id].is_open:
            continue
        if each.plan.only_prepares and before[row.id].was_prepared:
            continue
        if each.version not in {None, row.version}:
            lost[each.claim] = Unavailable(f"{row.id} was changed meanwhile")
            continue
        outflow, reason = None, each.plan.held_because
        if each.plan.form is not None:
            outflow, reason = _order(row, each.plan, each.policy, before[row.id])
        if outflow is not None:
            queued.append(outflow)
        elif reason is not None:
            _tell(row, reason)
            moves.append(Happening(row.id, Event.HELD, f"look {row.version}"))
        else:
            _tell_of_closed(row, each.plan.closed_because)
            moves.append(Happening(row.id, Event.TRUST_MISSING, f"look {row.version}"))
    _queue(queued)
    happened(*moves)
    return lost


def _locked(ids: Collection[str]) -> Select[Transaction]:
    return (
        select(Transaction)
        .where(Transaction.id == any_of(ids))
        .order_by(Transaction.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _tell(row: Transaction, reason: str) -> None:
    what = "remittance" if row.kind == Kind.REMITTANCE else "deposit"
    cases.open_case(f"{what}_cannot_be_paid", f"{row.id}/{row.version}", note=reason, **_about(row))


def _tell_of_closed(row: Transaction, reason: str | None) -> None:
    """Tell, once for each deposit, that its line is not ours to authorize."""
    if reason is not None:
        cases.open_case("trustline_closed", row.id, note=reason, **_about(row))


def _about(row: Transaction) -> dict[str, Any]:
    owed = row.amount_received - row.amount_paid - row.amount_refunded
    return {"transaction_id": row.id, "asset": row.received_as, "amount_owed": owed}


def _order(
    row: Transaction, plan: Plan, policy: AssetPolicy, before: _Attempts
) -> tuple[Outflow | None, str | None]:
    """Return the outflow that pays a deposit whose row is locked, or why a person has to look."""
    sold = {}
    if plan.only_prepares:
        asset, amount, fee = NATIVE, plan.lumens, 0
    else:
        created = plan.form == "create_account" or before.was_prepared
        try:
            parts = parts_of(row, with_creation=created)
        except Rejected as refusal:
            return None, str(refusal)
        if row.amount_paid + row.amount_refunded + parts.amount_in > row.amount_received:
            return None, "less was received than would be paid out"
        asset, amount, fee = row.asset, parts.amount_out, parts.amount_fee
        row.amount_in, row.amount_out, row.amount_fee = parts.amount_in, amount, fee
        sold = conversions.sold(row, parts)
    attempt = before.last + 1
    return Outflow(
        transaction_id=row.id,
        kind="submission",
        attempt=attempt,
        key=f"{row.id}-{attempt}",
        form=plan.form,
        authorizes=plan.authorizes,
        state="prepared",
        asset=asset,
        amount=amount,
        amount_fee=fee,
        source=policy.distribution,
        destination=row.destination,
        memo_type=row.destination_memo_type,
        memo=row.destination_memo,
        is_alone=row.destination_memo is not None or is_contracts(row.destination),
        **sold,
    ), None


def _queue(outflows: Sequence[Outflow]) -> None:
    """Open the outflows, in the order given, and owe the work of their queues."""
    db.session.add_all(outflows)
    db.session.flush()
    bookings.outflow_opened(*(each for each in outflows if not each.only_prepares))
    for source in sorted({str(each.source) for each in outflows}):
        jobs.renew(jobs.Address(DRIVE, source), lane_of(source))


def lane_of(source: str) -> str:
    """Return the lane of a source account's queue: one hand at a time works it off."""
    return f"submissions {source}"


@atomic
def owe_payments() -> None:
    """Owe the job of each deposit that is ready to be paid: a sweep's first half."""
    owed = exists().where(Job.kind == PAY_ON_LEDGER, Job.subject_id == Transaction.id)
    going = exists().where(
        Outflow.transaction_id == Transaction.id, Outflow.state.in_(OUTFLOW_OPEN)
    )
    lane = case((Transaction.destination.like("C%"), CONTRACTS_LANE), else_=LEDGER_LANE)
    query = select(Transaction.id, lane).where(
        Transaction.status == Status.PENDING_ANCHOR,
        Transaction.kind.in_(DEPOSITS),
        Transaction.funded_at.is_not(None),
        Transaction.is_resting.is_(False),
        ~going,
        ~owed,
    )
    jobs.ensure_each(PAY_ON_LEDGER, query)


jobs.declare(
    PAY_ON_LEDGER,
    jobs.Work(
        batches.alone(pay),
        lambda _lane: _LEASE_S,
        lambda lane: _CONTRACTS_CEILING if lane == CONTRACTS_LANE else _CEILING,
        together=batches.Together(pay, _TOGETHER),
        is_of_transaction=True,
    ),
)

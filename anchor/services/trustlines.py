"""Deposits that wait until their account can take the asset, and the looking for that.

Ready means that the line exists, is authorized and has room for the amount; where the asset has
us authorize lines, one that is new need not be authorized yet. Waiting never
ends in ``expired``, for the money is in: after the policy's days a person is told.

However many wait, the ledger's source is asked so often a minute as the settings allow, those
first whose look is due for the longest. One answer tells about all deposits of an account; where
that takes fewer requests, the holders of an asset are read page by page instead.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from time import monotonic

from sqlalchemy import exists, func, literal, select

from anchor.assets import NATIVE
from anchor.errors import Unavailable
from anchor.extensions import atomic, db, gateway, settings
from anchor.ledger import destinations
from anchor.ledger.gateway import LedgerAccount
from anchor.lifecycle import Event, Status
from anchor.models import Job, Transaction
from anchor.services import accounts, batches, budgets, cases, jobs
from anchor.services.delivering import Wanted, room_of
from anchor.services.deposit_payments import of_claims, policy_of
from anchor.services.transactions import CHECK_TRUST, TRUST_LANE, Happening, any_of, happened

log = logging.getLogger(__name__)

#: From the first wait on each is twice the one before, from 10 seconds to an hour.
_FIRST_WAIT_S = 10
_LAST_WAIT_S = 3600
#: Outlives reading pages for `_LIST_S`, looking at accounts, and the answers on their way.
_LEASE_S = 180
_CEILING = 4
_TOGETHER = 1000
_BUDGET = "trust lines"
_PAGE = 200
_LIST_S = 30
#: For fewer accounts of one asset it is not asked how many hold it.
_LIST_FROM = 10

#: What was found out: the account, None where it is not there or has no line, or an error.
Answer = LedgerAccount | Exception | None


def check(claims: Sequence[jobs.Claim]) -> Mapping[jobs.Claim, Exception]:
    """Look whether accounts can take the deposits that wait for them; the job `CHECK_TRUST`.

    A deposit whose account cannot ends `jobs.Later`, one for which no request was left
    `jobs.Untried`.
    """
    wanted, ends = of_claims(claims)
    found = _listed(wanted.values())
    rest = [w.account_id for w in wanted.values() if (w.asset, w.account_id) not in found]
    singles = _looked_at(list(dict.fromkeys(rest)))
    rooms: dict[jobs.Claim, str] = {}
    for claim, want in wanted.items():
        answer = found.get((want.asset, want.account_id), singles.get(want.account_id))
        if isinstance(answer, Exception):
            ends[claim] = answer
        else:
            rooms[claim] = room_of(want, answer, policy_of(want.asset))

    def act(chunk: Sequence[jobs.Claim]) -> None:
        ends.update(_record({claim: (wanted[claim], rooms[claim]) for claim in chunk}))

    return ends | batches.in_halves(list(rooms), act)


def _looked_at(account_ids: Sequence[str]) -> dict[str, Answer]:
    """Ask for accounts one by one, the first first, until no request is left."""
    granted = _take(len(account_ids))
    untried: dict[str, Answer] = {each: jobs.Untried() for each in account_ids[granted:]}
    return untried | accounts.look(gateway(), account_ids[:granted])


def _listed(wanted: Iterable[Wanted]) -> dict[tuple[str, str], Answer]:
    """Read the holders of each asset for which that takes fewer requests."""
    by_asset: dict[str, set[str]] = {}
    for want in wanted:
        by_asset.setdefault(want.asset, set()).add(want.account_id)
    found: dict[tuple[str, str], Answer] = {}
    for asset, ids in by_asset.items():
        ids.discard(asset.partition(":")[2])  # the issuer holds its asset without a line
        if asset != NATIVE and len(ids) >= _LIST_FROM:
            found |= {(asset, account_id): end for account_id, end in _holders(asset, ids).items()}
    return found


def _holders(asset: str, account_ids: set[str]) -> dict[str, Answer]:
    """Find accounts in the pages of an asset's holders; nothing where it is better to ask singly.

    An account that no page shows has no line. What lies behind the last page that there was
    a request, and time, for is left for another time.
    """
    until = monotonic() + _LIST_S
    found: dict[str, Answer] = {}
    after = ""
    try:
        source = gateway().one()  # what one page lacks, another node's next one may lack too
        if not _take(1) or 1 + source.holders(asset) // _PAGE >= len(account_ids):
            return {}
        while monotonic() < until and _take(1):
            page = source.accounts_with(asset, after, _PAGE)
            found |= {each.account_id: each for each in page if each.account_id in account_ids}
            if len(page) < _PAGE:
                return {each: found.get(each) for each in account_ids}
            after = page[-1].account_id
    except Unavailable as error:
        log.warning("the holders of %s: %s", asset, error)
        return {}
    behind: dict[str, Answer] = {each: jobs.Untried() for each in account_ids if each > after}
    return behind | {each: found.get(each) for each in account_ids if each <= after}


def _take(wanted: int) -> int:
    return budgets.take(_BUDGET, wanted, settings().trust_requests_per_minute)


def _may_begin() -> bool:
    return budgets.left(_BUDGET, settings().trust_requests_per_minute) > 0


@atomic
def _record(
    looks: Mapping[jobs.Claim, tuple[Wanted, str]],
) -> dict[jobs.Claim, Exception]:
    """Move the deposits on whose accounts are ready; return how the other looks ended."""
    ends = batches.hold(list(looks))
    ready: list[Happening] = []
    waiting: dict[str, tuple[Wanted, str]] = {}
    for claim, (want, room) in looks.items():
        if claim in ends:
            continue
        if room in destinations.OPEN:
            ready.append(Happening(want.transaction_id, Event.TRUST_FOUND, f"look {want.version}"))
            continue
        waiting[want.transaction_id] = (want, room)
        wait_s = min(_LAST_WAIT_S, _FIRST_WAIT_S << min(claim.attempts - 1, 10))
        ends[claim] = jobs.Later(wait_s, f"the account is not ready: {room}", counts=True)
    happened(*ready)
    _tell_of_long_ones(waiting)
    return ends


def _tell_of_long_ones(waiting: Mapping[str, tuple[Wanted, str]]) -> None:
    query = select(Transaction.id, Transaction.funded_at, func.now()).where(
        Transaction.id == any_of(waiting)
    )
    for transaction_id, since, now in db.session.execute(query):
        want, room = waiting[transaction_id]
        days = policy_of(want.asset).delivery.trust_days
        if since is not None and since < now - timedelta(days=days):
            cases.open_case(
                "trust_is_missing",
                transaction_id,
                note=f"for {days} days: {room}; refund it, or wait on",
                transaction_id=transaction_id,
                asset=want.asset,
                amount_owed=want.amount,
            )


@atomic
def owe_checks() -> None:
    """Owe a look for each deposit that waits for trust: a sweep's first half."""
    owed = exists().where(Job.kind == CHECK_TRUST, Job.subject_id == Transaction.id)
    query = select(Transaction.id, literal(TRUST_LANE)).where(
        Transaction.status == Status.PENDING_TRUST, Transaction.funded_at.is_not(None), ~owed
    )
    jobs.ensure_each(CHECK_TRUST, query)


jobs.declare(
    CHECK_TRUST,
    jobs.Work(
        batches.alone(check),
        lambda _lane: _LEASE_S,
        lambda _lane: _CEILING,
        together=batches.Together(check, _TOGETHER),
        may_begin=_may_begin,
        is_of_transaction=True,
    ),
)

"""Trust lines that are authorized no more by us: those that were once, and those refused.

A ledger does not tell a line that was never authorized from one that was revoked while it was
empty. So it is remembered here whose line took a payment of ours, or was seen to be able to: where
it is not authorized later, somebody meant that (ADR 029).
"""

from collections.abc import Collection, Sequence
from typing import cast

from sqlalchemy import Table, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from anchor.assets import NATIVE, is_account_id
from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db, settings
from anchor.ledger.destinations import base_account
from anchor.models import Act, KnownLine, Outflow
from anchor.services import networks

#: A trust line: its asset, and the account (``G…``) that has it.
Line = tuple[str, str]


def among(lines: Collection[Line]) -> set[Line]:
    """Return those of some lines that are known. Needs an open transaction, as all of these do."""
    if not lines:
        return set()
    query = select(KnownLine.asset, KnownLine.account_id).where(
        KnownLine.network_id == networks.current_id(),
        tuple_(KnownLine.asset, KnownLine.account_id).in_(lines),
    )
    return {(asset, account_id) for asset, account_id in db.session.execute(query)}


def remember(outflows: Sequence[Outflow]) -> None:
    """Remember the lines of payments that arrived, or met a line that was closed meanwhile."""
    _add({_line(each) for each in outflows if _has_line(each)})


def not_again(outflows: Sequence[Outflow]) -> None:
    """Let those that wait in a queue authorize no line that has become known meanwhile."""
    authorizing = {each: _line(each) for each in outflows if each.authorizes}
    known = among(set(authorizing.values()))
    for outflow, line in authorizing.items():
        outflow.authorizes = line not in known


@atomic
def refuse(code: str, account_id: str, who: str, note: str | None) -> None:
    """Have no line of an account authorized by us, from the next envelope on; again, nothing."""
    line = _named(code, account_id)
    _add({line})
    db.session.add(Act(what=f"refuse trust line {line[0]} {account_id}", who=who, note=note))


@atomic
def allow(code: str, account_id: str, who: str, note: str | None) -> None:
    """Let the line of an account be authorized as a new one; `NotFound` where it is none else."""
    asset, _ = _named(code, account_id)
    gone = db.session.execute(
        delete(KnownLine)
        .where(
            KnownLine.network_id == networks.current_id(),
            KnownLine.asset == asset,
            KnownLine.account_id == account_id,
        )
        .returning(KnownLine.asset)
    )
    if gone.one_or_none() is None:
        raise NotFound(f"The line of {account_id} for {code} is a new one as it is.")
    db.session.add(Act(what=f"allow trust line {asset} {account_id}", who=who, note=note))


def _named(code: str, account_id: str) -> Line:
    policy = settings().asset(code)
    if policy is None or policy.issuer is None:
        raise NotFound(f"There is no asset {code} that has trust lines.")
    if not is_account_id(account_id):
        raise Rejected(f"{account_id} is no account (G…).")
    return policy.id, account_id


def _has_line(outflow: Outflow) -> bool:
    return outflow.form == "payment" and outflow.asset != NATIVE and not outflow.calls_contract


def _line(outflow: Outflow) -> Line:
    assert outflow.destination is not None
    return outflow.asset, base_account(outflow.destination)


def _add(lines: Collection[Line]) -> None:
    """Add lines in one order, so that two who add the same do not wait for each other."""
    network_id = networks.current_id() if lines else None
    rows = [
        {"network_id": network_id, "asset": asset, "account_id": account_id}
        for asset, account_id in sorted(lines)
    ]
    if rows:
        statement = insert(cast(Table, KnownLine.__table__)).on_conflict_do_nothing()
        db.session.execute(statement, rows)

"""Whom a booking is for: who was given its reference, what they were told to pay, in what."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, or_, select

from anchor import references
from anchor.assets import currency_of, held_as
from anchor.extensions import db, settings
from anchor.lifecycle import Kind, Status
from anchor.matching import Expectation
from anchor.models import Transaction
from anchor.services.entries import Entry
from anchor.services.transactions import any_of

Owned = Row[*tuple[Any, ...]]


def locked(entries: Sequence[Entry]) -> dict[str, Owned | None]:
    """Look up whom these receipts may be for, by their two names, and lock those.

    By receipt id; the payer's words count before what the rail says. Needs an open transaction.
    """
    names = {written(entry) for entry in entries if entry.reference}
    ids = {entry.named for entry in entries if entry.named}
    rows: Sequence[Owned] = db.session.execute(
        select(
            Transaction.id,
            Transaction.kind,
            Transaction.status,
            Transaction.rail,
            Transaction.asset,
            Transaction.reference,
            Transaction.amount_expected,
            (Transaction.amount_received - Transaction.amount_refunded).label("amount_received"),
            Transaction.funded_at,
            Transaction.settlement,
            Transaction.quote_id,
            Transaction.deadline_at,
            Transaction.started_at,
            Transaction.amount_in_asset,
        )
        .where(or_(Transaction.reference == any_of(names), Transaction.id == any_of(ids)))
        .order_by(Transaction.id)
        .with_for_update()
    ).all()
    found = {f"reference {row.reference}": row for row in rows if row.reference}
    found |= {f"id {row.id}": row for row in rows}
    return {entry.receipt_id: _owner_of(entry, found) for entry in entries}


def _owner_of(entry: Entry, rows: Mapping[str, Owned]) -> Owned | None:
    key = f"reference {written(entry)}" if entry.reference else f"id {entry.named}"
    return rows.get(key)


def written(entry: Entry) -> str:
    """Return the reference that the payer wrote, as it was issued; all of it where there is none.

    Where several stand in it, it names nobody: a person reads it.
    """
    text = entry.reference or ""
    found = references.find(text)
    return found[0] if len(found) == 1 else text


def expectation(row: Owned) -> Expectation:
    """Return what an owner was told to pay; one on a quote exactly, and until it runs out."""
    policy = settings().asset_by_id(row.asset)
    flow = policy and (policy.send if row.kind == Kind.SEND else policy.deposit)
    return Expectation(
        transaction_id=row.id,
        kind=Kind(row.kind),
        status=Status(row.status),
        account=row.rail,
        asset=_currency_of(row),
        amount=row.amount_expected,
        received=row.amount_received,
        is_funded=row.funded_at is not None,
        matching=policy.matching if policy and row.quote_id is None else "exact",
        tolerance=policy.slack(row.amount_expected) if policy else 0,
        min_amount=flow.min_amount if flow else None,
        max_amount=flow.max_amount if flow else None,
        settled_on_ledger=row.settlement == "stellar",
        due_at=row.deadline_at if row.quote_id else None,
        begun_at=row.started_at,
    )


def _currency_of(row: Owned) -> str:
    """Return the currency that a transaction's money is booked in: on a quote, what that sells."""
    sold = currency_of(held_as(row.amount_in_asset)) if row.amount_in_asset else None
    policy = settings().asset_by_id(row.asset)
    return sold or (policy.booked_in if policy else str(row.asset))


def held_in(rail: str, entry: Entry, row: Owned | None) -> str:
    """Return the asset that a booking is held in: its owner's where the currency agrees."""
    if row and row.amount_in_asset and _currency_of(row) == entry.currency:
        return held_as(row.amount_in_asset)
    policy = settings().asset_by_id(row.asset) if row else None
    if policy and policy.booked_in == entry.currency:
        return policy.id
    return asset_of(rail, entry.currency)


def asset_of(rail: str, currency: str) -> str:
    """Return the asset that a rail's bookings in a currency are for: ``rail:USD`` where no
    asset or more than one is."""
    served = settings().assets.values()
    found = [each.id for each in served if rail in each.rails and each.booked_in == currency]
    return found[0] if len(found) == 1 else f"rail:{currency}"

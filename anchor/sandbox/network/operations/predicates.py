"""Claim predicates: when a claimant may claim, checked, made absolute, judged and written."""

from __future__ import annotations

from stellar_sdk import xdr

from anchor.sandbox.network.values import MAX_INT64, time_text

Type = xdr.ClaimPredicateType
MAX_DEPTH = 4
_LAST_TIME_S = 253402300799  # the end of the year 9999


def inner(predicate: xdr.ClaimPredicate) -> list[xdr.ClaimPredicate]:
    """Return the predicates directly inside one."""
    if predicate.type is Type.CLAIM_PREDICATE_NOT:
        return [predicate.not_predicate] if predicate.not_predicate else []
    return predicate.and_predicates or predicate.or_predicates or []


def is_well_formed(predicate: xdr.ClaimPredicate, depth: int = 1) -> bool:
    """Whether it is no deeper than four, and-or join two, not has one, and no time is negative."""
    if depth > MAX_DEPTH:
        return False
    if predicate.type in (Type.CLAIM_PREDICATE_AND, Type.CLAIM_PREDICATE_OR):
        needed = 2
    else:
        needed = 1 if predicate.type is Type.CLAIM_PREDICATE_NOT else 0
    times = [time.int64 for time in (predicate.abs_before, predicate.rel_before) if time]
    parts = inner(predicate)
    return (
        len(parts) == needed
        and all(time >= 0 for time in times)
        and all(is_well_formed(each, depth + 1) for each in parts)
    )


def absolute(predicate: xdr.ClaimPredicate, close_at: int) -> xdr.ClaimPredicate:
    """Return it with absolute times instead of those relative to the close time."""
    if predicate.rel_before is not None:
        before = xdr.Int64(min(MAX_INT64, close_at + predicate.rel_before.int64))
        return xdr.ClaimPredicate(
            Type.CLAIM_PREDICATE_BEFORE_ABSOLUTE_TIME,
            abs_before=before,
        )
    parts = [absolute(each, close_at) for each in inner(predicate)]
    return xdr.ClaimPredicate(
        predicate.type,
        and_predicates=parts if predicate.type is Type.CLAIM_PREDICATE_AND else None,
        or_predicates=parts if predicate.type is Type.CLAIM_PREDICATE_OR else None,
        not_predicate=parts[0] if predicate.type is Type.CLAIM_PREDICATE_NOT else None,
        abs_before=predicate.abs_before,
    )


def holds(predicate: xdr.ClaimPredicate, close_at: int) -> bool:
    """Whether an absolute predicate is true in a ledger that closes at `close_at`."""
    results = (holds(each, close_at) for each in inner(predicate))
    if predicate.type is Type.CLAIM_PREDICATE_AND:
        return all(results)
    if predicate.type is Type.CLAIM_PREDICATE_OR:
        return any(results)
    if predicate.type is Type.CLAIM_PREDICATE_NOT:
        return not any(results)
    return predicate.abs_before is None or close_at < predicate.abs_before.int64


def fields(predicate: xdr.ClaimPredicate) -> dict[str, object]:
    """Return it as Horizon writes it."""
    parts: list[object] = [fields(each) for each in inner(predicate)]
    if predicate.type is Type.CLAIM_PREDICATE_AND:
        return {"and": parts}
    if predicate.type is Type.CLAIM_PREDICATE_OR:
        return {"or": parts}
    if predicate.type is Type.CLAIM_PREDICATE_NOT:
        return {"not": parts[0]}
    if predicate.rel_before is not None:
        return {"rel_before": str(predicate.rel_before.int64)}
    if predicate.abs_before is not None:
        epoch = predicate.abs_before.int64
        # Horizon goes on into later years, which are of no use to anyone here
        return {
            "abs_before": time_text(min(epoch, _LAST_TIME_S)),
            "abs_before_epoch": str(epoch),
        }
    return {"unconditional": True}

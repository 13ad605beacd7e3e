"""Asking rails: one that is gone, deaf or odd about one thing stops nothing else (promise 12)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from anchor.errors import Unavailable
from anchor.extensions import house
from anchor.integrations.protocols import RailsIntegration
from anchor.policies import AssetPolicy
from anchor.services import asking

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: A lease outlives a call by this much, so that two hands never hold one attempt.
LEASE_MARGIN_S = 30
#: So many things are asked about at once.
BATCH = asking.BATCH


def find(name: str) -> RailsIntegration:
    """Return a rail by its name, or raise `Unavailable` where this process has no such rail."""
    rail = house().rails.get(name)
    if rail is None:
        raise Unavailable(f"the rail {name} is not installed in this process")
    return rail


def pays(rail: RailsIntegration, policy: AssetPolicy | None, currency: str) -> bool:
    """Tell whether a rail says that it pays a currency, for money of an asset."""
    return currency in rail.traits.currencies or (
        policy is not None and currency == policy.booked_in
    )


def tells_of_money(rail: RailsIntegration) -> bool:
    """Tell whether a rail can say that money came to us: by poll, by list or by webhook."""
    lists = rail.traits.lists_receipts and _implements(rail, "receipts_since")
    listens = _implements(rail, "verify_webhook") and _implements(rail, "read_webhook")
    return lists or listens or _implements(rail, "poll_pending_deposits")


def _implements(rail: RailsIntegration, name: str) -> bool:
    ours = getattr(RailsIntegration, name)
    return getattr(getattr(rail, name), "__func__", None) is not ours


def lease_s(name: str) -> int:
    """Return for how long a job that calls this rail is leased."""
    rail = house().rails.get(name)
    return rail.traits.timeout_s + LEASE_MARGIN_S if rail else 60


def ceiling(name: str) -> int:
    """Return how many jobs may call this rail at once."""
    rail = house().rails.get(name)
    return rail.traits.max_in_flight if rail else 1


def answers(
    rail: RailsIntegration,
    batch: Sequence[Item],
    ask: Callable[[Sequence[Item]], list[tuple[Item, Answer]]],
    key: Callable[[Item], str],
) -> tuple[list[tuple[Item, Answer]], list[tuple[Item, Exception]]]:
    """Ask a rail about a batch, as `asking.answers` does."""
    return asking.answers(f"the rail {rail.name}", batch, ask, key)

"""Custodians: the one that pays in this house, and how long and how often it may be called."""

from anchor.errors import Unavailable
from anchor.extensions import house
from anchor.integrations.custody import Custodian
from anchor.services.rails import LEASE_MARGIN_S

_LANE = "custody "


def current() -> Custodian | None:
    """Return the custodian that pays for our accounts; None where we sign, or somebody does."""
    custody = house().custody
    return custody if isinstance(custody, Custodian) else None


def find(name: str) -> Custodian:
    """Return a custodian by its name; `Unavailable` where this process has no such custodian.

    What one was given no other is asked about: it would know nothing of it, and mean it.
    """
    custodian = current()
    if custodian is None or custodian.name != name:
        raise Unavailable(f"the custodian {name} is not at work in this process")
    return custodian


def lane_of(name: str) -> str:
    """Return the lane of the jobs that call a custodian."""
    return _LANE + name


def lease_s(lane: str) -> int:
    """Return for how long a job that calls a custodian is leased."""
    custodian = _of(lane)
    return custodian.traits.timeout_s + LEASE_MARGIN_S if custodian else 60


def ceiling(lane: str) -> int:
    """Return how many jobs may call a custodian at once."""
    custodian = _of(lane)
    return custodian.traits.max_in_flight if custodian else 1


def _of(lane: str) -> Custodian | None:
    custodian = current()
    return custodian if custodian and lane_of(custodian.name) == lane else None

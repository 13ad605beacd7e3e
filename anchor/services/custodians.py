"""Custodians: the one that pays in this house, and how long and how often it may be called."""

from anchor.config import Settings
from anchor.config.environment import ISSUER_PREFIX
from anchor.errors import Misconfigured, Unavailable
from anchor.extensions import house, settings
from anchor.integrations.custody import Custodian, Signer
from anchor.services.rails import LEASE_MARGIN_S

_LANE = "custody "


def current() -> Custodian | None:
    """Return the custodian that pays for our accounts; None where we sign, or somebody does."""
    custody = house().custody
    return custody if isinstance(custody, Custodian) else None


def demand_issuers(settings: Settings, custody: Signer | Custodian) -> None:
    """Raise `Misconfigured` where trust lines are to be authorized, and no issuer would sign.

    A custodian builds its payments by itself, and authorizes nothing.
    """
    problems = [
        f"assets.{code}.deposit: authorize_trustlines needs the issuer's signature, which the "
        f"custody {custody.name} does not give (local keys: {ISSUER_PREFIX}{code})."
        for code, policy in settings.assets.items()
        if policy.delivery.authorize_trustlines
        and not (isinstance(custody, Signer) and custody.signs_for(policy.issuer or ""))
        and policy.issuer != policy.distribution
    ]
    if problems:
        raise Misconfigured(*problems)


def why_no_contract() -> str | None:
    """Say why contract accounts (C…) are not paid here; None where they are.

    An order to a custodian knows no call of a contract, and what is called is simulated by an RPC.
    """
    custodian = current()
    if custodian is not None:
        return f"the custodian {custodian.name} pays no contract accounts (C…)"
    if not settings().serves_contracts:
        return "contract accounts (C…) are not served here: no RPC is configured"
    return None


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

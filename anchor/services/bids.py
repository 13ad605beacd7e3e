"""What is bid for a place in a ledger: as much as it takes, and no more than is allowed."""

from anchor.errors import Unavailable
from anchor.extensions import settings
from anchor.ledger.gateway import Gateway


def per_operation(gateway: Gateway, outbid: int | None = None) -> int:
    """Return what to bid for an operation, in stroops; `Unavailable` above `base_fee_max`.

    Where the network refused a bid as too low, `outbid` says what is worth trying next.
    """
    stats, ceiling = gateway.fee_stats(), settings().base_fee_max
    wanted = max(stats.base_fee, stats.charged.p70 if stats.capacity_percent > 50 else 0)
    if outbid is not None:
        wanted = max(wanted, stats.charged.p90, outbid)
    if stats.base_fee > ceiling:
        raise Unavailable(f"the base fee is {stats.base_fee} stroops, above base_fee_max")
    return min(wanted, ceiling)

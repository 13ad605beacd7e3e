"""The host's clock, in one place, so that a test can hold it still.

The host's clock is for logs and tokens. Leases use the database's clock and
deadlines the ledger's.
"""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)

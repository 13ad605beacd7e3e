"""A rail of somebody else's: money by carrier pigeon."""

from anchor.integrations.protocols import Done, RailsIntegration


class PigeonRail(RailsIntegration):
    """Sends a bird, which arrives at once."""

    def execute_outgoing_transaction(self, transaction):
        """Send a bird."""
        return Done(reference=f"pigeon {transaction.key}")

"""A rail of somebody else's: money by carrier pigeon."""

from time import sleep

from anchor.integrations.protocols import Done, RailsIntegration


class PigeonRail(RailsIntegration):
    """Sends a bird, which arrives at once; or after `naps_s`, where it is told to rest."""

    def execute_outgoing_transaction(self, transaction):
        """Send a bird."""
        sleep(int(self.options.get("naps_s", 0)))
        return Done(reference=f"pigeon {transaction.key}")

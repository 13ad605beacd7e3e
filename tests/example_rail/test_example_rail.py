"""The contract of rails, run against this one."""

from example_rail import PigeonRail

from anchor.integrations.testing_rails import RailsContract


class TestPigeonRail(RailsContract):
    """Pigeons promise nothing but to fly; what else is tried is skipped, with the reason."""

    def rails(self):
        """Make the rail, as each process does."""
        return PigeonRail("pigeon", {})

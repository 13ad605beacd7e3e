"""A local Stellar network that answers Horizon's REST API and event streams field by field.

It shares no code with the anchor but stellar_sdk, so that it cannot share its mistakes.
"""

from anchor.sandbox.network.api import application
from anchor.sandbox.network.engine import Network, Submission
from anchor.sandbox.network.envelope import Malformed
from anchor.sandbox.network.sandbox import Sandbox
from anchor.sandbox.network.server import Server

__all__ = ["Malformed", "Network", "Sandbox", "Server", "Submission", "application"]

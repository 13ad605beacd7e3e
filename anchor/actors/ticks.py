"""What a scheduler does without its broker: it waits for the next minute."""

import logging
from typing import Any

from dramatiq.broker import Broker
from dramatiq.message import Message

log = logging.getLogger(__name__)


class ForgivingTicks(Broker):
    """A broker to which a tick that it does not take is lost, and no reason to end.

    periodiq ends on the first one. Losing a tick is harmless: the next pass finds what is due.
    """

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """See `Broker.enqueue`; raises nothing for what periodiq sends."""
        try:
            return super().enqueue(message, delay=delay)
        except Exception as error:
            if "scheduled_at" not in message.options:
                raise
            log.warning("the broker did not take a tick (%s)", type(error).__name__)
            return message

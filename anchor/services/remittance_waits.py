"""Waiting for a remittance in the process that began it, and doing its work meanwhile."""

from collections.abc import Callable
from time import monotonic, sleep

from anchor.services import (
    deposit_payments,
    following,  # noqa: F401 - it declares its kind of job, as the next one does
    remittance_views,
    submissions,  # noqa: F401
    sweeps,
)
from anchor.services.custody_orders import CARRY
from anchor.services.remittance_views import Shown
from anchor.services.remittances import ENDS
from anchor.services.transactions import FOLLOW_REMITTANCE, REMIT

#: What brings a remittance on from its money to its end.
KINDS = (REMIT, deposit_payments.DRIVE, CARRY, FOLLOW_REMITTANCE)
_PAUSE_S = 1


def wait(transaction_id: str, seconds: int, tell: Callable[[Shown], None] | None = None) -> Shown:
    """Return a remittance when it is over or waits for a person, or after so many seconds.

    What is due of its kinds is done here, beside any workers: the claims keep them apart. `tell`
    is told of each change.
    """
    until = monotonic() + seconds
    last = None
    while True:
        found = remittance_views.show(transaction_id)
        if tell and (
            last is None or (found.status, found.remote_status) != (last.status, last.remote_status)
        ):
            tell(found)
        last = found
        if found.status in ENDS or found.is_resting or monotonic() > until:
            return found
        sweeps.work_off(KINDS, should_stop=lambda: monotonic() > until)
        sleep(_PAUSE_S)

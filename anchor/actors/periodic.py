"""The services as periodic actors, on the cron specs of ``[schedule]``."""

from datetime import datetime
from typing import Any

from dramatiq.middleware import CurrentMessage
from periodiq import CronSpec

from anchor.actors.setup import actor, settings
from anchor.schedule import OFF, SERVICES
from anchor.services import passes

#: Apart from the jobs, so that a backlog does not make ticks too old to be taken.
_QUEUE = "anchor-schedule"


class Scheduled:
    """The cron spec of a service, read from the settings when it is first asked for."""

    def __init__(self, service: str) -> None:
        self._service = service

    def _spec(self) -> CronSpec | None:
        spec = settings().schedule.get(self._service, SERVICES[self._service])
        return None if spec == OFF else CronSpec.parse(spec)

    def __str__(self) -> str:
        return str(self._spec() or OFF)

    def validate(self, moment: Any) -> bool:
        """Tell whether the service is to run in the minute of `moment`."""
        spec = self._spec()
        return bool(spec and spec.validate(moment))

    def next_valid_date(self, last: Any) -> Any:
        """Return the next minute to run in; a year away where the service is off."""
        spec = self._spec()
        return spec.next_valid_date(last) if spec else last.add(years=1)


def _pass(service: str) -> None:
    message = CurrentMessage.get_current_message()
    scheduled_at = message.options.get("scheduled_at") if message else None
    if scheduled_at and not passes.take_tick(service, datetime.fromisoformat(scheduled_at)):
        return
    passes.ring(service)


@actor(queue_name=_QUEUE, periodic=Scheduled("execute_outgoing_transactions"))
def execute_outgoing_transactions() -> None:
    """Ring for the payout of each transaction that is ready for one."""
    _pass("execute_outgoing_transactions")


@actor(queue_name=_QUEUE, periodic=Scheduled("poll_outgoing_transactions"))
def poll_outgoing_transactions() -> None:
    """Ring for a poll of each rail that has orders to confirm."""
    _pass("poll_outgoing_transactions")


@actor(queue_name=_QUEUE, periodic=Scheduled("poll_pending_deposits"))
def poll_pending_deposits() -> None:
    """Ring for a poll of each rail that may have money for somebody."""
    _pass("poll_pending_deposits")


@actor(queue_name=_QUEUE, periodic=Scheduled("check_trustlines"))
def check_trustlines() -> None:
    """Ring for a look at each account that a deposit waits for."""
    _pass("check_trustlines")


@actor(queue_name=_QUEUE, periodic=Scheduled("reconcile"))
def reconcile() -> None:
    """Ring for the daily comparison of the ledger, the payments and the transactions."""
    _pass("reconcile")


@actor(queue_name=_QUEUE, periodic=Scheduled("work"))
def work() -> None:
    """Ring for whatever else is due."""
    _pass("work")

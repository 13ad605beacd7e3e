"""Money that comes to the simulated bank, and the webhook by which it tells of it.

Each change of a booking has the next number: a list since a number shows what was booked and
what was taken back, in the order in which that happened.
"""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from time import sleep, time_ns
from typing import Any

import requests

SIGNATURE = "X-Bank-Signature"
_TRIES = 3


@dataclass
class Booking:
    """Money that somebody sent us; `number` is that of its latest change."""

    id: str
    account: str
    cents: int
    currency: str
    reference: str
    payer: str
    booked_at_ms: int
    number: int
    status: str = "booked"

    def shown(self) -> dict[str, Any]:
        """Return it as the bank shows it."""
        body = asdict(self) | {"amount": str(Decimal(self.cents) / 100)}
        del body["cents"]
        return body


class Bookings:
    """All money that came, by booking id. `keep` is called with each change."""

    def __init__(self, lock: threading.RLock, keep: Callable[[Booking], None]) -> None:
        self._lock = lock
        self._keep = keep
        self._all: dict[str, Booking] = {}
        self._number = 0

    def restore(self, booking: Booking) -> None:
        """Take up a booking as it was kept."""
        self._all[booking.id] = booking
        self._number = max(self._number, booking.number)

    def book(self, cents: int, reference: str, payer: str, currency: str, account: str) -> Booking:
        """Book money in."""
        with self._lock:
            self._number += 1
            name = f"B{len(self._all) + 1:06d}"
            now_ms = time_ns() // 1_000_000
            booking = Booking(
                name, account, cents, currency, reference, payer, now_ms, self._number
            )
            self._all[name] = booking
            self._keep(booking)
            return booking

    def reverse(self, name: str) -> Booking | None:
        """Take a booking back; None where there is none."""
        with self._lock:
            booking = self._all.get(name)
            if booking is not None and booking.status != "reversed":
                self._number += 1
                booking.number, booking.status = self._number, "reversed"
                self._keep(booking)
            return booking

    def since(self, number: int, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """Return what changed after a number, and whether that is all."""
        with self._lock:
            changed = sorted(
                (each for each in self._all.values() if each.number > number),
                key=lambda each: each.number,
            )
            return [each.shown() for each in changed[:limit]], len(changed) <= limit

    def named(self, references: Sequence[str]) -> list[dict[str, Any]]:
        """Return all bookings with one of these references."""
        wanted = set(references)
        with self._lock:
            return [each.shown() for each in self._all.values() if each.reference in wanted]


class Hook:
    """Tells an address what happened, signed with a secret that both sides know."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.secret = ""
        self._count = 0
        self._lock = threading.Lock()

    def tell(self, what: str, shown: dict[str, Any], fault: str | None, delay_s: int) -> None:
        """Tell it from a thread of its own; `fault` loses it, delays it, or tells it twice."""
        if self.url is None or fault == "lost":
            return
        with self._lock:
            self._count += 1
            event = {"event": f"E{time_ns():x}-{self._count}", what: shown}
        body = json.dumps(event).encode()
        mark = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {SIGNATURE: f"sha256={mark}", "Content-Type": "application/json"}
        times = 2 if fault == "twice" else 1
        wait_s = delay_s if fault == "slow" else 0
        arguments = (self.url, body, headers, times, wait_s)
        threading.Thread(target=_post, args=arguments, daemon=True).start()


def _post(url: str, body: bytes, headers: dict[str, str], times: int, wait_s: int) -> None:
    sleep(wait_s)
    for _ in range(times):
        for number in range(_TRIES):
            try:
                answer = requests.post(url, data=body, headers=headers, timeout=5)
                if answer.ok:
                    break
            except requests.RequestException:
                pass
            sleep(number + 1)

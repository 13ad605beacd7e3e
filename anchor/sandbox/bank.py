"""A simulated bank with books of its own, over HTTP; it can be told to misbehave.

Account numbers have a meaning: one that ends in 0001 is refused for good, in 0002 settles
after two seconds, in 0003 stays "sent" until it is told to settle; all others settle at once.
Money comes in by ``POST /deposits``. It shares nothing with the anchor, so that it cannot share
its mistakes.
"""

import json
import os
import re
import sys
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from anchor.sandbox.bookings import Booking, Bookings, Hook

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_ACCOUNT = re.compile(r"[A-Z0-9]{4,34}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DELAY_S = 2


@dataclass
class Transfer:
    """One order; `cents` to a customer's `account`, taken `at_ms` since 1970.

    They are cents of `currency`, or of our account's own where none is named.
    """

    id: str
    key: str
    account: str
    cents: int
    status: str = "settled"
    at_ms: int = 0
    currency: str = ""


class Bank:
    """The books: transfers by key, appended to a file where one is named."""

    def __init__(self, file: Path | None = None) -> None:
        self.transfers: dict[str, Transfer] = {}
        self.calls: Counter[str] = Counter()
        self.misbehaviour: dict[str, dict[str, Any]] = {}
        self._let_go = threading.Event()
        self.settles_at: dict[str, float] = {}
        self.lock = threading.RLock()
        self.bookings = Bookings(self.lock, self._booked)
        self.hook = Hook()
        self._file = file
        if file is not None and file.exists():
            self._begin_again(file)

    def _begin_again(self, file: Path) -> None:
        """Take the books up as they were kept, but for a last line that a kill has torn."""
        whole, _, torn = file.read_bytes().rpartition(b"\n")
        if torn:
            os.truncate(file, file.stat().st_size - len(torn))
        for line in whole.splitlines():
            self._restore(json.loads(line))

    def _restore(self, kept: dict[str, Any]) -> None:
        if "booking" in kept:
            self.bookings.restore(Booking(**kept["booking"]))
        elif "hook" in kept:
            self.hook.url, self.hook.secret = kept["hook"]
        else:
            transfer = Transfer(**kept)
            self.transfers[transfer.key] = transfer
            if transfer.account.endswith("0002") and transfer.status == "sent":
                self.settles_at[transfer.key] = monotonic()

    def order(
        self, key: str, account: str, cents: int, currency: str = ""
    ) -> tuple[Transfer, bool]:
        """Take an order once for each key; tell whether it is new."""
        with self.lock:
            known = self.transfers.get(key)
            if known is not None:
                same = (known.account, known.cents, known.currency)
                if same != (account, cents, currency):
                    raise ValueError("the key was used for another order")
                return known, False
            transfer = Transfer(f"T{len(self.transfers) + 1:06d}", key, account, cents)
            transfer.at_ms, transfer.currency = time_ns() // 1_000_000, currency
            if account.endswith(("0002", "0003")):
                transfer.status = "sent"
            if account.endswith("0002"):
                self.settles_at[key] = monotonic() + _DELAY_S
            self.transfers[key] = transfer
            self._moved(transfer)
            return transfer, True

    def find(self, key: str) -> Transfer | None:
        """Look an order up by its key."""
        with self.lock:
            transfer = self.transfers.get(key)
            due = transfer and transfer.status == "sent" and key in self.settles_at
            if due and monotonic() >= self.settles_at[key]:
                self.settle(key)
            return transfer

    def settle(self, key: str, status: str = "settled") -> None:
        """Carry an order out, or return it."""
        with self.lock:
            self.transfers[key].status = status
            self._moved(self.transfers[key])

    def rest(self, seconds: float) -> None:
        """Keep an answer back for so long, or until the bank is told to behave."""
        self._let_go.wait(seconds)

    def behave(self, at: str, mode: dict[str, Any] | None) -> None:
        """Misbehave in a way from now on; or, with None, no more: what is kept back is let go."""
        with self.lock:
            self.misbehaviour.pop(at, None)
            if mode is not None:
                self.misbehaviour[at] = mode
                return
            kept_back, self._let_go = self._let_go, threading.Event()
        kept_back.set()

    def misbehave(self, at: str = "transfers") -> tuple[str | None, int]:
        """Return how to misbehave this time and for how many seconds, and count it down."""
        with self.lock:
            found = self.misbehaviour.get(at)
            if found is None:
                return None, 0
            found["times"] -= 1
            if found["times"] <= 0:
                del self.misbehaviour[at]
            return str(found["mode"]), int(found["seconds"])

    def tell_to(self, url: str, secret: str) -> None:
        """Tell an address of all that moves from now on."""
        self.hook.url, self.hook.secret = url, secret
        self._append({"hook": [url, secret]})

    def _moved(self, transfer: Transfer) -> None:
        self._append(asdict(transfer))
        self.hook.tell("transfer", _shown(transfer), *self.misbehave("webhook"))

    def _booked(self, booking: Booking) -> None:
        self._append({"booking": asdict(booking)})
        self.hook.tell("booking", booking.shown(), *self.misbehave("webhook"))

    def _append(self, kept: dict[str, Any]) -> None:
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(kept) + "\n")


class Application:
    """The bank's HTTP side, a WSGI application."""

    _routes = Map(
        [
            Rule("/transfers", endpoint="order", methods=["POST"]),
            Rule("/transfers", endpoint="all", methods=["GET"]),
            Rule("/transfers/by-key/<key>", endpoint="find", methods=["GET"]),
            Rule("/transfers/by-key/<key>/<status>", endpoint="settle", methods=["POST"]),
            Rule("/deposits", endpoint="book", methods=["POST"]),
            Rule("/deposits", endpoint="bookings", methods=["GET"]),
            Rule("/deposits/<name>/reversed", endpoint="reverse", methods=["POST"]),
            Rule("/statement", endpoint="statement", methods=["GET"]),
            Rule("/webhook", endpoint="hook", methods=["POST"]),
            Rule("/calls", endpoint="calls", methods=["GET"]),
            Rule("/misbehave", endpoint="misbehave", methods=["POST"]),
            Rule("/health", endpoint="health", methods=["GET"]),
        ]
    )

    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request."""
        request = Request(environ)
        try:
            endpoint, values = self._routes.bind_to_environ(environ).match()
            response = getattr(self, f"_on_{endpoint}")(request, **values)
        except HTTPException as error:
            response = error.get_response(environ)
        return response(environ, start_response)

    def _on_order(self, request: Request) -> Response:
        body = request.get_json(silent=True) or {}
        key, account, amount = (str(body.get(n, "")) for n in ("key", "account", "amount"))
        if not key or not _ACCOUNT.fullmatch(account) or not _AMOUNT.fullmatch(amount):
            return _answer({"error": "key, account and amount are needed"}, 400)
        currency = str(body.get("currency") or "")
        if currency and not _CURRENCY.fullmatch(currency):
            return _answer({"error": "a currency has three letters"}, 400)
        with self.bank.lock:
            self.bank.calls[key] += 1
        mode, seconds = self.bank.misbehave()
        if mode == "hang":
            self.bank.rest(seconds)
        if mode == "fail-before":
            return _answer({"error": "the bank is down"}, 500)
        if account.endswith("0001"):
            return _answer({"error": "this account does not exist"}, 422)
        try:
            cents = int(Decimal(amount) * 100)
            transfer, is_new = self.bank.order(key, account, cents, currency)
        except ValueError as error:
            return _answer({"error": str(error)}, 409)
        if mode == "slow":
            self.bank.rest(seconds)
        if mode == "die-after":
            return _answer({"error": "the bank fell over"}, 500)
        return _answer(_shown(transfer), 201 if is_new else 200)

    def _on_find(self, _request: Request, key: str) -> Response:
        transfer = self.bank.find(key)
        if transfer is None:
            return _answer({"error": "no such transfer"}, 404)
        return _answer(_shown(transfer), 200)

    def _on_all(self, _request: Request) -> Response:
        with self.bank.lock:
            return _answer([_shown(transfer) for transfer in self.bank.transfers.values()], 200)

    def _on_settle(self, _request: Request, key: str, status: str) -> Response:
        if status not in {"settled", "returned"} or self.bank.find(key) is None:
            raise NotFound
        self.bank.settle(key, status)
        return _answer({}, 200)

    def _on_book(self, request: Request) -> Response:
        body = request.get_json(silent=True) or {}
        amount, currency = str(body.get("amount", "")), str(body.get("currency", "USD"))
        if not _AMOUNT.fullmatch(amount) or not _CURRENCY.fullmatch(currency):
            return _answer({"error": "an amount above 0, and a currency of three letters"}, 400)
        cents = int(Decimal(amount) * 100)
        if cents == 0:
            return _answer({"error": "the amount must be above 0"}, 400)
        reference, payer, account = (
            str(body.get(name) or "")[:140] for name in ("reference", "payer", "account")
        )
        booking = self.bank.bookings.book(cents, reference, payer, currency, account)
        return _answer(booking.shown(), 201)

    def _on_bookings(self, request: Request) -> Response:
        mode, seconds = self.bank.misbehave("deposits")
        if mode in {"hang", "slow"}:
            self.bank.rest(seconds)
        if mode in {"fail-before", "die-after"}:
            return _answer({"error": "the bank is down"}, 500)
        references = request.args.getlist("reference")
        if references:
            return _answer({"bookings": self.bank.bookings.named(references)}, 200)
        since = request.args.get("since", 0, type=int)
        limit = min(max(request.args.get("limit", 100, type=int), 1), 1000)
        found, is_all = self.bank.bookings.since(since, limit)
        cursor = found[-1]["number"] if found else since
        return _answer({"bookings": found, "cursor": cursor, "up_to_date": is_all}, 200)

    def _on_statement(self, request: Request) -> Response:
        try:
            day = date.fromisoformat(request.args.get("day", ""))
        except ValueError:
            return _answer({"error": "day is a date such as 2026-01-31"}, 400)
        with self.bank.lock:
            gone = [each for each in self.bank.transfers.values() if each.status != "returned"]
            transfers = [_shown(each) for each in gone if _day(each.at_ms) == day]
        bookings, _ = self.bank.bookings.since(0, sys.maxsize)
        booked = [each for each in bookings if _day(each["booked_at_ms"]) == day]
        return _answer({"transfers": transfers, "bookings": booked}, 200)

    def _on_reverse(self, _request: Request, name: str) -> Response:
        booking = self.bank.bookings.reverse(name)
        if booking is None:
            raise NotFound
        return _answer(booking.shown(), 200)

    def _on_hook(self, request: Request) -> Response:
        body = request.get_json(silent=True) or {}
        url, secret = str(body.get("url", "")), str(body.get("secret", ""))
        if not url.startswith(("http://", "https://")) or not secret:
            return _answer({"error": "url and secret are needed"}, 400)
        self.bank.tell_to(url, secret)
        return _answer({}, 200)

    def _on_calls(self, _request: Request) -> Response:
        with self.bank.lock:
            return _answer(dict(self.bank.calls), 200)

    def _on_misbehave(self, request: Request) -> Response:
        body = request.get_json(silent=True) or {}
        at, mode = str(body.pop("at", "transfers")), body.get("mode")
        usual = {"times": 1, "seconds": 60 if mode == "hang" else 5}
        self.bank.behave(at, None if mode is None else usual | body)
        return _answer({}, 200)

    def _on_health(self, _request: Request) -> Response:
        return _answer({"status": "ok"}, 200)


def application(bank: Bank) -> Application:
    """Return the bank as a WSGI application."""
    return Application(bank)


def _day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms // 1000, UTC).date()


def _shown(transfer: Transfer) -> dict[str, Any]:
    amount = str(Decimal(transfer.cents) / 100)
    shown = asdict(transfer) | {"amount": amount}
    del shown["cents"]
    return shown


def _answer(body: Any, status: int) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")

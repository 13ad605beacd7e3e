"""A bank in memory, a rail to it that can do all that a rail can, and what its contract needs."""

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from time import sleep
from typing import Any, ClassVar

from anchor.integrations.protocols import (
    Arrived,
    DepositAnswer,
    Done,
    Field,
    Outcome,
    OutgoingTransaction,
    PendingDeposit,
    RailsIntegration,
    RailTraits,
    Receipt,
    ReceiptPage,
    Refused,
    Rejected,
    Sent,
    Statement,
    Transfer,
    Unavailable,
    Waiting,
)
from anchor.integrations.testing_rails import RailsContract

SECRET = b"a secret of the paper bank"
MARK = "x-mark"
PAGE = 2
#: A bank takes its time: long enough for another thread to come in between.
PAUSE_S = 0.002


@dataclass
class Order:
    """What the bank wrote down of one call."""

    reference: str
    key: str
    account: str
    amount: Decimal
    currency: str
    is_settled: bool = False


@dataclass
class Paper:
    """The bank's books. It takes whatever it is told: rails have to keep their promises."""

    orders: list[Order] = field(default_factory=list)
    booked: list[Receipt] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: Any = field(default_factory=count)
    is_away: bool = False
    loses_answers: bool = False
    told: set[str] = field(default_factory=set)
    read: int = 0

    def order(self, key: str, account: str, amount: Decimal, currency: str) -> Order:
        """Take an order, also one that it has."""
        self.demand_open()
        if account.startswith("XX"):
            raise ValueError("this account does not exist")
        sleep(PAUSE_S)
        with self.lock:
            made = Order(f"T{next(self.numbers)}", key, account, amount, currency)
            self.orders.append(made)
        if self.loses_answers:
            raise TimeoutError("the paper bank does not answer")
        return made

    def find(self, key: str) -> Order | None:
        """Return the first order under a key."""
        self.demand_open()
        return next((each for each in self.orders if each.key == key), None)

    def book(self, amount: Decimal, reference: str | None) -> None:
        """Book money in."""
        now = datetime.now(UTC)
        name = f"B{next(self.numbers)}"
        self.booked.append(Receipt(name, amount, "USD", now, reference, payer="P1"))

    def demand_open(self) -> None:
        """Raise what a connection raises where nobody answers."""
        if self.is_away:
            raise Unavailable("the paper bank is closed")


@dataclass
class PaperRail(RailsIntegration):
    """Keeps all promises that there are."""

    paper: Paper = field(default_factory=Paper)

    traits = RailTraits(
        idempotent_for=timedelta(days=1),
        can_look_up=True,
        not_found_final_after=timedelta(minutes=1),
        lists_receipts=True,
        can_refund=True,
        gives_statements=True,
        currencies=frozenset({"BRL"}),
    )
    withdrawal_fields: ClassVar[Sequence[Field]] = (
        Field("bank_account_number", "Account number", pattern=r"[A-Z0-9]{2,10}"),
    )
    webhook_headers: ClassVar[Sequence[str]] = (MARK,)

    def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
        return self.order(transaction, transaction.details["bank_account_number"])

    def refund(self, transaction: OutgoingTransaction) -> Outcome:
        return self.order(transaction, transaction.payer or "")

    def order(self, transaction: OutgoingTransaction, account: str) -> Outcome:
        """Order once: the bank does not look, so the rail does, under the bank's lock."""
        with self.paper.lock:
            known = self.paper.find(transaction.key)
            return self.outcome(known or self.new(transaction, account))

    def new(self, transaction: OutgoingTransaction, account: str) -> Order | Refused:
        """Give it to the bank."""
        currency = transaction.currency or "USD"
        try:
            return self.paper.order(transaction.key, account, transaction.amount, currency)
        except ValueError as error:
            return Refused(str(error))

    def outcome(self, known: Order | Refused) -> Outcome:
        """Say what the bank's books say."""
        if isinstance(known, Refused):
            return known
        if known.is_settled:
            return Done(delivered_amount=known.amount, reference=known.reference)
        return Sent(reference=known.reference)

    def find_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome | None:
        known = self.paper.find(transaction.key)
        return known and self.outcome(known)

    def poll_outgoing_transactions(
        self, transactions: Sequence[OutgoingTransaction]
    ) -> Mapping[str, Outcome]:
        found = {each.key: self.paper.find(each.key) for each in transactions}
        return {key: self.outcome(order) for key, order in found.items() if order}

    def poll_pending_deposits(
        self, deposits: Sequence[PendingDeposit]
    ) -> Mapping[str, DepositAnswer]:
        self.paper.demand_open()
        return {each.transaction_id: self.answer(each) for each in deposits}

    def answer(self, deposit: PendingDeposit) -> DepositAnswer:
        """Say what has come for one."""
        booked = [each for each in self.paper.booked if each.reference == deposit.reference]
        came = [self.receipt(each) for each in booked]
        return Arrived(came) if came else Waiting()

    def receipt(self, booked: Receipt) -> Receipt:
        """Say what was booked."""
        return booked

    def receipts_since(self, cursor: str | None) -> ReceiptPage:
        self.paper.demand_open()
        begin = int(cursor or 0)
        page = self.paper.booked[begin : begin + PAGE]
        end = begin + len(page)
        receipts = [self.receipt(each) for each in page]
        return ReceiptPage(receipts, str(end), end == len(self.paper.booked))

    def statement(self, day: date) -> Statement:
        self.paper.demand_open()
        return Statement([each for each in self.paper.booked if each.booked_at.date() == day], [])

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        if not hmac.compare_digest(mark(body).encode(), headers.get(MARK, "").encode()):
            raise Rejected("the mark is not the bank's")
        return str(json.loads(body)["event"])

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes
    ) -> Sequence[Receipt | tuple[str, Outcome]]:
        event = json.loads(body)
        if "order" in event:
            known = self.paper.find(event["order"])
            return [(known.key, self.outcome(known))] if known else []
        booked = [each for each in self.paper.booked if each.receipt_id == event["booking"]]
        return [self.receipt(each) for each in booked]

    def check(self) -> str:
        return "there is paper"


class PaperContract(RailsContract):
    """What the contract needs of the paper bank. `kind` is the rail that is tried."""

    kind: ClassVar[type[PaperRail]] = PaperRail
    paper: ClassVar[Paper] = Paper()
    details: Mapping[str, str] = {"bank_account_number": "A1"}
    refused_details: Mapping[str, str] | None = {"bank_account_number": "XX1"}
    patience = 5
    pause_ms = 1

    def rails(self) -> RailsIntegration:
        return self.kind("paper", {}, self.paper)

    def unreachable(self) -> RailsIntegration:
        return self.kind("paper", {}, Paper(is_away=True))

    def losing_answers(self) -> RailsIntegration:
        return self.kind("paper", {}, Paper(loses_answers=True))

    def settle(self, order: OutgoingTransaction) -> None:
        for each in self.paper.orders:
            each.is_settled |= each.key == order.key

    def paid(self, order: OutgoingTransaction) -> Sequence[Transfer]:
        return [
            Transfer(each.key, each.amount, each.currency)
            for each in self.paper.orders
            if each.key == order.key
        ]

    def book(self, deposit: PendingDeposit) -> None:
        assert deposit.amount is not None
        self.paper.book(deposit.amount, deposit.reference)

    def reverse(self, receipt: Receipt) -> None:
        self.paper.booked.append(replace(receipt, is_reversed=True))

    def webhook(self, deposit: PendingDeposit) -> tuple[Mapping[str, str], bytes]:
        booked = [e for e in self.paper.booked if e.reference == deposit.reference]
        name = booked[0].receipt_id
        return event({"event": f"E{name}", "booking": name})

    def webhook_of(self, order: OutgoingTransaction) -> tuple[Mapping[str, str], bytes]:
        return event({"event": f"E{order.key}", "order": order.key})


def event(told: Mapping[str, str]) -> tuple[Mapping[str, str], bytes]:
    """Tell an event as the bank does."""
    body = json.dumps(told).encode()
    return {MARK: mark(body), "content-type": "application/json"}, body


def mark(body: bytes) -> str:
    """Sign as the bank does."""
    return hmac.new(SECRET, body, hashlib.sha256).hexdigest()

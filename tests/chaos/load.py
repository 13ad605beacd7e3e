"""The load: each order of the plan is played by a customer, and noted with what it did.

Whatever fails on the way of a customer is done again until it is certain: what an order's
`arrivals` name has happened, once.
"""

import queue
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import psycopg
import requests
from stellar_sdk import ChangeTrust, Keypair

from anchor.sandbox import CODE
from anchor.sandbox.wallet import Wallet, WalletError
from tests.chaos.cast import Cast
from tests.chaos.customers import Customers
from tests.chaos.plan import Order

#: What answers a call into the house that found nobody, or nobody yet.
_TRANSIENT = (requests.RequestException, psycopg.Error, OSError, WalletError, KeyError)
_PATIENCE_S = 240
#: Whose money the desk may send back, all of it or what came beside.
_GOES_BACK = ("wrong", "too little", "refuses", "twice")


class Load:
    """Plays orders in `hands` threads. `over` is set when no fault is to come any more."""

    def __init__(
        self, cast: Cast, customers: Customers, treasury: str, log: Callable[[str], None]
    ) -> None:
        self.cast = cast
        self.customers = customers
        self.ledger = customers.ledger
        self.treasury = treasury
        self.over = threading.Event()
        self.troubles: list[str] = []
        self._log = log
        self._orders: queue.Queue[Order] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._door = threading.Lock()
        self._few = threading.Semaphore(6)
        self._cli_refunds = 2
        self._wallet: Wallet | None = None

    def begin(self, orders: list[Order], hands: int) -> None:
        """Begin to play."""
        for order in orders:
            self._orders.put(order)
        self._began = monotonic()
        self._threads = [
            threading.Thread(target=self._hand, name=f"hand {n}", daemon=True) for n in range(hands)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self, timeout_s: int) -> None:
        """Wait until all orders were played to their end."""
        deadline = monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0, deadline - monotonic()))
            if thread.is_alive():
                self.troubles.append(f"{thread.name} does not come to its end")

    @property
    def left(self) -> int:
        """Return how many orders nobody has begun."""
        return self._orders.qsize()

    def _hand(self) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                return
            wait_s = self._began + order.at_s - monotonic()
            if wait_s > 0:
                sleep(wait_s)
            try:
                self._play(order)
            except Exception as error:
                self.troubles.append(f"order {order.number}, {order.story}: {error!r}")

    def _play(self, order: Order) -> None:
        if order.kind == "deposit":
            self._deposit(order)
        else:
            self._pay_in(order)
        if order.is_refunded and any(word in order.story for word in _GOES_BACK):
            self._refund(order)

    # -- withdrawals and sends -------------------------------------------------------------

    def _pay_in(self, order: Order) -> None:
        with self.customers.one() as keys:
            order.destination = keys.public_key
            if "doors" in order.story:
                self._open_by_door(order)
            else:
                self._open(order, keys.public_key)
            memo = order.address
            if "wrong memo" in order.story:
                memo = str(int(memo) ^ 1)
            cents = [order.cents]
            if "two operations" in order.story:
                cents = [order.cents // 3, order.cents - order.cents // 3]
            if "too little" in order.story:
                cents = [order.cents - 1]
            for _ in range(2 if "twice" in order.story else 1):
                paid = self.customers.pay(keys, self.treasury, memo, *cents)
                order.arrivals.append(paid)
        if "held" in order.story:
            self._hold(order)

    def _open_by_door(self, order: Order) -> None:
        """Open a withdrawal as a wallet does, by HTTP, until that goes well."""
        with self._door:

            def ask() -> bool:
                if self._wallet is None:
                    made = Wallet(self.cast.stage.url, self.cast.stage.network)
                    made.discover()
                    made.found()
                    made.log_in()
                    self._wallet = made
                row_id = self._wallet.ask_to_withdraw(CODE, str(order.amount), order.account_number)
                shown = self._wallet.transaction(row_id)
                order.id, order.address = row_id, shown["withdraw_memo"]
                return True

            self._insist(ask, order)

    def _hold(self, order: Order) -> None:
        """Hold it as soon as its money is in, unless that is too late, and let it go on."""

        def ask() -> bool:
            answer = self._act(order, "hold", row_id=order.id)
            over = self._status(order) in {"completed", "pending_external"}
            return "refused" not in answer or over

        self._insist(ask, order)
        answer = self._act(order, "release", row_id=order.id)
        order.notes.append(f"release: {answer}")

    # -- deposits --------------------------------------------------------------------------

    def _deposit(self, order: Order) -> None:
        keys = self.customers.everyone[order.number % len(self.customers.everyone)]
        is_new = "not there yet" in order.story
        if is_new or "trusts later" in order.story:
            keys = Keypair.random()
            if not is_new:
                self.ledger.found(keys.public_key)
        order.destination = keys.public_key
        self._open(order, keys.public_key)
        reference = "nobody's" if "wrong reference" in order.story else order.address
        cents = order.cents - 1 if "too little" in order.story else order.cents
        for _ in range(2 if "twice" in order.story else 1):
            self._book(order, cents, reference)
        if is_new or "trusts later" in order.story:
            self._trust_later(order, keys)

    def _book(self, order: Order, cents: int, reference: str) -> None:
        """Let the bank book money: its booking desk never fails, only what it tells."""
        amount = f"{cents // 100}.{cents % 100:02d}"
        body = {"amount": amount, "reference": reference, "payer": order.account_number}
        order.arrivals.append(self.cast.stage.bank("/deposits", **body)["id"])

    def _trust_later(self, order: Order, keys: Keypair) -> None:
        """Wait until the anchor waits for the account's trust (or has made it), then trust."""

        def waits() -> bool:
            known = self.ledger.get(f"/accounts/{keys.public_key}") is not None
            return known and self._status(order) == "pending_trust"

        self._insist(waits, order)
        self.ledger.settle(keys, [ChangeTrust(self.customers.asset)])
        order.notes.append("trusts")

    # -- the desk --------------------------------------------------------------------------

    def _refund(self, order: Order) -> None:
        """Send what nobody can credit back as soon as it can be; make sure that it is on its way.

        Of two that name the same transaction that is the one which the anchor called second.
        """

        def ask() -> bool:
            found = self._refundable(order)
            if found is None:
                return False
            arrival, cause = found
            if not self._is_refunded(arrival):
                self._send_back(order, cause)
            if self._is_refunded(arrival):
                order.refunded.append(arrival)
                return True
            return False

        self._insist(ask, order)

    def _send_back(self, order: Order, cause: str) -> None:
        """Refund by the command line the first few times: it takes its time."""
        with self._door:
            by_command = self._cli_refunds > 0
            self._cli_refunds -= by_command
        if by_command:
            done = self.cast.stage.command("refund", cause, "--by", "chaos", "--note", "journey")
            order.notes.append(f"refund by command: {done.returncode} {done.stderr.strip()}")
        else:
            order.notes.append(f"refund: {self.cast.inside.ask('refund', cause=cause)}")

    def _refundable(self, order: Order) -> tuple[str, str] | None:
        """Return the arrival that is to go back, and its name in the house once it is judged."""
        found = self._sql(
            "SELECT transaction_hash, 'payment ' || network_id || '/' || operation_id || '/'"
            " || index, verdict FROM payments WHERE transaction_hash = ANY(%s)"
            " AND direction = 'in' UNION ALL SELECT receipt_id, 'receipt bank/' || receipt_id,"
            " verdict FROM receipts WHERE receipt_id = ANY(%s)",
            order.arrivals,
            order.arrivals,
        )
        if "refuses" in order.story:
            if not self._is_refused(order):
                return None
            wanted = {"credited"}
        else:
            wanted = {"unmatched", "second", "too_small", "late"}
        return next(((name, cause) for name, cause, verdict in found if verdict in wanted), None)

    def _is_refunded(self, arrival: str) -> bool:
        found = self._sql(
            "SELECT 1 FROM outflows o LEFT JOIN payments p ON p.id = o.payment_id"
            " LEFT JOIN receipts r ON r.id = o.receipt_id WHERE o.kind = 'refund'"
            " AND o.state <> 'refused' AND %s IN (p.transaction_hash, r.receipt_id)",
            arrival,
        )
        return bool(found)

    def _is_refused(self, order: Order) -> bool:
        found = self._sql(
            "SELECT 1 FROM outflows WHERE transaction_id = %s AND kind = 'payout'"
            " AND state = 'refused'",
            order.id,
        )
        return bool(found)

    def _status(self, order: Order) -> str:
        return str(self._sql("SELECT status FROM transactions WHERE id = %s", order.id)[0][0])

    def _sql(self, query: str, *values: Any) -> list[Any]:
        """Ask the database, few at a time: its connections are for the anchor."""
        with self._few:
            return self.cast.stage.sql(query, *values)

    # -- asking until there is an answer -----------------------------------------------------

    def _open(self, order: Order, owner: str) -> None:
        what = {"owner": owner, "amount": str(order.amount), "account": order.account_number}
        answer = self._act(order, order.kind, **what)
        assert "id" in answer, answer
        order.id, order.address = answer["id"], answer["address"]

    def _act(self, order: Order, act: str, **what: str) -> dict[str, Any]:
        """Ask inside until the answer is certain; opened twice, a transaction stays unpaid."""
        answer: dict[str, Any] = {}

        def ask() -> bool:
            answer.clear()
            answer.update(self.cast.inside.ask(act, **what))
            return "error" not in answer

        self._insist(ask, order)
        return answer

    def _insist(self, what: Callable[[], bool], order: Order) -> None:
        """Try until it is so: for long after the last fault, and then say that it is not."""
        deadline: float | None = None
        while True:
            try:
                if what():
                    return
            except _TRANSIENT as error:
                self._log(f"order {order.number}, {order.story}: {error!r}")
            if self.over.is_set():
                deadline = deadline or monotonic() + _PATIENCE_S
                if monotonic() > deadline:
                    raise AssertionError(f"waited in vain; {order.notes}")
            sleep(1)

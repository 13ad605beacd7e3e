"""Customers on the ledger: they pay and trust, and know for certain what became of it.

A payment is built with time bounds and submitted again and again until its hash is in a
ledger, or a ledger that closed after the bounds shows that it never can be.
"""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic, sleep
from typing import Any

import requests
from stellar_sdk import (
    Account,
    Asset,
    ChangeTrust,
    CreateAccount,
    IdMemo,
    Keypair,
    Network,
    Operation,
    Payment,
    TransactionBuilder,
)

_BOUND_S = 20
_FEE = 10_000
_GIVE_UP_S = 600


class Ledger:
    """A network as its users see it: what is asked for is asked for until it answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = requests.Session()
        self._http.mount(url, requests.adapters.HTTPAdapter(pool_maxsize=40))

    def get(self, path: str, **query: Any) -> Any:
        """Return what is there, or None for 404."""
        deadline = monotonic() + _GIVE_UP_S
        while monotonic() < deadline:
            try:
                answer = self._http.get(self.url + path, params=query, timeout=10)
            except requests.RequestException:
                sleep(0.3)
                continue
            if answer.status_code == 404:
                return None
            if answer.ok:
                return answer.json()
            sleep(0.3)
        raise AssertionError(f"{path} never answered")

    def records(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Return a whole list, from its beginning."""
        found: list[dict[str, Any]] = []
        while True:
            cursor = found[-1]["paging_token"] if found else "0"
            page = self.get(path, order="asc", limit=200, cursor=cursor, **query)
            records = page["_embedded"]["records"] if page else []
            if not records:
                return found
            found += records

    def post(self, path: str, **form: str) -> None:
        """Hand something in, once; nobody knows what became of it."""
        try:
            self._http.post(self.url + path, data=form, timeout=10)
        except requests.RequestException:
            return

    def closed_at(self) -> float:
        """Return when the newest ledger that is shown closed."""
        root = self.get("/")
        return datetime.fromisoformat(root["history_latest_ledger_closed_at"]).timestamp()

    def found(self, account_id: str) -> None:
        """Create an account by the friendly bot."""
        while self.get(f"/accounts/{account_id}") is None:
            try:
                self._http.get(f"{self.url}/friendbot", params={"addr": account_id}, timeout=30)
            except requests.RequestException:
                sleep(0.3)

    def settle(
        self, keys: Keypair, operations: list[Operation], memo: str = "", *others: Keypair
    ) -> str:
        """Get operations of an account into a ledger, once; return the hash."""
        while True:
            known = self.get(f"/accounts/{keys.public_key}")
            account = Account(keys.public_key, int(known["sequence"]))
            builder = TransactionBuilder(account, Network.TESTNET_NETWORK_PASSPHRASE, _FEE)
            max_time = int(self.closed_at()) + _BOUND_S
            builder.add_time_bounds(0, max_time)
            if memo:
                builder.add_memo(IdMemo(int(memo)))
            for operation in operations:
                builder.append_operation(operation)
            envelope = builder.build()
            for signer in (keys, *others):
                envelope.sign(signer)
            if self._brought_in(envelope.hash_hex(), envelope.to_xdr(), max_time):
                return envelope.hash_hex()

    def _brought_in(self, hash_: str, envelope_xdr: str, max_time: int) -> bool:
        while True:
            self.post("/transactions_async", tx=envelope_xdr)
            for _ in range(6):
                sleep(0.5)
                closed_at = self.closed_at()  # first: what is not found then never will be
                found = self.get(f"/transactions/{hash_}")
                if found is not None:
                    assert found["successful"], found
                    return True
                if closed_at > max_time:
                    return False


class Customers:
    """Accounts with money of the asset; each is used by one hand at a time."""

    def __init__(self, ledger: Ledger, asset: Asset, issuer: Keypair, count: int) -> None:
        self.ledger = ledger
        self.asset = asset
        self.everyone = [Keypair.random() for _ in range(count)]
        self._free: queue.Queue[Keypair] = queue.Queue()
        for begin in range(0, count, 10):
            self._equip(self.everyone[begin : begin + 10], issuer)
        for keys in self.everyone:
            self._free.put(keys)

    def _equip(self, some: list[Keypair], issuer: Keypair) -> None:
        operations: list[Operation] = []
        for keys in some:
            operations.append(CreateAccount(keys.public_key, "50"))
            operations.append(ChangeTrust(self.asset, source=keys.public_key))
            operations.append(Payment(keys.public_key, self.asset, "100000"))
        self.ledger.settle(issuer, operations, "", *some)

    @contextmanager
    def one(self) -> Iterator[Keypair]:
        """Have one customer for oneself."""
        keys = self._free.get()
        try:
            yield keys
        finally:
            self._free.put(keys)

    def pay(self, keys: Keypair, to: str, memo: str, *cents: int) -> str:
        """Pay amounts to an account in one transaction, an operation each."""
        operations: list[Operation] = [
            Payment(to, self.asset, f"{each // 100}.{each % 100:02d}") for each in cents
        ]
        return self.ledger.settle(keys, operations, memo)

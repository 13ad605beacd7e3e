"""A recorded network played again, envelope by envelope, at its own instants and ledger numbers.

The sandbox closes its ledgers by hand and takes its time from the recording, so accounts get the
recorded sequence numbers: the recorded signatures hold, and hashes and tokens come out the same.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests
from stellar_sdk import (
    Account,
    Asset,
    FeeBumpTransactionEnvelope,
    Keypair,
    Payment,
    TransactionBuilder,
    TransactionEnvelope,
)

from anchor.sandbox.network import Sandbox

VECTORS = Path(__file__).parents[1] / "vectors"
Vector = dict[str, Any]
ROOT_TRANSACTIONS_BEFORE = 14
# the sandbox has no offers: here the user pays so many XLM to the market maker for so many USDC
EXCHANGES = {"path_receive:xlm_to_usd": ("20", "10"), "path_send:xlm_to_usd": ("10", "5")}
HELD_BACK = {"Date", "Content-Length", "Content-Encoding", "Connection", "Transfer-Encoding"}


@cache
def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def passphrase() -> str:
    return str(load("transactions")["passphrase"])


def keypair(name: str) -> Keypair:
    seed = passphrase() if name == "root" else f"vec3:{name}"
    return Keypair.from_raw_ed25519_seed(sha256(seed.encode()).digest())


def read(envelope_xdr: str) -> tuple[str, TransactionEnvelope]:
    """The hash of an envelope, and the envelope itself or the one inside a fee bump."""
    if FeeBumpTransactionEnvelope.is_fee_bump_transaction_envelope(envelope_xdr):
        bump = FeeBumpTransactionEnvelope.from_xdr(envelope_xdr, passphrase())
        return bump.hash_hex(), bump.transaction.inner_transaction_envelope
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):  # allow_trust
        envelope = TransactionEnvelope.from_xdr(envelope_xdr, passphrase())
    return envelope.hash_hex(), envelope


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from objects(inner)


@cache
def places() -> dict[str, tuple[int, int]]:
    """Ledger and position (from 1) of each recorded transaction that is known, by hash."""
    found: dict[str, tuple[int, int]] = {}
    for each in objects([load("transactions")["vectors"], load("gets"), load("sse")]):
        token = each.get("paging_token", "")
        hash_ = each.get("transaction_hash") or (each.get("hash") if "envelope_xdr" in each else "")
        if hash_ and token.isdigit():
            found[hash_] = (int(token) >> 32, (int(token) & 0xFFFFFFFF) >> 12)
    return found


@cache
def closings() -> dict[int, float]:
    """When the recorded ledgers closed, as far as a record tells."""
    found: dict[int, float] = {}
    for each in objects([load("transactions")["vectors"], load("gets"), load("sse")]):
        token, instant = each.get("paging_token", ""), each.get("created_at", each.get("closed_at"))
        if token.isdigit() and instant:
            found[int(token) >> 32] = datetime.fromisoformat(instant).timestamp()
    return found


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @classmethod
    def of(cls, response: requests.Response, url: str) -> "Answer":
        text = response.text.replace(url, "http://horizon")
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        kept = {k: v for k, v in response.headers.items() if k not in HELD_BACK}
        return cls(response.status_code, kept, body)


@dataclass
class Played:
    """What the sandbox answered to one recorded submission."""

    answer: Answer
    by_hash: Answer | None = None
    sequence_before: int | None = None
    sequence_after: int | None = None


@dataclass
class Replay:
    """A sandbox with a clock of its own that is brought to the recorded places."""

    state_file: Path | None = None
    now: float = 0
    submissions: dict[str, Played] = field(default_factory=dict)
    stand_ins: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        vectors = load("transactions")["vectors"]
        self.now = vectors[0]["at"] - 60
        self.sandbox = Sandbox(
            passphrase(),
            close_every_s=0,
            close_on_submit=True,
            clock=lambda: self.now,
            state_file=self.state_file,
        )
        self.http = requests.Session()
        self.http.trust_env = False

    def __enter__(self) -> "Replay":
        self.sandbox.start()
        if self.ledger == 1:
            self._use_up_root()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.sandbox.stop()

    @property
    def ledger(self) -> int:
        return self.sandbox.network.core.sequence

    def close_until(self, ledger: int) -> None:
        while self.ledger < ledger:
            self.now = closings().get(self.ledger + 1, self.now)
            self.sandbox.network.close_ledger()

    def get(self, path: str, **headers: str) -> Answer:
        response = self.http.get(self.sandbox.url + path, headers=headers, timeout=10)
        return Answer.of(response, self.sandbox.url)

    def post(self, tx: str | None, path: str = "/transactions") -> Answer:
        data = {} if tx is None else {"tx": tx}
        response = self.http.post(self.sandbox.url + path, data=data, timeout=10)
        return Answer.of(response, self.sandbox.url)

    def sequence(self, account: str) -> int | None:
        answer = self.get(f"/accounts/{account}")
        return int(answer.body["sequence"]) if answer.status == 200 else None

    def go_to(self, hash_: str, at: float) -> None:
        """Bring clock and ledger to where a transaction was recorded."""
        self.now = max(self.now, at)
        ledger, _ = places().get(hash_, (0, 0))
        self.close_until(ledger - 1)
        self.now = closings().get(ledger, self.now)

    def play(self, vector: Vector) -> Played:
        tx = vector.get("tx")
        if tx is None or vector["body"].get("title") == "Transaction Malformed":
            return Played(self.post(tx))
        hash_, envelope = read(tx)
        source = envelope.transaction.source.account_id
        self.go_to(hash_, vector["at"])
        before = self.sequence(source)
        answer = self.post(tx)
        by_hash = self.get(f"/transactions/{hash_}")
        return Played(answer, by_hash, before, self.sequence(source))

    def send(
        self, name: str, sequence: int, fee: int, *operations: Any, signers: Sequence[str] = ()
    ) -> Answer:
        """Send operations of a named account that no recording holds."""
        source = keypair(name)
        builder = TransactionBuilder(Account(source.public_key, sequence), passphrase(), fee)
        for operation in operations:
            builder.append_operation(operation)
        envelope = builder.add_time_bounds(0, 0).build()
        for signer in (source, *map(keypair, signers)):
            envelope.sign(signer)
        return self.post(envelope.to_xdr())

    def _use_up_root(self) -> None:
        root = keypair("root").public_key
        for sequence in range(ROOT_TRANSACTIONS_BEFORE):
            self.send("root", sequence, 100, Payment(root, Asset.native(), "1"))

    def play_all(self) -> None:
        """Play every recorded submission, and stand in for what the sandbox has not."""
        for vector in load("transactions")["vectors"]:
            if vector["name"] in EXCHANGES:
                self._exchange(vector, *EXCHANGES[vector["name"]])
            elif vector["name"] != "tx:json_body":
                self.submissions[vector["name"]] = self.play(vector)

    def _exchange(self, vector: Vector, paid: str, bought: str) -> None:
        """Let the market maker sell as the recorded path payment did, at the same cost."""
        hash_, envelope = read(vector["tx"])
        self.go_to(hash_, vector["at"])
        second_fee = Decimal(envelope.transaction.fee) / 10**7
        maker, usdc = keypair("mm"), Asset("USDC", keypair("issuer").public_key)
        lumens = Payment(maker.public_key, Asset.native(), str(Decimal(paid) - second_fee))
        coins = Payment(keypair("dist").public_key, usdc, bought, source=maker.public_key)
        sequence = envelope.transaction.sequence - 1
        answer = self.send("user", sequence, 100, lumens, coins, signers=("mm",))
        assert answer.status == 200
        self.stand_ins.add(answer.body["hash"])

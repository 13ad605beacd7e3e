"""The network itself: it takes envelopes, closes ledgers and keeps their history."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Any

from stellar_sdk import Account as SequenceHolder
from stellar_sdk import Keypair, TransactionBuilder
from stellar_sdk import Network as Passphrases

from anchor.sandbox.network.apply import apply_transaction, charge_fee
from anchor.sandbox.network.contracts.changes import Change, apply_change
from anchor.sandbox.network.contracts.registry import Contracts
from anchor.sandbox.network.entries import Account, State
from anchor.sandbox.network.envelope import Envelope, parse_envelope
from anchor.sandbox.network.history import History
from anchor.sandbox.network.journal import Journal
from anchor.sandbox.network.ledgers import Ledger
from anchor.sandbox.network.records import TransactionRecord, record_transaction
from anchor.sandbox.network.results import TransactionOutcome
from anchor.sandbox.network.validity import Check, Moment
from anchor.sandbox.network.values import TOTAL_COINS_STROOPS, network_id

BASE_FEE = 100
FRIENDBOT_XLM = 10_000


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a submitted envelope.

    `status`: "pending" (waits for a ledger), "duplicate" (is waiting already),
    "try_again_later" (another one of its source waits), "applied" (is in a
    ledger: `record`) or "refused" (no ledger takes it: `outcome`).
    """

    status: str
    envelope: Envelope
    outcome: TransactionOutcome | None = None
    record: TransactionRecord | None = None


class Network:
    """A local Stellar network; every method may be called from any thread."""

    def __init__(
        self,
        passphrase: str = Passphrases.TESTNET_NETWORK_PASSPHRASE,
        *,
        state_file: Path | None = None,
        close_every_s: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin, or go on from `state_file`; without `close_every_s` ledgers close on demand."""
        self.passphrase = passphrase
        self.close_every_s = close_every_s
        self.clock = clock
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.era = 0
        # several waiting transactions of one source: core took them until its version 20
        self.takes_chains = False
        self._ahead_s = 0
        self.root = Keypair.from_raw_ed25519_seed(network_id(passphrase))
        self._journal = Journal(state_file) if state_file else None
        lines = self._journal.read() if self._journal else []
        if lines:
            self._replay(lines)
        else:
            self._begin()

    # -- life ---------------------------------------------------------------------------------

    def _begin(self) -> None:
        started_at = int(self.clock())
        self._genesis(started_at)
        if self._journal:
            self._journal.begin({"passphrase": self.passphrase, "at": started_at})

    def _genesis(self, started_at: int) -> None:
        self.base_fee = BASE_FEE
        self.surge_fee = 0
        self.state = State()
        draft = self.state.draft()
        draft.accounts.put(
            self.root.public_key, Account(self.root.public_key, TOTAL_COINS_STROOPS, 0)
        )
        draft.commit(1)
        self.history = History()
        self.contracts = Contracts(self.passphrase, self.root.public_key)
        self.core = Ledger(1, started_at, bytes(32), bytes(32), self.base_fee, 0)
        self.history.add(self.core, [])
        self._queue: list[Envelope] = []
        self._dropped: dict[str, TransactionOutcome] = {}
        self._frozen: list[tuple[Ledger, list[TransactionRecord]]] | None = None
        self._shown: State | None = None
        self.era += 1

    def _replay(self, lines: list[dict[str, Any]]) -> None:
        if lines[0]["passphrase"] != self.passphrase:
            raise ValueError("the state file belongs to a network with another passphrase")
        self._genesis(lines[0]["at"])
        for line in lines[1:]:
            if "forget" in line:
                self.history.forget_before(line["forget"])
            elif "surge_fee" in line:
                self.surge_fee = line["surge_fee"]
            elif "base_fee" in line:
                self.base_fee = line["base_fee"]
            elif "contract_account" in line:
                self.contracts.add_account(line["contract_account"], self.core.sequence)
            elif "contracts" in line:
                apply_change(line["contracts"], self.contracts, self.state, self.core.sequence)
            else:
                queue = [parse_envelope(text, self.passphrase) for text in line.get("txs", [])]
                self._close(queue, line["at"])
                if self.core.hash.hex()[:16] != line["hash"]:
                    raise ValueError("the state file was written by another version: remove it")

    def reset(self) -> None:
        """Begin again at ledger 1 with the same passphrase."""
        with self.lock:
            self._begin()
            self.changed.notify_all()

    def stop(self) -> None:
        """Close the state file."""
        with self.lock:
            if self._journal:
                self._journal.close()

    def _note(self, line: dict[str, Any]) -> None:
        if self._journal:
            self._journal.append(line)

    # -- submitting ---------------------------------------------------------------------------

    def _moment(self, *, spent: int = 0) -> Moment:
        close_at, margin_s = self._now(), ceil(2 * (self.close_every_s or 0))
        fee = self.needed_fee
        return Moment(self.core.sequence + 1, close_at, close_at + margin_s, fee, spent)

    def _now(self) -> int:
        return max(int(self.clock()) + self._ahead_s, self.core.closed_at)

    @property
    def needed_fee(self) -> int:
        """The bid in stroops for each operation without which no ledger takes a transaction."""
        return max(self.base_fee, self.surge_fee)

    def submit(self, envelope_xdr: str, *, knows_applied: bool = True) -> Submission:
        """Check an envelope and queue it for the next ledger; raises Malformed.

        One that is in a ledger already is "applied", or checked like any other
        without `knows_applied` (its sequence number is used up then).
        """
        envelope = parse_envelope(envelope_xdr, self.passphrase)
        with self.lock:
            known = self.find(envelope.outer_hash.hex()) if knows_applied else None
            if known is not None:
                return Submission("applied", envelope, record=known)
            return self._enqueue(envelope, chained=False)

    def hash_of(self, envelope_xdr: str) -> str:
        """Return the outer hash of an envelope in hex; raises Malformed."""
        return parse_envelope(envelope_xdr, self.passphrase).outer_hash.hex()

    def refusal(self, envelope_xdr: str, wanted: str) -> TransactionOutcome:
        """Return the outcome of an envelope with this result code, whether true or not.

        `wanted` is a word of Horizon's for a transaction's code, or for that of its first
        operation. Raises Malformed for the envelope, ValueError for the word.
        """
        envelope = parse_envelope(envelope_xdr, self.passphrase)
        with self.lock:
            return Check(envelope, self.state, self._moment()).told(wanted)

    def _enqueue(self, envelope: Envelope, *, chained: bool) -> Submission:
        waiting = [each for each in self._queue if each.source.account == envelope.source.account]
        if any(each.outer_hash == envelope.outer_hash for each in waiting):
            return Submission("duplicate", envelope)
        if waiting and not (chained or self.takes_chains):
            return Submission("try_again_later", envelope)
        outcome = Check(envelope, self.state, self._moment(spent=len(waiting))).run()
        if outcome is not None:
            return Submission("refused", envelope, outcome)
        self._queue.append(envelope)
        self._dropped.pop(envelope.outer_hash.hex(), None)
        self.changed.notify_all()
        return Submission("pending", envelope)

    def find(self, hash_: str) -> TransactionRecord | None:
        """Return a transaction that is in a ledger, by its outer hash, ingested or not."""
        with self.lock:
            record = self.history.by_hash.get(hash_)
            if record is None and self._frozen:
                found = [each for _, records in self._frozen for each in records]
                record = next((each for each in found if each.hash == hash_), None)
            return record

    def wait(self, submission: Submission, timeout_s: float) -> Submission:
        """Wait until a pending or delayed submission is in an ingested ledger, or refused.

        Gives back the last thing known, "pending" or "try_again_later", when time is up.
        """
        if submission.status == "refused":
            return submission
        hash_ = submission.envelope.outer_hash.hex()
        deadline = time.monotonic() + timeout_s
        with self.lock:
            while True:
                record = self.history.by_hash.get(hash_)
                if record is not None:
                    return Submission("applied", submission.envelope, record=record)
                if hash_ in self._dropped:
                    return Submission("refused", submission.envelope, self._dropped.pop(hash_))
                if submission.status == "try_again_later":
                    submission = self._enqueue(submission.envelope, chained=False)
                    if submission.status == "refused":
                        return submission
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    return submission

    def friendbot(self, address: str) -> Submission:
        """Queue the creation of an account with 10 000 XLM by the root account."""
        with self.lock:
            own = [each for each in self._queue if each.source.account == self.root.public_key]
            account = self.state.accounts.read(self.root.public_key)
            sequence = (account.sequence if account else 0) + len(own)
            builder = TransactionBuilder(
                SequenceHolder(self.root.public_key, sequence), self.passphrase, self.needed_fee
            )
            builder.append_create_account_op(address, str(FRIENDBOT_XLM)).add_time_bounds(0, 0)
            envelope = builder.build()
            envelope.sign(self.root)
            parsed = parse_envelope(envelope.to_xdr(), self.passphrase)
            return self._enqueue(parsed, chained=True)

    # -- closing ------------------------------------------------------------------------------

    @property
    def waiting(self) -> list[str]:
        """The outer hashes of the transactions that wait for a ledger, in their order."""
        return [envelope.outer_hash.hex() for envelope in self._queue]

    def close_ledger(self) -> Ledger:
        """Close a ledger now with what waits, publish it to lists and streams, and return it."""
        with self.lock:
            queue, self._queue = self._queue, []
            close_at = self._now()
            taken = self._close(queue, close_at)
            line: dict[str, Any] = {"hash": self.core.hash.hex()[:16], "at": close_at}
            if taken:
                line["txs"] = [envelope.text for envelope in taken]
            self._note(line)
            self.changed.notify_all()
            return self.core

    def _close(self, queue: list[Envelope], close_at: int) -> list[Envelope]:
        """Apply a queue as the next ledger; returns the envelopes that are in it."""
        sequence = self.core.sequence + 1
        taken = self._still_valid(queue, sequence, close_at)
        moment = Moment(sequence, close_at, close_at, self.needed_fee)
        fees = [charge_fee(Check(each, self.state, moment), self.state, sequence) for each in taken]
        records = []
        for index, (envelope, fee) in enumerate(zip(taken, fees, strict=True), 1):
            applied = apply_transaction(envelope, self.state, moment, fee, self.contracts)
            records.append(record_transaction(applied, sequence, index, close_at))
        successful = [record for record in records if record.successful]
        self.core = Ledger(
            sequence=sequence,
            closed_at=close_at,
            previous_hash=self.core.hash,
            results_hash=sha256("".join(r.hash + r.result_xdr for r in records).encode()).digest(),
            base_fee=self.base_fee,
            fee_pool=self.core.fee_pool + sum(fees),
            successful=len(successful),
            failed=len(records) - len(successful),
            operations=sum(len(record.operations) for record in successful),
            operations_in_set=sum(len(record.operations) for record in records),
        )
        if self._frozen is None:
            self.history.add(self.core, records)
        else:
            self._frozen.append((self.core, records))
        return taken

    def _still_valid(self, queue: list[Envelope], sequence: int, close_at: int) -> list[Envelope]:
        taken: list[Envelope] = []
        spent: dict[str, int] = {}
        for envelope in queue:
            source = envelope.source.account
            moment = Moment(sequence, close_at, close_at, self.needed_fee, spent.get(source, 0))
            outcome = Check(envelope, self.state, moment).run()
            if outcome is None:
                taken.append(envelope)
                spent[source] = spent.get(source, 0) + 1
            else:
                self._dropped[envelope.outer_hash.hex()] = outcome
        return taken

    # -- ingestion ----------------------------------------------------------------------------

    @property
    def shown(self) -> State:
        """The entries that Horizon shows: those of the ledger it has ingested."""
        return self._shown or self.state

    def freeze(self) -> None:
        """Stop ingesting: ledgers close, but lists, streams and accounts stay as they are."""
        with self.lock:
            if self._frozen is None:
                self._frozen, self._shown = [], self.state.copy()

    def thaw(self) -> None:
        """Ingest what has closed since `freeze`."""
        with self.lock:
            for ledger, records in self._frozen or []:
                self.history.add(ledger, records)
            self._frozen, self._shown = None, None
            self.changed.notify_all()

    def forget_before(self, sequence: int) -> None:
        """Forget the history before a ledger."""
        with self.lock:
            self.history.forget_before(sequence)
            self._note({"forget": sequence})

    def add_contract_account(self, key: str) -> str:
        """Deploy the account contract of a key (G…); return its id (C…)."""
        with self.lock:
            if key not in self.contracts.keys.values():
                self._note({"contract_account": key})
            return self.contracts.add_account(key, self.core.sequence)

    def change_contracts(self, change: Change) -> None:
        """Do to contracts what no transaction here does (`contracts/changes.py` has the words)."""
        with self.lock:
            self._note({"contracts": change})
            apply_change(change, self.contracts, self.state, self.core.sequence)

    def set_base_fee(self, stroops: int) -> None:
        """Change the base fee from the next ledger on."""
        with self.lock:
            self.base_fee = stroops
            self._note({"base_fee": stroops})

    def set_surge_fee(self, stroops: int) -> None:
        """Ask more than the base fee for each operation, as a full ledger does; 0 ends it."""
        with self.lock:
            self.surge_fee = stroops
            self._note({"surge_fee": stroops})

    def set_clock_ahead(self, seconds: int) -> None:
        """Close ledgers so far ahead of the clock from now on; they never go back."""
        with self.lock:
            self._ahead_s = seconds

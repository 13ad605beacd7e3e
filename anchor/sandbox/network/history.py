"""What Horizon has ingested: ledgers and all that is in them, in the order of their tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

from anchor.sandbox.network.ledgers import Ledger
from anchor.sandbox.network.records import EffectRecord, OperationRecord, TransactionRecord
from anchor.sandbox.network.values import ledger_token


@dataclass(slots=True)
class Shelf:
    """The records of one account, or of the whole network, by token."""

    transactions: list[TransactionRecord] = field(default_factory=list)
    operations: list[OperationRecord] = field(default_factory=list)
    payments: list[OperationRecord] = field(default_factory=list)
    effects: list[EffectRecord] = field(default_factory=list)

    def forget(self, token: int) -> None:
        """Drop what stands before a token."""
        for kept in (self.transactions, self.operations, self.payments, self.effects):
            del kept[: bisect_left(kept, token, key=lambda record: record.token)]


class History:
    """Everything that lists and streams show."""

    def __init__(self) -> None:
        self.ledgers: list[Ledger] = []
        self.all = Shelf()
        self.accounts: defaultdict[str, Shelf] = defaultdict(Shelf)
        self.balances: defaultdict[str, Shelf] = defaultdict(Shelf)
        self.by_hash: dict[str, TransactionRecord] = {}

    @property
    def elder(self) -> int:
        """The number of the oldest ledger kept."""
        return self.ledgers[0].sequence

    @property
    def latest(self) -> Ledger:
        """The newest ledger."""
        return self.ledgers[-1]

    def ledger(self, sequence: int) -> Ledger | None:
        """Return a ledger that is kept."""
        index = sequence - self.elder
        return self.ledgers[index] if 0 <= index < len(self.ledgers) else None

    def add(self, ledger: Ledger, transactions: list[TransactionRecord]) -> None:
        """Append a closed ledger."""
        self.ledgers.append(ledger)
        for transaction in transactions:
            self._add_transaction(transaction)

    def _add_transaction(self, transaction: TransactionRecord) -> None:
        self.by_hash[transaction.hash] = transaction
        if transaction.inner_hash is not None:
            self.by_hash[transaction.inner_hash] = transaction
        self.all.transactions.append(transaction)
        for account in transaction.parties:
            self.accounts[account].transactions.append(transaction)
        for balance in transaction.balances:
            self.balances[balance].transactions.append(transaction)
        for operation in transaction.operations:
            shelves = [self.accounts[account] for account in operation.parties]
            shelves += [self.balances[balance] for balance in operation.balances]
            for shelf in [self.all, *shelves]:
                shelf.operations.append(operation)
                if operation.is_payment:
                    shelf.payments.append(operation)
            for effect in operation.effects:
                self.all.effects.append(effect)
                self.accounts[effect.account].effects.append(effect)

    def operation(self, token: int) -> OperationRecord | None:
        """Return an operation by its id."""
        kept = self.all.operations
        index = bisect_left(kept, token, key=lambda record: record.token)
        return kept[index] if index < len(kept) and kept[index].token == token else None

    def in_ledger(self, sequence: int) -> Shelf:
        """Return the records of one ledger."""
        first, last = ledger_token(sequence), ledger_token(sequence + 1)
        found = Shelf()
        for name in ("transactions", "operations", "payments", "effects"):
            kept = getattr(self.all, name)
            start = bisect_left(kept, first, key=lambda record: record.token)
            end = bisect_right(kept, last - 1, key=lambda record: record.token)
            setattr(found, name, kept[start:end])
        return found

    def forget_before(self, sequence: int) -> None:
        """Drop the ledgers before `sequence` and all that is in them; the newest stays."""
        sequence = min(sequence, self.latest.sequence)
        token = ledger_token(sequence)
        gone = [record for record in self.all.transactions if record.token < token]
        for record in gone:
            self.by_hash.pop(record.hash, None)
            self.by_hash.pop(record.inner_hash or "", None)
        for shelf in [self.all, *self.accounts.values(), *self.balances.values()]:
            shelf.forget(token)
        del self.ledgers[: max(0, sequence - self.elder)]

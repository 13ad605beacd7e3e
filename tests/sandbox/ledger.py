"""A network without HTTP for tests: accounts with names, one call a transaction."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from stellar_sdk import Account, Asset, Keypair, TransactionBuilder
from stellar_sdk.operation import Operation

from anchor.sandbox.network import Network
from anchor.sandbox.network.records import TransactionRecord
from anchor.sandbox.network.results import TransactionOutcome

START = 1_700_000_000


def key(name: str) -> Keypair:
    return Keypair.from_raw_ed25519_seed(sha256(name.encode()).digest())


def address(name: str) -> str:
    return key(name).public_key


def usd(issuer: str = "issuer") -> Asset:
    return Asset("USD", address(issuer))


class Ledger:
    """A network whose ledgers close with each transaction and whose clock is set by hand."""

    def __init__(self, state_file: Path | None = None) -> None:
        self.now = START
        self.network = Network(state_file=state_file, clock=lambda: self.now)

    def fund(self, *names: str) -> None:
        for name in names:
            self.network.friendbot(address(name))
        self.close()

    def close(self) -> None:
        self.network.close_ledger()

    def sequence(self, name: str) -> int:
        account = self.network.state.accounts.read(address(name))
        return account.sequence if account else 0

    def envelope(
        self,
        source: str,
        operations: Sequence[Operation],
        *,
        fee: int = 100,
        signers: Sequence[str] = (),
        ahead: int = 1,
    ) -> str:
        """An envelope; `fee` is the bid for each operation, `ahead` of the sequence number."""
        holder = Account(address(source), self.sequence(source) + ahead - 1)
        builder = TransactionBuilder(holder, self.network.passphrase, fee)
        for operation in operations:
            builder.append_operation(operation)
        envelope = builder.add_time_bounds(0, 0).build()
        for name in dict.fromkeys([source, *signers]):
            envelope.sign(key(name))
        return envelope.to_xdr()

    def send(
        self, source: str, *operations: Operation, fee: int = 100, signers: Sequence[str] = ()
    ) -> TransactionRecord | TransactionOutcome:
        """Submit and close: the record, or the outcome of what no ledger takes."""
        envelope_xdr = self.envelope(source, operations, fee=fee, signers=signers)
        submission = self.network.submit(envelope_xdr)
        if submission.outcome is not None:
            return submission.outcome
        self.close()
        record = self.network.find(submission.envelope.outer_hash.hex())
        assert record is not None
        return record

    def codes(self, source: str, *operations: Operation, signers: Sequence[str] = ()) -> list[str]:
        """Submit and close; the words for the operations, or the one for the transaction."""
        sent = self.send(source, *operations, signers=signers)
        if isinstance(sent, TransactionRecord):
            if sent.successful:
                return ["op_success"] * len(operations)
            words = sent.result_codes
        else:
            words = sent.words()
        found = words.get("operations", [words["transaction"]])
        assert isinstance(found, list)
        return found

    def balance(self, name: str) -> int:
        account = self.network.state.accounts.read(address(name))
        return account.balance if account else 0

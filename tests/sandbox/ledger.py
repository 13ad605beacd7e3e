"""A network without HTTP for tests: accounts with names, one call a transaction."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from stellar_sdk import (
    Account,
    Asset,
    InvokeHostFunction,
    Keypair,
    TransactionBuilder,
    scval,
    xdr,
)
from stellar_sdk.auth import authorize_entry
from stellar_sdk.operation import Operation

from anchor.sandbox.network import Network
from anchor.sandbox.network.contracts.errors import HostError
from anchor.sandbox.network.contracts.simulation import simulate
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
        return self._sent(self.envelope(source, operations, fee=fee, signers=signers))

    def _sent(self, envelope_xdr: str) -> TransactionRecord | TransactionOutcome:
        submission = self.network.submit(envelope_xdr)
        if submission.outcome is not None:
            return submission.outcome
        self.close()
        record = self.network.find(submission.envelope.outer_hash.hex())
        assert record is not None
        return record

    def contract(self, name: str) -> str:
        """The account contract of a name's key."""
        return self.network.add_contract_account(address(name))

    def transfer(
        self, source: str, sender: str, to: str, asset: Asset, stroops: int, *, signer: str
    ) -> TransactionRecord | TransactionOutcome | None:
        """Pay by the contract of an asset; None where the simulation says that it would fail."""
        holder = Account(address(source), self.sequence(source))
        builder = TransactionBuilder(holder, self.network.passphrase, 100).add_time_bounds(0, 0)
        arguments = [scval.to_address(sender), scval.to_address(to), scval.to_int128(stroops)]
        contract = asset.contract_id(self.network.passphrase)
        builder.append_invoke_contract_function_op(contract, "transfer", arguments)
        envelope = builder.build()
        (call,) = envelope.transaction.operations
        assert isinstance(call, InvokeHostFunction)
        network = self.network
        try:
            told = simulate(
                network.contracts,
                network.state,
                network.core.sequence,
                envelope,
                mode=None,
                upgraded=False,
            )
        except HostError:
            return None
        recorded = [xdr.SorobanAuthorizationEntry.from_xdr(each) for each in told.auth]
        source_kind = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT
        call.auth = [
            each
            if each.credentials.type == source_kind
            else authorize_entry(each, key(signer), network.core.sequence + 9, network.passphrase)
            for each in recorded
        ]
        envelope.transaction.soroban_data = told.data
        envelope.transaction.fee += told.data.resource_fee.int64
        envelope.sign(key(source))
        return self._sent(envelope.to_xdr())

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

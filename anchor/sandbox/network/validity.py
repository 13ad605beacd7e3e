"""Whether a transaction may enter a ledger: checks in the ledger's order, first hit wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anchor.sandbox.network import soroban
from anchor.sandbox.network.entries import Account, State
from anchor.sandbox.network.envelope import Envelope
from anchor.sandbox.network.operations import read_operation
from anchor.sandbox.network.operations.base import Operation
from anchor.sandbox.network.results import (
    OpCode,
    OperationOutcome,
    Refused,
    TransactionOutcome,
    TxCode,
    operation_code,
    transaction_code,
)
from anchor.sandbox.network.signatures import Signatures, signer_address, signers_of
from anchor.sandbox.network.values import ledger_token

MAX_EXTRA_SIGNERS = 2
Rules = tuple[tuple[TxCode, Callable[[], bool]], ...]


def first_broken(rules: Rules) -> TxCode | None:
    """Return the code of the first rule that does not hold; later ones are not looked at."""
    return next((code for code, holds in rules if not holds()), None)


@dataclass(frozen=True, slots=True)
class Moment:
    """The ledger that a transaction would enter; times in seconds since 1970.

    A `max_time` before `latest_close_at` is too late; `spent` counts the source's
    transactions that stand before this one.
    """

    ledger: int
    close_at: int
    latest_close_at: int
    base_fee: int
    spent: int = 0


class Check:
    """The checks of one envelope against one state."""

    def __init__(self, envelope: Envelope, state: State, moment: Moment) -> None:
        self.envelope = envelope
        self.state = state
        self.moment = moment
        self.signatures = Signatures(envelope.hash, envelope.signatures)
        self.operations = [
            read_operation(operation, envelope.operation_source(operation))
            for operation in envelope.tx.operations
        ]

    @property
    def charge(self) -> int:
        """The fee in stroops that applying it takes: the base fee, or the bid if that is less."""
        units = max(1, len(self.operations)) + (1 if self.envelope.fee_bump else 0)
        return self.charge_of(self.envelope.bid, units)

    def charge_of(self, bid: int, units: int) -> int:
        """Return what is charged of a bid: all for resources, and the base fee of each unit."""
        resources = self.envelope.resource_fee
        return resources + min(bid - resources, self.moment.base_fee * units)

    def run(self) -> TransactionOutcome | None:
        """Return why the transaction can't enter a ledger, or None."""
        if self.envelope.fee_bump is not None:
            found = self._check_bump()
            if found is not None:
                return found
            return self._check_common(charges=False) or self._check_operations()
        return self._check_common(charges=True) or self._check_operations()

    def at_application(self) -> TransactionOutcome | None:
        """Return why it fails although it is in the ledger (its fee is gone), or None."""
        account = self.state.accounts.read(self.envelope.source.account)
        if account is None:
            return self.failed(TxCode.txNO_ACCOUNT)
        if not self._has_sequence(account, 0):
            return self.failed(TxCode.txBAD_SEQ)
        if not self._is_signed(account):
            return self.failed(TxCode.txBAD_AUTH)
        return None

    def failed(
        self,
        code: TxCode,
        operations: tuple[OperationOutcome, ...] = (),
        *,
        charged: int | None = None,
    ) -> TransactionOutcome:
        """Return an outcome of this transaction; `charged` in stroops if not the usual fee."""
        bump = self.envelope.fee_bump
        return TransactionOutcome(
            code,
            self.charge if charged is None else charged,
            operations,
            inner_hash=self.envelope.hash if bump else None,
        )

    def told(self, wanted: str) -> TransactionOutcome:
        """Return the outcome with this word for its code; raises ValueError for an unknown one."""
        if wanted.startswith("tx_"):
            return self.failed(transaction_code(wanted))
        outcomes = [OperationOutcome(each.type) for each in self._typed()]
        outcomes[0] = OperationOutcome(outcomes[0].type, operation_code(outcomes[0].type, wanted))
        return self.failed(TxCode.txFAILED, tuple(outcomes))

    def _check_bump(self) -> TransactionOutcome | None:
        bump = self.envelope.fee_bump
        if bump is None:
            return None
        base, count = self.moment.base_fee, max(1, len(self.operations))
        outer_minimum, inner_minimum = base * (count + 1), base * count
        resources = self.envelope.resource_fee
        outer_bid, inner_bid = bump.fee - resources, self.envelope.fee - resources
        if outer_bid < outer_minimum:
            return TransactionOutcome(TxCode.txINSUFFICIENT_FEE, resources + outer_minimum)
        if outer_bid * inner_minimum < inner_bid * outer_minimum:
            needed = -(-inner_bid * outer_minimum // inner_minimum)
            return TransactionOutcome(TxCode.txINSUFFICIENT_FEE, resources + needed)
        payer = self.state.accounts.read(bump.source.account)
        if payer is None:
            return TransactionOutcome(TxCode.txNO_ACCOUNT, self.charge)
        signatures = Signatures(bump.hash, bump.signatures)
        rules: Rules = (
            (TxCode.txBAD_AUTH, lambda: signatures.satisfy(signers_of(payer), payer.low)),
            (TxCode.txINSUFFICIENT_BALANCE, lambda: payer.available >= bump.fee),
            (TxCode.txBAD_AUTH_EXTRA, lambda: signatures.all_used),
        )
        broken = first_broken(rules)
        return None if broken is None else TransactionOutcome(broken, self.charge)

    def _check_common(self, *, charges: bool) -> TransactionOutcome | None:
        code = self._check_shape() or self._check_bounds()
        if code is not None:
            return self.failed(code)
        minimum = self.moment.base_fee * max(1, len(self.operations)) + self.envelope.resource_fee
        if charges and self.envelope.fee < minimum:
            return self.failed(TxCode.txINSUFFICIENT_FEE, charged=minimum)
        account = self.state.accounts.read(self.envelope.source.account)
        if account is None:
            return self.failed(TxCode.txNO_ACCOUNT)
        spent, fee = self.moment.spent, self.envelope.fee
        rules: Rules = (
            (TxCode.txBAD_SEQ, lambda: self._has_sequence(account, spent)),
            (TxCode.txBAD_MIN_SEQ_AGE_OR_GAP, lambda: self._is_old_enough(account)),
            (TxCode.txBAD_AUTH, lambda: self._is_signed(account)),
            (TxCode.txINSUFFICIENT_BALANCE, lambda: not charges or account.available >= fee),
        )
        broken = first_broken(rules)
        return None if broken is None else self.failed(broken)

    def _check_shape(self) -> TxCode | None:
        envelope = self.envelope
        if envelope.is_v0:
            return TxCode.txNOT_SUPPORTED
        extra = [signer.to_xdr_bytes() for signer in envelope.conditions.extra_signers]
        if len(set(extra)) != len(extra) or len(extra) > MAX_EXTRA_SIGNERS:
            return TxCode.txMALFORMED
        if not self.operations:
            return TxCode.txMISSING_OPERATION
        return soroban.broken_rule(envelope)

    def _check_bounds(self) -> TxCode | None:
        conditions, moment = self.envelope.conditions, self.moment
        if conditions.min_time > moment.close_at or conditions.min_ledger > moment.ledger:
            return TxCode.txTOO_EARLY
        if conditions.max_time and conditions.max_time < moment.latest_close_at:
            return TxCode.txTOO_LATE
        if conditions.max_ledger and conditions.max_ledger <= moment.ledger:
            return TxCode.txTOO_LATE
        return None

    def _has_sequence(self, account: Account, spent: int) -> bool:
        sequence, current = self.envelope.sequence, account.sequence + spent
        if sequence == ledger_token(self.moment.ledger):
            return False
        minimum = self.envelope.conditions.min_sequence
        if minimum is None:
            return sequence == current + 1
        return minimum <= current < sequence

    def _is_old_enough(self, account: Account) -> bool:
        conditions = self.envelope.conditions
        age_s = self.moment.close_at - (account.sequence_at or 0)
        gap = self.moment.ledger - (account.sequence_ledger or 0)
        return age_s >= conditions.min_sequence_age_s and gap >= conditions.min_sequence_gap

    def _is_signed(self, account: Account) -> bool:
        if not self.signatures.satisfy(signers_of(account), account.low):
            return False
        extra = (signer_address(signer) for signer in self.envelope.conditions.extra_signers)
        return all(self.signatures.satisfy({key: 1}, 1) for key in extra)

    def _check_operations(self) -> TransactionOutcome | None:
        for index, operation in enumerate(self.operations):
            try:
                self._check_operation(operation)
            except Refused as refused:
                outcomes = [OperationOutcome(each.type) for each in self._typed()]
                outcomes[index] = OperationOutcome(outcomes[index].type, refused.code)
                return self.failed(TxCode.txFAILED, tuple(outcomes))
        if not self.signatures.all_used:
            return self.failed(TxCode.txBAD_AUTH_EXTRA)
        return None

    def _typed(self) -> list[OperationOutcome]:
        return [OperationOutcome(each.body.type) for each in self.envelope.tx.operations]

    def _check_operation(self, operation: Operation) -> None:
        if not self.is_authorized(operation):
            raise Refused(OpCode.opBAD_AUTH)
        operation.check()

    def is_authorized(self, operation: Operation) -> bool:
        """Whether the operation's source signed; one that is not there signs with its own key."""
        account = self.state.accounts.read(operation.source.account)
        if account is None:
            return self.signatures.satisfy({operation.source.account: 1}, 0)
        return self.signatures.satisfy(signers_of(account), operation.threshold(account))

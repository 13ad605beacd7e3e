"""Applying one transaction of a ledger: fee, sequence number, then its operations all or none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stellar_sdk import StrKey

from anchor.sandbox.network.contracts.registry import Contracts
from anchor.sandbox.network.entries import State
from anchor.sandbox.network.envelope import Envelope
from anchor.sandbox.network.operations.base import Applied, Frame, Operation, Scene
from anchor.sandbox.network.operations.reserves import drop_subentry
from anchor.sandbox.network.results import (
    OpCode,
    OperationOutcome,
    Refused,
    TransactionOutcome,
    TxCode,
)
from anchor.sandbox.network.validity import Check, Moment


@dataclass(slots=True)
class AppliedTransaction:
    """A transaction that is in a ledger, with what its operations did (None where they failed)."""

    envelope: Envelope
    outcome: TransactionOutcome
    operations: list[tuple[Operation, Applied | None]] = field(default_factory=list)


def charge_fee(check: Check, state: State, ledger: int) -> int:
    """Take the fee from the fee source and return it in stroops; never more than is there."""
    draft = state.draft()
    payer = draft.accounts.edit(check.envelope.fee_source.account)
    taken = min(check.charge, payer.balance)
    payer.balance -= taken
    draft.commit(ledger)
    return taken


def apply_transaction(
    envelope: Envelope, state: State, moment: Moment, fee: int, contracts: Contracts
) -> AppliedTransaction:
    """Use up the sequence number and apply the operations; the fee was taken before."""
    check = Check(envelope, state, moment)
    failure = check.at_application()
    if failure is None:
        _use_sequence(envelope, state, moment)
        outcome, operations = _apply_operations(check, state, moment, contracts)
        _drop_pre_authorized(check, state, moment)
    else:
        outcome, operations = failure, [(operation, None) for operation in check.operations]
    inner = check.charge_of(envelope.fee, len(check.operations)) if envelope.fee_bump else 0
    outcome = replace(outcome, fee_charged=fee, inner_fee_charged=inner)
    return AppliedTransaction(envelope, outcome, operations)


def _use_sequence(envelope: Envelope, state: State, moment: Moment) -> None:
    draft = state.draft()
    account = draft.accounts.edit(envelope.source.account)
    account.sequence = envelope.sequence
    account.sequence_ledger, account.sequence_at = moment.ledger, moment.close_at
    draft.commit(moment.ledger)


def _apply_operations(
    check: Check, state: State, moment: Moment, contracts: Contracts
) -> tuple[TransactionOutcome, list[tuple[Operation, Applied | None]]]:
    draft, envelope = state.draft(), check.envelope
    frame = Frame(
        envelope.source.account,
        envelope.sequence,
        moment.ledger,
        moment.close_at,
        contracts,
        envelope.soroban,
    )
    outcomes: list[OperationOutcome] = []
    done: list[tuple[Operation, Applied | None]] = []
    unsigned = [not check.is_authorized(operation) for operation in check.operations]
    for index, operation in enumerate(check.operations):
        step = draft.draft()
        try:
            if unsigned[index]:
                raise Refused(OpCode.opBAD_AUTH)
            if step.accounts.read(operation.source.account) is None:
                raise Refused(OpCode.opNO_ACCOUNT)
            applied = operation.apply(Scene(step, frame, operation.source, index))
        except Refused as refused:
            outcomes.append(OperationOutcome(operation.type, refused.code))
            done.append((operation, None))
        else:
            step.commit(moment.ledger)
            outcomes.append(OperationOutcome(operation.type, None, applied.extra))
            done.append((operation, applied))
    if any(outcome.code is not None for outcome in outcomes):
        nothing: list[tuple[Operation, Applied | None]] = [(each, None) for each, _ in done]
        return check.failed(TxCode.txFAILED, tuple(outcomes)), nothing
    if not check.signatures.all_used:
        return check.failed(TxCode.txBAD_AUTH_EXTRA), [(each, None) for each, _ in done]
    if frame.sponsors:
        return check.failed(TxCode.txBAD_SPONSORSHIP), [(each, None) for each, _ in done]
    draft.commit(moment.ledger)
    return check.failed(TxCode.txSUCCESS, tuple(outcomes)), done


def _drop_pre_authorized(check: Check, state: State, moment: Moment) -> None:
    """Remove the signer that pre-authorised the transaction, whatever came of it."""
    key = StrKey.encode_pre_auth_tx(check.envelope.hash)
    sources = {check.envelope.source.account} | {each.source.account for each in check.operations}
    draft = state.draft()
    for source in sources:
        account = draft.accounts.read(source)
        if account is not None and key in account.signers:
            changed = draft.accounts.edit(source)
            del changed.signers[key]
            drop_subentry(draft, changed, changed.signer_sponsors.pop(key, None))
    draft.commit(moment.ledger)

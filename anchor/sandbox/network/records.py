"""Records of history as Horizon writes them, serialised once when a ledger closes.

Links hold the mark BASE instead of the server's address; `published` puts the
address in, so that a record can be sent to many without being built again.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field

from stellar_sdk import xdr

from anchor.sandbox.network.apply import AppliedTransaction
from anchor.sandbox.network.envelope import Envelope
from anchor.sandbox.network.operations.base import Applied, Effect, Operation
from anchor.sandbox.network.results import type_name
from anchor.sandbox.network.signatures import signer_address
from anchor.sandbox.network.values import time_text, transaction_token

BASE = "\x01"


def dumps(value: object) -> str:
    """Serialise as Horizon does: UTF-8, with the signs of HTML escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    # no text of a user can hold an unescaped quote, so this meets links only
    return text.replace('"href":"\\u0001', f'"href":"{BASE}')


def published(text: str, base_url: str) -> str:
    """Put the server's address into the links of a serialised record."""
    return text.replace(BASE, base_url)


def link(path: str) -> dict[str, object]:
    """Return a link object; one with a {template} says so."""
    found: dict[str, object] = {"href": BASE + path}
    if "{" in path:
        found["templated"] = True
    return found


PAGED = "{?cursor,limit,order}"


@dataclass(slots=True)
class TransactionRecord:
    """A transaction in history; `text` is its JSON, `inner_text` that under its inner hash."""

    token: int
    hash: str
    inner_hash: str | None
    successful: bool
    text: str
    inner_text: str | None
    envelope_xdr: str
    result_xdr: str
    result_codes: dict[str, object]
    parties: set[str]
    operations: list[OperationRecord] = field(default_factory=list)

    @property
    def balances(self) -> set[str]:
        """The claimable balances that its operations belong to."""
        return {balance for operation in self.operations for balance in operation.balances}


@dataclass(slots=True)
class EffectRecord:
    """An effect in history."""

    token: int
    order: int
    account: str
    text: str


@dataclass(slots=True)
class OperationRecord:
    """An operation in history; `head` and `tail` are its JSON before and after `transaction`."""

    token: int
    successful: bool
    is_payment: bool
    head: str
    tail: str
    parties: set[str]
    balances: set[str]
    transaction: TransactionRecord
    effects: list[EffectRecord] = field(default_factory=list)

    def text(self, *, joined: bool) -> str:
        """Return its JSON, with its transaction inside if `joined`."""
        if joined:
            return f'{self.head},"transaction":{self.transaction.text}{self.tail}'
        return self.head + self.tail


def record_transaction(
    applied: AppliedTransaction, ledger: int, index: int, closed_at: int
) -> TransactionRecord:
    """Write a transaction and its operations and effects for history."""
    envelope, outcome = applied.envelope, applied.outcome
    token = transaction_token(ledger, index)
    result_xdr = outcome.to_xdr()
    body = _transaction_body(applied, token, ledger, closed_at, result_xdr)
    outer, inner = envelope.outer_hash.hex(), envelope.hash.hex() if envelope.fee_bump else None
    record = TransactionRecord(
        token=token,
        hash=outer,
        inner_hash=inner,
        successful=outcome.is_successful,
        text=dumps(_as_seen(body, outer, token, _outer_signatures(envelope))),
        inner_text=dumps(_as_seen(body, inner, token, _signatures(envelope))) if inner else None,
        envelope_xdr=envelope.text,
        result_xdr=result_xdr,
        result_codes=outcome.words(),
        parties={envelope.source.account, envelope.fee_source.account},
    )
    for number, (operation, done) in enumerate(applied.operations, 1):
        record.operations.append(_record_operation(record, number, operation, done, closed_at))
        record.parties |= record.operations[-1].parties
    return record


def _signatures(envelope: Envelope) -> list[str]:
    return [b64encode(each.signature.signature).decode() for each in envelope.signatures]


def _outer_signatures(envelope: Envelope) -> list[str]:
    if envelope.fee_bump is None:
        return _signatures(envelope)
    return [b64encode(each.signature.signature).decode() for each in envelope.fee_bump.signatures]


def _transaction_body(
    applied: AppliedTransaction, token: int, ledger: int, closed_at: int, result_xdr: str
) -> dict[str, object]:
    envelope = applied.envelope
    body: dict[str, object] = {
        "paging_token": str(token),
        "successful": applied.outcome.is_successful,
        "ledger": ledger,
        "created_at": time_text(closed_at),
        "source_account": envelope.source.account,
        **envelope.source.muxed_fields("account"),
        "source_account_sequence": str(envelope.sequence),
        "fee_account": envelope.fee_source.account,
        **envelope.fee_source.muxed_fields("fee_account"),
        "fee_charged": str(applied.outcome.fee_charged),
        "max_fee": str(envelope.bid),
        "operation_count": len(envelope.tx.operations),
        "envelope_xdr": envelope.text,
        "result_xdr": result_xdr,
        **_memo(envelope.tx.memo),
    }
    conditions = _preconditions(envelope)
    if conditions:
        body["preconditions"] = conditions
    if envelope.fee_bump is not None:
        body["fee_bump_transaction"] = {
            "hash": envelope.outer_hash.hex(),
            "signatures": _outer_signatures(envelope),
        }
        body["inner_transaction"] = {
            "hash": envelope.hash.hex(),
            "signatures": _signatures(envelope),
            "max_fee": str(envelope.fee),
        }
    return body


def _as_seen(
    body: dict[str, object], hash_: str, token: int, signatures: list[str]
) -> dict[str, object]:
    own = f"/transactions/{hash_}"
    return {
        "_links": {
            "self": link(own),
            "account": link(f"/accounts/{body['source_account']}"),
            "ledger": link(f"/ledgers/{body['ledger']}"),
            "operations": link(f"{own}/operations{PAGED}"),
            "effects": link(f"{own}/effects{PAGED}"),
            "precedes": link(f"/transactions?order=asc&cursor={token}"),
            "succeeds": link(f"/transactions?order=desc&cursor={token}"),
            "transaction": link(own),
        },
        "id": hash_,
        "hash": hash_,
        **body,
        "signatures": signatures,
    }


def _memo(memo: xdr.Memo) -> dict[str, object]:
    if memo.text is not None:
        shown = memo.text.replace(b"\0", b"").decode("utf-8", "replace")
        bytes_ = b64encode(memo.text).decode()
        return {"memo": shown, "memo_bytes": bytes_, "memo_type": "text"}
    if memo.id is not None:
        return {"memo": str(memo.id.uint64), "memo_type": "id"}
    if memo.hash is not None:
        return {"memo": b64encode(memo.hash.hash).decode(), "memo_type": "hash"}
    if memo.ret_hash is not None:
        return {"memo": b64encode(memo.ret_hash.hash).decode(), "memo_type": "return"}
    return {"memo_type": "none"}


def _preconditions(envelope: Envelope) -> dict[str, object]:
    conditions, found = envelope.conditions, dict[str, object]()
    if conditions.has_time_bounds:
        times = {"min_time": str(conditions.min_time)}
        if conditions.max_time:
            times["max_time"] = str(conditions.max_time)
        found["timebounds"] = times
    if conditions.has_ledger_bounds:
        ledgers = {"min_ledger": conditions.min_ledger}
        if conditions.max_ledger:
            ledgers["max_ledger"] = conditions.max_ledger
        found["ledgerbounds"] = ledgers
    if conditions.is_v2:
        if conditions.min_sequence is not None:
            found["min_account_sequence"] = str(conditions.min_sequence)
        found["min_account_sequence_age"] = str(conditions.min_sequence_age_s)
        if conditions.min_sequence_gap:
            found["min_account_sequence_ledger_gap"] = conditions.min_sequence_gap
        if conditions.extra_signers:
            found["extra_signers"] = [signer_address(each) for each in conditions.extra_signers]
    return found


def _record_operation(
    transaction: TransactionRecord,
    number: int,
    operation: Operation,
    done: Applied | None,
    closed_at: int,
) -> OperationRecord:
    token = transaction.token + number
    own = f"/operations/{token}"
    head = {
        "_links": {
            "self": link(own),
            "transaction": link(f"/transactions/{transaction.hash}"),
            "effects": link(f"{own}/effects"),
            "succeeds": link(f"/effects?order=desc&cursor={token}"),
            "precedes": link(f"/effects?order=asc&cursor={token}"),
        },
        "id": str(token),
        "paging_token": str(token),
        "transaction_successful": transaction.successful,
        **operation.source.fields("source_account"),
        "type": type_name(operation.type),
        "type_i": operation.type.value,
        "created_at": time_text(closed_at),
        "transaction_hash": transaction.hash,
    }
    shown = operation.fields() if transaction.successful else operation.fields_of_failure()
    payer = done.sponsor if done else None
    if done is not None:
        shown |= done.fields
    fields = dumps(shown if payer is None else {"sponsor": payer} | shown)
    parties = {operation.source.account} | operation.parties() | (done.parties if done else set())
    record = OperationRecord(
        token=token,
        successful=transaction.successful,
        is_payment=operation.is_payment or bool(done and done.pays),
        head=dumps(head)[:-1],
        tail="," + fields[1:] if len(fields) > 2 else "}",
        parties=parties | ({payer} if payer else set()),
        balances=operation.balances() if transaction.successful else set(),
        transaction=transaction,
    )
    effects = done.effects if done and transaction.successful else []
    for order, effect in enumerate(effects, 1):
        record.effects.append(_record_effect(token, order, effect, closed_at))
    return record


def _record_effect(operation: int, order: int, effect: Effect, closed_at: int) -> EffectRecord:
    token = f"{operation}-{order}"
    body = {
        "_links": {
            "operation": link(f"/operations/{operation}"),
            "succeeds": link(f"/effects?order=desc&cursor={token}"),
            "precedes": link(f"/effects?order=asc&cursor={token}"),
        },
        "id": f"{operation:019d}-{order:010d}",
        "paging_token": token,
        **effect.party.fields("account"),
        "type": effect.type,
        "type_i": effect.type_i,
        "created_at": time_text(closed_at),
        **effect.fields,
    }
    return EffectRecord(operation, order, effect.party.account, dumps(body))

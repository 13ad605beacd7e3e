"""Horizon's answers about accounts, transactions, fees and balances as values, read strictly.

An answer that does not say what it should is no answer: whatever goes wrong in here is
`Unavailable` outside (see `strictly`), so that nobody acts on half of a fact.
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from anchor.errors import Rejected, Unavailable
from anchor.ledger.gateway import (
    AccountFlags,
    Balance,
    BalanceEnd,
    ClaimableBalance,
    Claimant,
    FeeSpread,
    FeeStats,
    LedgerAccount,
    LedgerTransaction,
    Signer,
    SubmitAnswer,
    Verdict,
)
from anchor.ledger.results import read_verdict
from anchor.money import parse_amount

_HASH = re.compile(r"[0-9a-f]{64}")
_WORDS = {"PENDING": 201, "DUPLICATE": 409, "TRY_AGAIN_LATER": 503, "ERROR": 400}
_ENDS = {"claim_claimable_balance": "claimed", "clawback_claimable_balance": "clawed_back"}


@contextmanager
def strictly(path: str) -> Iterator[None]:
    """Turn whatever reading an answer of `path` raises into `Unavailable`."""
    try:
        yield
    except Unavailable:
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, Rejected | ValueError) else type(error).__name__
        raise Unavailable(f"{path} was answered with what cannot be read: {reason}") from error


def read_account(found: Mapping[str, Any], ledger: str | None) -> LedgerAccount:
    """Read ``/accounts/{id}``; `ledger` is its header Latest-Ledger."""
    thresholds = found["thresholds"]
    flags = {f.name: _flag(found["flags"], f.name) for f in fields(AccountFlags)}
    return LedgerAccount(
        account_id=_text(found["account_id"]),
        sequence=int(_text(found["sequence"])),
        balances=tuple(_balance(line) for line in found["balances"]),
        signers=tuple(
            Signer(_text(s["key"]), _text(s["type"]), _number(s["weight"]))
            for s in found["signers"]
        ),
        low_threshold=_number(thresholds["low_threshold"]),
        med_threshold=_number(thresholds["med_threshold"]),
        high_threshold=_number(thresholds["high_threshold"]),
        subentry_count=_number(found["subentry_count"]),
        num_sponsoring=_number(found.get("num_sponsoring", 0)),
        num_sponsored=_number(found.get("num_sponsored", 0)),
        data={name: b64decode(value, validate=True) for name, value in found["data"].items()},
        flags=AccountFlags(**flags),
        last_modified_ledger=_number(found["last_modified_ledger"]),
        ledger=int(ledger) if ledger else None,
        home_domain=str(found.get("home_domain") or ""),
    )


def _balance(line: Mapping[str, Any]) -> Balance:
    amount, kind = parse_amount(line["balance"], zero=True), line["asset_type"]
    buying, selling = (
        parse_amount(line.get(f"{side}_liabilities", "0"), zero=True)
        for side in ("buying", "selling")
    )
    if kind == "native":
        return Balance(
            "native", amount, None, buying_liabilities=buying, selling_liabilities=selling
        )
    if kind == "liquidity_pool_shares":
        asset = f"liquidity_pool:{_text(line['liquidity_pool_id'])}"
    else:
        asset = f"{_text(line['asset_code'])}:{_text(line['asset_issuer'])}"
    is_authorized = _flag(line, "is_authorized")
    return Balance(
        asset=asset,
        amount=amount,
        limit=parse_amount(line["limit"], zero=True),
        is_authorized=is_authorized,
        maintains_liabilities=_flag(
            line, "is_authorized_to_maintain_liabilities", default=is_authorized
        ),
        is_clawback_enabled=_flag(line, "is_clawback_enabled", default=False),
        buying_liabilities=buying,
        selling_liabilities=selling,
        last_modified_ledger=_number(line["last_modified_ledger"]),
    )


def read_transaction(found: Mapping[str, Any]) -> LedgerTransaction:
    """Read a transaction of ``/transactions``; its flag and its result have to agree."""
    outer, inner = (
        (found.get(name) or {}).get("hash")
        for name in ("fee_bump_transaction", "inner_transaction")
    )
    result_xdr, successful = _text(found["result_xdr"]), _flag(found, "successful")
    verdict = read_verdict(result_xdr)
    if verdict.is_successful != successful:
        raise ValueError("it says another thing than its result")
    return LedgerTransaction(
        hash=_hash(outer or found["hash"]),
        inner_hash=_hash(inner) if inner else None,
        successful=successful,
        ledger=_number(found["ledger"]),
        closed_at=_instant(found["created_at"]),
        fee_charged=int(found["fee_charged"]),
        envelope_xdr=_text(found["envelope_xdr"]),
        result_xdr=result_xdr,
        verdict=verdict,
    )


def read_refusal(body: Mapping[str, Any]) -> tuple[Verdict, str | None]:
    """Read what Horizon says of an envelope that it or the network refused, with its result.

    Raises ValueError for any other answer: it is not a refusal of the envelope.
    """
    kind = str(body.get("type", "")).rpartition("/")[2]
    if kind == "transaction_malformed":
        return Verdict("transaction_malformed"), None
    if kind != "transaction_failed":
        raise ValueError("it is no verdict on the transaction")
    extras = body["extras"]
    result_xdr = _text(extras["result_xdr"])
    verdict = read_verdict(result_xdr)
    if verdict.is_successful:
        raise ValueError("a refusal with a result that is none")
    return verdict, result_xdr


def read_submit_answer(status: int, body: Mapping[str, Any]) -> SubmitAnswer:
    """Read ``POST /transactions_async``: its word has to fit its HTTP status."""
    if status == 400 and "tx_status" not in body:
        return SubmitAnswer("refused", *read_refusal(body))
    word = _text(body["tx_status"])
    if _WORDS.get(word) != status:
        raise ValueError(f"{word} with HTTP status {status}")
    if word != "ERROR":
        return SubmitAnswer(word.lower())
    result_xdr = _text(body.get("error_result_xdr") or body["errorResultXdr"])
    return SubmitAnswer("refused", read_verdict(result_xdr), result_xdr)


def read_fee_stats(found: Mapping[str, Any]) -> FeeStats:
    """Read ``/fee_stats``."""
    percent = int(Decimal(_text(found["ledger_capacity_usage"])) * 100)
    return FeeStats(
        ledger=int(found["last_ledger"]),
        base_fee=int(found["last_ledger_base_fee"]),
        capacity_percent=percent,
        charged=_spread(found["fee_charged"]),
        offered=_spread(found["max_fee"]),
    )


def _spread(found: Mapping[str, Any]) -> FeeSpread:
    return FeeSpread(**{f.name: int(_text(found[f.name])) for f in fields(FeeSpread)})


def read_balance(found: Mapping[str, Any]) -> ClaimableBalance:
    """Read ``/claimable_balances/{id}``."""
    return ClaimableBalance(
        id=_text(found["id"]),
        asset=_text(found["asset"]),
        amount=parse_amount(found["amount"]),
        sponsor=found.get("sponsor"),
        claimants=tuple(
            Claimant(_text(c["destination"]), dict(c["predicate"])) for c in found["claimants"]
        ),
        is_clawback_enabled=_flag(found["flags"], "clawback_enabled"),
        last_modified_ledger=_number(found["last_modified_ledger"]),
    )


def read_balance_end(records: Sequence[Mapping[str, Any]]) -> BalanceEnd | None:
    """Find the end of a claimable balance among its operations, newest first."""
    for record in records:
        how = _ENDS.get(record["type"])
        if how is None or not _flag(record, "transaction_successful"):
            continue
        return BalanceEnd(
            how=how,
            account=_text(record["source_account"]),
            operation_id=int(record["id"]),
            transaction_hash=_hash(record["transaction_hash"]),
            closed_at=_instant(record["created_at"]),
        )
    return None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ValueError("a field that is not plain text")
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError("a hash that is none")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a field that is not a number")
    return value


def _flag(found: Mapping[str, Any], name: str, *, default: bool | None = None) -> bool:
    value = found.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} that is neither true nor false")
    return value


def _instant(value: object) -> datetime:
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError("a moment without its time zone")
    return found

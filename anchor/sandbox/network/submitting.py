"""POST /transactions, /transactions_async and friendbot: envelopes in, verdicts out."""

from __future__ import annotations

from typing import NoReturn

from stellar_sdk import StrKey

from anchor.sandbox.network.engine import Network, Submission
from anchor.sandbox.network.envelope import Malformed
from anchor.sandbox.network.faults import COMMON, Faults, is_refusal
from anchor.sandbox.network.http import ConnectionCut, Reply, Request
from anchor.sandbox.network.problems import Problem, invalid
from anchor.sandbox.network.records import dumps, published
from anchor.sandbox.network.results import TransactionOutcome

_ASYNC_STATUS = {"pending": 201, "duplicate": 409, "try_again_later": 503}


class Submitting:
    """The doors for transactions; `faults` holds misbehaviours for coming posts."""

    def __init__(self, network: Network, faults: Faults, timeout_s: float = 30) -> None:
        self.network = network
        self.faults = faults
        self.timeout_s = timeout_s

    def post(self, request: Request) -> Reply:
        """Answer POST /transactions once the ledger has closed (Horizon: Submit a Transaction)."""
        text = self._envelope(request)
        fault = self.faults.next_post()
        if is_refusal(fault):
            raise _failed(text, self._refusal(text, fault))
        if fault == "try-again-later":  # Horizon tries until its time is up
            raise self._timeout(text)
        if fault is not None:
            self._strike(text, fault)
        submission = self.network.wait(self._submit(text), self.timeout_s)
        return self._answer(submission, text, request.base_url)

    def post_async(self, request: Request) -> Reply:
        """Answer POST /transactions_async without waiting for a ledger."""
        text = self._envelope(request)
        try:
            hash_ = self.network.hash_of(text)
        except Malformed:
            extras = {"envelope_xdr": text, "error": {}}
            raise Problem("transaction_malformed", extras) from None
        fault = self.faults.next_post()
        if is_refusal(fault):
            return _error(hash_, self._refusal(text, fault))
        if fault == "try-again-later":
            return _async_reply(hash_, "try_again_later")
        if fault is not None:
            self._strike(text, fault)
        submission = self.network.submit(text, knows_applied=False)
        if submission.outcome is not None:
            return _error(hash_, submission.outcome)
        return _async_reply(hash_, submission.status)

    def friendbot(self, request: Request) -> Reply:
        """Create the account `addr` with 10 000 XLM; 400 if it is there already."""
        address = request.params.get("addr") or request.form().get("addr", "")
        if not StrKey.is_valid_ed25519_public_key(address):
            raise invalid("addr", "strkey is not valid")
        submission = self.network.wait(self.network.friendbot(address), self.timeout_s)
        return self._answer(submission, submission.envelope.text, request.base_url)

    def _envelope(self, request: Request) -> str:
        kind = request.content_type.partition(";")[0].strip().lower()
        if kind not in ("", "application/x-www-form-urlencoded", "multipart/form-data"):
            raise Problem("unsupported_media_type")
        return request.form().get("tx", "")

    def _submit(self, text: str) -> Submission:
        try:
            return self.network.submit(text)
        except Malformed:
            raise Problem("transaction_malformed", {"envelope_xdr": text}) from None

    def _refusal(self, text: str, fault: str) -> TransactionOutcome:
        wanted = "tx_bad_seq" if fault == "bad-seq" else fault
        try:
            return self.network.refusal(text, wanted)
        except Malformed:
            raise Problem("transaction_malformed", {"envelope_xdr": text}) from None
        except ValueError as error:
            raise invalid("answer", str(error)) from None

    def _strike(self, text: str, fault: str) -> NoReturn:
        """Misbehave: submit or not, then give a wrong answer or none at all."""
        if fault.endswith("-applied"):
            self._submit(text)
        if fault.startswith("504"):
            raise self._timeout(text)
        if fault.startswith("cut"):
            raise ConnectionCut
        raise Problem(COMMON[fault])

    def _timeout(self, text: str) -> Problem:
        try:
            hash_ = self.network.hash_of(text)
        except Malformed:
            return Problem("transaction_malformed", {"envelope_xdr": text})
        extras = {"hash": hash_, "envelope_xdr": text}
        return Problem("transaction_submission_timeout", extras)

    def _answer(self, submission: Submission, text: str, base_url: str) -> Reply:
        record = submission.record
        if record is not None and record.successful:
            return Reply(published(record.text, base_url))
        if record is not None:
            codes, result_xdr = record.result_codes, record.result_xdr
            raise _failure(record.envelope_xdr, codes, result_xdr)
        if submission.outcome is not None:
            raise _failed(text, submission.outcome)
        raise self._timeout(text)


def _failed(text: str, outcome: TransactionOutcome) -> Problem:
    return _failure(text, outcome.words(), outcome.to_xdr())


def _failure(text: str, codes: dict[str, object], result_xdr: str) -> Problem:
    extras = {"envelope_xdr": text, "result_codes": codes, "result_xdr": result_xdr}
    return Problem("transaction_failed", extras)


def _async_reply(hash_: str, status: str) -> Reply:
    return Reply(dumps({"tx_status": status.upper(), "hash": hash_}), _ASYNC_STATUS[status])


def _error(hash_: str, outcome: TransactionOutcome) -> Reply:
    body = {"error_result_xdr": outcome.to_xdr(), "tx_status": "ERROR", "hash": hash_}
    return Reply(dumps(body), 400)

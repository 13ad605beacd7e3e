"""POST /transactions, /transactions_async and friendbot: envelopes in, verdicts out."""

from __future__ import annotations

from collections import deque

from stellar_sdk import StrKey

from anchor.sandbox.network.engine import Network, Submission
from anchor.sandbox.network.envelope import Malformed
from anchor.sandbox.network.http import Reply, Request
from anchor.sandbox.network.problems import Problem, invalid
from anchor.sandbox.network.records import dumps, published

MISBEHAVIOURS = {
    "504-applied": "transaction_submission_timeout",
    "504-lost": "transaction_submission_timeout",
    "503": "service_unavailable",
    "429": "rate_limit_exceeded",
    "500": "server_error",
}


class Submitting:
    """The doors for transactions; `next_answers` holds misbehaviours for coming posts."""

    def __init__(self, network: Network, timeout_s: float = 30) -> None:
        self.network = network
        self.timeout_s = timeout_s
        self.next_answers: deque[str] = deque()

    def post(self, request: Request) -> Reply:
        """Answer POST /transactions once the ledger has closed (Horizon: Submit a Transaction)."""
        text = self._envelope(request)
        if self.next_answers:
            self._misbehave(text, self.next_answers.popleft())
        submission = self.network.wait(self._submit(text), self.timeout_s)
        return self._answer(submission, text, request.base_url)

    def post_async(self, request: Request) -> Reply:
        """Answer POST /transactions_async without waiting for a ledger."""
        text = self._envelope(request)
        try:
            submission = self.network.submit(text)
        except Malformed:
            extras = {"envelope_xdr": text, "error": {}}
            raise Problem("transaction_malformed", extras) from None
        body: dict[str, object] = {"hash": submission.envelope.outer_hash.hex()}
        status = {"pending": 201, "duplicate": 409, "try_again_later": 503, "applied": 409}
        if submission.outcome is not None:
            xdr = submission.outcome.to_xdr()
            return Reply(dumps({"error_result_xdr": xdr, "tx_status": "ERROR"} | body), 400)
        word = "DUPLICATE" if submission.status == "applied" else submission.status.upper()
        return Reply(dumps({"tx_status": word} | body), status[submission.status])

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

    def _misbehave(self, text: str, answer: str) -> None:
        submission = None
        if answer == "504-applied":
            submission = self._submit(text)
        if answer == "504-lost" or submission is not None:
            raise self._timeout(text)
        raise Problem(MISBEHAVIOURS[answer])

    def _timeout(self, text: str) -> Problem:
        hash_ = self.network.hash_of(text)
        extras = {"hash": hash_, "envelope_xdr": text}
        return Problem("transaction_submission_timeout", extras)

    def _answer(self, submission: Submission, text: str, base_url: str) -> Reply:
        record = submission.record
        if record is not None and record.successful:
            return Reply(published(record.text, base_url))
        if record is not None:
            raise _failed(record.envelope_xdr, record.result_codes, record.result_xdr)
        if submission.outcome is not None:
            outcome = submission.outcome
            raise _failed(text, outcome.words(), outcome.to_xdr())
        raise self._timeout(text)


def _failed(text: str, codes: dict[str, object], result_xdr: str) -> Problem:
    extras = {"envelope_xdr": text, "result_codes": codes, "result_xdr": result_xdr}
    return Problem("transaction_failed", extras)

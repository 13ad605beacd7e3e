"""Horizon's problem+json answers, word for word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PREFIX = "https://stellar.org/horizon-errors/"

# type -> (status, title, detail); Horizon leaves out an empty detail
_KNOWN: dict[str, tuple[int, str, str]] = {
    "not_found": (
        404,
        "Resource Missing",
        "The resource at the url requested was not found.  This usually occurs for one of two "
        "reasons:  The url requested is not valid, or no data in our database could be found "
        "with the parameters provided.",
    ),
    "bad_request": (400, "Bad Request", "The request you sent was invalid in some way."),
    "invalid_accounts_params": (
        400,
        "Invalid Accounts Parameters",
        "Exactly one filter is required. Please ensure that you are including a signer, sponsor, "
        "asset, or liquidity pool filter.",
    ),
    "before_history": (
        410,
        "Data Requested Is Before Recorded History",
        "This horizon instance is configured to only track a portion of the stellar network's "
        "latest history. This request is asking for results prior to the recorded history known "
        "to this horizon instance.",
    ),
    "not_acceptable": (
        406,
        "An acceptable response content-type could not be provided for this request",
        "",
    ),
    "unsupported_media_type": (
        415,
        "Unsupported Media Type",
        "The request has an unsupported content type. Presently, the only supported content type "
        "is application/x-www-form-urlencoded.",
    ),
    "transaction_malformed": (
        400,
        "Transaction Malformed",
        "Horizon could not decode the transaction envelope in this request. A transaction should "
        "be an XDR TransactionEnvelope struct encoded using base64.  The envelope read from this "
        "request is echoed in the `extras.envelope_xdr` field of this response for your "
        "convenience.",
    ),
    "transaction_failed": (
        400,
        "Transaction Failed",
        "The transaction failed when submitted to the stellar network. The `extras.result_codes` "
        "field on this response contains further details.  Descriptions of each code can be found "
        "at: https://developers.stellar.org/api/errors/http-status-codes/horizon-specific/"
        "transaction-failed/",
    ),
    "transaction_submission_timeout": (
        504,
        "Transaction Submission Timeout",
        "Your transaction submission request has timed out. This does not necessarily mean the "
        "submission has failed. Before resubmitting, please use the transaction hash provided in "
        "`extras.hash` to poll the GET /transactions endpoint for sometime and check if it was "
        "included in a ledger.",
    ),
    "timeout": (
        504,
        "Timeout",
        "Your request timed out before completing.  Please try your request again. If you are "
        "submitting a transaction make sure you are sending exactly the same transaction (with "
        "the same sequence number).",
    ),
    "stale_history": (
        503,
        "Historical DB Is Too Stale",
        "This horizon instance is configured to reject client requests when it can determine "
        "that the history database is lagging too far behind the connected instance of "
        "Stellar-Core or read replica. It's also possible that Stellar-Core is out of sync. "
        "Please try again later.",
    ),
    "service_unavailable": (
        503,
        "Service Unavailable",
        "The request cannot be serviced at this time.",
    ),
    "rate_limit_exceeded": (
        429,
        "Rate Limit Exceeded",
        "The rate limit for the requesting IP address is over its alloted limit.  The allowed "
        "limit and requests left per time period are communicated to clients via the http response "
        "headers 'X-RateLimit-*' headers.",
    ),
    "server_error": (
        500,
        "Internal Server Error",
        "An error occurred while processing this request.  This is usually due to a bug within the "
        "server software.  Trying this request again may succeed if the bug is transient, "
        "otherwise please report this issue to the issue tracker at: "
        "https://github.com/stellar/go/issues. Please include this response in your issue.",
    ),
}


@dataclass(frozen=True)
class Problem(Exception):
    """An answer that is not data; `extras` as Horizon has them for this type."""

    type: str
    extras: dict[str, Any] | None = None

    @property
    def status(self) -> int:
        """Its HTTP status."""
        return _KNOWN[self.type][0]

    def body(self) -> dict[str, Any]:
        """Return the problem object."""
        status, title, detail = _KNOWN[self.type]
        found: dict[str, Any] = {"type": _PREFIX + self.type, "title": title, "status": status}
        if detail:
            found["detail"] = detail
        if self.extras is not None:
            found["extras"] = self.extras
        return found


def invalid(name: str, reason: str) -> Problem:
    """Return Horizon's bad_request about one parameter."""
    return Problem("bad_request", {"invalid_field": name, "reason": reason})

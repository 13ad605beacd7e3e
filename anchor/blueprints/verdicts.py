"""Verdicts on customers, as the admin API and the console take them from operators."""

from collections.abc import Callable, Mapping
from typing import Any

from anchor.services import customer_desk
from anchor.services.acts import By


def accept(customer_id: str, body: Mapping[str, Any], who: str) -> None:
    """Accept a customer; `body` is a `VerdictBody`."""
    by = By(who, body.get("note"))
    customer_desk.accept(customer_id, body.get("type"), by, version=body["version"])


def reject(customer_id: str, body: Mapping[str, Any], who: str) -> None:
    """Refuse a customer for good; `body` is a `RejectBody`."""
    by, version = By(who, body.get("note")), body["version"]
    customer_desk.reject(customer_id, body.get("type"), body["message"], by, version=version)


def request(customer_id: str, body: Mapping[str, Any], who: str) -> None:
    """Ask a customer for fields; `body` is a `RequestBody`."""
    customer_desk.request(
        customer_id,
        body.get("type"),
        body["fields_"],
        body.get("message"),
        By(who, body.get("note")),
        version=body["version"],
    )


#: By the names that addresses have for them.
ACTS: Mapping[str, Callable[[str, Mapping[str, Any], str], None]] = {
    "accept": accept,
    "reject": reject,
    "request": request,
}

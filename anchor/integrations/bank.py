"""The simulated bank of the sandbox as a rail, registered like anyone's."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

import requests

from anchor.integrations.protocols import (
    Done,
    Field,
    Outcome,
    OutgoingTransaction,
    RailsIntegration,
    RailTraits,
    Refused,
    Sent,
    Unavailable,
    Unknown,
)


@dataclass
class SimulatedBankRail(RailsIntegration):
    """Pays through the simulated bank. Options: `url`, and `timeout_s` and `max_in_flight`."""

    withdrawal_fields: Sequence[Field] = (
        Field(
            "bank_account_number",
            "Account number",
            "Capital letters and digits, such as DE89370400440532013000.",
            r"[A-Z0-9]{4,34}",
        ),
        Field("bank_account_holder", "Name of the account holder", optional=True),
    )

    def __post_init__(self) -> None:
        """Check the options."""
        self._url = str(self.options.get("url", "")).rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise ValueError("url must be the bank's address")
        unknown = set(self.options) - {"url", "timeout_s", "max_in_flight"}
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))} is no option of this rail")
        timeout_s = int(self.options.get("timeout_s", 30))
        self.traits = RailTraits(
            idempotent_for=timedelta(days=1),
            can_look_up=True,
            not_found_final_after=timedelta(seconds=2 * timeout_s),
            timeout_s=timeout_s,
            max_in_flight=int(self.options.get("max_in_flight", 4)),
        )
        self._local = threading.local()

    def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
        """Order a transfer under the attempt's key."""
        order = {
            "key": transaction.key,
            "account": transaction.details.get("bank_account_number", ""),
            "amount": str(transaction.amount.quantize(Decimal("0.01"))),
        }
        try:
            answer = self._session().post(
                f"{self._url}/transfers", json=order, timeout=(3, self.traits.timeout_s)
            )
        except requests.ConnectTimeout as error:
            raise Unavailable("the bank cannot be reached") from error
        except requests.RequestException as error:
            return Unknown(f"the bank did not answer ({type(error).__name__})")
        if answer.status_code in {200, 201}:
            return _outcome(answer.json())
        if answer.status_code in {400, 422}:
            return Refused(str(answer.json().get("error", "the bank refused")))
        return Unknown(f"the bank answered {answer.status_code}")

    def poll_outgoing_transactions(
        self, transactions: Sequence[OutgoingTransaction]
    ) -> Mapping[str, Outcome]:
        """Ask for each transfer by its key, as far as the time goes; the next poll goes on."""
        deadline = monotonic() + self.traits.timeout_s
        found: dict[str, Outcome] = {}
        for item in transactions:
            if monotonic() > deadline:
                break
            outcome = self.find_outgoing_transaction(item)
            if outcome is not None:
                found[item.key] = outcome
        return found

    def find_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome | None:
        """Look a transfer up by its key."""
        answer = self._ask(f"/transfers/by-key/{transaction.key}")
        return None if answer.status_code == 404 else _outcome(answer.json())

    def check(self) -> str:
        """See whether the bank answers."""
        self._ask("/health")
        return "the simulated bank answers"

    def _ask(self, path: str) -> requests.Response:
        try:
            answer = self._session().get(self._url + path, timeout=(3, self.traits.timeout_s))
        except requests.RequestException as error:
            raise Unavailable(f"the bank did not answer ({type(error).__name__})") from error
        if answer.status_code not in {200, 404}:
            raise Unavailable(f"the bank answered {answer.status_code}")
        return answer

    def _session(self) -> requests.Session:
        known: requests.Session | None = getattr(self._local, "session", None)
        if known is None:
            known = self._local.session = requests.Session()
        return known


def _outcome(transfer: Mapping[str, Any]) -> Outcome:
    if transfer["status"] == "settled":
        return Done(delivered_amount=Decimal(transfer["amount"]), reference=transfer["id"])
    if transfer["status"] == "returned":
        return Refused("the transfer came back")
    return Sent(reference=transfer["id"])

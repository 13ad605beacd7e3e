"""The simulated bank of the sandbox as a rail, registered like anyone's."""

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any, ClassVar

import requests

from anchor.integrations.protocols import (
    Arrived,
    DepositAnswer,
    Done,
    Field,
    Instruction,
    Outcome,
    OutgoingTransaction,
    PendingDeposit,
    RailsIntegration,
    RailTraits,
    Receipt,
    ReceiptPage,
    Refused,
    Rejected,
    Returned,
    Sent,
    Statement,
    Transfer,
    Unavailable,
    Unknown,
    Waiting,
)
from anchor.languages import mark as _

_OPTIONS = frozenset(
    {"url", "timeout_s", "max_in_flight", "account", "webhook_secret", "currencies"}
)
_SIGNATURE = "x-bank-signature"


@dataclass
class SimulatedBankRail(RailsIntegration):
    """Pays and is paid through the simulated bank.

    Options: `url`, and `timeout_s`, `max_in_flight`, the `account` that customers pay to, and
    the `webhook_secret` that the bank signs its events with; without one it tells none.
    `currencies` are those that quotes may be about, beside an asset's own.
    """

    withdrawal_fields: ClassVar[Sequence[Field]] = (
        Field(
            "bank_account_number",
            _("Account number"),
            _("Capital letters and digits, such as DE89370400440532013000."),
            r"[A-Z0-9]{4,34}",
        ),
        Field("bank_account_holder", _("Name of the account holder"), optional=True),
    )

    def __post_init__(self) -> None:
        """Check the options."""
        self._url = str(self.options.get("url", "")).rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise ValueError("url must be the bank's address")
        unknown = set(self.options) - _OPTIONS
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))} is no option of this rail")
        timeout_s = int(self.options.get("timeout_s", 30))
        self.traits = RailTraits(
            idempotent_for=timedelta(days=1),
            can_look_up=True,
            not_found_final_after=timedelta(seconds=2 * timeout_s),
            lists_receipts=True,
            can_refund=True,
            gives_statements=True,
            timeout_s=timeout_s,
            max_in_flight=int(self.options.get("max_in_flight", 4)),
            currencies=frozenset(self.options.get("currencies", ["BRL", "EUR", "MXN", "NGN"])),
        )
        self._local = threading.local()

    def execute_outgoing_transaction(self, transaction: OutgoingTransaction) -> Outcome:
        """Order a transfer under the attempt's key."""
        return self._order(transaction, transaction.details.get("bank_account_number", ""))

    def refund(self, transaction: OutgoingTransaction) -> Outcome:
        """Order a transfer to the account that paid; refused where the bank does not name one."""
        return self._order(transaction, transaction.payer or "")

    def _order(self, transaction: OutgoingTransaction, account: str) -> Outcome:
        order = {
            "key": transaction.key,
            "account": account,
            "amount": str(transaction.amount.quantize(Decimal("0.01"))),
        }
        if transaction.currency is not None:
            order["currency"] = transaction.currency
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

    def poll_pending_deposits(
        self, deposits: Sequence[PendingDeposit]
    ) -> Mapping[str, DepositAnswer]:
        """Ask for all bookings with these references at once."""
        references = [each.reference for each in deposits if each.reference]
        answer = self._ask("/deposits", {"reference": references})
        came: dict[str, list[Receipt]] = {}
        for booking in answer.json()["bookings"]:
            came.setdefault(booking["reference"], []).append(_receipt(booking))
        return {
            each.transaction_id: Arrived(came[each.reference])
            if each.reference in came
            else Waiting()
            for each in deposits
        }

    def receipts_since(self, cursor: str | None) -> ReceiptPage:
        """Read the bank's list of changes."""
        page = self._ask("/deposits", {"since": cursor or "0"}).json()
        receipts = [_receipt(booking) for booking in page["bookings"]]
        return ReceiptPage(receipts, str(page["cursor"]), page["up_to_date"])

    def statement(self, day: date) -> Statement:
        """Read the bank's books of a day."""
        body = self._ask("/statement", {"day": day.isoformat()}).json()
        transfers = [
            Transfer(each["key"], Decimal(each["amount"]), each.get("currency") or None)
            for each in body["transfers"]
        ]
        return Statement([_receipt(each) for each in body["bookings"]], transfers)

    def deposit_instructions(self, deposit: PendingDeposit) -> Mapping[str, Instruction]:
        """Say which account to pay to, and what to write."""
        account = str(self.options.get("account", "DE02120300000000202051"))
        told = Instruction(account, "Pay to this account of the simulated bank.")
        return {
            "organization.bank_account_number": told,
            **super().deposit_instructions(deposit),
        }

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        """Check the bank's signature over the raw body."""
        secret = str(self.options.get("webhook_secret", ""))
        if not secret:
            return super().verify_webhook(headers, body)
        wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        given = headers.get(_SIGNATURE, "")
        if not hmac.compare_digest(wanted.encode(), given.encode()):
            raise Rejected("the signature is not the bank's")
        try:
            return str(json.loads(body)["event"])
        except (ValueError, KeyError, TypeError):
            return ""

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes
    ) -> Sequence[Receipt | tuple[str, Outcome]]:
        """Read a booking, or what became of a transfer."""
        event = json.loads(body)
        if "booking" in event:
            return [_receipt(event["booking"])]
        transfer = event["transfer"]
        return [(transfer["key"], _outcome(transfer))]

    def check(self) -> str:
        """See whether the bank answers."""
        self._ask("/health")
        return "the simulated bank answers"

    def _ask(
        self, path: str, query: Mapping[str, str | list[str]] | None = None
    ) -> requests.Response:
        timeout = (3, self.traits.timeout_s)
        try:
            answer = self._session().get(self._url + path, params=query, timeout=timeout)
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
        return Returned("the transfer came back")
    return Sent(reference=transfer["id"])


def _receipt(booking: Mapping[str, Any]) -> Receipt:
    booked_at = datetime.fromtimestamp(booking["booked_at_ms"] // 1000, UTC)
    return Receipt(
        receipt_id=booking["id"],
        amount=Decimal(booking["amount"]),
        currency=booking["currency"],
        booked_at=booked_at,
        reference=booking["reference"] or None,
        payer=booking["payer"] or None,
        value_date=booked_at.date(),
        is_reversed=booking["status"] == "reversed",
    )

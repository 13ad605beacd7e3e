"""Deposits and withdrawals of SEP-6 in tests: an anchor that serves them, and a wallet's words."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from stellar_sdk import Keypair

from anchor.config import Settings
from anchor.policies import AssetPolicy
from anchor.services import channels, passes, pending_deposits, sweeps  # noqa: F401 - kinds of job
from anchor.services.deposit_payments import DRIVE, PAY_ON_LEDGER
from anchor.services.transactions import CHECK_TRUST
from tests.knowing import NAMES, knowing, policy
from tests.world import ACCOUNT, World

#: Whoever pays 1000 or more shows a document as well.
RULES = """
[types.plain.fields]
first_name = {}
[types.sep6.fields]
first_name = {}
photo_id_front = { from_amount = "1000" }
"""
PERSON = {"first_name": "Ada", "bank_account_number": ACCOUNT}


def serving(settings: Settings, rules: str = RULES, **changes: Any) -> Settings:
    """Return settings with SEP-6 on, and the customers that it needs."""
    found = knowing(settings, customers=policy(rules))
    return replace(found, seps=found.seps | {6}, **changes)


@dataclass
class Wallet:
    """Somebody with a wallet, at the anchor of a world."""

    world: World
    client: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.world.app.test_client()
        self.world.fund()
        self.log_in()

    def log_in(self, keys: Keypair | None = None, **query: str) -> dict[str, str]:
        self.headers = self.world.log_in(self.client, keys, **query)
        return self.headers

    def known(self, **more: Any) -> str:
        """Say who one is, and where one's bank account is; return the customer's id."""
        body = PERSON | {"type": "sep6"} | more
        answer = self.client.put("/kyc/customer", json=body, headers=self.headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json["id"])

    def customer(self, **query: Any) -> dict[str, Any]:
        """Look how one stands as a customer."""
        answer = self.client.get("/kyc/customer", query_string=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def get(self, path: str, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self.client.get(f"/sep6/{path}", query_string=given, headers=self.headers)

    def ask_deposit(self, **query: Any) -> Any:
        usual = {"asset_code": "USDC", "account": self.world.payer.public_key, "amount": "100"}
        return self.get("deposit", **usual | query)

    def ask_withdrawal(self, **query: Any) -> Any:
        return self.get("withdraw", **{"asset_code": "USDC", "amount": "100"} | query)

    def deposit(self, **query: Any) -> dict[str, Any]:
        return self._opened(self.ask_deposit(**query))

    def withdrawal(self, **query: Any) -> dict[str, Any]:
        return self._opened(self.ask_withdrawal(**query))

    @staticmethod
    def _opened(answer: Any) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def seen(self, transaction_id: str) -> dict[str, Any]:
        answer = self.get("transaction", id=transaction_id)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json["transaction"]
        return found

    def listed(self, **query: Any) -> list[str]:
        answer = self.get("transactions", **{"asset_code": "USDC"} | query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json["transactions"]]

    def pay_in(self, transaction_id: str, amount: str = "100", currency: str = "USD") -> None:
        """Pay a deposit at the bank, and have the bank asked."""
        reference = self.world.row(transaction_id).reference or ""
        cents = int(Decimal(amount) * 100)
        self.world.bank.bookings.book(cents, reference, "DE55", currency, "DE02")
        pending_deposits.owe_polls()
        sweeps.work_off([pending_deposits.POLL])

    def worked(self, transaction_id: str) -> str:
        """Do what is due of deposits, and return the status that is then shown."""
        sweeps.work_off([PAY_ON_LEDGER, CHECK_TRUST, DRIVE])
        return str(self.seen(transaction_id)["status"])

    def pay(self, transaction_id: str, amount: str = "100") -> str:
        """Pay a withdrawal on the ledger, and have the ledger read."""
        paid = self.world.pay(amount, self.world.memo(transaction_id))
        self.world.read()
        return paid

    def serve(self, **changes: Any) -> AssetPolicy:
        """Change what is served of the asset."""
        found = self.world.app.extensions["anchor"]
        made = replace(found.settings.assets["USDC"], **changes)
        assets = dict(found.settings.assets) | {"USDC": made}
        self.world.app.extensions["anchor"] = replace(
            found, settings=replace(found.settings, assets=assets)
        )
        return made


__all__ = ["NAMES", "PERSON", "RULES", "Wallet", "serving"]

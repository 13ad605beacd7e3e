"""A demo sending anchor: it asks another anchor to pay a receiver, and pays it (SEP-31)."""

from typing import Any

from anchor.sandbox.wallet import Wallet, answered

_TIMEOUT_S = 30


class Remitter(Wallet):
    """A sending anchor with its account, for one receiving anchor."""

    def ask_to_send(self, code: str, amount: str, sender: str, receiver: str) -> dict[str, Any]:
        """Open a send between two customers; return the answer, with where to pay to."""
        body = {"asset_code": code, "amount": amount, "sender_id": sender, "receiver_id": receiver}
        url = f"{self.toml['DIRECT_PAYMENT_SERVER']}/transactions"
        return answered(self.http.post(url, json=body, timeout=_TIMEOUT_S))

    def sent(self, transaction_id: str) -> dict[str, Any]:
        """Ask how a send stands."""
        url = f"{self.toml['DIRECT_PAYMENT_SERVER']}/transactions/{transaction_id}"
        shown: dict[str, Any] = answered(self.http.get(url, timeout=_TIMEOUT_S))["transaction"]
        return shown

"""One person's wallet: its keys, what it asked of the anchor, and what it can do next."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import requests

from anchor.sandbox import CODE
from anchor.sandbox.page.place import Place
from anchor.sandbox.wallet import PAGES, Wallet, answered, reference_on

GIFT = "1000"
PAYER = "Ada Lovelace"
_TIMEOUT_S = 30
_REMEMBERED = 60
_TEXTS = {
    "/.well-known": "SEP-1",
    "/auth": "SEP-10",
    "/sep24": "SEP-24",
    "/friendbot": "sandbox",
}


@dataclass
class Said:
    """A request of the wallet and what was answered; the same again is counted."""

    text: str
    method: str
    path: str
    status: int
    times: int = 1


class Purse:
    """A wallet whose key stays on this side; what it does may be asked for from several threads."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._wallet = Wallet(place.anchor_url, place.network_url)
        self._wallet.http.hooks["response"].append(self._heard)
        self._said: list[Said] = []
        self._paid: set[str] = set()
        self._acting = threading.Lock()

    def begin(self) -> None:
        """Make an account that holds some of the asset, and log in."""
        self._wallet.discover()
        self._wallet.fund(CODE, GIFT, self._place.issuer_secret)
        self._wallet.log_in()
        self._connect_bank()

    def open(self, way: str) -> dict[str, Any]:
        """Open a ``deposit`` or ``withdraw``; return its id and the address of its page."""
        opened = self._wallet.open_page(way, CODE)
        return {"id": opened["id"], "url": opened["url"]}

    def pay(self, transaction_id: str) -> None:
        """Send what a transaction waits for, once: from a bank account, or on the ledger."""
        with self._acting:
            shown = self._wallet.transaction(transaction_id)
            is_due = shown["status"] == "pending_user_transfer_start"
            if not is_due or transaction_id in self._paid:
                return
            if shown["kind"] == "deposit":
                self._transfer(shown)
            else:
                self._wallet.pay(shown, CODE)
            self._paid.add(transaction_id)

    def state(self) -> dict[str, Any]:
        """Return all that the page shows."""
        wallet = self._wallet
        answer = wallet.http.get(
            f"{wallet.toml[PAGES]}/transactions", params={"asset_code": CODE}, timeout=_TIMEOUT_S
        )
        known = answered(answer)["transactions"]
        return {
            "anchor": wallet.toml["DOCUMENTATION"].get("ORG_NAME") or wallet.anchor_url,
            "anchor_url": wallet.anchor_url,
            "account": wallet.keys.public_key,
            "account_url": f"{wallet.horizon_url}/accounts/{wallet.keys.public_key}",
            "code": CODE,
            "balance": self._balance(),
            "transactions": [self._shown(each) for each in known],
            "said": [asdict(each) for each in self._said],
        }

    def _shown(self, transaction: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the page needs of a transaction, without the link that opens its page."""
        names = ("id", "kind", "status", "amount_in", "amount_out", "amount_fee", "message")
        shown = {name: transaction.get(name) for name in names}
        hash_ = transaction.get("stellar_transaction_id")
        return shown | {
            "paid": transaction["id"] in self._paid,
            "memo": transaction.get("withdraw_memo"),
            "reference": transaction.get("external_transaction_id"),
            "ledger_url": hash_ and f"{self._wallet.horizon_url}/transactions/{hash_}",
            "currency": _currency(transaction),
        }

    def _transfer(self, transaction: Mapping[str, Any]) -> None:
        """Be the customer's bank: read the reference on the page, and send what it says."""
        page = requests.get(transaction["more_info_url"], timeout=_TIMEOUT_S)
        order = {
            "amount": transaction["amount_in"],
            "reference": reference_on(page.text),
            "payer": PAYER,
            "currency": _currency(transaction),
        }
        self._bank("/deposits", order)

    def _connect_bank(self) -> None:
        """Let the bank tell the anchor at once what it books."""
        place = self._place
        if place.webhook_secret:
            url = f"{place.anchor_url}/rails/bank/webhook"
            self._bank("/webhook", {"url": url, "secret": place.webhook_secret})

    def _bank(self, path: str, body: Mapping[str, Any]) -> None:
        url = f"{self._place.network_url}/bank{path}"
        requests.post(url, json=body, timeout=_TIMEOUT_S).raise_for_status()

    def _balance(self) -> str:
        url = f"{self._place.network_url}/accounts/{self._wallet.keys.public_key}"
        lines = requests.get(url, timeout=_TIMEOUT_S).json()["balances"]
        held = next(line["balance"] for line in lines if line.get("asset_code") == CODE)
        return f"{held}".rstrip("0").rstrip(".")

    def _heard(self, answer: requests.Response, *_args: Any, **_kwargs: Any) -> None:
        path = answer.request.path_url.partition("?")[0]
        text = next((text for begin, text in _TEXTS.items() if path.startswith(begin)), "")
        said = Said(text, str(answer.request.method), path, answer.status_code)
        last = self._said[-1] if self._said else None
        if last and (last.method, last.path, last.status) == (said.method, path, said.status):
            last.times += 1
        else:
            self._said = [*self._said, said][-_REMEMBERED:]


def _currency(transaction: Mapping[str, Any]) -> str:
    """Return the currency at the bank: that of an exchange, or the dollars of the asset."""
    side = "in" if transaction["kind"] == "deposit" else "out"
    scheme, _, code = str(transaction.get(f"amount_{side}_asset") or "").partition(":")
    return code if scheme == "iso4217" else "USD"

"""A demo wallet: it speaks SEP-1, 6, 10, 12, 24 and 45 over HTTP, and pays on the ledger."""

import re
import tomllib
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from stellar_sdk import (
    Asset,
    IdMemo,
    Keypair,
    MuxedAccount,
    Server,
    TransactionBuilder,
    TransactionEnvelope,
)
from stellar_sdk.client.requests_client import RequestsClient

from anchor.sandbox import contract_accounts
from anchor.sandbox.browser import form_of

#: The servers of a stellar.toml on which transactions are opened.
PAGES, SCREENS = "TRANSFER_SERVER_SEP0024", "TRANSFER_SERVER"
_TIMEOUT_S = 30
#: What the wallet's customer says where somebody asks.
CUSTOMER = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email_address": "ada@wallet.example",
}


class WalletError(Exception):
    """The anchor or the network answered what the wallet cannot go on with."""


class Wallet:
    """One customer's wallet for one anchor."""

    def __init__(self, anchor_url: str, horizon_url: str) -> None:
        self.keys = Keypair.random()
        self.anchor_url = anchor_url.rstrip("/")
        self.horizon_url = horizon_url
        self.http = requests.Session()
        self.toml: dict[str, Any] = {}
        #: The account contract of the wallet's key, once it logged in by that.
        self.contract = ""
        #: Who pays for what the contract does on the ledger.
        self.relayer = Keypair.random()

    def discover(self) -> dict[str, Any]:
        """Read the anchor's stellar.toml (SEP-1)."""
        answer = self.http.get(f"{self.anchor_url}/.well-known/stellar.toml", timeout=_TIMEOUT_S)
        answer.raise_for_status()
        self.toml = tomllib.loads(answer.text)
        return self.toml

    def asset(self, code: str) -> Asset:
        """Return the anchor's asset by its code."""
        for currency in self.toml["CURRENCIES"]:
            if currency["code"] == code:
                return Asset(code, currency["issuer"])
        raise WalletError(f"the anchor has no {code}")

    def found(self) -> None:
        """Create the account on the ledger, with lumens and nothing else."""
        answer = self.http.get(
            f"{self.horizon_url}/friendbot",
            params={"addr": self.keys.public_key},
            timeout=_TIMEOUT_S,
        )
        answer.raise_for_status()

    def trust(self, code: str) -> None:
        """Let the account hold the anchor's asset."""
        with self._server() as server:
            builder = self._builder(server)
            builder.append_change_trust_op(self.asset(code))
            self._submit(server, builder)

    def fund(self, code: str, amount: str, giver_secret: str) -> None:
        """Create the account with lumens, a trust line and some of the asset."""
        self.found()
        giver, asset = Keypair.from_secret(giver_secret), self.asset(code)
        with self._server() as server:
            builder = self._builder(server)
            builder.append_change_trust_op(asset)
            builder.append_payment_op(self.keys.public_key, asset, amount, source=giver.public_key)
            self._submit(server, builder, giver)

    def log_in(self) -> None:
        """Log in by signature (SEP-10)."""
        endpoint = self.toml["WEB_AUTH_ENDPOINT"]
        query = {"account": self.keys.public_key}
        challenge = answered(self.http.get(endpoint, params=query, timeout=_TIMEOUT_S))
        envelope = TransactionEnvelope.from_xdr(
            challenge["transaction"], challenge["network_passphrase"]
        )
        envelope.sign(self.keys)
        answer = self.http.post(
            endpoint, json={"transaction": envelope.to_xdr()}, timeout=_TIMEOUT_S
        )
        self.http.headers["Authorization"] = f"Bearer {answered(answer)['token']}"

    def log_in_as_contract(self) -> str:
        """Log in as the account contract of this wallet's key (SEP-45); return its address.

        The sandbox makes the contract. From here on this is who asks.
        """
        made = answered(
            self.http.post(
                f"{self.horizon_url}/sandbox/contract-account",
                data={"key": self.keys.public_key},
                timeout=_TIMEOUT_S,
            )
        )
        endpoint = self.toml["WEB_AUTH_FOR_CONTRACTS_ENDPOINT"]
        home_domain = urlsplit(self.anchor_url).netloc
        query = {"account": made["contract"], "home_domain": home_domain}
        challenge = answered(self.http.get(endpoint, params=query, timeout=_TIMEOUT_S))
        signed = contract_accounts.sign(
            challenge["authorization_entries"],
            made["contract"],
            self.keys,
            self.toml,
            home_domain=home_domain,
            rpc_url=f"{self.horizon_url}/rpc",
        )
        answer = self.http.post(
            endpoint, json={"authorization_entries": signed}, timeout=_TIMEOUT_S
        )
        self.http.headers["Authorization"] = f"Bearer {answered(answer)['token']}"
        self.contract = str(made["contract"])
        return self.contract

    def give_contract(self, code: str, amount: str) -> str:
        """Move some of an asset from the wallet's account to its contract; return the hash."""
        return self._transfer(self.keys.public_key, self.contract, code, amount)

    def pay_from_contract(self, transaction: dict[str, Any], code: str) -> str:
        """Pay what a withdrawal asks for to its muxed address; return the hash.

        The contract has no lumens: a relayer of its own bears the fee.
        """
        account, memo = transaction["withdraw_anchor_account"], transaction["withdraw_memo"]
        if transaction["withdraw_memo_type"] != "id":
            raise WalletError("a contract can give no memo but an id")
        query = {"addr": self.relayer.public_key}
        self.http.get(f"{self.horizon_url}/friendbot", params=query, timeout=_TIMEOUT_S)
        address = str(MuxedAccount(account, int(memo)).account_muxed)
        amount = transaction["amount_in"]
        return self._transfer(self.contract, address, code, amount, relayer=self.relayer)

    def _transfer(
        self, sender: str, to: str, code: str, amount: str, *, relayer: Keypair | None = None
    ) -> str:
        return contract_accounts.transfer(
            sender,
            self.keys,
            to,
            self.asset(code),
            amount,
            relayer=relayer,
            horizon_url=self.horizon_url,
            rpc_url=f"{self.horizon_url}/rpc",
            passphrase=self.toml["NETWORK_PASSPHRASE"],
        )

    def ask_to_withdraw(
        self, code: str, amount: str, account_number: str, rail: str = "bank", **asked: str
    ) -> str:
        """Open a withdrawal and fill in its page (SEP-24); return its id.

        `asked` is what else the wallet opens it with, such as ``quote_id``.
        """
        opened = self.open_page("withdraw", code, **asked)
        form = {"amount": amount, "rail": rail, "bank_account_number": account_number}
        fill_in(opened["url"], form)
        return str(opened["id"])

    def ask_to_deposit(
        self, code: str, amount: str, rail: str = "bank", **details: str
    ) -> tuple[str, str]:
        """Open a deposit and fill in its page (SEP-24); return its id and its reference.

        `details` are what the rail asks of the customer.
        """
        opened = self.open_page("deposit", code)
        page = fill_in(opened["url"], {"amount": amount, "rail": rail} | details)
        return str(opened["id"]), reference_on(page)

    def open_page(self, way: str, code: str, **asked: str) -> dict[str, Any]:
        """Open a ``deposit`` or ``withdraw`` (SEP-24); return the answer with its ``url``."""
        answer = self.http.post(
            f"{self.toml[PAGES]}/transactions/{way}/interactive",
            json={"asset_code": code, **asked},
            timeout=_TIMEOUT_S,
        )
        return answered(answer)

    def transaction(self, transaction_id: str, *, on: str = PAGES) -> dict[str, Any]:
        """Ask how a transaction stands; `on` names its server in the stellar.toml."""
        answer = self.http.get(
            f"{self.toml[on]}/transaction", params={"id": transaction_id}, timeout=_TIMEOUT_S
        )
        shown: dict[str, Any] = answered(answer)["transaction"]
        return shown

    def transfer(self, way: str, code: str, amount: str, **asked: str) -> dict[str, Any]:
        """Open a ``deposit`` or ``withdraw`` without a page (SEP-6); return the answer."""
        query = {"asset_code": code, "amount": amount, "account": self.keys.public_key}
        answer = self.http.get(
            f"{self.toml[SCREENS]}/{way}", params=query | asked, timeout=_TIMEOUT_S
        )
        return answered(answer)

    def tell(self, **given: str) -> str:
        """Give what has to be known of a customer (SEP-12); return the customer's id."""
        url = f"{self.toml['KYC_SERVER']}/customer"
        return str(answered(self.http.put(url, json=given, timeout=_TIMEOUT_S))["id"])

    def pay(self, transaction: dict[str, Any], code: str) -> str:
        """Pay what a withdrawal asks for; return the hash."""
        return self.send(
            transaction["withdraw_anchor_account"],
            code,
            transaction["amount_in"],
            transaction["withdraw_memo"],
        )

    def send(self, account: str, code: str, amount: str, memo_id: str) -> str:
        """Pay some of an asset with a memo of the type id; return the hash."""
        with self._server() as server:
            builder = self._builder(server)
            builder.append_payment_op(account, self.asset(code), amount)
            builder.add_memo(IdMemo(int(memo_id)))
            return self._submit(server, builder)

    def _server(self) -> Server:
        return Server(self.horizon_url, client=RequestsClient(num_retries=0))

    def _builder(self, server: Server) -> TransactionBuilder:
        own = server.load_account(self.keys.public_key)
        passphrase = self.toml["NETWORK_PASSPHRASE"]
        return TransactionBuilder(own, passphrase, base_fee=100).set_timeout(120)

    def _submit(self, server: Server, builder: TransactionBuilder, *others: Keypair) -> str:
        """Sign with the wallet's key and those of others, and return the hash."""
        envelope = builder.build()
        for keys in (self.keys, *others):
            envelope.sign(keys)
        return str(server.submit_transaction(envelope)["hash"])


def fill_in(url: str, form: dict[str, str]) -> str:
    """Be the customer at the pages that begin at `url`; return the last of them.

    Raises `WalletError` where a page refuses what is filled in.
    """
    answers = CUSTOMER | form
    with requests.Session() as browser:
        page = browser.get(url, timeout=_TIMEOUT_S)
        while not page.url.endswith("/status"):
            asked = form_of(page.text)
            if page.status_code != 200 or asked is None:
                raise WalletError(f"the page answered {page.status_code}")
            page = browser.post(
                urljoin(page.url, asked.action), data=asked.filled(answers), timeout=_TIMEOUT_S
            )
            if page.status_code != 200:
                raise WalletError(f"the page refused the form with {page.status_code}")
    return page.text


def reference_on(page: str) -> str:
    """Return the reference that a deposit's page says to write on the transfer."""
    found = re.search(r"Reference</dt><dd[^>]*>([^<]+)<", page)
    if found is None:
        raise WalletError("the page names no reference")
    return found[1]


def answered(answer: requests.Response) -> dict[str, Any]:
    """Return what an anchor answered, or raise `WalletError`."""
    if answer.status_code >= 400:
        raise WalletError(f"{answer.request.method} {answer.url}: {answer.text[:200]}")
    found: dict[str, Any] = answer.json()
    return found

"""A sandbox seen through the anchor's own gateway, and short words for what is done there."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from stellar_sdk import (
    Asset,
    AuthorizationFlag,
    Keypair,
    Server,
    TransactionBuilder,
    TrustLineFlags,
)
from stellar_sdk.client.requests_client import RequestsClient

from anchor.config import TESTNET_PASSPHRASE
from anchor.ledger import envelopes
from anchor.ledger.horizon import HorizonGateway
from anchor.ledger.keys import sign
from anchor.ledger.orders import LedgerOrder, Unsigned
from anchor.money import STROOPS_PER_UNIT
from anchor.sandbox.network import Sandbox

XLM = STROOPS_PER_UNIT


@dataclass
class Chain:
    """A network with an issuer of USD and a treasury that holds a million."""

    sandbox: Sandbox
    keys: dict[str, Keypair] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gateway = HorizonGateway(self.sandbox.url, TESTNET_PASSPHRASE, submit_timeout_s=10)
        self.issuer, self.treasury = self.account(), self.account()
        self.asset = f"USD:{self.issuer}"
        self.trust(self.treasury)
        self.give(self.treasury, "1000000")

    def new(self) -> str:
        """Keys of an account that is not there."""
        pair = Keypair.random()
        self.keys[pair.public_key] = pair
        return pair.public_key

    def account(self) -> str:
        """An account with 10 000 lumens."""
        account = self.new()
        requests.get(
            f"{self.sandbox.url}/friendbot", params={"addr": account}, timeout=10
        ).raise_for_status()
        return account

    def trust(self, account: str, limit: str | None = None) -> None:
        self.do(account, lambda builder: builder.append_change_trust_op(self.usd, limit))

    def give(self, account: str, amount: str) -> None:
        self.do(self.issuer, lambda builder: builder.append_payment_op(account, self.usd, amount))

    def unauthorize(self, account: str, *, may_keep_offers: bool = False) -> None:
        """Take an account's authorization to hold USD."""

        def change(builder: TransactionBuilder) -> None:
            builder.append_set_options_op(set_flags=AuthorizationFlag.AUTHORIZATION_REVOCABLE)
            keep = TrustLineFlags.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG
            builder.append_set_trust_line_flags_op(
                account,
                self.usd,
                clear_flags=TrustLineFlags.AUTHORIZED_FLAG,
                set_flags=keep if may_keep_offers else None,
            )

        self.do(self.issuer, change)

    @property
    def usd(self) -> Asset:
        return Asset("USD", self.issuer)

    def do(self, source: str, change: Any) -> Mapping[str, Any]:
        """Submit a transaction of `source` as any wallet does."""
        with Server(self.sandbox.url, client=RequestsClient(num_retries=0)) as server:
            builder = TransactionBuilder(
                server.load_account(source), TESTNET_PASSPHRASE, base_fee=1000
            ).set_timeout(60)
            change(builder)
            envelope = builder.build()
            envelope.sign(self.keys[source])
            return server.submit_transaction(envelope, skip_memo_required_check=True)

    def knob(self, name: str, **body: Any) -> None:
        requests.post(
            f"{self.sandbox.url}/sandbox/{name}", json=body, timeout=10
        ).raise_for_status()

    def sequence(self, account: str) -> int:
        found = self.gateway.account(account)
        assert found is not None
        return found.sequence

    def build(
        self,
        *orders: LedgerOrder,
        channel: str | None = None,
        source: str | None = None,
        **more: Any,
    ) -> Unsigned:
        """An unsigned envelope of the treasury that is in order unless `more` says otherwise."""
        source = source or self.treasury
        channel = channel or source
        options: dict[str, Any] = {
            "fee_per_operation": 100,
            "max_time": int(time.time()) + 60,
            "passphrase": TESTNET_PASSPHRASE,
        }
        if "sequence" not in more:
            options["sequence"] = self.sequence(channel) + 1
        return envelopes.build(channel, source=source, orders=orders, **(options | more))

    def sign(self, unsigned: Unsigned, *others: str) -> str:
        """Sign with the keys of the sources and of others."""
        payload = bytes.fromhex(unsigned.hash)
        signers = dict.fromkeys((*unsigned.sources, *others))
        found = [sign(self.keys[account].secret, payload) for account in signers]
        return envelopes.add_signatures(unsigned.envelope_xdr, found, TESTNET_PASSPHRASE)

    def signed(self, *orders: LedgerOrder, **more: Any) -> str:
        return self.sign(self.build(*orders, **more))

    def pay(self, destination: str, amount: int = XLM, asset: str = "native") -> LedgerOrder:
        return LedgerOrder("payment", destination, asset, amount)

"""Deposits to contract accounts in tests: an anchor with an RPC, and what contracts hold."""

from dataclasses import dataclass, replace
from typing import Any

import requests
from stellar_sdk import Keypair

from anchor.config import TESTNET_PASSPHRASE
from anchor.ledger.rpc import RpcGateway
from anchor.sandbox import contract_accounts
from tests.deposits import Bench


@dataclass
class Contracts(Bench):
    """A bench whose anchor serves contract accounts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ask(f"{self.world.sandbox.url}/rpc")

    def ask(self, rpc_url: str, **gateway: Any) -> None:
        """Let the anchor ask this RPC from now on."""
        self.settle(rpc_url=rpc_url)
        found = self.world.app.extensions["anchor"]
        rpc = RpcGateway(rpc_url, **gateway)
        self.world.app.extensions["anchor"] = replace(found, contracts=rpc)

    def settle(self, **changed: Any) -> None:
        """Change settings of the anchor."""
        found = self.world.app.extensions["anchor"]
        settings = replace(found.settings, **changed)
        self.world.app.extensions["anchor"] = replace(found, settings=settings)

    def knob(self, name: str, **body: Any) -> None:
        answer = requests.post(f"{self.world.sandbox.url}/sandbox/{name}", json=body, timeout=5)
        answer.raise_for_status()

    def contract(self, key: Keypair | None = None) -> str:
        """Make the account contract of a key."""
        made = requests.post(
            f"{self.world.sandbox.url}/sandbox/contract-account",
            data={"key": (key or Keypair.random()).public_key},
            timeout=10,
        )
        return str(made.json()["contract"])

    def holds(self, contract: str) -> int:
        """Return how many stroops of the asset a contract holds."""
        return contract_accounts.balance(
            contract,
            self.world.asset,
            rpc_url=f"{self.world.sandbox.url}/rpc",
            passphrase=TESTNET_PASSPHRASE,
        )

    def go_on(self) -> None:
        """Let what waits in the queue wait no longer."""
        self.sql("UPDATE outflows SET not_before = NULL")
        self.sql("UPDATE jobs SET due_at = now()")

    def paid_once(self, row_id: str, contract: str) -> None:
        """Make sure that a deposit of 100 was paid, once."""
        assert self.world.status(row_id) == "completed"
        assert self.holds(contract) == 99_0000000
        done = (
            "SELECT count(*) FROM submissions WHERE state = 'confirmed'"
            " AND EXISTS (SELECT 1 FROM outflows WHERE submission_id = submissions.id)"
        )
        assert self.sql(done) == [(1,)]
        assert self.sql("SELECT DISTINCT sum(amount) FROM postings GROUP BY asset") == [(0,)]

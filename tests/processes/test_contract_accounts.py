"""A contract account withdraws: real processes, the asset's contract, and a relayer that pays."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from stellar_sdk import Keypair, MuxedAccount

from anchor.config import TESTNET_PASSPHRASE
from anchor.sandbox import contract_accounts
from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import SCREENS, Wallet
from tests.processes.stage import FLASK, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
IBAN = "DE89370400440532013000"
PERSON = {
    "type": "sep6",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email_address": "ada@example.com",
    "bank_account_number": IBAN,
}
Change = dict[str, Any]


@dataclass
class Holder:
    """Somebody whose money is in an account contract, with a wallet that logged in by it."""

    stage: Stage
    wallet: Wallet
    relayer: Keypair = field(default_factory=Keypair.random)
    contract: str = ""

    @classmethod
    def of(cls, stage: Stage) -> "Holder":
        wallet = stage.wallet()
        asset = wallet.asset(CODE)
        requests.post(
            f"{stage.network}/sandbox/asset-contract",
            data={"asset": f"{asset.code}:{asset.issuer}"},
            timeout=10,
        ).raise_for_status()
        made = cls(stage, wallet)
        query = {"addr": made.relayer.public_key}
        requests.get(f"{stage.network}/friendbot", params=query, timeout=10).raise_for_status()
        made.contract = wallet.log_in_as_contract()
        made._transfer(wallet.keys.public_key, made.contract, "1000", relayer=None)
        return made

    def pay(self, shown: dict[str, Any], amount: str = "100") -> str:
        """Pay what a transaction shows to the muxed address; return the hash."""
        account, memo = shown["withdraw_anchor_account"], int(shown["withdraw_memo"])
        assert shown["withdraw_memo_type"] == "id"
        address = MuxedAccount(account, memo).account_muxed
        return self._transfer(self.contract, str(address), amount, relayer=self.relayer)

    def _transfer(self, sender: str, to: str, amount: str, *, relayer: Keypair | None) -> str:
        return contract_accounts.transfer(
            sender,
            self.wallet.keys,
            to,
            self.wallet.asset(CODE),
            amount,
            relayer=relayer,
            horizon_url=self.stage.network,
            rpc_url=f"{self.stage.network}/rpc",
            passphrase=TESTNET_PASSPHRASE,
        )

    def on_pages(self) -> dict[str, Any]:
        """Open a withdrawal of 100 on the pages (SEP-24)."""
        return self.wallet.transaction(self.wallet.ask_to_withdraw(CODE, "100", IBAN))

    def on_screens(self) -> dict[str, Any]:
        """Open a withdrawal of 100 on the wallet's own screens (SEP-6)."""
        self.wallet.tell(**PERSON)
        opened = self.wallet.transfer("withdraw", CODE, "100", account=self.contract)
        return self.wallet.transaction(opened["id"], on=SCREENS)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        made.web()
        until(made._answers, 60, "for the web")
        made.workers()
        yield made


def completed(stage: Stage, *rows: str) -> Callable[[], bool]:
    return lambda: all(stage.status(row_id) == "completed" for row_id in rows)


def kept(stage: Stage, row_id: str) -> list[Any]:
    return stage.sql(
        'SELECT type, counterparty, verdict, "index" FROM payments '
        "WHERE transaction_id = %s ORDER BY operation_id, index",
        row_id,
    )


@pytest.mark.conforms("SEP6-47", "SEP24-32", "CAP67-01", "CAP67-03")
def test_a_contract_account_withdraws_by_either_door_and_a_bank_pays_out(stage: Stage) -> None:
    stream = stage.stream("-x", "--use-dramatiq")
    until(lambda: stage.sql("SELECT 1 FROM accounts"), 60, "for the stream runner")
    holder = Holder.of(stage)
    for shown in (holder.on_pages(), holder.on_screens()):
        paid = holder.pay(shown)
        until(completed(stage, shown["id"]), 60)
        assert stage.paid_once(shown["id"])
        assert kept(stage, shown["id"]) == [
            ("invoke_host_function", holder.contract, "credited", 0)
        ]
        found = stage.sql(
            "SELECT stellar_transaction_id FROM transactions WHERE id = %s", shown["id"]
        )
        assert found == [(paid,)]
    assert stage.sql("SELECT reason FROM cases") == []
    for _ in range(2):
        told = stage.command("reconcile", "--json")
        assert told.returncode == 0, told.stdout
        assert json.loads(told.stdout)["payments_missing"] == 0
    stage.kill(stream)


def test_promise_02_a_stream_that_dies_and_reads_all_again_keeps_each_transfer_once(
    stage: Stage,
) -> None:
    stream = stage.stream("-x", "--use-dramatiq")
    until(lambda: stage.sql("SELECT 1 FROM accounts"), 60, "for the stream runner")
    holder = Holder.of(stage)
    first, other = holder.on_pages(), holder.on_pages()
    holder.pay(first)
    until(completed(stage, first["id"]), 60)
    stage.kill(stream)
    stage.sql("UPDATE accounts SET cursor = first_cursor, leased_until = now()")
    holder.pay(other)
    stream = stage.stream("-x", "--use-dramatiq")
    until(completed(stage, other["id"]), 60)
    for shown in (first, other):
        assert len(kept(stage, shown["id"])) == 1
        assert stage.paid_once(shown["id"])
        events = stage.sql(
            "SELECT count(*) FROM history WHERE transaction_id = %s AND event = 'funds_received'",
            shown["id"],
        )
        assert events == [(1,)]
    stage.kill(stream)


def test_promise_03_a_router_that_pays_two_withdrawals_in_one_operation_pays_both(
    stage: Stage,
) -> None:
    also: dict[str, str] = {}

    def routed(change: Change) -> list[Change]:
        ids = (change["destination_muxed_id"], also.get(change["destination_muxed_id"]))
        return [change | {"destination_muxed_id": each} for each in ids if each]

    with horizon(stage.network, routed) as url:
        words = ("watch-transactions", "-x", "--use-dramatiq")
        stream = stage.start(*FLASK, *words, ANCHOR_HORIZON_URL=url)
        until(lambda: stage.sql("SELECT 1 FROM accounts"), 60, "for the stream runner")
        holder = Holder.of(stage)
        first, other = holder.on_pages(), holder.on_pages()
        also[first["withdraw_memo"]] = other["withdraw_memo"]
        holder.pay(first)
        until(completed(stage, first["id"], other["id"]), 60)
        stage.kill(stream)
    found = [kept(stage, shown["id"]) for shown in (first, other)]
    assert [[row[3] for row in rows] for rows in found] == [[0], [2]]
    assert all(stage.paid_once(shown["id"]) for shown in (first, other))


@contextmanager
def horizon(network: str, told: Callable[[Change], list[Change]]) -> Iterator[str]:
    """The sandbox's Horizon, where one operation may have changed more than the sandbox's can.

    The network of the sandbox has no contract that calls others.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {"Accept": self.headers.get("Accept", "")}
            is_stream = "event-stream" in headers["Accept"]
            with (
                suppress(OSError, requests.RequestException),
                requests.get(
                    network + self.path, headers=headers, stream=is_stream, timeout=60
                ) as answer,
            ):
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                if "Latest-Ledger" in answer.headers:
                    self.send_header("Latest-Ledger", answer.headers["Latest-Ledger"])
                self.end_headers()
                for chunk in answer.iter_content(None) if is_stream else [self.changed(answer)]:
                    self.wfile.write(chunk)

        def changed(self, answer: requests.Response) -> bytes:
            if answer.status_code != 200:
                return answer.content
            body = answer.json()
            for record in body.get("_embedded", {}).get("records", []):
                changes = record.get("asset_balance_changes")
                if changes:
                    record["asset_balance_changes"] = [
                        each for change in changes for each in told(change)
                    ]
            return json.dumps(body).encode()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

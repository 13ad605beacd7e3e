"""A contract account withdraws: real processes, the asset's contract, and a relayer that pays."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

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


def contract_wallet(stage: Stage) -> Wallet:
    """A wallet that logged in by its account contract, which holds money."""
    made = stage.wallet()
    made.log_in_as_contract()
    made.give_contract(CODE, "1000")
    return made


def on_pages(wallet: Wallet) -> dict[str, Any]:
    """Open a withdrawal of 100 on the pages (SEP-24)."""
    return wallet.transaction(wallet.ask_to_withdraw(CODE, "100", IBAN))


def on_screens(wallet: Wallet) -> dict[str, Any]:
    """Open a withdrawal of 100 on the wallet's own screens (SEP-6)."""
    wallet.tell(**PERSON)
    opened = wallet.transfer("withdraw", CODE, "100", account=wallet.contract)
    return wallet.transaction(opened["id"], on=SCREENS)


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
    wallet = contract_wallet(stage)
    for shown in (on_pages(wallet), on_screens(wallet)):
        paid = wallet.pay_from_contract(shown, CODE)
        until(completed(stage, shown["id"]), 60)
        assert stage.paid_once(shown["id"])
        assert kept(stage, shown["id"]) == [
            ("invoke_host_function", wallet.contract, "credited", 0)
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
    wallet = contract_wallet(stage)
    first, other = on_pages(wallet), on_pages(wallet)
    wallet.pay_from_contract(first, CODE)
    until(completed(stage, first["id"]), 60)
    stage.kill(stream)
    stage.sql("UPDATE accounts SET cursor = first_cursor, leased_until = now()")
    wallet.pay_from_contract(other, CODE)
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
        wallet = contract_wallet(stage)
        first, other = on_pages(wallet), on_pages(wallet)
        also[first["withdraw_memo"]] = other["withdraw_memo"]
        wallet.pay_from_contract(first, CODE)
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

"""Real processes, really killed, and a quote: it is paid once, in full, by the ledger's clock."""

from collections.abc import Iterator
from datetime import UTC, datetime
from time import sleep
from typing import Any

import pytest

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet
from tests.processes.stage import FLASK, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        made.web()
        yield made


def quoted(stage: Stage, wallet: Wallet) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have 100 promised for BRL, open a withdrawal on that, and fill in its page."""
    until(lambda: stage.sql("SELECT 1 FROM accounts"), 30, "for a stream runner")
    server = wallet.toml["ANCHOR_QUOTE_SERVER"]
    body = {
        "sell_asset": f"stellar:{CODE}:{wallet.asset(CODE).issuer}",
        "buy_asset": "iso4217:BRL",
        "sell_amount": "100",
        "context": "sep24",
    }
    quote = wallet.http.post(f"{server}/quote", json=body, timeout=10).json()
    account = "DE89370400440532013000"
    opened = wallet.ask_to_withdraw(CODE, "100", account, quote_id=quote["id"])
    return wallet.transaction(opened), quote


def transfer(stage: Stage, row_id: str) -> dict[str, Any]:
    [found] = [each for each in stage.bank("/transfers") if each["key"].startswith(row_id)]
    return dict(found)


def test_promise_06_a_worker_killed_between_the_transfer_and_its_record_pays_a_quote_once(
    stage: Stage,
) -> None:
    wallet = stage.wallet()
    stream = stage.stream("-x", "--use-dramatiq")
    asked, quote = quoted(stage, wallet)
    stage.bank("/misbehave", mode="slow", seconds=20, times=1)
    workers = stage.workers()
    wallet.pay(asked, CODE)
    until(lambda: any(t["key"].startswith(asked["id"]) for t in stage.bank("/transfers")), 60)
    stage.kill(workers)
    stage.sql("UPDATE jobs SET leased_until = now()")
    done = stage.command("execute-outgoing-transactions", "--json")
    assert done.returncode == 0, done.stderr
    workers = stage.workers()
    until(lambda: stage.status(asked["id"]) == "completed", 60)
    assert stage.paid_once(asked["id"])
    assert float(transfer(stage, asked["id"])["amount"]) == float(quote["buy_amount"])
    shown = wallet.transaction(asked["id"])
    assert (shown["amount_out"], shown["fee_details"]) == (quote["buy_amount"], quote["fee"])
    for process in (workers, stream):
        stage.kill(process)


def test_promise_11_a_stream_killed_until_the_quote_ran_out_still_honours_it(
    stage: Stage,
) -> None:
    """Paid in time and read too late is credited; paid too late is a case."""
    wallet = stage.wallet()
    stream = stage.stream()
    (in_time, _), (late, _) = quoted(stage, wallet), quoted(stage, wallet)
    stage.kill(stream)
    wallet.pay(in_time, CODE)
    sleep(2)
    ends = datetime.now(UTC)
    stage.sql("UPDATE transactions SET deadline_at = %s WHERE quote_id IS NOT NULL", ends)
    sleep(1)
    wallet.pay(late, CODE)
    stream = stage.start(*FLASK, "watch-transactions", "-x")
    until(lambda: stage.status(in_time["id"]) == "completed", 60)
    found = dict(stage.sql("SELECT reason, transaction_id FROM cases"))
    assert found == {"payment_late": late["id"]}
    assert stage.paid_once(in_time["id"])
    stage.kill(stream)

"""Real processes, really killed, while a transaction waits for its customers and goes on with them.

A latch in the database holds a window open: whoever comes to it waits there, and is killed
meanwhile. `BEFORE` the commit the move is written and nothing is durable; `AFTER` it all is
durable, and the job that did it is there still.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from subprocess import Popen
from typing import Any

import psycopg
import pytest
import requests
from stellar_sdk import Keypair

from anchor.sandbox.ground import CODE
from anchor.sandbox.wallet import Wallet, fill_in
from tests.processes.stage import FLASK, Stage, staged
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
REMITTER = Keypair.random()
ACCOUNT = "DE89370400440532013000"
RULES = f"""
[customers]
default_type = "sep24"
[customers.types.sep24]
verdict = "manual"
[customers.types.sep24.fields]
first_name = {{}}
[customers.types.sep31-sender.fields]
first_name = {{}}
[customers.types.sep31-receiver]
verdict = "manual"
[customers.types.sep31-receiver.fields]
first_name = {{}}
bank_account_number = {{}}
[sending_anchors.remitter]
accounts = ["{REMITTER.public_key}"]
"""
BEFORE, AFTER = 7001, 7002
LATCHES = f"""
CREATE FUNCTION wait_at_latch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::bigint);
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER latch AFTER INSERT ON history FOR EACH ROW
    EXECUTE FUNCTION wait_at_latch({BEFORE});
CREATE TRIGGER latch BEFORE DELETE ON jobs FOR EACH ROW
    WHEN (OLD.kind = 'complete_transaction') EXECUTE FUNCTION wait_at_latch({AFTER});
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        file = made.data / "anchor.toml"
        file.write_text(file.read_text() + RULES)
        made.web()
        made.stream()
        until(made._answers, 60, "for the web")
        until(lambda: made.sql("SELECT 1 FROM accounts"), 60, "for a stream runner")
        made.sql(LATCHES)
        yield made


@contextmanager
def latched(stage: Stage, latch: int) -> Iterator[Callable[[Popen[bytes]], None]]:
    """Shut the latch; what is yielded waits until somebody came to it, and kills a process."""
    url = stage.servers["database_url"].replace("+psycopg", "")
    query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"

    def is_reached() -> bool:
        return bool(stage.sql(query, latch))

    def kill(process: Popen[bytes]) -> None:
        until(is_reached, 60, "for the window")
        stage.kill(process)

    with psycopg.connect(url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [latch])
        yield kill
    until(lambda: not is_reached(), 30, "for the window to be left")


def command(stage: Stage, *words: str) -> None:
    stage.sql("UPDATE jobs SET due_at = now(), leased_until = NULL, rung_at = NULL")
    done = stage.command(*words)
    assert done.returncode == 0, done.stderr


def verdict(stage: Stage, owner: str, memo: str, type_: str) -> tuple[str, ...]:
    """Return the command by which a person accepts a customer."""
    query = "SELECT id, version FROM customers WHERE owner_account = %s AND memo = %s"
    [(customer_id, version)] = stage.sql(query, owner, memo)
    return ("customers", "accept", customer_id, "--version", str(version), "--type", type_)


def told(stage: Stage, row_id: str) -> int:
    """In how many ways a customer was told to pay: by memo, and by reference."""
    query = """
        SELECT (SELECT count(*) FROM memos m WHERE m.transaction_id = t.id)
             + (t.reference IS NOT NULL)::int
        FROM transactions t WHERE t.id = %s
    """
    return int(stage.sql(query, row_id)[0][0])


def events(stage: Stage, row_id: str) -> list[str]:
    query = "SELECT event FROM history WHERE transaction_id = %s ORDER BY version"
    return [event for (event,) in stage.sql(query, row_id)]


# -- an interactive transaction -----------------------------------------------------------------


@pytest.mark.parametrize(("way", "window"), [("withdraw", BEFORE), ("deposit", AFTER)])
def test_a_worker_killed_while_a_transaction_goes_on_completes_it_once(
    stage: Stage, way: str, window: int
) -> None:
    wallet = stage.wallet()
    details = {"bank_account_number": ACCOUNT, "bank_account_holder": "Ada"}
    opened = wallet.open_page(way, CODE)
    fill_in(opened["url"], {"amount": "100", "rail": "bank"} | details)
    row_id = str(opened["id"])
    assert (stage.status(row_id), told(stage, row_id)) == ("pending_anchor", 0)
    command(stage, *verdict(stage, wallet.keys.public_key, "", "sep24"))
    assert (stage.status(row_id), told(stage, row_id)) == ("pending_anchor", 0)
    with latched(stage, window) as kill:
        kill(stage.start(*FLASK, "work"))
        found = (stage.status(row_id), told(stage, row_id))
        if window == BEFORE:
            assert found == ("pending_anchor", 0)
        else:
            assert found == ("pending_user_transfer_start", 1)
    job = "SELECT 1 FROM jobs WHERE kind = 'complete_transaction' AND subject_id = %s"
    assert stage.sql(job, row_id), "it is owed still"
    command(stage, "work")
    assert (stage.status(row_id), told(stage, row_id)) == ("pending_user_transfer_start", 1)
    assert events(stage, row_id) == ["opened", "checks_begun", "details_given"]
    assert stage.sql(job, row_id) == stage.sql("SELECT reason FROM cases") == []


# -- a send -------------------------------------------------------------------------------------


def remitter(stage: Stage) -> tuple[Wallet, dict[str, Any]]:
    """Log a sending anchor in, and have it register who sends and who is sent money."""
    wallet = stage.wallet(REMITTER)
    given = {"first_name": "Ada", "bank_account_number": ACCOUNT}
    named = {}
    for memo, name in (("1", "sender"), ("2", "receiver")):
        body = {"memo": memo, "memo_type": "id", "type": f"sep31-{name}"} | given
        answer = wallet.http.put(f"{wallet.toml['KYC_SERVER']}/customer", json=body, timeout=10)
        assert answer.status_code == 202, answer.text
        named[f"{name}_id"] = answer.json()["id"]
    return wallet, {"amount": "100", "asset_code": CODE, "funding_method": "bank"} | named


def test_promise_06_a_send_is_opened_and_paid_once_whoever_dies_on_its_way(stage: Stage) -> None:
    """Killed: the web that opens it, the verdict on its receiver, and who notes its payout."""
    wallet, body = remitter(stage)
    place = f"{wallet.toml['DIRECT_PAYMENT_SERVER']}/transactions"

    def post() -> requests.Response:
        return wallet.http.post(place, json=body, timeout=30)

    def give_up() -> None:
        with suppress(requests.RequestException):
            post()

    [web] = [each for each in stage.running if str(each.args[0]).endswith("gunicorn")]  # type: ignore[index]
    hand = threading.Thread(target=give_up)
    with latched(stage, BEFORE) as kill:
        hand.start()
        kill(web)
    hand.join(40)
    assert stage.sql("SELECT id FROM transactions WHERE kind = 'send'") == []
    stage.web()
    until(stage._answers, 60, "for the web")
    answer = post()
    assert (answer.status_code, answer.json().keys()) == (201, {"id"}), answer.text
    row_id = answer.json()["id"]
    assert (stage.status(row_id), told(stage, row_id)) == ("pending_receiver", 0)

    accept = verdict(stage, REMITTER.public_key, "2", "sep31-receiver")
    with latched(stage, BEFORE) as kill:
        kill(stage.start(*FLASK, *accept))
    stands = "SELECT verdict FROM customer_standings WHERE type = 'sep31-receiver'"
    assert "ACCEPTED" not in dict.fromkeys(each for (each,) in stage.sql(stands))
    assert (stage.status(row_id), told(stage, row_id)) == ("pending_receiver", 0)
    command(stage, *accept)
    assert (stage.status(row_id), told(stage, row_id)) == ("pending_sender", 1)

    shown = wallet.http.get(f"{place}/{row_id}", timeout=10).json()["transaction"]
    asked = {"withdraw_anchor_account": shown["stellar_account_id"]}
    wallet.pay(asked | {"withdraw_memo": shown["stellar_memo"], "amount_in": "100"}, CODE)
    until(lambda: stage.status(row_id) == "pending_receiver", 60, "for the money")
    with latched(stage, BEFORE) as kill:
        kill(stage.start(*FLASK, "execute-outgoing-transactions"))
        assert stage.paid_once(row_id)
    assert stage.status(row_id) == "pending_receiver"
    command(stage, "execute-outgoing-transactions")
    assert stage.status(row_id) == "completed"
    assert stage.paid_once(row_id)
    assert stage.bank("/calls")[f"{row_id}-1"] == 1
    assert stage.sql("SELECT reason FROM cases") == []
    assert stage.sql("SELECT sum(amount) FROM postings") == [(0,)]

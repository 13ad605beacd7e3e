"""The simulated bank and its rail over real HTTP: deposits, reversals, webhooks."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

from anchor.integrations.bank import SimulatedBankRail
from anchor.sandbox.bank import Bank
from anchor.services import jobs
from anchor.services.transactions import PAY_OUT
from tests.puppets import due_now
from tests.receiving import (
    cases,
    deposit,
    events,
    judge_events,
    poll,
    verdicts,
)
from tests.waiting import until
from tests.world import World

HUNDRED = 100_0000000
SECRET = "a secret of the bank"


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """The anchor's web, listening; and its rail to the bank with a secret."""
    rail = SimulatedBankRail("bank", {**world.settings.rails["bank"], "webhook_secret": SECRET})
    world.app.extensions["anchor"].rails["bank"] = rail
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/rails/bank/webhook"
    server.shutdown()
    thread.join()
    server.server_close()


def bank(world: World, path: str, **body: Any) -> Any:
    answer = requests.post(f"{world.sandbox.url}/bank{path}", json=body, timeout=10)
    assert answer.ok, answer.text
    return answer.json()


def test_the_simulated_bank_takes_a_deposit_and_the_poll_finds_it(world: World) -> None:
    row_id = deposit(world)
    made = bank(world, "/deposits", amount="100.00", reference="REF123", payer="DE55")
    assert poll(world).done == 1
    row = world.row(row_id)
    assert (row.status, row.external_transaction_id) == ("pending_anchor", made["id"])
    assert row.from_account == "DE55"
    bank(world, "/deposits", amount="5", reference="nobody's")
    bank(world, f"/deposits/{made['id']}/reversed")
    due_now()
    assert poll(world).done == 1
    assert verdicts() == ["credited", "unmatched"]
    assert cases() == [("receipt_reversed", HUNDRED), ("receipt_unmatched", 5_0000000)]


def test_a_bank_that_does_not_answer_is_asked_again(world: World) -> None:
    row_id = deposit(world)
    bank(world, "/deposits", amount="100", reference="REF123")
    bank(world, "/misbehave", at="deposits", mode="fail-before", times=3)
    assert poll(world).postponed == 1
    due_now()
    assert poll(world).done == 1
    assert world.status(row_id) == "pending_anchor"


@pytest.mark.parametrize("mode", [None, "twice"])
def test_the_simulated_bank_tells_by_webhook_over_http(
    world: World, address: str, mode: str | None
) -> None:
    row_id = deposit(world)
    bank(world, "/webhook", url=address, secret=SECRET)
    bank(world, "/misbehave", at="webhook", mode=mode)
    made = bank(world, "/deposits", amount="100", reference="REF123")
    until(events)
    judge_events(world)
    assert world.status(row_id) == "pending_anchor"
    bank(world, f"/deposits/{made['id']}/reversed")
    until(lambda: len(events()) == 2)
    judge_events(world)
    assert cases() == [("receipt_reversed", HUNDRED)]


def test_a_webhook_that_was_lost_is_made_good_by_the_poll(world: World, address: str) -> None:
    row_id = deposit(world)
    bank(world, "/webhook", url=address, secret=SECRET)
    bank(world, "/misbehave", at="webhook", mode="lost")
    bank(world, "/deposits", amount="100", reference="REF123")
    poll(world)
    assert world.status(row_id) == "pending_anchor"
    assert events() == []


def test_promise_14_a_wrong_signature_is_refused_over_http(world: World, address: str) -> None:
    body = json.dumps({"event": "E1", "booking": {}}).encode()
    for secret in (b"another secret", b""):
        mark = hmac.new(secret, body, hashlib.sha256).hexdigest()
        headers = {"X-Bank-Signature": f"sha256={mark}"}
        assert requests.post(address, data=body, headers=headers, timeout=5).status_code == 403
    for headers in ({}, {"X-Bank-Signature": "ünï".encode("latin-1").decode("latin-1")}):
        assert requests.post(address, data=body, headers=headers, timeout=5).status_code == 403
    good = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Bank-Signature": f"sha256={good}"}
    changed = body.replace(b"E1", b"E2")
    assert requests.post(address, data=changed, headers=headers, timeout=5).status_code == 403
    assert requests.post(address, data=body, headers=headers, timeout=5).status_code == 200
    assert judge_events(world).parked == 1


def test_promise_06_the_bank_s_webhook_overtakes_its_own_answer(world: World, address: str) -> None:
    bank(world, "/webhook", url=address, secret=SECRET)
    bank(world, "/misbehave", mode="slow", seconds=60)
    row_id = world.paid_withdrawal()

    def pay() -> None:
        with world.app.app_context():
            jobs.run(jobs.Address(PAY_OUT, row_id))

    thread = threading.Thread(target=pay)
    thread.start()
    until(events)
    judge_events(world)
    assert world.status(row_id) == "completed"
    assert thread.is_alive()
    bank(world, "/misbehave")
    thread.join()
    assert world.paid_by_bank() == 1
    assert world.cases() == []
    assert [outflow.state for outflow in world.outflows(row_id)] == ["done"]


def test_what_the_bank_kept_outlives_its_restart(tmp_path: Path) -> None:
    file = tmp_path / "bank.jsonl"
    first = Bank(file)
    one = first.bookings.book(100, "R1", "DE55", "USD", "")
    first.bookings.book(200, "R2", "", "USD", "")
    first.bookings.reverse(one.id)
    first.tell_to("http://localhost:1", "secret")
    again = Bank(file)
    assert again.bookings.since(0, 10) == first.bookings.since(0, 10)
    assert [each["id"] for each in again.bookings.since(0, 10)[0]] == ["B000002", "B000001"]
    assert again.bookings.since(2, 10)[0][0]["status"] == "reversed"
    assert (again.hook.url, again.hook.secret) == ("http://localhost:1", "secret")


def test_books_whose_last_line_a_kill_has_torn_are_taken_up_without_it(tmp_path: Path) -> None:
    file = tmp_path / "bank.jsonl"
    first = Bank(file)
    first.order("K-1", "DE89370400440532010002", 100)
    kept = file.read_bytes()
    first.order("K-2", "DE89370400440532013000", 100)
    file.write_bytes(file.read_bytes()[:-9])
    again = Bank(file)
    assert list(again.transfers) == ["K-1"]
    assert file.read_bytes() == kept
    transfer = again.find("K-1")
    assert transfer is not None
    assert transfer.status == "settled"

"""What rails tell by webhook: verified on raw bytes, stored as it came, judged by a job."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import requests
from sqlalchemy import select, text
from werkzeug.serving import make_server

from anchor.cli import group
from anchor.errors import NotFound, Rejected, Unavailable
from anchor.extensions import db, transaction
from anchor.integrations.bank import SimulatedBankRail
from anchor.integrations.protocols import Done, Outcome, Receipt, Refused, Sent, Unknown
from anchor.models import Job, RailEvent
from anchor.services import jobs, passes
from anchor.services.rail_events import JUDGE
from anchor.services.transactions import PAY_OUT
from tests.puppets import LOOKS_UP, due_now
from tests.receiving import Teller, balances, booked, cases, deposit, kept, poll, verdicts
from tests.waiting import until
from tests.world import World

HUNDRED = 100_0000000
SECRET = "a secret of the bank"


@dataclass
class Herald(Teller):
    """A rail whose events are what `events` holds under the body's text."""

    events: dict[str, Any] = field(default_factory=dict)
    seen_headers: list[Mapping[str, str]] = field(default_factory=list)
    webhook_headers = ("X-Kind", "Authorization", "cookie")

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> str:
        self.seen_headers.append(headers)
        assert not db.session().in_transaction()
        if headers.get("authorization") != "Basic bank":
            raise Rejected("nobody I know")
        return headers.get("x-id", "")

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes
    ) -> Sequence[Receipt | tuple[str, Outcome]]:
        self.seen_headers.append(headers)
        assert not db.session().in_transaction()
        found = self.events[body.decode()]
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


def herald(world: World, **more: Any) -> Herald:
    made = Herald("bank", traits=LOOKS_UP, **more)
    world.app.extensions["anchor"].rails["bank"] = made
    return made


def tell(world: World, body: str, event_id: str = "E1", **headers: str) -> int:
    """Send an event as the bank does; return the status of the answer."""
    sent = {"Authorization": "Basic bank", "X-Id": event_id} | headers
    answer = world.app.test_client().post("/rails/bank/webhook", data=body, headers=sent)
    return answer.status_code


def judge_all(world: World) -> jobs.Tally:
    passes.owe("work")
    return passes.work_off("work", "webhook bank")


def stored() -> list[RailEvent]:
    with transaction():
        query = select(RailEvent).order_by(RailEvent.id).execution_options(populate_existing=True)
        return list(db.session.scalars(query))


def test_an_event_is_stored_as_it_came_answered_at_once_and_judged_by_a_job(world: World) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.events["came"] = [booked()]
    assert tell(world, "came", **{"X-Kind": "booking"}) == 200
    (event,) = stored()
    assert (event.rail, event.event_id, event.body) == ("bank", "E1", b"came")
    assert event.judged_at is None
    assert kept() == []
    assert judge_all(world).done == 1
    assert world.status(row_id) == "pending_anchor"
    assert stored()[0].judged_at is not None


def test_promise_15_secrets_of_a_request_are_not_stored(world: World) -> None:
    rail = herald(world)
    rail.events["came"] = []
    headers = {"X-Kind": "booking", "Cookie": "session=1", "X-Other": "5"}
    assert tell(world, "came", **headers) == 200
    assert stored()[0].headers == {"x-kind": "booking"}
    judge_all(world)
    assert rail.seen_headers[-1] == {"x-kind": "booking"}


def test_promise_14_an_event_of_nobody_known_is_refused_and_leaves_nothing(world: World) -> None:
    herald(world)
    assert tell(world, "came", Authorization="Basic thief") == 403
    assert stored() == []
    assert world.app.test_client().post("/rails/nobody/webhook", data="x").status_code == 404
    assert world.app.test_client().get("/rails/bank/webhook").status_code == 405


def test_a_rail_that_takes_no_events_has_no_door(world: World) -> None:
    answer = world.app.test_client().post("/rails/bank/webhook", data="{}")
    assert answer.status_code == 404


def test_a_surprise_while_verifying_is_not_taken_for_a_yes(world: World) -> None:
    rail = herald(world)
    for error, status in (
        (RuntimeError("a bug"), 500),
        (Unavailable("keys are away"), 503),
        (NotFound("no"), 404),
    ):

        def fail(_headers: Any, _body: bytes, error: Exception = error) -> str:
            raise error

        rail.verify_webhook = fail  # type: ignore[method-assign]
        assert tell(world, "came") == status
    assert stored() == []


def test_a_body_that_is_too_long_is_refused_before_it_is_read(world: World) -> None:
    rail = herald(world)
    assert tell(world, "x" * 262_145) == 413
    assert rail.seen_headers == []
    rail.events["x" * 262_144] = []
    assert tell(world, "x" * 262_144) == 200


def test_promise_01_a_repeat_is_answered_and_changes_nothing(world: World) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.events["came"] = [booked()]
    for _ in range(3):
        assert tell(world, "came") == 200
    assert judge_all(world).done == 1
    assert tell(world, "came") == 200
    assert judge_all(world).total == 0
    assert len(stored()) == 1
    assert world.events(row_id) == ["funds_received"]


def test_promise_01_another_body_under_the_same_id_is_another_event(world: World) -> None:
    rail = herald(world)
    deposit(world)
    rail.events = {"came": [booked()], "gone": [booked(is_reversed=True)]}
    for body in ("came", "gone", "gone", "came"):
        assert tell(world, body) == 200
    assert len(stored()) == 2
    assert judge_all(world).done == 2
    assert cases() == [("receipt_reversed", HUNDRED)]
    assert balances() == {}


@pytest.mark.parametrize("event_id", ["", "x" * 201])
def test_an_event_without_an_id_is_known_by_its_body(world: World, event_id: str) -> None:
    rail = herald(world)
    rail.events = {"one": [], "two": []}
    for body in ("one", "two", "one"):
        assert tell(world, body, event_id) == 200
    assert {event.event_id for event in stored()} == {
        hashlib.sha256(body).hexdigest() for body in (b"one", b"two")
    }


def test_promise_01_the_same_booking_by_webhook_poll_and_list_is_credited_once(
    world: World,
) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.traits = type(rail.traits)(lists_receipts=True)
    rail.events["came"] = [booked()]
    rail.book = [booked()]
    tell(world, "came")
    poll(world)
    judge_all(world)
    due_now()
    poll(world)
    assert verdicts() == ["credited"]
    assert world.events(row_id) == ["funds_received"]
    assert balances() == {"bank": HUNDRED, "customer": -HUNDRED}


# -- what cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [ValueError("no JSON"), Rejected("not mine"), None, ["text"], [("key", "done")], [(1, Done())]],
)
def test_promise_01_a_body_that_cannot_be_read_is_kept_parked_and_read_again_when_asked(
    world: World, odd: Any
) -> None:
    rail = herald(world)
    row_id = deposit(world)
    rail.events["came"] = odd
    assert tell(world, "came") == 200
    assert judge_all(world).parked == 1
    assert cases() == [("event_unreadable", None)]
    due_now()
    assert judge_all(world).total == 0
    rail.events["came"] = [booked()]
    (event,) = stored()
    done = world.app.test_cli_runner().invoke(group, ["retry", JUDGE, str(event.id)])
    assert done.exit_code == 0, done.output
    assert judge_all(world).done == 1
    assert world.status(row_id) == "pending_anchor"


def test_a_rail_that_cannot_read_just_now_reads_later(world: World) -> None:
    rail = herald(world)
    rail.events["came"] = Unavailable("the keys are away")
    tell(world, "came")
    assert judge_all(world).postponed == 1
    rail.events["came"] = []
    due_now()
    assert judge_all(world).done == 1
    assert cases() == []


def test_promise_12_one_bad_outcome_of_an_event_stops_no_receipt_and_no_other_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anchor.services import outflows

    rail = herald(world)
    row_id = deposit(world)
    rail.events = {"one": [("any", Done()), booked()], "two": [booked("B2")]}
    monkeypatch.setattr(outflows, "by_key", lambda *_: 1 / 0)
    tell(world, "one", "E1")
    tell(world, "two", "E2")
    tally = judge_all(world)
    assert (tally.parked, tally.done) == (1, 1)
    assert world.status(row_id) == "pending_anchor"
    assert verdicts() == ["credited", "second"]


# -- outcomes of orders ------------------------------------------------------------------------


def order(world: World, rail: Herald, *script: Any) -> str:
    """Let a withdrawal be ordered with the rail; return its id."""
    rail.script = list(script)
    row_id = world.paid_withdrawal()
    world.work()
    return row_id


def test_an_outcome_by_webhook_completes_the_order(world: World) -> None:
    rail = herald(world)
    row_id = order(world, rail, Sent("R1"))
    assert world.status(row_id) == "pending_external"
    rail.events["done"] = [(f"{row_id}-1", Done(delivered_amount=Decimal("98.5")))]
    tell(world, "done")
    judge_all(world)
    assert world.status(row_id) == "completed"
    assert world.cases() == []


def test_an_order_that_came_back_by_webhook_is_a_case(world: World) -> None:
    rail = herald(world)
    row_id = order(world, rail, Done())
    rail.events["back"] = [(f"{row_id}-1", Refused("returned"))]
    tell(world, "back")
    judge_all(world)
    assert world.status(row_id) == "completed"
    assert world.cases() == ["contradicts_final_outcome"]


def test_an_outcome_of_an_order_that_is_not_ours_is_a_case(world: World) -> None:
    rail = herald(world)
    rail.events["done"] = [("somebody's-1", Done())]
    tell(world, "done")
    assert judge_all(world).done == 1
    assert world.cases() == ["event_of_nobody"]


@pytest.mark.parametrize("answer", [Done(), Sent("R1"), Unknown("time-out"), RuntimeError("bug")])
def test_promise_06_a_webhook_that_comes_before_the_call_returned_counts_and_the_answer_repeats_it(
    world: World, answer: Any
) -> None:
    gate = threading.Event()
    rail = herald(world, script=[answer], gate=gate)
    row_id = world.paid_withdrawal()

    def pay() -> None:
        with world.app.app_context():
            jobs.run(jobs.Address(PAY_OUT, row_id))

    thread = threading.Thread(target=pay)
    thread.start()
    until(lambda: rail.calls)
    rail.events["done"] = [(f"{row_id}-1", Done(reference="T1"))]
    tell(world, "done")
    assert judge_all(world).done == 1
    assert world.status(row_id) == "completed"
    gate.set()
    thread.join()
    due_now()
    world.work()
    assert rail.calls == [f"{row_id}-1"]
    assert [outflow.state for outflow in world.outflows(row_id)] == ["done"]
    assert world.events(row_id)[-1] == "payout_completed"
    assert world.cases() == []
    with transaction():
        assert list(db.session.scalars(select(Job.kind))) == []


# -- the simulated bank, over real HTTP -----------------------------------------------------------


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
    until(stored)
    judge_all(world)
    assert world.status(row_id) == "pending_anchor"
    bank(world, f"/deposits/{made['id']}/reversed")
    until(lambda: len(stored()) == 2)
    judge_all(world)
    assert cases() == [("receipt_reversed", HUNDRED)]


def test_a_webhook_that_was_lost_is_made_good_by_the_poll(world: World, address: str) -> None:
    row_id = deposit(world)
    bank(world, "/webhook", url=address, secret=SECRET)
    bank(world, "/misbehave", at="webhook", mode="lost")
    bank(world, "/deposits", amount="100", reference="REF123")
    poll(world)
    assert world.status(row_id) == "pending_anchor"
    assert stored() == []


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
    assert judge_all(world).parked == 1


def test_promise_06_the_bank_s_webhook_overtakes_its_own_answer(world: World, address: str) -> None:
    bank(world, "/webhook", url=address, secret=SECRET)
    bank(world, "/misbehave", mode="slow", seconds=2)
    row_id = world.paid_withdrawal()

    def pay() -> None:
        with world.app.app_context():
            jobs.run(jobs.Address(PAY_OUT, row_id))

    thread = threading.Thread(target=pay)
    thread.start()
    until(stored)
    judge_all(world)
    assert world.status(row_id) == "completed"
    assert thread.is_alive()
    thread.join()
    assert world.paid_by_bank() == 1
    assert world.cases() == []
    assert [outflow.state for outflow in world.outflows(row_id)] == ["done"]


def test_what_the_bank_kept_outlives_its_restart(tmp_path: Any) -> None:
    from anchor.sandbox.bank import Bank

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


def test_an_event_is_owed_and_stored_in_one_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail = herald(world)
    rail.events["came"] = []
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "ensure", lambda _owed: 1 / 0)
        assert tell(world, "came") == 500
    assert stored() == []
    with transaction():
        assert db.session.scalar(text("SELECT count(*) FROM jobs")) == 0
    assert tell(world, "came") == 200
